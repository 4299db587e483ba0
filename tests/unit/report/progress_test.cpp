// Progress lines, with a clock that the test moves; texts as printed by rsync 3.5.0.
#include "libsync/report/progress.h"

#include <catch2/catch.hpp>
#include <thread>

#include "libsync/report/totals.h"
#include "tests/unit/report/captured.h"

using namespace ocsync::sync;

namespace {

struct Run {
  explicit Run(int level, int human = 1)
      : options(with_level(level, human)),
        captured(options),
        progress(*captured.reporter, options, totals, [this] { return now.load(); }) {
    totals.files.reg = 4;
    totals.files.dir = 1;
    totals.total_size = 123468;
  }
  static Options with_level(int level, int human) {
    Options options;
    options.human = human;
    options.verbosity.info[static_cast<size_t>(Info::kProgress)] = static_cast<uint8_t>(level);
    return options;
  }
  // A whole file in the given steps (bytes done, milliseconds later).
  void file(int64_t position, int64_t size, std::initializer_list<std::pair<int64_t, int64_t>> steps) {
    ++totals.transferred_files;
    totals.transferred_size += size;
    Progress::File file = progress.begin_file(position, size);
    for (const auto& [done, later] : steps) {
      now += later;
      file.advance(done);
    }
    file.end();
  }
  std::string shown() { return captured.out.next(); }

  std::atomic<int64_t> now{1000000};
  Options options;
  Totals totals;
  Captured captured;
  Progress progress;
};

}  // namespace

TEST_CASE("progress: one line per file") {
  Run run(1);
  run.progress.list_complete();
  run.file(1, 11, {{11, 0}});
  CHECK(run.shown() ==
        "\r             11 100%    0.00kB/s    0:00:00  \r             11 100%    0.00kB/s    0:00:00 (xfr#1, "
        "to-chk=3/5)\n");
  run.file(4, 123456, {{32768, 1}, {65536, 0}, {123456, 0}});
  CHECK(run.shown() ==
        "\r         32,768  26%   31.25MB/s    0:00:00  \r        123,456 100%  117.74MB/s    0:00:00 (xfr#2, "
        "to-chk=0/5)\n");
}

TEST_CASE("progress: a puller sees the first byte later") {
  Run run(1);
  run.file(1, 11, {{0, 0}, {11, 0}});
  CHECK(run.shown() ==
        "\r              0   0%    0.00kB/s    0:00:00  \r             11 100%   10.74kB/s    0:00:00 (xfr#1, "
        "ir-chk=3/5)\n");
}

TEST_CASE("progress: a file without data") {
  Run run(1);
  run.file(0, 0, {});
  CHECK(run.shown() == "\r              0 100%    0.00kB/s    0:00:00 (xfr#1, ir-chk=4/5)\n");
}

TEST_CASE("progress: updates come once a second, with the rate of the last five") {
  Run run(1, 2);
  constexpr int64_t kMiB = 1 << 20;
  ++run.totals.transferred_files;
  Progress::File file = run.progress.begin_file(0, 100 * kMiB);
  file.advance(0);
  CHECK(run.shown() == "\r              0   0%    0.00kB/s    0:00:00  ");
  run.now += 999;
  file.advance(kMiB);
  CHECK(run.shown().empty());
  run.now += 1;
  file.advance(2 * kMiB);
  // The time left is 2.4 % too long, because rsync mixes 1000 and 1024 there.
  CHECK(run.shown() == "\r          2.10M   2%    2.00MB/s    0:00:50  ");
  for (int i = 0; i < 5; ++i) {
    run.now += 1000;
    file.advance((3 + i) * kMiB);
  }
  // The last five points span four seconds, in which four units moved.
  CHECK(run.shown().ends_with("\r          7.34M   7% 1024.00kB/s    0:01:35  "));
  file.advance(100 * kMiB);
  file.end();
  CHECK(run.shown() == "\r        104.86M 100%   16.67MB/s    0:00:06 (xfr#1, ir-chk=4/5)\n");
}

