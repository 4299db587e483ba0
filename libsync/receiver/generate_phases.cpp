// The course of the generating role: lists as they come, answers, the redo phase, late deletions, the closing phases.
#include <malloc.h>
#include <unistd.h>

#include "libsync/receiver/generate_spot.h"

#include <chrono>

namespace ocsync::sync {

// Hard links across lists are judged better with some of the list known.
constexpr int64_t kLinkLookAhead = 500;
// Answers of a local run that may wait.
constexpr size_t kLateAnswers = 512;

Segment* Generator::segment_of(int32_t ndx, std::shared_ptr<Segment>& keep) const {
  for (const auto& segment : segments_)
    if (segment->holds(ndx)) {
      keep = segment;
      return segment.get();
    }
  return nullptr;
}

// Where -H asks who leads, lists become known one by one, as rsync's generator takes none up before it has worked
// through those it knows.
void Generator::know_next() {
  if (arrived_.empty()) return;
  std::shared_ptr<Segment> segment = std::move(arrived_.front());
  arrived_.pop_front();
  entries_ += segment->count();
  if (terms_.options.hard_links > 0) links_.arrived(segment);
  upcoming_.push_back(std::move(segment));
}

bool Generator::lists_come() {
  if (upcoming_.empty()) know_next();
  return upcoming_.empty() && !list_complete_;
}

Status Generator::on_event(Event event) {
  std::shared_ptr<Segment> segment;
  switch (event.what) {
    case Event::What::kSegment:
      arrived_.push_back(std::move(event.segment));
      if (terms_.options.hard_links == 0) know_next();
      return {};
    case Event::What::kListEof: list_complete_ = true; return {};
    case Event::What::kPhase: ++phases_seen_; return {};
    case Event::What::kClosed:
      if (!event.error.text.empty() || event.error.sys != 0 || event.error.fault != Fault::kSystem)
        return fail(std::move(event.error));
      closed_ = true;
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

// Waits for one event. It is an error if none will come any more, so that whoever waits for something cannot wait for
// ever.
Status Generator::take_one_event() {
  if (auto event = events_.try_pop()) return on_event(std::move(*event));
  TRY(transfers_.flush());
  while (!closed_) {
    auto event = events_.pop_for(std::chrono::milliseconds(500));
    TRY(terms_.stop.check());
    if (event) return on_event(std::move(*event));
    if (events_.closed()) return fail(Fault::kClosed, "the reading role has ended");
  }
  return fail(Fault::kStream, "the far side ended before the last phase");
}

Status Generator::take_events(bool wait) {
  if (wait) TRY(take_one_event());
  while (auto event = events_.try_pop()) TRY(on_event(std::move(*event)));
  return {};
}

// Waiting hard links whose groups lost their last members.
Status Generator::promote_leaderless() {
  while (!leaderless_.empty()) {
    const int32_t ndx = leaderless_.front();
    leaderless_.pop_front();
    std::shared_ptr<Segment> segment;
    if (!segment_of(ndx, segment)) continue;
    Entry& waiting = segment->by_ndx(ndx);
    // A later member may lead by now.
    if (links_.group_of(waiting).state == HardLinks::State::kOpen) TRY(promote_waiting(waiting));
  }
  return {};
}

Status Generator::redo_pending() {
  TRY(promote_leaderless());
  while (!redo_.empty()) {
    const int32_t ndx = redo_.front();
    redo_.pop_front();
    std::shared_ptr<Segment> segment;
    if (!segment_of(ndx, segment)) continue;
    --segment->to_redo;
    TRY(handle(segment, segment->by_ndx(ndx), ndx, true, Attempt::kRedo));
  }
  return {};
}

Status Generator::release_finished() {
  if (!terms_.agreed.incremental) return {};
  while (!segments_.empty() && segments_.front() != current_) {
    const std::shared_ptr<Segment> oldest = segments_.front();
    if (oldest->in_progress > 0 || oldest->to_redo > 0) return {};
    const bool last = segments_.size() == 1 && list_complete_ && upcoming_.empty() && arrived_.empty();
    if (!last && segments_.size() == 1 && !current_) return {};
    if (last)
      TRY(transfers_.phase_done());
    else
      TRY(transfers_.list_done());
    if (oldest->parent) {
      // Deletions that come late move directory times again. So may directories for backups, but from here on rsync
      // does not look after that.
      if (terms_.delete_mode == DeleteMode::kDelay)
        late_dirs_.push_back(oldest->parent);
      else {
        const std::string path(oldest->parent->path());
        TRY(touch_up(oldest->parent->entry, path));
        if (const auto done = touched_.find(path == "." ? std::string_view() : std::string_view(path));
            done != touched_.end()) {
          touched_.erase(done);
          last_touched_.reset();
        }
      }
    }
    segments_.pop_front();
    // What lists left between things that stay is given back now and then (of 2.4 MiB in a first copy of a million
    // files, 0.2).
    constexpr int kListsBetween = 32;
    if (++lists_released_ % kListsBetween == 0) ::malloc_trim(64 * 1024);
  }
  return {};
}

// What a receiver keeps of files moves the times of directories whose lists were over by then; what the generator
// itself keeps does not. A local run plays both at once.
Status Generator::release_before_backup() { return terms_.local && backups_below_ ? release_finished() : Status(); }

Status Generator::work_on(const std::shared_ptr<Segment>& segment) {
  current_ = segment;
  segments_.push_back(segment);
  if (terms_.local && backups_below_) TRY(take_events(false));  // see release_before_backup()
  remover_.note_io_error(segment->io_error);
  const bool during = terms_.delete_mode == DeleteMode::kDuring || terms_.delete_mode == DeleteMode::kDelay;
  if (terms_.agreed.incremental && segment->parent) {
    DirNode& node = *segment->parent;
    TRY(handle(segment, node.entry, segment->first_ndx() - 1, true, Attempt::kFirst));
    const bool walks = during && !destination_.missing() && !terms_.options.list_only && !node.entry.has(kMissingDir);
    if (walks && !node.entry.has(kContentDir)) TRY(remover_.pass(node.entry));
    if (walks && node.entry.has(kContentDir)) {
      const std::string path(node.path());
      const int64_t before = remover_.counts().total();
      TRY(remover_.delete_in(path, *segment, node.entry.has(kTopDir)));
      if (remover_.counts().total() != before) touched(path == "." ? std::string_view() : std::string_view(path));
    }
  }
  for (int32_t i = 0; i < segment->count(); ++i) {
    Entry& entry = segment->sorted(i);
    if (!entry.active()) continue;
    TRY(handle(segment, entry, segment->ndx_of_sorted(i), !terms_.agreed.incremental || !entry.is_dir(),
               Attempt::kFirst));
    // Answers of our own hands are there at once; rsync's generator would not have them yet, and its lines tell.
    if (!events_.empty() && (!terms_.local || events_.size() > kLateAnswers)) TRY(take_events(false));
    if (terms_.stop.requested()) return terms_.stop.check();
    while (transfers_.wants_pause()) TRY(take_events(true));
    TRY(release_finished());
  }
  return {};
}

// Directories for backups may be made anywhere on the way to them, which changes the time of where they are made.
void Generator::expect_backup_dirs() {
  std::string_view below = terms_.options.backup_dir;
  if (!terms_.options.backup || below.empty()) return;
  const std::string top = destination_.absolute() == "/" ? "/" : destination_.absolute() + "/";
  if (below[0] == '/') {
    if (!below.starts_with(top)) return;
    below.remove_prefix(top.size());
  }
  backups_below_ = true;
  touched_.emplace();
  for (size_t slash = below.find('/'); slash != std::string_view::npos; slash = below.find('/', slash + 1))
    touched_.emplace(below.substr(0, slash));
}

Status Generator::run() {
  expect_backup_dirs();
  while (lists_come()) TRY(take_events(true));
  if (terms_.delete_mode == DeleteMode::kBefore && !upcoming_.empty() && upcoming_.front()->count() > 0) {
    remover_.note_io_error(upcoming_.front()->io_error);
    TRY(remover_.delete_everywhere(*upcoming_.front()));
    for (int32_t i = 0; i < upcoming_.front()->count(); ++i) {
      const Entry& entry = upcoming_.front()->sorted(i);
      if (entry.is_dir() && entry.has(kContentDir)) touched(entry.is_root() ? std::string() : entry.path());
    }
  }
  terms_.reporter.trace(Debug::kGenr, 1, "generator starting pid={}", ::getpid());
  terms_.reporter.debug_line_if(
      Debug::kFlist, 1,
      fmt::format("delta-transmission {}",
                  terms_.whole_file ? "disabled for local transfer or --whole-file" : "enabled"));
  std::shared_ptr<Segment> whole_list;
  while (!upcoming_.empty()) {
    if (terms_.options.hard_links > 0 && terms_.agreed.incremental)
      while (entries_ < kLinkLookAhead && !(list_complete_ && arrived_.empty())) {
        if (arrived_.empty()) TRY(take_one_event());
        know_next();
      }
    if (terms_.options.hard_links > 0 && terms_.agreed.incremental)
      for (const auto& known : upcoming_) remover_.note_io_error(known->io_error);
    const std::shared_ptr<Segment> next = upcoming_.front();
    upcoming_.pop_front();
    TRY(work_on(next));
    whole_list = next;
    if (!terms_.agreed.incremental) break;
    while (terms_.local && lists_come()) TRY(take_one_event());
    if (terms_.local && !upcoming_.empty() && events_.size() <= kLateAnswers) continue;
    for (;;) {
      TRY(take_events(false));
      TRY(redo_pending());
      TRY(release_finished());
      if (!lists_come()) break;
      TRY(take_events(true));
    }
  }
  if (!terms_.agreed.incremental) {
    TRY(promote_leaderless());  // before the phase is over: what comes later counts as sent again
    TRY(transfers_.phase_done());
  } else {
    current_ = nullptr;
  }
  remover_.end_walk();
  working_phase_ = 1;
  terms_.reporter.trace(Debug::kGenr, 1, "generate_files phase={}", 1);
  const auto wait_for = [&](int phases) -> Status {
    for (;;) {
      TRY(take_events(false));
      TRY(redo_pending());
      TRY(release_finished());
      if (phases_seen_ >= phases) return {};
      TRY(take_events(true));
    }
  };
  TRY(wait_for(1));
  terms_.reporter.trace(Debug::kGenr, 1, "generate_files phase={}", 2);

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
    terms_.reporter.trace(Debug::kGenr, 1, "generate_files phase={}", 3);
    TRY(wait_for(3));
  }
  remover_.note_io_error(terms_.reporter.state().io_error);
  if (terms_.delete_mode == DeleteMode::kDelay) TRY(remover_.delete_remembered());
  if (terms_.delete_mode == DeleteMode::kAfter && whole_list && whole_list->count() > 0)
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
    touched(node->path() == "." ? std::string_view() : node->path());
    TRY(touch_up(node->entry, std::string(node->path())));
  }
  if (!agreed.incremental && whole_list) {
    for (int32_t i = 0; i < whole_list->count(); ++i) {
      const Entry& entry = whole_list->sorted(i);
      if (!entry.is_dir()) continue;
      if (late || terms_.delete_mode != DeleteMode::kNone || delayed)
        touched(entry.is_root() ? std::string() : entry.path());
      TRY(touch_up(entry, entry.path()));
    }
  }
  terms_.reporter.trace(Debug::kGenr, 1, "generate_files finished");
  return {};
}

}  // namespace ocsync::sync
