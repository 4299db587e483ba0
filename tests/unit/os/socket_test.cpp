// Connecting and listening on the loopback interface.
#include "libio/os/socket.h"

#include <netinet/in.h>
#include <netinet/tcp.h>

#include <csignal>

#include "libio/os/fd_stream.h"
#include "libio/os/sys.h"
#include "tests/unit/os/scratch.h"

using namespace ocsync;
using namespace ocsync::io;

TEST_CASE("socket: a connection carries bytes, and its ends know each other") {
  Stop stop;
  const auto listeners = need(listen_on("127.0.0.1", 0, IpFamily::kAny));
  REQUIRE(listeners.size() == 1);
  REQUIRE(listeners[0].port != 0);
  CHECK(sys_of(accept_from(listeners[0].fd.get())) == EAGAIN);
  const std::string port = std::to_string(listeners[0].port);
  const Fd client = need(connect_to("127.0.0.1", port, {.bind_address = "127.0.0.1", .timeout_s = 20}, stop));
  REQUIRE(need(wait_for_events(listeners[0].fd.get(), POLLIN, 20'000, stop)));
  const Accepted server = need(accept_from(listeners[0].fd.get()));
  CHECK(server.address == "127.0.0.1");
  CHECK(need(peer_of(server.fd.get())).port == server.port);
  CHECK(need(peer_of(client.get())).port == listeners[0].port);
  CHECK((need(sys::flags(client.get())) & O_NONBLOCK) != 0);
  CHECK((need(sys::flags(server.fd.get())) & O_NONBLOCK) != 0);

  Activity activity;
  FdSink sink(client.get(), activity, stop);
  need(sink.write(as_bytes("hello")));
  FdSource source(server.fd.get(), activity, stop);
  char text[8];
  CHECK(need(source.read_some(std::as_writable_bytes(std::span(text)))) == 5);
}

TEST_CASE("socket: a refusal names host, address and reason") {
  Stop stop;
  uint16_t free_port;
  {
    const auto gone = need(listen_on("127.0.0.1", 0, IpFamily::kIpv4));
    free_port = gone[0].port;
  }
  const auto refused = connect_to("localhost", std::to_string(free_port), {.family = IpFamily::kIpv4}, stop);
  REQUIRE(!refused);
  CHECK(refused.error().fault == Fault::kSocket);
  CHECK(refused.error().sys == ECONNREFUSED);
  CHECK(refused.error().text == "failed to connect to localhost (127.0.0.1)");
  const auto nobody = connect_to("no such host.invalid", "873", {}, stop);
  REQUIRE(!nobody);
  CHECK(nobody.error().fault == Fault::kSocket);
  CHECK(nobody.error().text.find("getaddrinfo: no such host.invalid 873: ") == 0);
}

TEST_CASE("socket: time-out and stop end the wait for a connection") {
  Stop stop;
  const auto listeners = need(listen_on("127.0.0.1", 0, IpFamily::kIpv4));
  const std::string port = std::to_string(listeners[0].port);
  {
    // The connection stays under way for ever.
    const sys::FaultPlan pending(sys::Call::kSocket, 2, EINPROGRESS);
    const sys::FaultPlan silent(sys::Call::kPoll, 1, EINTR, 1'000'000'000);
    const auto late = connect_to("127.0.0.1", port, {.timeout_s = 1}, stop);
    REQUIRE(!late);
    CHECK(late.error().fault == Fault::kConnectTimeout);
  }
  stop.request(SIGINT);
  const sys::FaultPlan pending(sys::Call::kSocket, 2, EINPROGRESS);
  const auto stopped = connect_to("127.0.0.1", port, {}, stop);
  REQUIRE(!stopped);
  CHECK(stopped.error().fault == Fault::kInterrupted);
}

TEST_CASE("socket: short writes do not wait for each other's acknowledgement, unless options say so") {
  const Stop stop;
  for (const int wanted : {1, 0}) {
    const std::string said = wanted == 1 ? "" : "TCP_NODELAY=0";
    const auto listeners = need(listen_on("127.0.0.1", 0, IpFamily::kAny, 5, said));
    ConnectOptions options;
    options.socket_options = said;
    const Fd caller = need(connect_to("127.0.0.1", std::to_string(listeners[0].port), options, stop));
    CHECK(need(sys::get_option(caller.get(), IPPROTO_TCP, TCP_NODELAY)) == wanted);
    for (;;) {
      auto accepted = accept_from(listeners[0].fd.get());
      if (!accepted && accepted.error().sys == EAGAIN) continue;
      const Accepted one = need(std::move(accepted));
      CHECK(need(sys::get_option(one.fd.get(), IPPROTO_TCP, TCP_NODELAY)) == wanted);
      break;
    }
  }
}

TEST_CASE("socket: options by name") {
  const Fd fd = need(sys::make_socket(AF_INET, SOCK_STREAM, 0));
  need(apply_socket_options(fd.get(), ""));
  need(apply_socket_options(fd.get(), " SO_KEEPALIVE,TCP_NODELAY=1 IPTOS_THROUGHPUT,SO_RCVTIMEO=5,,"));
  CHECK(need(sys::get_option(fd.get(), SOL_SOCKET, SO_KEEPALIVE)) == 1);
  CHECK(need(sys::get_option(fd.get(), IPPROTO_TCP, TCP_NODELAY)) == 1);
  need(apply_socket_options(fd.get(), "SO_KEEPALIVE=0"));
  CHECK(need(sys::get_option(fd.get(), SOL_SOCKET, SO_KEEPALIVE)) == 0);
  CHECK(apply_socket_options(fd.get(), "SO_NONSENSE").error().text == "Unknown socket option SO_NONSENSE");
  CHECK(apply_socket_options(fd.get(), "IPTOS_LOWDELAY=1").error().fault == Fault::kUsage);
  CHECK(apply_socket_options(fd.get(), "SO_SNDBUF=many").error().fault == Fault::kUsage);
  CHECK(apply_socket_options(-1, "SO_SNDBUF=1").error().fault == Fault::kSocket);
}

TEST_CASE("socket: listening on a taken port fails, and a file is no peer") {
  const auto first = need(listen_on("127.0.0.1", 0, IpFamily::kIpv4));
  const auto second = listen_on("127.0.0.1", first[0].port, IpFamily::kIpv4);
  REQUIRE(!second);
  CHECK(second.error().sys == EADDRINUSE);
  Scratch s;
  CHECK(sys_of(peer_of(s.dir.fd())) == ENOTSOCK);
}
