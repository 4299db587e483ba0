#include "libsync/session/connect.h"

#include <fmt/format.h>
#include <poll.h>

#include <csignal>
#include <cstdlib>

#include "libio/base/clock.h"
#include "libsync/options/far_args.h"

namespace ocsync::sync {

Result<FarProgram> start_far_side(const Options& options, const Operand& far, bool we_send, const std::vector<std::string>& paths,
                                  Reporter& reporter) {
  const char* variable = std::getenv("RSYNC_RSH");
  std::vector<std::string> words = TRY(shell_words(options, variable && *variable ? variable : "ssh", far, false));
  const FarArguments far_words = TRY(far_command(options, we_send, paths));
  words.push_back(options.rsync_path);
  words.insert(words.end(), far_words.words.begin(), far_words.words.end());
  if (options.verbosity.shows(Debug::kCmd)) {
    std::string line = "opening connection using:";
    for (const std::string& word : words) (line += ' ') += word;
    reporter.debug_line_if(Debug::kCmd, 1, fmt::format("{}  ({} args)", line, words.size()));
  }
  auto child = io::Child::start(words);
  if (!child) {
    Error error = child.error();
    error.text = fmt::format("Failed to exec {}", words[0]);
    return fail(std::move(error));
  }
  return FarProgram{std::move(*child), far_words.secluded};
}

int finish_far_side(FarProgram& program, Connection& connection) {
  program.child.close_in();
  // A program that does not end by itself is not waited for for ever.
  const Deadline deadline = Deadline::in_ms(60000);
  std::byte scrap[4096];
  bool open = true;
  while (open && !deadline.passed()) {
    pollfd ready{program.child.out(), POLLIN, 0};
    if (::poll(&ready, 1, deadline.left_ms()) <= 0) break;
    // Messages that come behind the last data are still shown.
    const auto got = connection.channel.demux.read_some(scrap);
    if (!got || *got == 0) open = false;
  }
  program.child.close_out();
  const auto status = program.child.wait();
  return status ? *status : 21;
}

int abandon_far_side(FarProgram& program, Connection& connection, const Error& error, const Options& options,
                     const Operand& far, Reporter& reporter) {
  const bool stream_broke = error.fault == Fault::kStream || error.fault == Fault::kSocket || error.fault == Fault::kFarExit;
  std::optional<int> status = program.child.poll_exit();
  if (stream_broke && !status) {
    // It is about to end: its code tells more than the broken stream does.
    program.child.close_in();
    for (int i = 0; i < 300 && !status; ++i) {
      ::poll(nullptr, 0, 10);
      status = program.child.poll_exit();
    }
  }
  const std::string host = far.host.empty() ? "?" : far.host;
  const bool nothing_said = connection.activity.bytes_in < 5;
  if (status && *status != 0 && nothing_said && stream_broke) {
    if (*status == 127)
      reporter.error_line(fmt::format("ocsync: host \"{}\", starting the far side: no program \"{}\" there (--rsync-path says where it is)", host, options.rsync_path), false);
    else
      reporter.error_line(fmt::format("ocsync: host \"{}\", connecting: the remote shell ended with code {} before the far side answered", host, *status), false);
  } else if (error.fault == Fault::kProtocol && error.text.starts_with("protocol version mismatch")) {
    reporter.error_line(fmt::format("ocsync: host \"{}\", first contact: something there prints before the far side speaks (a login script?)", host), false);
  }
  if (!status) {
    ::kill(program.child.pid(), SIGTERM);
    program.child.close_in();
    program.child.close_out();
    (void)program.child.wait();
    return 0;
  }
  return *status >= 128 && *status < 255 ? 0 : *status;
}

}  // namespace ocsync::sync
