#include "libsync/list/scan.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>

#include "libio/os/io_strategy.h"
#include "libsync/list/content_digest.h"
#include "libsync/list/exchange.h"
#include "libsync/list/name_charset.h"
#include "libsync/list/named_dir.h"
#include "libsync/list/paths.h"
#include "libsync/meta/fake_super.h"
#include "libsync/meta/read.h"

namespace ocsync::sync {

// With -L, -k or --copy-unsafe-links the operator asked for symlinked directories to be walked wherever they lead.
Follow source_follow(const Options& o) {
  return o.copy_links || o.copy_dirlinks || o.copy_unsafe_links || o.insecure_links ? Follow::kAnywhere
                                                                                    : Follow::kInside;
}

Scanner::Scanner(const Terms& terms, const FilterRules& filters, std::string base)
    : terms_(terms), filters_(filters), base_(std::move(base)) {
  next_ndx_ = terms.agreed.incremental ? 1 : 0;
}

std::string Scanner::shown(uint32_t root, std::string_view path) const {
  return full_name(roots_[root]->absolute, path.empty() ? "." : path, terms_.options);
}

Result<uint32_t> Scanner::root_for(const std::string& dir) {
  for (uint32_t i = 0; i < roots_.size(); ++i)
    if (roots_[i]->typed == dir) return i;
  const std::string path = dir.empty() ? base_ : dir[0] == '/' ? dir : join_path(base_, dir);
  auto root = std::make_unique<SourceRoot>();
  root->typed = dir;
  root->absolute = absolute_path(path);
  const std::string named = path.empty() ? "." : path;
  // A user may start wherever links lead; a daemon's client only inside the module.
  auto opened =
      terms_.options.module_fd >= 0 ? open_named_dir(named, terms_.options) : io::Dir::open_trusted(named, true);
  if (!opened) return fail(opened.error());
  root->dir = std::make_shared<const io::Dir>(std::move(*opened));
  root->cache = std::make_unique<DirCache>(root->dir, source_follow(terms_.options));
  root->scope = TRY(FilterScope::at_root(filters_, Side::kSender, root->absolute));
  terms_.reporter.trace(Debug::kChdir, 1, "[sender] change_dir({})", root->absolute);
  roots_.push_back(std::move(root));
  return static_cast<uint32_t>(roots_.size() - 1);
}

// The rules of a directory, until another one is entered on its level or above.
Status Scanner::enter(int level, uint32_t root, const std::string& path) {
  if (!filters_.has_per_directory()) return {};
  const auto dir = open_dir(root, path == "." || path == "/." ? "" : path);
  return rules_.enter(level, path, dir ? dir->get() : nullptr, *roots_[root]->scope);
}

// Those that hold inside a directory that is gone into from where `around` does.
Result<FilterScope> Scanner::inside(uint32_t root, const std::string& path, const FilterScope& around) {
  if (!filters_.has_per_directory()) return around;
  const auto dir = open_dir(root, path);
  return around.enter(path, dir ? dir->get() : nullptr);
}

Result<std::shared_ptr<const io::Dir>> Scanner::open_dir(uint32_t root, std::string_view path) {
  while (path.starts_with("/")) path.remove_prefix(1);
  return roots_[root]->cache->open(path);
}

void Scanner::stat_problem(uint32_t root, const std::string& path, int error, bool is_dir) {
  if (error == ENOENT) {
    note_error(kIoErrorVanished);
    terms_.reporter.warning_line(fmt::format("{} has vanished: {}", is_dir ? "directory" : "file", shown(root, path)));
    return;
  }
  general_error();
  // With -x rsync asks for a directory's file system before it opens it, where directories are listed one by one (and
  // -L follows).
  const bool asked_first =
      error == ELOOP && terms_.options.copy_links && terms_.options.one_file_system > 0 && terms_.agreed.incremental;
  const std::string name = shown(root, path);
  terms_.reporter.error_transfer(Role::kSender,
                                 !is_dir ? fmt::format("readlink_stat({}) failed", name)
                                         : fmt::format("{} {} failed", asked_first ? "link_stat" : "opendir", name),
                                 error);
}

namespace {
bool may_follow(const Options& o) { return o.copy_links || o.copy_dirlinks || o.copy_unsafe_links; }
}  // namespace

// look() failed: a link that was to be followed leads nowhere, or the name itself is the trouble.
void Scanner::look_problem(uint32_t root, const io::Dir& dir, io::Leaf leaf, const std::string& path, int error) {
  const auto itself =
      error == ENOENT && may_follow(terms_.options) ? dir.info(leaf) : Result<io::FileInfo>(fail(Error(error)));
  if (!itself || !itself->is_symlink()) return stat_problem(root, path, error, false);
  general_error();
  terms_.reporter.sender_error_line(fmt::format("symlink has no referent: {}", shown(root, path)));
}

bool Scanner::is_unsafe(std::string_view path, std::string_view target) const {
  return symlink_is_unsafe(target, path);
}

// We go from directory to directory; whether the kernel would go the whole way at once shows where rsync does that.
bool Scanner::too_many_links(uint32_t root, std::string_view path) const {
  while (path.starts_with("/")) path.remove_prefix(1);
  return roots_[root]->cache->too_many_links(path);
}

// What stands at a name, with links followed as the options ask; `target` is set if the answer is a symlink.
Result<io::FileInfo> Scanner::look(uint32_t root, const io::Dir& dir, io::Leaf leaf, const std::string& path,
                                   std::string& target, bool follow_dirs, bool follow_all,
                                   const Result<io::FileInfo>* looked) {
  const Options& o = terms_.options;
  target.clear();
  if (o.copy_links || follow_all) {
    if (!o.fake_super) return dir.info_following(leaf);
    if (too_many_links(root, path)) return fail(Error(ELOOP));
    const io::FileInfo there = TRY(dir.info_following(leaf));
    const auto itself = looked != nullptr ? *looked : dir.info(leaf);
    // What a link leads to stands for itself, as with rsync.
    return itself && !itself->is_symlink()
               ? seen(Object::named(dir, leaf), there, terms_, Role::kSender, shown(root, path))
               : there;
  }
  io::FileInfo info = TRY(looked != nullptr ? *looked : dir.info(leaf));
  if (o.fake_super) {
    info = TRY(seen(Object::named(dir, leaf), info, terms_, Role::kSender, shown(root, path)));
    if (info.is_symlink() && !o.copy_links) {
      auto stored = read_fake_link(dir, leaf);
      if (stored) {
        target = std::move(*stored);
        return info;
      }
    }
  }
  if (!info.is_symlink()) return info;
  if ((follow_dirs || o.copy_dirlinks) && !(o.fake_super && too_many_links(root, path))) {
    const auto there = dir.info_following(leaf);
    if (there && there->is_dir()) return *there;
    // A link out of a daemon's module. As with rsync one to a directory cannot be entered (what lies there is not for
    // the client to know), and is no link either; any other is just a link.
    if (!there && there.error().sys == EXDEV && (!o.copy_dirlinks || dir.leads_to_dir(leaf)))
      return fail(there.error());
  }
  target = TRY(dir.read_link(leaf));
  if (o.munge_links && target.starts_with(kMungedPrefix) && target.size() > kMungedPrefix.size())
    target.erase(0, kMungedPrefix.size());
  if (o.copy_unsafe_links && is_unsafe(path, target)) {
    terms_.reporter.info_line_if(Info::kSymsafe, 1,
                                 fmt::format("copying unsafe symlink \"{}\" -> \"{}\"", path, target));
    target.clear();
    return dir.info_following(leaf);
  }
  return info;
}

// ACLs and extended attributes of what `info` describes. False: they cannot be read (reported), and it is left out.
bool Scanner::read_meta(uint32_t root, const io::Dir& dir, std::optional<io::Leaf> leaf, const std::string& path,
                        const io::FileInfo& info, MetaNumbers& out) {
  const Options& o = terms_.options;
  // As with rsync, extended attributes are always those of the name itself, of a link that is followed, too.
  const Object itself = leaf ? Object::named(dir, *leaf) : Object::itself(dir);
  Object object = itself;
  io::File followed;
  if (o.acls && !o.fake_super && leaf && !info.is_symlink()) {
    // Where a symlink was followed, the ACLs that count are at its end.
    const auto name_info = dir.info(*leaf);
    if (name_info && name_info->is_symlink()) {
      if (too_many_links(root, path)) {
        general_error();
        terms_.reporter.error_transfer(Role::kSender,
                                       fmt::format("get_acl: sys_acl_get_file({}, ACL_TYPE_ACCESS)", path), ELOOP);
        return false;
      }
      if (auto file = dir.open_read_following(*leaf)) {
        followed = std::move(*file);
        object = Object::opened(followed);
      }
    }
  }
  uint32_t mode = info.mode;
  if (o.copy_devices && info.is_device()) mode = S_IFREG | (mode & 0777);
  if (chmod_ && !S_ISLNK(mode)) mode = chmod_->apply(mode);
  const std::string name =
      shown(root, lists_dot_ ? "./" + path : path);  // here rsync shows the name as it looked it up
  const auto refuse = [&](const Error& e) {
    general_error();
    terms_.reporter.error_transfer(Role::kSender, e.text, e.sys);
    return false;
  };
  if (o.acls && !S_ISLNK(mode)) {
    auto access = read_access_acl(object, mode, terms_, name);
    if (!access) return refuse(access.error());
    proto::condense_access(*access, mode);
    // What a receiving side would put back.
    if (terms_.meta->serves_both_ends() && !access->names.empty() && access->mask == proto::kNoAccess)
      access->mask = mode >> 3 & 7;
    out.acl = terms_.meta->add_acl(proto::AclKind::kAccess, std::move(*access));
    if (S_ISDIR(mode)) {
      auto by_default = read_default_acl(object, mode, terms_, name);
      if (!by_default) return refuse(by_default.error());
      out.default_acl = terms_.meta->add_acl(proto::AclKind::kDefault, std::move(*by_default));
    }
  }
  if (o.xattrs > 0) {
    const auto attributes = read_attributes(itself, mode, terms_, Side::kSender, name);
    if (!attributes) return refuse(attributes.error());
    out.xattrs = terms_.meta->add_set(*attributes);
  }
  return true;
}

// What --iconv cannot say in UTF-8 is left out, aloud.
bool Scanner::convertible(uint32_t root, const std::string& path, std::string_view target) {
  const auto cannot = [&](const char* what, const std::string& name, const Error& error) {
    general_error();
    terms_.reporter.error_line(fmt::format("[{}] cannot convert {}: {} ({})", role_name(Role::kSender), what, name,
                                           std::generic_category().message(error.sys)),
                               true);
    return false;
  };
  if (const auto name = terms_.charset->to_wire(path); !name) return cannot("filename", path, name.error());
  if (target.empty() || !terms_.agreed.symlink_iconv) return true;
  const auto converted = terms_.charset->to_wire(target);
  return converted || cannot("symlink data for", shown(root, path), converted.error());
}

// Adds what `info` describes; returns its position in the segment, or -1 if it cannot be sent.
int32_t Scanner::add_entry(Segment& segment, uint32_t root, const io::Dir& dir, std::optional<io::Leaf> leaf,
                           const std::string& path, const io::FileInfo& info, uint16_t marks, std::string_view target) {
  const Options& o = terms_.options;
  if (terms_.charset && !convertible(root, path, target)) return -1;
  MetaNumbers meta;
  if ((o.acls || o.xattrs > 0) && info.mode != 0 && !read_meta(root, dir, leaf, path, info, meta)) return -1;
  terms_.reporter.trace(Debug::kFlist, 2, "[sender] make_file({},*,{})", path, leaf ? 2 : 0);
  Entry& entry = segment.add(path);
  const int32_t position = segment.count() - 1;
  if (meta.acl >= 0 || meta.xattrs >= 0) {
    Extras& extras = segment.extras_of(entry);
    extras.acl = meta.acl;
    extras.default_acl = meta.default_acl;
    extras.xattrs = meta.xattrs;
  }
  if (terms_.keeps_sent_owners()) {
    Extras& extras = segment.extras_of(entry);
    extras.keeps_sent = true;
    extras.sent_uid = info.uid;
    extras.sent_gid = info.gid;
  }
  uint32_t mode = info.mode;
  uint64_t size = info.size;
  io::FileTime mtime = info.mtime;
  if (o.copy_devices && info.is_device()) {
    mode = S_IFREG | (mode & 0777);
    mtime = {::time(nullptr), 0};
    if (leaf) {
      if (const auto file = dir.open_read(*leaf))
        if (const auto bytes = file->device_bytes()) size = *bytes;
    }
  } else if (info.is_device() || info.is_special()) {
    size = 0;
  }
  if (!S_ISDIR(mode)) marks = static_cast<uint16_t>(marks & ~(kTopDir | kContentDir | kImpliedDir));
  entry.mode = static_cast<uint16_t>(mode);
  if (chmod_ && !S_ISLNK(mode)) entry.mode = static_cast<uint16_t>(chmod_->apply(mode));
  entry.size = static_cast<int64_t>(size);
  entry.mtime = mtime.sec;
  entry.nsec = mtime.nsec < 1000000000 ? mtime.nsec : 0;
  entry.uid = info.uid;
  entry.gid = info.gid;
  entry.marks = marks;
  if (root != 0) segment.extras_of(entry).source_root = root;
  if (S_ISLNK(mode)) segment.extras_of(entry).target = segment.store(target);
  if ((S_ISCHR(mode) || S_ISBLK(mode))) {
    segment.extras_of(entry).rdev_major = gnu_dev_major(info.rdev);
    segment.extras_of(entry).rdev_minor = gnu_dev_minor(info.rdev);
  }
  if (o.atimes > 0 && !S_ISDIR(mode)) segment.extras_of(entry).atime = info.atime.sec;
  if (o.crtimes && info.has_btime) segment.extras_of(entry).crtime = info.btime.sec;
  if (o.hard_links > 0 && !S_ISDIR(mode)) {
    if (terms_.agreed.hard_link_groups) {
      if (info.nlink > 1) {
        Extras& extras = segment.extras_of(entry);
        const auto [at, fresh] =
            links_.try_emplace(LinkKey{info.dev, info.ino}, int64_t{segment.first_ndx()} + position);
        extras.link_key = at->second;
        entry.set(kLinked);
        if (fresh) entry.set(kLinkFirst);
      }
    } else if (terms_.agreed.extended_entry_flags ? info.nlink > 1 : S_ISREG(mode)) {
      Extras& extras = segment.extras_of(entry);
      extras.dev = info.dev;
      extras.ino = info.ino;
      extras.link_key = 0;
      entry.set(kLinked);
    }
  }
  if (o.checksum && S_ISREG(mode) && leaf && mode == info.mode) {
    if (terms_.agreed.list_digest == DigestKind::kNone && !failure_ && dir.open_read(*leaf))
      failure_ = Error(Fault::kUnsupported, "Invalid checksum-choice for --checksum: none (0)");
    segment.set_checksum(entry, content_digest(dir, *leaf, info.size, terms_, true));
  }
  Totals& totals = terms_.totals;
  totals.files.add(mode);
  if (S_ISREG(mode) || S_ISLNK(mode)) totals.total_size += static_cast<int64_t>(size);
  return position;
}

// Adds one name of a directory, or nothing if it is filtered, refused or gone. Returns its position or -1.
int32_t Scanner::add_name(Segment& segment, uint32_t root, const io::Dir& dir, io::Leaf leaf, const std::string& path,
                          const FilterScope* scope, uint16_t marks, unsigned char type_hint,
                          const Result<io::FileInfo>* looked) {
  const Options& o = terms_.options;
  // With --fake-super what cannot be read is complained about, excluded or not.
  const bool type_known = type_hint != DT_UNKNOWN && !(type_hint == DT_LNK && may_follow(o)) && !o.fake_super;
  // Rules come first where the listing tells the type: what is excluded need not be looked at.
  if (scope && type_known && scope->excluded(path, type_hint == DT_DIR)) return -1;
  std::string target;
  const auto info = look(root, dir, leaf, path, target, false, false, looked);
  if (!info) {
    const int error = info.error().sys;
    if (scope && !type_known && (scope->excluded(path, false) || scope->excluded(path, true))) return -1;
    look_problem(root, dir, leaf, path, error);
    return -1;
  }
  if (info->is_dir()) {
    if (!o.dirs) {
      terms_.reporter.info_line(fmt::format("skipping directory {}", path));
      return -1;
    }
    if (o.one_file_system > 0 && info->dev != file_system_ && (marks & kContentDir) && !(marks & kTopDir)) {
      if (o.one_file_system > 1) {
        terms_.reporter.info_line_if(Info::kMount, 1, fmt::format("[sender] skipping mount-point dir {}", path));
        return -1;
      }
      marks = static_cast<uint16_t>((marks | kMountPoint) & ~kContentDir);
    }
  }
  if (scope && !type_known && scope->excluded(path, info->is_dir())) return -1;
  if (info->is_symlink() && target.empty()) return -1;
  // A module may hide what its user cannot read.
  if (o.ignore_nonreadable && !info->is_symlink() && ::faccessat(dir.fd(), leaf.c_str(), R_OK, 0) != 0) return -1;
  return add_entry(segment, root, dir, leaf, path, *info, marks, target);
}

// With a ring: what the names from `first` on are, asked for together, in the order of the listing; how many, the ring
// decides. Nothing without one. Not where rules may hide names: what they exclude is not to be touched.
std::vector<Result<io::FileInfo>> Scanner::look_together(const io::Dir& dir, const io::DirListing& listing,
                                                         size_t first) {
  constexpr size_t kWorthIt = 4;
  const size_t count = std::min(io::strategy::kNamesAtOnce, listing.entries.size() - first);
  if (!terms_.io->uses(io::IoPart::kNames) || terms_.options.copy_links || terms_.options.crtimes || count < kWorthIt)
    return {};
  if (!filters_.empty() || filters_.has_per_directory()) return {};
  names_seen_ += count;
  if (names_seen_ < io::strategy::kNamesBeforeRing && !terms_.io->uses(io::IoPart::kRing)) return {};
  if (ring_thread_ != std::this_thread::get_id()) {
    ring_thread_ = std::this_thread::get_id();
    ring_ = terms_.io->make_ring(io::IoPart::kNames);
  }
  if (!ring_ || !ring_->works()) return {};
  std::vector<io::Leaf> leaves;
  leaves.reserve(count);
  for (size_t i = first; i < first + count; ++i) {
    const auto leaf = io::Leaf::check(listing.name(listing.entries[i]));
    if (!leaf) return {};
    leaves.push_back(*leaf);
  }
  return ring_->info_batch(dir, leaves);
}

void Scanner::list_directory(Segment& segment, uint32_t root, const std::string& path, const FilterScope& scope,
                             bool recurse) {
  if (terms_.reporter.traces(Debug::kFilter, 2))
    terms_.reporter.trace(Debug::kFilter, 2, "[sender] pushing local filters for {}/",
                          path == "." ? roots_[root]->absolute : join_path(roots_[root]->absolute, path));
  if (terms_.stop.requested()) return;
  const auto dir = open_dir(root, path);
  if (!dir) {
    if (dir.error().sys == ELOOP) scope.look_in_vain(path);
    if (dir.error().sys == ENOTDIR && terms_.options.read_batch.empty()) return;
    stat_problem(root, path, dir.error().sys, true);
    return;
  }
  // Names that cannot be looked at are of no use; root may look at all of them.
  if (terms_.our_uid != 0) {
    if (const Status looks = (*dir)->searchable(); !looks) return stat_problem(root, path, looks.error().sys, true);
  }
  const auto listing = (*dir)->list();
  if (!listing) {
    stat_problem(root, path, listing.error().sys, true);
    return;
  }
  if (terms_.options.one_file_system > 0)
    if (const auto self = (*dir)->self()) file_system_ = self->dev;
  const std::string_view prefix = path == "." ? std::string_view() : std::string_view(path);
  const uint16_t marks = terms_.options.recurse ? kContentDir : 0;
  const int32_t start = segment.count();
  std::string child;
  lists_dot_ = path == ".";
  std::vector<Result<io::FileInfo>> looked;
  size_t looked_from = 0;
  for (size_t i = 0; i < listing->entries.size(); ++i) {
    if (i == looked_from + looked.size() && (i == 0 || !looked.empty())) {
      looked = look_together(**dir, *listing, i);
      looked_from = i;
    }
    const io::DirEntry& item = listing->entries[i];
    const char* name = listing->name(item);
    child.assign(prefix);
    if (!child.empty() && child.back() != '/') child += '/';
    child += name;
    if (child.size() >= kMaxPathBytes) {
      general_error();
      terms_.reporter.error_line(
          fmt::format("filename overflows max-path len by {}: {}/{}", child.size() - kMaxPathBytes + 1, path, name),
          true);
      continue;
    }
    const auto leaf = io::Leaf::check(name);
    if (!leaf) continue;
    add_name(segment, root, **dir, *leaf, child, &scope, marks, item.type,
             looked.empty() ? nullptr : &looked[i - looked_from]);
  }
  lists_dot_ = false;
  const int32_t end = segment.count();
  if (!recurse) return;
  for (int32_t i = start; i < end && !failure_; ++i) {
    const Entry& entry = segment.added(i);
    if (!S_ISDIR(entry.mode) || entry.has(kMountPoint)) continue;
    const std::string below = entry.path();
    const auto inside_rules = inside(root, below, scope);
    if (!inside_rules) {
      failure_ = inside_rules.error();
      return;
    }
    list_directory(segment, root, below, *inside_rules, true);
  }
}

// Sorts, numbers directories, and remembers which of them still have to be listed (last one first on the stack).
Status Scanner::finish(Segment& segment) {
  if (failure_) return fail(*failure_);
  const bool converted = !terms_.options.iconv.empty();
  segment.seal(terms_.order(), converted);
  next_ndx_ = segment.end_ndx() + (terms_.agreed.incremental ? 1 : 0);
  segment.first_position = total_;
  segment.io_error = io_error_;
  total_ += segment.count();
  if (!terms_.agreed.incremental) return {};
  // Positions survive sealing: entries stay where they were added.
  segment.first_dir = dirs_.add(segment);
  const auto waiting = static_cast<ptrdiff_t>(pending_.size());
  const Entry* previous = nullptr;
  for (int32_t i = 0; i < segment.count(); ++i) {
    Entry& entry = segment.sorted(i);
    if (!entry.is_dir() || entry.is_root()) continue;
    const int32_t position = segment.added_position(i);
    const DirNode& node = *segment.dir_added(position);
    Visit visit{ShortText(node.path()), root_of(entry), entry.has(kContentDir), {}};
    if (const auto at = found_.find(position); at != found_.end()) visit.relnames = std::move(at->second);
    if (previous && compare_entries(*previous, entry, terms_.order()) == 0) {
      entry.set(kDuplicateDir);
      Pending& first = pending_.back();
      if (!first.more) first.more = std::make_unique<std::vector<Visit>>();
      // The same directory found twice under one root need not be listed twice.
      const Visit& before = first.more->empty() ? first.visit : first.more->back();
      if (visit.root == before.root && before.content) visit.content = false;
      first.more->push_back(std::move(visit));
    } else {
      pending_.push_back(Pending{node.number, std::move(visit), {}});
    }
    previous = &entry;
  }
  std::reverse(pending_.begin() + waiting, pending_.end());
  found_.clear();
  last_implied_ = -1;
  last_implied_path_.clear();
  return {};
}

Result<std::shared_ptr<Segment>> Scanner::first(const std::vector<std::string>& names) {
  if (filters_.has_xattr_rules()) terms_.meta->policy.filters = &filters_;
  if (const std::string modes = terms_.mode_changes(); !modes.empty())
    chmod_ = TRY(ModeChanges::parse(modes, terms_.umask));
  auto segment = std::make_shared<Segment>(next_ndx_);
  for (const std::string& name : names) {
    TRY(add_argument(*segment, name));
    if (failure_) return fail(*failure_);
    TRY(terms_.stop.check());
  }
  TRY(finish(*segment));
  terms_.reporter.trace(Debug::kFlist, 2, "send_file_list done");
  return segment;
}

Result<std::shared_ptr<Segment>> Scanner::next() {
  if (pending_.empty()) return std::shared_ptr<Segment>();
  TRY(terms_.stop.check());
  Pending pending = std::move(pending_.back());
  pending_.pop_back();
  auto segment = std::make_shared<Segment>(next_ndx_, pending.number);
  std::vector<Visit> visits;
  visits.push_back(std::move(pending.visit));
  if (pending.more) std::move(pending.more->begin(), pending.more->end(), std::back_inserter(visits));
  for (Visit& visit : visits) {
    const std::string visited(visit.path.view());
    TRY(enter(level_of(visited), visit.root, visited));
    const FilterScope inside = in_force(visit.root);
    if (visit.content) list_directory(*segment, visit.root, visited, inside, false);
    if (!visit.relnames) continue;
    for (Relname& rest : *visit.relnames) {
      const std::string path = join_path(visited, rest.name);
      const size_t slash = rest.name.find('/');
      if (slash != std::string::npos) {
        const std::string top = join_path(visited, rest.name.substr(0, slash));
        if (last_implied_ < 0 || last_implied_path_ != top || last_implied_root_ != visit.root) {
          last_implied_ = add_implied(*segment, visit.root, top);
          last_implied_path_ = top;
          last_implied_root_ = visit.root;
          if (last_implied_ >= 0) {
            if (!segment->added(last_implied_).is_dir()) last_implied_ = -1;
          }
        }
        if (last_implied_ >= 0) add_relname(last_implied_, Relname{rest.name.substr(slash + 1), rest.type});
        continue;
      }
      const auto parent = open_dir(visit.root, visited);
      const auto leaf = io::Leaf::check(rest.name);
      if (!parent || !leaf) {
        stat_problem(visit.root, path, parent ? EINVAL : parent.error().sys, !parent);
        continue;
      }
      std::string target;
      if (rest.type == NameType::kMissing) {
        add_entry(*segment, visit.root, **parent, *leaf, path, io::FileInfo{}, 0, {});
        continue;
      }
      const auto info = look(visit.root, **parent, *leaf, path, target, rest.type != NameType::kNormal,
                             rest.type == NameType::kSlashEnding);
      if (!info) {
        look_problem(visit.root, **parent, *leaf, path, info.error().sys);
        continue;
      }
      if (inside.excluded(path, info->is_dir())) continue;
      add_entry(*segment, visit.root, **parent, *leaf, path, *info, static_cast<uint16_t>(kTopDir | kContentDir),
                target);
    }
  }
  TRY(finish(*segment));
  segment->parent = &dirs_.node(pending.number);
  return segment;
}

}  // namespace ocsync::sync
