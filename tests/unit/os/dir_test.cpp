// What Dir promises: links cannot lead it astray, long paths work, failures carry errno.
#include "libio/os/dir.h"

#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <set>
#include <thread>

#include "libio/os/sys.h"
#include "tests/unit/os/scratch.h"

using namespace ocsync;
using namespace ocsync::io;
namespace fs = std::filesystem;

namespace {

// Acts as an ordinary user while it lives; does nothing when the tests do not run as root.
struct OrdinaryUser {
  bool active = ::geteuid() == 0 && ::seteuid(65534) == 0;
  ~OrdinaryUser() {
    if (active && ::seteuid(0) != 0) std::abort();
  }
};

std::set<std::string> names(const DirListing& listing) {
  std::set<std::string> all;
  for (const DirEntry& e : listing.entries) all.insert(listing.name(e));
  return all;
}

}  // namespace

TEST_CASE("leaf: only a single harmless component passes") {
  for (const char* bad : {"", ".", "..", "a/b", "/", "a/", "/a"}) {
    CAPTURE(bad);
    const auto r = Leaf::check(bad);
    REQUIRE(!r);
    CHECK(r.error().fault == Fault::kProtocol);
  }
  CHECK(!Leaf::check(std::string("a\0b", 3)));
  for (const char* good : {"a", "...", "..a", ".a", " ", "\n", "-rf", "a\\b"}) {
    CAPTURE(good);
    CHECK(Leaf::check(good));
  }
}

TEST_CASE("dir: a planted symlink in place of a directory is refused by child and beneath_nofollow") {
  Scratch s;
  fs::create_directories(s / "outside");
  fs::create_directories(s / "root/real/sub");
  fs::create_symlink("../outside", s / "root/trap");
  fs::create_symlink("real", s / "root/inside");
  fs::create_symlink(s / "outside", s / "root/absolute");
  const Dir root = need(s.dir.child(leaf("root")));

  CHECK((sys_of(root.child(leaf("trap"))) == ENOTDIR || sys_of(root.child(leaf("trap"))) == ELOOP));
  CHECK((sys_of(root.child(leaf("inside"))) == ENOTDIR || sys_of(root.child(leaf("inside"))) == ELOOP));
  CHECK(root.child_following(leaf("trap")));
  CHECK(root.child(leaf("real")));

  CHECK(root.beneath("real/sub"));
  CHECK(root.beneath(""));
  CHECK(root.beneath("."));
  CHECK(root.beneath("inside/sub"));
  CHECK(sys_of(root.beneath("trap")) == EXDEV);
  CHECK(sys_of(root.beneath("absolute")) == EXDEV);
  CHECK(sys_of(root.beneath("..")) == EXDEV);
  CHECK(sys_of(root.beneath("real/../../outside")) == EXDEV);
  CHECK(sys_of(root.beneath("/tmp")) == EXDEV);
  CHECK(sys_of(root.beneath_nofollow("inside/sub")) == ELOOP);
  CHECK(root.beneath_nofollow("real/sub"));
  CHECK(sys_of(root.beneath(std::string("real\0x", 6))) == EINVAL);
}

TEST_CASE("dir: the component walk gives the same answers as openat2") {
  Scratch s;
  fs::create_directories(s / "outside");
  fs::create_directories(s / "root/real/sub/deep");
  fs::create_symlink("../outside", s / "root/trap");
  fs::create_symlink("real/sub", s / "root/inside");
  fs::create_symlink("../sub/deep/..", s / "root/real/turn");
  fs::create_symlink(s / "outside", s / "root/absolute");
  fs::create_symlink("loop", s / "root/loop");
  s.write("root/file", "x");
  const Dir root = need(s.dir.child(leaf("root")));
  for (const char* path : {"real/sub",
                           ".",
                           "inside",
                           "inside/deep",
                           "trap",
                           "absolute",
                           "..",
                           "real/../..",
                           "real/..",
                           "real/sub/../sub",
                           "/tmp",
                           "loop",
                           "file",
                           "file/x",
                           "missing",
                           "real/missing/x",
                           "inside/..",
                           "inside/../../..",
                           "real/turn/sub",
                           "./real//sub/",
                           "trap/x",
                           "real/../../root"}) {
    CAPTURE(path);
    for (const bool follow : {true, false}) {
      const auto open = [&] { return follow ? root.beneath(path) : root.beneath_nofollow(path); };
      const auto kernel = open();
      for (const int refusal : {ENOSYS, EPERM}) {
        const sys::FaultPlan no_openat2(sys::Call::kOpen, 1, refusal);
        const auto walked = open();
        CHECK(no_openat2.fired() == 1);
        REQUIRE(kernel.has_value() == walked.has_value());
        if (kernel) {
          CHECK(need(kernel->self()).ino == need(walked->self()).ino);
        } else if (kernel.error().sys != walked.error().sys) {
          // Both refuse; only the order of two reasons may differ.
          CHECK((kernel.error().sys == ELOOP || kernel.error().sys == EXDEV || kernel.error().sys == ENOTDIR));
          CHECK((walked.error().sys == ELOOP || walked.error().sys == EXDEV || walked.error().sys == ENOTDIR));
        }
      }
    }
  }
}

