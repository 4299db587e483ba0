#include "libsync/session/pieces.h"

#include <sys/socket.h>
#include <unistd.h>

#include <catch2/catch.hpp>

using namespace ocsync;
using namespace ocsync::sync;

// The far side may talk after the roles have ended, which is when nobody of them may be asked any more.
TEST_CASE("messages that come after the listener is gone reach nobody") {
  int ends[2];
  REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) == 0);
  const io::Fd near(ends[0]);
  io::Fd far(ends[1]);
  io::Stop stop;
  Options options;
  Connection connection(near.get(), near.get(), options, stop);
  connection.channel.demux.enable();
  const unsigned char told[] = {3, 0, 0, 9, 'a', 'b', '\n'}, byte[] = {1, 0, 0, 7, 'x'};
  int heard = 0;
  {
    const Connection::Hearing hearing(connection, [&](const proto::Message& message) -> Status {
      heard += std::holds_alternative<proto::TextMessage>(message);
      return {};
    });
    REQUIRE(::write(far.get(), told, sizeof told) == sizeof told);
    REQUIRE(::write(far.get(), byte, sizeof byte) == sizeof byte);
    REQUIRE(connection.channel.in.u8());
    CHECK(heard == 1);
  }
  REQUIRE(::write(far.get(), told, sizeof told) == sizeof told);
  far = io::Fd();
  CHECK_FALSE(connection.channel.in.u8());
  CHECK(heard == 1);
}
