// Lists of names at every cut: reading, forwarding, and both together.
#include "libsync/list/files_from.h"

#include <catch2/catch.hpp>

#include "libsync/list/paths.h"

using namespace ocsync;
using namespace ocsync::sync;
using Form = NameListReader::Form;
using namespace std::string_literals;

namespace {

using Names = std::vector<std::string>;

Names read_all(const std::string& text, Form form, size_t chunk = SIZE_MAX) {
  MemorySource source(as_bytes(text), chunk);
  NameListReader reader(source, form);
  Names names;
  while (true) {
    auto name = reader.next();
    REQUIRE(name);
    if (!*name) break;
    names.push_back(**name);
  }
  CHECK(reader.ended());
  return names;
}

std::string forwarded(const std::string& text, bool from0, size_t chunk, Names* heard = nullptr) {
  MemorySource source(as_bytes(text), chunk);
  MemorySink sink;
  Writer writer(sink);
  REQUIRE(forward_names(source, from0, writer, [&](std::string_view name) {
    if (heard != nullptr) heard->emplace_back(name);
  }));
  REQUIRE(writer.flush());
  return std::string(as_text(sink.bytes()));
}

}  // namespace

TEST_CASE("files-from: lines end in LF, CR or both; comments and empty lines are skipped") {
  const std::string text = "a\n\nb c\r\n#comment\n;other\r#last\rd/#e\nf";
  for (size_t chunk = 1; chunk < 8; ++chunk)
    CHECK(read_all(text, Form::kLines, chunk) == Names{"a", "b c", "d/#e", "f"});
  CHECK(read_all("", Form::kLines).empty());
  CHECK(read_all("\n\n#x", Form::kLines).empty());
}

TEST_CASE("files-from: with --from0 only zero bytes end a name") {
  CHECK(read_all("a\nb\0\0#c\0d\re"s, Form::kNulls, 2) == Names{"a\nb", "d\re"});
}

TEST_CASE("files-from: a forwarded list ends with an empty name and knows no comments") {
  const std::string text = "a\0#b\0\0rest"s;
  MemorySource source(as_bytes(text), 3);
  Reader reader(source);
  NameListReader names(reader, Form::kForwarded);
  CHECK(names.next()->value() == "a");
  CHECK(names.next()->value() == "#b");
  CHECK_FALSE(names.next()->has_value());
  CHECK_FALSE(names.next()->has_value());
  std::string rest;
  REQUIRE(reader.text(rest, 4));
  CHECK(rest == "rest");
}

TEST_CASE("files-from: a forwarded list that stops early is a broken stream") {
  const std::string text = "a\0b"s;
  MemorySource source(as_bytes(text));
  NameListReader names(source, Form::kForwarded);
  REQUIRE(names.next());
  const auto end = names.next();
  REQUIRE_FALSE(end);
  CHECK(end.error().fault == Fault::kStream);
}

TEST_CASE("files-from: a name longer than a path is cut") {
  const std::string longest(4095, 'x');
  CHECK(read_all(longest + "yz\nb\n", Form::kLines, 1000) == Names{longest, "b"});
}

TEST_CASE("files-from: forwarding turns line ends into single zero bytes") {
  for (size_t chunk = 1; chunk < 6; ++chunk) {
    CHECK(forwarded("\n\nf1\r\n\nd1/f2\n#d3\n", false, chunk) == "f1\0d1/f2\0#d3\0\0"s);
    CHECK(forwarded("f1\nd3", false, chunk) == "f1\0d3\0\0"s);
    CHECK(forwarded("f1\n\0\0x\ry\0"s, true, chunk) == "f1\n\0x\ry\0\0"s);
    CHECK(forwarded("", false, chunk) == "\0"s);
    CHECK(forwarded("\n", false, chunk) == "\0"s);
  }
  Names heard;
  forwarded("a\nb\r\n\nc", false, 2, &heard);
  CHECK(heard == Names{"a", "b", "c"});
}

TEST_CASE("files-from: what is forwarded is read back") {
  const std::string text = forwarded("x/y\r\n\nz z\n#k", false, 1);
  CHECK(read_all(text, Form::kForwarded, 1) == Names{"x/y", "z z", "#k"});
}

TEST_CASE("files-from: names cannot climb or start at the top") {
  const auto clean = [](const char* name) { return sanitized_name(name, false); };
  CHECK(clean("/etc//passwd") == "etc/passwd");
  CHECK(clean("../../x") == "x");
  CHECK(clean("a/../../b/c/..") == "b/");
  CHECK(clean("a/b/../c") == "a/c");
  CHECK(clean("./a/./b/") == "a/b/");
  CHECK(clean("a/..") == ".");
  CHECK(clean("") == ".");
  CHECK(clean("..a/b..") == "..a/b..");
  CHECK(sanitized_name("a/./b", true) == "a/./b");
  CHECK(sanitized_name("./a", true) == "./a");
  CHECK(sanitized_name("/x/./../y/", true) == "x/y/");
}

TEST_CASE("paths: collapsing keeps what climbs out of a relative path and stops at the root") {
  CHECK(collapsed_path("/a//b/./c/") == "/a/b/c");
  CHECK(collapsed_path("/../a/../..") == "/");
  CHECK(collapsed_path("../a/../b") == "../b");
  CHECK(collapsed_path("a/../..") == "..");
  CHECK(collapsed_path("../../x") == "../../x");
  CHECK(collapsed_path("a/..") == ".");
  CHECK(collapsed_path("") == ".");
}
