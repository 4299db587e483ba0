// What a user may wish of the I/O layer: the words of --io. Plain values, never changed after parsing.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "libio/base/result.h"

namespace ocsync::io {

// Mechanisms that can be switched one by one, each by its word, or "no-" and its word.
enum class IoPart : uint8_t {
  kMap,          // map: large files that are read once, where the rules say that mapping pays
  kMapAlways,    // map-always: ... whatever the rules say
  kRing,         // ring: batches of small files through io_uring
  kNames,        // names: the names of a directory are looked at in batches through io_uring
  kGather,       // gather: frames and payloads leave in one writev() without being copied together
  kAdaptive,     // adaptive: buffers follow the size of the file
  kPool,         // pool: buffers are used again
  kAhead,        // ahead: ask for what comes next when reads have to wait for a disk
  kAheadAlways,  // ahead-always: ... without waiting for that
  kDrop,         // drop: forget pages of large files behind us
  kClone,        // clone: share blocks where the file system can
  kKernelCopy,   // kernel: copy inside the kernel where that is known to pay
  kHuge,         // huge: huge pages for large buffers
  kPin,          // pin: workers stay on one processor
  kSqpoll,       // sqpoll: a kernel thread takes what is submitted to a ring
  kCount
};

struct IoWishes {
  uint32_t parts = 0;          // bit per IoPart
  unsigned depth = 64;         // operations of a ring in flight, files asked for ahead
  unsigned poll_us = 0;        // how long a ring spins for completions before it sleeps
  unsigned ahead_kib = 8192;   // how far ahead of the reader of one file
  std::vector<unsigned> cpus;  // for `pin`; empty: all

  IoWishes() : IoWishes(automatic()) {}
  bool has(IoPart part) const { return (parts >> static_cast<unsigned>(part) & 1) != 0; }
  void set(IoPart part, bool on);

  // Words separated by commas, each acting on what the ones before it left: a preset (auto, plain, ring, map), a
  // mechanism or "no-" and a mechanism, depth=N (1..4096), poll=MICROSECONDS (0..10000), ahead=KIB (64..1048576), or
  // cpus=N+N-N (implies pin). A word that is none of these is Fault::kUsage.
  static Result<IoWishes> parse(std::string_view text);
  static std::string help_text();

 private:
  explicit IoWishes(uint32_t bits) : parts(bits) {}
  static IoWishes automatic();
  static bool preset(std::string_view word, IoWishes& wishes);
  Status number_word(std::string_view name, std::string_view value);
};

}  // namespace ocsync::io
