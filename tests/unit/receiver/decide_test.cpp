// The policy as tables: what the list says, what lies here, what the user wants, and what should happen.
#include "libsync/receiver/decide.h"

#include <sys/sysmacros.h>

#include <catch2/catch.hpp>

#include "libproto/item.h"
#include "tests/support/terms.h"

using namespace ocsync;
using namespace ocsync::sync;
using namespace ocsync::sync::test;

namespace {

struct FakeProbe final : Probe {
  std::optional<std::string> target = "target";
  Digest digest;
  int asked = 0;
  std::optional<std::string> link_target() override {
    ++asked;
    return target;
  }
  Digest content_digest() override {
    ++asked;
    return digest;
  }
};

struct Listed {
  Extras extras;
  Entry entry;
  Listed(uint32_t mode, int64_t size, int64_t mtime) {
    entry.set_leaf("name");
    entry.mode = static_cast<uint16_t>(mode);
    entry.size = size;
    entry.mtime = mtime;
    entry.uid = 1000;
    entry.gid = 1000;
    entry.set_extras(&extras);
    extras.target = "target";
    extras.rdev_major = 1;
    extras.rdev_minor = 3;
  }
  Listed(const Listed&) = delete;
};

std::optional<io::FileInfo> here(uint32_t mode, uint64_t size = 10, int64_t mtime = 1000) {
  io::FileInfo info;
  info.mode = mode;
  info.size = size;
  info.mtime = {mtime, 0};
  info.uid = info.gid = 1000;
  info.nlink = 1;
  info.rdev = gnu_dev_makedev(1, 3);
  return info;
}
const std::optional<io::FileInfo> kNothing;

constexpr uint32_t kFile = S_IFREG | 0644, kDir = S_IFDIR | 0755, kLink = S_IFLNK | 0777, kPipe = S_IFIFO | 0600,
                   kChar = S_IFCHR | 0600;

struct Policy {
  World world;
  FakeProbe probe;
  explicit Policy(const std::string& line, int version = 32) : world(line, version) { world.terms.may_chown = true; }
  Decision operator()(const Listed& listed, const std::optional<io::FileInfo>& found,
                      Attempt attempt = Attempt::kFirst) {
    return decide(listed.entry, "dir/name", found, probe, world.terms, attempt);
  }
};

Decision skip(Why why) { return {.act = Act::kSkip, .why = why}; }
const Decision kKeep{.act = Act::kKeep, .exists = true};
const Decision kUpdate{.act = Act::kTransfer, .exists = true};
const Decision kNew{.act = Act::kTransfer};
const Decision kInstead{.act = Act::kTransfer, .clear_the_way = true};

}  // namespace

namespace Catch {
template <>
struct StringMaker<Decision> {
  static std::string convert(const Decision& d) {
    return "act " + std::to_string(static_cast<int>(d.act)) + " why " + std::to_string(static_cast<int>(d.why)) +
           (d.clear_the_way ? " clear" : "") + (d.exists ? " exists" : "");
  }
};
}  // namespace Catch

TEST_CASE("decide: the quick check of a file looks at size and time") {
  Policy policy("-rt");
  const Listed file(kFile, 10, 1000);
  CHECK(policy(file, kNothing) == kNew);
  CHECK(policy(file, here(kFile)) == kKeep);
  CHECK(policy(file, here(kFile, 11)) == kUpdate);
  CHECK(policy(file, here(kFile, 10, 1001)) == kUpdate);
  CHECK(policy(file, here(kFile, 10, 999)) == kUpdate);
  CHECK(policy.probe.asked == 0);
}