TEST_CASE("dir: paths longer than PATH_MAX work below a held directory") {
  Scratch s;
  const std::string name(250, 'd');
  Dir at = need(s.dir.duplicate());
  std::string relative;
  for (int depth = 0; depth < 30; ++depth) {  // 7,500 bytes
    need(at.make_dir(leaf(name.c_str()), 0755));
    at = need(at.child(leaf(name.c_str())));
    relative += (depth ? "/" : "") + name;
  }
  need(at.create(leaf("file"), 0644));
  for (const Dir& same : {need(s.dir.beneath(relative)), need(s.dir.beneath_nofollow(relative)),
                          need(Dir::open_trusted(s.path + "/" + relative))})
    CHECK(need(same.info(leaf("file"))).ino == need(at.info(leaf("file"))).ino);
}

TEST_CASE("dir: names of 255 bytes work, longer ones fail") {
  Scratch s;
  const std::string longest(255, 'n');
  need(s.dir.create(leaf(longest.c_str()), 0600));
  CHECK(names(need(s.dir.list())) == std::set<std::string>{longest});
  CHECK(sys_of(s.dir.create(leaf((longest + "n").c_str()), 0600)) == ENAMETOOLONG);
}

TEST_CASE("dir: a listing is whole, repeatable, and safe from several threads") {
  Scratch s;
  std::set<std::string> expected;
  for (int i = 0; i < 3000; ++i) {  // several buffers of records
    const std::string name = "entry-with-a-name-of-some-length-" + std::to_string(i);
    need(s.dir.create(leaf(name.c_str()), 0600));
    expected.insert(name);
  }
  need(s.dir.make_dir(leaf("sub"), 0700));
  expected.insert("sub");
  std::vector<std::set<std::string>> seen(4);
  std::vector<std::thread> threads;
  for (auto& mine : seen) threads.emplace_back([&] { mine = names(*s.dir.list()); });
  for (auto& t : threads) t.join();
  for (const auto& mine : seen) CHECK(mine == expected);
  const Dir copy = need(s.dir.duplicate());
  CHECK(names(need(copy.list())) == expected);
  const DirListing listing = need(s.dir.list());
  for (const DirEntry& e : listing.entries) {
    const FileInfo info = need(s.dir.info(leaf(listing.name(e))));
    CHECK(info.ino == e.ino);
    CHECK((e.type == DT_UNKNOWN || e.type == (info.is_dir() ? DT_DIR : DT_REG)));
  }
}

TEST_CASE("dir: a listing that fails half-way is an error, and the next one is whole") {
  Scratch s;
  need(s.dir.create(leaf("a"), 0600));
  {
    const sys::FaultPlan plan(sys::Call::kList, 2, EIO);
    CHECK(sys_of(s.dir.list()) == EIO);
  }
  CHECK(names(need(s.dir.list())) == std::set<std::string>{"a"});
}

TEST_CASE("dir: a directory that may only be searched still serves its children") {
  Scratch s;
  fs::create_directories(s / "dark");
  s.write("dark/file", "inside");
  fs::permissions(s.path, fs::perms(0755));
  fs::permissions(s / "dark", fs::perms(0711));
  if (::geteuid() == 0) REQUIRE(::chown((s / "dark").c_str(), 0, 0) == 0);
  {
    const OrdinaryUser user;
    if (!user.active) fs::permissions(s / "dark", fs::perms(0100));
    const Dir dark = need(s.dir.child(leaf("dark")));
    CHECK(read_all(need(dark.open_read(leaf("file")))) == "inside");
    CHECK(need(dark.self()).is_dir());
    CHECK(sys_of(dark.list()) == EACCES);
    CHECK(need(s.dir.beneath("dark")).info(leaf("file")));
    CHECK(need(Dir::open_trusted(s / "dark")).info(leaf("file")));
    if (!user.active) {
      need(dark.set_self_mode(0700));  // through a descriptor opened for searching only
      CHECK(names(need(dark.list())) == std::set<std::string>{"file"});
      need(dark.set_self_times(std::nullopt, {1000, 5}));
      CHECK(need(dark.self()).mtime == FileTime{1000, 5});
    }
  }
  fs::permissions(s / "dark", fs::perms(0700));
}

