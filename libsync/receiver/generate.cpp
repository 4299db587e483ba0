#include "libsync/receiver/generate.h"

#include <fmt/format.h>
#include <sys/sysmacros.h>

#include <algorithm>
#include <chrono>

#include "libio/os/copy.h"
#include "libsync/list/dir_table.h"
#include "libsync/list/facts.h"
#include "libsync/list/paths.h"
#include "libsync/meta/apply.h"
#include "libsync/meta/fake_super.h"
#include "libsync/meta/modes.h"
#include "libsync/meta/read.h"
#include "libsync/report/item_text.h"

namespace ocsync::sync {

using proto::Item;

// Hard links across lists are judged better with some of the list known.
constexpr int64_t kLinkLookAhead = 500;
// Answers of a local run that may wait.
constexpr size_t kLateAnswers = 512;

struct Generator::Spot {
  std::shared_ptr<Segment> segment;
  Entry* entry = nullptr;
  int32_t ndx = 0;
  std::string path;       // below the destination's root
  std::string dir_path;
  std::shared_ptr<const io::Dir> dir;   // null: known to be missing
  std::string leaf_text;
  std::optional<io::Leaf> leaf;         // unset: the root itself
  std::optional<io::FileInfo> here;
  uint32_t mode = 0;      // effective
  bool quiet = false;     // already itemized
};

Generator::Generator(const Terms& terms, const FilterRules& filters, Destination& destination, Transfers& transfers, Events& events)
    : terms_(terms), filters_(filters), destination_(destination), transfers_(transfers), events_(events),
      backups_(terms, destination), placer_(terms, destination, backups_, Role::kGenerator),
      remover_(terms, filters, destination, backups_), basis_(BasisDirs::open(terms, destination)), fuzzy_(terms, basis_),
      default_perms_(0777 & ~terms.umask) {
  if (terms.module_filters && destination.root())
    if (auto scope = FilterScope::at_root(filters, Side::kReceiver, destination.absolute(), *destination.root())) guard_ = std::move(*scope);
}

void Generator::touched(std::string_view dir) {
  if (dir == last_touched_ && !touched_.empty()) return;
  last_touched_ = dir;
  touched_.emplace(dir);
}

// --- reports --------------------------------------------------------------------------------------------------------

Status Generator::report(Spot& spot, const std::optional<io::FileInfo>& compared, uint32_t flags, std::string xname,
                         std::optional<uint32_t> meta) {
  if (spot.quiet) return {};
  Item item;
  flags |= meta ? *meta : meta_flags(spot, compared, nullptr, false);
  item.flags = report_flags(*spot.entry, spot.mode, compared, flags, xname.empty(), terms_);
  item.xname = std::move(xname);
  const bool shown = (item.flags & proto::kSignificantItemFlags) != 0 || !item.xname.empty() || terms_.reporter.shows_unchanged();
  if (!shown) return {};
  return transfers_.report(spot.ndx, spot.segment, *spot.entry, item);
}

// What differs in ACLs and extended attributes; notes which values the item has to ask for. `at` is what `compared`
// describes, if it is not what lies at the spot.
uint32_t Generator::meta_flags(const Spot& spot, const std::optional<io::FileInfo>& compared, const Object* at, bool replaces) {
  if (!terms_.options.acls && terms_.options.xattrs == 0) return 0;
  if (!compared) return meta_report(*spot.entry, nullptr, nullptr, terms_, true, replaces);
  if (at) return meta_report(*spot.entry, at, &*compared, terms_, true, replaces);
  if (!spot.dir) return 0;
  const Object object = spot.leaf ? Object::named(*spot.dir, *spot.leaf) : Object::itself(*spot.dir);
  return meta_report(*spot.entry, &object, &*compared, terms_, true, replaces);
}

Status Generator::success(Spot& spot) {
  if (!terms_.options.remove_source_files || terms_.options.dry_run) return {};
  return transfers_.success(spot.ndx, *spot.entry);
}

bool Generator::apply(Spot& spot, const std::optional<io::FileInfo>& now, bool created) {
  if (terms_.options.dry_run) return true;
  const Object object = spot.leaf ? Object::named(*spot.dir, *spot.leaf) : Object::itself(*spot.dir);
  std::optional<io::FileInfo> info = now;
  if (!info) {
    const auto fresh = object.info();
    if (!fresh) {
      terms_.reporter.error_transfer(Role::kGenerator, fmt::format("stat {} failed", destination_.shown(spot.path)), fresh.error().sys);
      return false;
    }
    info = *fresh;
  }
  const unsigned updated = apply_attributes(*spot.entry, spot.mode, object, *info, terms_, Role::kGenerator,
                                            destination_.shown(spot.path), {.exact_times = terms_.options.checksum, .created = created, .xattrs = terms_.local});
  // Extended attributes are not what makes a name worth telling: elsewhere they come later than that.
  return (updated & ~unsigned{kUpdatedXattrs}) != 0;
}

// --- one entry --------------------------------------------------------------------------------------------------------

Result<bool> Generator::parent_known(const Segment& segment, const Entry& entry) {
  const std::string_view dir = entry.dir_view();
  if (terms_.agreed.incremental || dir.empty() || dir == ".") return true;
  if (last_parent_known_ && last_parent_ == dir) return true;
  const int32_t at = segment.find(dir, true, terms_.order());
  if (at < 0) return false;
  last_parent_ = dir;
  last_parent_known_ = true;
  return true;
}

Status Generator::handle(const std::shared_ptr<Segment>& segment, Entry& entry, int32_t ndx, bool own_turn, Attempt attempt) {
  const Options& o = terms_.options;
  Spot spot;
  spot.segment = segment;
  spot.entry = &entry;
  spot.ndx = ndx;
  spot.path = destination_.path_of(entry);
  spot.dir_path = destination_.dir_of(entry);
  spot.mode = entry.mode;

  if (o.list_only) {
    if (entry.is_dir() && (!own_turn || (!o.implied_dirs && entry.has(kImpliedDir)))) return {};
    const std::string path = entry.path();
    const io::FileTime atime{entry.extras ? entry.extras->atime : 0, 0}, crtime{entry.extras ? entry.extras->crtime : 0, 0};
    terms_.reporter.info_line(list_only_line(facts_of(entry, path, path, {}), o, atime, crtime));
    return {};
  }
  if (!skip_below_.empty()) {
    if (spot.path.size() > skip_below_.size() && spot.path.starts_with(skip_below_) && spot.path[skip_below_.size()] == '/') {
      if (entry.is_dir()) entry.set(kMissingDir);
      else if (entry.has(kLinked)) skipped_member(spot);
      return {};
    }
    if (own_turn) skip_below_.clear();
  }

  if (guard_ && !entry.is_root() && guard_->hidden_by_module(spot.path, entry.is_dir())) {
    if (entry.is_dir() && !own_turn) return {};
    if (entry.has(kLinked)) skipped_member(spot);
    terms_.reporter.error_line(fmt::format("ERROR: daemon refused to receive {} \"{}\"", entry.is_dir() ? "directory" : "file", spot.path), true);
    if (entry.is_dir()) {
      skip_below_ = spot.path;
      entry.set(kMissingDir);
      terms_.reporter.error_line("*** Skipping any contents from this failed directory ***", true);
    }
    return {};
  }
  const auto below_dry_missing = [&] {
    if (destination_.missing()) return true;
    if (dry_missing_.empty()) return false;
    if (spot.path.size() > dry_missing_.size() && spot.path.starts_with(dry_missing_) && spot.path[dry_missing_.size()] == '/') return true;
    if (own_turn) dry_missing_.clear();
    return false;
  };
  int stat_errno = ENOENT;
  if (!below_dry_missing()) {
    if (!TRY(parent_known(*segment, entry))) {
      if (entry.mode == 0 && o.delete_missing_args) {
        terms_.reporter.error_line(fmt::format("WARNING: parent dir is absent in the file list: {}", spot.dir_path), false);
      } else {
        return fail(Fault::kProtocol, fmt::format("ABORTING due to invalid path from sender: {}", entry.path()));
      }
    }
    auto dir = destination_.dir(spot.dir_path);
    if (!dir && o.relative && !o.implied_dirs && entry.mode != 0 && !o.dry_run) {
      // Parents that were not sent are made with the usual permissions.
      std::shared_ptr<const io::Dir> above = destination_.root();
      for (size_t at = 0; above && at < spot.dir_path.size();) {
        const size_t end = std::min(spot.dir_path.find('/', at), spot.dir_path.size());
        const std::string part = spot.dir_path.substr(at, end - at);
        const auto leaf = io::Leaf::check(part);
        if (!leaf) break;
        (void)above->make_dir(*leaf, 0777);
        auto next = destination_.dir(spot.dir_path.substr(0, end));
        above = next ? *next : nullptr;
        at = end + 1;
      }
      dir = destination_.dir(spot.dir_path);
    }
    if (dir) {
      spot.dir = *dir;
      Result<io::FileInfo> info = fail(Error(ENOENT));
      if (entry.is_root() && !destination_.solo()) {
        info = spot.dir->self();
      } else {
        spot.leaf_text = destination_.leaf_of(entry);
        spot.leaf = TRY(io::Leaf::check(spot.leaf_text));
        const bool nothing_here = has_fresh_dir_ && attempt == Attempt::kFirst && !entry.is_dir() && spot.dir_path == fresh_dir_;
        if (!nothing_here) info = spot.dir->info(*spot.leaf);
        if (info && info->is_symlink() && entry.is_dir() && o.keep_dirlinks) {
          const auto there = spot.dir->info_following(*spot.leaf);
          if (there && there->is_dir()) info = *there;
        }
      }
      if (info && o.fake_super) info = seen(spot.leaf ? Object::named(*spot.dir, *spot.leaf) : Object::itself(*spot.dir), *info, terms_, destination_.shown(spot.path));
      if (info) spot.here = *info;
      else if (info.error().fault == Fault::kFileIo) return fail(info.error());
      else stat_errno = info.error().sys;
    } else {
      stat_errno = dir.error().sys;
      spot.leaf_text = destination_.leaf_of(entry);
      if (const auto leaf = io::Leaf::check(spot.leaf_text)) spot.leaf = *leaf;
    }
  } else {
    spot.leaf_text = destination_.leaf_of(entry);
  }

  if (entry.mode == 0) {
    if (spot.here && !remover_.protects(spot.path, spot.here->is_dir())) {
      remover_.delete_item(spot.path, *spot.dir, *spot.leaf, *spot.here);
      touched(spot.dir_path);
    }
    return {};
  }

  if (!o.perms && spot.dir && (!default_perms_known_ || default_perms_dir_ != spot.dir_path)) {
    default_perms_ = default_perms_in(*spot.dir, terms_);
    default_perms_dir_ = spot.dir_path;
    default_perms_known_ = true;
  }
  struct NoProbe final : Probe {
    std::optional<std::string> link_target() override { return std::nullopt; }
    Digest content_digest() override { return {}; }
  } no_probe;
  std::optional<DiskProbe> disk_probe;
  if (spot.dir && spot.leaf) disk_probe.emplace(*spot.dir, *spot.leaf, terms_);
  Probe& probe = disk_probe ? static_cast<Probe&>(*disk_probe) : no_probe;
  const Decision decision = decide(entry, entry.path(), spot.here, probe, terms_, attempt);

  if (decision.act == Act::kSkip && (decision.why == Why::kNotExisting || decision.why == Why::kExists)) {
    if (entry.is_dir()) {
      if (!own_turn) return {};
      if (decision.why == Why::kNotExisting) {
        skip_below_ = spot.path;
        entry.set(kMissingDir);
      }
    }
    if (entry.has(kLinked)) skipped_member(spot);
    say_skip(spot, decision);
    return {};
  }
  if (entry.is_dir()) return handle_dir(spot, own_turn);

  if (!o.perms) {
    const bool exists = spot.here && !spot.here->is_dir();
    spot.mode = dest_mode(entry.mode, exists ? std::optional<uint32_t>(spot.here->mode) : std::nullopt, {.executability = o.executability}, default_perms_);
  }
  const bool must_lead = attempt == Attempt::kRedo;
  if (entry.has(kLinked) && !must_lead) {
    if (TRY(link_check(spot))) return {};
  }
  switch (decision.act) {
    case Act::kSkip:
      if (entry.has(kLinked)) skipped_member(spot);
      say_skip(spot, decision);
      return {};
    case Act::kKeep:
      if (!entry.is_regular()) return keep(spot);
      return handle_file(spot, decision, attempt, must_lead);
    case Act::kMakeLink: return handle_link(spot, decision);
    case Act::kMakeNode: return handle_node(spot, decision);
    case Act::kTransfer:
      if (!spot.here && stat_errno != ENOENT && stat_errno != ENOTDIR) {
        terms_.reporter.error_transfer(Role::kGenerator, fmt::format("recv_generator: failed to stat {}", destination_.shown(spot.path)), stat_errno);
        return {};
      }
      return handle_file(spot, decision, attempt, must_lead);
    default: return {};
  }
}

void Generator::say_skip(Spot& spot, const Decision& decision) {
  const std::string name = destination_.solo() ? spot.entry->path() : spot.path;
  Reporter& reporter = terms_.reporter;
  switch (decision.why) {
    case Why::kNotExisting:
      reporter.info_line_if(Info::kSkip, 1, fmt::format("not creating new {} \"{}\"", spot.entry->is_dir() ? "directory" : "file", name));
      break;
    case Why::kExists: {
      std::string_view how;
      if (terms_.options.verbosity.shows(Info::kSkip, 2) && spot.dir && spot.leaf) {
        DiskProbe probe(*spot.dir, *spot.leaf, terms_);
        if (kind_of(spot.here->mode) != kind_of(spot.entry->mode)) how = " (type change)";
        else if (!quick_check(*spot.entry, *spot.here, probe, terms_, Attempt::kFirst)) how = terms_.options.checksum ? " (sum change)" : " (file change)";
        else if (!attributes_match(*spot.entry, spot.mode, *spot.here, terms_)) how = " (attr change)";
        else if (const Object object = Object::named(*spot.dir, *spot.leaf);
                 meta_report(*spot.entry, &object, &*spot.here, terms_, false, false) != 0)
          how = " (attr change)";
        else how = " (uptodate)";
      }
      reporter.info_line_if(Info::kSkip, 1, fmt::format("{} exists{}", name, how));
      break;
    }
    case Why::kUnsafeLink:
      reporter.info_line_if(Info::kName, 1, fmt::format("ignoring unsafe symlink \"{}\" -> \"{}\"", name, spot.entry->target()));
      break;
    case Why::kNonRegular: reporter.info_line_if(Info::kNonreg, 1, fmt::format("skipping non-regular file \"{}\"", name)); break;
    case Why::kTooLarge: reporter.info_line_if(Info::kSkip, 1, fmt::format("{} is over max-size", name)); break;
    case Why::kTooSmall: reporter.info_line_if(Info::kSkip, 1, fmt::format("{} is under min-size", name)); break;
    case Why::kNewerHere: reporter.info_line_if(Info::kSkip, 1, fmt::format("{} is newer", name)); break;
    default: break;
  }
}

bool Generator::tells_uptodate() const {
  const Options& o = terms_.options;
  if (!o.verbosity.shows(Info::kName, 2)) return false;
  if (terms_.am_server && !terms_.agreed.item_flags) return true;
  return !terms_.itemizes();
}

void Generator::say_uptodate(const Spot& spot, bool updated, std::string_view mark) const {
  if (tells_uptodate()) terms_.reporter.client_text(fmt::format("{}{}{}\n", spot.path, mark, updated ? "" : " is uptodate"));
}

// Right as it is: only attributes may need work.
Status Generator::keep(Spot& spot) {
  const Options& o = terms_.options;
  const uint32_t meta = meta_flags(spot, spot.here, nullptr, false);
  std::optional<io::FileInfo> compared = spot.here;
  const bool updated = o.dry_run ? (meta & proto::kReportAcl) != 0 || !attributes_match(*spot.entry, spot.mode, *spot.here, terms_) : apply(spot, spot.here, false);
  say_uptodate(spot, updated);
  // Setting an ACL has set permissions as well; they are reported only if they still differed then.
  if ((meta & proto::kReportAcl) && !o.dry_run && !o.fake_super) compared->mode = (compared->mode & ~0777u) | (spot.mode & 0777);
  TRY(report(spot, compared, 0, {}, meta));
  if (spot.entry->has(kLinked)) TRY(finish_group(spot));
  return success(spot);
}

// --- directories ------------------------------------------------------------------------------------------------------

Status Generator::handle_dir(Spot& spot, bool own_turn) {
  const Options& o = terms_.options;
  Entry& entry = *spot.entry;
  if (!o.implied_dirs && entry.has(kImpliedDir)) return {};
  const bool is_dir_here = spot.here && spot.here->is_dir();
  if (!own_turn) {
    // Its own turn comes with its list. Making it now, while its parent is being worked on, keeps the parent's time right.
    if (!o.times || o.omit_dir_times || is_dir_here) return {};
    DirNode* node = spot.segment->dirs[entry.dir_index - static_cast<uint32_t>(spot.segment->first_dir)];
    if (spot.here && !remover_.make_way(spot.path, *spot.dir, *spot.leaf, *spot.here, Remover::Way::kDir)) return {};
    if (o.dry_run) {
      node->entry.set(kDirCreated);
      return {};
    }
    if (spot.dir && spot.leaf && spot.dir->make_dir(*spot.leaf, entry.mode & 0700)) {
      node->entry.set(kDirCreated);
      touched(spot.dir_path);
    }
    return {};
  }
  const auto skip_contents = [&] {
    terms_.reporter.error_line("*** Skipping any contents from this failed directory ***", false);
    skip_below_ = spot.path;
    entry.set(kMissingDir);
  };
  if (spot.here && !is_dir_here) {
    if (!remover_.make_way(spot.path, *spot.dir, *spot.leaf, *spot.here, Remover::Way::kDir)) {
      skip_contents();
      return {};
    }
    spot.here.reset();
  }
  if (o.dry_run && !spot.here) {
    if (dry_missing_.empty()) dry_missing_ = spot.path;
    entry.set(kMissingDir);
  }
  const bool created_before = entry.has(kDirCreated) || (entry.is_root() && destination_.created() && (terms_.agreed.component_order || spot.segment->sorted(0).is_root()));
  // Only while one of a kind comes: with backups, names that a file system takes for one must be noticed.
  has_fresh_dir_ = !o.dry_run && !o.backup && !entry.is_root() && (created_before || !spot.here);
  if (has_fresh_dir_) fresh_dir_ = spot.path;
  const std::optional<io::FileInfo> compared = created_before ? std::nullopt : spot.here;
  if (!o.perms)
    spot.mode = dest_mode(entry.mode, compared ? std::optional<uint32_t>(compared->mode) : std::nullopt, {.executability = o.executability}, default_perms_);
  std::optional<io::FileInfo> shown_against = compared;
  BasisDirs::Match match;
  std::string like_name;
  std::optional<Object> like;  // a directory of an alternate tree that this one takes after
  if (!compared && !basis_.empty()) {
    match = basis_.find(entry, spot.mode, spot.path, terms_);
    if (match.level > 0) {
      shown_against = match.info;
      like_name = leaf_of_path(spot.path);
      like = Object::itself(*match.dir);
      if (like_name != ".") like->leaf = TRY(io::Leaf::check(like_name));
    }
    if (match.level == 3) {
      if (terms_.itemizes() && terms_.reporter.shows_unchanged())
        TRY(report(spot, match.info, proto::kLocalChange | proto::kMatched));
      say_uptodate(spot, false, "/");
      spot.quiet = true;
    }
  }
  // The answer to an item with attributes is applied as soon as it is back: the directory must be there by then.
  const bool report_late = o.xattrs > 0 && !o.dry_run;
  const auto tell = [&]() -> Status {
    const uint32_t meta = meta_flags(spot, shown_against, like ? &*like : nullptr, false);
    TRY(report(spot, shown_against, compared ? 0u : uint32_t{proto::kLocalChange}, {}, meta));
    spot.quiet = false;
    return {};
  };
  if (!report_late) TRY(tell());
  if (!spot.here && !o.dry_run) {
    // With --fake-super we must be able to work in it, whatever it stands for.
    const uint32_t made_mode = o.fake_super ? (spot.mode | S_IRWXU) & 0777 : spot.mode & 07777;
    Status made = spot.dir && spot.leaf ? spot.dir->make_dir(*spot.leaf, made_mode) : fail(Error(ENOENT));
    if (!made && made.error().sys != EEXIST) {
      terms_.reporter.error_transfer(Role::kGenerator, fmt::format("recv_generator: mkdir {} failed", destination_.shown(spot.path)), made.error().sys);
      skip_contents();
      return {};
    }
    if (!made) has_fresh_dir_ = false;  // somebody else was faster
    touched(spot.dir_path);
    destination_.forget(spot.path);
  }
  if (like && spot.dir && spot.leaf && !o.dry_run)
    copy_meta(*like, Object::named(*spot.dir, *spot.leaf), spot.mode, terms_, Role::kGenerator, destination_.shown(spot.path));
  if (report_late) TRY(tell());
  if (o.dry_run) {
    if (names_itself() && (!compared || !attributes_match(entry, spot.mode, *compared, terms_)))
      terms_.reporter.info_line_if(Info::kName, 1, spot.path + "/");
    if (!spot.here) return {};
  } else {
    apply(spot, spot.here, !spot.here || created_before);
    if (names_itself() && !compared) terms_.reporter.info_line_if(Info::kName, 1, spot.path + "/");
    // Files must be able to arrive; the mode is restored when its content is settled.
    if (!terms_.may_chown && (spot.mode & S_IRWXU) != S_IRWXU) {
      const uint32_t open_mode = (spot.mode | S_IRWXU) & 07777;
      const Status lent = spot.leaf ? spot.dir->set_mode(*spot.leaf, open_mode) : spot.dir->set_self_mode(open_mode);
      if (!lent)
        terms_.reporter.error_transfer(Role::kGenerator, fmt::format("failed to modify permissions on {}", destination_.shown(spot.path)), lent.error().sys);
      retouch_perms_ = true;
      destination_.forget(spot.path);
    }
  }
  if (!o.perms) entry.mode = static_cast<uint16_t>(spot.mode);
  if (terms_.agreed.incremental || working_phase_ > 0) return {};
  if ((terms_.delete_mode == DeleteMode::kDuring || terms_.delete_mode == DeleteMode::kDelay) && !entry.has(kMissingDir) &&
      entry.has(kContentDir)) {
    TRY(remover_.delete_in(spot.path, *spot.segment, entry.has(kTopDir)));
    touched(spot.path == "." ? std::string_view() : std::string_view(spot.path));
  }
  return {};
}

// --- links, devices ---------------------------------------------------------------------------------------------------

// For what was just created: extended attributes count as they were before, ACLs as they are afterwards.
Status Generator::apply_and_report(Spot& spot, const std::optional<io::FileInfo>& compared) {
  const uint32_t before = meta_flags(spot, compared, nullptr, false);
  apply(spot, std::nullopt, true);
  uint32_t meta = before & proto::kReportXattr;
  if (before & proto::kReportAcl) meta |= meta_flags(spot, compared, nullptr, false) & proto::kReportAcl;
  return report(spot, compared, proto::kLocalChange | proto::kReportChange, {}, meta);
}

template <class Make>
bool Generator::create_atomically(Spot& spot, bool replaces, Make make, const char* what) {
  if (terms_.options.dry_run) return true;
  if (!spot.dir || !spot.leaf) {
    terms_.reporter.error_transfer(Role::kGenerator, fmt::format("{} {} failed", what, destination_.shown(spot.path)), ENOENT);
    return false;
  }
  touched(spot.dir_path);
  if (replaces && terms_.options.backup) {
    const auto made = backups_.make(spot.path, *spot.dir, *spot.leaf, false);
    if (!made) {
      terms_.reporter.error_transfer(Role::kGenerator, fmt::format("make_backup {} failed", destination_.shown(spot.path)), made.error().sys);
      return false;
    }
    replaces = false;
  }
  if (!replaces) {
    if (const Status made = make(*spot.leaf); made) return true;
    else if (made.error().sys != EEXIST) {
      terms_.reporter.error_transfer(Role::kGenerator, fmt::format("{} {} failed", what, destination_.shown(spot.path)), made.error().sys);
      return false;
    }
  }
  for (int tries = 0; tries < 100; ++tries) {
    const std::string hidden = io::temp_name(spot.leaf_text);
    const auto leaf = io::Leaf::check(hidden);
    if (!leaf) return false;
    if (const Status made = make(*leaf); !made) {
      if (made.error().sys == EEXIST) continue;
      terms_.reporter.error_transfer(Role::kGenerator, fmt::format("{} {} failed", what, destination_.shown(spot.path)), made.error().sys);
      return false;
    }
    if (const Status moved = spot.dir->rename(*leaf, *spot.dir, *spot.leaf); !moved) {
      terms_.reporter.error_transfer(Role::kGenerator, fmt::format("rename {} -> \"{}\" failed", destination_.shown(join_path(spot.dir_path, hidden)), spot.path), moved.error().sys);
      (void)spot.dir->unlink(*leaf);
      return false;
    }
    // Renaming one name of an inode onto another does nothing and leaves both.
    (void)spot.dir->unlink(*leaf);
    return true;
  }
  return false;
}

// Alternate basis for links and devices: an exact match is linked or left out. True through `done` if nothing is left.
bool Generator::try_basis_for_other(Spot& spot, uint32_t, bool& done) {
  done = false;
  if (spot.here || basis_.empty()) return false;
  const BasisDirs::Match match = basis_.find(*spot.entry, spot.mode, spot.path, terms_);
  if (match.level < 2) return false;
  const BasisDirKind kind = terms_.options.basis_kind;
  if (match.level == 3) {
    bool linked = kind == BasisDirKind::kLink;
    if (linked && !terms_.options.dry_run) {
      const std::string name(leaf_of_path(spot.path));
      const auto from = io::Leaf::check(name);
      linked = from && spot.dir && match.dir->hard_link(*from, *spot.dir, *spot.leaf);
      if (linked) touched(spot.dir_path);
    }
    // Whatever happens now (a file system may refuse such links), this is all that is said about it.
    if (terms_.itemizes() && terms_.reporter.shows_unchanged()) {
      const uint32_t change = kind == BasisDirKind::kCompare ? 0u : linked ? uint32_t{proto::kLocalChange | proto::kXnameFollows} : uint32_t{proto::kLocalChange};
      (void)report(spot, match.info, change | proto::kMatched, "");
    }
    say_uptodate(spot);
    done = linked || kind == BasisDirKind::kCompare;
    if (done) return true;
    spot.quiet = true;
  }
  spot.here = match.info;  // compared with, not replaced
  return true;
}

Status Generator::handle_link(Spot& spot, const Decision& decision) {
  const std::optional<io::FileInfo> really_here = spot.here;
  bool done = false;
  try_basis_for_other(spot, 0, done);
  if (done) {
    if (spot.entry->has(kLinked) && terms_.options.basis_kind == BasisDirKind::kLink) TRY(finish_group(spot));
    return {};
  }
  if (decision.clear_the_way && really_here->is_dir() &&
      !remover_.make_way(spot.path, *spot.dir, *spot.leaf, *really_here, Remover::Way::kSymlink))
    return {};
  std::string target(spot.entry->target());
  if (terms_.options.munge_links) target.insert(0, "/rsyncd-munged/");
  const bool replaces = really_here && !really_here->is_dir();
  const auto make = [&](io::Leaf leaf) {
    return terms_.options.fake_super ? make_fake_link(*spot.dir, leaf, target) : spot.dir->make_symlink(target, leaf);
  };
  if (!create_atomically(spot, replaces, make, "symlink")) return {};
  const std::optional<io::FileInfo> compared = decision.clear_the_way ? std::nullopt : spot.here;
  TRY(apply_and_report(spot, compared));
  if (names_itself()) terms_.reporter.info_line_if(Info::kName, 1, fmt::format("{} -> {}", spot.path, spot.entry->target()));
  if (spot.entry->has(kLinked)) TRY(finish_group(spot));
  const Options& o = terms_.options;
  if ((o.remove_source_files || o.remove_sent_files) && !o.dry_run) return transfers_.success(spot.ndx, *spot.entry);
  return {};
}

Status Generator::handle_node(Spot& spot, const Decision& decision) {
  const std::optional<io::FileInfo> really_here = spot.here;
  bool done = false;
  try_basis_for_other(spot, 0, done);
  if (done) {
    if (spot.entry->has(kLinked) && terms_.options.basis_kind == BasisDirKind::kLink) TRY(finish_group(spot));
    return {};
  }
  const bool device = spot.entry->is_device();
  if (decision.clear_the_way && really_here->is_dir() &&
      !remover_.make_way(spot.path, *spot.dir, *spot.leaf, *really_here, device ? Remover::Way::kDevice : Remover::Way::kSpecial))
    return {};
  const uint64_t rdev = device && spot.entry->extras ? gnu_dev_makedev(spot.entry->extras->rdev_major, spot.entry->extras->rdev_minor) : 0;
  const bool replaces = really_here && !really_here->is_dir();
  const auto make = [&](io::Leaf leaf) {
    return terms_.options.fake_super ? make_fake_node(*spot.dir, leaf) : spot.dir->make_node(leaf, spot.mode, rdev);
  };
  if (!create_atomically(spot, replaces, make, "mknod")) return {};
  const std::optional<io::FileInfo> compared = decision.clear_the_way ? std::nullopt : spot.here;
  TRY(apply_and_report(spot, compared));
  if (names_itself()) terms_.reporter.info_line_if(Info::kName, 1, spot.path);
  if (spot.entry->has(kLinked)) TRY(finish_group(spot));
  return success(spot);
}

// --- regular files ------------------------------------------------------------------------------------------------------

bool Generator::copy_basis(Spot& spot, const BasisDirs::Match& match) {
  if (terms_.options.dry_run) return true;
  Request request;
  request.entry = spot.entry;
  request.path = spot.path;
  request.dir = spot.dir;
  request.leaf = spot.leaf_text;
  request.mode = spot.mode;
  if (spot.here && spot.here->is_regular()) request.here = spot.here;
  const std::string name(leaf_of_path(spot.path));
  const auto from = io::Leaf::check(name);
  if (!from || !spot.dir) return false;
  const auto source = match.dir->open_read(*from);
  if (!source) return false;
  auto output = placer_.open(request);
  if (!output) return false;
  const auto copied = io::copy_content(*source, output->file(), match.info.size, {.sparse = terms_.options.sparse}, terms_.stop);
  if (!copied) {
    terms_.reporter.error_transfer(Role::kGenerator, fmt::format("copy_file {} => {}", match.path, spot.path), copied.error().sys);
    return false;
  }
  copy_meta(Object::named(*match.dir, *from), Object::opened(output->file()), match.info.mode, terms_, Role::kGenerator, destination_.shown(spot.path));
  touched(spot.dir_path);
  return placer_.finish(std::move(*output), request, true) != Placed::kFailed;
}

// True if an alternate tree has all of it; otherwise `basis` may have become a file of such a tree.
Result<bool> Generator::try_basis_for_file(Spot& spot, Basis& basis) {
  const BasisDirKind kind = terms_.options.basis_kind;
  if (basis_.empty() || (spot.here && kind == BasisDirKind::kCopy)) return false;
  const BasisDirs::Match match = basis_.find(*spot.entry, spot.mode, spot.path, terms_);
  const bool existed = spot.here.has_value();
  if (match.level == 0 || (existed && match.level < 3)) return false;
  const std::string name(leaf_of_path(spot.path));
  const auto from = io::Leaf::check(name);
  if (!from) return false;
  const bool linked_entry = spot.entry->has(kLinked);
  if (match.level == 3 && kind != BasisDirKind::kCopy) {
    if (existed) {
      if (kind == BasisDirKind::kLink && spot.here->dev == match.info.dev && spot.here->ino == match.info.ino) return false;
      if (!terms_.options.dry_run) {
        const Status gone = spot.dir->unlink(*spot.leaf);
        if (!gone && gone.error().sys != ENOENT) return false;
        touched(spot.dir_path);
      }
      spot.here.reset();
    }
    bool linked = true;
    if (kind == BasisDirKind::kLink && !terms_.options.dry_run) {
      linked = spot.dir && match.dir->hard_link(*from, *spot.dir, *spot.leaf).has_value();
      touched(spot.dir_path);
    }
    if (linked) {
      if (kind == BasisDirKind::kLink) {
        if (linked_entry) TRY(finish_group(spot, match.index));
        if (terms_.itemizes() && terms_.reporter.shows_unchanged())
          TRY(report(spot, match.info, proto::kLocalChange | proto::kXnameFollows, ""));
      } else {
        TRY(report(spot, match.info, 0));
      }
      say_uptodate(spot);
      TRY(success(spot));
      return true;
    }
  }
  if (match.level >= 2) {
    if (!copy_basis(spot, match)) return false;
    const Object origin = Object::named(*match.dir, *from);
    TRY(report(spot, match.info, proto::kLocalChange, {}, meta_flags(spot, match.info, &origin, false)));
    if (match.level == 3) say_uptodate(spot);
    if (linked_entry) TRY(finish_group(spot));
    TRY(success(spot));
    return true;
  }
  basis.type = static_cast<uint8_t>(match.index);
  basis.dir = match.dir;
  basis.leaf = name;
  basis.path = match.path;
  basis.bytes = match.info.size;
  return false;
}

Status Generator::handle_file(Spot& spot, const Decision& decision, Attempt attempt, bool must_lead) {
  const Options& o = terms_.options;
  Entry& entry = *spot.entry;
  std::optional<io::FileInfo> compared = spot.here;
  if (decision.clear_the_way) {
    if (!remover_.make_way(spot.path, *spot.dir, *spot.leaf, *spot.here, Remover::Way::kFile)) return {};
    touched(spot.dir_path);
    spot.here.reset();
    compared.reset();
    if (!o.perms) spot.mode = dest_mode(entry.mode, std::nullopt, {.executability = o.executability}, default_perms_);
  }
  if (o.write_devices && spot.here && spot.here->is_device() && spot.here->size == 0) {
    if (const auto device = spot.dir->open_read(*spot.leaf))
      if (const auto bytes = device->device_bytes()) spot.here->size = compared->size = *bytes;
  }
  Request request;
  Basis& basis = request.basis;
  if (attempt == Attempt::kFirst) {
    if (TRY(try_basis_for_file(spot, basis))) return {};
    if (basis && !spot.here) {
      if (const auto leaf = io::Leaf::check(basis.leaf))
        if (const auto info = basis.dir->info(*leaf)) compared = *info;
    }
  }
  std::optional<Placer::Partial> partial;
  if (!o.partial_dir.empty() && !destination_.missing()) {
    partial = placer_.partial_place(spot.path, false);
    if (partial) {
      const auto leaf = io::Leaf::check(partial->leaf);
      const auto info = leaf ? partial->dir->info(*leaf) : Result<io::FileInfo>(fail(Error(ENOENT)));
      if (info && info->is_regular()) {
        // What an earlier run left is the best basis there is.
        if (decision.act != Act::kKeep) {
          basis.type = proto::kBasisPartialDir;
          basis.dir = partial->dir;
          basis.leaf = partial->leaf;
          basis.path = partial->path;
          basis.bytes = info->size;
        }
      } else {
        partial.reset();
      }
    }
  }
  if (decision.act == Act::kKeep && spot.here) {
    if (partial && !o.dry_run) {
      if (const auto leaf = io::Leaf::check(partial->leaf)) (void)partial->dir->unlink(*leaf);
      placer_.drop_partial_dir(spot.path);
    }
    return keep(spot);
  }
  if (!spot.here && !basis && o.fuzzy > 0 && spot.dir && attempt == Attempt::kFirst) {
    if (auto similar = fuzzy_.find(entry, spot.dir_path, spot.dir)) {
      basis = std::move(*similar);
      terms_.reporter.debug_line_if(Debug::kFuzzy, 1, fmt::format("fuzzy basis selected for {}: {}", spot.path, basis.path));
      request.item.xname = basis.leaf;
    }
  }
  if (!spot.here && !basis && entry.has(kLinked) && !entry.has(kLinkLast) && !must_lead) {
    // Another member may be here already, or be a better one to ask for.
    links_.wait(links_.group_of(entry), {spot.ndx, spot.segment, &entry});
    return {};
  }
  if (!basis && spot.here) {
    basis.dir = spot.dir;
    basis.leaf = spot.leaf_text;
    basis.path = spot.path;
    basis.bytes = spot.here->size;
  }
  request.redo = attempt == Attempt::kRedo;
  request.whole = terms_.whole_file || !basis;
  if (basis && o.inplace && o.backup && basis.type == proto::kBasisTarget && !o.dry_run && !request.redo) {
    // Before content is written over, the old version is copied away; it is also what the sums describe.
    const auto place = backups_.place_for(spot.path);
    const auto old = spot.dir->open_read(*spot.leaf);
    const auto to = place ? io::Leaf::check(place->leaf) : Result<io::Leaf>(fail(Error(EINVAL)));
    bool kept = false;
    if (place && old && to) {
      (void)place->dir->unlink(*to);
      if (const auto copy = place->dir->create(*to, 0600)) {
        if (io::copy_content(*old, *copy, spot.here->size, {}, terms_.stop)) {
          (void)copy->set_owner(spot.here->uid, spot.here->gid);
          copy_meta(Object::opened(*old), Object::opened(*copy), spot.here->mode, terms_, Role::kGenerator, destination_.shown(spot.path));
          (void)copy->set_mode(spot.here->permissions());
          (void)copy->set_times(spot.here->atime, spot.here->mtime);
          kept = true;
        }
      }
    }
    if (!kept) {
      terms_.reporter.error_transfer(Role::kGenerator, fmt::format("cannot back up {}", destination_.shown(spot.path)), 0);
      return {};
    }
    terms_.reporter.info_line_if(Info::kBackup, 1, fmt::format("backed up {} to {}", spot.path, place->path));
    if (!request.whole) {
      basis.type = proto::kBasisBackup;
      basis.dir = place->dir;
      basis.leaf = place->leaf;
      basis.path = place->path;
    }
  }

  uint32_t flags = proto::kTransfer;
  if (o.checksum) flags |= proto::kReportChange;
  if (basis && basis.type != proto::kBasisTarget) flags |= proto::kBasisTypeFollows;
  if (basis && basis.type >= proto::kBasisFuzzy && basis.type != proto::kBasisTarget) flags |= proto::kXnameFollows;
  {
    std::optional<Object> origin;
    const auto leaf = basis && !spot.here ? io::Leaf::check(basis.leaf) : Result<io::Leaf>(fail(Error(ENOENT)));
    if (leaf) origin = Object::named(*basis.dir, *leaf);
    flags |= meta_flags(spot, compared, origin ? &*origin : nullptr, true);
  }
  request.item.flags = report_flags(entry, spot.mode, compared, flags, false, terms_) | flags;
  request.item.basis = basis ? basis.type : proto::kBasisTarget;
  request.ndx = spot.ndx;
  request.segment = spot.segment;
  request.entry = &entry;
  request.path = spot.path;
  request.dir = spot.dir;
  request.leaf = spot.leaf_text;
  request.mode = spot.mode;
  request.here = spot.here;
  fuzzy_.used(spot.leaf_text);
  if (entry.has(kLinked)) links_.group_of(entry).state = HardLinks::State::kBusy;
  if (!o.dry_run) {
    if (!spot.dir) {
      terms_.reporter.error_transfer(Role::kGenerator, fmt::format("recv_generator: failed to stat {}", destination_.shown(spot.path)), ENOENT);
      return {};
    }
    ++spot.segment->in_progress;
    touched(spot.dir_path);
  }
  TRY(transfers_.request(std::move(request)));
  if (o.dry_run && entry.has(kLinked)) TRY(finish_group(spot));
  return {};
}

// --- hard links -------------------------------------------------------------------------------------------------------

// Creates `spot` as another name of `leader` (a path below the root) and reports it. False: it failed (reported).
Result<bool> Generator::link_to(Spot& spot, const HardLinks::Group& group) {
  const std::string& leader = group.leader_path;
  const auto leader_dir = destination_.dir(dir_of_path(leader));
  const std::string leader_name(leaf_of_path(leader));
  const auto leader_leaf = TRY(io::Leaf::check(leader_name));
  std::optional<io::FileInfo> old;
  if (leader_dir)
    if (const auto info = (*leader_dir)->info(leader_leaf)) old = *info;
  if (terms_.options.dry_run && group.basis_dir >= 0)
    if (const auto there = basis_.dir(group.basis_dir, dir_of_path(leader)))
      if (const auto info = there->info(leader_leaf)) old = *info;
  if (!old && !terms_.options.dry_run) {
    terms_.reporter.error_transfer(Role::kGenerator, fmt::format("stat {} failed", destination_.shown(leader)), ENOENT);
    return false;
  }
  if (spot.here && old && spot.here->dev == old->dev && spot.here->ino == old->ino) {
    TRY(report(spot, spot.here, proto::kLocalChange | proto::kXnameFollows, ""));
    say_uptodate(spot);
    return true;
  }
  std::optional<io::FileInfo> compared = spot.here;
  if (!spot.here && !basis_.empty()) {
    if (terms_.options.basis_kind == BasisDirKind::kLink) {
      // Two names that an alternate tree links as well are no change worth a line.
      for (int i = 0; i < basis_.count() && !compared && old; ++i) {
        const auto there = basis_.dir(i, dir_of_path(spot.path));
        const auto info = there ? there->info(TRY(io::Leaf::check(spot.leaf_text))) : Result<io::FileInfo>(fail(Error(ENOENT)));
        if (!info || info->dev != old->dev || info->ino != old->ino) continue;
        compared = *info;
        if (terms_.itemizes() && terms_.reporter.shows_unchanged()) continue;
        spot.quiet = true;
        say_uptodate(spot);
      }
    } else if (spot.entry->is_regular()) {
      const BasisDirs::Match match = basis_.find(*spot.entry, spot.mode, spot.path, terms_);
      if (match.level >= 2) compared = match.info;
    }
  }
  if (spot.here && spot.here->is_dir() && !remover_.make_way(spot.path, *spot.dir, *spot.leaf, *spot.here, Remover::Way::kFile)) return false;
  const bool replaces = spot.here && !spot.here->is_dir();
  if (!create_atomically(spot, replaces, [&](io::Leaf leaf) { return (*leader_dir)->hard_link(leader_leaf, *spot.dir, leaf); }, "link")) return false;
  TRY(report(spot, compared, proto::kLocalChange | proto::kXnameFollows, leader));
  if (names_itself() && !spot.quiet) terms_.reporter.info_line_if(Info::kName, 1, fmt::format("{} => {}", spot.path, leader));
  return true;
}

// True if the entry's group settles it: it was linked, or waits for the member under way.
Result<bool> Generator::link_check(Spot& spot) {
  HardLinks::Group& group = links_.group_of(*spot.entry);
  if (group.state == HardLinks::State::kBusy) {
    links_.wait(group, {spot.ndx, spot.segment, spot.entry});
    return true;
  }
  if (group.state != HardLinks::State::kDone) return false;
  if (TRY(link_to(spot, group))) TRY(success(spot));
  return true;
}

Status Generator::finish_group(Spot& spot, int basis_dir) { return finish_group_of(*spot.entry, spot.path, basis_dir); }

Status Generator::finish_group_of(Entry& entry, const std::string& path, int basis_dir) {
  HardLinks::Group& group = links_.group_of(entry);
  if (group.state == HardLinks::State::kDone) return {};
  group.state = HardLinks::State::kDone;
  group.leader_path = path;
  group.basis_dir = basis_dir;
  for (HardLinks::Member& member : links_.take_waiting(group)) {
    Spot spot;
    spot.segment = member.segment;
    spot.entry = member.entry;
    spot.ndx = member.ndx;
    spot.path = destination_.path_of(*member.entry);
    spot.dir_path = destination_.dir_of(*member.entry);
    spot.leaf_text = destination_.leaf_of(*member.entry);
    spot.mode = member.entry->mode;
    if (const auto dir = destination_.dir(spot.dir_path)) spot.dir = *dir;
    spot.leaf = TRY(io::Leaf::check(spot.leaf_text));
    if (spot.dir)
      if (const auto info = spot.dir->info(*spot.leaf)) spot.here = *info;
    --member.segment->in_progress;
    if (TRY(link_to(spot, group))) TRY(success(spot));
  }
  return {};
}

// The leader will not come: the next waiting member is asked for instead.
Status Generator::promote_waiting(Entry& entry) {
  HardLinks::Group& group = links_.group_of(entry);
  if (group.state == HardLinks::State::kDone) return {};
  group.state = HardLinks::State::kOpen;
  if (group.waiting.empty()) return {};
  const HardLinks::Member next = group.waiting.back();
  group.waiting.pop_back();
  --next.segment->in_progress;
  next.entry->set(kLinkLast);
  return handle(next.segment, *next.entry, next.ndx, true, Attempt::kFirst);
}

// A member that is left out: if it was the last, those that waited for it need another leader.
void Generator::skipped_member(Spot& spot) {
  if (!spot.entry->has(kLinkLast)) return;
  HardLinks::Group& group = links_.group_of(*spot.entry);
  if (group.state == HardLinks::State::kOpen && !group.waiting.empty()) redo_.push_back(-1 - group.waiting.back().ndx);
}

// --- events and phases --------------------------------------------------------------------------------------------------

Segment* Generator::segment_of(int32_t ndx, std::shared_ptr<Segment>& keep) const {
  for (const auto& segment : segments_)
    if (segment->holds(ndx)) {
      keep = segment;
      return segment.get();
    }
  return nullptr;
}

Status Generator::on_event(Event event) {
  std::shared_ptr<Segment> segment;
  switch (event.what) {
    case Event::What::kSegment:
      entries_ += event.segment->count();
      if (terms_.options.hard_links > 0) links_.arrived(event.segment);
      upcoming_.push_back(std::move(event.segment));
      return {};
    case Event::What::kListEof: list_complete_ = true; return {};
    case Event::What::kPhase: ++phases_seen_; return {};
    case Event::What::kClosed:
      if (event.error.text.empty() && event.error.sys == 0 && event.error.fault == Fault::kSystem) closed_normally_ = true;
      else closed_ = std::move(event.error);
      return {};
    default: break;
  }
  if (!segment_of(event.ndx, segment))
    return fail(Fault::kProtocol, fmt::format("File-list index {} is not in a live list", event.ndx));
  Entry& entry = segment->by_ndx(event.ndx);
  --segment->in_progress;
  if (event.what == Event::What::kDone) {
    if (entry.has(kLinked)) return finish_group_of(entry, destination_.path_of(entry), -1);
    return {};
  }
  if (event.what == Event::What::kRedo) {
    ++segment->to_redo;
    redo_.push_back(event.ndx);
    return {};
  }
  if (entry.has(kLinked)) return promote_waiting(entry);
  return {};
}

// Waits for one event.
Status Generator::take_one_event() {
  if (auto event = events_.try_pop()) return on_event(std::move(*event));
  TRY(transfers_.flush());
  while (!closed_ && !closed_normally_) {
    auto event = events_.pop_for(std::chrono::milliseconds(500));
    TRY(terms_.stop.check());
    if (event) return on_event(std::move(*event));
    if (events_.closed()) return fail(Fault::kClosed, "the reading role has ended");
  }
  return {};
}

Status Generator::take_events(bool wait) {
  if (wait) TRY(take_one_event());
  while (auto event = events_.try_pop()) TRY(on_event(std::move(*event)));
  if (closed_) return fail(*closed_);
  return {};
}

Status Generator::redo_pending() {
  while (!redo_.empty()) {
    const int32_t ndx = redo_.front();
    redo_.pop_front();
    std::shared_ptr<Segment> segment;
    if (ndx < 0) {  // a waiting hard link whose group lost its last member
      const int32_t member = -1 - ndx;
      if (segment_of(member, segment)) TRY(promote_waiting(segment->by_ndx(member)));
      continue;
    }
    if (!segment_of(ndx, segment)) continue;
    --segment->to_redo;
    TRY(handle(segment, segment->by_ndx(ndx), ndx, true, Attempt::kRedo));
  }
  return {};
}

// Directory attributes once their content is settled.
Status Generator::touch_up(const Entry& entry, const std::string& path) {
  const Options& o = terms_.options;
  if (o.list_only || o.dry_run || destination_.solo() || !entry.is_dir() || !entry.active() || entry.has(kMissingDir)) return {};
  if (!o.implied_dirs && entry.has(kImpliedDir)) return {};
  const bool fix_mode = !terms_.may_chown && !(entry.mode & S_IWUSR);
  const bool fix_time = o.times && !o.omit_dir_times && touched_.contains(path == "." ? std::string() : path);
  if (!fix_mode && !fix_time && !(retouch_perms_ && !terms_.may_chown && (entry.mode & S_IRWXU) != S_IRWXU)) return {};
  if (o.keep_dirlinks && path != ".") {
    // What -K went through is somebody else's directory: its attributes are left alone.
    const auto parent = destination_.dir(dir_of_path(path));
    const std::string name(leaf_of_path(path));
    const auto leaf = io::Leaf::check(name);
    const auto info = parent && leaf ? (*parent)->info(*leaf) : Result<io::FileInfo>(fail(Error(ENOENT)));
    if (!info || info->is_symlink()) return {};
  }
  const auto dir = destination_.dir(path == "." ? std::string_view() : std::string_view(path));
  if (!dir) return {};
  if (fix_time) {
    const auto info = (*dir)->self();
    if (info && !terms_.same_time(info->mtime, entry.time())) (void)(*dir)->set_self_times(info->atime, entry.time());
  }
  if (!terms_.may_chown && (entry.mode & S_IRWXU) != S_IRWXU) (void)(*dir)->set_self_mode(entry.mode & 07777);
  return {};
}

Status Generator::release_finished() {
  if (!terms_.agreed.incremental) return {};
  while (!segments_.empty() && segments_.front() != current_) {
    const std::shared_ptr<Segment> oldest = segments_.front();
    if (oldest->in_progress > 0 || oldest->to_redo > 0) return {};
    const bool last = segments_.size() == 1 && list_complete_ && upcoming_.empty();
    if (!last && segments_.size() == 1 && !current_) return {};
    if (last) TRY(transfers_.phase_done());
    else TRY(transfers_.list_done());
    if (oldest->parent) {
      // Deletions that come late move directory times again.
      if (terms_.delete_mode == DeleteMode::kDelay) late_dirs_.push_back(oldest->parent);
      else TRY(touch_up(oldest->parent->entry, oldest->parent->path));
    }
    segments_.pop_front();
  }
  return {};
}

Status Generator::work_on(const std::shared_ptr<Segment>& segment) {
  current_ = segment;
  segments_.push_back(segment);
  remover_.note_io_error(segment->io_error);
  TRY(release_finished());
  const bool during = terms_.delete_mode == DeleteMode::kDuring || terms_.delete_mode == DeleteMode::kDelay;
  if (terms_.agreed.incremental && segment->parent) {
    DirNode& node = *segment->parent;
    TRY(handle(segment, node.entry, segment->first_ndx() - 1, true, Attempt::kFirst));
    if (during && !destination_.missing() && !terms_.options.list_only && !node.entry.has(kMissingDir) && node.entry.has(kContentDir)) {
      const std::string path = node.path;
      const int64_t before = remover_.counts().total();
      TRY(remover_.delete_in(path, *segment, node.entry.has(kTopDir)));
      if (remover_.counts().total() != before) touched(path == "." ? std::string_view() : std::string_view(path));
    }
  }
  for (int32_t i = 0; i < segment->count(); ++i) {
    Entry& entry = segment->sorted(i);
    if (!entry.active()) continue;
    TRY(handle(segment, entry, segment->ndx_of_sorted(i), !terms_.agreed.incremental || !entry.is_dir(), Attempt::kFirst));
    // Answers of our own hands are there at once; rsync's generator would not have them yet, and its lines tell.
    if (!events_.empty() && (!terms_.local || events_.size() > kLateAnswers)) TRY(take_events(false));
    if (terms_.stop.requested()) return terms_.stop.check();
    while (transfers_.wants_pause()) TRY(take_events(true));
  }
  return {};
}

Status Generator::run() {
  while (upcoming_.empty() && !list_complete_) TRY(take_events(true));
  if (terms_.delete_mode == DeleteMode::kBefore && !destination_.solo() && !upcoming_.empty() && upcoming_.front()->count() > 0) {
    remover_.note_io_error(upcoming_.front()->io_error);
    TRY(remover_.delete_everywhere(*upcoming_.front()));
    for (int32_t i = 0; i < upcoming_.front()->count(); ++i) {
      const Entry& entry = upcoming_.front()->sorted(i);
      if (entry.is_dir() && entry.has(kContentDir)) touched(entry.is_root() ? std::string() : entry.path());
    }
  }
  terms_.reporter.debug_line_if(Debug::kFlist, 1, fmt::format("delta-transmission {}", terms_.whole_file ? "disabled for local transfer or --whole-file" : "enabled"));
  std::shared_ptr<Segment> whole_list;
  while (!upcoming_.empty()) {
    if (terms_.options.hard_links > 0 && terms_.agreed.incremental)
      while (!list_complete_ && entries_ < kLinkLookAhead) TRY(take_events(true));
    const std::shared_ptr<Segment> next = upcoming_.front();
    upcoming_.pop_front();
    TRY(work_on(next));
    whole_list = next;
    if (!terms_.agreed.incremental) break;
    while (terms_.local && upcoming_.empty() && !list_complete_) TRY(take_one_event());
    if (terms_.local && !upcoming_.empty() && events_.size() <= kLateAnswers) continue;
    for (;;) {
      TRY(take_events(false));
      TRY(redo_pending());
      TRY(release_finished());
      if (!upcoming_.empty() || list_complete_) break;
      TRY(take_events(true));
    }
  }
  if (!terms_.agreed.incremental) TRY(transfers_.phase_done());
  else current_ = nullptr;
  working_phase_ = 1;
  const auto wait_for = [&](int phases) -> Status {
    for (;;) {
      TRY(take_events(false));
      TRY(redo_pending());
      TRY(release_finished());
      if (phases_seen_ >= phases) return {};
      if (closed_normally_) return fail(Fault::kStream, "the far side ended before the last phase");
      TRY(take_events(true));
    }
  };
  TRY(wait_for(1));

  const bool delayed = terms_.options.delay_updates, late = terms_.late_deletion();
  const proto::Agreement& agreed = terms_.agreed;
  const auto tell_deletions = [&]() -> Status {
    if (!remover_.anything_can_be_deleted()) return {};
    return transfers_.deletions(remover_.counts());
  };
  TRY(transfers_.phase_done());
  if (agreed.third_phase && !delayed) TRY(transfers_.phase_done());
  if (agreed.closing_handshake && !late) {
    TRY(tell_deletions());
    if (!delayed) TRY(transfers_.phase_done());
  }
  TRY(wait_for(2));
  if (agreed.third_phase) {
    if (delayed) {
      TRY(transfers_.phase_done());
      if (agreed.closing_handshake && !late) TRY(transfers_.phase_done());
    }
    TRY(wait_for(3));
  }
  remover_.note_io_error(terms_.reporter.state().io_error);
  if (terms_.delete_mode == DeleteMode::kDelay) TRY(remover_.delete_remembered());
  if (terms_.delete_mode == DeleteMode::kAfter && !destination_.solo() && whole_list && whole_list->count() > 0)
    TRY(remover_.delete_everywhere(*whole_list));
  remover_.close();
  if (agreed.closing_handshake) {
    if (late) {
      TRY(tell_deletions());
      TRY(transfers_.phase_done());
    }
    TRY(wait_for(4));
  }
  for (DirNode* node : late_dirs_) {
    touched(node->path == "." ? std::string_view() : std::string_view(node->path));
    TRY(touch_up(node->entry, node->path));
  }
  if (!agreed.incremental && whole_list) {
    for (int32_t i = 0; i < whole_list->count(); ++i) {
      const Entry& entry = whole_list->sorted(i);
      if (!entry.is_dir()) continue;
      if (late || terms_.delete_mode != DeleteMode::kNone || delayed) touched(entry.is_root() ? std::string() : entry.path());
      TRY(touch_up(entry, entry.path()));
    }
  }
  return {};
}

}  // namespace ocsync::sync
