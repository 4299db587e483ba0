// Where text goes and when an entry is worth a line; expected texts and places are those of rsync 3.5.0.
#include "libsync/report/reporter.h"

#include <errno.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <locale.h>
#include <sys/stat.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <thread>

#include "libsync/report/totals.h"
#include "tests/unit/report/captured.h"

using namespace ocsync;
using namespace ocsync::sync;
using namespace ocsync::proto;

namespace {

ItemFacts entry(std::string_view name, uint32_t mode, uint32_t flags) {
  ItemFacts facts;
  facts.name = name;
  facts.mode = mode;
  facts.item_flags = flags;
  return facts;
}

const ItemFacts kNewFile = entry("new", 0100644, kTransfer | kIsNew);
const ItemFacts kUnchangedFile = entry("same", 0100644, 0);
const ItemFacts kChangedModeFile = entry("mode", 0100644, kReportPerms);
const ItemFacts kChangedDir = entry("dir", 0040755, kReportTime);
const ItemFacts kNewDir = entry("nd", 0040755, kLocalChange | kIsNew);

// What a client set up like resolve() does.
Options client(int verbose, int itemize) {
  Options options;
  options.times = true;
  options.verbose = verbose;
  apply_verbose_level(options.verbosity, verbose);
  options.itemize = itemize;
  if (itemize > 0)
    options.out_format = "%i %n%L";
  else if (verbose > 0)
    options.out_format = "%n%L";
  return options;
}

Options server() {
  Options options;
  options.server = true;
  return options;
}

std::string items(const Options& options, std::initializer_list<ItemFacts> facts, std::string* log = nullptr) {
  Captured captured(options, log != nullptr);
  for (const ItemFacts& f : facts) captured.reporter->item(f);
  captured.reporter->flush();
  if (log != nullptr) *log = captured.log;
  CHECK(captured.err.text().empty());
  return captured.out.text();
}

}  // namespace

TEST_CASE("reporter: a client prints information on standard output, errors on standard error") {
  const Options options = client(0, 0);
  Captured captured(options);
  captured.reporter->info_line("hello");
  captured.reporter->error(Role::kSender, "link_stat \"/x\" failed", ENOENT);
  CHECK_FALSE(captured.reporter->state().transfer_error);
  captured.reporter->warning_line("file has vanished: \"/x\"");
  CHECK_FALSE(captured.reporter->state().transfer_error);
  captured.reporter->error_transfer(Role::kReceiver, "mkstemp \"/d/.f\" failed", EACCES);
  CHECK(captured.reporter->state().transfer_error);
  captured.reporter->error_line("ERROR: x", false);
  CHECK(captured.out.text() == "hello\n");
  CHECK(captured.err.text() ==
        "rsync: [sender] link_stat \"/x\" failed: No such file or directory (2)\n"
        "file has vanished: \"/x\"\n"
        "rsync: [receiver] mkstemp \"/d/.f\" failed: Permission denied (13)\n"
        "ERROR: x\n");
}

TEST_CASE("reporter: -q leaves errors only, --stderr=all puts everything on standard error") {
  Options options = client(0, 0);
  options.quiet = 1;
  {
    Captured captured(options);
    captured.reporter->info_line("hello");
    captured.reporter->client_text("text");
    captured.reporter->open_line("open ");
    captured.reporter->complete_line("done");
    captured.reporter->error_line("bad", true);
    CHECK(captured.out.text().empty());
    CHECK(captured.err.text() == "bad\n");
  }
  options.quiet = 0;
  options.stderr_mode = StderrMode::kAll;
  Captured captured(options);
  captured.reporter->info_line("hello");
  captured.reporter->client_text("text\n");
  CHECK(captured.out.text().empty());
  CHECK(captured.err.text() == "hello\ntext\n");
}

