// Recorded transfers of rsync 3.5.0 (and of older peers): heads, sums, tokens and whole-file sums of every digest and
// compression decode to the file that was sent, and our own sums of the basis are those that were asked with.
#include <catch2/catch.hpp>

#include "tests/support/transfer_session.h"

using namespace ocsync;
using namespace ocsync::proto;
using ocsync::test::Capture;
using ocsync::test::load_capture;
using ocsync::test::load_transfers;
using ocsync::test::Transfer;
using ocsync::test::TransferSession;

namespace {

struct Row {
  const char* name;
  size_t transfers;
};

const Row kRows[] = {
    {"t-delta", 2},      {"t-delta-pull", 2}, {"t-delta-p27", 2},  {"t-delta-p28", 2},      {"t-delta-p29", 2},
    {"t-delta-p30", 2},  {"t-delta-p31", 2},  {"t-delta-zlib", 2}, {"t-delta-zlibx", 2},    {"t-delta-zstd", 2},
    {"t-delta-lz4", 2},  {"t-big-zlib", 2},   {"t-big-zlibx", 2},  {"t-big-zstd", 2},       {"t-big-lz4", 2},
    {"t-cc-md4", 2},     {"t-cc-md5", 2},     {"t-cc-none", 2},    {"t-cc-sha1", 2},        {"t-cc-xxh3", 2},
    {"t-cc-xxh64", 2},   {"t-wholefile", 2},  {"t-inplace", 2},    {"t-inplace-backup", 2}, {"t-fuzzy", 2},
    {"t-linkdest", 1},   {"t-partialdir", 2}, {"t-peer-2.6.9", 2}, {"t-peer-3.0.9", 2},     {"t-peer-3.1.3", 2},
    {"t-peer-3.2.7", 2}, {"t-redo", 3},       {"t-redo-pull", 3},  {"t-redo-p27", 3},
};

// Our own description of the basis, to compare with the recorded one.
void check_sums(const Transfer& request, const std::string& basis, const Agreement& agreed) {
  const bool redo = request.head.digest_bytes > 8;
  CHECK(choose_sum_head(basis.size(), 0, redo, agreed) == request.head);
  BlockHasher strong(agreed);
  for (int32_t i = 0; i < request.head.blocks; ++i) {
    const Bytes block = as_bytes(basis).subspan(request.head.offset_of(i), request.head.length_of(i));
    REQUIRE(weak_sum(block) == request.sums.weak[static_cast<size_t>(i)]);
    REQUIRE(to_hex(strong(block).bytes().first(static_cast<size_t>(request.head.digest_bytes))) ==
            to_hex(request.sums.strong_of(i)));
  }
}

Digest sum_of(const std::string& content, const Agreement& agreed) {
  Hasher hasher = file_hasher(agreed);
  hasher.update(as_bytes(content));
  return hasher.finish();
}

}  // namespace

TEST_CASE("transfer captures: every method, digest and version rebuilds the file") {
  const std::string folder = OCSYNC_TEST_DATA "/data/captures/";
  const std::string basis = test::slurp(folder + "t-basis.txt"), big_basis = test::slurp(folder + "t-basis-big.txt");
  REQUIRE(basis.size() == 5000);
  for (const Row& row : kRows) {
    DYNAMIC_SECTION(row.name) {
      const std::string name = row.name;
      const TransferSession session = load_transfers(load_capture(name));
      REQUIRE(session.error == "");
      REQUIRE(session.requests.size() == row.transfers);
      REQUIRE(session.answers.size() == row.transfers);
      size_t mismatches = 0;
      for (size_t i = 0; i < row.transfers; ++i) {
        const Transfer& request = session.requests[i];
        const Transfer& answer = session.answers[i];
        CHECK(request.ndx == answer.ndx);
        CHECK(request.head == answer.head);
        CHECK(request.item.flags == answer.item.flags);
        CHECK(request.item.basis == answer.item.basis);
        const std::string old =
            (request.head.file_bytes() > 5000 ? big_basis : basis).substr(0, request.head.file_bytes());
        if (!request.head.empty()) check_sums(request, old, session.agreed);
        if (sum_of(answer.content, session.agreed) == answer.file_sum) {
          CHECK((answer.content == std::string("hello world\nhello world\nhello world\n") ||
                 answer.content.starts_with(name.starts_with("t-big") ? big_basis.substr(0, 10000)
                                                                      : test::new_content(basis))));
        } else {
          ++mismatches;  // the byte flipped in transit
        }
      }
      CHECK(mismatches == (name.starts_with("t-redo") ? 1u : 0u));
    }
  }
}

TEST_CASE("transfer captures: appended data, with and without the part that was there") {
  const std::string basis = test::slurp(OCSYNC_TEST_DATA "/data/captures/t-basis.txt");
  const std::string there = test::new_content(basis).substr(0, 3000);
  for (const bool verify : {false, true}) {
    const TransferSession session = load_transfers(load_capture(verify ? "t-append-verify" : "t-append"));
    REQUIRE(session.error == "");
    REQUIRE(session.answers.size() == 2);
    const Transfer& answer = session.answers[0];
    CHECK(answer.head.file_bytes() == 3000);
    CHECK(answer.content.size() == 4916 - 3000);
    CHECK(sum_of((verify ? there : std::string()) + answer.content, session.agreed) == answer.file_sum);
  }
}

TEST_CASE("transfer captures: plain tokens encode back to their bytes") {
  for (const char* name : {"t-delta", "t-delta-p27", "t-cc-md5", "t-wholefile"}) {
    const TransferSession session = load_transfers(load_capture(name));
    REQUIRE(session.error == "");
    for (const Transfer& answer : session.answers) {
      MemorySource source(as_bytes(answer.token_bytes));
      Reader in(source);
      MemorySink sink;
      Writer out(sink);
      const std::unique_ptr<TokenReader> reader = make_token_reader(session.agreed);
      const std::unique_ptr<TokenWriter> writer = make_token_writer(session.agreed);
      REQUIRE(reader->begin_file());
      REQUIRE(writer->begin_file());
      for (;;) {
        const Result<Token> token = reader->next(in);
        REQUIRE(token);
        if (std::holds_alternative<EndToken>(*token)) break;
        if (const auto* literal = std::get_if<LiteralToken>(&*token)) {
          REQUIRE(writer->literal(literal->bytes, out));
        } else {
          REQUIRE(writer->match(std::get<MatchToken>(*token).block, {}, out));
        }
      }
      REQUIRE(writer->end_file(out));
      REQUIRE(out.flush());
      CHECK(to_hex(sink.bytes()) == to_hex(as_bytes(answer.token_bytes)));
    }
  }
}
