// Children and signals.
#include "libio/os/child.h"

#include <unistd.h>

#include <csignal>

#include "libio/os/fd_stream.h"
#include "libio/os/signals.h"
#include "libio/os/sys.h"
#include "tests/unit/os/scratch.h"

using namespace ocsync;
using namespace ocsync::io;

namespace {
std::string output_of(Child& child) {
  Activity activity;
  Stop stop;
  FdSource source(child.out(), activity, stop);
  std::string all;
  std::string piece(4096, '\0');
  for (;;) {
    auto n = source.read_some(std::as_writable_bytes(std::span(piece)));
    REQUIRE(n);
    if (*n == 0) return all;
    all.append(piece, 0, *n);
  }
}
}  // namespace

TEST_CASE("child: bytes go through it and its exit is collected") {
  Child cat = need(Child::start({"cat"}));
  Activity activity;
  Stop stop;
  FdSink sink(cat.in(), activity, stop);
  const std::string text = pattern(200'000);
  need(sink.write(as_bytes(text)));
  cat.close_in();
  CHECK(output_of(cat) == text);
  CHECK(need(cat.wait()) == 0);
  CHECK(need(cat.wait()) == 0);
  CHECK(cat.poll_exit() == 0);
}

TEST_CASE("child: exit status and signal are told apart") {
  Child seven = need(Child::start({"sh", "-c", "exit 7"}));
  CHECK(need(seven.wait()) == 7);
  Child killed = need(Child::start({"sh", "-c", "kill -9 $$"}));
  CHECK(need(killed.wait()) == 128 + 9);
}

TEST_CASE("child: a program that cannot be executed is an error here") {
  for (const char* name : {"/nonexistent/program", "ocsync-no-such-program", "/etc/passwd", "/"}) {
    CAPTURE(name);
    const auto failed = Child::start({name});
    REQUIRE(!failed);
    CHECK(failed.error().fault == Fault::kIpc);
    CHECK((failed.error().sys == ENOENT || failed.error().sys == EACCES));
    CHECK(failed.error().text == "Failed to exec " + std::string(name));
  }
  CHECK(!Child::start({}));
}

TEST_CASE("child: our descriptors and ignored signals are not inherited, the environment is, with changes") {
  Stop stop;
  const SignalWatch watch(stop);
  ::setenv("OCSYNC_TEST_KEPT", "kept", 1);
  ::setenv("OCSYNC_TEST_CHANGED", "before", 1);
  auto pipe = need(sys::make_pipe());
  Child child = need(Child::start({"sh", "-c",
                                   "echo $OCSYNC_TEST_KEPT $OCSYNC_TEST_CHANGED; ls /proc/$$/fd | tr '\\n' ' '; "
                                   "grep SigIgn /proc/$$/status"},
                                  {"OCSYNC_TEST_CHANGED=after"}));
  child.close_in();
  const std::string text = output_of(child);
  CAPTURE(text);
  CHECK(text.find("kept after\n") == 0);
  CHECK(text.find(" " + std::to_string(pipe.read_end.get()) + " ") == std::string::npos);
  const size_t mask = text.find("SigIgn:");
  REQUIRE(mask != std::string::npos);
  CHECK((std::stoull(text.substr(mask + 7), nullptr, 16) & (1u << (SIGPIPE - 1))) == 0);
}

TEST_CASE("child: one that ignores us is ended when its owner goes") {
  pid_t pid;
  {
    Child stubborn = need(Child::start({"sleep", "1000"}));
    pid = stubborn.pid();
  }
  CHECK(::kill(pid, 0) != 0);
  CHECK(errno == ESRCH);
}

TEST_CASE("signals: they request a stop, and what was there before comes back") {
  struct sigaction before{};
  ::sigaction(SIGTERM, nullptr, &before);
  {
    Stop stop;
    const SignalWatch watch(stop);
    CHECK(!SignalWatch::take_progress_request());
    std::raise(SIGVTALRM);
    CHECK(SignalWatch::take_progress_request());
    CHECK(!SignalWatch::take_progress_request());
    CHECK(!stop.requested());
    std::raise(SIGPIPE);  // ignored, or we would not be here
    std::raise(SIGTERM);
    std::raise(SIGINT);
    CHECK(stop.signal_number() == SIGTERM);
    pollfd p{stop.wake_fd(), POLLIN, 0};
    CHECK(need(sys::poll(&p, 1, 0)) == 1);
  }
  struct sigaction after{};
  ::sigaction(SIGTERM, nullptr, &after);
  CHECK(after.sa_handler == before.sa_handler);
}
