#include "libproto/closing.h"

#include <catch2/catch.hpp>

#include "libproto/batch_head.h"

using namespace ocsync;
using namespace ocsync::proto;

namespace {

template <class Write>
std::string written(Write write) {
  MemorySink sink;
  Writer out(sink);
  REQUIRE(write(out));
  REQUIRE(out.flush());
  return std::string(as_text(sink.bytes()));
}

}  // namespace

TEST_CASE("closing: statistics have five values from version 29 on, three below") {
  const Statistics stats{1, 65536, int64_t{1} << 40, 7, 8};
  for (const int version : {27, 28, 29, 30, 32}) {
    const Agreement agreed = Agreement::from(version, 0);
    const std::string bytes = written([&](Writer& out) { return write_statistics(stats, agreed, out); });
    MemorySource source(as_bytes(bytes));
    Reader in(source);
    const Result<Statistics> back = read_statistics(agreed, in);
    REQUIRE(back);
    Statistics expected = stats;
    if (version < 29) expected.list_build_ms = expected.list_transfer_ms = 0;
    CHECK(*back == expected);
    CHECK(in.at_end().value());
    if (version == 32)
      CHECK(to_hex(as_bytes(bytes)) ==
            "000100"
            "010000"
            "e10000000000"
            "000700"
            "000800");
    if (version == 28) CHECK(bytes.size() == 4 + 4 + 12);
  }
}

TEST_CASE("closing: deletion counts as recorded, and within their bounds") {
  IndexWriter indexes(Agreement::from(32, 0));
  const std::string bytes =
      written([&](Writer& out) { return write_deletion_counts({.files = 2, .dirs = 1}, indexes, out); });
  CHECK(to_hex(as_bytes(bytes)) ==
        "ff02"
        "0201000000");
  MemorySource source(as_bytes(bytes));
  Reader in(source);
  IndexReader reader(Agreement::from(32, 0));
  CHECK(reader.read(in).value() == kNdxDelStats);
  CHECK(read_deletion_counts(in).value() == DeletionCounts{.files = 2, .dirs = 1});
  const auto read = [](std::string_view text) {
    MemorySource from(as_bytes(text));
    Reader at(from);
    return read_deletion_counts(at);
  };
  CHECK(read(std::string_view("\xf0\x00\x00\x00\x10\x00\x00\x00\x00", 9)).value().total() == 1 << 28);
  CHECK_FALSE(read(std::string_view("\xf0\x01\x00\x00\x10\x00\x00\x00\x00", 9)));
  CHECK_FALSE(read(std::string_view("\xf0\xff\xff\xff\xff\x00\x00\x00\x00", 9)));
}

TEST_CASE("closing: only DONE is a goodbye") {
  CHECK(expect_goodbye(kNdxDone));
  const Status other = expect_goodbye(5);
  REQUIRE_FALSE(other);
  CHECK(other.error().fault == Fault::kProtocol);
  CHECK(other.error().text == "Invalid packet at end of run (5)");
  CHECK(last_phase(Agreement::from(28, 0)) == 1);
  CHECK(last_phase(Agreement::from(29, 0)) == 2);
}

TEST_CASE("batch head: as recorded") {
  const std::string_view recorded("\xa1\x00\x00\x00\x20\x00\x00\x00\x81\xff\x39\x30\x00\x00", 14);
  MemorySource source(as_bytes(recorded));
  Reader in(source);
  const Result<BatchHead> head = read_batch_head(in);
  REQUIRE(head);
  CHECK(*head == BatchHead{.stream_flags = kStreamRecurse | kStreamHardLinks | kStreamDirs,
                           .version = 32,
                           .compat = 0x1ff,
                           .seed = 12345});
  CHECK(written([&](Writer& out) { return write_batch_head(*head, out); }) == recorded);
  const Agreement agreed = *batch_agreement(*head, {.incremental = true});
  CHECK(agreed.incremental);
  CHECK(agreed.transfer_digest == DigestKind::kMd5);
  CHECK(agreed.block_seed == SeedOrder::kBefore);
  CHECK(agreed.compression == Compression::kNone);
  CHECK(agreed.seed == 12345);
}

TEST_CASE("batch head: old versions have no compatibility flags and fewer options; foreign ones are refused") {
  const BatchHead old{.stream_flags = kStreamRecurse | kStreamDirs | kStreamAcls, .version = 28, .seed = 1};
  const std::string bytes = written([&](Writer& out) { return write_batch_head(old, out); });
  CHECK(to_hex(as_bytes(bytes)) ==
        "01000000"
        "1c000000"
        "01000000");
  for (const char* bad : {"\x01\x00\x00\x00\x21\x00\x00\x00", "\x01\x00\x00\x00\x1a\x00\x00\x00"}) {
    MemorySource source(as_bytes(std::string_view(bad, 8)));
    Reader in(source);
    const Result<BatchHead> head = read_batch_head(in);
    REQUIRE_FALSE(head);
    CHECK(head.error().fault == Fault::kProtocol);
  }
  const Agreement agreed = *batch_agreement({.stream_flags = kStreamCompress, .version = 29}, {});
  CHECK(agreed.compression == Compression::kZlib);
  CHECK(agreed.transfer_digest == DigestKind::kMd4);
  CHECK(agreed.seeded_file_sum);
}
