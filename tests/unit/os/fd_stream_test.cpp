// Streams over every kind of descriptor: torn, slow, interrupted, timed out, limited.
#include "libio/os/fd_stream.h"

#include <sys/socket.h>
#include <unistd.h>

#include <csignal>
#include <thread>

#include "libio/os/map_file.h"
#include "libio/os/sys.h"
#include "tests/unit/os/scratch.h"

using namespace ocsync;
using namespace ocsync::io;

namespace {

struct NoSigpipe {
  NoSigpipe() { std::signal(SIGPIPE, SIG_IGN); }
};
const NoSigpipe no_sigpipe;

enum class Kind { kPipe, kNonBlockingPipe, kSocket, kTerminalLike };

struct Ends {
  Fd in, out;
};
Ends make(Kind kind) {
  if (kind == Kind::kSocket) {
    int both[2];
    REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, both) == 0);
    return {Fd(both[0]), Fd(both[1])};
  }
  auto pipe = need(sys::make_pipe());
  if (kind == Kind::kNonBlockingPipe) {
    need(sys::set_nonblocking(pipe.read_end.get(), true));
    need(sys::set_nonblocking(pipe.write_end.get(), true));
  }
  return {std::move(pipe.read_end), std::move(pipe.write_end)};
}

std::string read_to_end(FdSource& source, size_t chunk = 70'000) {
  std::string all;
  std::string piece(chunk, '\0');
  for (;;) {
    auto n = source.read_some(std::as_writable_bytes(std::span(piece)));
    if (!n) return "failed: " + std::to_string(n.error().sys);
    if (*n == 0) return all;
    all.append(piece, 0, *n);
  }
}

}  // namespace

