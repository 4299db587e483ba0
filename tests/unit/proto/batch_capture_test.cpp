// A batch that rsync 3.5.0 wrote, from its head to its last byte: what a replay meets.
#include <catch2/catch.hpp>

#include "libproto/batch_head.h"
#include "libproto/closing.h"
#include "libproto/entry_wire.h"
#include "libproto/index.h"
#include "libproto/item.h"
#include "libproto/sums.h"
#include "libproto/tokens.h"
#include "tests/support/transfer_session.h"

using namespace ocsync;
using namespace ocsync::proto;

TEST_CASE("batch capture: list, items, content, statistics and the last mark") {
  const std::string folder = OCSYNC_TEST_DATA "/data/captures/";
  const std::string bytes = test::slurp(folder + "t-batch"), basis = test::slurp(folder + "t-basis.txt");
  REQUIRE(bytes.size() == 1577);
  MemorySource source(as_bytes(bytes), 7);
  Reader in(source);
  const Result<BatchHead> head = read_batch_head(in);
  REQUIRE(head);
  const Result<Agreement> agreed = batch_agreement(*head, {.incremental = true});
  REQUIRE(agreed);

  EntryFields fields;
  fields.names = true;
  fields.hard_links = true;
  EntryDecoder entries(*agreed, fields);
  std::vector<WireEntry> list;
  for (;;) {
    WireEntry entry;
    const auto end = entries.decode(in, entry, 1, static_cast<int32_t>(list.size()), [&](int32_t at) {
      return Result<const WireEntry*>(&list.at(static_cast<size_t>(at) - 1));
    });
    INFO((end ? std::string() : end.error().text));
    REQUIRE(end);
    if (*end) break;
    list.push_back(entry);
  }
  REQUIRE(list.size() == 4);
  CHECK(list[0].name == ".");
  CHECK(list[1].name == "f.txt");
  CHECK(list[1].size == 4916);

  IndexReader indexes(*agreed);
  const std::unique_ptr<TokenReader> tokens = make_token_reader(*agreed);
  std::vector<std::string> contents;
  int marks = 0;
  while (marks <= last_phase(*agreed)) {
    const Result<int32_t> ndx = indexes.read(in);
    REQUIRE(ndx);
    if (*ndx == kNdxDone) {
      ++marks;
      continue;
    }
    if (*ndx == kNdxListEof) continue;
    REQUIRE(*ndx >= 0);
    const Result<Item> item = read_item(*agreed, in);
    REQUIRE(item);
    if (!(item->flags & kTransfer)) continue;
    const Result<SumHead> sums = read_sum_head(*agreed, in, "sender");
    REQUIRE(sums);
    std::string content;
    REQUIRE(tokens->begin_file());
    for (;;) {
      const Result<Token> token = tokens->next(in);
      REQUIRE(token);
      if (std::holds_alternative<EndToken>(*token)) break;
      if (const auto* literal = std::get_if<LiteralToken>(&*token))
        content += as_text(literal->bytes);
      else
        content += basis.substr(sums->offset_of(std::get<MatchToken>(*token).block),
                                sums->length_of(std::get<MatchToken>(*token).block));
    }
    Hasher hasher = file_hasher(*agreed);
    hasher.update(as_bytes(content));
    const Digest sum = hasher.finish();
    const Result<Bytes> sent = in.view(digest_bytes(agreed->transfer_digest));
    REQUIRE(sent);
    CHECK(to_hex(*sent) == to_hex(sum.bytes()));
    contents.push_back(content);
  }
  REQUIRE(contents.size() == 2);
  CHECK(contents[0].size() == 4916);
  CHECK(contents[1].starts_with("hello world\n"));

  const Result<Statistics> statistics = read_statistics(*agreed, in);
  REQUIRE(statistics);
  CHECK(*statistics == Statistics{.bytes_read = 122, .bytes_written = 1567, .total_size = 9868, .list_build_ms = 1});
  const Result<int32_t> last = indexes.read(in);
  REQUIRE(last);
  CHECK(*last == kNdxDone);
  CHECK(*in.at_end());
}
