// Lists there and back through memory, and lists that nobody honest would send.
#include "libsync/list/exchange.h"

#include <catch2/catch.hpp>
#include <functional>
#include <map>
#include <random>

#include "libproto/limits.h"
#include "libsync/list/admit.h"
#include "tests/support/terms.h"

using namespace ocsync;
using namespace ocsync::sync;
using namespace ocsync::sync::test;

namespace {

struct Wanted {
  std::string path;
  uint32_t mode = S_IFREG | 0644;
  int64_t size = 0;
  int64_t mtime = 1'600'000'000;
  uint32_t nsec = 0;
  uint16_t marks = 0;
  std::string target;
  uint32_t major = 0, minor = 0;
  int64_t link_key = -1;
  uint64_t ino = 0;
};

Wanted file(const std::string& path, int64_t size = 10) { return {.path = path, .size = size}; }
Wanted dir(const std::string& path, uint16_t marks = kContentDir) {
  return {.path = path, .mode = S_IFDIR | 0755, .marks = marks};
}

void fill(Segment& segment, const std::vector<Wanted>& wanted) {
  for (const Wanted& w : wanted) {
    Entry& entry = segment.add(w.path);
    entry.mode = static_cast<uint16_t>(w.mode);
    entry.size = w.size;
    entry.mtime = w.mtime;
    entry.nsec = w.nsec;
    entry.uid = 1000;
    entry.gid = 1001;
    entry.marks = w.marks;
    if (!w.target.empty()) segment.extras_of(entry).target = segment.store(w.target);
    if (entry.is_device()) {
      segment.extras_of(entry).rdev_major = w.major;
      segment.extras_of(entry).rdev_minor = w.minor;
    }
    if (w.link_key >= 0) {
      segment.extras_of(entry).link_key = w.link_key;
      segment.extras_of(entry).dev = 1;
      segment.extras_of(entry).ino = w.ino;
    }
  }
}

// A sender that writes into memory, and a receiver that reads from it: two ends with Terms of their own.
struct Wire {
  explicit Wire(const std::string& line, int version = 32, bool incremental = true, AdmitEntry admit = {})
      : from(line, version, incremental, false, true),
        to(line, version, incremental),
        writer(sink),
        sender(from.terms, writer),
        admit_(std::move(admit)),
        next_(incremental ? 1 : 0) {}

  void send(const std::vector<Wanted>& wanted) {
    Segment segment(next_);
    fill(segment, wanted);
    segment.seal(from.terms.order());
    REQUIRE(sender.send(segment));
    if (next_ <= 1) REQUIRE(sender.send_trailer());
    next_ = segment.end_ndx() + 1;
  }
  ListReceiver& receiver() {
    if (!receiver_) {
      REQUIRE(writer.flush());
      source.emplace(sink.bytes(), 7);
      reader.emplace(*source);
      const auto names = IdMap::from_options(to.options, {}, *service);
      REQUIRE(names);
      receiver_.emplace(to.terms, *reader, *names, admit_);
    }
    return *receiver_;
  }

  World from, to;
  MemorySink sink;
  Writer writer;
  ListSender sender;
  std::unique_ptr<NameService> service = system_names();
  std::optional<MemorySource> source;
  std::optional<Reader> reader;

 private:
  AdmitEntry admit_;
  int32_t next_;
  std::optional<ListReceiver> receiver_;
};

std::string text_of(const Result<std::shared_ptr<Segment>>& result) {
  return result ? "accepted" : result.error().text;
}

std::vector<std::string> active_paths(const Segment& segment) {
  std::vector<std::string> paths;
  for (int32_t i = 0; i < segment.count(); ++i)
    if (segment.sorted(i).active()) paths.push_back(segment.sorted(i).path());
  return paths;
}

const Entry& entry_at(Segment& segment, const std::string& path) {
  for (int32_t i = 0; i < segment.count(); ++i)
    if (segment.sorted(i).path() == path && segment.sorted(i).active()) return segment.sorted(i);
  FAIL("no entry " << path);
  return segment.sorted(0);
}

struct Flavour {
  int version;
  bool incremental;
};
const Flavour kFlavours[] = {{27, false}, {28, false}, {29, false}, {30, false}, {30, true},
                             {31, false}, {31, true},  {32, false}, {32, true}};

}  // namespace

