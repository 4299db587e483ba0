#include "libsync/session/daemon_client.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <spawn.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>

#include "libio/os/socket.h"
#include "libio/os/terminal.h"
#include "libproto/args.h"
#include "libproto/auth.h"
#include "libproto/daemon_lines.h"
#include "libsync/list/name_charset.h"
#include "libsync/options/far_args.h"
#include "libsync/session/connect.h"
#include "libsync/session/pieces.h"

extern "C" char** environ;

namespace ocsync::sync {
namespace {

constexpr int kDefaultPort = 873;
constexpr size_t kProxyLineMax = 1023;

std::string variable(const char* name) {
  const char* text = std::getenv(name);
  return text ? text : "";
}

bool is_in(std::string_view set, char c) { return set.find(c) != std::string_view::npos; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }

// One line of a proxy, byte by byte: what follows its header belongs to the daemon.
Result<std::string> read_proxy_line(io::FdSource& source, const char* too_long) {
  std::string line;
  for (;;) {
    std::byte byte{};
    const auto got = source.read_some(MutableBytes(&byte, 1));
    if (!got && got.error().fault == Fault::kInterrupted) return fail(got.error());
    if (!got || *got == 0) return fail(Fault::kSocket, "failed to read from proxy", got ? ECONNRESET : got.error().sys);
    const char c = static_cast<char>(byte);
    if (c == '\n') {
      if (line.ends_with('\r')) line.pop_back();
      return line;
    }
    if (line.size() >= kProxyLineMax - 1) return fail(Fault::kSocket, too_long);
    line += c;
  }
}

Status pass_proxy(int fd, const std::string& request, const Options& options, io::Stop& stop) {
  io::Activity activity;
  activity.timeout_s = options.contimeout_s > 0 ? options.contimeout_s : options.timeout_s;
  activity.touch();
  io::FdSink sink(fd, activity, stop);
  if (const Status sent = sink.write(as_bytes(request)); !sent)
    return fail(Fault::kSocket, "failed to write to proxy", sent.error().sys);
  io::FdSource source(fd, activity, stop);
  const std::string line = TRY(read_proxy_line(source, "proxy response line too long"));
  const auto bad = [&] { return fail(Fault::kSocket, "bad response from proxy -- " + line); };
  if (!line.starts_with("HTTP/")) return bad();
  size_t at = 5;
  while (at < line.size() && (is_digit(line[at]) || line[at] == '.')) ++at;
  while (at < line.size() && line[at] == ' ') ++at;
  if (at == line.size() || line[at] != '2') return bad();
  while (!TRY(read_proxy_line(source, "proxy response header line too long")).empty()) {
  }
  return {};
}

// The program gets one end of a TCP connection as its standard input and output, as a super-server would give it.
Result<io::Fd> start_connect_program(const std::string& command) {
  auto pair = io::socket_pair_over_loopback();
  if (!pair) return fail(Fault::kSocket, "socketpair_tcp failed", pair.error().sys);
  const std::string own_shell = variable("RSYNC_SHELL");
  std::string shell = own_shell.empty() ? "/bin/sh" : own_shell;
  std::string dash_c = "-c";
  std::string text = command;
  char* const argv[] = {shell.data(), dash_c.data(), text.data(), nullptr};
  // Numbers 0 and 1 must not be the source of a copy onto themselves: they would keep close-on-exec.
  io::Fd theirs(::fcntl(pair->second.get(), F_DUPFD_CLOEXEC, 3));
  if (!theirs.valid()) return fail(Fault::kSocket, "dup", errno);
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_adddup2(&actions, theirs.get(), 0);
  ::posix_spawn_file_actions_adddup2(&actions, theirs.get(), 1);
  posix_spawnattr_t attributes;
  ::posix_spawnattr_init(&attributes);
  sigset_t defaults;
  sigemptyset(&defaults);
  sigaddset(&defaults, SIGPIPE);
  sigaddset(&defaults, SIGXFSZ);
  ::posix_spawnattr_setsigdefault(&attributes, &defaults);
  ::posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF);
  pid_t pid = -1;
  const int error = ::posix_spawnp(&pid, shell.c_str(), &actions, &attributes, argv, environ);
  ::posix_spawn_file_actions_destroy(&actions);
  ::posix_spawnattr_destroy(&attributes);
  if (error != 0) return fail(Fault::kIpc, "Failed to exec " + shell, error);
  const int flags = ::fcntl(pair->first.get(), F_GETFL);
  ::fcntl(pair->first.get(), F_SETFL, flags | O_NONBLOCK);
  return std::move(pair->first);
}

Result<std::string> read_password_file(const Options& options) {
  std::string text;
  if (options.password_file == "-") {
    char c = 0;
    while (text.size() < 511 && ::read(0, &c, 1) == 1) {
      text += c;
      if (c == '\n') break;
    }
  } else {
    auto file = io::Dir::open_trusted_file(options.password_file, io::Dir::Use::kRead, 0600, options.insecure_links);
    if (!file)
      return fail(Fault::kUsage, fmt::format("could not open password file {}", options.password_file),
                  file.error().sys);
    struct stat st{};
    if (::fstat(file->fd(), &st) != 0)
      return fail(Fault::kUsage, fmt::format("fstat({})", options.password_file), errno);
    if ((st.st_mode & 06) != 0) return fail(Fault::kUsage, "ERROR: password file must not be other-accessible");
    if (::getuid() == 0 && st.st_uid != 0)
      return fail(Fault::kUsage, "ERROR: password file must be owned by root when running as root");
    char buffer[511];
    const ssize_t got = ::read(file->fd(), buffer, sizeof buffer);
    if (got > 0) text.assign(buffer, static_cast<size_t>(got));
  }
  const size_t from = text.find_first_not_of("\r\n");
  if (from == std::string::npos)
    return fail(Fault::kUsage, fmt::format("ERROR: failed to read a password from {}", options.password_file));
  return text.substr(from, text.find_first_of("\r\n", from) - from);
}

Result<std::string> find_password(const Options& options) {
  if (!options.password_file.empty()) return read_password_file(options);
  if (const char* text = std::getenv("RSYNC_PASSWORD")) return std::string(text);
  auto typed = io::read_password("Password: ");
  return typed ? *typed : std::string();
}

Status send_early_input(const Options& options, Writer& out) {
  auto file = io::Dir::open_trusted_file(options.early_input, io::Dir::Use::kRead, 0600, options.insecure_links);
  struct stat st{};
  if (!file) return fail(Fault::kStartup, fmt::format("failed to open {}", options.early_input), file.error().sys);
  if (::fstat(file->fd(), &st) != 0)
    return fail(Fault::kStartup, fmt::format("failed to open {}", options.early_input), errno);
  if (st.st_size > static_cast<off_t>(proto::kMaxEarlyInput))
    return fail(Fault::kStartup, fmt::format("{} is > {} bytes.", options.early_input, proto::kMaxEarlyInput));
  if (st.st_size == 0) return {};
  std::string content(static_cast<size_t>(st.st_size), '\0');
  for (size_t have = 0; have < content.size();) {
    const ssize_t got = ::read(file->fd(), content.data() + have, content.size() - have);
    if (got <= 0) return fail(Fault::kStartup, fmt::format("Early EOF in {}", options.early_input));
    have += static_cast<size_t>(got);
  }
  TRY(out.text(proto::early_input_line(content.size())));
  return out.text(content);
}

Status log_in(const Options& options, const Journey& journey, const proto::Greeting& greeting, int version,
              const std::string& challenge, Writer& out) {
  std::string user = journey.far.has_user ? journey.far.user : variable("USER");
  if (user.empty() && !journey.far.has_user) user = variable("LOGNAME");
  if (user.empty()) user = "nobody";
  const auto method = proto::choose_auth(proto::our_auth_digests(), greeting.has_digests, greeting.digests, version);
  if (!method) return fail(Fault::kUnsupported, "Failed to negotiate a daemon auth checksum choice.");
  const std::string password = TRY(find_password(options));
  TRY(out.text(fmt::format("{} {}\n", user, proto::auth_response(*method, password, challenge))));
  return out.flush();
}

// Before version 30 each argument is a line.
Status write_line_args(const std::vector<std::string>& words, Writer& out) {
  for (const std::string& word : words) {
    TRY(out.text(word));
    TRY(out.u8('\n'));
  }
  return out.u8('\n');
}

}  // namespace