TEST_CASE("decide: --size-only, -I and the window of --modify-window") {
  const Listed file(kFile, 10, 1000);
  CHECK(Policy("-rt --size-only")(file, here(kFile, 10, 5)) == kKeep);
  CHECK(Policy("-rt --size-only")(file, here(kFile, 11, 1000)) == kUpdate);
  CHECK(Policy("-rt -I")(file, here(kFile)) == kUpdate);
  for (const int64_t t : {998, 1002}) CHECK(Policy("-rt --modify-window=2")(file, here(kFile, 10, t)) == kKeep);
  for (const int64_t t : {997, 1003}) CHECK(Policy("-rt --modify-window=2")(file, here(kFile, 10, t)) == kUpdate);
  auto nanoseconds = here(kFile);
  nanoseconds->mtime.nsec = 1;
  CHECK(Policy("-rt")(file, nanoseconds) == kKeep);
  CHECK(Policy("-rt --modify-window=-1")(file, nanoseconds) == kUpdate);
}

TEST_CASE("decide: -c compares content, and only where sizes agree") {
  Policy policy("-rtc");
  Listed file(kFile, 10, 1000);
  const std::string sum(16, '\0');
  file.extras.checksum = sum;
  policy.probe.digest = file.extras.digest();
  CHECK(policy(file, here(kFile, 10, 5)) == kKeep);
  CHECK(policy.probe.asked == 1);
  policy.probe.digest.data[3] = std::byte{9};
  CHECK(policy(file, here(kFile)) == kUpdate);
  CHECK(policy.probe.asked == 2);
  CHECK(policy(file, here(kFile, 11)) == kUpdate);
  CHECK(policy.probe.asked == 2);
}

TEST_CASE("decide: -u leaves alone what is newer here") {
  Policy policy("-rtu");
  const Listed file(kFile, 10, 1000);
  CHECK(policy(file, here(kFile, 10, 2000)) == skip(Why::kNewerHere));
  CHECK(policy(file, here(kFile, 99, 2000)) == skip(Why::kNewerHere));
  CHECK(policy(file, here(kFile, 99, 1000)) == kUpdate);
  CHECK(policy(file, here(kFile, 99, 500)) == kUpdate);
  CHECK(policy(file, here(kLink, 99, 2000)) == kInstead);
  CHECK(policy(file, here(kFile, 99, 2000), Attempt::kRedo) == kUpdate);
}

TEST_CASE("decide: --existing and --ignore-existing") {
  const Listed file(kFile, 10, 1000), dir(kDir, 0, 1000);
  CHECK(Policy("-rt --existing")(file, kNothing) == skip(Why::kNotExisting));
  CHECK(Policy("-rt --existing")(dir, kNothing) == skip(Why::kNotExisting));
  CHECK(Policy("-rt --existing")(file, here(kFile, 11)) == kUpdate);
  CHECK(Policy("-rt --ignore-existing")(file, here(kFile, 11)) == skip(Why::kExists));
  CHECK(Policy("-rt --ignore-existing")(file, here(kDir)) == skip(Why::kExists));
  CHECK(Policy("-rt --ignore-existing")(file, kNothing) == kNew);
  // A directory that is there is worked in all the same.
  CHECK(Policy("-rt --ignore-existing")(dir, here(kDir)) == kKeep);
  CHECK(Policy("-rt --ignore-existing")(dir, here(kFile)) == skip(Why::kExists));
}

TEST_CASE("decide: size limits") {
  const Listed small(kFile, 9, 1000), large(kFile, 21, 1000), dir(kDir, 4096, 1000);
  CHECK(Policy("-rt --min-size=10 --max-size=20")(small, kNothing) == skip(Why::kTooSmall));
  CHECK(Policy("-rt --min-size=10 --max-size=20")(large, kNothing) == skip(Why::kTooLarge));
  CHECK(Policy("-rt --min-size=9 --max-size=21")(small, kNothing) == kNew);
  CHECK(Policy("-rt --min-size=9 --max-size=21")(large, kNothing) == kNew);
  CHECK(Policy("-rt --max-size=20")(dir, kNothing) == Decision{.act = Act::kMakeDir});
}

