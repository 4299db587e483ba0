// What happens to an entry: look, decide, and hand it to whoever makes its kind.
#include "libsync/receiver/generate_spot.h"

#include "libsync/list/facts.h"
#include "libsync/meta/fake_super.h"
#include "libsync/meta/read.h"
#include "libsync/report/item_text.h"

namespace ocsync::sync {

Generator::Generator(const Terms& terms, const FilterRules& filters, Destination& destination, Transfers& transfers,
                     Events& events)
    : terms_(terms),
      filters_(filters),
      destination_(destination),
      transfers_(transfers),
      events_(events),
      backups_(terms, filters, destination, Role::kGenerator),
      placer_(terms, destination, backups_, Role::kGenerator),
      remover_(terms, filters, destination, backups_, Role::kGenerator),
      basis_(BasisDirs::open(terms, destination)),
      fuzzy_(terms, destination_, basis_),
      default_perms_(0777 & ~terms.umask) {
  if (terms.module_filters && destination.root())
    if (auto scope = FilterScope::at_root(filters, Side::kReceiver, destination.absolute())) guard_ = std::move(*scope);
}

void Generator::touched(std::string_view dir) {
  if (last_touched_ == dir) return;
  last_touched_ = dir;
  if (!touched_.contains(dir)) touched_.emplace(dir);
}

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

// What files get in a directory without -p. Where there is none that could tell, rsync says what it was told about
// that.
uint32_t Generator::default_perms_at(const Spot& spot) const {
  if (spot.dir) return default_perms_in(*spot.dir, terms_, spot.dir_path.empty() ? "." : spot.dir_path);
  int error = spot.dir_error;
  const std::string name(leaf_of_path(spot.dir_path));
  const auto above = destination_.dir(dir_of_path(spot.dir_path));
  if (const auto leaf = io::Leaf::check(name); above && leaf) {
    const auto there = (*above)->info_following(*leaf);
    error = !there ? there.error().sys : there->is_dir() ? error : EACCES;
  }
  if (!terms_.options.dry_run || error != ENOENT) say_no_default_perms(spot.dir_path, error, terms_);
  return default_perms_of_mask(terms_.umask);
}

Status Generator::handle(const std::shared_ptr<Segment>& segment, Entry& entry, int32_t ndx, bool own_turn,
                         Attempt attempt) {
  TRY(handle_alone(segment, entry, ndx, own_turn, attempt));
  if (entry.has(kLinked)) relieve_waiting(entry);
  return {};
}

Status Generator::handle_alone(const std::shared_ptr<Segment>& segment, Entry& entry, int32_t ndx, bool own_turn,
                               Attempt attempt) {
  const Options& o = terms_.options;
  Spot spot;
  spot.segment = segment;
  spot.entry = &entry;
  spot.ndx = ndx;
  spot.path = destination_.path_of(entry);
  spot.dir_path = destination_.dir_of(entry);
  spot.mode = entry.mode;
  terms_.reporter.trace(Debug::kGenr, 1, "recv_generator({},{})", spot.path, ndx);

  if (o.list_only) {
    if (entry.is_dir() && (!own_turn || (!o.implied_dirs && entry.has(kImpliedDir)))) return {};
    const std::string path = entry.path();
    const io::FileTime atime{entry.extras() ? entry.extras()->atime : 0, 0},
        crtime{entry.extras() ? entry.extras()->crtime : 0, 0};
    terms_.reporter.info_line(list_only_line(facts_of(entry, path, path, {}), o, atime, crtime));
    return {};
  }
  if (!skip_below_.empty()) {
    // Below the top of the tree lies all of a whole list; incremental ones are begun anew.
    const bool below =
        skip_below_ == "." ? !terms_.agreed.incremental && !entry.is_root() : is_below(spot.path, skip_below_);
    if (below) {
      if (entry.is_dir()) entry.set(kMissingDir);
      return {};
    }
    if (own_turn) skip_below_.clear();
  }

  if (guard_ && !entry.is_root() && guard_->hidden_by_module(spot.path, entry.is_dir())) {
    if (entry.is_dir() && !own_turn) return {};
    terms_.reporter.error_line(
        fmt::format("ERROR: daemon refused to receive {} \"{}\"", entry.is_dir() ? "directory" : "file", spot.path),
        true);
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
    if (is_below(spot.path, dry_missing_)) return true;
    if (own_turn) dry_missing_.clear();
    return false;
  };
  if (!below_dry_missing()) {
    if (!TRY(parent_known(*segment, entry))) {
      if (entry.mode == 0 && o.delete_missing_args) {
        terms_.reporter.error_line(fmt::format("WARNING: parent dir is absent in the file list: {}", spot.dir_path),
                                   false);
      } else {
        TRY(transfers_.flush());  // what was told before stands
        return fail(Fault::kProtocol, fmt::format("ABORTING due to invalid path from sender: {}", entry.path()));
      }
    }
    auto dir = destination_.dir(spot.dir_path);
    if (!dir && o.relative && !o.implied_dirs && entry.mode != 0 && !o.dry_run) {
      // Parents that were not sent are made with the usual permissions.
      std::shared_ptr<const io::Dir> above = destination_.root();
      int unmade = 0;
      for (size_t at = 0; above && at < spot.dir_path.size();) {
        const size_t end = std::min(spot.dir_path.find('/', at), spot.dir_path.size());
        const std::string part(spot.dir_path.substr(at, end - at));
        const auto leaf = io::Leaf::check(part);
        if (!leaf) break;
        if (const Status made = above->make_dir(*leaf, 0777); !made && made.error().sys != EEXIST)
          unmade = made.error().sys;
        auto next = destination_.dir(spot.dir_path.substr(0, end));
        above = next ? *next : nullptr;
        at = end + 1;
      }
      dir = destination_.dir(spot.dir_path);
      // Where the last of them is there, but no directory, only what needs it fails.
      if (!dir && unmade == 0 && dir.error().sys == ENOTDIR && !destination_.dir(dir_of_path(spot.dir_path)))
        unmade = ENOTDIR;
      if (!dir && unmade != 0 && unmade_parent_ != spot.dir_path) {
        unmade_parent_ = spot.dir_path;
        unmade_error_ = unmade;
        terms_.reporter.error_transfer(
            Role::kGenerator, fmt::format("recv_generator: mkdir {} failed", destination_.shown(spot.dir_path)),
            unmade);
      }
    }
    if (dir) {
      spot.dir = *dir;
      Result<io::FileInfo> info = fail(Error(ENOENT));
      if (entry.is_root() && !destination_.solo()) {
        info = spot.dir->self();
      } else {
        spot.leaf_text = destination_.leaf_of(entry);
        spot.leaf = TRY(io::Leaf::check(spot.leaf_text.data()));
        const bool nothing_here =
            has_fresh_dir_ && attempt == Attempt::kFirst && !entry.is_dir() && spot.dir_path == fresh_dir_;
        if (!nothing_here) info = spot.dir->info(*spot.leaf);
        if (info && info->is_symlink() && entry.is_dir() && o.keep_dirlinks) {
          const auto there = spot.dir->info_following(*spot.leaf);
          if (there && there->is_dir()) info = *there;
        }
      }
      if (info && o.fake_super)
        info = seen(spot.leaf ? Object::named(*spot.dir, *spot.leaf) : Object::itself(*spot.dir), *info, terms_,
                    Role::kGenerator, destination_.shown(spot.path));
      if (info && info->is_dir() && entry.is_regular() && transfers_.made_partial_dir(spot.path))
        info = fail(Error(ENOENT));
      if (info)
        spot.here = *info;
      else if (info.error().fault == Fault::kFileIo)
        return fail(info.error());
      else
        spot.stat_error = info.error().sys;
    } else {
      // A link on the way that leads out is one too many for rsync, and so is what is no directory before the last of
      // them.
      int error = dir.error().sys;
      if (error == ENOTDIR)
        if (const auto above = destination_.dir(dir_of_path(spot.dir_path)); !above && above.error().sys == ENOTDIR)
          error = ELOOP;
      spot.stat_error = spot.dir_error = error == EXDEV ? ELOOP : error;
      spot.no_dir = true;
      spot.leaf_text = destination_.leaf_of(entry);
      if (const auto leaf = io::Leaf::check(spot.leaf_text.data())) spot.leaf = *leaf;
    }
  } else {
    spot.leaf_text = destination_.leaf_of(entry);
  }

  if (!o.perms && (spot.dir || spot.no_dir) && (!default_perms_known_ || default_perms_dir_ != spot.dir_path)) {
    default_perms_ = default_perms_at(spot);
    default_perms_dir_ = spot.dir_path;
    default_perms_known_ = true;
  }
  if (entry.mode == 0) {
    if (spot.here && !TRY(remover_.protects(spot.path, spot.here->is_dir()))) {
      TRY(remover_.delete_item(spot.path, *spot.dir, *spot.leaf, *spot.here));
      touched(spot.dir_path);
    }
    return {};
  }
  struct NoProbe final : Probe {
    std::optional<std::string> link_target() override { return std::nullopt; }
    Digest content_digest() override { return {}; }
  } no_probe;
  std::optional<DiskProbe> disk_probe;
  if (spot.dir && spot.leaf) disk_probe.emplace(*spot.dir, *spot.leaf, terms_, spot.here ? spot.here->size : 0);
  Probe& probe = disk_probe ? static_cast<Probe&>(*disk_probe) : no_probe;
  const std::string other_name = destination_.solo() ? entry.path() : std::string();
  const Decision decision =
      decide(entry, destination_.solo() ? other_name : spot.path, spot.here, probe, terms_, attempt, spot.stat_error);

  if (decision.act == Act::kSkip && (decision.why == Why::kNotExisting || decision.why == Why::kExists)) {
    if (entry.is_dir()) {
      if (!own_turn) return {};
      if (decision.why == Why::kNotExisting) {
        skip_below_ = spot.path;
        entry.set(kMissingDir);
      } else {
        touched(spot.path);  // whatever kept its place gets the directory's time in the end, as with rsync
      }
    }
    say_skip(spot, decision);
    return {};
  }
  if (entry.is_dir()) return handle_dir(spot, own_turn);

  if (!o.perms) {
    const bool exists = spot.here && !spot.here->is_dir();
    spot.mode = dest_mode(entry.mode, exists ? std::optional<uint32_t>(spot.here->mode) : std::nullopt,
                          {.executability = o.executability}, default_perms_);
  }
  const bool must_lead = attempt == Attempt::kRedo;
  if (entry.has(kLinked) && !must_lead) {
    if (TRY(link_check(spot))) return {};
  }
  switch (decision.act) {
    case Act::kSkip:
      if (decision.why == Why::kAppendDone && !basis_.empty()) return handle_file(spot, decision, attempt, must_lead);
      say_skip(spot, decision);
      return {};
    case Act::kKeep:
      if (!entry.is_regular()) return keep(spot);
      return handle_file(spot, decision, attempt, must_lead);
    case Act::kMakeLink: return handle_link(spot, decision);
    case Act::kMakeNode: return handle_node(spot, decision);
    case Act::kTransfer: return handle_file(spot, decision, attempt, must_lead);
    default: return {};
  }
}

// Right as it is: only attributes may need work.
Status Generator::keep(Spot& spot) {
  const Options& o = terms_.options;
  // ACLs count as they were, extended attributes as a change of owner or mode leaves them (capabilities go with the
  // owner).
  uint32_t meta = meta_flags(spot, spot.here, nullptr, false, proto::kReportAcl);
  std::optional<io::FileInfo> compared = spot.here;
  const bool updated =
      o.dry_run ? (meta & proto::kReportAcl) != 0 || !attributes_match(*spot.entry, spot.mode, *spot.here, terms_)
                : apply(spot, compared, false) != 0;
  say_uptodate(spot, updated);
  // Setting an ACL has set permissions as well; they are reported only if they still differed then.
  if ((meta & proto::kReportAcl) && !o.dry_run && !o.fake_super)
    compared->mode = (compared->mode & ~0777u) | (spot.mode & 0777);
  meta |= meta_flags(spot, spot.here, nullptr, false, proto::kReportXattr);
  TRY(report(spot, compared, 0, {}, meta));
  apply_reported_xattrs(spot);
  if (spot.entry->has(kLinked)) TRY(finish_group(spot));
  return success(spot);
}

}  // namespace ocsync::sync