TEST_CASE("progress: a time too long to tell, rates in GB") {
  Run run(1);
  Progress::File file = run.progress.begin_file(0, int64_t{1} << 50);
  file.advance(0);
  run.now += 1000;
  run.shown();
  file.advance(1);
  CHECK(run.shown().ends_with("    0.00kB/s   ??:??:??  "));
  run.now += 1000;
  file.advance(int64_t{10} << 30);
  CHECK(run.shown().find("    5.00GB/s") != std::string::npos);
}

TEST_CASE("progress: the whole transfer on one line") {
  Run run(2);
  run.progress.list_complete();
  run.file(1, 11, {{11, 0}});
  CHECK(run.shown() ==
        "\r             11   0%    0.00kB/s    0:00:00  \r             11   0%    0.00kB/s    0:00:00 (xfr#1, "
        "to-chk=3/5)");
  run.file(4, 123456, {{32768, 1}, {123456, 0}});
  CHECK(run.shown() == "\r        123,467  99%  117.74MB/s    0:00:00 (xfr#2, to-chk=0/5)");
  run.progress.segment_done(4);
  CHECK(run.shown() == "\r        123,467  99%  117.74MB/s    0:00:00 (xfr#2, to-chk=0/5)");
  run.captured.reporter->close_line();
  CHECK(run.shown() == "\n");
}

TEST_CASE("progress: a shorter end of the line is padded") {
  Run run(2);
  run.totals.files.reg = 11;
  run.progress.segment_done(0);
  run.shown();
  run.progress.segment_done(10);
  CHECK(run.shown() == "\r              0   0%    0.00kB/s    0:00:00 (xfr#0, ir-chk=1/12) ");
  run.progress.segment_done(11);
  CHECK(run.shown().ends_with("(xfr#0, ir-chk=0/12)"));
}

TEST_CASE("progress: files of several workers add up") {
  Run run(2);
  run.totals.total_size = 400;
  run.totals.transferred_size = 300;
  Progress::File a = run.progress.begin_file(0, 100);
  Progress::File b = run.progress.begin_file(1, 100);
  {
    Progress::File gone = run.progress.begin_file(2, 100);
    gone.advance(10);
    CHECK(run.shown().starts_with("\r             10   2%"));
  }
  run.now += 1000;
  a.advance(50);
  CHECK(run.shown().starts_with("\r            150  37%"));
  run.now += 1000;
  b.advance(100);
  CHECK(run.shown().starts_with("\r            250  62%"));
}

TEST_CASE("progress: nothing without being asked, one line on request") {
  Run run(0);
  CHECK_FALSE(run.progress.enabled());
  run.file(0, 11, {{11, 0}});
  run.progress.segment_done(0);
  CHECK(run.shown().empty());
  run.progress.show_once();
  run.now += 2000;
  ++run.totals.transferred_files;
  run.totals.transferred_size = 61734;
  Progress::File file = run.progress.begin_file(1, 11);
  file.advance(11);
  file.end("dir/name");
  CHECK(run.shown() == "dir/name\n\r         61,734  50%   30.14kB/s    0:00:02 (xfr#2, ir-chk=3/5)\n");
  run.file(2, 11, {});
  CHECK(run.shown().empty());
}

TEST_CASE("progress: a server shows none") {
  Options options = Run::with_level(1, 1);
  options.server = true;
  Captured captured(options);
  Totals totals;
  CHECK_FALSE(Progress(*captured.reporter, options, totals).enabled());
}

TEST_CASE("progress: many threads") {
  Run run(2);
  std::vector<std::thread> threads;
  for (int t = 0; t < 3; ++t) {
    threads.emplace_back([&run, t] {
      for (int i = 0; i < 50; ++i) {
        run.totals.transferred_size += 100;
        ++run.totals.transferred_files;
        Progress::File file = run.progress.begin_file(t, 100);
        run.now += 400;
        file.advance(50);
        file.end();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  run.shown();
  run.progress.segment_done(4);
  CHECK(run.shown().starts_with("\r         15,000  12%"));
  CHECK(run.totals.transferred_files == 150);
}