TEST_CASE("exchange: every kind of entry arrives as it was, in all versions") {
  for (const Flavour flavour : kFlavours) {
    INFO("version " << flavour.version << (flavour.incremental ? " incremental" : ""));
    Wire wire("-rlptgoD --numeric-ids", flavour.version, flavour.incremental);
    std::vector<Wanted> list{dir(".", kTopDir | kContentDir),
                             file("a"),
                             file("big", int64_t{5} << 33),
                             file("old", 0),
                             dir("sub"),
                             dir("empty")};
    list[3].mtime = 1;
    list[1].nsec = 123456789;
    list.push_back({.path = "link", .mode = S_IFLNK | 0777, .size = 6, .target = "target"});
    list.push_back({.path = "pipe", .mode = S_IFIFO | 0600});
    list.push_back({.path = "sock", .mode = S_IFSOCK | 0600});
    list.push_back({.path = "null", .mode = S_IFCHR | 0666, .major = 1, .minor = 3});
    list.push_back({.path = "disk", .mode = S_IFBLK | 0660, .major = 259, .minor = 70000});
    list.push_back({.path = "suid", .mode = S_IFREG | 04755, .size = 1});
    wire.send(list);
    const auto got = wire.receiver().first();
    REQUIRE(text_of(got) == "accepted");
    Segment& segment = **got;
    REQUIRE(segment.count() == static_cast<int32_t>(list.size()));
    for (const Wanted& w : list) {
      INFO(w.path);
      const Entry& entry = entry_at(segment, w.path);
      CHECK(entry.mode == w.mode);
      CHECK(entry.mtime == w.mtime);
      if (S_ISREG(w.mode)) CHECK(entry.size == w.size);
      CHECK(entry.nsec == (flavour.version >= 31 ? w.nsec : 0));
      CHECK(entry.uid == 1000);
      CHECK(entry.gid == 1001);
      CHECK(entry.target() == w.target);
      if (entry.is_device()) {
        CHECK(entry.extras()->rdev_major == w.major);
        CHECK(entry.extras()->rdev_minor == w.minor);
      }
      CHECK(entry.has(kContentDir) == S_ISDIR(w.mode));
    }
    CHECK(segment.sorted(0).has(kTopDir));
    CHECK(wire.receiver().entries() == static_cast<int64_t>(list.size()));
  }
}

TEST_CASE("exchange: many random names keep their order at both ends") {
  std::mt19937 random(11);
  for (const Flavour flavour : kFlavours) {
    Wire wire("-rt", flavour.version, flavour.incremental);
    std::map<std::string, bool> chosen;
    while (chosen.size() < 500) {
      std::string path;
      for (int part = 0; part < 1 + static_cast<int>(random() % 3); ++part) {
        if (part > 0) path += '/';
        for (int i = 0; i < 1 + static_cast<int>(random() % 4); ++i) path += "ab-0\xe4"[random() % 5];
      }
      chosen[path] = random() % 2 == 0;
    }
    std::vector<Wanted> list;
    for (const auto& [path, is_dir] : chosen) list.push_back(is_dir ? dir(path) : file(path));
    std::shuffle(list.begin(), list.end(), random);
    Segment sent(flavour.incremental ? 1 : 0);
    fill(sent, list);
    sent.seal(wire.from.terms.order());
    REQUIRE(wire.sender.send(sent));
    REQUIRE(wire.sender.send_trailer());
    const auto got = wire.receiver().first();
    REQUIRE(text_of(got) == "accepted");
    REQUIRE((*got)->count() == sent.count());
    for (int32_t i = 0; i < sent.count(); ++i) REQUIRE((*got)->sorted(i).path() == sent.sorted(i).path());
  }
}

TEST_CASE("exchange: sub-lists belong to their directory") {
  Wire wire("-rt");
  wire.send({dir("."), dir("a"), dir("b")});
  wire.send({file("a/x"), dir("a/d")});
  wire.send({file("a/d/y")});
  ListReceiver& receiver = wire.receiver();
  const auto first = receiver.first();
  REQUIRE(first);
  REQUIRE((*first)->parent != nullptr);  // the root
  const auto a = receiver.sub_list(1);
  REQUIRE(text_of(a) == "accepted");
  CHECK((*a)->first_ndx() == 5);  // 1..3, a gap for the directory, 5...
  REQUIRE((*a)->parent != nullptr);
  CHECK((*a)->parent->path() == "a");
  const auto d = receiver.sub_list(3);
  REQUIRE(text_of(d) == "accepted");
  CHECK((*d)->parent->path() == "a/d");
  CHECK(receiver.entries() == 6);
}

