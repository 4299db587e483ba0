// --fake-super: the texts in attributes, and what objects stand for.
#include "libsync/meta/fake_super.h"

#include <sys/sysmacros.h>

#include <catch2/catch.hpp>

#include "tests/unit/os/scratch.h"

using namespace ocsync;
using namespace ocsync::sync;
using ocsync::io::leaf;
using ocsync::io::need;
using ocsync::io::Scratch;

TEST_CASE("fake-super: the text of a stat is read back as it was written") {
  const FakeStat s{.mode = 020644, .rdev_major = 1, .rdev_minor = 3, .uid = 5, .gid = 4294967294u};
  CHECK(format_fake_stat(s) == "20644 1,3 5:4294967294");
  const auto back = parse_fake_stat("20644 1,3 5:4294967294");
  REQUIRE(back);
  CHECK(format_fake_stat(*back) == format_fake_stat(s));
}

TEST_CASE("fake-super: other texts are refused") {
  for (const char* text : {"", "100644", "100644 0,0", "100644 0,0 1", "100644 0,0 1:", "x 0,0 1:2", "100648 0,0 1:2",
                           "100644 0 1:2", "100644 0,0 99999999999:2"})
    CHECK_FALSE(parse_fake_stat(text));
}

TEST_CASE("fake-super: an access list is read back, and absent parts follow from the mode") {
  proto::WireAcl acl;
  acl.mask = 5;
  acl.names = {{.id = 7, .access = 6, .user = true, .name = {}}, {.id = 8, .access = 4, .user = false, .name = {}}};
  const std::string bytes = format_fake_acl(acl);
  CHECK(bytes.size() == 16 + 2 * 8);
  const auto back = parse_fake_acl(bytes, 0754);
  REQUIRE(back);
  CHECK(back->user_obj == 7);
  CHECK(back->group_obj == 5);
  CHECK(back->mask == 5);
  CHECK(back->other == 4);
  CHECK(back->names == acl.names);
  CHECK_FALSE(parse_fake_acl(bytes.substr(1), 0754));
  CHECK_FALSE(parse_fake_acl("", 0754));
}

TEST_CASE("fake-super: an object stands for what was stored, and for itself where both say the same") {
  Scratch s;
  if (!io::Xattrs(s.dir).set("user.probe", as_bytes("1"))) return;
  s.write("f", "content");
  const Object object = Object::named(s.dir, leaf("f"));
  const io::FileInfo real = need(object.info());
  need(store_fake(object, {.mode = S_IFCHR | 0640, .rdev_major = 1, .rdev_minor = 3, .uid = 1, .gid = 2}));
  const io::FileInfo seen = need(faked(object, need(object.info()), "f"));
  CHECK(S_ISCHR(seen.mode));
  CHECK((seen.mode & 07777) == 0640);
  CHECK(seen.rdev == gnu_dev_makedev(1, 3));
  CHECK(seen.uid == 1);
  CHECK(seen.gid == 2);
  // Its own permissions let its owner work with it.
  CHECK((need(object.info()).mode & 07777) == 0640);
  need(store_fake(object, {.mode = S_IFREG | 04755, .uid = real.uid, .gid = real.gid}));
  CHECK((need(object.info()).mode & 07777) == 0755);
  CHECK((need(faked(object, need(object.info()), "f")).mode & 07777) == 04755);

  need(store_fake(object, {.mode = S_IFREG | 0644, .uid = real.uid, .gid = real.gid}));
  CHECK(need(io::Xattrs(s.dir, leaf("f")).get("user.rsync.%stat")) == std::nullopt);

  need(io::Xattrs(s.dir, leaf("f")).set("user.rsync.%stat", as_bytes("nonsense")));
  const auto corrupt = faked(object, need(object.info()), "\"f\"");
  REQUIRE_FALSE(corrupt);
  CHECK(corrupt.error().fault == Fault::kFileIo);
  CHECK(corrupt.error().text == "Corrupt user.rsync.%stat xattr attached to \"f\": \"nonsense\"");
}

TEST_CASE("fake-super: symlinks are files that hold their targets") {
  Scratch s;
  need(make_fake_link(s.dir, leaf("l"), "over/there"));
  CHECK(need(s.dir.info(leaf("l"))).is_regular());
  CHECK(need(read_fake_link(s.dir, leaf("l"))) == "over/there");
  CHECK_FALSE(make_fake_link(s.dir, leaf("l"), "again"));
  need(s.dir.make_symlink("real", leaf("r")));
  CHECK_FALSE(read_fake_link(s.dir, leaf("r")));
}