TEST_CASE("dir: attributes can be set through a descriptor that only names the object") {
  Scratch s;
  s.write("file", "x");
  const File file = need(s.dir.open_path(leaf("file")));
  need(file.set_mode(0640));
  need(file.set_times(FileTime{-5, 999'999'999}, FileTime{77, 1}));
  need(file.set_owner(UINT32_MAX, UINT32_MAX));
  const FileInfo info = need(s.dir.info(leaf("file")));
  CHECK(info.permissions() == 0640);
  CHECK(info.atime == FileTime{-5, 999'999'999});
  CHECK(info.mtime == FileTime{77, 1});
}

TEST_CASE("dir: attributes of a symlink are its own") {
  Scratch s;
  s.write("target", "x");
  need(s.dir.set_mode(leaf("target"), 0600));
  need(s.dir.make_symlink("target", leaf("link")));
  const FileInfo before = need(s.dir.info(leaf("target")));
  CHECK(sys_of(s.dir.set_mode(leaf("link"), 0777)) == EOPNOTSUPP);
  need(s.dir.set_times(leaf("link"), std::nullopt, {123, 456}));
  CHECK(need(s.dir.info(leaf("link"))).mtime == FileTime{123, 456});
  const FileInfo after = need(s.dir.info(leaf("target")));
  CHECK(after.mtime == before.mtime);
  CHECK(after.permissions() == 0600);
  CHECK(need(s.dir.read_link(leaf("link"))) == "target");
  CHECK(sys_of(s.dir.read_link(leaf("target"))) == EINVAL);
  for (const int error : {sys_of(s.dir.open_read(leaf("link"))), sys_of(s.dir.open_write(leaf("link"))),
                          sys_of(s.dir.open_update(leaf("link")))})
    CHECK(error == ELOOP);
  CHECK(sys_of(s.dir.create(leaf("link"), 0600)) == EEXIST);
  CHECK(read_all(need(s.dir.open_read_following(leaf("link")))) == "x");
  need(s.dir.hard_link(leaf("link"), s.dir, leaf("second")));
  CHECK(need(s.dir.info(leaf("second"))).is_symlink());
}

TEST_CASE("dir: set_mode works where the kernel lacks fchmodat2") {
  Scratch s;
  s.write("file", "x");
  s.dir.make_symlink("file", leaf("link"));
  {
    const sys::FaultPlan old_kernel(sys::Call::kAttribute, 1, ENOSYS);
    need(s.dir.set_mode(leaf("file"), 0604));
    CHECK(old_kernel.fired() == 1);
  }
  CHECK(need(s.dir.info(leaf("file"))).permissions() == 0604);
  const sys::FaultPlan old_kernel(sys::Call::kAttribute, 1, ENOSYS);
  CHECK(sys_of(s.dir.set_mode(leaf("link"), 0600)) == EOPNOTSUPP);
}

TEST_CASE("dir: opening a fifo for content does not block") {
  Scratch s;
  need(s.dir.make_node(leaf("fifo"), S_IFIFO | 0600, 0));
  CHECK(need(s.dir.open_read(leaf("fifo"))).info()->is_special());
  CHECK(sys_of(s.dir.open_write(leaf("fifo"))) == ENXIO);
  need(s.dir.make_node(leaf("socket"), S_IFSOCK | 0600, 0));
  CHECK(need(s.dir.info(leaf("socket"))).is_special());
}

