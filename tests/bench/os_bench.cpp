// What the operating system costs here: the measurements behind libio/os/io_strategy.h. TMPDIR chooses the file system.
#include <benchmark/benchmark.h>
#include <fcntl.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include "libio/base/digest.h"
#include "libio/os/copy.h"
#include "libio/os/dir.h"
#include "libio/os/map_file.h"
#include "libio/os/ring.h"
#include "libio/os/temp_file.h"

using namespace ocsync;
using namespace ocsync::io;

namespace {

template <class T>
T need(Result<T> r) {
  if (!r) std::abort();
  return *std::move(r);
}
Leaf leaf(const std::string& name) { return need(Leaf::check(name)); }

struct Tree {
  std::string path;
  Dir dir;
  std::vector<std::string> names;
  std::vector<Leaf> leaves;
  Tree(size_t files, size_t bytes) {
    const char* wish = std::getenv("TMPDIR");
    path = std::string(wish != nullptr ? wish : "/tmp") + "/ocsync-bench-XXXXXX";
    if (::mkdtemp(path.data()) == nullptr) std::abort();
    dir = need(Dir::open_trusted(path));
    const std::string content(bytes, 'x');
    for (size_t i = 0; i < files; ++i) names.push_back("file" + std::to_string(i));
    for (const std::string& name : names) {
      const File file = need(dir.create(leaf(name), 0600));
      if (!file.write_at(as_bytes(content), 0)) std::abort();
      leaves.push_back(leaf(name));
    }
  }
  ~Tree() { std::filesystem::remove_all(path); }
};

void info_plain(benchmark::State& state) {
  const Tree tree(1000, 0);
  for (auto _ : state) benchmark::DoNotOptimize(tree.dir.info_batch(tree.leaves));
  state.SetItemsProcessed(state.iterations() * 1000);
}
BENCHMARK(info_plain);

void info_with_btime(benchmark::State& state) {
  const Tree tree(1000, 0);
  for (auto _ : state)
    for (const Leaf name : tree.leaves) benchmark::DoNotOptimize(tree.dir.info_with_btime(name));
  state.SetItemsProcessed(state.iterations() * 1000);
}
BENCHMARK(info_with_btime);

void info_ring(benchmark::State& state) {
  const Tree tree(1000, 0);
  auto ring = Ring::create({.entries = static_cast<unsigned>(state.range(0))});
  if (!ring) return state.SkipWithError("no ring");
  for (auto _ : state) benchmark::DoNotOptimize(ring->info_batch(tree.dir, tree.leaves));
  state.SetItemsProcessed(state.iterations() * 1000);
}
BENCHMARK(info_ring)->Arg(8)->Arg(128)->UseRealTime();

void list(benchmark::State& state) {
  const Tree tree(static_cast<size_t>(state.range(0)), 0);
  for (auto _ : state) benchmark::DoNotOptimize(tree.dir.list());
  state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(list)->Arg(10)->Arg(1000)->Arg(20000);

void open_close(benchmark::State& state) {
  const Tree tree(1000, 0);
  size_t i = 0;
  for (auto _ : state) benchmark::DoNotOptimize(tree.dir.open_read(tree.leaves[i++ % 1000]));
}
BENCHMARK(open_close);

void make_temp_and_commit(benchmark::State& state) {
  const Tree tree(1, 0);
  for (auto _ : state) {
    TempFile temp = need(TempFile::create(tree.dir, "target", 0600));
    if (!temp.commit(tree.dir, leaf("target"))) std::abort();
  }
}
BENCHMARK(make_temp_and_commit);

void copy(benchmark::State& state) {
  const Tree tree(1, static_cast<size_t>(state.range(0)));
  const File from = need(tree.dir.open_read(tree.leaves[0]));
  const Stop stop;
  const CopyOptions options{.allow_clone = false, .prefer_kernel = state.range(1) != 0};
  for (auto _ : state) {
    const File to = need(tree.dir.create(leaf("to"), 0600));
    if (!copy_content(from, to, static_cast<uint64_t>(state.range(0)), options, stop)) std::abort();
    if (!tree.dir.unlink(leaf("to"))) std::abort();
  }
  state.SetBytesProcessed(state.iterations() * state.range(0));
}
BENCHMARK(copy)->ArgNames({"bytes", "kernel"})->ArgsProduct({{0, 100, 4096, 65536, 1 << 20, 32 << 20}, {0, 1}});

void digest_in_windows(benchmark::State& state) {
  constexpr size_t kBytes = 64 << 20;
  const Tree tree(1, kBytes);
  const File file = need(tree.dir.open_read(tree.leaves[0]));
  const size_t piece = static_cast<size_t>(state.range(0));
  for (auto _ : state) {
    MapFile map(file, kBytes, MapFile::Access::kSequential);
    for (uint64_t at = 0; at < kBytes; at += piece)
      benchmark::DoNotOptimize(hash(DigestKind::kXxh3, need(map.view(at, piece))));
  }
  state.SetBytesProcessed(state.iterations() * int64_t{kBytes});
}
BENCHMARK(digest_in_windows)->Arg(1024)->Arg(32 << 10)->Arg(256 << 10);

// The same through mapped windows, whatever the file system.
void digest_mapped(benchmark::State& state) {
  constexpr size_t kBytes = 64 << 20;
  const Tree tree(1, kBytes);
  const File file = need(tree.dir.open_read(tree.leaves[0]));
  const size_t piece = static_cast<size_t>(state.range(0));
  for (auto _ : state) {
    MapFile map(file, kBytes, MapFile::Access::kMapped);
    for (uint64_t at = 0; at < kBytes; at += piece)
      benchmark::DoNotOptimize(hash(DigestKind::kXxh3, need(map.view(at, piece))));
    if (!map.intact()) std::abort();
  }
  state.SetBytesProcessed(state.iterations() * int64_t{kBytes});
}
BENCHMARK(digest_mapped)->Arg(1024)->Arg(32 << 10)->Arg(256 << 10);

// 1,000 small files, opened, read and closed one by one; and opened, read by one batch, and closed.
void read_small(benchmark::State& state) {
  const Tree tree(1000, 4096);
  std::vector<std::byte> into(4096 * 1000);
  auto ring = Ring::create({.entries = 128});
  if (state.range(0) != 0 && !ring) return state.SkipWithError("no ring");
  for (auto _ : state) {
    if (state.range(0) == 0) {
      for (const Leaf name : tree.leaves)
        benchmark::DoNotOptimize(need(need(tree.dir.open_read(name)).read_full_at({into.data(), 4096}, 0)));
    } else {
      std::vector<File> files;
      std::vector<Ring::Read> reads;
      for (size_t from = 0; from < 1000; from += 100) {
        files.clear();
        reads.clear();
        for (size_t i = 0; i < 100; ++i) files.push_back(need(tree.dir.open_read(tree.leaves[from + i])));
        for (size_t i = 0; i < 100; ++i) reads.push_back({&files[i], 0, {into.data() + i * 4096, 4096}, size_t{0}});
        ring->read_batch(reads);
      }
    }
  }
  state.SetItemsProcessed(state.iterations() * 1000);
}
BENCHMARK(read_small)->ArgName("ring")->Arg(0)->Arg(1)->UseRealTime();

}  // namespace