TEST_CASE("reporter: a server's text before and after it is connected") {
  Options options = server();
  SECTION("errors: information travels, errors stay, both count") {
    Captured captured(options);
    captured.reporter->info_line("early");
    CHECK(captured.err.next() == "early\n");
    captured.connect();
    captured.reporter->info_line("hello");
    captured.reporter->error_transfer(Role::kGenerator, "x", 0);
    CHECK(captured.reporter->state().transfer_error);
    CHECK(captured.sent == "2:hello\n");
    CHECK(captured.err.next() == "rsync: [generator] x\n");
    captured.reporter->connect_far_side({}, true);
    captured.reporter->info_line("late");
    CHECK(captured.err.next() == "late\n");
    CHECK(captured.out.text().empty());
  }
  SECTION("client: everything travels under its own code") {
    options.stderr_mode = StderrMode::kClient;
    Captured captured(options);
    captured.connect();
    captured.reporter->info_line("i");
    captured.reporter->warning_line("w");
    captured.reporter->error_line("e", false);
    captured.reporter->error_line("x", true);
    CHECK(captured.sent == "2:i\n4:w\n3:e\n1:x\n");
    CHECK(captured.reporter->state().transfer_error);
    CHECK(captured.err.text().empty());
  }
  SECTION("old clients know two kinds of text") {
    Captured captured(options);
    captured.connect(false, true);
    captured.reporter->info_line("i");
    captured.reporter->warning_line("w");
    captured.reporter->error_line("e", false);
    CHECK(captured.sent == "2:i\n2:w\n1:e\n");
  }
  SECTION("all: nothing travels") {
    options.stderr_mode = StderrMode::kAll;
    Captured captured(options);
    captured.connect();
    captured.reporter->info_line("i");
    captured.reporter->error_line("e", false);
    CHECK(captured.sent.empty());
    CHECK(captured.err.text() == "i\ne\n");
  }
  SECTION("muted: errors still travel") {
    options.stderr_mode = StderrMode::kClient;
    Captured captured(options);
    captured.connect();
    captured.reporter->mute_info(true);
    captured.reporter->info_line("i");
    captured.reporter->error_line("e", false);
    captured.reporter->mute_info(false);
    captured.reporter->info_line("j");
    CHECK(captured.sent == "3:e\n2:j\n");
  }
  SECTION("names change their charset on the way") {
    Captured captured(options);
    captured.connect();
    captured.reporter->set_text_conversion([](std::string_view text) { return "<" + std::string(text) + ">"; }, {});
    captured.reporter->info_line("i");
    CHECK(captured.sent == "2:<i\n>");
  }
}

TEST_CASE("reporter: what a far side says is escaped, shown where it belongs, and counts") {
  const Options options = client(0, 0);
  Captured captured(options);
  captured.reporter->from_far_side({Code::kInfo, "a\x1b[2Jb\nfake line\n"});
  captured.reporter->from_far_side({Code::kInfo, "%n%s no format\n"});
  captured.reporter->from_far_side({Code::kWarning, "careful\n"});
  captured.reporter->from_far_side({Code::kError, "bad\n"});
  CHECK_FALSE(captured.reporter->state().transfer_error);
  captured.reporter->from_far_side({Code::kErrorXfer, "worse\n"});
  CHECK(captured.reporter->state().transfer_error);
  captured.reporter->from_far_side({Code::kInfo, ""});
  CHECK(captured.out.text() == "a\\#033[2Jb\\#012fake line\n%n%s no format\n");
  CHECK(captured.err.text() == "careful\nbad\nworse\n");
}

TEST_CASE("reporter: a server does not send a client's text back") {
  const Options options = server();
  Captured captured(options, true);
  captured.connect();
  captured.reporter->from_far_side({Code::kErrorXfer, "x\n"});
  captured.reporter->deleted_by_far_side({"x", false});
  CHECK(captured.sent.empty());
  CHECK(captured.err.text().empty());
  CHECK(captured.log == "  x\n");
  CHECK_FALSE(captured.reporter->state().transfer_error);
}

