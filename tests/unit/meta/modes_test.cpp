// Permission rules: --chmod against what rsync made of the same modes, and the mode at the destination.
#include "libsync/meta/modes.h"

#include <sys/stat.h>

#include <fstream>
#include <sstream>

#include <catch2/catch.hpp>

using namespace ocsync;
using namespace ocsync::sync;

namespace {

struct Recorded {
  uint32_t mask, from;
  std::string argument, to;
  bool refused;
};

std::vector<Recorded> recorded() {
  std::ifstream in(OCSYNC_TEST_DATA "/unit/meta/chmod.txt");
  REQUIRE(in);
  std::vector<Recorded> all;
  for (std::string line; std::getline(in, line);) {
    if (line.starts_with('#')) continue;
    std::istringstream words(line);
    std::string mask, from, argument, to;
    words >> mask >> from >> argument >> to;
    if (argument == "\"\"") argument.clear();
    all.push_back({static_cast<uint32_t>(std::stoul(mask, nullptr, 8)),
                   from == "-" ? 0 : static_cast<uint32_t>(std::stoul(from, nullptr, 8)), argument, to,
                   to == "refused"});
  }
  return all;
}

}  // namespace

TEST_CASE("chmod: modes become what rsync makes of them, and what it refuses is refused") {
  const std::vector<Recorded> all = recorded();
  CHECK(all.size() > 1000);
  for (const Recorded& r : all) {
    INFO("--chmod=" << r.argument << " mask " << r.mask << " mode " << r.from);
    const auto changes = ModeChanges::parse(r.argument, r.mask);
    REQUIRE(changes.has_value() == !r.refused);
    if (r.refused) {
      CHECK(changes.error().fault == Fault::kUsage);
      CHECK(changes.error().text == "Invalid argument passed to --chmod (" + r.argument + ")");
    } else {
      CHECK(changes->apply(r.from) == std::stoul(r.to, nullptr, 8));
    }
  }
}

TEST_CASE("chmod: symlinks and missing arguments stay as they are") {
  const auto changes = ModeChanges::parse("a=,Fa+x,D000", 022);
  REQUIRE(changes);
  CHECK(changes->apply(S_IFLNK | 0777) == (S_IFLNK | 0777));
  CHECK(changes->apply(0) == 0);
  CHECK(changes->apply(S_IFREG | 0644) == (S_IFREG | 0111));
  CHECK(ModeChanges().apply(S_IFREG | 0644) == (S_IFREG | 0644));
}

TEST_CASE("dest_mode: with -p the listed mode, else the existing one or what the umask leaves") {
  const ModePolicy keep{.perms = true}, none{}, exec{.executability = true};
  const uint32_t file = S_IFREG | 04755, dir = S_IFDIR | 01777;
  CHECK(dest_mode(file, std::nullopt, keep, 0755) == file);
  CHECK(dest_mode(file, S_IFREG | 0600, keep, 0755) == file);
  CHECK(dest_mode(file, std::nullopt, none, 0755) == (S_IFREG | 0755));
  CHECK(dest_mode(dir, std::nullopt, none, default_perms_of_mask(027)) == (S_IFDIR | 0750));
  CHECK(dest_mode(file, S_IFREG | 02640, none, 0755) == (S_IFREG | 02640));
  CHECK(dest_mode(file, std::nullopt, exec, 0700) == (S_IFREG | 0700));
}

TEST_CASE("dest_mode: -E gives x to who may read, takes it from all, or leaves a file that has any") {
  const ModePolicy exec{.executability = true};
  CHECK(dest_mode(S_IFREG | 0744, S_IFREG | 0640, exec, 0755) == (S_IFREG | 0750));
  CHECK(dest_mode(S_IFREG | 0644, S_IFREG | 0755, exec, 0755) == (S_IFREG | 0644));
  CHECK(dest_mode(S_IFREG | 0700, S_IFREG | 0654, exec, 0755) == (S_IFREG | 0654));
  CHECK(dest_mode(S_IFDIR | 0600, S_IFDIR | 0755, exec, 0755) == (S_IFDIR | 0755));
}