TEST_CASE("dir: info with birth time agrees with info") {
  Scratch s;
  s.write("file", "12345");
  const FileInfo plain = need(s.dir.info(leaf("file")));
  const FileInfo born = need(s.dir.info_with_btime(leaf("file")));
  CHECK(plain.size == 5);
  CHECK((plain.mode == born.mode && plain.dev == born.dev && plain.ino == born.ino && plain.mtime == born.mtime &&
         plain.ctime == born.ctime && plain.nlink == born.nlink && plain.size == born.size));
  if (born.has_btime) CHECK(born.btime <= born.ctime);
  const Leaf both[] = {leaf("file"), leaf("missing")};
  const auto batch = s.dir.info_batch(both);
  REQUIRE(batch.size() == 2);
  CHECK(need(batch[0]).ino == plain.ino);
  CHECK(sys_of(batch[1]) == ENOENT);
}

TEST_CASE("dir: an operator's path follows only links of root and of ourselves") {
  Scratch s;
  fs::create_directories(s / "a/b");
  s.write("a/b/file", "content");
  fs::create_symlink("a", s / "mine");
  fs::create_symlink(s / "a/b", s / "a/absolute");
  fs::create_symlink("b/file", s / "a/file");
  fs::create_symlink("self", s / "self");
  const uint64_t b = need(need(s.dir.beneath("a/b")).self()).ino;

  CHECK(need(need(Dir::open_trusted(s / "mine/b")).self()).ino == b);
  CHECK(need(need(Dir::open_trusted(s / "mine/absolute/")).self()).ino == b);
  CHECK(need(need(Dir::open_trusted(s / "mine/b/../absolute")).self()).ino == b);
  CHECK(sys_of(Dir::open_trusted(s / "self")) == ELOOP);
  CHECK(sys_of(Dir::open_trusted(s / "a/b/file")) == ENOTDIR);
  CHECK(sys_of(Dir::open_trusted(s / "a/missing/x")) == ENOENT);
  CHECK(sys_of(Dir::open_trusted("")) == ENOENT);
  CHECK(read_all(need(Dir::open_trusted_file(s / "mine/file", Dir::Use::kRead))) == "content");

  Dir::Place place = need(Dir::trusted_parent(s / "mine/b/new name"));
  CHECK(place.leaf == "new name");
  CHECK(need(place.dir.self()).ino == b);
  CHECK(need(Dir::trusted_parent(s / "mine/b/")).leaf == ".");
  need(Dir::open_trusted_file(s / "mine/b/made", Dir::Use::kAppend)).write_at(as_bytes("x"), 0);
  CHECK(s.read("a/b/made") == "x");

  if (::geteuid() != 0) return;  // giving a link away takes root
  REQUIRE(::lchown((s / "mine").c_str(), 12345, 12345) == 0);
  REQUIRE(::lchown((s / "a/file").c_str(), 12345, 12345) == 0);
  const auto refused = Dir::open_trusted(s / "mine/b");
  REQUIRE(!refused);
  CHECK(refused.error().sys == ELOOP);
  CHECK(refused.error().text.find("\"mine\"") != std::string::npos);
  CHECK(refused.error().text.find("12345") != std::string::npos);
  CHECK(need(need(Dir::open_trusted(s / "mine/b", true)).self()).ino == b);
  CHECK(sys_of(Dir::open_trusted_file(s / "a/file", Dir::Use::kRead)) == ELOOP);
  CHECK(sys_of(Dir::open_trusted_file(s / "a/file", Dir::Use::kReplace)) == ELOOP);
  CHECK(s.read("a/b/file") == "content");
  CHECK(read_all(need(Dir::open_trusted_file(s / "a/file", Dir::Use::kRead, 0, true))) == "content");
  CHECK(sys_of(Dir::trusted_parent(s / "mine/x")) == ELOOP);
}