TEST_CASE("reporter: names nobody can print") {
  const auto shown = [](const char* locale, bool eight_bit, std::string_view name) {
    REQUIRE(setlocale(LC_CTYPE, locale) != nullptr);
    Options options;
    options.eight_bit = eight_bit;
    Captured captured(options);
    captured.reporter->info_line(name);
    setlocale(LC_CTYPE, "C");
    return captured.out.text();
  };
  CHECK(shown("C.UTF-8", false, "\xc3\xa4 ok\ttab\x7f") == "\xc3\xa4 ok\ttab\x7f\n");
  CHECK(shown("C.UTF-8", false, "bad\xff\x85") == "bad\\#377\\#205\n");
  CHECK(shown("C.UTF-8", false,
              "a\x01"
              "b\\#123c \\#12 nl\nx end\r") == "a\\#001b\\#134#123c \\#12 nl\\#012x end\\#015\n");
  CHECK(shown("C.UTF-8", true, "bad\xff\x85\x01") == "bad\xff\x85\\#001\n");
  CHECK(shown("C", false, "\xc3\xa4") == "\\#303\\#244\n");
}

TEST_CASE("reporter: a very long text is cut") {
  const Options options;
  Captured captured(options);
  const std::string text(6000, 'x');
  const std::string_view all(text);
  captured.reporter->info_line(all.substr(0, 5118));
  CHECK(captured.out.next() == fmt::format("{}\n", all.substr(0, 5118)));
  captured.reporter->info_line(all);
  CHECK(captured.out.next() == fmt::format("{}[...]\n", all.substr(0, 5113)));
}

TEST_CASE("items: -i shows what changed, -ii everything, -v names, nothing by default") {
  const auto all = {kNewFile, kUnchangedFile, kChangedModeFile, kChangedDir, kNewDir};
  CHECK(items(client(0, 1), all) == ">f+++++++++ new\n.f...p..... mode\n.d..t...... dir/\ncd+++++++++ nd/\n");
  CHECK(items(client(0, 2), all) ==
        ">f+++++++++ new\n.f          same\n.f...p..... mode\n.d..t...... dir/\ncd+++++++++ nd/\n");
  CHECK(items(client(2, 1), {kUnchangedFile}) == ".f          same\n");
  CHECK(items(client(1, 0), all) == "new\ndir/\nnd/\n");
  CHECK(items(client(2, 0), {kUnchangedFile, kChangedModeFile}).empty());
  CHECK(items(client(0, 0), all).empty());
}

TEST_CASE("items: a hard link's other name makes it worth a line") {
  ItemFacts link = entry("g", 0100644, kLocalChange | kXnameFollows);
  link.xname = "f";
  CHECK(items(client(0, 1), {link}) == "hf          g => f\n");
  CHECK(items(client(1, 0), {link}) == "g => f\n");
}

TEST_CASE("items: an empty format still prints lines") {
  Options options = client(0, 0);
  options.out_format_given = true;
  CHECK(items(options, {kNewFile}) == "\n");
}

TEST_CASE("items: the log sees the same, but no transfers of a dry run") {
  Options options = client(0, 0);
  options.log_file_format = "%i %n%L";
  std::string log;
  CHECK(items(options, {kNewFile, kChangedModeFile, kChangedDir}, &log).empty());
  CHECK(log == "  >f+++++++++ new\n  .d..t...... dir/\n");
  options = client(0, 1);
  options.log_file_format = "%i %n%L";
  options.dry_run = true;
  CHECK(items(options, {kNewFile, kChangedModeFile}, &log) == ">f+++++++++ new\n.f...p..... mode\n");
  CHECK(log == "  .f...p..... mode\n");
  options = client(0, 2);
  options.log_file_format = "%n %b";
  CHECK(items(options, {kNewFile, kUnchangedFile}, &log) == ">f+++++++++ new\n.f          same\n");
  CHECK(log == "  new 0\n");
}

