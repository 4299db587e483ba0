// A recorded session up to the transfers: what was asked for each file, and what was answered.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "libproto/entry_wire.h"
#include "libproto/frames.h"
#include "libproto/greeting.h"
#include "libproto/index.h"
#include "libproto/item.h"
#include "libproto/sums.h"
#include "libproto/tokens.h"
#include "tests/support/captures.h"

namespace ocsync::test {

struct Transfer {
  int32_t ndx = 0;
  proto::Item item;
  proto::SumHead head;
  proto::BlockSums sums;    // as asked; empty in an answer
  std::string token_bytes;  // of an answer: the tokens as sent
  std::string content;      // of an answer: rebuilt from tokens and basis
  std::string literals;     // of an answer: the literal bytes only
  Digest file_sum;
};

struct TransferSession {
  proto::Agreement agreed;
  std::vector<Transfer> requests, answers;
  std::string error;  // empty: everything decoded
};

namespace detail {

template <class T>
T take_or_throw(Result<T> result) {
  if (!result) throw std::runtime_error(result.error().text.empty() ? "failed" : result.error().text);
  return *std::move(result);
}
inline void take_or_throw(Status result) {
  if (!result) throw std::runtime_error(result.error().text.empty() ? "failed" : result.error().text);
}

inline std::string unframed(std::string_view raw, bool framed) {
  if (!framed) return std::string(raw);
  MemorySource source(as_bytes(raw));
  proto::DemuxSource demux(source, [](const proto::Message&) -> Status { return {}; });
  demux.enable();
  std::string data;
  std::byte piece[4096];
  while (const size_t got = take_or_throw(demux.read_some(piece))) data += as_text(Bytes(piece, got));
  return data;
}

// Reads item after item until the phases are over. `with_tokens`: this is the sender's side.
inline std::vector<Transfer> read_transfers(const Capture& c, const proto::Agreement& agreed, Reader& in,
                                            const std::string& data, bool with_tokens, const std::string& basis,
                                            const std::string& big_basis) {
  using namespace proto;
  std::vector<Transfer> found;
  IndexReader indexes(agreed);
  const std::unique_ptr<TokenReader> tokens = make_token_reader(agreed);
  const bool sums_follow = !c.has("--append");
  for (int phases = agreed.third_phase ? 3 : 2; phases > 0;) {
    const int32_t ndx = take_or_throw(indexes.read(in));
    if (ndx == kNdxDone) {
      --phases;
      continue;
    }
    if (ndx == kNdxListEof) continue;
    Transfer t;
    t.ndx = ndx;
    t.item = take_or_throw(read_item(agreed, in));
    if ((t.item.flags & kTransfer) == 0) continue;
    t.head = take_or_throw(read_sum_head(agreed, in, "sender"));
    if (!with_tokens) {
      if (sums_follow) t.sums = take_or_throw(read_block_sums(t.head, in));
      found.push_back(std::move(t));
      continue;
    }
    const uint64_t begin = in.position();
    const std::string& old = t.head.file_bytes() > 5000 ? big_basis : basis;
    take_or_throw(tokens->begin_file());
    for (;;) {
      const Token token = take_or_throw(tokens->next(in));
      if (std::holds_alternative<EndToken>(token)) break;
      if (const auto* literal = std::get_if<LiteralToken>(&token)) {
        t.content += as_text(literal->bytes);
        t.literals += as_text(literal->bytes);
      } else {
        const int32_t block = std::get<MatchToken>(token).block;
        if (block >= t.head.blocks) throw std::runtime_error("block out of range");
        const std::string_view bytes = std::string_view(old).substr(t.head.offset_of(block), t.head.length_of(block));
        t.content += bytes;
        take_or_throw(tokens->matched(as_bytes(bytes)));
      }
    }
    t.token_bytes = data.substr(begin, in.position() - begin);
    t.file_sum.size = static_cast<uint8_t>(digest_bytes(agreed.transfer_digest));
    take_or_throw(in.exact(MutableBytes(t.file_sum.data).first(t.file_sum.size)));
    found.push_back(std::move(t));
  }
  return found;
}

inline void read_list(const Capture& c, const proto::Agreement& agreed, Reader& in) {
  using namespace proto;
  EntryFields fields;
  fields.hard_links = c.has('H');
  EntryDecoder decoder(agreed, fields);
  const auto no_leader = [](int32_t) -> Result<const WireEntry*> { return nullptr; };
  WireEntry entry;
  for (int32_t count = 0; !take_or_throw(decoder.decode(in, entry, agreed.incremental ? 1 : 0, count, no_leader));
       ++count) {
  }
  if (agreed.io_error_after_list) take_or_throw(in.i32());
}

}  // namespace detail

// For the sessions of one directory with f.txt and new.txt (the names that begin with t-).
inline TransferSession load_transfers(const Capture& c) {
  using namespace detail;
  using namespace proto;
  TransferSession session;
  const std::string folder = OCSYNC_TEST_DATA "/data/captures/";
  const std::string basis = slurp(folder + "t-basis.txt"), big_basis = slurp(folder + "t-basis-big.txt");
  try {
    HandshakeWishes wishes;
    wishes.checksum_list = "xxh128 xxh3 xxh64 md5 md4 sha1 & xxh128 xxh3 xxh64 md5 md4 sha1 none";
    wishes.incremental = c.capabilities.find('i') != std::string::npos;
    wishes.max_version = load_le<int32_t>(as_bytes(c.c2s).data());
    for (const std::string& arg : c.args) {
      if (arg.starts_with("--checksum-choice=")) wishes.checksum_choice = arg.substr(18);
      if (arg.starts_with("--compress-choice=")) wishes.compress_choice = arg.substr(18);
      if (arg == "--old-compress") wishes.compress_choice = "zlib";
      if (arg == "--new-compress") wishes.compress_choice = "zlibx";
    }
    wishes.compress = !wishes.compress_choice.empty();

    MemorySource from_server(as_bytes(c.s2c));
    DemuxSource demux(from_server, [](const Message&) -> Status { return {}; });
    Reader in(demux);
    MemorySink said;
    Writer out(said);
    session.agreed = take_or_throw(handshake_as_client(in, out, wishes));
    take_or_throw(out.flush());
    const Agreement& agreed = session.agreed;

    const std::string server = unframed(std::string_view(c.s2c).substr(in.position()), true);
    const std::string client = unframed(std::string_view(c.c2s).substr(said.bytes().size()),
                                        client_writes_frames(agreed, !c.server_sends, false));
    const std::string& sender_data = c.server_sends ? server : client;
    const std::string& asker_data = c.server_sends ? client : server;

    MemorySource asker_source(as_bytes(asker_data));
    Reader asker(asker_source);
    if (c.server_sends) take_or_throw(asker.i32());  // no filter rules
    session.requests = read_transfers(c, agreed, asker, asker_data, false, basis, big_basis);

    MemorySource sender_source(as_bytes(sender_data), 777);
    Reader sender(sender_source);
    read_list(c, agreed, sender);
    session.answers = read_transfers(c, agreed, sender, sender_data, true, basis, big_basis);
  } catch (const std::runtime_error& error) {
    session.error = error.what();
  }
  return session;
}

// The content that f.txt and new.txt had at the sending side.
inline std::string new_content(const std::string& basis) {
  return basis.substr(0, 1450) + "INSERTED-MARKER-" + basis.substr(1450, 2050);
}

}  // namespace ocsync::test
