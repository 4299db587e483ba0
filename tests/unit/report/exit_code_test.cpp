// Exit codes: each fault has one, each code its text, and the worst of a run wins.
#include "libsync/report/exit_code.h"

#include <catch2/catch.hpp>

using namespace ocsync;
using namespace ocsync::sync;

TEST_CASE("exit_code: faults end with the codes that scripts know") {
  CHECK(exit_code_of(Error(Fault::kUsage, "x")) == 1);
  CHECK(exit_code_of(Error(Fault::kProtocol, "x")) == 2);
  CHECK(exit_code_of(Error(Fault::kSelect, "x")) == 3);
  CHECK(exit_code_of(Error(Fault::kUnsupported, "x")) == 4);
  CHECK(exit_code_of(Error(Fault::kStartup, "x")) == 5);
  CHECK(exit_code_of(Error(Fault::kSocket, "x")) == 10);
  CHECK(exit_code_of(Error(Fault::kFileIo, "x")) == 11);
  CHECK(exit_code_of(Error(Fault::kStream, "x")) == 12);
  CHECK(exit_code_of(Error(Fault::kIpc, "x")) == 14);
  CHECK(exit_code_of(Error(Fault::kInterrupted, "x")) == 20);
  CHECK(exit_code_of(Error(Fault::kMemory, "x")) == 22);
  CHECK(exit_code_of(Error(Fault::kPartial, "x")) == 23);
  CHECK(exit_code_of(Error(Fault::kVanished, "x")) == 24);
  CHECK(exit_code_of(Error(Fault::kDeleteLimit, "x")) == 25);
  CHECK(exit_code_of(Error(Fault::kTimeout, "x")) == 30);
  CHECK(exit_code_of(Error(Fault::kConnectTimeout, "x")) == 35);
}

TEST_CASE("exit_code: no fault ends with success") {
  for (int fault = 0; fault <= static_cast<int>(Fault::kFarExit); ++fault) {
    INFO("fault " << fault);
    CHECK(exit_code_of(Error(static_cast<Fault>(fault), "x")) != 0);
  }
}

TEST_CASE("exit_code: the far side's own code is ours, if it is one") {
  Error error(Fault::kFarExit, "x");
  error.code = 25;
  CHECK(exit_code_of(error) == 25);
  error.code = 0;
  CHECK(exit_code_of(error) == 12);
  error.code = 256;  // would look like success to a shell
  CHECK(exit_code_of(error) == 12);
}

TEST_CASE("exit_code: texts") {
  CHECK(exit_text(0).empty());
  CHECK(exit_text(23) == "some files/attrs were not transferred (see previous errors)");
  CHECK(exit_text(24) == "some files vanished before they could be transferred");
  CHECK(exit_text(20) == "received SIGINT, SIGTERM, or SIGHUP");
  CHECK(exit_text(127) == "remote command not found");
  CHECK(exit_text(99) == "unexplained error");
}

TEST_CASE("exit_code: what a run ends with") {
  CHECK(final_exit_code(0, 0, 0, false) == 0);
  CHECK(final_exit_code(0, 0, kIoErrorDeleteLimit, false) == 25);
  CHECK(final_exit_code(0, 0, kIoErrorDeleteLimit | kIoErrorVanished, false) == 24);
  CHECK(final_exit_code(0, 0, kIoErrorVanished | kIoErrorGeneral, false) == 23);
  CHECK(final_exit_code(0, 0, kIoErrorVanished, true) == 23);
  CHECK(final_exit_code(12, 0, kIoErrorGeneral, true) == 12);
  CHECK(final_exit_code(12, 255, 0, false) == 255);
  CHECK(final_exit_code(12, 3, 0, false) == 12);
  CHECK(final_exit_code(0, 23, kIoErrorVanished, false) == 23);
}
