// Groups of names for one inode: one member leads, the others are linked to it.
#include "libsync/list/named_dir.h"
#include "libsync/meta/read.h"
#include "libsync/receiver/generate_spot.h"

namespace ocsync::sync {

// Creates `spot` as another name of the group's leader and reports it: as new, if it `waited`, else against what an
// alternate tree has in its place, as rsync does. False: it failed (reported).
Result<bool> Generator::link_to(Spot& spot, const HardLinks::Group& group, bool waited) {
  const std::string& leader = group.leader_path;
  const auto leader_dir = destination_.dir(dir_of_path(leader));
  const std::string leader_name(leaf_of_path(leader));
  const auto leader_leaf = TRY(io::Leaf::check(leader_name));
  std::optional<io::FileInfo> old;
  int why_not = leader_dir ? 0 : leader_dir.error().sys;
  if (leader_dir) {
    if (const auto info = (*leader_dir)->info(leader_leaf))
      old = *info;
    else
      why_not = info.error().sys;
  }
  if (terms_.options.dry_run && group.basis_dir >= 0)
    if (const auto there = basis_.dir(group.basis_dir, dir_of_path(leader)))
      if (const auto info = there->info(leader_leaf)) old = *info;
  if (!old && (!terms_.options.dry_run || (!waited && why_not != ENOENT))) {
    terms_.reporter.error_transfer(Role::kGenerator, fmt::format("stat {} failed", destination_.shown(leader)),
                                   why_not == EXDEV ? ELOOP : why_not);
    return false;
  }
  if (spot.here && old && spot.here->dev == old->dev && spot.here->ino == old->ino) {
    TRY(report(spot, spot.here, proto::kLocalChange | proto::kXnameFollows, ""));
    say_uptodate(spot);
    return true;
  }
  std::optional<io::FileInfo> compared = spot.here;
  if (!spot.here && !waited && !basis_.empty()) {
    if (terms_.options.basis_kind == BasisDirKind::kLink) {
      // Two names that an alternate tree links as well are no change worth a line.
      for (int i = 0; i < basis_.count() && !compared && old; ++i) {
        const auto there = basis_.dir(i, dir_of_path(spot.path));
        const auto info = there ? there->info(TRY(io::Leaf::check(spot.leaf_text.data())))
                                : Result<io::FileInfo>(fail(Error(ENOENT)));
        if (!info || info->dev != old->dev || info->ino != old->ino) continue;
        compared = *info;
        if (terms_.itemizes() && terms_.reporter.shows_unchanged()) continue;
        spot.quiet = true;
        say_uptodate(spot);
      }
    } else if (spot.entry->is_regular()) {
      const BasisDirs::Match match = basis_.find(*spot.entry, spot.mode, spot.path, terms_);
      if (match.level >= 2) compared = match.last;  // whichever rsync looked at last
    }
  }
  if (spot.here && spot.here->is_dir() &&
      !TRY(remover_.make_way(spot.path, *spot.dir, *spot.leaf, *spot.here, Remover::Way::kFile)))
    return false;
  const bool replaces = spot.here && !spot.here->is_dir();
  if (!create_atomically(
          spot, replaces, [&](io::Leaf leaf) { return (*leader_dir)->hard_link(leader_leaf, *spot.dir, leaf); }, "link",
          " => " + leader))
    return false;
  std::string shown = leader;
  if (std::shared_ptr<Segment> list;
      terms_.options.dry_run && group.basis_dir >= 0 && !segment_of(group.leader_ndx, list)) {
    // Of a leader whose list is done with, a dry run of rsync knows only where it would have been linked from.
    const std::string from = join_path(basis_.name(group.basis_dir), leader);
    shown = from.starts_with('/') ? from : join_path(destination_.absolute(), from);
  }
  TRY(report(spot, compared, proto::kLocalChange | proto::kXnameFollows, shown));
  name_itself(spot, " => ", shown);
  return true;
}

// True if the entry's group settles it: it was linked, or waits for the member under way.
Result<bool> Generator::link_check(Spot& spot) {
  HardLinks::Group& group = links_.group_of(*spot.entry);
  const bool traces = !spot.entry->has(kLinkFirst) && terms_.reporter.traces(Debug::kHlink, 2);
  const auto trace = [&](std::string_view what) {
    terms_.reporter.trace(Debug::kHlink, 2, "hlink for {} ({},{}): {}", spot.ndx, spot.path,
                          spot.entry->extras()->link_key, what);
  };
  if (group.state == HardLinks::State::kBusy) {
    if (traces) trace(fmt::format("waiting for {}", group.waiting.empty() ? -1 : group.waiting.back().ndx));
    links_.wait(group, {spot.ndx, spot.segment, spot.entry});
    return true;
  }
  if (group.state != HardLinks::State::kDone) {
    if (traces) trace("looking for a leader");
    return false;
  }
  if (traces) trace("leader is " + group.leader_path);
  if (TRY(link_to(spot, group, false))) TRY(success(spot));
  return true;
}

Status Generator::finish_group(Spot& spot, int basis_dir) {
  if (basis_dir >= 0) links_.group_of(*spot.entry).leader_ndx = spot.ndx;
  return finish_group_of(*spot.entry, spot.path, basis_dir);
}

Status Generator::finish_group_of(Entry& entry, const std::string& path, int basis_dir) {
  HardLinks::Group& group = links_.group_of(entry);
  if (group.state == HardLinks::State::kDone) return {};
  group.state = HardLinks::State::kDone;
  group.leader_path = path;
  group.basis_dir = basis_dir;
  const auto live = [&](int32_t ndx) {
    std::shared_ptr<Segment> segment;
    (void)segment_of(ndx, segment);
    return segment;
  };
  for (HardLinks::Member& member : links_.take_waiting(group, live)) {
    Spot spot;
    spot.segment = member.segment;
    spot.entry = member.entry;
    spot.ndx = member.ndx;
    spot.path = destination_.path_of(*member.entry);
    spot.dir_path = destination_.dir_of(*member.entry);
    spot.leaf_text = destination_.leaf_of(*member.entry);
    spot.mode = member.entry->mode;
    if (const auto dir = destination_.dir(spot.dir_path)) spot.dir = *dir;
    spot.leaf = TRY(io::Leaf::check(spot.leaf_text.data()));
    if (spot.dir)
      if (const auto info = spot.dir->info(*spot.leaf))
        spot.here = !terms_.options.fake_super ? *info
                                               : seen(Object::named(*spot.dir, *spot.leaf), *info, terms_,
                                                      Role::kGenerator, destination_.shown(spot.path))
                                                     .value_or(*info);
    // In a dry run without a destination rsync has not gone there: it looks from where it was started.
    if (destination_.missing())
      if (const auto place = named_parent(spot.path, terms_.options))
        if (const auto leaf = io::Leaf::check(place->leaf))
          if (const auto info = place->dir.info(*leaf); info && !info->is_dir()) spot.here = *info;
    if (TRY(link_to(spot, group, true))) TRY(success(spot));
  }
  return {};
}

// A member that an alternate tree has as it should be: linked from there it leads; left there it becomes a name of the
// member that is made here, if one is.
Status Generator::matched_member(Spot& spot, int basis_dir) {
  if (terms_.options.basis_kind == BasisDirKind::kLink) return finish_group(spot, basis_dir);
  HardLinks::Group& group = links_.group_of(*spot.entry);
  if (group.state != HardLinks::State::kDone) group.passed.push_back(spot.ndx);
  return {};
}

// A member that could not be made, which has been told: as rsync does, it is tried once more when its group has a
// leader.
Status Generator::unmade_member(Spot& spot) {
  if (!spot.entry->has(kLinked) || spot.entry->has(kLinkLast)) return {};
  HardLinks::Group& group = links_.group_of(*spot.entry);
  if (group.state != HardLinks::State::kDone) group.passed.push_back(spot.ndx);
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

// The last member had its turn and leads nobody (left out, or failed): those that waited for it need another leader.
void Generator::relieve_waiting(const Entry& entry) {
  if (!entry.has(kLinkLast)) return;
  const HardLinks::Group& group = links_.group_of(entry);
  if (group.state == HardLinks::State::kOpen && !group.waiting.empty()) leaderless_.push_back(group.waiting.back().ndx);
}

}  // namespace ocsync::sync