TEST_CASE("items: a server prints nothing; its log itemizes by its own format") {
  Options options = server();
  options.far_wants_item = true;
  options.far_wants_item_level = 1;
  options.log_file_format = "%i %n%L";
  std::string log;
  CHECK(items(options, {kNewFile, kUnchangedFile, kChangedModeFile}, &log).empty());
  CHECK(log ==
        "  >f+++++++++ new\n  .f..."
        "p..... mode\n");
  options.log_file_format = "%n";
  CHECK(items(options, {kNewFile, kChangedModeFile}, &log).empty());
  CHECK(log == "  new\n");
}

TEST_CASE("items: before or after the data") {
  const auto around = [](Options options, std::string* log = nullptr) {
    Captured captured(options, log != nullptr);
    captured.reporter->transfer_starts(kNewFile);
    captured.reporter->info_line("--");
    captured.reporter->transfer_done(kNewFile);
    if (log != nullptr) *log = captured.log;
    return captured.out.text();
  };
  Options options = client(0, 1);
  std::string log;
  options.log_file_format = "%n";
  CHECK(around(options, &log) == ">f+++++++++ new\n--\n");
  CHECK(log == "  --\n  new\n");
  options.out_format = "%n:%b";
  options.out_format_given = true;
  CHECK(around(options) == "--\nnew:0\n");
  CHECK_FALSE(Captured(options).reporter->item_before_transfer());
  // --progress shows the name above its line.
  imply(options.verbosity, Info::kName, 1);
  imply(options.verbosity, Info::kProgress, 1);
  CHECK(around(options) == "new\n--\nnew:0\n");
  options.dry_run = true;
  CHECK(around(options) == "new:0\n--\n");
  CHECK(Captured(client(0, 1)).reporter->item_before_transfer());
  CHECK_FALSE(Captured(client(0, 0)).reporter->item_before_transfer());
}

TEST_CASE("deletions: a client's line by its format") {
  const auto shown = [](const Options& options) {
    Captured captured(options);
    captured.reporter->deleted("deld", 0040755, true);
    captured.reporter->deleted_by_far_side({"a", false});
    return captured.out.text();
  };
  CHECK(shown(client(0, 0)).empty());
  CHECK(shown(client(1, 0)) == "deleting deld/\ndeleting a\n");
  CHECK(shown(client(0, 1)) == "*deleting   deld/\n*deleting   a\n");
  Options options = client(0, 0);
  options.out_format = "%o";
  CHECK(shown(options) == "del.\ndel.\n");
  options.out_format = "%n!";
  CHECK(shown(options) == "deleting deld/\ndeleting a\n");
}

TEST_CASE("deletions: a server sends them, or text where the client is too old") {
  Options options = server();
  options.far_wants_item = true;
  options.far_wants_item_level = 2;
  {
    Captured captured(options);
    captured.connect();
    captured.reporter->deleted("deld", 0040755, true);
    captured.reporter->deleted("deld", 0040755, false);
    CHECK(captured.sent == "deleted:deld/\n2:*deleting  %I\n");
  }
  options.far_wants_item = false;
  options.log_format_x = true;
  Captured captured(options);
  captured.connect();
  captured.reporter->deleted("a", 0100644, false);
  CHECK(captured.sent == "2:deleting a\n");
  Captured silent(server());
  silent.connect();
  silent.reporter->deleted("a", 0100644, false);
  CHECK(silent.sent.empty());
}

TEST_CASE("deletions: the log has them, except in a dry run") {
  Options options = client(0, 0);
  options.log_file_format = "%i %n%L";
  const auto logged = [&] {
    Captured captured(options, true);
    captured.reporter->deleted("a", 0100644, true);
    return captured.log;
  };
  CHECK(logged() == "  *deleting   a\n");
  options.log_file_format = "%n";
  CHECK(logged() == "  deleting a\n");
  options.dry_run = true;
  CHECK(logged().empty());
}