Result<std::string> connect_program(std::string_view pattern, std::string_view host) {
  if (!is_in(pattern, '%')) return std::string(pattern);
  bool safe = !host.empty() && !is_in("-+~%", host[0]);
  for (const char c : host)
    safe = safe && ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || is_digit(c) || is_in("._:-%+~", c));
  if (!safe) return fail(Fault::kSocket, "unsafe host characters for RSYNC_CONNECT_PROG");
  std::string command;
  for (size_t i = 0; i < pattern.size(); ++i) {
    const bool more = pattern[i] == '%' && i + 1 < pattern.size();
    if (more && pattern[i + 1] == '%') {
      command += '%';
      ++i;
    } else if (more && pattern[i + 1] == 'H') {
      command += fmt::format("'{}'", host);
      ++i;
    } else {
      command += pattern[i];
    }
  }
  return command;
}

Result<WebProxy> parse_web_proxy(std::string_view text) {
  WebProxy proxy;
  if (const size_t at = text.rfind('@'); at != text.npos) {
    const std::string_view login = text.substr(0, at);
    const size_t colon = login.find(':');
    if (colon == login.npos) return fail(Fault::kSocket, "invalid proxy specification: should be USER:PASS@HOST:PORT");
    proxy.has_login = true;
    proxy.user = login.substr(0, colon);
    proxy.password = login.substr(colon + 1);
    text.remove_prefix(at + 1);
  }
  const size_t colon = text.find(':');
  if (colon == text.npos) return fail(Fault::kSocket, "invalid proxy specification: should be HOST:PORT");
  proxy.host = text.substr(0, colon);
  proxy.port = text.substr(colon + 1);
  return proxy;
}

