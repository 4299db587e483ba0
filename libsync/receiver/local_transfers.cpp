#include "libsync/receiver/local_transfers.h"

#include <fmt/format.h>

#include "libio/base/clock.h"
#include "libio/os/copy.h"
#include "libsync/list/facts.h"
#include "libsync/report/progress.h"

namespace ocsync::sync {

namespace {
constexpr size_t kHeldLines = 3000;
constexpr int64_t kHeldMs = 100;
constexpr int64_t kLargeFile = 8 << 20;
constexpr int kCopiedHere = 4;  // so many files are copied before threads are started for more
constexpr unsigned kMostWorkers = 4;

// Where lines show a file's progress or figures, or files depend on each other (partial directories, removed sources,
// similar names, what --max-delete leaves for backups to clear), one thread does everything in order.
bool workers_may_help(const Terms& terms) {
  const Options& o = terms.options;
  return !o.dry_run && o.partial_dir.empty() && !o.delay_updates && o.fuzzy == 0 && !o.remove_source_files &&
         !o.remove_sent_files && !(o.backup && o.max_delete) && !terms.progress->enabled() &&
         !terms.reporter.shows_transfer_figures();
}
}  // namespace

LocalTransfers::LocalTransfers(const Terms& terms, const FilterRules& filters, const Scanner& scanner,
                               Destination& destination, Events& events)
    : terms_(terms),
      filters_(filters),
      sources_(terms, scanner),
      destination_(destination),
      events_(events),
      backups_(terms, filters, destination, Role::kReceiver),
      placer_(terms, destination, backups_, Role::kReceiver) {}

// Whether further files go to other threads.
bool LocalTransfers::has_workers() {
  if (workers_ || copied_here_ < kCopiedHere) return workers_ != nullptr;
  if (!workers_tried_) {
    workers_tried_ = true;
    // This thread is busy with looking and opening itself.
    const unsigned cores = std::thread::hardware_concurrency();
    if (cores > 1 && workers_may_help(terms_))
      workers_ = std::make_unique<CopyWorkers>(terms_, filters_, sources_, destination_, events_,
                                               std::min(cores - 1, kMostWorkers));
  }
  return workers_ != nullptr;
}

void LocalTransfers::show(const Held& line, Moment moment) {
  const std::string path = line.entry->has(kRooted) ? "/" + line.entry->path() : line.entry->path();
  const std::string full = sources_.full_path(*line.entry);
  ItemFacts facts = facts_of(*line.entry, path, full, line.item);
  facts.data_bytes = line.data_bytes;
  facts.we_send = true;
  facts.local_run = true;
  facts.gid_known = true;  // to a sender
  if (const Extras* extras = line.entry->extras(); extras && extras->keeps_sent) {
    facts.uid = extras->sent_uid;
    facts.gid = extras->sent_gid;
  }
  if (moment == Moment::kOnly) {
    terms_.reporter.item(facts);
    return;
  }
  if (moment != Moment::kDone) terms_.reporter.transfer_starts(facts);
  if (moment != Moment::kStart) terms_.reporter.transfer_done(facts);
}

Status LocalTransfers::flush() {
  for (const Held& line : held_) show(line, line.transferred ? Moment::kBoth : Moment::kOnly);
  held_.clear();
  return workers_ ? workers_->wake() : Status();
}

Status LocalTransfers::hold(Held line) {
  const int64_t now = monotonic_ms();
  if (held_.empty()) held_since_ms_ = now;
  held_.push_back(std::move(line));
  if (held_.size() >= kHeldLines || now - held_since_ms_ > kHeldMs) return flush();
  return {};
}

// What a sender and a receiver would say of it.
void LocalTransfers::trace_item(int32_t ndx, const Entry& entry) {
  Reporter& reporter = terms_.reporter;
  if (reporter.traces(Debug::kSend, 1))
    reporter.trace(Debug::kSend, 1, "send_files({}, {})", ndx, sources_.full_path(entry));
  if (reporter.traces(Debug::kRecv, 1)) reporter.trace(Debug::kRecv, 1, "recv_files({})", destination_.path_of(entry));
}

Status LocalTransfers::report(int32_t ndx, const std::shared_ptr<Segment>& segment, Entry& entry,
                              const proto::Item& item) {
  trace_item(ndx, entry);
  terms_.totals.total_received += 4;
  terms_.totals.total_sent += 4;
  if (item.flags & proto::kIsNew) terms_.totals.created.add(entry.mode);
  return hold(Held{.segment = segment, .entry = &entry, .item = item});
}

Status LocalTransfers::request(Request request) {
  Entry& entry = *request.entry;
  if (request.item.flags & proto::kIsNew) terms_.totals.created.add(entry.mode);
  ++terms_.totals.transferred_files;
  terms_.totals.transferred_size += entry.size;
  terms_.totals.total_received += 19;
  terms_.totals.total_sent += 35;
  if (terms_.options.dry_run) return hold(Held{.segment = request.segment, .entry = &entry, .item = request.item});
  return copy(request);
}

Status LocalTransfers::copy(Request& request) {
  const Options& o = terms_.options;
  Entry& entry = *request.entry;
  trace_item(request.ndx, entry);
  auto source = sources_.open(entry);
  if (!source) {
    TRY(flush());
    if (source.error().sys == ENOENT) {
      terms_.reporter.state().io_error |= 2;
      terms_.reporter.warning_line(fmt::format("file has vanished: {}", sources_.shown(entry)));
    } else {
      terms_.reporter.state().io_error |= 1;
      terms_.reporter.error_transfer(Role::kSender, fmt::format("send_files failed to open {}", sources_.shown(entry)),
                                     source.error().sys);
    }
    return answer(Event::What::kFailed, request.ndx);
  }
  // A line is held only while nobody would wait for it.
  Held shown{.segment = request.segment, .entry = &entry, .item = request.item, .transferred = true};
  auto output = placer_.open(request);
  if (!output) {
    // A sender would have shown it before it could know.
    TRY(hold(std::move(shown)));
    return answer(Event::What::kFailed, request.ndx);
  }
  const bool at_once = entry.size >= kLargeFile || terms_.progress->enabled();
  CopyJob job{.request = std::move(request), .source = std::move(*source), .output = std::move(*output)};
  if (has_workers()) {
    shown.data_bytes = static_cast<uint64_t>(entry.size);
    if (at_once) {
      TRY(flush());
      show(shown, Moment::kBoth);
    } else {
      TRY(hold(std::move(shown)));
    }
    return workers_->submit(std::move(job));
  }
  ++copied_here_;
  if (at_once) {
    TRY(flush());
    show(shown, Moment::kStart);
  }
  const int32_t ndx = job.request.ndx;
  const Segment& segment = *shown.segment;
  Progress::File line;
  if (terms_.progress)
    line = terms_.progress->begin_file(segment.first_position + (ndx - segment.first_ndx()), entry.size);
  const auto bytes = copy_into(job, terms_, sources_, destination_, placer_);
  if (!bytes || !*bytes) {
    TRY(flush());
    if (!bytes) return fail(bytes.error());
    return answer(Event::What::kFailed, ndx);
  }
  line.advance(static_cast<int64_t>(**bytes));
  line.end();
  shown.data_bytes = **bytes;
  if (terms_.reporter.traces(Debug::kSend, 1))
    terms_.reporter.trace(Debug::kSend, 1, "sender finished {}", sources_.full_path(entry));
  if (at_once)
    show(shown, Moment::kDone);
  else
    TRY(hold(std::move(shown)));
  const Placed placed = placer_.finish(std::move(job.output), job.request, true);
  if (placer_.fatal()) return fail(*placer_.fatal());
  if (placed == Placed::kFailed) return answer(Event::What::kFailed, ndx);
  if (placed == Placed::kInPlace && (o.remove_source_files || o.remove_sent_files))
    remove_source(job.request.segment, entry);
  if (placed == Placed::kDelayed && entry.has(kLinked)) return {};
  return answer(Event::What::kDone, ndx);
}

Status LocalTransfers::phase_done() {
  if (workers_) TRY(workers_->wait_idle());
  if (phases_ < 2) {
    terms_.reporter.trace(Debug::kSend, 1, "send_files phase={}", phases_ + 1);
    terms_.reporter.trace(Debug::kRecv, 1, "recv_files phase={}", phases_ + 1);
  }
  std::vector<int32_t> linked;  // only once all are in place: see Receiver::place_delayed()
  if (++phases_ == 2)
    placer_.place_delayed([&](const Request& request) {
      if (request.entry->has(kLinked)) linked.push_back(request.ndx);
      if (terms_.options.remove_source_files || terms_.options.remove_sent_files)
        remove_source(request.segment, *request.entry);
    });
  for (const int32_t ndx : linked) (void)answer(Event::What::kDone, ndx);
  remove_arrived();
  return events_.push(Event{.what = Event::What::kPhase});
}

Status LocalTransfers::success(int32_t, const std::shared_ptr<Segment>& segment, Entry& entry, std::string_view) {
  remove_source(segment, entry);
  return {};
}

// Not at once: with -L a file may have several names in the list, and a sender beyond a wire has sent those that follow
// before it hears of success. As many wait as rsync lets be under way.
void LocalTransfers::remove_source(const std::shared_ptr<Segment>& segment, const Entry& entry) {
  constexpr int64_t kManyBytes = 128 * 1024;
  constexpr size_t kMostSmall = 50, kMostLarge = 10;
  arrived_.push_back(Arrived{segment, &entry, destination_.arrived(destination_.path_of(entry))});
  arrived_bytes_ += entry.size;
  while (arrived_.size() > (arrived_bytes_ >= kManyBytes ? kMostLarge : kMostSmall)) remove_oldest();
}

void LocalTransfers::remove_oldest() {
  const Arrived arrived = std::move(arrived_.front());
  arrived_.pop_front();
  arrived_bytes_ -= arrived.entry->size;
  sources_.remove(*arrived.entry, arrived.place);
}

void LocalTransfers::remove_arrived() {
  while (!arrived_.empty()) remove_oldest();
}

}  // namespace ocsync::sync
