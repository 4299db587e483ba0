#include "libsync/receiver/rebuild.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>

#include "libio/os/copy.h"
#include "libio/os/io_strategy.h"
#include "libio/os/map_file.h"

namespace ocsync::sync {

namespace {

constexpr size_t kSparseRun = 1024;  // zeros in a row that are worth a hole, as rsync has it

// Writes in order, in large pieces; with `sparse`, runs of zeros become holes.
class OrderedWriter {
 public:
  OrderedWriter(const io::File& file, bool sparse, bool punch, Buffer held, size_t size)
      : file_(file), sparse_(sparse), punch_(punch), held_(std::move(held)), buffer_(held_.bytes().first(size)) {}

  Status write(Bytes bytes) {
    if (bytes.size() >= buffer_.size()) {
      TRY(flush());
      TRY(put(bytes));
      return {};
    }
    if (bytes.size() > buffer_.size() - used_) TRY(flush());
    std::memcpy(buffer_.data() + used_, bytes.data(), bytes.size());
    used_ += bytes.size();
    return {};
  }
  // The next bytes are in the file already; but runs of zeros among them may still take up room.
  Status skip(Bytes bytes) {
    TRY(flush());
    if (sparse_) return put(bytes, true);
    offset_ += bytes.size();
    return {};
  }
  Status flush() {
    if (used_ == 0) return {};
    const size_t count = used_;
    used_ = 0;
    return put(buffer_.first(count));
  }
  // The next bytes came into the file by another way. After flush().
  void pass(uint64_t bytes) { offset_ += bytes; }
  void start_at(uint64_t offset) { offset_ = offset; }
  uint64_t offset() const { return offset_ + used_; }

 private:
  Status put(Bytes bytes, bool there = false) {
    if (!sparse_) {
      TRY(file_.write_at(bytes, offset_));
      offset_ += bytes.size();
      return {};
    }
    size_t i = 0;
    while (i < bytes.size()) {
      size_t data_end = i;
      size_t zeros = 0;
      while (data_end + zeros < bytes.size()) {
        if (bytes[data_end + zeros] == std::byte{0}) {
          ++zeros;
          continue;
        }
        const bool border = data_end == i && i == 0;
        if (zeros >= kSparseRun || (zeros > 0 && border)) break;
        data_end += zeros + 1;
        zeros = 0;
      }
      if (data_end > i && !there) TRY(file_.write_at(bytes.subspan(i, data_end - i), offset_ + i));
      if (zeros > 0 && punch_) TRY(file_.clear(offset_ + data_end, zeros));
      i = data_end + zeros;
    }
    offset_ += bytes.size();
    return {};
  }