TEST_CASE("exchange: with -R absolute names arrive below the destination, sub-lists, too") {
  Wire wire("-rR");
  wire.send({dir("/top", kImpliedDir)});
  wire.send({dir("/top/a")});
  wire.send({file("/top/a/x")});
  REQUIRE(wire.receiver().first());
  const auto top = wire.receiver().sub_list(0);
  REQUIRE(text_of(top) == "accepted");
  CHECK((*top)->parent->path() == "top");
  const auto a = wire.receiver().sub_list(1);
  REQUIRE(text_of(a) == "accepted");
  CHECK((*a)->parent->entry.path() == "top/a");
  CHECK((*a)->sorted(0).path() == "top/a/x");
}

TEST_CASE("exchange: sub-lists that nobody announced, or twice, or of a directory that lost") {
  const auto wire_with_a = [](const std::vector<Wanted>& first) {
    auto wire = std::make_unique<Wire>("-rt");
    wire->send(first);
    wire->send({file("a/x")});
    wire->send({file("a/x")});
    REQUIRE(wire->receiver().first());
    return wire;
  };
  auto wire = wire_with_a({dir("."), dir("a")});
  CHECK(text_of(wire->receiver().sub_list(2)).starts_with("Invalid dir index"));
  CHECK(text_of(wire->receiver().sub_list(-1)).starts_with("Invalid dir index"));
  REQUIRE(wire->receiver().sub_list(1));
  CHECK(text_of(wire->receiver().sub_list(1)) == "rsync: refusing malicious duplicate flist for dir 1");
  auto twice = wire_with_a({dir("."), dir("a"), dir("a")});
  CHECK(text_of(twice->receiver().sub_list(2)) == "rsync: refusing flist for cleared dir_ndx 2");
}

TEST_CASE("exchange: names that leave their directory") {
  const auto sub_list_with = [](const std::string& options, const std::string& name) {
    Wire wire(options);
    wire.send({dir("."), dir("a"), dir("b")});
    wire.send({file(name)});
    REQUIRE(wire.receiver().first());
    return text_of(wire.receiver().sub_list(1));
  };
  CHECK(sub_list_with("-r", "a/x") == "accepted");
  CHECK(sub_list_with("-r", "b/x") == "ABORTING due to invalid path from sender: b/x");
  CHECK(sub_list_with("-r", "x") == "ABORTING due to invalid path from sender: x");
  CHECK(sub_list_with("-r", "a/b/x") == "ABORTING due to invalid path from sender: a/b/x");
  CHECK(sub_list_with("-r", "ab/x") == "ABORTING due to invalid path from sender: ab/x");
  CHECK(sub_list_with("-rR", "b/x") == "ABORTING due to invalid path from sender: b/x");
  CHECK(sub_list_with("-r", "a/../x").starts_with("ABORTING due to unsafe pathname from sender"));
}

TEST_CASE("exchange: names that climb or stand at the root of the file system") {
  for (const Flavour flavour : kFlavours) {
    INFO("version " << flavour.version);
    const auto first_with = [&](const std::string& options, const Wanted& entry) {
      Wire wire(options, flavour.version, flavour.incremental);
      wire.send({entry});
      const auto got = wire.receiver().first();
      if (!got) CHECK((got.error().fault == Fault::kUnsupported || got.error().fault == Fault::kProtocol));
      return text_of(got);
    };
    for (const char* name : {"..", "../x", "a/..", "a/../b"})
      CHECK(first_with("-r", file(name)).starts_with("ABORTING due to unsafe pathname from sender"));
    CHECK(first_with("-r", file("/etc/passwd")).starts_with("ABORTING due to unsafe pathname from sender"));
    CHECK(first_with("-rR", file("/etc/passwd")) == "accepted");
    CHECK(first_with("-rR", file("/../etc/passwd")).starts_with("ABORTING due to unsafe pathname from sender"));
    CHECK(first_with("-r", file(".")).starts_with("ERROR: rejecting non-directory transfer-root entry"));
  }
}

TEST_CASE("exchange: duplicates keep one") {
  for (const Flavour flavour : kFlavours) {
    INFO("version " << flavour.version << (flavour.incremental ? " incremental" : ""));
    Wire wire("-rt", flavour.version, flavour.incremental);
    wire.send({file("f", 1), file("f", 2), dir("d", kTopDir | kContentDir), dir("d", 0), file("g")});
    const auto got = wire.receiver().first();
    REQUIRE(got);
    CHECK((*got)->count() == 5);  // indexes stay
    std::vector<std::string> paths = active_paths(**got);
    std::sort(paths.begin(), paths.end());
    CHECK(paths == std::vector<std::string>{"d", "f", "g"});
    CHECK(entry_at(**got, "d").has(kContentDir));
  }
}

