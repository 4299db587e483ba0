// Threads that copy, and whose turn it is to speak.
#include "libsync/receiver/copy_workers.h"

#include <fmt/format.h>

#include "libio/os/copy.h"
#include "libio/os/io_strategy.h"
#include "libio/os/placement.h"
#include "libio/os/ring.h"

namespace ocsync::sync {

namespace {
constexpr size_t kWaitingJobs = 64;           // each holds two descriptors
constexpr int64_t kStagedAtMost = 128 << 10;  // larger files are read while they are written
constexpr size_t kStagedTogether = 1 << 20;   // what one batch may hold in memory
constexpr size_t kCompany = 4;                // a sleeping thread is woken for so many small jobs at once ...
constexpr int64_t kWorthWaking = 1 << 20;     // ... or for one of this size
}  // namespace

Result<std::optional<uint64_t>> copy_into(CopyJob& job, const Terms& terms, const SourceView& sources,
                                          const Destination& destination, Placer& placer) {
  const Entry& entry = *job.request.entry;
  const io::CopyOptions options{.sparse = terms.options.sparse,
                                .preallocate = terms.options.preallocate,
                                .content = job.content,
                                .io = terms.io.get()};
  const auto copied =
      io::copy_content(job.source, job.output.file(), static_cast<uint64_t>(entry.size), options, terms.stop);
  if (!copied) {
    const Error& error = copied.error();
    if (error.fault == Fault::kFileIo) {
      placer.abandon(std::move(job.output), job.request);
      return fail(Fault::kFileIo, fmt::format("write failed on {}", destination.shown(job.request.path)), error.sys);
    }
    if (error.fault == Fault::kInterrupted || error.fault == Fault::kUser1) {
      placer.abandon(std::move(job.output), job.request);
      return fail(error);
    }
    terms.reporter.state().io_error |= 1;
    terms.reporter.error_transfer(Role::kSender, fmt::format("read errors mapping {}", sources.shown(entry)),
                                  error.sys);
    return std::optional<uint64_t>();
  }
  if (job.output.in_place && !job.output.device) TRY(job.output.file().truncate(copied->bytes));
  terms.totals.literal_bytes += static_cast<int64_t>(copied->bytes);
  terms.totals.total_sent += static_cast<int64_t>(copied->bytes);
  return std::optional<uint64_t>(copied->bytes);
}

namespace {

bool is_small(const CopyJob& job) { return job.request.entry->size <= kStagedAtMost; }
// One byte more than expected shows whether it has grown.
size_t room_for(const CopyJob& job) { return static_cast<size_t>(std::max<int64_t>(job.request.entry->size, 0)) + 1; }

// The content of several small sources, read by one batch.
class StagedReads {
 public:
  template <class Jobs>
  StagedReads(io::Ring& ring, io::IoStrategy& io, Jobs& jobs) {
    size_t total = 0;
    for (const auto& queued : jobs) total += room_for(queued.job);
    memory_ = io.buffer(total);
    std::vector<io::Ring::Read> reads;
    size_t at = 0;
    for (const auto& queued : jobs) {
      reads.push_back({&queued.job.source, 0, memory_.bytes().subspan(at, room_for(queued.job)), size_t{0}});
      at += room_for(queued.job);
    }
    ring.read_batch(reads);
    for (size_t i = 0; i < reads.size(); ++i)
      if (reads[i].outcome) jobs[i].job.content = reads[i].into.first(*reads[i].outcome);
  }

