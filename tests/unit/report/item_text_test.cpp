// Itemized strings, formats and list-only lines; the expected texts were printed by rsync 3.5.0 for the same entries.
#include "libsync/report/item_text.h"

#include <stdlib.h>
#include <time.h>

#include <catch2/catch.hpp>

#include "libproto/item.h"
#include "libsync/report/reporter.h"

using namespace ocsync;
using namespace ocsync::sync;
using namespace ocsync::proto;

namespace {

constexpr int64_t kTime = 1600000003;  // 2020/09/13 12:26:43 UTC

struct Utc {
  Utc() {
    setenv("TZ", "UTC", 1);
    tzset();
  }
} const utc;

ItemFacts entry(std::string_view name, uint32_t mode, int64_t size, uint32_t flags = 0) {
  ItemFacts facts;
  facts.name = name;
  facts.mode = mode;
  facts.size = size;
  facts.mtime.sec = kTime;
  facts.item_flags = flags;
  return facts;
}

const ItemStyle kKeepsTimes{
    .times = true, .owner = true, .group = true, .digest_kind = DigestKind::kXxh128, .process_id = 77};

std::string shown(std::string_view format, const ItemFacts& facts, const ItemStyle& style = kKeepsTimes) {
  return OutputFormat(format).render(facts, style, kTime);
}

std::string itemized(uint32_t mode, uint32_t flags, bool we_send = false) {
  ItemFacts facts = entry("x", mode, 1, flags);
  facts.we_send = we_send;
  return itemize_text(facts, kKeepsTimes);
}

}  // namespace

TEST_CASE("itemize: what happened to the entry") {
  CHECK(itemized(0100644, kTransfer | kIsNew, true) == "<f+++++++++");
  CHECK(itemized(0100644, kTransfer | kIsNew) == ">f+++++++++");
  CHECK(itemized(0100644, kTransfer | kReportSize | kReportTime, true) == "<f.st......");
  CHECK(itemized(0100644, kTransfer | kMissingData, true) == "<f?????????");
  CHECK(itemized(0040755, kLocalChange | kIsNew) == "cd+++++++++");
  CHECK(itemized(0120777, kLocalChange | kIsNew) == "cL+++++++++");
  CHECK(itemized(0010644, kLocalChange | kIsNew) == "cS+++++++++");
  CHECK(itemized(0140644, kLocalChange | kIsNew) == "cS+++++++++");
  CHECK(itemized(0060644, kLocalChange | kIsNew) == "cD+++++++++");
  CHECK(itemized(0100644, kLocalChange | kXnameFollows | kIsNew) == "hf+++++++++");
  CHECK(itemized(0040755, kReportTime) == ".d..t......");
  CHECK(itemized(0100644, kReportPerms) == ".f...p.....");
}

TEST_CASE("itemize: nothing changed leaves blanks, except for moved data") {
  CHECK(itemized(0100644, 0) == ".f         ");
  CHECK(itemized(0120777, kLocalChange) == "cL         ");
  CHECK(itemized(0100644, kLocalChange | kXnameFollows) == "hf         ");
  CHECK(itemized(0100644, kTransfer) == ">f.........");
}

TEST_CASE("itemize: each attribute has its place") {
  CHECK(itemized(0100644, kTransfer | kReportChange | kReportSize | kReportTime | kReportPerms | kReportOwner |
                              kReportGroup | kReportAtime | kReportAcl | kReportXattr) == ">fcstpoguax");
  CHECK(itemized(0100644, kTransfer | kReportCrtime) == ">f......n..");
  CHECK(itemized(0100644, kTransfer | kReportCrtime | kReportAtime) == ">f......b..");
}

TEST_CASE("itemize: T is a time that does not come from the other side") {
  ItemStyle style = kKeepsTimes;
  const ItemFacts file = entry("x", 0100644, 1, kTransfer | kReportTime);
  const ItemFacts link = entry("x", 0120777, 1, kLocalChange | kReportTime);
  const ItemFacts failed_link = entry("x", 0120777, 1, kLocalChange | kReportTime | kReportTimeFail);
  CHECK(itemize_text(file, style) == ">f..t......");
  CHECK(itemize_text(link, style) == "cL..t......");
  CHECK(itemize_text(failed_link, style) == "cL..T......");
  style.symlink_times = false;
  CHECK(itemize_text(file, style) == ">f..t......");
  CHECK(itemize_text(link, style) == "cL..T......");
  style.times = false;
  CHECK(itemize_text(file, style) == ">f..T......");
}

