// The generating role: for each entry look, decide, create or ask. It alone writes to the far side.
//
// One class, a file per subject: generate.cpp (an entry's turn), generate_dirs, _files, _nodes, _hard_links (who makes
// what), generate_reports (what is said), generate_phases (the order of it all).
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "libsync/filter/rules.h"
#include "libsync/meta/object.h"
#include "libsync/receiver/backup.h"
#include "libsync/receiver/basis.h"
#include "libsync/receiver/decide.h"
#include "libsync/receiver/destination.h"
#include "libsync/receiver/hard_links.h"
#include "libsync/receiver/place.h"
#include "libsync/receiver/remove.h"
#include "libsync/receiver/transfers.h"

namespace ocsync::sync {

// Runs on one thread from the first segment to the end of all phases.
class Generator {
 public:
  Generator(const Terms& terms, const FilterRules& filters, Destination& destination, Transfers& transfers,
            Events& events);
  // The segments come through the events, too. Returns when the last phase is over (before the final goodbye).
  Status run();

 private:
  struct Spot;  // where one entry goes and what is there

  Status work_on(const std::shared_ptr<Segment>& segment);
  Status handle(const std::shared_ptr<Segment>& segment, Entry& entry, int32_t ndx, bool own_turn, Attempt attempt);
  Status handle_alone(const std::shared_ptr<Segment>& segment, Entry& entry, int32_t ndx, bool own_turn,
                      Attempt attempt);
  Status handle_dir(Spot& spot, bool own_turn);
  Status handle_link(Spot& spot, const Decision& decision);
  Status handle_node(Spot& spot, const Decision& decision);
  Status handle_file(Spot& spot, const Decision& decision, Attempt attempt, bool must_lead);
  // -vv without -i: names of what is right as it is (unless `updated`: its attributes were not). `mark`: "/" for dirs.
  bool tells_uptodate() const;
  void say_uptodate(const Spot& spot, bool updated = false, std::string_view mark = {}) const;
  void say_skip(Spot& spot, const Decision& decision);
  Status keep(Spot& spot);
  // Below version 29 no item travels: this side names what it made, unless a client itemizes. Where items travel, a log
  // that does not itemize hears of it.
  bool names_itself() const;
  void name_itself(const Spot& spot, std::string_view between, std::string_view what = {}) const;
  // `meta`: what meta_flags() said, if what was compared may have changed since.
  Status report(Spot& spot, const std::optional<io::FileInfo>& compared, uint32_t flags, std::string xname = {},
                std::optional<uint32_t> meta = std::nullopt);
  uint32_t meta_flags(const Spot& spot, const std::optional<io::FileInfo>& compared, const Object* at, bool replaces,
                      uint32_t which = proto::kReportMeta);
  Status apply_and_report(Spot& spot, const std::optional<io::FileInfo>& compared);
  Status success(Spot& spot);
  // Creates under a hidden name and renames, so that something that is replaced is never missing.
  bool create_atomically(Spot& spot, bool replaces, const std::function<Status(io::Leaf)>& make, const char* what,
                         const std::string& to = {});
  unsigned apply(Spot& spot, std::optional<io::FileInfo>& now, bool created);  // what was changed: Updated bits
  void apply_reported_xattrs(const Spot& spot);
  bool try_basis_for_other(Spot& spot, uint32_t flags, bool& done);
  Result<bool> try_basis_for_file(Spot& spot, Basis& basis);
  bool copy_basis(Spot& spot, const BasisDirs::Match& match);
  void say_unmade(const Spot& spot);
  uint32_t default_perms_at(const Spot& spot) const;
  uint32_t mode_of_new_content(const Spot& spot, const Basis& basis);

  // Hard links.
  Result<bool> link_check(Spot& spot);
  Status finish_group(Spot& spot, int basis_dir = -1);
  Status matched_member(Spot& spot, int basis_dir = -1);
  Status unmade_member(Spot& spot);
  Status finish_group_of(Entry& entry, const std::string& path, int basis_dir);
  Result<bool> link_to(Spot& spot, const HardLinks::Group& group, bool waited);
  Status promote_waiting(Entry& entry);
  void relieve_waiting(const Entry& entry);

  Status take_events(bool wait);
  Status take_one_event();
  Status on_event(Event event);
  void know_next();
  // Is there nothing to work on, although more will come?
  bool lists_come();
  Status promote_leaderless();
  Status redo_pending();
  Status release_finished();
  Status release_before_backup();
  Status touch_up(const Entry& entry, const std::string& path);
  Status finish_phases();
  Result<bool> parent_known(const Segment& segment, const Entry& entry);
  void expect_backup_dirs();
  void touched(std::string_view dir);
  Segment* segment_of(int32_t ndx, std::shared_ptr<Segment>& keep) const;

  const Terms& terms_;
  const FilterRules& filters_;
  Destination& destination_;
  Transfers& transfers_;
  Events& events_;
  Backups backups_;
  Placer placer_;
  Remover remover_;
  std::optional<FilterScope> guard_;  // what a daemon's module refuses to receive
  BasisDirs basis_;
  Fuzzy fuzzy_;
  HardLinks links_;

  std::deque<std::shared_ptr<Segment>> segments_;  // alive: the oldest first
  std::shared_ptr<Segment> current_;
  std::deque<std::shared_ptr<Segment>> upcoming_;
  std::deque<std::shared_ptr<Segment>> arrived_;  // not known yet: see know_next()
  bool list_complete_ = false;
  int64_t entries_ = 0;
  int phases_seen_ = 0;
  std::string unmade_parent_;  // one that was not sent (--no-implied-dirs) and could not be made: told once
  int unmade_error_ = 0;
  int lists_released_ = 0;
  std::deque<int32_t> redo_;
  std::deque<int32_t> leaderless_;  // members that wait in groups whose last member leads nobody
  bool closed_ = false;             // the reading role has ended as it should

  uint32_t default_perms_;  // of new files in default_perms_dir_, without -p
  std::string default_perms_dir_;
  bool default_perms_known_ = false;
  std::string skip_below_;   // contents of this directory are skipped
  std::string dry_missing_;  // dry run: this directory would have been made
  std::string fresh_dir_;    // made by this run, so nothing lies in it (valid with has_fresh_dir_)
  bool has_fresh_dir_ = false;
  std::string last_parent_;
  bool last_parent_known_ = false;
  // Directories that something was made in, until their times were set again: what stayed, strewn among lists that come
  // and go, would keep the heap from ever being one piece again.
  struct NameHash {
    using is_transparent = void;
    size_t operator()(std::string_view name) const { return std::hash<std::string_view>()(name); }
  };
  std::unordered_set<std::string, NameHash, std::equal_to<>> touched_;
  std::optional<std::string> last_touched_;         // is in it
  bool backups_below_ = false;                      // directories for backups are made inside the destination
  std::unordered_map<std::string, uint32_t> lent_;  // modes of directories that have more rights while they are filled
  std::vector<DirNode*> late_dirs_;                 // whose attributes wait for the late deletions
  int working_phase_ = 0;
};

}  // namespace ocsync::sync
