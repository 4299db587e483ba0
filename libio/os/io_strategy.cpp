// The rules that are more than a number.
#include "libio/os/io_strategy.h"

#include <sys/utsname.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include <fmt/format.h>

#include <fcntl.h>

#include "libio/base/adaptive_buffer.h"
#include "libio/os/placement.h"
#include "libio/os/ring.h"
#include "libio/os/sys.h"

namespace ocsync::io::strategy {

bool kernel_copy_pays(uint64_t file_system_kind) {
  switch (file_system_kind) {
    case 0x6969:      // NFS: server-side copy since 4.2
    case 0x517B:      // SMB
    case 0xFF534D42:  // CIFS
    case 0xFE534D42:  // SMB2
    case 0x00C36400:  // Ceph
      return true;
    default: return false;
  }
}

namespace {

// Major and minor number of the running kernel as one number; 0 if it does not say.
int kernel_version() {
  utsname name;
  int major = 0;
  int minor = 0;
  if (::uname(&name) != 0 || std::sscanf(name.release, "%d.%d", &major, &minor) != 2) return 0;
  return major * 1000 + minor;
}

}  // namespace

bool mapped_scan_pays(uint64_t file_system_kind) {
  static const int version = kernel_version();
  switch (file_system_kind) {
    case 0xEF53: return version >= 6'016;      // ext4 has large folios since 6.16
    case 0x58465342: return version >= 6'000;  // xfs since 5.18
    default: return false;
  }
}

}  // namespace ocsync::io::strategy

namespace ocsync::io {

IoStrategy::IoStrategy(const IoWishes& wishes, IoMetrics& metrics) : wishes_(wishes), metrics_(metrics) {
  const BufferPool::Manner manner{.keeps = wishes.has(IoPart::kPool),
                                  .prepare = wishes.has(IoPart::kHuge) ? &sys::prefer_huge_pages : nullptr};
  for (unsigned node = 0; node < node_count(); ++node) pools_.push_back(std::make_unique<BufferPool>(manner));
}

IoStrategy::~IoStrategy() {
  for (const auto& pool : pools_) {
    const BufferPool::Stats stats = pool->stats();
    IoMetrics::add(metrics_.buffers, stats.hits + stats.misses);
    IoMetrics::add(metrics_.buffers_made, stats.misses);
    IoMetrics::add(metrics_.buffer_bytes, stats.bytes_created);
  }
}

Buffer IoStrategy::buffer(size_t bytes) {
  const size_t node = pools_.size() == 1 ? 0 : std::min<size_t>(current_node(), pools_.size() - 1);
  return pools_[node]->acquire(bytes);
}

size_t IoStrategy::buffer_size(std::optional<uint64_t> file_bytes) const {
  return uses(IoPart::kAdaptive) ? AdaptiveBuffer(file_bytes).bytes() : strategy::kCopyBuffer;
}

bool IoStrategy::maps(const File& file, uint64_t size) const {
  if (uses(IoPart::kMapAlways)) return size > strategy::kSequentialWindow;
  return uses(IoPart::kMap) && size >= strategy::kLeastMapped &&
         strategy::mapped_scan_pays(sys::file_system_kind(file.fd()));
}

bool IoStrategy::copies_in_kernel(uint64_t from_kind, uint64_t to_kind) const {
  return uses(IoPart::kKernelCopy) && strategy::kernel_copy_pays(from_kind) && strategy::kernel_copy_pays(to_kind);
}

Result<size_t> IoStrategy::first_read(const File& file, MutableBytes into, uint64_t offset) {
  // A read that must not wait costs no more than one that may; only where it is refused there are two.
  if (!uses(IoPart::kAhead) || cannot_tell_.load(std::memory_order_relaxed)) return file.read_at(into, offset);
  const Result<size_t> got = sys::read_at_nowait(file.fd(), into, offset);
  if (got) {
    IoMetrics::add(metrics_.prompt);
    if (const int left = cold_for_.load(std::memory_order_relaxed); left > 0)
      cold_for_.store(left - 1, std::memory_order_relaxed);
    return got;
  }
  if (got.error().sys == EAGAIN) {
    IoMetrics::add(metrics_.stalls);
    cold_for_.store(strategy::kColdFor, std::memory_order_relaxed);
  } else {
    cannot_tell_.store(true, std::memory_order_relaxed);
  }
  return file.read_at(into, offset);
}

void IoStrategy::expect(const File& file, uint64_t bytes) {
  if (bytes == 0) return;
  IoMetrics::add(metrics_.expected);
  sys::advise(file.fd(), 0, std::min(bytes, strategy::kExpectAtMost), POSIX_FADV_WILLNEED);
}

void IoStrategy::say_once(std::string_view line) {
  if (say_ && !said_.exchange(true)) say_(line);
}

std::unique_ptr<Ring> IoStrategy::make_ring(IoPart purpose) {
  if (!uses(purpose)) return nullptr;
  if (const char* preloaded = std::getenv("LD_PRELOAD");
      purpose == IoPart::kNames && !uses(IoPart::kRing) && preloaded != nullptr && *preloaded != '\0') {
    say_once("a library is preloaded; names are looked at by plain calls");
    return nullptr;
  }
  auto ring = Ring::create(
      {.entries = wishes_.depth, .poll_us = wishes_.poll_us, .sqpoll = uses(IoPart::kSqpoll), .metrics = &metrics_});
  if (ring) return std::make_unique<Ring>(*std::move(ring));
  IoMetrics::add(metrics_.ring_refusals);
  const Error& error = ring.error();
  say_once(error.sys == 0 ? error.text + "; plain calls are used"
                          : fmt::format("{} ({}); plain calls are used", error.text, std::strerror(error.sys)));
  return nullptr;
}

}  // namespace ocsync::io