TEST_CASE("reporter: unchanged entries are wanted by -ii, -vv and their far forms") {
  CHECK_FALSE(Captured(client(1, 1)).reporter->shows_unchanged());
  CHECK(Captured(client(0, 2)).reporter->shows_unchanged());
  CHECK(Captured(client(2, 0)).reporter->shows_unchanged());
  Options far = server();
  far.far_wants_item = true;
  far.far_wants_item_level = 2;
  CHECK(Captured(far).reporter->shows_unchanged());
}

TEST_CASE("reporter: lines that stay open") {
  const Options options = client(0, 0);
  Captured captured(options);
  Reporter& reporter = *captured.reporter;
  reporter.open_line("building file list ... ");
  reporter.complete_line("done");
  CHECK(captured.out.next() == "building file list ... done\n");

  reporter.open_line("building file list ... ");
  reporter.open_line(" 0 files...\r");
  reporter.update_line(" 100 files...\r");
  reporter.complete_line("123 files to consider");
  CHECK(captured.out.next() == "building file list ... \n 0 files...\r 100 files...\r123 files to consider\n");

  reporter.open_line("receiving file list ... ");
  reporter.error_line("trouble", false);
  reporter.complete_line("done");
  CHECK(captured.out.next() == "receiving file list ... done\n");
  CHECK(captured.err.next() == "\ntrouble\n");

  reporter.update_line("\r 50%");
  reporter.info_line("name");
  reporter.update_line("\r 60%");
  reporter.close_line();
  reporter.close_line();
  CHECK(captured.out.next() == "\r 50%\nname\n\r 60%\n");
}

TEST_CASE("reporter: the closing error line") {
  Options options = client(0, 0);
  Captured captured(options);
  captured.reporter->exit_line(0, Role::kSender, "main.cpp(1)");
  captured.reporter->exit_line(23, Role::kSender, "main.cpp(123)");
  captured.reporter->exit_line(24, Role::kGenerator, "main.cpp(123)");
  captured.reporter->exit_line(77, Role::kReceiverStart, "x.cpp(1)");
  CHECK(captured.err.text() ==
        "rsync error: some files/attrs were not transferred (see previous errors) (code 23) at main.cpp(123) "
        "[sender=3.5.0]\n"
        "rsync warning: some files vanished before they could be transferred (code 24) at main.cpp(123) "
        "[generator=3.5.0]\n"
        "rsync error: unexplained error (code 77) at x.cpp(1) [Receiver=3.5.0]\n");
}

TEST_CASE("reporter: totals and their place in the log") {
  Options options = client(1, 0);
  Totals totals;
  totals.total_sent = 363;
  totals.total_received = 61;
  totals.total_size = 8;
  totals.started_wall_s = 1600000003;
  Captured captured(options, true);
  captured.reporter->totals(totals, 32);
  captured.reporter->log_closing(0, true, totals);
  CHECK(captured.out.text() ==
        "\nsent 363 bytes  received 61 bytes  848.00 bytes/sec\ntotal size is 8  speedup is 0.02\n");
  CHECK(captured.log == "  sent 363 bytes  received 61 bytes  848.00 bytes/sec\n  total size is 8  speedup is 0.02\n");

  Captured quiet(client(0, 0), true);
  quiet.reporter->totals(totals, 32);
  quiet.reporter->log_closing(23, false, totals);
  CHECK(quiet.log.empty());
  quiet.reporter->log_closing(0, false, totals);
  CHECK(quiet.log == "  sent 363 bytes  received 61 bytes  total size 8\n");
  CHECK(quiet.out.text().empty());
}