TEST_CASE("dir: a confined path ends inside, however it is spelled") {
  Scratch s;
  fs::create_directories(s / "root/in");
  fs::create_directories(s / "out");
  s.write("root/in/file", "inside");
  s.write("out/file", "outside");
  fs::create_symlink("../out", s / "root/away");
  fs::create_symlink(s / "out", s / "root/far");
  fs::create_symlink("in", s / "root/near");
  fs::create_symlink(s / "root", s / "alias");
  const Trust trust(false, s / "root");
  const uint64_t in = need(need(s.dir.beneath("root/in")).self()).ino;

  CHECK(need(need(Dir::open_trusted(s / "root/in", trust)).self()).ino == in);
  CHECK(need(need(Dir::open_trusted(s / "root/near/../in", trust)).self()).ino == in);
  CHECK(need(need(Dir::open_trusted(s / "alias/in", trust)).self()).ino == in);
  CHECK(read_all(need(Dir::open_trusted_file(s / "root/near/file", Dir::Use::kRead, 0, trust))) == "inside");
  for (const char* path : {"root/away", "root/far", "root/../out", "root/in/../../out", "out", "out/../root/in", ""})
    CHECK(sys_of(Dir::open_trusted(s / path, trust)) == ELOOP);
  CHECK(sys_of(Dir::open_trusted_file(s / "root/away/file", Dir::Use::kRead, 0, trust)) == ELOOP);
  CHECK(sys_of(Dir::open_trusted_file(s / "root/away/file", Dir::Use::kReplace, 0, trust)) == ELOOP);
  CHECK(s.read("out/file") == "outside");
  CHECK(sys_of(Dir::open_trusted_file(s / "new", Dir::Use::kAppend, 0600, trust)) == ELOOP);
  CHECK_FALSE(fs::exists(s / "new"));
  CHECK(sys_of(Dir::trusted_parent(s / "out/new", trust)) == ELOOP);
  CHECK(need(Dir::trusted_parent(s / "root/in/new", trust)).leaf == "new");
  CHECK(need(Dir::trusted_parent(s / "root", trust)).leaf == "root");  // to be made, if it is missing

  // A descriptor counts as what it leads to.
  const Dir inside = need(s.dir.beneath("root/in")), outside = need(s.dir.beneath("out"));
  const auto pin = [](const Dir& dir) { return "/proc/self/fd/" + std::to_string(dir.fd()); };
  CHECK(need(need(Dir::open_trusted(pin(inside), trust)).self()).ino == in);
  CHECK(read_all(need(Dir::open_trusted_file(pin(inside) + "/file", Dir::Use::kRead, 0, trust))) == "inside");
  CHECK(sys_of(Dir::open_trusted(pin(outside), trust)) == ELOOP);
  CHECK(sys_of(Dir::open_trusted_file(pin(outside) + "/file", Dir::Use::kRead, 0, trust)) == ELOOP);
  CHECK(sys_of(Dir::open_trusted("/proc/self/fd", trust)) == ELOOP);

  // Below a directory that is held, the way starts there.
  const Dir root = need(s.dir.beneath("root"));
  CHECK(need(need(root.trusted_below("near", trust)).self()).ino == in);
  CHECK(sys_of(root.trusted_below("away", trust)) == ELOOP);
  CHECK(need(need(root.trusted_below("away")).self()).ino == need(outside.self()).ino);
}

TEST_CASE("dir: forty links in a row are followed, forty-one are not") {
  Scratch s;
  fs::create_directories(s / "end");
  std::string target = "end";
  for (int i = 1; i <= 41; ++i) {
    const std::string name = "l" + std::to_string(i);
    fs::create_symlink(target, s / name);
    target = name;
  }
  CHECK(Dir::open_trusted(s / "l40"));
  CHECK(sys_of(Dir::open_trusted(s / "l41")) == ELOOP);
  const sys::FaultPlan no_openat2(sys::Call::kOpen, 1, ENOSYS);
  CHECK(s.dir.beneath("l40"));
  const sys::FaultPlan* alive = &no_openat2;
  CHECK(alive->fired() == 1);
}

TEST_CASE("dir: a descriptor of ours can be named through /dev/fd") {
  auto pipe = need(sys::make_pipe());
  need(sys::write(pipe.write_end.get(), as_bytes("through")));
  pipe.write_end.close();
  const File end = need(Dir::open_trusted_file("/dev/fd/" + std::to_string(pipe.read_end.get()), Dir::Use::kRead));
  char text[16];
  CHECK(need(sys::read(end.fd(), std::as_writable_bytes(std::span(text)))) == 7);
}

TEST_CASE("dir: failures injected below come out as they are") {
  Scratch s;
  s.write("file", "x");
  {
    const sys::FaultPlan plan(sys::Call::kOpen, 1, EMFILE);
    CHECK(sys_of(s.dir.open_read(leaf("file"))) == EMFILE);
  }
  {
    const sys::FaultPlan plan(sys::Call::kOpen, 1, EINTR, 3);
    CHECK(s.dir.open_read(leaf("file")));
    CHECK(plan.fired() == 3);
  }
  {
    const sys::FaultPlan plan(sys::Call::kName, 1, EROFS);
    CHECK(sys_of(s.dir.rename(leaf("file"), s.dir, leaf("other"))) == EROFS);
  }
  CHECK(s.read("file") == "x");
}
