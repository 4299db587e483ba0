// The words of --io: presets, mechanisms, numbers, and what is no word.
#include "libio/os/io_wishes.h"

#include <catch2/catch.hpp>

using namespace ocsync;
using namespace ocsync::io;

TEST_CASE("--io: presets, mechanisms and numbers act in order") {
  const IoWishes standard;
  CHECK_FALSE(standard.has(IoPart::kMap));  // it lost: see the bench page
  CHECK(standard.has(IoPart::kGather));
  CHECK_FALSE(standard.has(IoPart::kRing));
  CHECK(standard.has(IoPart::kNames));
  CHECK_FALSE(IoWishes::parse("no-names")->has(IoPart::kNames));
  CHECK_FALSE(IoWishes::parse("plain")->has(IoPart::kNames));
  CHECK_FALSE(standard.has(IoPart::kDrop));

  const auto parsed = [](std::string_view text) {
    auto wishes = IoWishes::parse(text);
    if (!wishes) FAIL(text << ": " << wishes.error().text);
    return *wishes;
  };
  CHECK(parsed("").parts == standard.parts);
  CHECK(parsed("auto").parts == standard.parts);
  CHECK(parsed("plain").parts == 0);
  CHECK(parsed("ring").has(IoPart::kRing));
  CHECK(parsed("ring").has(IoPart::kPool));
  CHECK(parsed("map").has(IoPart::kMapAlways));
  CHECK(parsed("plain,pool").has(IoPart::kPool));
  CHECK_FALSE(parsed("pool,plain").has(IoPart::kPool));
  CHECK_FALSE(parsed("no-gather").has(IoPart::kGather));
  CHECK(parsed("no-gather").has(IoPart::kPool));
  CHECK(parsed("depth=7,poll=50,ahead=128").depth == 7);
  CHECK(parsed("depth=7,poll=50,ahead=128").poll_us == 50);
  CHECK(parsed("depth=7,poll=50,ahead=128").ahead_kib == 128);
  CHECK(parsed("cpus=3+0-1").cpus == std::vector<unsigned>{3, 0, 1});
  CHECK(parsed("cpus=3").has(IoPart::kPin));
}

TEST_CASE("--io: what is no word is refused with the word in the sentence") {
  for (const char* text : {"mmap", "no-auto", "depth", "depth=", "depth=0", "depth=5000", "depth=4x", "poll=-1",
                           "cpus=", "cpus=4-2", "cpus=99999", "plain;map", "no-no-map"}) {
    const auto wishes = IoWishes::parse(text);
    INFO(text);
    REQUIRE_FALSE(wishes);
    CHECK(wishes.error().fault == Fault::kUsage);
    CHECK(wishes.error().text.find("--io item") != std::string::npos);
  }
}
