// Local copies finished on other threads: content, attributes and place of files that the generator's thread has
// opened.
//
// Sources and outputs are opened, and lines of output held, in the order of the list by the thread that asks; what
// takes long happens here. What workers have to say (failures) waits until every earlier job is over, so that messages
// come in the order of the list, too. Made, used and destroyed by one thread.
#pragma once

#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "libsync/receiver/place.h"
#include "libsync/receiver/request.h"
#include "libsync/sender/source.h"

namespace ocsync::sync {

struct CopyJob {
  Request request;
  io::File source;
  Output output;
  std::optional<Bytes> content;  // of the source, if it was read already
};

// The content of one file. How many bytes arrived; nothing if the source could not be read (that is reported). An error
// ends the run, and the output has been kept as far as --partial asks for that.
Result<std::optional<uint64_t>> copy_into(CopyJob& job, const Terms& terms, const SourceView& sources,
                                          const Destination& destination, Placer& placer);

class CopyWorkers {
 public:
  // Each job is answered by one event. No thread is started before the first job.
  CopyWorkers(const Terms& terms, const FilterRules& filters, const SourceView& sources, Destination& destination,
              Events& events, unsigned threads);
  // Drops what still waits (hidden files vanish) and joins.
  ~CopyWorkers();
  CopyWorkers(const CopyWorkers&) = delete;
  CopyWorkers& operator=(const CopyWorkers&) = delete;

  // Waits while too many jobs do. These three return the error that ends the run, once a worker met one.
  Status submit(CopyJob job);
  // No more jobs will come for a while: nothing is kept back for company.
  Status wake();
  // Until every job is over.
  Status wait_idle();

 private:
  struct Queued {
    CopyJob job;
    uint64_t turn;
  };
  void start();
  void work();
  // With a ring: more small jobs behind `first`, in order, as far as they wait; with the lock held.
  void take_company(std::deque<Queued>& batch);
  void finish(Queued job, Placer& placer);
  Result<Event::What> carry_out(CopyJob& job, Placer& placer);
  void wait_for_turn(uint64_t turn);
  void is_over(uint64_t turn);
  Status state();  // with the lock held

  const Terms& terms_;
  const FilterRules& filters_;
  const SourceView& sources_;
  Destination& destination_;
  Events& events_;
  const unsigned count_;
  std::vector<std::thread> threads_;

  std::mutex mutex_;
  std::condition_variable filled_, space_, turned_;
  std::deque<Queued> waiting_;
  unsigned idle_ = 0;        // threads that wait for jobs
  std::deque<bool> over_;    // of jobs from first_turn_ on
  uint64_t first_turn_ = 0;  // the oldest job that is not over
  uint64_t next_turn_ = 0;
  unsigned turn_waiters_ = 0;
  bool asker_waits_ = false;
  bool ending_ = false;
  std::optional<Error> failed_;
};

}  // namespace ocsync::sync
