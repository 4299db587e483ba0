// Implications, defaults and conflicts.
#include "libsync/options/resolve.h"

#include "libsync/options/table.h"
#include "tests/unit/options/support.h"

using namespace ocsync;
using namespace ocsync::sync;
using namespace ocsync::sync::test;

namespace {

Options options(const std::string& line, const ParseEnvironment& with = environment()) {
  const auto command = parse(line, with);
  INFO(line << ": " << (command ? "" : command.error().text));
  REQUIRE(command.has_value());
  return command->options;
}

struct Complaint {
  const char* line;
  const char* text;
};

}  // namespace

TEST_CASE("resolve: -a is -rlptgoD, and --files-from takes its recursion away but not that of -r") {
  const Options a = options("-a x y");
  CHECK((a.recurse && a.links && a.perms && a.times && a.group && a.owner && a.devices && a.specials));
  CHECK(a.dirs);
  CHECK_FALSE(a.explicit_dirs);
  const Options listed = options("-a --files-from=l x y");
  CHECK_FALSE(listed.recurse);
  CHECK(listed.relative);
  CHECK(listed.dirs);
  CHECK(options("-ra --files-from=l x y").recurse);
  CHECK_FALSE(options("--files-from=l --no-R x y").relative);
  CHECK_FALSE(options("--files-from=l --no-dirs x y").dirs);
}

TEST_CASE("resolve: listing") {
  const Options o = options("x");
  CHECK(o.list_only);
  CHECK_FALSE(o.explicit_list_only);
  CHECK(o.dirs);
  CHECK(options("--list-only x y").explicit_list_only);
  CHECK_FALSE(options("x y").list_only);
  CHECK_FALSE(options("x y").dirs);
}

TEST_CASE("resolve: --old-dirs recurses with a filter") {
  const Options o = options("--old-dirs x y");
  CHECK((o.old_dirs && o.recurse && o.dirs));
}

TEST_CASE("resolve: deletion") {
  CHECK(options("-r --delete x y").delete_mode == DeleteMode::kNone);
  CHECK(options("-r --delete x y").deleting());
  CHECK(options("-r --del x y").delete_mode == DeleteMode::kDuring);
  CHECK(options("-r --delete-delay x y").delete_mode == DeleteMode::kDelay);
  CHECK(options("-r --delete-excluded x y").deleting());
  CHECK_FALSE(options("-r --delete-missing-args x y").deleting());
  CHECK(options("-d --delete x y").deleting());
  CHECK(options("-r --delete --max-delete=-1 x y").max_delete == 0);
  CHECK_FALSE(options("-r x y").max_delete.has_value());
  CHECK_FALSE(options("-r --ignore-missing-args --delete-missing-args x y").ignore_missing_args);
}

TEST_CASE("resolve: backups") {
  CHECK(options("-b x y").backup_suffix == "~");
  const Options o = options("--backup-dir=./b x y");
  CHECK(o.backup);
  CHECK(o.backup_dir == "b");
  CHECK(o.backup_suffix.empty());
  CHECK(options("-b --backup-dir=. --suffix=.o x y").backup_dir.empty());
  CHECK(options("-b x y").omit_dir_times);
  CHECK_FALSE(options("-b x y").explicit_omit_dir_times);
  CHECK(options("-O x y").explicit_omit_dir_times);
}

TEST_CASE("resolve: writing") {
  CHECK(options("--append x y").inplace);
  CHECK(options("--append x y").append == AppendMode::kAppend);
  CHECK(options("--append --append x y").append == AppendMode::kAppend);
  CHECK(options("--append-verify x y").append == AppendMode::kVerify);
  CHECK_FALSE(options("--inplace --partial x y").partial);
  const Options delayed = options("--delay-updates x y");
  CHECK(delayed.partial_dir == ".~tmp~");
  CHECK(delayed.partial_dir_implied);
  CHECK(delayed.partial);
  CHECK(options("--partial-dir=a//./b/../c/ x y").partial_dir == "a/c");
  CHECK(options("--partial-dir=/../a/.. x y").partial_dir == "/");
  CHECK(options("--partial-dir=../a x y").partial_dir == "../a");
  CHECK(options("--partial-dir=. x y").partial_dir.empty());
  CHECK(options("--partial-dir=. x y").partial);
  CHECK(options("--cc=none x y").whole_file == true);
}

