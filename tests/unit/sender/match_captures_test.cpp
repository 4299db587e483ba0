// Our sender against recorded ones: for the same file and the same sums it writes the same tokens.
#include <sys/mman.h>

#include <catch2/catch.hpp>

#include "libsync/sender/match.h"
#include "tests/support/transfer_session.h"

using namespace ocsync;
using namespace ocsync::sync;
using ocsync::test::Transfer;
using ocsync::test::TransferSession;

namespace {

struct Sent {
  std::string tokens;
  MatchTotals totals;
};

Sent send_again(const Transfer& request, const Transfer& answer, const proto::Agreement& agreed,
                proto::TokenWriter& tokens, bool inplace) {
  const io::File file{io::Fd(memfd_create("match_captures_test", 0))};
  REQUIRE(file.write_at(as_bytes(answer.content), 0));
  io::MapFile map(file, answer.content.size(), io::MapFile::Access::kSequential);
  const BlockIndex index(request.sums);
  proto::BlockHasher strong(agreed);
  Hasher whole = proto::file_hasher(agreed);
  MemorySink sink;
  Writer out(sink);
  const io::Stop stop;
  const Result<MatchTotals> totals =
      match_file(map, answer.content.size(), &index, {.inplace = inplace}, tokens, strong, whole, out, stop);
  REQUIRE(totals);
  REQUIRE(out.flush());
  return {std::string(as_text(sink.bytes())), *totals};
}

}  // namespace

TEST_CASE("match: recorded transfers, sent again, are the same bytes") {
  for (const char* name : {"t-delta", "t-delta-pull", "t-delta-p27", "t-delta-p28", "t-delta-p29", "t-delta-p30",
                           "t-delta-p31", "t-cc-md4", "t-cc-md5", "t-cc-sha1", "t-cc-xxh3", "t-cc-xxh64", "t-wholefile",
                           "t-inplace", "t-inplace-backup", "t-fuzzy", "t-linkdest", "t-partialdir", "t-peer-3.1.3"}) {
    DYNAMIC_SECTION(name) {
      const TransferSession session = test::load_transfers(test::load_capture(name));
      REQUIRE(session.error == "");
      REQUIRE_FALSE(session.answers.empty());
      const std::unique_ptr<proto::TokenWriter> tokens = proto::make_token_writer(session.agreed);
      for (size_t i = 0; i < session.answers.size(); ++i) {
        // A partial file is updated in place too.
        const bool inplace = std::string_view(name) == "t-inplace" || std::string_view(name) == "t-partialdir";
        const Sent sent = send_again(session.requests[i], session.answers[i], session.agreed, *tokens, inplace);
        CHECK(to_hex(as_bytes(sent.tokens)) == to_hex(as_bytes(session.answers[i].token_bytes)));
        CHECK(sent.totals.file_sum == session.answers[i].file_sum);
        CHECK(sent.totals.literal_bytes == session.answers[i].literals.size());
      }
    }
  }
}

TEST_CASE("match: recorded compressed transfers, sent again, are as short") {
  for (const char* name : {"t-delta-zlib", "t-delta-zlibx", "t-delta-zstd", "t-delta-lz4", "t-big-zlib", "t-big-zlibx",
                           "t-big-zstd", "t-big-lz4"}) {
    DYNAMIC_SECTION(name) {
      const TransferSession session = test::load_transfers(test::load_capture(name));
      REQUIRE(session.error == "");
      const std::unique_ptr<proto::TokenWriter> tokens = proto::make_token_writer(session.agreed);
      for (size_t i = 0; i < session.answers.size(); ++i) {
        const Transfer& recorded = session.answers[i];
        const Sent sent = send_again(session.requests[i], recorded, session.agreed, *tokens, false);
        CHECK(sent.totals.file_sum == recorded.file_sum);
        CHECK(sent.totals.literal_bytes == recorded.literals.size());
        CHECK(sent.tokens.size() <= recorded.token_bytes.size() + recorded.token_bytes.size() / 100 + 8);
      }
    }
  }
}