  const io::File& file_;
  bool sparse_, punch_;
  Buffer held_;
  MutableBytes buffer_;
  size_t used_ = 0;
  uint64_t offset_ = 0;
};

}  // namespace

Result<RebuildResult> rebuild(const RebuildJob& job, const proto::SumHead& head, proto::TokenReader& tokens, Reader& in,
                              const Terms& terms, const std::function<void(uint64_t)>& progress) {
  RebuildResult result;
  Hasher hasher = proto::file_hasher(terms.agreed);
  const bool writes = job.out != nullptr;
  std::optional<OrderedWriter> writer;
  if (writes) {
    const size_t size = terms.io->buffer_size(job.expected_bytes);
    writer.emplace(*job.out, job.sparse, job.in_place || job.preallocate, terms.io->buffer(size), size);
  }
  std::optional<io::MapFile> basis;
  if (job.basis) basis.emplace(*job.basis, job.basis_bytes, io::MapFile::Access::kRandom, terms.io.get());

  // A failed write must not stop the reading: the far side sends on regardless.
  const auto attempt = [&](Status status) {
    if (status || result.write_failed) return;
    result.write_failed = true;
    // Whatever kept us from writing is our own failure; asking for the file again would not help.
    result.write_error = status.error();
    result.write_error.fault = Fault::kFileIo;
  };
  if (writes && job.preallocate && job.expected_bytes > 0 && !job.in_place) {
    (void)job.out->preallocate(job.expected_bytes);
    // Only what lies below a file's size can be punched out of it.
    if (job.sparse) attempt(job.out->truncate(job.expected_bytes));
  }

  uint64_t done = 0;
  if (job.append || job.append_verify) {
    done = head.file_bytes();
    if (job.append_verify && job.basis) {
      for (uint64_t at = 0; at < done;) {
        const size_t count = static_cast<size_t>(std::min<uint64_t>(done - at, proto::kChunk * 8));
        const auto piece = basis->view(at, count);
        if (!piece) break;
        hasher.update(*piece);
        at += count;
      }
    }
    if (writer) writer->start_at(done);
  }

  // Matched content the plain way: looked at, digested, written.
  const auto take_piece = [&](uint64_t offset, size_t length) -> Status {
    const auto piece = basis->view(offset, length);
    if (!piece) {
      // The basis shrank under us: the digest will not agree, and the file is asked for again.
      if (!result.write_failed) {
        result.write_failed = true;
        result.write_error = Error(Fault::kSystem, "basis changed while it was read");
      }
      return {};
    }
    if (tokens.needs_content()) TRY(tokens.matched(*piece));
    hasher.update(*piece);
    if (writer && !result.write_failed) {
      if (job.in_place && offset == done)
        attempt(writer->skip(*piece));
      else
        attempt(writer->write(*piece));
    }
    return {};
  };
  const auto take_range = [&](uint64_t offset, uint64_t bytes) -> Status {
    for (uint64_t at = 0; at < bytes; at += proto::kChunk)
      TRY(take_piece(offset + at, static_cast<size_t>(std::min<uint64_t>(proto::kChunk, bytes - at))));
    return {};
  };

  // A run of matched blocks may share those of the basis instead. What is digested then is what the new file has, read
  // back: the basis may have changed in between.
  std::optional<io::RangeSharing> sharing;
  if (writes && job.basis && !job.in_place && !job.device && !job.sparse && !job.preallocate &&
      !tokens.needs_content() && job.basis_bytes >= io::strategy::kLeastSharedFile &&
      terms.io->uses(io::IoPart::kClone))
    sharing.emplace(*job.basis, *job.out);
  struct Run {
    uint64_t from = 0, to = 0, bytes = 0;  // in the basis, in the new file
  } run;
  const auto digest_back = [&](uint64_t offset, uint64_t bytes) -> Status {
    const Buffer held = terms.io->buffer(io::strategy::kSequentialWindow);
    for (uint64_t at = 0; at < bytes;) {
      const MutableBytes into =
          held.bytes().first(static_cast<size_t>(std::min<uint64_t>(io::strategy::kSequentialWindow, bytes - at)));
      TRY(job.out->read_full_at(into, offset + at));
      hasher.update(into);
      at += into.size();
    }
    return {};
  };
  const auto settle_run = [&]() -> Status {
    const Run r = std::exchange(run, Run{});
    constexpr uint64_t kBlock = io::RangeSharing::kBlock;
    const uint64_t begin = (r.to + kBlock - 1) / kBlock * kBlock, end = (r.to + r.bytes) / kBlock * kBlock;
    if (end < begin + io::strategy::kLeastSharedRun) return take_range(r.from, r.bytes);
    TRY(take_range(r.from, begin - r.to));
    const uint64_t from = r.from + (begin - r.to);
    if (!result.write_failed) attempt(writer->flush());
    if (!result.write_failed && sharing->share(from, begin, end - begin)) {
      attempt(digest_back(begin, end - begin));
      writer->pass(end - begin);
      io::IoMetrics::add(terms.io->metrics().cloned, end - begin);
    } else {
      TRY(take_range(from, end - begin));
    }
    return take_range(from + (end - begin), r.to + r.bytes - end);
  };

  TRY(tokens.begin_file());
  for (;;) {
    const proto::Token token = TRY(tokens.next(in));
    if (run.bytes > 0 && !std::holds_alternative<proto::MatchToken>(token)) TRY(settle_run());
    if (const auto* literal = std::get_if<proto::LiteralToken>(&token)) {
      hasher.update(literal->bytes);
      result.literal_bytes += literal->bytes.size();
      done += literal->bytes.size();
      if (writer && !result.write_failed) attempt(writer->write(literal->bytes));
    } else if (const auto* match = std::get_if<proto::MatchToken>(&token)) {
      if (match->block >= head.blocks)
        return fail(Fault::kProtocol, fmt::format("Invalid block index {} (count={})", match->block, head.blocks));
      const uint64_t offset = head.offset_of(match->block);
      const uint32_t length = head.length_of(match->block);
      if (!basis) {
        result.matched_bytes += length;
        if (writes)
          return fail(Fault::kProtocol,
                      fmt::format("got a block match with no basis file for {} [receiver]", job.name));
        if (tokens.needs_content()) {
          static const std::vector<std::byte> kNothing(1u << 20);
          TRY(tokens.matched(Bytes(kNothing).first(std::min<size_t>(length, kNothing.size()))));
        }
        done += length;
        continue;
      }
      if (run.bytes > 0 && (run.from + run.bytes != offset || run.bytes >= io::strategy::kMostSharedRun))
        TRY(settle_run());
      if (sharing && sharing->possible() && (offset - done) % io::RangeSharing::kBlock == 0) {
        if (run.bytes == 0) run = {.from = offset, .to = done};
        run.bytes += length;
      } else {
        TRY(take_piece(offset, length));
      }
      result.matched_bytes += length;
      done += length;
    } else {
      break;
    }
    if (progress) progress(done);
    TRY(terms.stop.check());
  }
  if (writer && !result.write_failed) attempt(writer->flush());
  // Holes at the end, space reserved too generously, and the tail of an older version.
  if (writer && !result.write_failed && !job.device && (job.sparse || job.in_place || job.preallocate))
    attempt(job.out->truncate(done));
  result.bytes = done;
  result.file_sum = hasher.finish();
  const size_t digest_size = digest_bytes(terms.agreed.transfer_digest);
  const Bytes sent = TRY(in.view(digest_size));
  const Bytes ours = result.file_sum.bytes();
  result.verified = !result.write_failed && std::equal(ours.begin(), ours.end(), sent.begin(), sent.end());
  return result;
}

}  // namespace ocsync::sync