TEST_CASE("resolve: formats") {
  CHECK(options("-i x y").out_format == "%i %n%L");
  CHECK(options("-i x y").itemize == 1);
  CHECK(options("-ii x y").itemize == 2);
  CHECK(options("-v x y").out_format == "%n%L");
  CHECK(options("x y").out_format.empty());
  CHECK(options("-i --out-format=%n x y").itemize == 0);
  CHECK(options("--out-format=%%i x y").itemize == 0);
  CHECK(options("--out-format=%'-9'i x y").itemize == 1);
  CHECK(options("--out-format=%-9i x y").itemize == 1);
  CHECK(options("-ii --out-format=%i x y").itemize == 3);
  CHECK(options("--out-format= -v x y").out_format.empty());
  CHECK(options("--log-file=l x y").log_file_format == "%i %n%L");
  CHECK(options("--log-file-format=%n x y").log_file_format.empty());
}

TEST_CASE("resolve: progress asks for names unless something is printed anyway") {
  CHECK(options("--progress x y").verbosity.shows(Info::kName));
  CHECK(options("--progress x y").out_format == "%n%L");
  CHECK_FALSE(options("--progress -i x y").verbosity.shows(Info::kName));
  CHECK(options("--progress x y").verbosity.shows(Info::kFlist, 2));
  CHECK(options("--progress --info=flist0 x y").verbosity.shows(Info::kFlist) == false);
  CHECK(options("-P x y").partial);
}

TEST_CASE("resolve: compression") {
  CHECK(options("-z x y").compress_choice.empty());
  CHECK(options("-zz x y").compress_choice == "zlibx");
  CHECK(options("--zc=ZSTD x y").compress_choice == "zstd");
  CHECK(options("--zc=lz4 x y").compress);
  CHECK_FALSE(options("-z --zc=none x y").compress);
  CHECK(options("--zl=3 x y").compress_by_level);
  CHECK(options("--zl=3 x y").compress_level == 3);
  CHECK_FALSE(options("--zc=auto x y").compress);
  CHECK(options("--old-compress x y").compress_choice == "zlib");
  CHECK(options("--zt=-4 x y").compress_threads == 0);
}

TEST_CASE("resolve: who is trusted, who is told") {
  CHECK(options("--old-args x y").trusts_sender_args());
  CHECK_FALSE(options("--old-args x y").trusts_sender_filter());
  CHECK(options("--trust-sender x y").trusts_sender_filter());
  CHECK(options("--files-from=:l h:x y").trusts_sender_args());
  CHECK(options("--files-from=h:a/l h:x y").files_from == "a/l");
  CHECK(options("--files-from=u@h:a h:x y").files_from_host == "u@h");
  CHECK_FALSE(options("--files-from=./a:b h:x y").files_from_far);
}

TEST_CASE("resolve: variables") {
  CHECK(options("--partial x y", environment({{"RSYNC_PARTIAL_DIR", "p"}})).partial_dir == "p");
  CHECK(options("x y", environment({{"RSYNC_PARTIAL_DIR", "p"}})).partial_dir.empty());
  CHECK(options("x y", environment({{"RSYNC_PROTECT_ARGS", "1"}})).secluded_args);
  CHECK_FALSE(options("x y", environment({{"RSYNC_PROTECT_ARGS", "0"}})).secluded_args);
  CHECK_FALSE(options("--no-s x y", environment({{"RSYNC_PROTECT_ARGS", "1"}})).secluded_args);
  CHECK(options("x y", environment({{"RSYNC_OLD_ARGS", "2"}})).old_args == 2);
  CHECK(options("-s x y", environment({{"RSYNC_OLD_ARGS", "2"}})).old_args == 0);
  CHECK(options("x y", environment({{"RSYNC_ICONV", "latin1"}})).iconv == "latin1");
  CHECK(options("--iconv=- x y", environment({{"RSYNC_ICONV", "latin1"}})).iconv.empty());
  CHECK(options("x y", environment({{"RSYNC_MAX_ALLOC", "2G"}})).max_alloc == int64_t{2} << 30);
  CHECK(options("x y", environment({{"RSYNC_RSH", "/usr/bin/rsh -x"}})).blocking_io);
  CHECK_FALSE(options("x y").blocking_io);
}