TEST_CASE("exchange: a directory wins over a file of its name") {
  for (const Flavour flavour : kFlavours) {
    INFO("version " << flavour.version);
    Wire wire("-rt", flavour.version, flavour.incremental);
    wire.send({file("x"), dir("x"), file("y")});
    const auto got = wire.receiver().first();
    REQUIRE(got);
    CHECK(active_paths(**got).size() == 2);
    CHECK(entry_at(**got, "x").is_dir());
  }
}

TEST_CASE("exchange: hard links are the same groups at both ends") {
  for (const Flavour flavour : kFlavours) {
    INFO("version " << flavour.version << (flavour.incremental ? " incremental" : ""));
    Wire wire("-rtH", flavour.version, flavour.incremental);
    const int start = flavour.incremental ? 1 : 0;
    std::vector<Wanted> list{file("alone"), file("m1", 5), file("m2", 5), file("n1", 6), file("n2", 6), file("n3", 6)};
    for (size_t i = 0; i < list.size(); ++i) {
      const bool first = i == 1 || i == 3;
      if (i > 0) {
        list[i].marks = first ? kLinked | kLinkFirst : kLinked;
        list[i].link_key = start + (i < 3 ? 1 : 3);
        list[i].ino = i < 3 ? 100 : 200;
      }
    }
    wire.send(list);
    const auto got = wire.receiver().first();
    REQUIRE(text_of(got) == "accepted");
    Segment& segment = **got;
    CHECK_FALSE(entry_at(segment, "alone").has(kLinked));
    const auto key = [&](const char* name) { return entry_at(segment, name).extras()->link_key; };
    CHECK(key("m1") == key("m2"));
    CHECK(key("n1") == key("n2"));
    CHECK(key("n1") == key("n3"));
    CHECK(key("m1") != key("n1"));
    for (const char* name : {"m1", "n1"})
      CHECK((entry_at(segment, name).has(kLinkFirst) && !entry_at(segment, name).has(kLinkLast)));
    for (const char* name : {"m2", "n3"})
      CHECK((entry_at(segment, name).has(kLinkLast) && !entry_at(segment, name).has(kLinkFirst)));
    CHECK(entry_at(segment, "n2").has(kLinked));
    CHECK(entry_at(segment, "m2").size == 5);  // also where fields did not travel
  }
}

TEST_CASE("exchange: a hard link to a group that never began") {
  for (const int32_t group : {0, 5, 100, 1 << 30}) {
    Wire wire("-rtH");
    Wanted link = file("x");
    link.marks = kLinked;
    link.link_key = group;
    wire.send({file("a"), link});
    const auto got = wire.receiver().first();
    INFO(group << ": " << text_of(got));
    CHECK_FALSE(got);
  }
}

TEST_CASE("exchange: below version 30 content marks follow from the arguments") {
  Wire wire("-rt", 29, false);
  wire.send({dir("top", kTopDir | kContentDir), file("top/x"), dir("top/sub"), dir("alone", 0), file("alone2"),
             dir("alone/sub", 0)});
  const auto got = wire.receiver().first();
  REQUIRE(got);
  CHECK(entry_at(**got, "top").has(kContentDir));
  CHECK(entry_at(**got, "top/sub").has(kContentDir));
}

TEST_CASE("exchange: the io_error of the sender arrives") {
  for (const Flavour flavour : kFlavours) {
    INFO("version " << flavour.version << (flavour.incremental ? " incremental" : ""));
    Wire wire("-rt", flavour.version, flavour.incremental);
    wire.from.captured.reporter->state().io_error = 1;
    wire.send({file("a")});
    REQUIRE(wire.receiver().first());
    CHECK(wire.to.captured.reporter->state().io_error == 1);
  }
}

