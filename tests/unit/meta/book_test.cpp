// The book of ACLs and attribute sets: numbers, comparing, and which long values are asked for.
#include "libsync/meta/book.h"

#include <catch2/catch.hpp>

#include "libproto/numbers.h"

using namespace ocsync;
using namespace ocsync::sync;
using proto::AclKind;
using proto::WireAcl;

namespace {

const std::string kLong(50, 'L'), kOther(50, 'O');

struct Out {
  MemorySink sink;
  Writer writer{sink};
  std::string take() {
    REQUIRE(writer.flush());
    std::string text(as_text(sink.bytes()));
    sink.clear();
    return text;
  }
};

proto::WireXattrs wire(const Attributes& in) {
  proto::WireXattrs out;
  for (const Attribute& a : in) out.push_back(proto::wire_xattr(a.name, as_bytes(a.value)));
  return out;
}

std::string request_of(MetaBook& book, int32_t set) {
  Out out;
  REQUIRE(book.write_request(set, out.writer));
  return out.take();
}

}  // namespace

TEST_CASE("policy: which attributes a role deals with") {
  XattrPolicy root{.level = 1, .privileged = true}, user{.level = 1}, fake{.level = 2, .fake_super = true};
  CHECK(root.concerns("trusted.x", Side::kReceiver));
  CHECK_FALSE(root.concerns("system.posix_acl_access", Side::kReceiver));
  CHECK_FALSE(root.concerns("system.posix_acl_access", Side::kSender));
  CHECK(user.concerns("security.x", Side::kSender));
  CHECK_FALSE(user.concerns("security.x", Side::kReceiver));
  CHECK_FALSE(root.concerns("user.rsync.%stat", Side::kSender));
  CHECK(root.concerns("user.rsync.%stat", Side::kReceiver));
  CHECK(fake.concerns("user.rsync.%else", Side::kSender));
  for (const char* own : {"user.rsync.%stat", "user.rsync.%aacl", "user.rsync.%dacl"})
    CHECK_FALSE(fake.concerns(own, Side::kSender));
}

TEST_CASE("policy: names of other namespaces are kept below our own") {
  XattrPolicy root{.level = 1, .privileged = true}, user{.level = 1}, fake{.level = 1, .fake_super = true};
  CHECK(root.stored_name("trusted.x") == "trusted.x");
  CHECK(user.stored_name("trusted.x").empty());
  CHECK(fake.stored_name("trusted.x") == "user.rsync.trusted.x");
  CHECK(fake.sent_name("user.rsync.trusted.x") == "trusted.x");
  CHECK(root.sent_name("user.rsync.trusted.x") == "user.rsync.trusted.x");
  CHECK(root.stored_name("user.rsync.%stat").empty());
  CHECK(root.stored_name("user.x") == "user.x");
}

TEST_CASE("book: equal access lists have one number, also after their ids were mapped") {
  MetaBook book;
  WireAcl a;
  a.names = {{.id = 1, .access = 7, .user = true, .name = {}}, {.id = 2, .access = 4, .user = true, .name = {}}};
  CHECK(book.add_acl(AclKind::kAccess, a) == 0);
  CHECK(book.add_acl(AclKind::kDefault, a) == 0);
  CHECK(book.add_acl(AclKind::kAccess, WireAcl()) == 1);
  book.map_acls([](uint32_t id) { return 10 - id; }, [](uint32_t id) { return id; });
  CHECK(book.add_acl(AclKind::kAccess, a) == 0);
  const WireAcl mapped = book.acl(AclKind::kAccess, 0);
  CHECK(mapped.names[0].id == 8);  // in order again
  CHECK(mapped.names[1].id == 9);
  book.map_acls([](uint32_t id) { return id + 1; }, [](uint32_t id) { return id; });
  CHECK(book.acl(AclKind::kAccess, 0).names[0].id == 8);  // once is enough
}