TEST_CASE("resolve: sizes") {
  CHECK(options("--max-size=1k x y").max_size == 1024);
  CHECK(options("--max-size=1kb x y").max_size == 1000);
  CHECK(options("--max-size=1KiB x y").max_size == 1024);
  CHECK(options("--max-size=1.5m x y").max_size == 1572864);
  CHECK(options("--max-size=2g-1 x y").max_size == (int64_t{2} << 30) - 1);
  CHECK(options("--min-size=10+1 x y").min_size == 11);
  CHECK(options("--bwlimit=1.5m x y").bwlimit_kib == 1536);
  CHECK(options("--bwlimit=0 x y").bwlimit_kib == 0);
  CHECK(options("--max-size=0 x y").max_size == 0);
  CHECK(options("-B700 x y").block_size == 700);
  CHECK(options("--protocol=29 -B1m x y").block_size == 1 << 20);
}

TEST_CASE("resolve: complaints, as rsync words them") {
  const Complaint complaints[] = {
      {"--max-size=1x a b", "rsync: --max-size=1x is invalid"},
      {"--max-size=9999999p a b", "rsync: --max-size=9999999p is too large"},
      {"--bwlimit=100b a b", "rsync: --bwlimit=100b is too small (min: 512 or 0 for unlimited)"},
      {"--block-size=200k a b", "rsync: --block-size=200k is too large (max: 128.00K)"},
      {"--max-alloc=100k a b", "rsync: --max-alloc=100k is too small (min: 1.00M or 0 for unlimited)"},
      {"--max-alloc=0 a b", "rsync: max-alloc must be greater than zero"},
      {"--old-args -s a b", "rsync: --secluded-args conflicts with --old-args."},
      {"--outbuf=x a b", "rsync: Invalid --outbuf setting -- specify N, L, or B."},
      {"--stderr=x a b", "rsync: --stderr mode \"x\" is not one of errors, all, or client"},
      {"--info=foo a b", "Unknown --info item: \"foo\""},
      {"--delete a b", "rsync: --delete does not work without --recursive (-r) or --dirs (-d)."},
      {"-r --delete-before --delete-after a b", "rsync: You may not combine multiple --delete-WHEN options."},
      {"--suffix=a/b -b a b", "rsync: --suffix cannot contain slashes: a/b"},
      {"--suffix= -b a b", "rsync: --suffix cannot be empty without a --backup-dir"},
      {"--backup-dir=. a b", "rsync: --suffix cannot be empty when --backup-dir is the same as the dest dir"},
      {"--append -W a b", "rsync: --append cannot be used with --whole-file"},
      {"--inplace --partial-dir=x a b", "rsync: --inplace cannot be used with --partial-dir"},
      {"--append --delay-updates a b", "rsync: --append cannot be used with --delay-updates"},
      {"--files-from=h:- a h:b", "rsync: Invalid --files-from remote filename"},
      {"--server --files-from=h:x . a", "rsync: The --files-from sent to the server cannot specify a host."},
      {"--compare-dest=a --copy-dest=b a b",
       "rsync: ERROR: the --copy-dest option conflicts with the --compare-dest option"},
      {"--chown=a --usermap=b a b", "rsync: --usermap conflicts with prior --chown."},
      {"--usermap=b --chown=a a b", "rsync: --chown conflicts with prior --usermap."},
      {"--usermap=b --usermap=c a b", "rsync: You can only specify --usermap once."},
      {"--chown=:a --chown=:b a b", "rsync: You can only specify a group-affecting --chown once."},
      {"--chmod=u=rwu a b", "rsync: Invalid argument passed to --chmod (u=rwu)"},
      {"--chmod=888 a b", "rsync: Invalid argument passed to --chmod (888)"},
      {"--chmod=DF755 a b", "rsync: Invalid argument passed to --chmod (DF755)"},
      {"--stop-after=0 a b", "rsync: invalid --stop-after value: 0"},
      {"--stop-at=xx a b", "rsync: invalid --stop-at format: xx"},
      {"--stop-at=1999-1-1 a b", "rsync: --stop-at time is not in the future: 1999-1-1"},
      {"-MX a b", "rsync: Remote option must start with a dash: X"},
  };
  for (const Complaint& expected : complaints) {
    INFO(expected.line);
    const auto command = parse(expected.line);
    REQUIRE_FALSE(command.has_value());
    CHECK(command.error().text == expected.text);
    CHECK(command.error().fault == Fault::kUsage);
  }
}

