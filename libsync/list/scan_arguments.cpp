// What the sending side was asked for: a source operand, or a name of --files-from, becomes the entries that a list
// starts with.
#include <fmt/format.h>

#include <algorithm>
#include <cerrno>

#include "libsync/list/named_dir.h"
#include "libsync/list/paths.h"
#include "libsync/list/scan.h"
#include "libsync/meta/fake_super.h"
#include "libsync/meta/read.h"

namespace ocsync::sync {

// Lists one directory above a relative name; returns its position, -1 if it is not there.
int32_t Scanner::add_implied(Segment& segment, uint32_t root, const std::string& path) {
  const auto parent = open_dir(root, dir_of_path(path));
  if (!parent) {
    stat_problem(root, path, parent.error().sys, true);
    return -1;
  }
  const std::string name(leaf_of_path(path));
  const auto leaf = io::Leaf::check(name);
  if (!leaf) return -1;
  const auto info = (*parent)->info_following(*leaf);
  if (!info) {
    stat_problem(root, path, info.error().sys, false);
    return -1;
  }
  return add_entry(segment, root, **parent, *leaf, path, *info, kImpliedDir, {});
}

// Is this path below a daemon's module, or a directory on the way to it, hidden from clients?
bool Scanner::hidden_by_module(const std::string& path) const {
  if (!terms_.module_filters) return false;
  std::string clean;
  for (size_t at = 0; at < path.size();) {
    const size_t end = std::min(path.find('/', at), path.size());
    const std::string_view part(path.data() + at, end - at);
    at = end + 1;
    if (part.empty() || part == ".") continue;
    if (!clean.empty()) clean += '/';
    clean += part;
    if (terms_.module_filters->module_hides(clean, true)) return true;
  }
  return false;
}

// Is there a link of others on the way to a name of --files-from? The list is typed by who may not know what lies
// there, so such links are followed only where options say that links are. `name` ends in a slash if its end is to be
// followed, too.
bool Scanner::leads_astray(uint32_t root, std::string_view name) const {
  const Options& o = terms_.options;
  if (o.files_from.empty() || !o.relative || o.copy_links || o.copy_dirlinks || o.copy_unsafe_links || o.insecure_links)
    return false;
  if (!o.module_root.empty() || !o.confine_root.empty()) return false;
  while (name.starts_with('/')) name.remove_prefix(1);
  const size_t slash = name.rfind('/');
  if (slash == std::string_view::npos) return false;
  const auto way = open_named_below(*roots_[root]->dir, std::string(name.substr(0, slash)), o);
  if (way || !is_link_of_others(way.error())) return false;
  terms_.reporter.error_line(std::string(kRefusesLink), false);
  return true;
}

Status Scanner::add_argument(Segment& segment, std::string text) {
  const Options& o = terms_.options;
  NameType type = NameType::kNormal;
  std::string dir_part, name;
  if (!o.relative) {
    if (text.empty() || text.back() == '/') {
      if (text == "./")
        text = ".";
      else
        text += '.';
      type = NameType::kDotDir;
    } else if (text == ".." || text.ends_with("/..")) {
      text += "/.";
      type = NameType::kDotDir;
    } else if (text == "." || text.ends_with("/.")) {
      type = NameType::kDotDir;
    }
    const size_t slash = text.rfind('/');
    if (slash == std::string::npos)
      name = text;
    else
      dir_part = slash == 0 ? "/" : text.substr(0, slash), name = text.substr(slash + 1);
  } else {
    const size_t cut = text.find("/./");
    if (cut != std::string::npos) {
      dir_part = cut == 0 ? "/" : clean_path(text.substr(0, cut));
      name = text.substr(cut + 3);
      while (name.starts_with("/")) name.erase(0, 1);
    } else {
      name = text;
    }
    const bool leading_dot = name.size() > 2 && name.starts_with("./");
    name = name.empty() ? "." : clean_path(name, true);
    if (name == "/") {
      name = "/.";
      type = NameType::kDotDir;
    } else if (name == ".") {
      type = NameType::kDotDir;
    } else if (name.back() == '/') {
      name.pop_back();
      type = name == "." ? NameType::kDotDir : NameType::kSlashEnding;
    }
    if (has_dotdot(name)) return fail(Fault::kUsage, fmt::format("found \"..\" dir in relative path: {}", name));
    if (leading_dot && !implied_dot_sent_ && name != ".") {
      implied_dot_sent_ = true;
      const auto root = root_for(dir_part);
      if (root) {
        if (const auto info = roots_[*root]->dir->self())
          add_entry(segment, *root, *roots_[*root]->dir, std::nullopt, ".", *info, kImpliedDir, {});
      }
    }
  }
  if (name.empty()) name = ".", type = NameType::kDotDir;

  // An absolute name stays absolute in the list and is found from the file system's root.
  const bool absolute_name = name[0] == '/';
  const auto root_found = root_for(absolute_name ? "/" : dir_part);
  if (!root_found) {
    if (root_found.error().sys == 0) return fail(root_found.error());
    general_error();
    const std::string where = dir_part[0] == '/' ? absolute_path(dir_part) : clean_path(dir_part);
    terms_.reporter.error_transfer(
        Role::kSender, fmt::format("change_dir {} failed", full_name(absolute_path(base_), where, terms_.options)),
        root_found.error().sys);
    return {};
  }
  const uint32_t root = *root_found;

  // What is there?
  std::shared_ptr<const io::Dir> parent = roots_[root]->dir;
  std::optional<io::Leaf> leaf;
  std::string leaf_text, target;
  Result<io::FileInfo> info = fail(Error(ENOENT));
  if (name.size() >= kMaxPathBytes) {
    // Directories can be opened one by one however deep they lie, but no list holds such a name.
    info = fail(Error(ENAMETOOLONG));
  } else if (hidden_by_module(join_path(join_path(base_, dir_part), name))) {
    // A module's rules make a name as good as absent, even if it was asked for.
    leaf_text = leaf_of_path(name);
  } else if (leads_astray(root, type == NameType::kSlashEnding ? name + "/" : name)) {
    info = fail(Error(ELOOP));
  } else if (name == "." || name == "/.") {
    info = parent->self();
    if (info) info = seen(Object::itself(*parent), *info, terms_, Role::kSender, shown(root, name));
  } else {
    auto opened = open_dir(root, dir_of_path(name));
    if (opened) {
      parent = *opened;
      leaf_text = leaf_of_path(name);
      const auto checked = io::Leaf::check(leaf_text);
      if (!checked) return fail(checked.error());
      leaf = *checked;
      info = look(root, *parent, *leaf, name, target, type != NameType::kNormal, false);
      if (type == NameType::kSlashEnding && info && info->is_symlink()) {
        // A final slash asks for the directory that the link leads to.
        const auto there = parent->info_following(*leaf);
        if (there ? there->is_dir() : there.error().sys == ELOOP) info = there;
      }
    } else {
      info = fail(opened.error());
    }
  }
  // The argument itself is there where only what it leads to is not.
  bool dangles = false;
  if (!info && info.error().sys == ENOENT && leaf && !o.copy_links && o.copy_unsafe_links) {
    const auto itself = parent->info(*leaf);
    dangles = itself && itself->is_symlink();
    if (dangles) info = *itself;
  }
  if (!info) {
    const int error = info.error().sys;
    if (error != ENOENT || !(o.ignore_missing_args || o.delete_missing_args)) {
      if (error != ENOENT) general_error();
      terms_.reporter.error_transfer(Role::kSender, fmt::format("link_stat {} failed", shown(root, name)), error);
      return {};
    }
    if (!o.delete_missing_args) return {};
    type = NameType::kMissing;
    info = io::FileInfo{};
  }
  const bool is_dir = info->is_dir();
  const bool missing = type == NameType::kMissing;
  const bool at_root = name == "." || name == "/.";
  // Per-directory rules are read in what is walked, not in the directories on the way to what was asked for by name.
  const FilterScope scope = in_force(root);
  if (!filters_.empty() && !at_root && type != NameType::kDotDir && !missing && scope.excluded(name, is_dir)) return {};
  if (is_dir && !o.dirs) {
    terms_.reporter.info_line(fmt::format("skipping directory {}", name));
    return {};
  }

  const bool implied = o.relative && (o.implied_dirs || terms_.agreed.compact_numbers);
  if (implied && terms_.agreed.incremental) {
    const size_t first_slash = name.find('/', 1);
    if (first_slash != std::string::npos) {
      const std::string top = name.substr(0, first_slash);
      if (last_implied_ < 0 || last_implied_path_ != top || last_implied_root_ != root) {
        last_implied_ = add_implied(segment, root, top);
        last_implied_path_ = top;
        last_implied_root_ = root;
        if (last_implied_ >= 0) {
          if (!segment.added(last_implied_).is_dir()) last_implied_ = -1;
        }
      }
      if (last_implied_ >= 0) add_relname(last_implied_, Relname{name.substr(first_slash + 1), type});
      return {};
    }
  } else if (implied) {
    // rsync's count of entries: what this argument shares with the one before it is not listed again, but for the
    // deepest directory that both have, unless that is all there is to list.
    const std::string parents(dir_of_path(name));
    size_t start = 0, same = 0;
    for (; same < parents.size() && same < last_implied_path_.size() && parents[same] == last_implied_path_[same];
         ++same)
      if (parents[same] == '/') start = same;
    const bool known = same == parents.size() && (same == last_implied_path_.size() || last_implied_path_[same] == '/');
    const auto go_through = [&](const std::string& dir) -> Status {
      const int32_t position = add_implied(segment, root, dir);
      if (position < 0 || !segment.added(position).is_dir()) return {};
      return enter(level_of(dir), root, dir);
    };
    if (!parents.empty() && parents != "/" && !known) {
      for (size_t slash = parents.find('/', start + 1); slash != std::string::npos;
           slash = parents.find('/', slash + 1))
        TRY(go_through(parents.substr(0, slash)));
      TRY(go_through(parents));
      last_implied_path_ = parents;
    }
  }

  if (missing) {
    add_entry(segment, root, *parent, leaf, name, *info, 0, {});
    return {};
  }
  if (dangles) {
    look_problem(root, *parent, *leaf, name, ENOENT);
    return {};
  }
  if (o.one_file_system > 0) file_system_ = info->dev;
  const bool walks = o.recurse || (o.dirs && type != NameType::kNormal);
  const uint16_t marks = walks ? static_cast<uint16_t>(kTopDir | kContentDir) : 0;
  if (info->is_symlink() && target.empty()) return {};
  // rsync looks at what it was asked for twice, and says so if it cannot be read.
  if (o.fake_super && leaf) (void)seen(Object::named(*parent, *leaf), *info, terms_, Role::kSender, shown(root, name));
  const int32_t position = add_entry(segment, root, *parent, leaf, name, *info, marks, target);
  if (position < 0 || !is_dir || !walks) return {};
  if (terms_.agreed.incremental) {
    if (!at_root) return {};
    // The rules of the first root stay in force for all.
    if (!root_entered_) TRY(enter(0, root, name));
    root_entered_ = true;
    list_directory(segment, root, name == "/." ? "/" : ".", in_force(root), false);
    return {};
  }
  const auto dir = open_dir(root, at_root ? "" : name);
  const FilterScope inside =
      filters_.has_per_directory()
          ? TRY(rules_.inside(at_root ? "" : name, dir ? dir->get() : nullptr, *roots_[root]->scope))
          : in_force(root);
  list_directory(segment, root, at_root ? (name == "/." ? "/" : ".") : name, inside, o.recurse);
  return {};
}

}  // namespace ocsync::sync
