// TCP: connecting to the first address that answers, listening, and options by name.
#pragma once

#include <sys/socket.h>

#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "libio/base/result.h"
#include "libio/os/fd.h"
#include "libio/os/stop.h"

namespace ocsync::io {

enum class IpFamily : uint8_t { kAny, kIpv4, kIpv6 };

struct ConnectOptions {
  IpFamily family = IpFamily::kAny;
  std::string bind_address;  // our own end; empty: the system chooses
  int timeout_s = 0;         // for each address; 0: what the system allows
  std::string socket_options;
  std::function<void(const Error&)> address_failed;  // told of every address but the last, if none answered
};

// A connected, non-blocking socket. Fault::kSocket names host and reason of the last address tried; when time ran out
// Fault::kConnectTimeout; a stop ends it. `port` is a number or a service name.
Result<Fd> connect_to(const std::string& host, const std::string& port, const ConnectOptions& options,
                      const Stop& stop);

struct Listener {
  Fd fd;          // non-blocking
  uint16_t port;  // the real one, also if 0 was asked for
};
// One listener for each family to be had. An empty address listens everywhere.
Result<std::vector<Listener>> listen_on(const std::string& address, uint16_t port, IpFamily family, int backlog = 5,
                                        const std::string& socket_options = {});

struct Accepted {
  Fd fd;                // non-blocking
  std::string address;  // numeric, an IPv4 address also if it came in over IPv6
  uint16_t port = 0;
};
// Somebody who waits at `listener`; EAGAIN if nobody does.
Result<Accepted> accept_from(int listener);
// The same facts about a socket that somebody else accepted (standard input of a daemon under inetd); ENOTSOCK or
// EAFNOSUPPORT if it is none of ours.
Result<Accepted> peer_of(int socket);
bool is_socket(int fd);
// The name that the address resolves to, if that name resolves back to the address.
Result<std::string> verified_host_name(const std::string& address);

// Two connected TCP sockets of this machine, both ends verified to belong together; blocking.
Result<std::pair<Fd, Fd>> socket_pair_over_loopback();

// A short write goes out behind another one without waiting for the far side's delayed acknowledgement (40 ms at the
// end of each run); what we write is gathered already. Sockets that connect_to() and listen_on() make do so unless
// their options say otherwise; one accepted does as its listener. Anything but a TCP socket stays as it is.
void send_at_once(int fd);

// "SO_KEEPALIVE,TCP_NODELAY=0,IPTOS_THROUGHPUT": Fault::kUsage names an unknown option, kSocket one that was refused.
Status apply_socket_options(int fd, const std::string& options);
// The same word by word: `complain` hears of those that fail, the others count.
void apply_each_socket_option(int fd, const std::string& options, const std::function<void(const Error&)>& complain);

}  // namespace ocsync::io
