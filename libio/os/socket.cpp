// Addresses and sockets through getaddrinfo and non-blocking calls.
#include "libio/os/socket.h"

#include <fmt/format.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/tcp.h>

#include <array>
#include <charconv>
#include <cstring>
#include <memory>

#include "libio/os/fd_stream.h"
#include "libio/os/sys.h"

namespace ocsync::io {
namespace {

struct FreeAddresses {
  void operator()(addrinfo* list) const { ::freeaddrinfo(list); }
};
using Addresses = std::unique_ptr<addrinfo, FreeAddresses>;

int family_of(IpFamily family) {
  return family == IpFamily::kIpv4 ? AF_INET : family == IpFamily::kIpv6 ? AF_INET6 : AF_UNSPEC;
}

Result<Addresses> look_up(const std::string& host, const std::string& port, int family, int flags) {
  addrinfo hints{};
  hints.ai_family = family;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = flags;
  addrinfo* list = nullptr;
  const int error =
      ::getaddrinfo(host.empty() ? nullptr : host.c_str(), port.empty() ? nullptr : port.c_str(), &hints, &list);
  if (error != 0)
    return fail(Fault::kSocket, fmt::format("getaddrinfo: {} {}: {}", host, port,
                                            error == EAI_SYSTEM ? std::strerror(errno) : ::gai_strerror(error)));
  return Addresses(list);
}

std::string numeric(const sockaddr* address, socklen_t bytes) {
  char text[NI_MAXHOST];
  if (::getnameinfo(address, bytes, text, sizeof text, nullptr, 0, NI_NUMERICHOST) != 0) return "unknown";
  return text;
}

Result<Accepted> describe(Fd fd, sockaddr_storage& from, socklen_t bytes) {
  Accepted accepted;
  accepted.fd = std::move(fd);
  if (from.ss_family == AF_INET6) {
    sockaddr_in6 v6;
    std::memcpy(&v6, &from, sizeof v6);
    accepted.port = ntohs(v6.sin6_port);
    if (IN6_IS_ADDR_V4MAPPED(&v6.sin6_addr)) {
      sockaddr_in v4{};
      v4.sin_family = AF_INET;
      std::memcpy(&v4.sin_addr, &v6.sin6_addr.s6_addr[12], sizeof v4.sin_addr);
      std::memcpy(&from, &v4, sizeof v4);
      bytes = sizeof v4;
    }
  } else if (from.ss_family == AF_INET) {
    sockaddr_in v4;
    std::memcpy(&v4, &from, sizeof v4);
    accepted.port = ntohs(v4.sin_port);
  } else {
    return fail(Error(EAFNOSUPPORT));
  }
  accepted.address = numeric(reinterpret_cast<sockaddr*>(&from), bytes);
  return accepted;
}

Status bind_to(int fd, const std::string& address, int family) {
  const Addresses own = TRY(look_up(address, "", family, AI_PASSIVE));
  for (const addrinfo* a = own.get(); a != nullptr; a = a->ai_next)
    if (sys::bind(fd, a->ai_addr, a->ai_addrlen)) return {};
  return fail_errno();
}

// Waits for a connection under way. Nothing if time ran out.
Result<bool> connected(int fd, int timeout_s, const Stop& stop) {
  constexpr int kSliceMs = 5000;
  const int64_t end = sys::clock_ms() + int64_t{timeout_s} * 1000;
  for (;;) {
    int ms = kSliceMs;
    if (timeout_s > 0) {
      const int64_t left = end - sys::clock_ms();
      if (left <= 0) return false;
      ms = static_cast<int>(std::min<int64_t>(left, kSliceMs));
    }
    if (!TRY(wait_for_events(fd, POLLOUT, ms, stop))) continue;
    const int error = TRY(sys::get_option(fd, SOL_SOCKET, SO_ERROR));
    if (error != 0) return fail(Error(error));
    return true;
  }
}

Result<Fd> try_address(const addrinfo& a, const ConnectOptions& options, const Stop& stop) {
  Fd fd = TRY(sys::make_socket(a.ai_family, a.ai_socktype, a.ai_protocol));
  if (!options.bind_address.empty()) TRY(bind_to(fd.get(), options.bind_address, a.ai_family));
  send_at_once(fd.get());
  TRY(apply_socket_options(fd.get(), options.socket_options));
  const Status begun = sys::connect(fd.get(), a.ai_addr, a.ai_addrlen);
  if (begun) return fd;
  if (begun.error().sys != EINPROGRESS && begun.error().sys != EINTR) return fail(begun.error());
  if (!TRY(connected(fd.get(), options.timeout_s, stop))) return fail(Fault::kConnectTimeout, "", ETIMEDOUT);
  return fd;
}

struct SocketOption {
  const char* name;
  int level, option;
  int fixed;  // not 0: the value, which cannot be given
};
constexpr std::array kSocketOptions = {
    SocketOption{"SO_KEEPALIVE", SOL_SOCKET, SO_KEEPALIVE, 0},
    SocketOption{"SO_REUSEADDR", SOL_SOCKET, SO_REUSEADDR, 0},
    SocketOption{"SO_BROADCAST", SOL_SOCKET, SO_BROADCAST, 0},
    SocketOption{"TCP_NODELAY", IPPROTO_TCP, TCP_NODELAY, 0},
    SocketOption{"IPTOS_LOWDELAY", IPPROTO_IP, IP_TOS, IPTOS_LOWDELAY},
    SocketOption{"IPTOS_THROUGHPUT", IPPROTO_IP, IP_TOS, IPTOS_THROUGHPUT},
    SocketOption{"SO_SNDBUF", SOL_SOCKET, SO_SNDBUF, 0},
    SocketOption{"SO_RCVBUF", SOL_SOCKET, SO_RCVBUF, 0},
    SocketOption{"SO_SNDLOWAT", SOL_SOCKET, SO_SNDLOWAT, 0},
    SocketOption{"SO_RCVLOWAT", SOL_SOCKET, SO_RCVLOWAT, 0},
    SocketOption{"SO_SNDTIMEO", SOL_SOCKET, SO_SNDTIMEO, 0},
    SocketOption{"SO_RCVTIMEO", SOL_SOCKET, SO_RCVTIMEO, 0},
};

}  // namespace

void send_at_once(int fd) {
  const int one = 1;
  (void)sys::set_option(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
}

Result<Fd> connect_to(const std::string& host, const std::string& port, const ConnectOptions& options,
                      const Stop& stop) {
  const Addresses all = TRY(look_up(host, port, family_of(options.family), 0));
  Error last(Fault::kSocket, "no address for " + host);
  std::vector<Error> before;
  for (const addrinfo* a = all.get(); a != nullptr; a = a->ai_next) {
    if (a != all.get()) before.push_back(last);
    Result<Fd> fd = try_address(*a, options, stop);
    if (fd) return fd;
    last = fd.error();
    // A stop, a wrong option and the end of patience are not the address's fault.
    if (last.fault != Fault::kSystem) break;
    last = Error(Fault::kSocket, fmt::format("failed to connect to {} ({})", host, numeric(a->ai_addr, a->ai_addrlen)),
                 last.sys);
  }
  if (options.address_failed)
    for (const Error& error : before) options.address_failed(error);
  return fail(std::move(last));
}

Result<std::pair<Fd, Fd>> socket_pair_over_loopback() {
  sockaddr_in own{};
  own.sin_family = AF_INET;
  own.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t bytes = sizeof own;
  const Fd listener(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  Fd caller(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!listener.valid() || !caller.valid()) return fail_errno();
  if (::bind(listener.get(), reinterpret_cast<sockaddr*>(&own), sizeof own) != 0) return fail_errno();
  if (::listen(listener.get(), 1) != 0) return fail_errno();
  if (::getsockname(listener.get(), reinterpret_cast<sockaddr*>(&own), &bytes) != 0) return fail_errno();
  if (::connect(caller.get(), reinterpret_cast<sockaddr*>(&own), sizeof own) != 0) return fail_errno();
  sockaddr_in us{};
  bytes = sizeof us;
  if (::getsockname(caller.get(), reinterpret_cast<sockaddr*>(&us), &bytes) != 0) return fail_errno();
  // A stranger may have called first: only the one who is our own other end counts.
  for (int tries = 0; tries < 8; ++tries) {
    sockaddr_in who{};
    bytes = sizeof who;
    Fd answer(::accept4(listener.get(), reinterpret_cast<sockaddr*>(&who), &bytes, SOCK_CLOEXEC));
    if (!answer.valid()) return fail_errno();
    if (who.sin_port == us.sin_port && who.sin_addr.s_addr == us.sin_addr.s_addr)
      return std::pair(std::move(caller), std::move(answer));
  }
  return fail(Fault::kSocket, "somebody else connects to our own socket");
}

Result<std::vector<Listener>> listen_on(const std::string& address, uint16_t port, IpFamily family, int backlog,
                                        const std::string& socket_options) {
  const Addresses all = TRY(look_up(address, std::to_string(port), family_of(family), AI_PASSIVE));
  std::vector<Listener> listeners;
  Error last(Fault::kSocket, "no address to listen on");
  for (const addrinfo* a = all.get(); a != nullptr; a = a->ai_next) {
    const auto open = [&]() -> Result<Listener> {
      Listener listener{TRY(sys::make_socket(a->ai_family, a->ai_socktype, a->ai_protocol)), port};
      const int fd = listener.fd.get();
      const int one = 1;
      TRY(sys::set_option(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one));
      send_at_once(fd);  // who is accepted inherits it
      TRY(apply_socket_options(fd, socket_options));
      // Both families get a socket of their own, or the second bind would collide with the first.
      if (a->ai_family == AF_INET6) TRY(sys::set_option(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof one));
      TRY(sys::bind(fd, a->ai_addr, a->ai_addrlen));
      TRY(sys::listen(fd, backlog));
      sockaddr_storage own{};
      socklen_t bytes = sizeof own;
      if (::getsockname(fd, reinterpret_cast<sockaddr*>(&own), &bytes) != 0) return fail_errno();
      listener.port = TRY(describe(Fd(), own, bytes)).port;
      return listener;
    };
    Result<Listener> one = open();
    if (one)
      listeners.push_back(*std::move(one));
    else if (one.error().fault == Fault::kUsage)
      return fail(one.error());
    else
      last = Error(Fault::kSocket, fmt::format("unable to bind any inbound sockets on port {}", port), one.error().sys);
  }
  if (listeners.empty()) return fail(std::move(last));
  return listeners;
}

Result<Accepted> accept_from(int listener) {
  sockaddr_storage from{};
  socklen_t bytes = sizeof from;
  Fd fd = TRY(sys::accept(listener, &from, &bytes));
  return describe(std::move(fd), from, bytes);
}

bool is_socket(int fd) {
  int type = 0;
  socklen_t bytes = sizeof type;
  return ::getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &bytes) == 0;
}

Result<Accepted> peer_of(int socket) {
  sockaddr_storage from{};
  socklen_t bytes = sizeof from;
  if (::getpeername(socket, reinterpret_cast<sockaddr*>(&from), &bytes) != 0) return fail_errno();
  return describe(Fd(), from, bytes);
}

Result<std::string> verified_host_name(const std::string& address) {
  const Addresses own = TRY(look_up(address, "", AF_UNSPEC, AI_NUMERICHOST));
  char name[NI_MAXHOST];
  const int error = ::getnameinfo(own->ai_addr, own->ai_addrlen, name, sizeof name, nullptr, 0, NI_NAMEREQD);
  if (error != 0)
    return fail(Fault::kSocket, fmt::format("name lookup failed for {}: {}", address, ::gai_strerror(error)));
  // Whoever owns the reverse zone may claim any name; only the forward zone can confirm it.
  const Addresses forward = TRY(look_up(name, "", own->ai_family, 0));
  const std::string wanted = numeric(own->ai_addr, own->ai_addrlen);
  for (const addrinfo* a = forward.get(); a != nullptr; a = a->ai_next)
    if (numeric(a->ai_addr, a->ai_addrlen) == wanted) return std::string(name);
  return fail(Fault::kSocket, fmt::format("{} is not an address of {}", address, name));
}

void apply_each_socket_option(int fd, const std::string& options, const std::function<void(const Error&)>& complain) {
  for (size_t at = 0; at < options.size();) {
    const size_t end = std::min(options.find_first_of(" \t,", at), options.size());
    if (const Status done = apply_socket_options(fd, options.substr(at, end - at)); !done) complain(done.error());
    at = end + 1;
  }
}

Status apply_socket_options(int fd, const std::string& options) {
  constexpr std::string_view kBetween = " \t,";
  for (std::string_view rest = options;;) {
    rest.remove_prefix(std::min(rest.find_first_not_of(kBetween), rest.size()));
    if (rest.empty()) return {};
    const std::string_view word = rest.substr(0, rest.find_first_of(kBetween));
    rest.remove_prefix(word.size());
    const size_t equals = word.find('=');
    const std::string_view name = word.substr(0, equals);
    const SocketOption* known = nullptr;
    for (const SocketOption& o : kSocketOptions)
      if (name == o.name) known = &o;
    if (known == nullptr) return fail(Fault::kUsage, fmt::format("Unknown socket option {}", name));
    int value = known->fixed != 0 ? known->fixed : 1;
    if (equals != word.npos) {
      if (known->fixed != 0) return fail(Fault::kUsage, fmt::format("syntax error -- {} does not take a value", name));
      const std::string_view digits = word.substr(equals + 1);
      if (std::from_chars(digits.data(), digits.data() + digits.size(), value).ec != std::errc())
        return fail(Fault::kUsage, fmt::format("socket option {} needs a number", name));
    }
    // The two time-outs take a time.
    const timeval seconds{value, 0};
    const bool timed = known->level == SOL_SOCKET && (known->option == SO_SNDTIMEO || known->option == SO_RCVTIMEO);
    const Status set = timed ? sys::set_option(fd, known->level, known->option, &seconds, sizeof seconds)
                             : sys::set_option(fd, known->level, known->option, &value, sizeof value);
    if (!set) return fail(Fault::kSocket, fmt::format("failed to set socket option {}", name), set.error().sys);
  }
}

}  // namespace ocsync::io
