// How fast the rolling search is: bytes of source per second, tokens written into nothing.
#include <benchmark/benchmark.h>
#include <sys/mman.h>

#include <algorithm>
#include <random>

#include "libsync/sender/match.h"
#include "libsync/sender/scan.h"

namespace {

using namespace ocsync;
using namespace ocsync::sync;

using Content = std::vector<std::byte>;
constexpr size_t kBytes = 128 << 20;

Content noise(size_t bytes, uint64_t seed) {
  Content content(bytes / 8 * 8);
  std::mt19937_64 random(seed);
  for (size_t i = 0; i < content.size(); i += 8) store_le<uint64_t>(&content[i], random());
  return content;
}

proto::Agreement agreement() {
  proto::Agreement a = proto::Agreement::from(32, 0);
  a.transfer_digest = DigestKind::kXxh128;
  a.block_seed = proto::SeedOrder::kNative;
  a.seed = 99;
  return a;
}

proto::BlockSums sums_of(const Content& basis, uint32_t block_bytes = 0) {
  proto::BlockSums sums;
  sums.head = proto::choose_sum_head(basis.size(), block_bytes, false, agreement());
  proto::BlockHasher strong(agreement());
  for (int32_t i = 0; i < sums.head.blocks; ++i) {
    const Bytes block = Bytes(basis).subspan(sums.head.offset_of(i), sums.head.length_of(i));
    sums.weak.push_back(proto::weak_sum(block));
    const Digest digest = strong(block);
    sums.strong.insert(sums.strong.end(), digest.data.begin(), digest.data.begin() + sums.head.digest_bytes);
  }
  return sums;
}

void run(benchmark::State& state, const Content& source, const proto::BlockSums& sums, bool inplace = false) {
  const int fd = memfd_create("match_bench", 0);
  const io::File file{io::Fd(fd)};
  if (!file.write_at(source, 0)) state.SkipWithError("cannot make the source");
  const std::unique_ptr<proto::TokenWriter> tokens = proto::make_token_writer(agreement());
  const io::Stop stop;
  for (auto step : state) {
    (void)step;
    const BlockIndex index(sums);
    io::MapFile map(file, source.size(), io::MapFile::Access::kSequential);
    proto::BlockHasher strong(agreement());
    Hasher whole = proto::file_hasher(agreement());
    CountingSink sink;
    Writer out(sink);
    const Result<MatchTotals> totals =
        match_file(map, source.size(), &index, {.inplace = inplace}, *tokens, strong, whole, out, stop);
    if (!totals) state.SkipWithError("match_file failed");
    state.counters["matches"] = static_cast<double>(totals->matches);
    state.counters["false"] = static_cast<double>(totals->false_alarms);
  }
  state.SetBytesProcessed(static_cast<int64_t>(state.iterations()) * static_cast<int64_t>(source.size()));
}

void nothing_matches(benchmark::State& state) { run(state, noise(kBytes, 1), sums_of(noise(kBytes, 2))); }
BENCHMARK(nothing_matches)->Unit(benchmark::kMillisecond);

void all_matches(benchmark::State& state) { run(state, noise(kBytes, 1), sums_of(noise(kBytes, 1))); }
BENCHMARK(all_matches)->Unit(benchmark::kMillisecond);

void scattered_edits(benchmark::State& state) {
  const Content basis = noise(kBytes, 1);
  Content source = basis;
  std::mt19937 random(3);
  for (int i = 0; i < 300; ++i) source[random() % source.size()] ^= std::byte{0x55};
  for (int i = 0; i < 10; ++i)
    source.insert(source.begin() + static_cast<std::ptrdiff_t>(random() % source.size()), std::byte{9});
  run(state, source, sums_of(basis), state.range(0) != 0);
}
BENCHMARK(scattered_edits)->Arg(0)->Arg(1)->Unit(benchmark::kMillisecond);

void zeros(benchmark::State& state) { run(state, Content(kBytes), sums_of(Content(kBytes)), state.range(0) != 0); }
BENCHMARK(zeros)->Arg(0)->Arg(1)->Unit(benchmark::kMillisecond);

void zeros_against_noise(benchmark::State& state) {
  Content basis = noise(kBytes, 2);
  std::fill(basis.begin(), basis.begin() + kBytes / 10 * 4, std::byte{0});
  Content source = noise(kBytes, 1);
  std::fill(source.begin() + 12345, source.begin() + 12345 + kBytes / 10 * 4, std::byte{0});
  run(state, source, sums_of(basis), state.range(0) != 0);
}
BENCHMARK(zeros_against_noise)->Arg(0)->Arg(1)->Unit(benchmark::kMillisecond);

// Every block has the weak sum of zeros and a strong sum of nothing; the source is zeros. 16 MiB, since this is the
// case that costs most.
void hostile_equal_weak_sums(benchmark::State& state) {
  const Content zeros16(16 << 20);
  proto::BlockSums sums = sums_of(zeros16);
  const Content other = noise(sums.strong.size() + 8, 5);
  std::copy_n(other.begin(), sums.strong.size(), sums.strong.begin());
  const Digest digest =
      proto::BlockHasher(agreement())(Bytes(zeros16).first(static_cast<size_t>(sums.head.block_bytes)));
  const size_t n = static_cast<size_t>(sums.head.digest_bytes);
  for (int32_t i = 0; i < sums.head.blocks; ++i) {
    std::byte* sum = sums.strong.data() + static_cast<size_t>(i) * n;
    if (std::equal(sum, sum + n, digest.data.begin())) *sum ^= std::byte{1};
  }
  run(state, zeros16, sums);
}
BENCHMARK(hostile_equal_weak_sums)->Unit(benchmark::kMillisecond);

// The inner loop alone: nothing matches; blocks as in a basis of the given number of MiB.
void scan_only(benchmark::State& state) {
  const ScanKind kind = static_cast<ScanKind>(state.range(0));
  if (!scan_kind_available(kind)) {
    state.SkipWithError("not on this machine");
    return;
  }
  const Content basis = noise(static_cast<size_t>(state.range(1)) << 20, 2);
  const BlockIndex index(sums_of(basis));
  const Content source = noise(8 << 20, 1);
  const uint32_t block_bytes = static_cast<uint32_t>(index.head().block_bytes);
  constexpr size_t kStep = 256 << 10;
  uint64_t found = 0;
  int64_t done = 0;
  for (auto step : state) {
    (void)step;
    for (size_t from = 0; from + kStep + block_bytes <= source.size(); from += kStep, done += kStep) {
      uint32_t weak = proto::weak_sum(Bytes(source).subspan(from, block_bytes));
      for (size_t at = from; at < from + kStep;) {
        const Scanned s = scan(kind, index, &source[at], from + kStep - at, block_bytes, weak);
        at += s.offset;
        if (s.bucket == BlockIndex::kNoBucket) continue;
        ++found;
        weak = roll(s.weak, source[at], source[at + block_bytes], block_bytes);
        ++at;
      }
    }
  }
  benchmark::DoNotOptimize(found);
  state.SetBytesProcessed(done);
}
BENCHMARK(scan_only)->ArgsProduct({{0, 1, 2}, {1, 32, 512}})->Unit(benchmark::kMillisecond);

void build_index(benchmark::State& state) {
  proto::BlockSums sums;
  sums.head = {static_cast<int32_t>(state.range(0)), 131072, 5, 0};
  const Content bytes = noise(static_cast<size_t>(state.range(0)) * 16, 4);
  for (int32_t i = 0; i < sums.head.blocks; ++i)
    sums.weak.push_back(load_le<uint32_t>(&bytes[static_cast<size_t>(i) * 8]));
  sums.strong.assign(bytes.begin(), bytes.begin() + state.range(0) * 5);
  for (auto step : state) {
    (void)step;
    const BlockIndex index(sums);
    benchmark::DoNotOptimize(index.find(7));
  }
  state.SetItemsProcessed(static_cast<int64_t>(state.iterations()) * state.range(0));
}
BENCHMARK(build_index)->Arg(10)->Arg(1000)->Arg(100000)->Arg(5000000)->Unit(benchmark::kMicrosecond);

}  // namespace
