// Regular files: left alone, taken from an alternate tree, or asked for.
#include "libsync/receiver/generate_spot.h"

#include <algorithm>

#include "libio/os/copy.h"

namespace ocsync::sync {

bool Generator::copy_basis(Spot& spot, const BasisDirs::Match& match) {
  if (terms_.options.dry_run) return true;
  Request request;
  request.entry = spot.entry;
  request.path = spot.path;
  request.dir = spot.dir;
  request.leaf = spot.leaf_text;
  request.mode = spot.mode;
  request.from_alternate = true;
  const std::string name(leaf_of_path(spot.path));
  const auto from = io::Leaf::check(name);
  if (!from || !spot.dir) return false;
  // A hidden file is made first: even where the source cannot be read, the directory has been written to. In place
  // nothing may be left.
  const auto source = match.dir->open_read(*from);
  std::optional<Output> output = source || !terms_.inplace() ? placer_.open(request) : std::nullopt;
  if (output)
    touched(spot.dir_path);
  else if (source)
    return false;
  if (!source) {
    terms_.reporter.error_transfer(Role::kGenerator, fmt::format("open {}", destination_.shown(match.path)),
                                   source.error().sys);
    return false;
  }
  const auto copied =
      io::copy_content(*source, output->file(), match.info.size, {.sparse = terms_.options.sparse}, terms_.stop);
  if (!copied) {
    terms_.reporter.error_transfer(Role::kGenerator, fmt::format("copy_file {} => {}", match.path, spot.path),
                                   copied.error().sys);
    return false;
  }
  copy_meta(Object::named(*match.dir, *from), Object::opened(output->file()), match.info.mode, terms_, Role::kGenerator,
            destination_.shown(spot.path));
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
  const Object origin = Object::named(*match.dir, *from);
  const bool linked_entry = spot.entry->has(kLinked);
  if (match.level == 3 && kind != BasisDirKind::kCopy) {
    if (existed) {
      if (kind == BasisDirKind::kLink && spot.here->dev == match.info.dev && spot.here->ino == match.info.ino)
        return false;
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
      if (linked_entry) TRY(matched_member(spot, match.index));
      if (kind == BasisDirKind::kLink) {
        if (terms_.itemizes() && terms_.reporter.shows_unchanged())
          TRY(report(spot, match.info, proto::kLocalChange | proto::kXnameFollows, "",
                     meta_flags(spot, match.info, &origin, false)));
      } else {
        TRY(report(spot, match.info, 0, {}, meta_flags(spot, match.info, &origin, false)));
      }
      say_uptodate(spot);
      TRY(success(spot));
      return true;
    }
  }
  if (match.level >= 2) {
    if (!copy_basis(spot, match)) return false;
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

// Without -p new content takes the mode of what it is built on, wherever that lies. For the receiver of a run without
// rights over other people's files that is only there if it can be read. What it stands for with --fake-super does not
// count.
uint32_t Generator::mode_of_new_content(const Spot& spot, const Basis& basis) {
  if (terms_.options.perms) return spot.mode;
  std::optional<uint32_t> existing;
  if (const auto leaf = io::Leaf::check(basis.leaf); basis && leaf) {
    const auto old = basis.type == proto::kBasisTarget && spot.here && !terms_.options.fake_super
                         ? Result<io::FileInfo>(*spot.here)
                         : basis.dir->info(*leaf);
    constexpr uint32_t kEverybodyReads = 0444;
    if (old && (terms_.our_uid == 0 || (old->mode & kEverybodyReads) == kEverybodyReads || basis.dir->open_read(*leaf)))
      existing = old->mode;
  }
  return dest_mode(spot.entry->mode, existing, {.executability = terms_.options.executability}, default_perms_);
}

Status Generator::handle_file(Spot& spot, const Decision& decision, Attempt attempt, bool must_lead) {
  const Options& o = terms_.options;
  Entry& entry = *spot.entry;
  std::optional<io::FileInfo> compared = spot.here;
  if (decision.clear_the_way) {
    if (!TRY(remover_.make_way(spot.path, *spot.dir, *spot.leaf, *spot.here, Remover::Way::kFile)))
      return unmade_member(spot);
    touched(spot.dir_path);
    spot.here.reset();
    compared.reset();
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
  if (!spot.here && !basis && spot.stat_error != ENOENT) {
    terms_.reporter.error_transfer(Role::kGenerator,
                                   fmt::format("recv_generator: failed to stat {}", destination_.shown(spot.path)),
                                   spot.stat_error);
    return {};
  }
  if (decision.why == Why::kAppendDone) {
    // Not even an alternate tree has it as it should be.
    say_skip(spot, decision);
    return {};
  }
  std::optional<Placer::Partial> partial;
  if (!o.partial_dir.empty() && !destination_.missing()) {
    if (auto place = placer_.partial_basis(spot.path))
      partial = std::move(*place);
    else if (place.error().sys == EXDEV && o.module_fd >= 0 && terms_.agreed.inplace_partial && !o.dry_run)
      return fail(Fault::kProtocol, fmt::format("rsync: refusing unconfined partial basis for {}", spot.path));
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
      terms_.reporter.debug_line_if(Debug::kFuzzy, 1,
                                    fmt::format("fuzzy basis selected for {}: {}", spot.path, basis.path));
      request.item.xname = basis.leaf;
    }
  }
  if (basis && !spot.here && basis.type != proto::kBasisPartialDir && attempt == Attempt::kFirst &&
      (terms_.append || terms_.append_verify) && basis.bytes >= static_cast<uint64_t>(entry.size)) {
    // Nothing could be appended to it; rsync's users know that the file is then left out.
    return {};
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
  if (!request.whole && !o.dry_run && terms_.our_uid != 0) {
    // Only root may read everything. What cannot be read is no basis, and the file counts as one that is new here.
    const auto leaf = io::Leaf::check(basis.leaf);
    if (const auto old = leaf ? basis.dir->open_read(*leaf) : Result<io::File>(fail(leaf.error())); !old) {
      terms_.reporter.error(Role::kGenerator,
                            fmt::format("failed to open {}, continuing", destination_.shown(basis.path)),
                            old.error().sys);
      if (entry.has(kLinked) && !entry.has(kLinkLast) && !must_lead) {
        links_.wait(links_.group_of(entry), {spot.ndx, spot.segment, &entry});
        return {};
      }
      basis = {};
      request.item.xname.clear();
      request.whole = true;
      spot.here.reset();
      compared.reset();
    }
  }
  if (basis && o.inplace && o.backup && basis.type == proto::kBasisTarget && !o.dry_run && !request.redo) {
    // Before content is written over, the old version is copied away; it is also what the sums describe.
    const auto place = backups_.copy_aside(spot.path, *spot.dir, *spot.leaf, *spot.here);
    if (!place) return terms_.stop.check();
    if (!request.whole) {
      basis.type = proto::kBasisBackup;
      basis.dir = place->dir;
      basis.leaf = place->leaf;
      basis.path = place->path;
    }
  }

  uint32_t flags = proto::kTransfer;
  if (o.checksum && !request.redo) flags |= proto::kReportChange;  // what is sent again is not compared again
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
  request.mode = o.dry_run ? spot.mode : mode_of_new_content(spot, basis);
  fuzzy_.used(spot.leaf_text);
  if (o.moves_content()) {
    if (!spot.dir && !o.dry_run && spot.dir_error != ENOENT) {
      terms_.reporter.error_transfer(Role::kGenerator,
                                     fmt::format("recv_generator: failed to stat {}", destination_.shown(spot.path)),
                                     spot.dir_error);
      return {};
    }
    ++spot.segment->in_progress;
    touched(spot.dir_path);
  }
  if (entry.has(kLinked)) links_.group_of(entry).state = HardLinks::State::kBusy;
  TRY(release_before_backup());
  TRY(transfers_.request(std::move(request)));
  if (!o.moves_content() && entry.has(kLinked)) TRY(finish_group(spot));
  return {};
}

}  // namespace ocsync::sync
