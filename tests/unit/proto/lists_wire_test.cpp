// Arguments, filter rules and id lists: recorded bytes, limits, and every tear.
#include <catch2/catch.hpp>

#include "libproto/args.h"
#include "libproto/filters_wire.h"
#include "libproto/ids_wire.h"
#include "libproto/limits.h"

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

template <class Read>
auto read_from(std::string_view bytes, Read read, size_t chunk = SIZE_MAX) {
  MemorySource source(as_bytes(bytes), chunk);
  Reader in(source);
  return read(in);
}

std::string i32(int32_t v) {
  std::byte b[4];
  store_le(b, v);
  return std::string(as_text(b));
}

using Strings = std::vector<std::string>;
constexpr auto kReadArgs = [](Reader& in) { return read_args(in); };
constexpr auto kReadRules = [](Reader& in) { return read_rules(in); };

}  // namespace

TEST_CASE("args: each ends in a zero byte, the list in an empty one") {
  const std::string bytes =
      written([](Writer& out) { return write_args({"rsync", "--delete", ".", "", "a b\n"}, out); });
  CHECK(bytes == std::string("rsync\0--delete\0.\0.\0a b\n\0\0", 25));
  for (size_t chunk = 1; chunk <= bytes.size(); ++chunk)
    CHECK(*read_from(bytes, kReadArgs, chunk) == Strings{"rsync", "--delete", ".", ".", "a b\n"});
  CHECK(read_from(std::string_view("\0", 1), kReadArgs)->empty());
  CHECK(read_from("rsync", kReadArgs).error().fault == Fault::kStream);
}

TEST_CASE("args: long ones are cut, too many and too much are refused") {
  const auto cut = read_from(std::string(10000, 'x') + std::string("\0\0", 2), kReadArgs);
  REQUIRE(cut);
  CHECK(cut->at(0).size() == kMaxPath - 1);

  std::string many;
  for (size_t i = 0; i < kMaxArgs; ++i) many += std::string("a\0", 2);
  CHECK(read_from(many + '\0', kReadArgs)->size() == kMaxArgs);
  CHECK(read_from(many + std::string("a\0\0", 3), kReadArgs).error().fault == Fault::kProtocol);

  CHECK(read_from(std::string(kMaxArgsText + 1, 'x'), kReadArgs).error().fault == Fault::kProtocol);
}

TEST_CASE("filters: rules travel with their lengths") {
  const Strings rules = {"-r *.bak", "- /zf*", "-p perish", "+ foo/"};
  const std::string bytes = written([&](Writer& out) { return write_rules(rules, out); });
  CHECK(bytes == i32(8) + "-r *.bak" + i32(6) + "- /zf*" + i32(9) + "-p perish" + i32(6) + "+ foo/" + i32(0));
  for (size_t chunk = 1; chunk <= bytes.size(); ++chunk) CHECK(*read_from(bytes, kReadRules, chunk) == rules);
  CHECK(written([](Writer& out) { return write_rules({"", ""}, out); }) == i32(0));
}

TEST_CASE("filters: lengths are bounded, as is the whole") {
  const std::string longest(kBigPath - 1, 'r');
  CHECK(read_from(written([&](Writer& out) { return write_rules({longest}, out); }), kReadRules)->at(0) == longest);
  for (const int32_t bytes : {static_cast<int32_t>(kBigPath), INT32_MAX, -1, INT32_MIN}) {
    const auto rules = read_from(i32(bytes), kReadRules);
    REQUIRE(!rules);
    CHECK(rules.error().fault == Fault::kMemory);
    CHECK(rules.error().text == "buffer overflow: recv_rules");
  }
  MemorySink sink;
  Writer out(sink);
  CHECK(write_rules({std::string(kBigPath, 'r')}, out).error().fault == Fault::kMemory);

  std::string flood;
  for (size_t total = 0; total <= kMaxFilterText; total += kBigPath - 1 + sizeof(std::string))
    flood += i32(kBigPath - 1) + longest;
  CHECK(read_from(flood, kReadRules).error().text == "the far side sends too many filter rules");
}

TEST_CASE("ids: lists have the recorded bytes") {
  const IdList list{{{1, "daemon"}}, "root"};
  const Agreement now = Agreement::from(32, 0x1fe), old = Agreement::from(27, 0), between = Agreement::from(30, 0);
  const std::string bytes = written([&](Writer& out) { return write_id_list(list, now, out); });
  CHECK(bytes == std::string("\x01\x06"
                             "daemon\0\x04root",
                             14));
  CHECK(written([&](Writer& out) { return write_id_list(list, old, out); }) == std::string("\x01\0\0\0\x06"
                                                                                           "daemon\0\0\0\0",
                                                                                           15));
  for (size_t chunk = 1; chunk <= bytes.size(); ++chunk)
    CHECK(*read_from(bytes, [&](Reader& in) { return read_id_list(now, in); }, chunk) == list);
  CHECK(written([&](Writer& out) { return write_id_list(list, between, out); }).back() == '\0');
}

TEST_CASE("ids: what has no place in a list is left out") {
  const Agreement now = Agreement::from(32, 0x1fe);
  const IdList odd{{{0, "root"}, {5, ""}, {6, std::string(256, 'n')}, {4294967294, std::string(255, 'n')}},
                   std::string(256, 'z')};
  const auto back = read_from(written([&](Writer& out) { return write_id_list(odd, now, out); }),
                              [&](Reader& in) { return read_id_list(now, in); });
  REQUIRE(back);
  CHECK(*back == IdList{{{4294967294, std::string(255, 'n')}}, ""});
}
