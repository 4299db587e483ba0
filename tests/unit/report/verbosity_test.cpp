// What -v implies, what --info and --debug say, and what of it the far side is told.
#include "libsync/report/verbosity.h"

using namespace ocsync;
using namespace ocsync::sync;

TEST_CASE("verbosity: -v adds, words given by name stay") {
  Verbosity v;
  REQUIRE(apply_info(v, "del0,name2"));
  apply_verbose_level(v, 1);
  CHECK_FALSE(v.shows(Info::kDel));
  CHECK(v.shows(Info::kName, 2));
  CHECK(v.shows(Info::kStats));
  CHECK_FALSE(v.shows(Info::kSkip));
  CHECK(v.shows(Info::kNonreg));
}

TEST_CASE("verbosity: levels of -v, up to five") {
  Verbosity v;
  apply_verbose_level(v, 0);
  CHECK(v.shows(Info::kNonreg));
  CHECK_FALSE(v.shows(Info::kName));
  apply_verbose_level(v, 2);
  CHECK(v.shows(Info::kName, 2));
  CHECK(v.shows(Debug::kDel));
  CHECK_FALSE(v.shows(Debug::kDel, 2));
  apply_verbose_level(v, 9);
  CHECK(v.shows(Debug::kDeltasum, 4));
  CHECK(v.shows(Debug::kHlink));
  CHECK_FALSE(v.shows(Debug::kIo));
}

TEST_CASE("verbosity: words") {
  Verbosity v;
  REQUIRE(apply_info(v, "ALL,mount0,,Progress2"));
  CHECK(v.shows(Info::kBackup));
  CHECK_FALSE(v.shows(Info::kMount));
  CHECK(v.shows(Info::kProgress, 2));
  REQUIRE(apply_info(v, "none"));
  CHECK_FALSE(v.shows(Info::kBackup));
  REQUIRE(apply_info(v, "flist99999999999999999999"));
  CHECK(v.shows(Info::kFlist, 4));
  REQUIRE(apply_debug(v, "all4"));
  CHECK(v.shows(Debug::kIo, 4));
}

TEST_CASE("verbosity: unknown words are refused, or ignored on a server") {
  Verbosity v;
  const Status refused = apply_info(v, "name,foo2");
  REQUIRE_FALSE(refused.has_value());
  CHECK(refused.error().text == "Unknown --info item: \"foo\"");
  CHECK(apply_debug(v, "bar").error().text == "Unknown --debug item: \"bar\"");
  CHECK(apply_info(v, "foo,del", true).has_value());
  CHECK(v.shows(Info::kDel));
}

TEST_CASE("verbosity: a daemon's limit lowers everything above it") {
  Verbosity v;
  REQUIRE(apply_info(v, "all4"));
  apply_verbose_level(v, 5);
  limit_verbose_level(v, 1);
  CHECK(v.shows(Info::kName, 1));
  CHECK_FALSE(v.shows(Info::kName, 2));
  CHECK_FALSE(v.shows(Info::kProgress));
  CHECK_FALSE(v.shows(Debug::kDel));
}

TEST_CASE("verbosity: the far side hears what was given by name and matters to it") {
  Verbosity v;
  CHECK(far_info_argument(v, true).empty());
  apply_verbose_level(v, 3);
  CHECK(far_info_argument(v, true).empty());
  REQUIRE(apply_info(v, "progress2,name2,remove"));
  CHECK(far_info_argument(v, true) == "--info=NAME2");
  CHECK(far_info_argument(v, false) == "--info=NAME2,REMOVE");
  REQUIRE(apply_info(v, "all"));
  CHECK(far_info_argument(v, true) == "--info=ALL");
  REQUIRE(apply_info(v, "none,skip"));
  CHECK(far_info_argument(v, true) == "--info=NONE,SKIP");
}

TEST_CASE("verbosity: the word that rsync does not have must be named, and never travels") {
  Verbosity all;
  REQUIRE(apply_info(all, "ALL"));
  CHECK_FALSE(all.shows(Info::kIo));
  Verbosity most;
  apply_verbose_level(most, 5);
  CHECK_FALSE(most.shows(Info::kIo));
  Verbosity named;
  REQUIRE(apply_info(named, "io2"));
  CHECK(named.shows(Info::kIo, 2));
  CHECK(far_info_argument(named, true).empty());
  CHECK(far_info_argument(named, false).empty());
  REQUIRE(apply_info(named, "NONE"));
  CHECK_FALSE(named.shows(Info::kIo));
}

TEST_CASE("verbosity: help names every word and what -v adds") {
  CHECK(asks_for_help("name,HELP"));
  CHECK_FALSE(asks_for_help("helper"));
  CHECK(info_help_text().find("\n2) BACKUP,MISC2,MOUNT,NAME2,REMOVE,SKIP\n") != std::string::npos);
  CHECK(debug_help_text().find("\n5) CHDIR,DELTASUM4,FLIST4,FUZZY2,HASH,HLINK\n") != std::string::npos);
}
