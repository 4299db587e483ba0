// Statistics; the expected texts were printed by rsync 3.5.0.
#include "libsync/report/totals.h"

#include <catch2/catch.hpp>

using namespace ocsync::sync;

namespace {

void fill(Totals& totals) {
  totals.files.reg = 2;
  totals.files.dir = 2;
  totals.files.link = 1;
  totals.created.reg = 2;
  totals.created.dir = 1;
  totals.created.link = 1;
  totals.deleted.reg = 1235;
  totals.deleted.link = 1;
  totals.deleted.special = 1;
  totals.transferred_files = 2;
  totals.total_size = 123468;
  totals.transferred_size = 123467;
  totals.literal_bytes = 123467;
  totals.list_build_ms = 1;
  totals.total_sent = 123704;
  totals.total_received = 72;
  totals.started_wall_s = 1000;
}

}  // namespace

TEST_CASE("totals: the statistics block") {
  Totals totals;
  fill(totals);
  Options options;
  const std::string sizes =
      "Number of regular files transferred: 2\n"
      "Total file size: 123,468 bytes\n"
      "Total transferred file size: 123,467 bytes\n"
      "Literal data: 123,467 bytes\n"
      "Matched data: 0 bytes\n"
      "File list size: 0\n"
      "File list generation time: 0.001 seconds\n"
      "File list transfer time: 0.000 seconds\n"
      "Total bytes sent: 123,704\n"
      "Total bytes received: 72\n";
  const std::string files = "\nNumber of files: 5 (reg: 2, dir: 2, link: 1)\n";
  const std::string created = "Number of created files: 4 (reg: 2, dir: 1, link: 1)\n";
  const std::string deleted = "Number of deleted files: 1,237 (reg: 1,235, link: 1, special: 1)\n";
  CHECK(stats_text(totals, options, 32) == files + created + deleted + sizes);
  CHECK(stats_text(totals, options, 30) == files + created + sizes);
  CHECK(stats_text(totals, options, 28) == files + sizes);
}

TEST_CASE("totals: nothing at all has no brackets and no times") {
  const Totals totals;
  const std::string text = stats_text(totals, Options(), 32);
  CHECK(text.starts_with("\nNumber of files: 0\nNumber of created files: 0\nNumber of deleted files: 0\n"));
  CHECK(text.find("time") == std::string::npos);
}

TEST_CASE("totals: levels of human numbers") {
  Totals totals;
  fill(totals);
  Options options;
  const auto closing = [&](int human) {
    options.human = human;
    return closing_text(totals, options, 1000);
  };
  CHECK(closing(0) ==
        "\nsent 123704 bytes  received 72 bytes  247552.00 bytes/sec\ntotal size is 123468  speedup is 1.00\n");
  CHECK(closing(1) ==
        "\nsent 123,704 bytes  received 72 bytes  247,552.00 bytes/sec\ntotal size is 123,468  speedup is 1.00\n");
  totals.total_sent = 123700;
  totals.total_received = 68;
  CHECK(closing(2) ==
        "\nsent 123.70K bytes  received 68 bytes  247.54K bytes/sec\ntotal size is 123.47K  speedup is 1.00\n");
  CHECK(closing(3) ==
        "\nsent 120.80K bytes  received 68 bytes  241.73K bytes/sec\ntotal size is 120.57K  speedup is 1.00\n");
}

TEST_CASE("totals: the rate counts half a second more than passed") {
  Totals totals;
  totals.total_sent = 1000;
  totals.total_received = 500;
  totals.started_wall_s = 100;
  CHECK(closing_text(totals, Options(), 101).find("  1,000.00 bytes/sec") != std::string::npos);
}

TEST_CASE("totals: runs that changed nothing say so") {
  Totals totals;
  fill(totals);
  totals.total_sent = 129;
  totals.total_received = 56;
  Options options;
  options.dry_run = true;
  CHECK(closing_text(totals, options, 1000).ends_with("total size is 123,468  speedup is 667.39 (DRY RUN)\n"));
  options.dry_run = false;
  options.only_write_batch = true;
  totals.total_sent = 133;
  totals.total_received = 92;
  CHECK(closing_text(totals, options, 1000).ends_with("total size is 123,468  speedup is 548.75 (BATCH ONLY)\n"));
}

TEST_CASE("totals: large speedups are grouped, with the fraction rounded apart") {
  Totals totals;
  totals.total_sent = 1000;
  totals.total_size = 1999999;
  CHECK(closing_text(totals, Options(), 0).ends_with("speedup is 1,999.00\n"));
  totals.total_size = 2500500;
  CHECK(closing_text(totals, Options(), 0).ends_with("speedup is 2,500.50\n"));
}

TEST_CASE("totals: kinds are told apart by mode") {
  KindCounts counts;
  for (const uint32_t mode : {0100644U, 0040755U, 0120777U, 0060600U, 0020600U, 0010600U, 0140600U}) counts.add(mode);
  counts.add(0100644, 2);
  CHECK(counts.reg == 3);
  CHECK(counts.dir == 1);
  CHECK(counts.link == 1);
  CHECK(counts.dev == 2);
  CHECK(counts.special == 2);
  CHECK(counts.total() == 9);
}