TEST_CASE("decide: something of another kind is in the way") {
  const Listed file(kFile, 10, 1000), dir(kDir, 0, 1000), link(kLink, 6, 1000), pipe(kPipe, 0, 1000),
      device(kChar, 0, 1000);
  Policy policy("-a");
  for (const uint32_t other : {kDir, kLink, kPipe, kChar}) CHECK(policy(file, here(other)) == kInstead);
  for (const uint32_t other : {kFile, kLink, kPipe, kChar})
    CHECK(policy(dir, here(other)) == Decision{.act = Act::kMakeDir, .clear_the_way = true});
  for (const uint32_t other : {kFile, kDir, kPipe, kChar})
    CHECK(policy(link, here(other)) == Decision{.act = Act::kMakeLink, .clear_the_way = true});
  for (const uint32_t other : {kFile, kDir, kLink})
    CHECK(policy(pipe, here(other)) == Decision{.act = Act::kMakeNode, .clear_the_way = true});
  for (const uint32_t other : {kFile, kDir, kLink, kPipe})
    CHECK(policy(device, here(other)) == Decision{.act = Act::kMakeNode, .clear_the_way = true});
}

TEST_CASE("decide: directories") {
  Policy policy("-a");
  const Listed dir(kDir, 0, 1000);
  CHECK(policy(dir, kNothing) == Decision{.act = Act::kMakeDir});
  CHECK(policy(dir, here(kDir, 5, 5)) == kKeep);
}

TEST_CASE("decide: symlinks are equal if they lead to the same place") {
  const Listed link(kLink, 6, 1000);
  Policy policy("-a");
  CHECK(policy(link, kNothing) == Decision{.act = Act::kMakeLink});
  CHECK(policy(link, here(kLink, 99, 5)) == kKeep);
  policy.probe.target = "elsewhere";
  CHECK(policy(link, here(kLink)) == Decision{.act = Act::kMakeLink, .exists = true});
  policy.probe.target.reset();
  CHECK(policy(link, here(kLink)) == Decision{.act = Act::kMakeLink, .exists = true});
  CHECK(Policy("-rt")(link, kNothing) == skip(Why::kNonRegular));
}

TEST_CASE("decide: --safe-links") {
  Policy policy("-a --safe-links");
  Listed link(kLink, 6, 1000);
  CHECK(policy(link, kNothing) == Decision{.act = Act::kMakeLink});
  for (const char* target : {"/etc/passwd", "../../x", "a/../../x"}) {
    link.extras.target = target;
    CHECK(policy(link, kNothing) == skip(Why::kUnsafeLink));
  }
  link.extras.target = "../x";
  CHECK(policy(link, kNothing) == Decision{.act = Act::kMakeLink});
}

TEST_CASE("decide: devices and specials need their options, devices also the right to make them") {
  Listed pipe(kPipe, 0, 1000), device(kChar, 0, 1000);
  Policy policy("-a");
  CHECK(policy(pipe, kNothing) == Decision{.act = Act::kMakeNode});
  CHECK(policy(pipe, here(kPipe)) == kKeep);
  CHECK(policy(pipe, here(S_IFSOCK | 0600)) == Decision{.act = Act::kMakeNode, .exists = true});
  CHECK(policy(device, kNothing) == Decision{.act = Act::kMakeNode});
  CHECK(policy(device, here(kChar)) == kKeep);
  device.extras.rdev_minor = 4;
  CHECK(policy(device, here(kChar)) == Decision{.act = Act::kMakeNode, .exists = true});
  CHECK(Policy("-rlpt")(pipe, kNothing) == skip(Why::kNonRegular));
  CHECK(Policy("-rlpt --specials")(pipe, kNothing) == Decision{.act = Act::kMakeNode});
  CHECK(Policy("-rlpt --specials")(device, kNothing) == skip(Why::kNonRegular));
  Policy plain("-a");
  plain.world.terms.may_chown = false;
  CHECK(plain(device, kNothing) == skip(Why::kNonRegular));
  CHECK(plain(pipe, kNothing) == Decision{.act = Act::kMakeNode});
}