 private:
  Buffer memory_;
};

}  // namespace

CopyWorkers::CopyWorkers(const Terms& terms, const FilterRules& filters, const SourceView& sources,
                         Destination& destination, Events& events, unsigned threads)
    : terms_(terms),
      filters_(filters),
      sources_(sources),
      destination_(destination),
      events_(events),
      count_(threads) {}

CopyWorkers::~CopyWorkers() {
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
  }
  filled_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

void CopyWorkers::start() {
  threads_.reserve(count_);
  const bool pins = terms_.io->uses(io::IoPart::kPin);
  for (unsigned i = 0; i < count_; ++i)
    threads_.emplace_back([this, i, pins] {
      if (pins) (void)io::pin_to_one_of(terms_.io->wishes().cpus, i + 1);  // the first is left to who asks
      work();
    });
}

Status CopyWorkers::state() {
  if (failed_) return fail(*failed_);
  return {};
}

Status CopyWorkers::submit(CopyJob job) {
  if (threads_.empty()) start();
  const bool large = job.request.entry->size >= kWorthWaking;
  std::unique_lock lock(mutex_);
  if (waiting_.size() >= kWaitingJobs) {
    // Half of them are to go first, so that the two sides do not take turns at every file.
    asker_waits_ = true;
    space_.wait(lock, [&] { return waiting_.size() <= kWaitingJobs / 2 || failed_; });
    asker_waits_ = false;
  }
  TRY(state());
  // While reads wait for a disk, it gets to know of files before their turn comes.
  if (terms_.io->cold()) terms_.io->expect(job.source, static_cast<uint64_t>(job.request.entry->size));
  waiting_.push_back(Queued{std::move(job), next_turn_++});
  over_.push_back(false);
  const bool wakes = idle_ > 0 && (large || waiting_.size() >= kCompany);
  lock.unlock();
  if (wakes) filled_.notify_one();
  return {};
}

Status CopyWorkers::wake() {
  const std::lock_guard lock(mutex_);
  if (idle_ > 0 && !waiting_.empty()) filled_.notify_all();
  return state();
}

Status CopyWorkers::wait_idle() {
  std::unique_lock lock(mutex_);
  filled_.notify_all();
  asker_waits_ = true;
  space_.wait(lock, [&] { return first_turn_ == next_turn_ || failed_; });
  asker_waits_ = false;
  return state();
}

void CopyWorkers::work() {
  Destination destination = destination_.clone();
  Backups backups(terms_, filters_, destination, Role::kReceiver);
  Placer placer(terms_, destination, backups, Role::kReceiver);
  const std::unique_ptr<io::Ring> ring = terms_.io->make_ring(io::IoPart::kRing);
  std::unique_lock lock(mutex_);
  for (;;) {
    if ((waiting_.empty() || failed_) && !ending_) {
      ++idle_;
      filled_.wait(lock);
      --idle_;
      continue;
    }
    if (ending_) return;
    std::deque<Queued> batch;
    batch.push_back(std::move(waiting_.front()));
    waiting_.pop_front();
    if (ring) take_company(batch);
    const bool freed = asker_waits_ && waiting_.size() <= kWaitingJobs / 2;
    lock.unlock();
    if (freed) space_.notify_one();
    std::optional<StagedReads> staged;  // outlives the jobs that look at it
    if (batch.size() > 1) staged.emplace(*ring, *terms_.io, batch);
    bool over = false;
    while (!batch.empty() && !over) {
      Queued next = std::move(batch.front());
      batch.pop_front();
      finish(std::move(next), placer);
      const std::lock_guard again(mutex_);
      over = failed_.has_value() || ending_;
    }
    batch.clear();  // what a failure left over is dropped like what still waits
    lock.lock();
  }
}

void CopyWorkers::take_company(std::deque<Queued>& batch) {
  // A device may make a reader wait for ever.
  if (terms_.options.copy_devices || !is_small(batch.front().job)) return;
  const size_t most = std::min<size_t>(terms_.io->wishes().depth, kWaitingJobs / 2);
  size_t total = room_for(batch.front().job);
  while (batch.size() < most && !waiting_.empty() && is_small(waiting_.front().job)) {
    total += room_for(waiting_.front().job);
    if (total > kStagedTogether) return;
    batch.push_back(std::move(waiting_.front()));
    waiting_.pop_front();
  }
}

void CopyWorkers::finish(Queued next, Placer& placer) {
  const int32_t ndx = next.job.request.ndx;
  Result<Event::What> what = Event::What::kFailed;
  {
    const auto turn = terms_.reporter.in_turn([this, turn = next.turn] { wait_for_turn(turn); });
    what = carry_out(next.job, placer);
  }
  // Everything the job holds is given up before it counts as over.
  {
    const CopyJob done = std::move(next.job);
  }
  if (!what) {
    const std::lock_guard again(mutex_);
    if (!failed_) failed_ = what.error();
  }
  // Whoever waits for idleness takes it that all answers are there.
  (void)events_.push(Event{.what = what ? *what : Event::What::kFailed, .ndx = ndx});
  is_over(next.turn);
}

Result<Event::What> CopyWorkers::carry_out(CopyJob& job, Placer& placer) {
  if (!TRY(copy_into(job, terms_, sources_, destination_, placer))) return Event::What::kFailed;
  job.source.close();
  const Placed placed = placer.finish(std::move(job.output), job.request, true);
  if (placer.fatal()) return fail(*placer.fatal());
  return placed == Placed::kFailed ? Event::What::kFailed : Event::What::kDone;
}

void CopyWorkers::wait_for_turn(uint64_t turn) {
  std::unique_lock lock(mutex_);
  ++turn_waiters_;
  turned_.wait(lock, [&] { return first_turn_ >= turn || failed_ || ending_; });
  --turn_waiters_;
}

void CopyWorkers::is_over(uint64_t turn) {
  bool turned = false, wakes = false;
  {
    const std::lock_guard lock(mutex_);
    over_[turn - first_turn_] = true;
    while (!over_.empty() && over_.front()) {
      over_.pop_front();
      ++first_turn_;
    }
    turned = turn_waiters_ > 0;
    wakes = asker_waits_ && (first_turn_ == next_turn_ || failed_);
  }
  if (turned) turned_.notify_all();
  if (wakes) space_.notify_one();
}

}  // namespace ocsync::sync