TEST_CASE("reporter: the log file") {
  setenv("TZ", "UTC", 1);
  tzset();
  char folder[] = "/tmp/ocsync-log-XXXXXX";
  REQUIRE(mkdtemp(folder) != nullptr);
  const std::filesystem::path root(folder);
  Options options = client(0, 0);
  options.log_file = root / "log";
  ItemStyle style;
  style.process_id = 77;
  SECTION("lines with time and process, escaped") {
    Captured captured(options);
    captured.reporter->set_style(style);
    captured.reporter->log_line("building file list");
    captured.reporter->info_line("a\x01 \xc3\xa4 \x85");
    std::ifstream log(options.log_file);
    const std::string text((std::istreambuf_iterator<char>(log)), {});
    CHECK(text == "2020/09/13 12:26:43 [77] building file list\n2020/09/13 12:26:43 [77] a\\#001 \xc3\xa4 \\#205\n");
    struct stat info;
    REQUIRE(stat(options.log_file.c_str(), &info) == 0);
    CHECK((info.st_mode & 0133) == 0);
  }
  SECTION("our own symlink is followed") {
    std::filesystem::create_symlink(root / "real", root / "log");
    Captured captured(options);
    captured.reporter->log_line("x");
    CHECK(std::filesystem::file_size(root / "real") > 0);
  }
  SECTION("without a log the run goes on") {
    options.log_file = root / "no" / "log";
    Captured captured(options);
    CHECK(captured.err.text() ==
          "rsync: [client] failed to open log-file " + options.log_file + ": No such file or directory (2)\n");
    CHECK(captured.out.text() == "Ignoring \"log file\" setting.\n");
  }
  std::filesystem::remove_all(root);
}

TEST_CASE("reporter: block buffering holds information back, never errors, and keeps the order") {
  Options options = client(0, 0);
  options.outbuf = 'B';
  Captured captured(options);
  captured.reporter->info_line("a");
  CHECK(captured.out.text().empty());
  captured.reporter->error_line("e", false);
  CHECK(captured.out.text() == "a\n");
  captured.reporter->info_line("b");
  captured.reporter->flush();
  CHECK(captured.out.text() == "a\nb\n");
}

TEST_CASE("reporter: lines of many threads never mix") {
  const Options options = client(0, 0);
  Captured captured(options, false);
  constexpr int kThreads = 4, kLines = 500;
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&captured, t] {
      for (int i = 0; i < kLines; ++i) {
        captured.reporter->info_line("thread " + std::to_string(t) + " line " + std::to_string(i));
        if (i % 100 == 0) captured.reporter->error_transfer(Role::kReceiver, std::to_string(t), EIO);
        if (i % 50 == 0) captured.reporter->update_line("\r50%");
        if (i % 70 == 0) captured.reporter->flush();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  captured.reporter->close_line();
  captured.reporter->flush();
  std::vector<int> next(kThreads, 0);
  std::string text = captured.out.text();
  size_t lines = 0;
  for (size_t at = 0; at < text.size();) {
    const size_t end = text.find('\n', at);
    REQUIRE(end != std::string::npos);
    std::string line = text.substr(at, end - at);
    at = end + 1;
    // Where an error on the other descriptor has ended it, as with rsync, a progress line is still open here.
    while (line.starts_with("\r50%")) line.erase(0, 4);
    if (line.empty()) continue;
    int t = -1, i = -1;
    REQUIRE(sscanf(line.c_str(), "thread %d line %d", &t, &i) == 2);
    REQUIRE(line == "thread " + std::to_string(t) + " line " + std::to_string(i));
    CHECK(i == next.at(static_cast<size_t>(t))++);
    ++lines;
  }
  CHECK(lines == kThreads * kLines);
  CHECK(captured.reporter->state().transfer_error);
}

TEST_CASE("reporter: a full disk behind standard output does not stop the run") {
  const Options options = client(0, 0);
  const int full = open("/dev/full", O_WRONLY);
  REQUIRE(full >= 0);
  {
    ReporterPorts ports;
    ports.out_fd = full;
    Reporter reporter(options, ports);
    reporter.info_line("x");
    reporter.flush();
    CHECK_FALSE(reporter.state().transfer_error);
  }
  close(full);
}
