// How fast the rooms of libio/base are that everything passes through: digests, buffer pool, readers and writers,
// codecs.
#include <benchmark/benchmark.h>

#include <array>
#include <cstring>
#include <string>
#include <vector>

#include "libio/base/arena.h"
#include "libio/base/buffer_pool.h"
#include "libio/base/codec.h"
#include "libio/base/digest.h"
#include "libio/base/queue.h"
#include "libio/base/stream.h"
#include "libio/base/text.h"

using namespace ocsync;

namespace {

std::vector<std::byte> noise(size_t bytes) {
  std::vector<std::byte> out(bytes);
  uint32_t x = 1;
  for (std::byte& b : out) {
    x = x * 1664525 + 1013904223;
    b = std::byte(x >> 24);
  }
  return out;
}

void digest_blocks(benchmark::State& state) {
  const auto kind = static_cast<DigestKind>(state.range(0));
  const std::vector<std::byte> block = noise(static_cast<size_t>(state.range(1)));
  for (auto _ : state) benchmark::DoNotOptimize(hash(kind, block, 7));
  state.SetBytesProcessed(state.iterations() * state.range(1));
  state.SetLabel(std::string(digest_name(kind)));
}
BENCHMARK(digest_blocks)->ArgsProduct({{1, 2, 3, 4, 5, 6, 7, 8}, {16, 700, 131072}});

// A seed and a block through a hasher that is used again, as seeded block sums need it.
void hasher_reused(benchmark::State& state) {
  const auto kind = static_cast<DigestKind>(state.range(0));
  const std::vector<std::byte> block = noise(700);
  Hasher hasher(kind);
  for (auto _ : state) {
    hasher.reset();
    hasher.update(Bytes(block).first(4));
    hasher.update(block);
    benchmark::DoNotOptimize(hasher.finish());
  }
  state.SetBytesProcessed(state.iterations() * 704);
  state.SetLabel(std::string(digest_name(kind)));
}
BENCHMARK(hasher_reused)->DenseRange(1, 8);

void pool_acquire(benchmark::State& state) {
  BufferPool pool;
  {
    const Buffer warm = pool.acquire(static_cast<size_t>(state.range(0)));
  }
  for (auto _ : state) {
    const Buffer buffer = pool.acquire(static_cast<size_t>(state.range(0)));
    benchmark::DoNotOptimize(buffer.data());
  }
}
BENCHMARK(pool_acquire)->Arg(64 * 1024)->Arg(16 * 1024 * 1024);

void writer_small_items(benchmark::State& state) {
  CountingSink sink;
  Writer writer(sink);
  for (auto _ : state) {
    for (int i = 0; i < 1000; ++i) {
      if (!writer.u8(1) || !writer.i32(i)) state.SkipWithError("the sink failed");
    }
  }
  state.SetItemsProcessed(state.iterations() * 2000);
}
BENCHMARK(writer_small_items);

void reader_small_items(benchmark::State& state) {
  const std::vector<std::byte> content = noise(5000);
  for (auto _ : state) {
    MemorySource source(content);
    Reader reader(source, 8192);
    for (int i = 0; i < 1000; ++i) {
      benchmark::DoNotOptimize(reader.u8());
      benchmark::DoNotOptimize(reader.i32());
    }
  }
  state.SetItemsProcessed(state.iterations() * 2000);
}
BENCHMARK(reader_small_items);

void reader_large_pieces(benchmark::State& state) {
  const std::vector<std::byte> content = noise(4 * 1024 * 1024);
  std::vector<std::byte> into(32 * 1024);
  for (auto _ : state) {
    MemorySource source(content);
    Reader reader(source);
    for (size_t at = 0; at < content.size(); at += into.size()) {
      if (!reader.exact(into)) state.SkipWithError("the source ended");
    }
  }
  state.SetBytesProcessed(state.iterations() * static_cast<int64_t>(content.size()));
}
BENCHMARK(reader_large_pieces);

void arena_names(benchmark::State& state) {
  for (auto _ : state) {
    Arena arena;
    for (int i = 0; i < 10000; ++i) benchmark::DoNotOptimize(arena.store("a-name-of-usual-length.txt"));
  }
  state.SetItemsProcessed(state.iterations() * 10000);
}
BENCHMARK(arena_names);

void queue_push_pop(benchmark::State& state) {
  Queue<int> queue;
  for (auto _ : state) {
    if (!queue.push(1)) state.SkipWithError("closed");
    benchmark::DoNotOptimize(queue.pop());
  }
}
BENCHMARK(queue_push_pop);

void deflate_blocks(benchmark::State& state) {
  std::vector<std::byte> content = noise(32 * 1024);
  for (std::byte& b : content) b = std::byte('a' + (std::to_integer<unsigned>(b) & 15));
  std::vector<std::byte> out(64 * 1024);
  Deflater deflater(static_cast<int>(state.range(0)));
  for (auto _ : state) {
    deflater.reset();
    benchmark::DoNotOptimize(deflater.step(content, out, Flush::kSync));
  }
  state.SetBytesProcessed(state.iterations() * static_cast<int64_t>(content.size()));
}
BENCHMARK(deflate_blocks)->Arg(1)->Arg(6);

// What matched blocks cost a stream that keeps them as history.
void deflate_insert_history(benchmark::State& state) {
  const std::vector<std::byte> block = noise(static_cast<size_t>(state.range(0)));
  Deflater deflater(6);
  for (auto _ : state) {
    if (!deflater.insert_history(block)) state.SkipWithError("refused");
  }
  state.SetBytesProcessed(state.iterations() * state.range(0));
}
BENCHMARK(deflate_insert_history)->Arg(700)->Arg(131072);

void escape_name(benchmark::State& state) {
  const std::string name = "some/folder/with a usual name.txt";
  for (auto _ : state) benchmark::DoNotOptimize(escape_text(name, Escape::kTerminal));
}
BENCHMARK(escape_name);

void grouped_number(benchmark::State& state) {
  for (auto _ : state) benchmark::DoNotOptimize(format_number(1234567890));
}
BENCHMARK(grouped_number);

}  // namespace