TEST_CASE("itemize: a local run always receives, a deletion says so") {
  ItemFacts facts = entry("x", 0100644, 1, kTransfer | kIsNew);
  facts.we_send = facts.local_run = true;
  CHECK(itemize_text(facts, kKeepsTimes) == ">f+++++++++");
  facts.deleted = true;
  CHECK(itemize_text(facts, kKeepsTimes) == "*deleting  ");
  CHECK(shown("%i %n%L", facts) == "*deleting   x");
}

TEST_CASE("format: names, widths and amounts") {
  const ItemFacts dir = entry("dir", 0040755, 4096);
  const ItemFacts big = entry("dir/big", 0100644, 123456);
  const char* format = "%n|%10n|%-10n|%5l|%-12l|%''l|%'''12l|%'''l";
  CHECK(shown(format, dir) == "dir/|      dir/|dir/      | 4096|4096        |4.10K|       4.00K|4.00K");
  CHECK(shown(format, big) == "dir/big|   dir/big|dir/big   |123456|123456      |123.46K|     120.56K|120.56K");
  CHECK(shown("%'l %12'l", big) == "123,456      123,456");
}

TEST_CASE("format: targets of links") {
  ItemFacts link = entry("sl", 0120777, 1);
  link.link_target = "a";
  CHECK(shown("%L|%10L|%-10L|", link) == " -> a| ->          a| -> a         |");
  CHECK(shown("%L|%10L|%-10L|", entry("a", 0100644, 1)) == "|              |              |");
  ItemFacts hard = entry("g", 0100644, 1);
  hard.xname = "f";
  CHECK(shown("%n%L", hard) == "g => f");
  link.deleted = true;
  CHECK(shown("%L", link).empty());
}

TEST_CASE("format: escapes of a daemon are text elsewhere") {
  const ItemFacts file = entry("a", 0100644, 1);
  CHECK(shown("%h %a %m %P %u|%z %% %5%|%", file) == "%h %a  %P %u|%z %     %|%");
  ItemStyle daemon = kKeepsTimes;
  daemon.daemon = true;
  daemon.client_host = "host";
  daemon.client_address = "127.0.0.1";
  daemon.module = "mod";
  daemon.module_path = "/srv/mod";
  CHECK(shown("%o %h [%a] %m (%u) %P %f %l", file, daemon) == "recv host [127.0.0.1] mod () /srv/mod a 1");
}

TEST_CASE("format: modes and times") {
  const ItemFacts file = entry("a", 0104755, 1);
  CHECK(shown("%B %12B %M %25M", file) == "rwsr-xr-x    rwsr-xr-x 2020/09/13-12:26:43       2020/09/13-12:26:43");
  CHECK(shown("%t", file) == "2020/09/13 12:26:43");
}

TEST_CASE("format: zeros pad whole numbers only") {
  ItemFacts file = entry("a", 0100644, 11);
  CHECK(shown("%010l %010U %-05U %05G|%0n %-n", file) == "        11 0000000000 0     00000|a a");
  CHECK(shown("%p %5p", file) == "77    77");
  file.gid = 5;
  CHECK(shown("%G", file) == "5");
  file.gid_known = false;
  CHECK(shown("%G|%10G", file) == "DEFAULT|   DEFAULT");
  file.uid = 4;
  CHECK(shown("%U %G", file, ItemStyle()) == "0 DEFAULT");
}

