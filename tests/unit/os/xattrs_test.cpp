// Extended attributes and ACLs on every kind of object, with and without help from the kernel.
#include "libio/os/xattrs.h"

#include <algorithm>

#include "libio/os/acls.h"
#include "libio/os/sys.h"
#include "tests/unit/os/scratch.h"

using namespace ocsync;
using namespace ocsync::io;

namespace {

// False where the file system of the scratch directory has no attributes for users.
bool supported(const Scratch& s) { return Xattrs(s.dir).set("user.probe", as_bytes("1")).has_value(); }

}  // namespace

TEST_CASE("xattrs: set, list, get and remove through every handle") {
  Scratch s;
  if (!supported(s)) return;
  s.write("file", "x");
  need(s.dir.make_dir(leaf("sub"), 0700));
  const Dir sub = need(s.dir.child(leaf("sub")));
  const File open = need(s.dir.open_read(leaf("file")));
  const File path = need(s.dir.open_path(leaf("file")));
  const std::string binary("a\0b\xFF", 4);
  struct Handle {
    Xattrs x;
    bool child;
  };
  for (const auto& [x, child] : {Handle{Xattrs(open), false}, Handle{Xattrs(path), false}, Handle{Xattrs(sub), false},
                                 Handle{Xattrs(s.dir, leaf("file")), true}, Handle{Xattrs(s.dir, leaf("sub")), true}}) {
    // As it is; interrupted; and with a kernel that lacks the newest calls.
    for (const auto& [error, times] : {std::pair{EINTR, 0u}, {EINTR, 2u}, {ENOSYS, 1000u}}) {
      if (error == ENOSYS && !child) continue;
      const sys::FaultPlan plan(sys::Call::kXattr, 1, error, times);
      CHECK(need(x.get("user.one")) == std::nullopt);
      need(x.set("user.one", as_bytes("first")));
      need(x.set("user.one", as_bytes(binary)));
      need(x.set("user.empty", Bytes()));
      const std::vector<std::string> names = need(x.names());
      CHECK(std::ranges::count(names, "user.one") == 1);
      CHECK(std::ranges::count(names, "user.empty") == 1);
      CHECK(need(x.get("user.one")) == binary);
      CHECK(need(x.get("user.empty")) == std::string());
      need(x.remove("user.one"));
      need(x.remove("user.one"));
      need(x.remove("user.empty"));
      CHECK(std::ranges::count(need(x.names()), "user.one") == 0);
    }
  }
}

TEST_CASE("xattrs: a symlink is never followed") {
  Scratch s;
  if (!supported(s)) return;
  s.write("target", "x");
  need(s.dir.make_symlink("target", leaf("link")));
  need(Xattrs(s.dir, leaf("target")).set("user.mark", as_bytes("1")));
  const Xattrs link(s.dir, leaf("link"));
  CHECK(std::ranges::count(need(link.names()), "user.mark") == 0);
  CHECK(!link.set("user.planted", as_bytes("1")));  // user attributes are not for symlinks
  CHECK(std::ranges::count(need(Xattrs(s.dir, leaf("target")).names()), "user.planted") == 0);
  CHECK(sys_of(Xattrs(s.dir, leaf("missing")).names()) == ENOENT);
}

TEST_CASE("xattrs: what is not to be had is told apart from what failed") {
  Scratch s;
  s.write("file", "x");
  const Xattrs x(s.dir, leaf("file"));
  for (const int error : {EOPNOTSUPP, EPERM, ENOSPC}) {
    const Fault fault = error == EOPNOTSUPP ? Fault::kUnsupported : Fault::kSystem;
    {
      const sys::FaultPlan plan(sys::Call::kXattr, 1, error, 3);
      CHECK(x.names().error().fault == fault);
      CHECK(x.get("user.a").error().sys == error);
      CHECK(x.set("user.a", Bytes()).error().fault == fault);
    }
    const sys::FaultPlan plan(sys::Call::kXattr, 1, error);
    CHECK(x.remove("user.a").error().fault == fault);
  }
}

TEST_CASE("acls: kernel form and value agree both ways") {
  Acl acl;
  acl.user_obj = 7;
  acl.group_obj = 5;
  acl.other = 0;
  CHECK(acl.is_plain());
  CHECK(need(decode_acl(encode_acl(acl))) == acl);
  acl.mask = 6;
  acl.entries = {{10, 6, true}, {4'000'000'000, 1, true}, {3, 7, false}};
  CHECK(!acl.is_plain());
  CHECK(need(decode_acl(encode_acl(acl))) == acl);
  Acl shuffled = acl;
  std::ranges::reverse(shuffled.entries);
  CHECK(encode_acl(shuffled) == encode_acl(acl));
  CHECK(mode_of_acl(acl, 0100644) == 0100760);
  CHECK(mode_of_acl(acl_of_mode(0751), 0) == 0751);
  CHECK(mode_of_acl(Acl(), 04711) == 04711);
}

TEST_CASE("acls: other forms are refused") {
  Acl acl = acl_of_mode(0640);
  const std::vector<std::byte> good = encode_acl(acl);
  for (size_t n = 0; n < good.size(); ++n) {
    const bool whole = n == 4 || (n > 4 && (n - 4) % 8 == 0);
    CHECK(decode_acl(Bytes(good).first(n)).has_value() == whole);
  }
  const auto changed = [&](size_t at, uint8_t to) {
    std::vector<std::byte> bad = good;
    bad[at] = std::byte{to};
    return decode_acl(bad);
  };
  CHECK(!changed(0, 3));   // version
  CHECK(!changed(4, 3));   // tag
  CHECK(!changed(6, 8));   // more than rwx
  CHECK(!changed(12, 1));  // the owner twice
  CHECK(!decode_acl({}));
}

TEST_CASE("acls: written ones come back, and removing leaves the permission bits") {
  Scratch s;
  need(s.dir.make_dir(leaf("sub"), 0750));
  const Xattrs of(s.dir, leaf("sub"));
  const auto none = read_acl(of, AclKind::kAccess);
  if (!none && none.error().fault == Fault::kUnsupported) return;
  CHECK(need(read_acl(of, AclKind::kAccess)).empty());
  CHECK(need(read_acl(of, AclKind::kDefault)).empty());
  Acl acl = acl_of_mode(0750);
  acl.mask = 7;
  acl.entries = {{1234, 6, true}, {77, 4, false}};
  if (Status written = write_acl(of, AclKind::kAccess, acl); !written) {
    CHECK(written.error().fault == Fault::kUnsupported);
    return;
  }
  need(write_acl(of, AclKind::kDefault, acl));
  CHECK(need(read_acl(of, AclKind::kAccess)) == acl);
  CHECK(need(read_acl(of, AclKind::kDefault)) == acl);
  CHECK(need(s.dir.info(leaf("sub"))).permissions() == mode_of_acl(acl, 0));
  need(write_acl(of, AclKind::kDefault, Acl()));
  need(write_acl(of, AclKind::kAccess, acl_of_mode(0705)));
  CHECK(need(read_acl(of, AclKind::kDefault)).empty());
  CHECK(need(read_acl(of, AclKind::kAccess)).empty());
  CHECK(need(s.dir.info(leaf("sub"))).permissions() == 0705);
}