TEST_CASE("book: access lists are compared beyond what modes say") {
  WireAcl here, listed;
  here.user_obj = 6;
  here.group_obj = 4;
  here.other = 4;
  CHECK(same_beyond_mode(here, listed, 0755));
  here.mask = 7;
  CHECK_FALSE(same_beyond_mode(here, listed, 0644));
  listed.mask = 5;  // the mask itself follows from the mode
  CHECK(same_beyond_mode(here, listed, 0644));
  CHECK_FALSE(same_beyond_mode(here, listed, 0664));  // the group's own entry is told by the mode
  listed.group_obj = 4;
  CHECK(same_beyond_mode(here, listed, 0664));
  here.names = {{.id = 1, .access = 7, .user = true, .name = {}}};
  CHECK_FALSE(same_beyond_mode(here, listed, 0664));
}

TEST_CASE("book: only long values that are not here are asked for, and each once") {
  MetaBook book;
  book.policy.level = 1;
  proto::WireXattrs set = wire({{"user.a", kLong}, {"user.b", "short"}, {"user.c", kOther}});
  REQUIRE(book.append_set(set) == 0);
  const Attributes here{{"user.a", kLong}, {"user.z", "gone"}};
  CHECK(book.differs(0, &here, false, false));
  CHECK(request_of(book, 0) == std::string(1, '\0'));  // nothing was settled
  CHECK(book.differs(0, &here, true, false));
  CHECK(request_of(book, 0) == std::string("\3\0", 2));  // the third; the first is here
  CHECK(book.differs(0, nullptr, true, false));
  CHECK(request_of(book, 0) == std::string(1, '\0'));
  MetaBook::Wanted wanted = book.wanted(0);
  CHECK(wanted.missing == std::vector<std::string>{"user.c"});
  CHECK(wanted.attributes == Attributes{{"user.a", kLong}, {"user.b", "short"}});

  Out out;
  REQUIRE(proto::write_xattr_values({{3, "newer"}}, out.writer));
  const std::string answer = out.take();
  MemorySource source(as_bytes(answer));
  Reader in(source, 64);
  REQUIRE(book.read_values(0, in));
  wanted = book.wanted(0);
  CHECK(wanted.missing.empty());
  CHECK(wanted.attributes.back() == Attribute{"user.c", "newer"});
}

TEST_CASE("book: values that were not asked for are refused") {
  MetaBook book;
  book.policy.level = 1;
  proto::WireXattrs set = wire({{"user.a", kLong}});
  REQUIRE(book.append_set(set) == 0);
  Out out;
  REQUIRE(proto::write_xattr_values({{1, "unasked"}}, out.writer));
  const std::string answer = out.take();
  MemorySource source(as_bytes(answer));
  Reader in(source, 64);
  CHECK_FALSE(book.read_values(0, in));
  MemorySource again(as_bytes(answer));
  Reader no_set(again, 64);
  CHECK_FALSE(book.read_values(-1, no_set));
}

TEST_CASE("book: an unchanged set leaves nothing behind; one that is replaced is remembered") {
  MetaBook book;
  book.policy.level = 1;
  proto::WireXattrs set = wire({{"user.a", kLong}});
  REQUIRE(book.append_set(set) == 0);
  const Attributes here{{"user.a", kLong}};
  CHECK_FALSE(book.differs(0, &here, true, false));
  CHECK(book.wanted(0).missing.size() == 1);
  CHECK_FALSE(book.differs(0, &here, true, true));
  CHECK(book.wanted(0).attributes == here);
  CHECK(book.differs(-1, &here, true, true));
  CHECK_FALSE(book.differs(-1, nullptr, true, true));
}

TEST_CASE("book: what a receiver drops keeps its item number") {
  MetaBook book;
  book.policy.level = 1;
  proto::WireXattrs set = wire({{"security.x", kOther}, {"user.a", kLong}});
  REQUIRE(book.append_set(set) == 0);
  CHECK(book.differs(0, nullptr, true, false));
  CHECK(request_of(book, 0) == std::string("\2\0", 2));
  CHECK(set[1].asked);
  CHECK_FALSE(set[0].asked);
}

TEST_CASE("book: one book for both ends keeps values and stores names as a receiver does") {
  MetaBook book;
  book.policy = {.level = 1, .privileged = false};
  book.serve_both_ends();
  const Attributes read{{"security.x", "s"}, {"user.a", kLong}};
  CHECK(book.add_set(read) == 0);
  CHECK(book.add_set(read) == 0);
  CHECK(book.add_set({}) == 1);
  CHECK(book.wanted(0).attributes == Attributes{{"user.a", kLong}});
  CHECK(book.wanted(0).missing.empty());
}
