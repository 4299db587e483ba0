// What the I/O layer of one run did, counted. Any thread may add; read when the run is over.
#pragma once

#include <atomic>
#include <cstdint>

namespace ocsync::io {

struct IoMetrics {
  using Count = std::atomic<uint64_t>;
  // Bytes of file content by the way they took. Cloned and copied inside the kernel: they never were in our memory.
  Count plain{0}, mapped{0}, ring{0}, cloned{0}, kernel{0};
  Count windows{0}, windows_refused{0},
      shrunk{0};  // mapped; refused and read instead; files that became shorter under us
  Count buffers{0}, buffers_made{0}, buffer_bytes{0};  // taken; of these not from the pool; how much was made
  // Files that were asked for ahead; first reads that found what they wanted in memory; those that waited for the disk.
  Count expected{0}, prompt{0}, stalls{0};
  Count dropped{0};                                             // bytes whose pages were given up
  Count batches{0}, operations{0}, depth{0}, ring_refusals{0};  // of rings; depth is the most in flight at once
  Count wire_calls{0}, wire_bytes{0};                           // writes to the far side

  static void add(Count& count, uint64_t n = 1) { count.fetch_add(n, std::memory_order_relaxed); }
  static void raise(Count& count, uint64_t to) {
    for (uint64_t now = count.load(std::memory_order_relaxed); now < to && !count.compare_exchange_weak(now, to);) {
    }
  }
};

}  // namespace ocsync::io
