// The rows of the I/O layer: each mechanism beside what it replaces. TMPDIR chooses the file system; it should be a
// disk for the cold rows. scripts/benchmark_io runs them, tests/bench/README.md explains the figures.
//
// A name is ROW/WAY[/SIZE...]: rows with the same ROW and SIZE are compared with each other.
#include <arpa/inet.h>
#include <benchmark/benchmark.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <string>
#include <thread>
#include <vector>

#include "libio/base/adaptive_buffer.h"
#include "libio/base/buffer_pool.h"
#include "libio/base/digest.h"
#include "libio/os/dir.h"
#include "libio/os/fd_stream.h"
#include "libio/os/io_strategy.h"
#include "libio/os/map_file.h"
#include "libio/os/read_ahead.h"
#include "libio/os/ring.h"
#include "libio/os/sys.h"
#include "libproto/frames.h"
#include "libproto/tokens.h"

using namespace ocsync;
using namespace ocsync::io;

namespace {

constexpr size_t kKiB = 1024;
constexpr size_t kMiB = 1024 * kKiB;

template <class T>
T need(Result<T> r) {
  if (!r) std::abort();
  return *std::move(r);
}
void need(const Status& s) {
  if (!s) std::abort();
}

struct Scratch {
  std::string path;
  Dir dir;
  std::vector<std::string> names;
  std::vector<Leaf> leaves;
  Scratch(size_t files, size_t bytes) {
    const char* wish = std::getenv("TMPDIR");
    path = std::string(wish != nullptr ? wish : "/tmp") + "/ocsync-bench-XXXXXX";
    if (::mkdtemp(path.data()) == nullptr) std::abort();
    dir = need(Dir::open_trusted(path));
    std::string content(bytes, 'x');
    for (size_t i = 0; i < content.size(); i += 64) content[i] = static_cast<char>(i * 2654435761u >> 20);
    for (size_t i = 0; i < files; ++i) names.push_back("file" + std::to_string(i));
    for (const std::string& name : names) {
      leaves.push_back(need(Leaf::check(name)));
      const File file = need(dir.create(leaves.back(), 0600));
      need(file.write_at(as_bytes(content), 0));
      need(file.sync());
    }
  }
  ~Scratch() { std::filesystem::remove_all(path); }
  File open(size_t i = 0) const { return need(dir.open_read(leaves[i])); }
  // Takes the files out of the page cache.
  void chill() const {
    for (size_t i = 0; i < leaves.size(); ++i) sys::advise(open(i).fd(), 0, 0, POSIX_FADV_DONTNEED);
  }
};

uint64_t touch(Bytes bytes) { return hash(DigestKind::kXxh3, bytes).data[0] == std::byte{0} ? 1 : 0; }

// --- map: one pass, one region again and again, cold seeks
// ------------------------------------------------------------

enum Way : int64_t { kPlain, kOurs, kForced };

void sequential(benchmark::State& state) {
  constexpr size_t kBytes = 64 * kMiB;
  static const Scratch s(1, kBytes);
  const File file = s.open();
  const size_t piece = static_cast<size_t>(state.range(1));
  std::vector<std::byte> buffer(piece);
  IoMetrics metrics;
  IoStrategy io(*IoWishes::parse(state.range(0) == kForced ? "map" : "auto"), metrics);
  for (auto _ : state) {
    uint64_t all = 0;
    if (state.range(0) == kPlain) {
      for (uint64_t at = 0; at < kBytes; at += piece) {
        need(file.read_full_at(buffer, at));
        all += touch(buffer);
      }
    } else {
      MapFile map(file, kBytes, MapFile::Access::kScan, &io);
      for (uint64_t at = 0; at < kBytes; at += piece) all += touch(need(map.view(at, piece)));
      need(map.intact());
    }
    benchmark::DoNotOptimize(all);
  }
  state.SetBytesProcessed(state.iterations() * int64_t{kBytes});
}
BENCHMARK(sequential)
    ->ArgNames({"way", "bytes"})
    ->ArgsProduct({{kPlain, kOurs, kForced}, {64 * kKiB, 256 * kKiB, 1 * kMiB, 4 * kMiB}});

void region(benchmark::State& state) {
  static const Scratch s(1, 4 * kMiB);
  const File file = s.open();
  std::vector<std::byte> buffer(64 * kKiB);
  MapFile map(file, 4 * kMiB, MapFile::Access::kRandom);
  for (auto _ : state) {
    uint64_t all = 0;
    for (int i = 0; i < 1000; ++i) {
      if (state.range(0) == kPlain) {
        need(file.read_full_at(buffer, kMiB));
        all += std::to_integer<uint64_t>(buffer[static_cast<size_t>(i)]);
      } else {
        all += std::to_integer<uint64_t>(need(map.view(kMiB, buffer.size()))[static_cast<size_t>(i)]);
      }
    }
    benchmark::DoNotOptimize(all);
  }
}
BENCHMARK(region)->ArgName("way")->Arg(kPlain)->Arg(kOurs);

void cold_seeks(benchmark::State& state) {
  constexpr size_t kBytes = 64 * kMiB;
  static const Scratch s(1, kBytes);
  std::vector<std::byte> buffer(4 * kKiB);
  for (auto _ : state) {
    state.PauseTiming();
    s.chill();
    const File file = s.open();
    state.ResumeTiming();
    uint64_t all = 0;
    uint32_t x = 12345;
    MapFile map(file, kBytes, state.range(0) == kForced ? MapFile::Access::kMapped : MapFile::Access::kRandom);
    for (int i = 0; i < 100; ++i) {
      x = x * 1664525 + 1013904223;
      const uint64_t at = (uint64_t{x} * (kBytes - buffer.size())) >> 32;
      if (state.range(0) == kPlain) {
        need(file.read_full_at(buffer, at));
        all += std::to_integer<uint64_t>(buffer[0]);
      } else {
        all += std::to_integer<uint64_t>(need(map.view(at, buffer.size()))[0]);
      }
    }
    benchmark::DoNotOptimize(all);
  }
}
BENCHMARK(cold_seeks)->ArgName("way")->Arg(kPlain)->Arg(kOurs)->Arg(kForced)->UseRealTime();

// --- gather: literals into frames, over a pipe that somebody empties
// ----------------------------------------------------

void frames(benchmark::State& state) {
  sys::Pipe pipe = need(sys::make_pipe());
  sys::enlarge_pipe(pipe.write_end.get(), kMiB);
  std::thread drain([&] {
    const Fd null(::open("/dev/null", O_WRONLY));
    while (::splice(pipe.read_end.get(), nullptr, null.get(), nullptr, kMiB, 0) > 0) {
    }
  });
  Activity activity;
  const Stop stop;
  {
    FdSink sink(pipe.write_end.get(), activity, stop);
    proto::MuxSink mux(sink);
    mux.enable();
    mux.gather(state.range(0) == kOurs);
    Writer out(mux);
    const auto tokens = proto::make_token_writer(proto::Agreement::from(31, 0));
    const std::vector<std::byte> content(256 * kKiB, std::byte{7});
    for (auto _ : state) {
      need(tokens->begin_file());
      for (int i = 0; i < 4; ++i) need(tokens->literal(content, out));
      need(tokens->end_file(out));
      need(out.flush());
    }
  }
  pipe.write_end.close();
  drain.join();
  state.SetBytesProcessed(state.iterations() * int64_t{kMiB});
  state.counters["calls_per_MiB"] =
      static_cast<double>(activity.writes.load()) / static_cast<double>(state.iterations());
}
BENCHMARK(frames)->ArgName("way")->Arg(kPlain)->Arg(kOurs)->UseRealTime()->MeasureProcessCPUTime();

// --- adaptive: calls for writing a file
// --------------------------------------------------------------------------------

void write_calls(benchmark::State& state) {
  static const Scratch s(1, 1);
  const File file = need(s.dir.open_update(s.leaves[0]));
  const size_t bytes = static_cast<size_t>(state.range(1));
  const std::vector<std::byte> content(bytes, std::byte{1});
  uint64_t calls = 0;
  for (auto _ : state) {
    AdaptiveBuffer adaptive(bytes);
    for (size_t at = 0; at < bytes;) {
      const size_t step = std::min(state.range(0) == kPlain ? 4 * kKiB : adaptive.bytes(), bytes - at);
      need(file.write_at(Bytes(content).subspan(at, step), at));
      adaptive.moved(step);
      at += step;
      ++calls;
    }
  }
  state.SetBytesProcessed(state.iterations() * state.range(1));
  state.counters["calls"] = static_cast<double>(calls) / static_cast<double>(state.iterations());
}
BENCHMARK(write_calls)->ArgNames({"way", "bytes"})->ArgsProduct({{kPlain, kOurs}, {100 * kKiB, 1 * kMiB, 16 * kMiB}});

// --- pool: taking a buffer, and page faults for each GiB that is received
// -------------------------------------------------

void pool(benchmark::State& state) {
  BufferPool pool({.keeps = state.range(0) == kOurs});
  const size_t bytes = static_cast<size_t>(state.range(1));
  {
    const Buffer warm = pool.acquire(bytes);
  }
  for (auto _ : state) benchmark::DoNotOptimize(pool.acquire(bytes).data());
}
BENCHMARK(pool)->ArgNames({"way", "bytes"})->ArgsProduct({{kPlain, kOurs}, {64 * kKiB, 1 * kMiB, 4 * kMiB, 16 * kMiB}});

void page_faults(benchmark::State& state) {
  static const Scratch s(1, 64 * kMiB);
  const File file = s.open();
  BufferPool pool;
  const auto faults = [] {
    rusage used;
    ::getrusage(RUSAGE_SELF, &used);
    return used.ru_minflt;
  };
  const long before = faults();
  for (auto _ : state) {
    for (uint64_t at = 0; at < 64 * kMiB; at += kMiB) {
      if (state.range(0) == kOurs) {
        const Buffer buffer = pool.acquire(kMiB);
        need(file.read_full_at(buffer.bytes().first(kMiB), at));
      } else {
        // As an allocator does it that gives memory back to the system.
        void* const memory = ::mmap(nullptr, kMiB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (memory == MAP_FAILED) std::abort();
        need(file.read_full_at({static_cast<std::byte*>(memory), kMiB}, at));
        ::munmap(memory, kMiB);
      }
    }
  }
  state.SetBytesProcessed(state.iterations() * int64_t{64 * kMiB});
  state.counters["faults_per_GiB"] =
      static_cast<double>(faults() - before) / static_cast<double>(state.iterations()) * 16;
}
BENCHMARK(page_faults)->ArgName("way")->Arg(kPlain)->Arg(kOurs);

// --- ahead: one cold file in order, many cold small files
// ---------------------------------------------------------------

void cold_file(benchmark::State& state) {
  constexpr size_t kBytes = 64 * kMiB;
  static const Scratch s(1, kBytes);
  std::vector<std::byte> buffer(256 * kKiB);
  for (auto _ : state) {
    state.PauseTiming();
    s.chill();
    const File file = s.open();
    state.ResumeTiming();
    file.advise_sequential();
    std::optional<ReadAhead> ahead;
    if (state.range(0) == kOurs) ahead.emplace(file, kBytes, ReadAhead::Manner{});
    uint64_t all = 0;
    for (uint64_t at = 0; at < kBytes; at += buffer.size()) {
      need(file.read_full_at(buffer, at));
      all += touch(buffer);
      if (ahead) ahead->reached(at + buffer.size());
    }
    benchmark::DoNotOptimize(all);
  }
  state.SetBytesProcessed(state.iterations() * int64_t{kBytes});
}
BENCHMARK(cold_file)->ArgName("way")->Arg(kPlain)->Arg(kOurs)->UseRealTime();

// --- clones: what a matched run of a delta could be, where the file system shares blocks
// --------------------------------------------------------------------------------------

// 64 MiB of a basis that was just read become part of a new file, and a digest says that they did. Written, the bytes
// that were digested are those that were written. Cloned, the file has to be read: the basis may have changed in
// between.
void shared_range(benchmark::State& state) {
  constexpr size_t kBytes = 64 * kMiB;
  static const Scratch s(1, kBytes);
  const File basis = s.open();
  std::vector<std::byte> buffer(256 * kKiB);
  const Leaf leaf = need(Leaf::check("new"));
  for (auto _ : state) {
    state.PauseTiming();
    (void)s.dir.unlink(leaf);
    const File out = need(s.dir.create(leaf, 0600));
    state.ResumeTiming();
    if (state.range(0) == kOurs) {
      if (const Status shared = sys::clone_range(basis.fd(), 0, out.fd(), 0, kBytes); !shared) {
        state.SkipWithError("this file system shares no blocks: --dir has to lie on xfs or btrfs");
        return;
      }
    }
    const File& from = state.range(0) == kOurs ? out : basis;
    uint64_t all = 0;
    for (uint64_t at = 0; at < kBytes; at += buffer.size()) {
      need(from.read_full_at(buffer, at));
      all += touch(buffer);
      if (state.range(0) != kOurs) need(out.write_at(buffer, at));
    }
    if (state.range(0) == kForced) need(out.sync());
    benchmark::DoNotOptimize(all);
  }
  state.SetBytesProcessed(state.iterations() * int64_t{kBytes});
}
BENCHMARK(shared_range)->ArgName("way")->Arg(kPlain)->Arg(kOurs)->Arg(kForced)->UseRealTime();

enum Small : int64_t { kOneByOne, kExpected, kRingReads, kRingStages, kRingPoll, kRingSqpoll };

void small_files(benchmark::State& state) {
  constexpr size_t kFiles = 512;
  constexpr size_t kBytes = 16 * kKiB;
  constexpr size_t kBatch = 32;
  static const Scratch s(kFiles, kBytes);
  const bool cold = state.range(1) != 0;
  IoMetrics metrics;
  std::optional<Ring> ring;
  if (state.range(0) >= kRingReads) {
    auto made = Ring::create({.entries = 128,
                              .poll_us = state.range(0) == kRingPoll ? 100u : 0u,
                              .sqpoll = state.range(0) == kRingSqpoll,
                              .metrics = &metrics});
    if (!made) return state.SkipWithError("no ring");
    ring.emplace(*std::move(made));
  }
  std::vector<std::byte> memory(kBatch * kBytes);
  const auto place = [&](size_t i) { return MutableBytes(memory).subspan(i * kBytes, kBytes); };
  for (auto _ : state) {
    if (cold) {
      state.PauseTiming();
      s.chill();
      state.ResumeTiming();
    }
    for (size_t from = 0; from < kFiles; from += kBatch) {
      if (state.range(0) == kRingStages) {
        std::vector<Ring::Stage> stages;
        for (size_t i = 0; i < kBatch; ++i)
          stages.push_back({s.leaves[from + i], place(i), fail(Error(EINPROGRESS)), size_t{0}});
        ring->stage_batch(s.dir, stages);
        continue;
      }
      std::vector<File> files;
      for (size_t i = 0; i < kBatch; ++i) {
        files.push_back(s.open(from + i));
        need(files.back().info());
        if (state.range(0) == kExpected) sys::advise(files.back().fd(), 0, kBytes, POSIX_FADV_WILLNEED);
      }
      if (ring) {
        std::vector<Ring::Read> reads;
        for (size_t i = 0; i < kBatch; ++i) reads.push_back({&files[i], 0, place(i), size_t{0}});
        ring->read_batch(reads);
      } else {
        for (size_t i = 0; i < kBatch; ++i) need(files[i].read_full_at(place(i), 0));
      }
    }
  }
  state.SetItemsProcessed(state.iterations() * int64_t{kFiles});
  if (ring) state.counters["depth"] = static_cast<double>(metrics.depth.load());
}
BENCHMARK(small_files)
    ->ArgNames({"way", "cold"})
    ->ArgsProduct({{kOneByOne, kExpected, kRingReads, kRingStages, kRingPoll, kRingSqpoll}, {0, 1}})
    ->UseRealTime()
    ->MeasureProcessCPUTime();

// --- network: plain writes, a ring, and sends without a copy, over loopback
// ----------------------------------------------

void sends(benchmark::State& state) {
  const Fd listener(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  if (::bind(listener.get(), reinterpret_cast<sockaddr*>(&address), size) != 0 || ::listen(listener.get(), 1) != 0 ||
      ::getsockname(listener.get(), reinterpret_cast<sockaddr*>(&address), &size) != 0)
    return state.SkipWithError("no socket");
  Fd out(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (::connect(out.get(), reinterpret_cast<sockaddr*>(&address), size) != 0)
    return state.SkipWithError("no connection");
  const Fd in(::accept(listener.get(), nullptr, nullptr));
  std::thread drain([&] {
    std::vector<std::byte> buffer(kMiB);
    while (::read(in.get(), buffer.data(), buffer.size()) > 0) {
    }
  });
  std::optional<Ring> ring;
  if (state.range(0) == 1) {
    if (auto made = Ring::create({.entries = 8}))
      ring.emplace(*std::move(made));
    else
      state.SkipWithError("no ring");
  }
  const int one = 1;
  if (state.range(0) == 2 && ::setsockopt(out.get(), SOL_SOCKET, SO_ZEROCOPY, &one, sizeof one) != 0)
    state.SkipWithError("no zero-copy");
  const std::vector<std::byte> content(256 * kKiB, std::byte{3});
  for (auto _ : state) {
    for (size_t done = 0; done < content.size();) {
      const Bytes rest = Bytes(content).subspan(done);
      if (ring) {
        done += need(ring->send(out.get(), rest));
      } else if (state.range(0) == 2) {
        const ssize_t sent = ::send(out.get(), rest.data(), rest.size(), MSG_ZEROCOPY | MSG_NOSIGNAL);
        if (sent < 0 && errno != ENOBUFS) std::abort();
        done += sent > 0 ? static_cast<size_t>(sent) : 0;
        // The buffer may be used again only when the kernel says so.
        msghdr message{};
        char control[256];
        for (;;) {
          message.msg_control = control;
          message.msg_controllen = sizeof control;
          if (::recvmsg(out.get(), &message, MSG_ERRQUEUE | MSG_DONTWAIT) < 0) break;
        }
      } else {
        done += need(sys::write(out.get(), rest));
      }
    }
  }
  out.close();
  drain.join();
  state.SetBytesProcessed(state.iterations() * static_cast<int64_t>(content.size()));
}
BENCHMARK(sends)->ArgName("way")->Arg(0)->Arg(1)->Arg(2)->UseRealTime()->MeasureProcessCPUTime();

}  // namespace
