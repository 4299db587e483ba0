// Paths of a restricted client on a real directory, with everything an attacker could put there.
#include <catch2/catch.hpp>

#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "libsync/restrict/pins.h"

using namespace ocsync;
using namespace ocsync::sync;
namespace fs = std::filesystem;

namespace {

// A directory "root" with a neighbour "outside"; the process stands in "root" while it lives.
struct Yard {
  Yard() : before(fs::current_path()) {
    std::string name = (fs::temp_directory_path() / "pins-XXXXXX").string();
    REQUIRE(::mkdtemp(name.data()) != nullptr);
    top = fs::canonical(name);
    fs::create_directories(top / "root/sub/deep");
    fs::create_directory(top / "outside");
    std::ofstream(top / "outside/secret") << "no";
    std::ofstream(top / "root/sub/file") << "yes";
    fs::create_symlink("../outside", top / "root/out");
    fs::create_symlink("/nowhere/new", top / "root/away");
    fs::create_symlink("sub/deep", top / "root/alias");
    fs::current_path(top / "root");
    auto opened = io::Dir::open_trusted((top / "root").string());
    REQUIRE(opened);
    root = *std::move(opened);
  }
  ~Yard() {
    fs::current_path(before);
    fs::remove_all(top);
  }
  Pins pins(bool absolute = false) const { return Pins(root, (top / "root").string(), absolute); }
  // What a pinned path really is, from the top on.
  std::string real(const std::string& path) const {
    const std::string prefix = "/proc/self/fd/";
    if (!path.starts_with(prefix)) return path;
    const size_t end = std::min(path.find('/', prefix.size()), path.size());
    return "{" + fs::read_symlink(path.substr(0, end)).string().substr(top.string().size()) + "}" + path.substr(end);
  }
  std::string argument(const std::string& word, bool sends, bool relative = false) const {
    Pins pins_here = pins();
    RestrictedRequest so_far;
    so_far.sends = sends;
    so_far.relative = relative;
    const auto paths = pins_here.argument(so_far, word);
    if (!paths) return "! " + paths.error().text;
    std::string all;
    for (const std::string& path : *paths) all += (all.empty() ? "" : " ") + real(path);
    return all;
  }
  std::string value(const std::string& option, const std::string& path) const {
    Pins pins_here = pins();
    const auto pinned = pins_here.value(option, path, false, true);
    return pinned ? real(*pinned) : "! " + pinned.error().text;
  }
  fs::path before, top;
  io::Dir root;
};

}  // namespace

TEST_CASE("pins: a source is a name beneath a held directory") {
  const Yard yard;
  CHECK(yard.argument("sub/file", true) == "{/root/sub}/file");
  CHECK(yard.argument("/sub/file", true) == "{/root/sub}/file");
  CHECK(yard.argument("sub", true) == "{/root}/sub");
  CHECK(yard.argument("sub/", true) == "{/root/sub}/");
  CHECK(yard.argument("alias", true) == "{/root}/alias");
  CHECK(yard.argument("alias/.", true) == "{/root/sub/deep}/.");
  CHECK(yard.argument("sub/*", true) == "{/root/sub}/deep {/root/sub}/file");
  CHECK(yard.argument("sub/deep", true, true) == "{/root}/./sub/deep");
  CHECK(yard.argument("sub/./deep", true, true) == "{/root/sub}/./deep");
  CHECK(yard.argument("/", true) == ".");
}

TEST_CASE("pins: nothing outside is held") {
  const Yard yard;
  for (const bool sends : {true, false}) {
    CHECK(yard.argument("out/secret", sends).starts_with("! unsafe arg: out/secret ["));
    CHECK(yard.argument("out/", sends).starts_with("! unsafe arg: out/ ["));
    CHECK(yard.argument("away", sends).starts_with("! unsafe arg: away ["));
    CHECK(yard.argument("sub/../../outside", sends).starts_with("! do not use .. in arg"));
    CHECK(yard.argument("sub/\\.\\./x", sends).starts_with("! do not use .. in arg"));
  }
  for (const char* option :
       {"--backup-dir", "--partial-dir", "--link-dest", "--log-file", "--temp-dir", "--files-from"}) {
    CHECK(yard.value(option, "out/x").starts_with("! unsafe arg: out/x ["));
    CHECK(yard.value(option, "away").starts_with("! unsafe arg: away ["));
  }
  CHECK_FALSE(fs::exists(yard.top / "outside/x"));
}

TEST_CASE("pins: a target is a held directory, or a name in one") {
  const Yard yard;
  CHECK(yard.argument("sub", false) == "{/root/sub}");
  CHECK(yard.argument("alias/", false) == "{/root/sub/deep}/");
  CHECK(yard.argument("sub/file", false) == "{/root/sub}/file");
  CHECK(yard.argument("new", false) == "{/root}/new");
  CHECK(yard.argument("sub/a/b/c", false) == "{/root/sub}/a/b/c");
}

TEST_CASE("pins: directories that a server would make are made, and those it would read are empty and nameless") {
  const Yard yard;
  CHECK(yard.value("--backup-dir", "bak/of/today") == "{/root/bak/of/today}");
  CHECK(yard.value("--partial-dir", ".part") == "{/root/.part}");
  CHECK((fs::status(yard.top / "root/.part").permissions() & fs::perms(0777)) == fs::perms(0700));
  CHECK(yard.value("--link-dest", "none").ends_with(" (deleted)}"));
  CHECK_FALSE(fs::exists(yard.top / "root/none"));
  CHECK(yard.value("--temp-dir", "none") == "! receiver option path does not exist: none");
  CHECK(yard.value("--link-dest", "sub") == "{/root/sub}");
  CHECK(yard.value("--log-file", "new.log") == "{/root}/new.log");
}

TEST_CASE("pins: a directory exchanged afterwards changes nothing") {
  const Yard yard;
  Pins pins = yard.pins();
  RestrictedRequest so_far;
  so_far.sends = true;
  const auto paths = pins.argument(so_far, "sub/file");
  REQUIRE(paths);
  fs::rename(yard.top / "root/sub", yard.top / "root/was");
  fs::create_symlink("../outside", yard.top / "root/sub");
  std::ifstream file((*paths)[0]);
  std::string word;
  file >> word;
  CHECK(word == "yes");
}

TEST_CASE("pins: absolute paths below the directory, if the key allows them") {
  const Yard yard;
  const std::string root = (yard.top / "root").string();
  RestrictedRequest so_far;
  Pins with = yard.pins(true);
  const auto dir = with.argument(so_far, root);
  REQUIRE(dir);
  CHECK(*dir == std::vector<std::string>{"."});
  const auto sub = with.argument(so_far, root + "/sub");
  REQUIRE(sub);
  CHECK(yard.real((*sub)[0]) == "{/root/sub}");
  Pins without = yard.pins(false);
  const auto other = without.argument(so_far, root + "/sub");
  REQUIRE(other);
  CHECK(yard.real((*other)[0]).starts_with("{/root}/"));
}

TEST_CASE("pins: real paths as realpath would have them, and further where nothing exists") {
  const Yard yard;
  const std::string top = yard.top.string();
  CHECK(real_path(top + "/root/alias/x") == top + "/root/sub/deep/x");
  CHECK(real_path(top + "/root/out/../x") == top + "/x");
  CHECK(real_path(top + "/root/away/y") == "/nowhere/new/y");
  CHECK(real_path("/") == "/");
  fs::create_symlink("loop", yard.top / "root/loop");
  CHECK(real_path(top + "/root/loop/x") == top + "/root/loop/x");
}