Result<std::string> proxy_request(const WebProxy& proxy, std::string_view host, int port) {
  for (const char c : host)
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f)
      return fail(Fault::kSocket, "invalid control character in proxy CONNECT host");
  std::string login;
  if (proxy.has_login) {
    const std::string text = proxy.user + ":" + proxy.password;
    if ((text.size() * 8 + 5) / 6 >= kProxyLineMax - 2)
      return fail(Fault::kSocket, "authentication information is too long");
    login = "\r\nProxy-Authorization: Basic " + proto::base64(as_bytes(text), true);
  }
  std::string request = fmt::format("CONNECT {}:{} HTTP/1.0{}\r\n\r\n", host, port, login);
  if (request.size() > kProxyLineMax) return fail(Fault::kSocket, "proxy CONNECT request too long");
  return request;
}

std::vector<std::string> daemon_paths(const std::vector<std::string>& paths, bool old_args) {
  std::vector<std::string> words;
  if (paths.empty()) return words;
  const std::string module = paths[0].substr(0, paths[0].find('/'));
  const std::string split = fmt::format(" {}/", module);
  for (const std::string& path : paths) {
    if (path == module) {
      words.push_back(module + "/");
      continue;
    }
    std::string word = path.starts_with('-') ? "./" : "";
    for (size_t i = 0; i < path.size(); ++i) {
      if (!old_args && std::string_view(path).substr(i).starts_with(split))
        word += "[ ]";
      else
        word += path[i];
    }
    words.push_back(std::move(word));
  }
  return words;
}

Result<io::Fd> connect_to_daemon(const Options& options, const Journey& journey, bool we_send, Reporter& reporter,
                                 io::Stop& stop) {
  const std::string& host = journey.far.host;
  const int port = journey.far.port > 0 ? journey.far.port : kDefaultPort;
  const std::vector<std::string>& sources = journey.sources;
  const std::string first = we_send ? journey.destination.value_or("") : sources.empty() ? std::string() : sources[0];
  if (first.starts_with('/'))
    return fail(Fault::kStartup, "ERROR: The remote path must start with a module name not a /");
  const std::string program = variable("RSYNC_CONNECT_PROG");
  reporter.debug_line_if(Debug::kConnect, 1,
                         fmt::format("{}opening tcp connection to {} port {}",
                                     program.empty() ? "" : "Using RSYNC_CONNECT_PROG instead of ", host, port));
  if (!program.empty()) {
    const std::string command = TRY(connect_program(program, host));
    reporter.debug_line_if(Debug::kCmd, 1, fmt::format("Running socket program: \"{}\"", command));
    return start_connect_program(command);
  }

  io::ConnectOptions wishes;
  wishes.family = options.address_family == 4   ? io::IpFamily::kIpv4
                  : options.address_family == 6 ? io::IpFamily::kIpv6
                                                : io::IpFamily::kAny;
  wishes.bind_address = options.address;
  wishes.timeout_s = options.contimeout_s;
  const Role role = we_send ? Role::kSender : Role::kReceiverStart;
  wishes.address_failed = [&](const Error& error) { reporter.error(role, error.text, error.sys); };
  std::string to_host = host;
  std::string to_port = std::to_string(port);
  std::string request;
  if (const std::string text = variable("RSYNC_PROXY"); !text.empty()) {
    const WebProxy proxy = TRY(parse_web_proxy(text));
    request = TRY(proxy_request(proxy, host, port));
    to_host = proxy.host;
    to_port = proxy.port;
    reporter.debug_line_if(Debug::kConnect, 1, fmt::format("connection via http proxy {} port {}", to_host, to_port));
  }
  auto fd = io::connect_to(to_host, to_port, wishes, stop);
  if (!fd) {
    Error error = fd.error();
    if (error.text.starts_with("getaddrinfo")) error.text = "rsync: " + error.text;
    if (error.fault == Fault::kConnectTimeout) error.sys = 0;
    return fail(std::move(error));
  }
  if (reporter.traces(Debug::kConnect, 2))
    if (const auto peer = io::peer_of(fd->get()))
      reporter.trace(Debug::kConnect, 2, "Connected to {} ({})", to_host, peer->address);
  io::apply_each_socket_option(fd->get(), options.sockopts,
                               [&](const Error& error) { reporter.error_line(error.text, false); });
  if (!request.empty()) TRY(pass_proxy(fd->get(), request, options, stop));
  return fd;
}

