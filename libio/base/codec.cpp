// The compression libraries behind codec.h.
#include "libio/base/codec.h"

#include <lz4.h>
#include <zlib.h>
#include <zstd.h>

#include <algorithm>
#include <cassert>
#include <climits>
#include <new>

namespace ocsync {
namespace {

// zlib counts in 32 bits; a step simply takes less of what is longer.
constexpr size_t kMostPerStep = 1U << 30;
constexpr size_t kWindow = 32UL * 1024;

// zlib's interface lacks const, but it only reads.
Bytef* zlib_input(Bytes bytes) { return const_cast<Bytef*>(reinterpret_cast<const Bytef*>(bytes.data())); }
const Bytef* zlib_const(Bytes bytes) { return reinterpret_cast<const Bytef*>(bytes.data()); }
Bytef* zlib_output(MutableBytes bytes) { return reinterpret_cast<Bytef*>(bytes.data()); }

std::string zlib_failure(const char* what, const z_stream& stream, int code) {
  std::string text = what;
  text += " failed: ";
  text += stream.msg != nullptr ? stream.msg : zError(code);
  return text;
}

void set_buffers(z_stream& stream, Bytes in, MutableBytes out) {
  stream.next_in = zlib_input(in);
  stream.avail_in = static_cast<uInt>(std::min(in.size(), kMostPerStep));
  stream.next_out = zlib_output(out);
  stream.avail_out = static_cast<uInt>(std::min(out.size(), kMostPerStep));
}

// How far the library came since set_buffers().
Step progress(const z_stream& stream, Bytes in, MutableBytes out) {
  Step step;
  step.consumed = static_cast<size_t>(stream.next_in - zlib_input(in));
  step.produced = static_cast<size_t>(stream.next_out - zlib_output(out));
  step.done = step.consumed == in.size() && stream.avail_out != 0;
  return step;
}

}  // namespace

void Deflater::End::operator()(z_stream_s* stream) const {
  deflateEnd(stream);
  delete stream;
}

Deflater::Deflater(int level) : stream_(new z_stream{}), level_(level) {
  const int code = deflateInit2(stream_.get(), level, Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY);
  assert(code == Z_OK || code == Z_MEM_ERROR);
  if (code != Z_OK) throw std::bad_alloc();
}
Deflater::Deflater(Deflater&&) noexcept = default;
Deflater& Deflater::operator=(Deflater&&) noexcept = default;
Deflater::~Deflater() = default;

void Deflater::reset() {
  deflateReset(stream_.get());
  fed_ = false;
}

void Deflater::reset(int level) {
  reset();
  if (level == level_) return;
  // Right after a reset this has nothing to flush and needs no output space.
  set_buffers(*stream_, {}, {});
  [[maybe_unused]] const int code = deflateParams(stream_.get(), level, Z_DEFAULT_STRATEGY);
  assert(code == Z_OK);
  level_ = level;
}

Result<Step> Deflater::step(Bytes in, MutableBytes out, Flush flush) {
  set_buffers(*stream_, in, out);
  const bool all_of_it = in.size() <= kMostPerStep;
  const int mode = flush == Flush::kSync && all_of_it ? Z_SYNC_FLUSH : Z_NO_FLUSH;
  const int code = deflate(stream_.get(), mode);
  // Z_BUF_ERROR: nothing to do, as after a flush that exactly filled the output before.
  if (code != Z_OK && code != Z_BUF_ERROR) return fail(Fault::kStream, zlib_failure("deflate", *stream_, code));
  const Step step = progress(*stream_, in, out);
  if (step.consumed > 0) fed_ = true;
  if (step.done && mode == Z_SYNC_FLUSH) fed_ = false;
  return step;
}

Status Deflater::insert_history(Bytes bytes) {
  assert(!fed_);
  if (bytes.empty()) return {};
  const Bytes tail = bytes.last(std::min(bytes.size(), kWindow));
  const int code = deflateSetDictionary(stream_.get(), zlib_const(tail), static_cast<uInt>(tail.size()));
  if (code != Z_OK) return fail(Fault::kStream, zlib_failure("deflateSetDictionary", *stream_, code));
  return {};
}

void Inflater::End::operator()(z_stream_s* stream) const {
  inflateEnd(stream);
  delete stream;
}

Inflater::Inflater() : stream_(new z_stream{}) {
  if (inflateInit2(stream_.get(), -15) != Z_OK) throw std::bad_alloc();
}
Inflater::Inflater(Inflater&&) noexcept = default;
Inflater& Inflater::operator=(Inflater&&) noexcept = default;
Inflater::~Inflater() = default;

void Inflater::reset() { inflateReset(stream_.get()); }

Result<Step> Inflater::step(Bytes in, MutableBytes out) {
  set_buffers(*stream_, in, out);
  const int code = inflate(stream_.get(), Z_SYNC_FLUSH);
  if (code == Z_STREAM_END) return fail(Fault::kStream, "inflate failed: unexpected end of the compressed stream");
  if (code != Z_OK && code != Z_BUF_ERROR) return fail(Fault::kStream, zlib_failure("inflate", *stream_, code));
  return progress(*stream_, in, out);
}

bool Inflater::at_sync_point() const { return inflateSyncPoint(stream_.get()) == 1; }

Status Inflater::insert_history(Bytes bytes) {
  if (bytes.empty()) return {};
  const Bytes tail = bytes.last(std::min(bytes.size(), kWindow));
  const int code = inflateSetDictionary(stream_.get(), zlib_const(tail), static_cast<uInt>(tail.size()));
  if (code != Z_OK) return fail(Fault::kStream, zlib_failure("inflateSetDictionary", *stream_, code));
  return {};
}

void ZstdCompressor::Free::operator()(ZSTD_CCtx_s* context) const { ZSTD_freeCCtx(context); }

ZstdCompressor::ZstdCompressor(int level, int workers) : context_(ZSTD_createCCtx()) {
  if (!context_) throw std::bad_alloc();
  // The library clamps levels; a library without threads refuses workers, and one thread is as correct as many.
  ZSTD_CCtx_setParameter(context_.get(), ZSTD_c_compressionLevel, level);
  ZSTD_CCtx_setParameter(context_.get(), ZSTD_c_nbWorkers, workers);
}
ZstdCompressor::ZstdCompressor(ZstdCompressor&&) noexcept = default;
ZstdCompressor& ZstdCompressor::operator=(ZstdCompressor&&) noexcept = default;
ZstdCompressor::~ZstdCompressor() = default;

Result<Step> ZstdCompressor::step(Bytes in, MutableBytes out, Flush flush) {
  ZSTD_inBuffer input{in.data(), in.size(), 0};
  ZSTD_outBuffer output{out.data(), out.size(), 0};
  const auto mode = flush == Flush::kSync ? ZSTD_e_flush : ZSTD_e_continue;
  const size_t left = ZSTD_compressStream2(context_.get(), &output, &input, mode);
  if (ZSTD_isError(left)) return fail(Fault::kStream, std::string("zstd failed: ") + ZSTD_getErrorName(left));
  // Without a flush, what stays inside is the library's business.
  const bool done = input.pos == in.size() && (flush == Flush::kNone || left == 0);
  return Step{input.pos, output.pos, done};
}

void ZstdDecompressor::Free::operator()(ZSTD_DCtx_s* context) const { ZSTD_freeDCtx(context); }

ZstdDecompressor::ZstdDecompressor() : context_(ZSTD_createDCtx()) {
  if (!context_) throw std::bad_alloc();
}
ZstdDecompressor::ZstdDecompressor(ZstdDecompressor&&) noexcept = default;
ZstdDecompressor& ZstdDecompressor::operator=(ZstdDecompressor&&) noexcept = default;
ZstdDecompressor::~ZstdDecompressor() = default;

Result<Step> ZstdDecompressor::step(Bytes in, MutableBytes out) {
  ZSTD_inBuffer input{in.data(), in.size(), 0};
  ZSTD_outBuffer output{out.data(), out.size(), 0};
  const size_t hint = ZSTD_decompressStream(context_.get(), &output, &input);
  if (ZSTD_isError(hint)) return fail(Fault::kStream, std::string("zstd failed: ") + ZSTD_getErrorName(hint));
  return Step{input.pos, output.pos, input.pos == in.size() && output.pos < out.size()};
}

LevelRange zstd_levels() { return {ZSTD_minCLevel(), ZSTD_maxCLevel(), ZSTD_CLEVEL_DEFAULT}; }

std::optional<size_t> lz4_compress(Bytes in, MutableBytes out) {
  assert(in.size() <= LZ4_MAX_INPUT_SIZE);
  const int room = static_cast<int>(std::min<size_t>(out.size(), INT_MAX));
  const int size = LZ4_compress_default(reinterpret_cast<const char*>(in.data()), reinterpret_cast<char*>(out.data()),
                                        static_cast<int>(in.size()), room);
  if (size <= 0) return std::nullopt;
  return static_cast<size_t>(size);
}

Result<size_t> lz4_decompress(Bytes in, MutableBytes out) {
  if (in.size() > INT_MAX) return fail(Fault::kStream, "lz4 failed: the block is too large");
  const int room = static_cast<int>(std::min<size_t>(out.size(), INT_MAX));
  const int size = LZ4_decompress_safe(reinterpret_cast<const char*>(in.data()), reinterpret_cast<char*>(out.data()),
                                       static_cast<int>(in.size()), room);
  if (size < 0) return fail(Fault::kStream, "lz4 failed: the block is damaged or too large");
  return static_cast<size_t>(size);
}

size_t lz4_bound(size_t input) {
  assert(input <= LZ4_MAX_INPUT_SIZE);
  return static_cast<size_t>(LZ4_compressBound(static_cast<int>(input)));
}

CodecVersions codec_versions() { return {::zlibVersion(), ::ZSTD_versionString(), ::LZ4_versionString()}; }

}  // namespace ocsync
