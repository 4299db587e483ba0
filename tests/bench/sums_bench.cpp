// How fast the sums of a basis are: weak alone, and weak and strong together for each digest.
#include <benchmark/benchmark.h>

#include <random>

#include "libproto/sums.h"

namespace {

using namespace ocsync;

std::vector<std::byte> noise(size_t bytes) {
  std::vector<std::byte> content(bytes / 8 * 8);
  std::mt19937_64 random(1);
  for (size_t i = 0; i < content.size(); i += 8) store_le<uint64_t>(&content[i], random());
  return content;
}

void weak_sums(benchmark::State& state) {
  const size_t block = static_cast<size_t>(state.range(0));
  const std::vector<std::byte> content = noise(512 << 10);
  uint32_t all = 0;
  for (auto step : state) {
    (void)step;
    for (size_t at = 0; at + block <= content.size(); at += block)
      all += proto::weak_sum(Bytes(content).subspan(at, block));
  }
  benchmark::DoNotOptimize(all);
  state.SetBytesProcessed(static_cast<int64_t>(state.iterations()) *
                          static_cast<int64_t>(content.size() / block * block));
}
BENCHMARK(weak_sums)->Arg(700)->Arg(23168)->Arg(131072);

void block_sums(benchmark::State& state) {
  proto::Agreement agreed = proto::Agreement::from(32, 0);
  agreed.transfer_digest = static_cast<DigestKind>(state.range(0));
  agreed.block_seed =
      agreed.transfer_digest >= DigestKind::kXxh64 ? proto::SeedOrder::kNative : proto::SeedOrder::kBefore;
  agreed.seed = 1;
  proto::BlockHasher strong(agreed);
  const size_t block = static_cast<size_t>(state.range(1));
  const std::vector<std::byte> content = noise(512 << 10);
  uint32_t all = 0;
  for (auto step : state) {
    (void)step;
    for (size_t at = 0; at + block <= content.size(); at += block) {
      const Bytes view = Bytes(content).subspan(at, block);
      all += proto::weak_sum(view) + std::to_integer<uint32_t>(strong(view).data[0]);
    }
  }
  benchmark::DoNotOptimize(all);
  state.SetLabel(std::string(digest_name(agreed.transfer_digest)));
  state.SetBytesProcessed(static_cast<int64_t>(state.iterations()) *
                          static_cast<int64_t>(content.size() / block * block));
}
BENCHMARK(block_sums)
    ->ArgsProduct({{static_cast<int>(DigestKind::kXxh128), static_cast<int>(DigestKind::kMd5),
                    static_cast<int>(DigestKind::kMd4)},
                   {700, 23168}});

}  // namespace
