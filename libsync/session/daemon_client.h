// Calls a daemon: the connection, and the text conversation up to the arguments.
#pragma once

#include "libio/os/fd.h"
#include "libio/os/stop.h"
#include "libsync/options/operands.h"
#include "libsync/report/reporter.h"

namespace ocsync::sync {

class Connection;

// A connected socket: to the daemon, through a web proxy (RSYNC_PROXY), or to a program that stands for the daemon
// (RSYNC_CONNECT_PROG).
Result<io::Fd> connect_to_daemon(const Options& options, const Journey& journey, bool we_send, Reporter& reporter,
                                 io::Stop& stop);

struct DaemonTalk {
  bool goes_on = false;  // false: the daemon has said all it had to say (a list of modules)
  int version = 0;
};
// Greeting, early input, module, login, arguments. Failures are kStartup with the daemon's or rsync's words.
Result<DaemonTalk> talk_to_daemon(const Options& options, const Journey& journey, bool we_send, Connection& connection,
                                  Reporter& reporter);

// The pieces, for tests.

// What RSYNC_CONNECT_PROG says, with %H as the quoted host; kSocket if the host could mean something to a shell.
Result<std::string> connect_program(std::string_view pattern, std::string_view host);
struct WebProxy {
  std::string host, port, user, password;
  bool has_login = false;
};
Result<WebProxy> parse_web_proxy(std::string_view text);
// "CONNECT host:port HTTP/1.0 ..." with its empty line.
Result<std::string> proxy_request(const WebProxy& proxy, std::string_view host, int port);
// The words behind the options, as a daemon's client sends them: "MODULE" becomes "MODULE/", and no blank before the
// module's name may look like the start of another path.
std::vector<std::string> daemon_paths(const std::vector<std::string>& paths, bool old_args);

}  // namespace ocsync::sync