TEST_CASE("resolve: unknown methods are unsupported, not wrong") {
  for (const char* line : {"--cc=foo a b", "--cc=md5,foo a b", "--zc=foo a b"}) {
    const auto command = parse(line);
    REQUIRE_FALSE(command.has_value());
    CHECK(command.error().fault == Fault::kUnsupported);
  }
  CHECK(complaint("--cc=md5,foo a b") == "unknown checksum name: foo");
  CHECK(complaint("--cc=foo,md5 a b") == "unknown checksum name: foo,md5");
}

TEST_CASE("resolve: --files-from allows one destination and one source") {
  CHECK(complaint("--files-from=l a b") == "accepted");
  CHECK(complaint("--files-from=l a").find("Usage:") != std::string::npos);
  CHECK(complaint("--files-from=l a b c").find("Usage:") != std::string::npos);
}

TEST_CASE("resolve: munged links next to a directory of that name") {
  ParseEnvironment with = environment();
  with.munge_dir_exists = true;
  CHECK(parse("--munge-links a b", with).error().fault == Fault::kUnsupported);
  CHECK(parse("a b", with).has_value());
}

TEST_CASE("resolve: a twenty-first alternative directory is refused") {
  std::string line;
  for (int i = 0; i < 20; ++i) line += "--link-dest=d ";
  CHECK(complaint(line + "a b") == "accepted");
  CHECK(complaint(line + "--link-dest=d a b") == "rsync: ERROR: at most 20 --link-dest args may be specified");
}

TEST_CASE("stop-at: parts left out mean the next time that fits") {
  setenv("TZ", "UTC", 1);
  tzset();
  // Tue 2023-11-14 22:13:20 UTC
  CHECK(parse_time_of_day("2023-11-15", kNow) == 1'700'006'400);
  CHECK(parse_time_of_day("2023/11/15T01:00", kNow) == 1'700'010'000);
  CHECK(parse_time_of_day("23-11-15", kNow) == 1'700'006'400);
  CHECK(parse_time_of_day("15", kNow) == 1'700'006'400);
  CHECK(parse_time_of_day("14", kNow) == 1'700'006'400 + 29 * 86400);
  CHECK(parse_time_of_day("22:14", kNow) == kNow + 40);
  CHECK(parse_time_of_day("T22:13", kNow) == kNow - 20 + 86400);
  CHECK(parse_time_of_day(":14", kNow) == kNow + 40);
  CHECK(parse_time_of_day(":13", kNow) == kNow - 20 + 3600);
  CHECK(parse_time_of_day("11-14T22:14", kNow) == kNow + 40);
  CHECK(parse_time_of_day("2-29", kNow) == 1'709'164'800);
  for (const char* wrong : {"", "T", "x", "25:00", "12:60", "2023-13-01", "1-2-3-4", "12:", "2023-2-30", "T:10"})
    CHECK(parse_time_of_day(wrong, kNow) == -1);
}