TEST_CASE("format: data and digests are known for transferred entries") {
  ItemFacts file = entry("a", 0100644, 11, kTransfer);
  file.data_bytes = 54;
  file.sums_bytes = 16;
  file.digest = hash(DigestKind::kXxh128, as_bytes(std::string_view("hello world")));
  CHECK(shown("%b %c %C", file) == "54 16 df8d09e93f874900a99b8775cc15b6c7");
  CHECK(shown("%b %c %C", entry("sl", 0120777, 1)) == "0 0                                 ");
  file.item_flags = 0;
  CHECK(shown("%b %c", file) == "0 0");

  ItemStyle md5 = kKeepsTimes;
  md5.digest_kind = DigestKind::kMd5;
  file.digest = hash(DigestKind::kMd5, as_bytes(std::string_view("hello world")));
  CHECK(shown("%C", file, md5) == "5eb63bbbe01eeed093cb22bb8f5acdc3");
  ItemStyle xxh3 = kKeepsTimes;
  xxh3.digest_kind = DigestKind::kXxh3;
  file.digest = hash(DigestKind::kXxh3, as_bytes(std::string_view("hello world")));
  CHECK(shown("%C", file, xxh3) == "d447b1ea40e6988b");
}

TEST_CASE("format: paths and operations") {
  ItemFacts file = entry("dir/big", 0100644, 1);
  file.we_send = true;
  file.full_path = "s//./dir/big";
  CHECK(shown("%f %o %5o %-6o|", file) == "s/dir/big send  send send  |");
  file.full_path = "/abs/s/.";
  CHECK(shown("%f", file) == "abs/s/.");
  file.deleted = true;
  CHECK(shown("%o", file) == "del.");
}

TEST_CASE("format: what is no escape stays as it is") {
  const ItemFacts file = entry("a", 0100644, 1);
  for (const char* text : {"%99999z %1234567890123456789012345678l", "%'", "%5", "%5\\n", "%", "", "no escapes", "%-"})
    CHECK(shown(text, file) == text);
  CHECK(shown("%99999n", file).size() == 4095);
}

TEST_CASE("format: which escapes it has") {
  CHECK(OutputFormat("%i %n%L").has('i'));
  CHECK(OutputFormat("%'-9b").has('b'));
  CHECK_FALSE(OutputFormat("%%i").has('i'));
  CHECK_FALSE(OutputFormat("%5%b").has('b'));
  CHECK(OutputFormat("x%Cx").needs_transfer());
  CHECK_FALSE(OutputFormat("%B %n %l").needs_transfer());
  CHECK(OutputFormat().empty());
  CHECK(OutputFormat::check(std::string(4096, 'x')).has_value());
  REQUIRE_FALSE(OutputFormat::check(std::string(4097, 'x')).has_value());
  CHECK(OutputFormat::check(std::string(4097, 'x')).error().fault == Fault::kDiagnostics);
}

TEST_CASE("list-only lines") {
  Options options;
  options.links = true;
  ItemFacts link = entry("sl", 0120777, 1);
  link.link_target = "a";
  const ItemFacts dir = entry(".", 0040755, 4096);
  const ItemFacts big = entry("dir/big", 0100644, 123456);
  SECTION("numbers by level") {
    CHECK(list_only_line(dir, options) == "drwxr-xr-x          4,096 2020/09/13 12:26:43 .");
    CHECK(list_only_line(link, options) == "lrwxrwxrwx              1 2020/09/13 12:26:43 sl -> a");
    options.human = 0;
    CHECK(list_only_line(big, options) == "-rw-r--r--      123456 2020/09/13 12:26:43 dir/big");
    options.human = 2;
    CHECK(list_only_line(big, options) == "-rw-r--r--        123.46K 2020/09/13 12:26:43 dir/big");
    options.human = 3;
    CHECK(list_only_line(big, options) == "-rw-r--r--        120.56K 2020/09/13 12:26:43 dir/big");
  }
  SECTION("targets only where links are kept") {
    options.links = false;
    CHECK(list_only_line(link, options) == "lrwxrwxrwx              1 2020/09/13 12:26:43 sl");
  }
  SECTION("access times, but not of directories") {
    options.atimes = 1;
    CHECK(list_only_line(dir, options, {1, 0}) ==
          "drwxr-xr-x          4,096 2020/09/13 12:26:43                     .");
    CHECK(list_only_line(big, options, {kTime + 1, 0}) ==
          "-rw-r--r--        123,456 2020/09/13 12:26:43 2020/09/13 12:26:44 dir/big");
  }
  SECTION("arguments that are missing") {
    options.delete_missing_args = true;
    ItemFacts missing = entry("nosuch", 0, 0);
    CHECK(list_only_line(missing, options) == "*missing                                      nosuch");
  }
}