TEST_CASE("decide: --append only goes on with what is shorter") {
  const Listed file(kFile, 10, 1000);
  Policy policy("-rt --append");
  CHECK(policy(file, kNothing) == kNew);
  CHECK(policy(file, here(kFile, 9)) == kUpdate);
  CHECK(policy(file, here(kFile, 11)) == Decision{.act = Act::kSkip, .why = Why::kAppendDone, .exists = true});
  CHECK(policy(file, here(kFile, 10, 5)) == Decision{.act = Act::kSkip, .why = Why::kAppendDone, .exists = true});
  CHECK(policy(file, here(kFile, 11), Attempt::kRedo) == kUpdate);
}

TEST_CASE("decide: a second attempt believes nothing that the first one did") {
  const Listed file(kFile, 10, 1000);
  CHECK(Policy("-rt")(file, here(kFile), Attempt::kRedo) == kUpdate);
  CHECK(Policy("-rt --existing")(file, kNothing, Attempt::kRedo) == kNew);
  CHECK(Policy("-rt --ignore-existing")(file, here(kFile), Attempt::kRedo) == kUpdate);
  CHECK(Policy("-rt --max-size=5")(file, here(kFile), Attempt::kRedo) == kUpdate);
}

TEST_CASE("decide: --delete-missing-args") {
  Policy policy("-rt --delete-missing-args");
  const Listed gone(0, 0, 0);
  CHECK(policy(gone, here(kFile)) == Decision{.act = Act::kRemove, .exists = true});
  CHECK(policy(gone, kNothing) == skip(Why::kNone));
}

TEST_CASE("report_flags: what differs, as far as the options care") {
  using namespace proto;
  const Listed file(kFile, 10, 1000);
  const auto flags = [&](const std::string& line, const std::optional<io::FileInfo>& found, uint32_t base = 0) {
    Policy policy(line);
    return report_flags(file.entry, file.entry.mode, found, base, false, policy.world.terms);
  };
  CHECK(flags("-a", here(kFile)) == 0);
  CHECK(flags("-a", kNothing) == kIsNew);
  CHECK(flags("-a", here(kFile, 11)) == kReportSize);
  CHECK(flags("-a", here(kFile, 10, 5)) == kReportTime);
  CHECK(flags("-r", here(kFile, 10, 5)) == 0);
  CHECK(flags("-r", here(kFile, 10, 5), kTransfer) == (kTransfer | kReportTime));  // "T": the time will be now
  CHECK(flags("-a", here(S_IFREG | 0600)) == kReportPerms);
  CHECK(flags("-rt", here(S_IFREG | 0600)) == 0);
  CHECK(flags("-rtE", here(S_IFREG | 0755)) == kReportPerms);
  CHECK(flags("-rtE", here(S_IFREG | 0600)) == 0);
  auto other = here(kFile);
  other->uid = 1;
  CHECK(flags("-a", other) == kReportOwner);
  CHECK(flags("-rlpt", other) == 0);
  other->uid = 1000;
  other->gid = 1;
  CHECK(flags("-a", other) == kReportGroup);
}

TEST_CASE("report_flags: a group that cannot be set is no difference") {
  Listed file(kFile, 10, 1000);
  file.entry.set(kGroupUnsettable);
  auto other = here(kFile);
  other->gid = 1;
  Policy policy("-a");
  CHECK(report_flags(file.entry, file.entry.mode, other, 0, false, policy.world.terms) == 0);
  CHECK(attributes_match(file.entry, file.entry.mode, *other, policy.world.terms));
}

TEST_CASE("attributes_match: one difference is enough") {
  const Listed file(kFile, 10, 1000);
  Policy policy("-a");
  const auto match = [&](const std::optional<io::FileInfo>& found) {
    return attributes_match(file.entry, file.entry.mode, *found, policy.world.terms);
  };
  CHECK(match(here(kFile)));
  CHECK_FALSE(match(here(kFile, 10, 1001)));
  CHECK_FALSE(match(here(S_IFREG | 0640)));
  auto other = here(kFile);
  other->uid = 5;
  CHECK_FALSE(match(other));
}