TEST_CASE("fd stream: megabytes pass unharmed through pipes and sockets") {
  const std::string text = pattern(3'000'000);
  for (const Kind kind : {Kind::kPipe, Kind::kNonBlockingPipe, Kind::kSocket}) {
    CAPTURE(static_cast<int>(kind));
    Ends ends = make(kind);
    const int flags = need(sys::flags(ends.out.get()));
    Activity activity;
    Stop stop;
    Status written;
    std::thread writer([&] {
      FdSink sink(ends.out.get(), activity, stop);
      std::vector<Bytes> pieces;  // many, of very different sizes, some empty
      std::string_view rest = text;
      for (size_t size = 0; !rest.empty(); size = size * 3 + 1) {
        const size_t take = std::min(size % 100'003, rest.size());
        pieces.push_back(as_bytes(rest.substr(0, take)));
        rest.remove_prefix(take);
      }
      written = sink.write_v(pieces);
      ends.out.close();
    });
    FdSource source(ends.in.get(), activity, stop);
    const std::string got = read_to_end(source);
    writer.join();
    need(written);
    CHECK(got == text);
    CHECK(activity.bytes_in == text.size());
    CHECK(activity.bytes_out == text.size());
    CHECK(activity.last_ms != 0);
    CHECK((flags & O_NONBLOCK) == (kind == Kind::kNonBlockingPipe ? O_NONBLOCK : 0));
  }
}

TEST_CASE("fd stream: flags of an inherited descriptor are left alone, and nothing hangs in it") {
  Ends ends = make(Kind::kPipe);
  Activity activity;
  activity.timeout_s = 1;
  Stop stop;
  FdSink sink(ends.out.get(), activity, stop);
  const std::string big = pattern(1 << 20);  // nobody reads: a blocking write would never come back
  const Status stuck = sink.write(as_bytes(big));
  REQUIRE(!stuck);
  CHECK(stuck.error().fault == Fault::kTimeout);
  CHECK(need(sys::flags(ends.out.get())) == (need(sys::flags(ends.out.get())) & ~O_NONBLOCK));
}

TEST_CASE("fd stream: descriptors that cannot promise anything are polled first") {
  Ends ends = make(Kind::kPipe);
  Activity activity;
  Stop stop;
  const std::string text = pattern(300'000);
  std::thread writer([&] {
    FdSink sink(ends.out.get(), activity, stop);
    const sys::FaultPlan refuse(sys::Call::kWrite, 1, EOPNOTSUPP);
    if (!sink.write(as_bytes(text))) std::abort();
    if (refuse.fired() != 1) std::abort();
    ends.out.close();
  });
  FdSource source(ends.in.get(), activity, stop);
  const sys::FaultPlan refuse(sys::Call::kRead, 1, EOPNOTSUPP);
  CHECK(read_to_end(source) == text);
  CHECK(refuse.fired() == 1);
  writer.join();
}

TEST_CASE("fd stream: regular files are read and written straight") {
  Scratch s;
  s.write("f", "content");
  const File file = need(s.dir.open_update(leaf("f")));
  Activity activity;
  Stop stop;
  FdSource source(file.fd(), activity, stop);
  CHECK(read_to_end(source) == "content");
  FdSink sink(file.fd(), activity, stop);
  need(sink.write(as_bytes(" grows")));
  CHECK(s.read("f") == "content grows");
}

TEST_CASE("fd stream: cut and interrupted transfers are completed") {
  for (const int error : {0, EINTR, EAGAIN}) {
    Ends ends = make(Kind::kSocket);
    Activity activity;
    Stop stop;
    FdSink sink(ends.out.get(), activity, stop);
    const Bytes pieces[] = {as_bytes("first "), as_bytes(""), as_bytes("second")};
    {
      const sys::FaultPlan plan(sys::Call::kWrite, 1, error, 4);
      need(sink.write_v(pieces));
      CHECK(plan.fired() == 4);
    }
    ends.out.close();
    FdSource source(ends.in.get(), activity, stop);
    const sys::FaultPlan plan(sys::Call::kRead, 1, error, 4);
    CHECK(read_to_end(source) == "first second");
    CHECK(plan.fired() == 4);
  }
}

TEST_CASE("fd stream: a far side that is gone is a socket fault") {
  for (const Kind kind : {Kind::kPipe, Kind::kSocket}) {
    Ends ends = make(kind);
    ends.in.close();
    Activity activity;
    Stop stop;
    FdSink sink(ends.out.get(), activity, stop);
    const Status gone = sink.write(as_bytes("x"));
    REQUIRE(!gone);
    CHECK(gone.error().fault == Fault::kSocket);
    CHECK(gone.error().sys == EPIPE);
  }
  Ends ends = make(Kind::kPipe);
  Activity activity;
  Stop stop;
  FdSource source(ends.in.get(), activity, stop);
  const sys::FaultPlan plan(sys::Call::kRead, 1, ECONNRESET);
  std::byte one[1];
  const auto reset = source.read_some(one);
  REQUIRE(!reset);
  CHECK(reset.error().fault == Fault::kSocket);
}

TEST_CASE("fd stream: a stop wakes a reader and a writer that wait") {
  for (const bool reading : {true, false}) {
    Ends ends = make(Kind::kPipe);
    Activity activity;
    Stop stop;
    Status end;
    std::thread waiter([&] {
      if (reading) {
        FdSource source(ends.in.get(), activity, stop);
        std::byte one[1];
        auto r = source.read_some(one);
        if (!r) end = fail(r.error());
      } else {
        const std::string big(1 << 20, 'x');
        end = FdSink(ends.out.get(), activity, stop).write(as_bytes(big));
      }
    });
    stop.request(SIGTERM);
    waiter.join();
    REQUIRE(!end);
    CHECK(end.error().fault == Fault::kInterrupted);
  }
}

TEST_CASE("fd stream: silence ends in a time-out, and a stop time ends everything") {
  Ends ends = make(Kind::kPipe);
  Activity activity;
  Stop stop;
  FdSource source(ends.in.get(), activity, stop);
  std::byte one[1];
  activity.timeout_s = 1;
  const auto late = source.read_some(one);
  REQUIRE(!late);
  CHECK(late.error().fault == Fault::kTimeout);
  CHECK(late.error().text.find("timeout") != std::string::npos);
  activity.timeout_s = 0;
  activity.stop_at_ms = 1;
  need(sys::write(ends.out.get(), as_bytes("x")));
  const auto over = source.read_some(one);
  REQUIRE(!over);
  CHECK(over.error().text == "stopping at requested limit");
  CHECK(FdSink(ends.out.get(), activity, stop).write(as_bytes("x")).error().fault == Fault::kTimeout);
}

TEST_CASE("fd stream: ready tells whether reading would wait") {
  Ends ends = make(Kind::kPipe);
  Activity activity;
  Stop stop;
  FdSource source(ends.in.get(), activity, stop);
  CHECK(!source.ready());
  CHECK(!need(source.ready_within(1)));
  need(sys::write(ends.out.get(), as_bytes("x")));
  CHECK(source.ready());
  CHECK(need(source.ready_within(60'000)));
  std::byte one[1];
  need(source.read_some(one));
  ends.out.close();
  CHECK(source.ready());  // the end counts
}

TEST_CASE("fd stream: a rate limit sends everything, in small writes") {
  Ends ends = make(Kind::kSocket);
  Activity activity;
  Stop stop;
  const std::string text = pattern(6000);
  FdSink sink(ends.out.get(), activity, stop, 40'960);
  need(sink.write(as_bytes(text)));
  ends.out.close();
  FdSource source(ends.in.get(), activity, stop);
  CHECK(read_to_end(source) == text);
}

TEST_CASE("fd stream: a stop ends the pause of a rate limit") {
  Ends ends = make(Kind::kPipe);
  Activity activity;
  Stop stop;
  FdSink sink(ends.out.get(), activity, stop, 1);  // a byte a second: the test would take minutes
  std::thread later([&] { stop.request(SIGINT); });
  const Status ended = sink.write(as_bytes(std::string(600, 'x')));
  later.join();
  REQUIRE(!ended);
  CHECK(ended.error().fault == Fault::kInterrupted);
}

TEST_CASE("fd_stream: a connection that is given up wakes who waits, and last words still go out") {
  auto pipe = need(sys::make_pipe());
  auto other = need(sys::make_pipe());
  Activity activity;
  Stop stop;
  FdSource source(pipe.read_end.get(), activity, stop);
  FdSink sink(other.write_end.get(), activity, stop);
  std::thread giver([&] { activity.give_up(); });
  std::byte one[1];
  const auto got = source.read_some(one);  // nothing was written: only the other thread can end this
  giver.join();
  REQUIRE_FALSE(got);
  CHECK(got.error().fault == Fault::kClosed);
  CHECK_FALSE(sink.write(as_bytes("x")));
  CHECK_FALSE(sink.torn());
  stop.request(SIGINT);
  activity.take_back();
  CHECK_FALSE(sink.write(as_bytes("x")));
  Stop never;
  sink.obey(never);
  CHECK(sink.write(as_bytes("bye")));
  char text[4] = {};
  CHECK(::read(other.read_end.get(), text, 3) == 3);
  CHECK(std::string(text) == "bye");
}

TEST_CASE("fd_stream: the last words of a far side that closed are read although the connection was given up") {
  auto in = need(sys::make_pipe());
  auto out = need(sys::make_pipe());
  Activity activity;
  Stop stop;
  FdSource source(in.read_end.get(), activity, stop);
  FdSink sink(out.write_end.get(), activity, stop);
  std::ignore = ::signal(SIGPIPE, SIG_IGN);
  out.read_end.close();
  CHECK_FALSE(sink.write(as_bytes("x")));
  activity.give_up();
  CHECK(::write(in.write_end.get(), "bye", 3) == 3);
  std::byte three[3];
  const auto got = source.read_some(three);
  REQUIRE(got);
  CHECK(*got == 3);
  in.write_end.close();
  CHECK(need(source.read_some(three)) == 0);
}

TEST_CASE("fd stream: pieces of a mapping whose file was cut off are sent as zeros, and the stream goes on") {
  Scratch s;
  constexpr size_t kBytes = 2 << 20;
  const std::string text = pattern(kBytes);
  s.write("f", text);
  const File file = need(s.dir.open_update(leaf("f")));
  MapFile map(file, kBytes, MapFile::Access::kMapped);
  const Bytes view = need(map.view(0, kBytes));
  REQUIRE(map.mapped());
  need(file.truncate(1 << 20));
  for (const Kind kind : {Kind::kPipe, Kind::kSocket}) {
    Ends ends = make(kind);
    Activity activity;
    const Stop stop;
    std::string got;
    std::thread reader([&] {
      FdSource source(ends.in.get(), activity, stop);
      got = read_to_end(source);
    });
    {
      FdSink sink(ends.out.get(), activity, stop);
      const Bytes pieces[] = {as_bytes("before"), view, as_bytes("behind")};
      CHECK(sink.write_v(pieces));
    }
    ends.out.close();
    reader.join();
    REQUIRE(got.size() == kBytes + 12);
    CHECK(got.substr(6, 1 << 20) == text.substr(0, 1 << 20));
    CHECK(got.substr(6 + (1 << 20), 1 << 20) == std::string(1 << 20, '\0'));
    CHECK(got.ends_with("behind"));
  }
  CHECK_FALSE(map.intact());
}
