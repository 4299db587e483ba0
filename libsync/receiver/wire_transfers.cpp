#include "libsync/receiver/wire_transfers.h"

#include <fmt/format.h>

#include "libio/os/map_file.h"
#include "libio/os/sys.h"
#include "libsync/list/facts.h"
#include "libsync/meta/book.h"
#include "libsync/receiver/basis.h"

namespace ocsync::sync {

Status WireTransfers::report(int32_t ndx, const std::shared_ptr<Segment>&, Entry& entry, const proto::Item& item) {
  if (!terms_.agreed.item_flags) {
    // The far side knows no items: a client shows them itself.
    // Without itemizing the generator has named the entry in its own words.
    if (terms_.am_server || terms_.options.itemize == 0) return {};
    const std::string path = entry.path();
    terms_.reporter.item(facts_of(entry, path, path, item));
    return {};
  }
  TRY(channel_.indexes_out->write(ndx, channel_.out));
  TRY(proto::write_item(item, terms_.agreed, channel_.out));
  return ask_for_values(entry, item);
}

Status WireTransfers::ask_for_values(const Entry& entry, const proto::Item& item) {
  if (!terms_.carries_xattrs(item.flags)) return {};
  return terms_.meta->write_request(entry.extras() ? entry.extras()->xattrs : -1, channel_.out);
}

Status WireTransfers::send_sums(const Request& request) {
  Writer& out = channel_.out;
  const bool append = (terms_.append || terms_.append_verify) && !request.redo;
  if (!request.basis || (request.whole && !append)) return proto::write_sum_head({}, out);
  const io::Leaf leaf = TRY(io::Leaf::check(request.basis.leaf));
  const auto file = request.basis.dir->open_read(leaf);
  const auto size = file ? basis_size(*file, terms_) : std::nullopt;
  if (!size) {
    // The basis went away since it was looked at: everything must come.
    return proto::write_sum_head({}, out);
  }
  const proto::SumHead head = proto::choose_sum_head(*size, terms_.options.block_size, request.redo, terms_.agreed);
  if (head.empty() && *size > 0)
    terms_.reporter.warning_line(
        fmt::format("WARNING: file is too large for checksum sending: {}", request.basis.path));
  TRY(proto::write_sum_head(head, out));
  terms_.reporter.trace(Debug::kDeltasum, 3, "gen mapped {} of size {}", request.basis.path, *size);
  terms_.reporter.trace(Debug::kDeltasum, 2, "generating and sending sums for {}", request.ndx);
  if (!head.empty())
    terms_.reporter.trace(Debug::kDeltasum, 2, "count={} rem={} blength={} s2length={} flength={}", head.blocks,
                          head.tail_bytes, head.block_bytes, head.digest_bytes, *size);
  if (append) return {};
  io::MapFile map(*file, *size, io::MapFile::Access::kScan, terms_.io.get());
  for (int32_t i = 0; i < head.blocks; ++i) {
    const auto block = map.view(head.offset_of(i), head.length_of(i));
    std::vector<std::byte> zeros;
    Bytes content;
    if (block) {
      content = *block;
    } else {
      // A basis that shrinks while it is summed: these blocks will match nothing.
      zeros.resize(head.length_of(i));
      content = zeros;
    }
    const uint32_t weak = proto::weak_sum(content);
    TRY(out.i32(static_cast<int32_t>(weak)));
    terms_.reporter.trace(Debug::kDeltasum, 3, "chunk[{}] offset={} len={} sum1={:08x}", i, head.offset_of(i),
                          content.size(), weak);
    const Digest digest = hasher_(content);
    TRY(out.bytes(digest.bytes().first(static_cast<size_t>(head.digest_bytes))));
    if ((i & 255) == 0) TRY(terms_.stop.check());
  }
  return {};
}

Status WireTransfers::request(Request request) {
  // Known to the reading role before the far side can answer.
  if (terms_.options.moves_content()) pending_.add(request);
  TRY(channel_.indexes_out->write(request.ndx, channel_.out));
  TRY(proto::write_item(request.item, terms_.agreed, channel_.out));
  TRY(ask_for_values(*request.entry, request.item));
  if (!terms_.options.moves_content()) return {};
  return send_sums(request);
}

bool WireTransfers::wants_pause() { return window_.full(pending_.count(), io::sys::clock_us()); }

Status WireTransfers::list_done() { return proto::write_done(*channel_.indexes_out, channel_.out); }
Status WireTransfers::phase_done() { return proto::write_done(*channel_.indexes_out, channel_.out); }

Status WireTransfers::deletions(const proto::DeletionCounts& counts) {
  return proto::write_deletion_counts(counts, *channel_.indexes_out, channel_.out);
}

Status WireTransfers::success(int32_t ndx, const std::shared_ptr<Segment>&, Entry&, std::string_view path) {
  channel_.mux.post(proto::SuccessMessage{ndx, terms_.one_machine ? destination_.arrived(path) : std::nullopt});
  return {};
}

}  // namespace ocsync::sync