Result<DaemonTalk> talk_to_daemon(const Options& options, const Journey& journey, bool we_send, Connection& connection,
                                  Reporter& reporter) {
  Reader& in = connection.channel.in;
  Writer& out = connection.channel.out;
  const std::vector<std::string> paths = we_send ? std::vector{journey.destination.value_or("")} : journey.sources;
  if (paths.empty() || paths[0].starts_with('/'))
    return fail(Fault::kStartup, "ERROR: The remote path must start with a module name");
  const std::string module = paths[0].substr(0, paths[0].find('/'));

  DaemonTalk talk;
  const int own = std::min(options.protocol, proto::kNewestVersion);
  TRY(out.text(proto::greeting_line(own, 0, proto::our_auth_digests())));
  TRY(out.flush());
  const auto said = [&](Result<std::string> line, const char* instead) -> Result<std::string> {
    if (line || (line.error().fault != Fault::kStartup && line.error().fault != Fault::kStream)) return line;
    return fail(Fault::kStartup, instead);
  };
  const std::string first =
      TRY(said(proto::read_line(in, proto::kDaemonLineMax), "rsync: did not see server greeting"));
  const proto::Greeting greeting = TRY(proto::parse_greeting(first, proto::Reading::kClient));
  talk.version = proto::agree_version(own, 0, greeting);
  if (talk.version < proto::kOldestVersion)
    return fail(Fault::kProtocol, fmt::format("rsync: the daemon speaks protocol {} only", talk.version));
  if (!options.early_input.empty()) TRY(send_early_input(options, out));

  // What is asked depends on the version that the greeting has settled.
  Options asked = options;
  asked.protocol = talk.version;
  FarArguments args = TRY(far_arguments(asked, we_send));
  if (options.secluded_args) args.secluded.insert(args.secluded.begin(), "rsync");
  std::vector<std::string>& rest = options.secluded_args ? args.secluded : args.words;
  rest.emplace_back(".");
  for (std::string& word : daemon_paths(paths, options.old_args > 0)) rest.push_back(std::move(word));
  if (options.verbosity.shows(Debug::kCmd))
    reporter.debug_line_if(Debug::kCmd, 1, shown_command("sending daemon args:", args.words));

  TRY(out.text(module + "\n"));
  TRY(out.flush());
  for (;;) {
    std::string line = TRY(said(proto::read_line(in, proto::kDaemonLineMax), "rsync: didn't get server startup line"));
    const proto::Answer answer = proto::parse_answer(std::move(line));
    switch (answer.kind) {
      case proto::Answer::Kind::kExit: return talk;
      case proto::Answer::Kind::kError: return fail(Fault::kStartup, answer.line);
      case proto::Answer::Kind::kAuthRequired:
        TRY(log_in(options, journey, greeting, talk.version, answer.challenge, out));
        continue;
      case proto::Answer::Kind::kText:
        if (!options.no_motd) reporter.info_line(answer.line);
        continue;
      case proto::Answer::Kind::kOk: break;
    }
    break;
  }
  TRY(talk.version >= 30 ? proto::write_args(args.words, out) : write_line_args(args.words, out));
  if (options.secluded_args) TRY(proto::write_args(secluded_to_wire(options.iconv, false, args.secluded), out));
  TRY(out.flush());
  talk.goes_on = true;
  return talk;
}

}  // namespace ocsync::sync
