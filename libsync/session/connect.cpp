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

int finish_far_side(FarProgram& program, Connection& connection, bool failed) {
  program.child.close_in();
  // A program that does not end by itself is not waited for for ever.
  const Deadline deadline = Deadline::in_ms(failed ? 2000 : 60000);
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
  if (failed && !program.child.poll_exit()) {
    for (int i = 0; i < 40 && !program.child.poll_exit(); ++i) ::poll(nullptr, 0, 10);
    if (!program.child.poll_exit()) ::kill(program.child.pid(), SIGTERM);
  }
  const auto status = program.child.wait();
  if (!status) return 21;
  // A program that we or the system ended tells nothing about the run.
  if (*status >= 128 && failed) return 0;
  return *status;
}

}  // namespace ocsync::sync