TEST_CASE("exchange: a list that ends in the middle is a broken stream") {
  Wire whole("-rlt");
  whole.send({dir("."), file("a"), file("b"), {.path = "l", .mode = S_IFLNK | 0777, .target = "t"}});
  REQUIRE(whole.writer.flush());
  const Bytes all = whole.sink.bytes();
  for (size_t cut = 0; cut < all.size(); ++cut) {
    World to("-rlt");
    MemorySource source(all.first(cut));
    Reader reader(source);
    const auto ids = IdMap::from_options(to.options, {}, *whole.service);
    ListReceiver receiver(to.terms, reader, *ids, {});
    const auto got = receiver.first();
    REQUIRE_FALSE(got);
    CHECK(got.error().fault == Fault::kStream);
  }
}

TEST_CASE("exchange: random damage is refused or read, never worse") {
  std::mt19937 random(5);
  Wire whole("-rlptgoDH --numeric-ids");
  std::vector<Wanted> list{dir("."),
                           file("a"),
                           dir("d"),
                           {.path = "l", .mode = S_IFLNK | 0777, .target = "target"},
                           {.path = "n", .mode = S_IFCHR | 0666, .major = 1, .minor = 3}};
  for (int i = 0; i < 20; ++i) list.push_back(file("file" + std::to_string(i), i * 1000));
  whole.send(list);
  REQUIRE(whole.writer.flush());
  int refused = 0;
  for (int round = 0; round < 3000; ++round) {
    std::vector<std::byte> damaged(whole.sink.bytes().begin(), whole.sink.bytes().end());
    for (int i = 0; i < 1 + static_cast<int>(random() % 3); ++i)
      damaged[random() % damaged.size()] = std::byte(random() & 255);
    World to("-rlptgoDH --numeric-ids");
    MemorySource source(damaged);
    Reader reader(source);
    const auto ids = IdMap::from_options(to.options, {}, *whole.service);
    ListReceiver receiver(to.terms, reader, *ids, {});
    const auto got = receiver.first();
    refused += !got;
    if (!got) continue;
    for (int32_t i = 0; i < (*got)->count(); ++i) {
      const std::string path = (*got)->sorted(i).path();
      REQUIRE_FALSE(path.starts_with("/"));
      REQUIRE_FALSE(("/" + path + "/").find("/../") != std::string::npos);
    }
  }
  CHECK(refused > 100);
}

// --- a sender that cannot be trusted ---------------------------------------------------------------------------------

namespace {
std::shared_ptr<const RequestedNames> asked_for(const Options& options, std::vector<std::string> arguments) {
  auto names = std::make_shared<RequestedNames>(options);
  for (const std::string& argument : arguments) names->add(argument);
  return names;
}
}  // namespace

TEST_CASE("exchange: a malicious sender's names end the session") {
  for (const Flavour flavour : kFlavours) {
    INFO("version " << flavour.version << (flavour.incremental ? " incremental" : ""));
    const Options options = options_of("-r --exclude=*.key");
    const auto filters =
        FilterRules::from_options(options, [](const std::string&) -> Result<std::string> { return std::string(); });
    const auto first_with = [&](const std::vector<Wanted>& list) {
      Wire wire("-r --exclude=*.key", flavour.version, flavour.incremental,
                admission(options, *filters, asked_for(options, {"dir"})));
      wire.send(list);
      return text_of(wire.receiver().first());
    };
    CHECK(first_with({dir("dir"), file("dir/x")}) == "accepted");
    CHECK(first_with({dir("dir"), file(".bashrc")}) == "ERROR: rejecting unrequested file-list name: .bashrc");
    CHECK(first_with({dir("dir"), dir(".ssh")}) == "ERROR: rejecting unrequested file-list name: .ssh");
    CHECK(first_with({dir("dir"), file("dir/my.key")}) == "ERROR: rejecting excluded file-list name: dir/my.key");
  }
}

TEST_CASE("exchange: a parent that claims to be content is none") {
  for (const Flavour flavour : kFlavours) {
    INFO("version " << flavour.version << (flavour.incremental ? " incremental" : ""));
    const FilterRules no_rules;
    const Options options = options_of("-rR --delete");
    Wire wire("-rR --delete", flavour.version, flavour.incremental,
              admission(options, no_rules, asked_for(options, {"a/b"})));
    wire.send({dir(".", kTopDir | kContentDir), dir("a", kTopDir | kContentDir)});
    const auto got = wire.receiver().first();
    REQUIRE(text_of(got) == "accepted");
    for (const char* path : {".", "a"}) {
      CHECK_FALSE(entry_at(**got, path).has(kContentDir));
      CHECK_FALSE(entry_at(**got, path).has(kTopDir));
      CHECK(entry_at(**got, path).has(kImpliedDir));
    }
  }
}
