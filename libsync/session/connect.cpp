#include "libsync/session/connect.h"

#include <fmt/format.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <cstring>

#include "libio/base/clock.h"
#include "libproto/args.h"
#include "libsync/list/name_charset.h"
#include "libsync/options/far_args.h"
#include "libsync/report/exit_code.h"
#include "libsync/session/daemon_client.h"

namespace ocsync::sync {

std::string shown_command(std::string_view what, const std::vector<std::string>& words) {
  std::string line(what);
  for (const std::string& word : words) {
    const bool plain = std::all_of(word.begin(), word.end(), [](char c) {
      return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
             std::strchr(",.-_=+@/", c) != nullptr;
    });
    line += plain ? fmt::format(" {}", word) : fmt::format(" \"{}\"", word);
  }
  return fmt::format("{}  ({} args)", line, words.size());
}

Result<FarProgram> start_far_program(const Options& options, const Operand& far, bool daemon,
                                     std::vector<std::string> far_words, Reporter& reporter) {
  const char* variable = std::getenv("RSYNC_RSH");
  std::vector<std::string> words = TRY(shell_words(options, variable && *variable ? variable : "ssh", far, daemon));
  words.push_back(options.rsync_path);
  words.insert(words.end(), far_words.begin(), far_words.end());
  reporter.trace(Debug::kCmd, 2, "cmd={} machine={} user={} path={}", options.shell.empty() ? "<NULL>" : options.shell,
                 far.host.empty() ? "<NULL>" : far.host, far.user.empty() ? "<NULL>" : far.user,
                 far.path.empty() ? "<NULL>" : far.path);
  if (reporter.traces(Debug::kCmd, 2)) {
    std::string each;
    for (size_t i = 0; i < words.size(); ++i) each += fmt::format("cmd[{}]={} ", i, words[i]);
    reporter.client_text(each + "\n");
  }
  if (options.verbosity.shows(Debug::kCmd))
    reporter.debug_line_if(Debug::kCmd, 1, shown_command("opening connection using:", words));
  std::vector<std::string> environment;
  if (daemon) environment.push_back(fmt::format("RSYNC_PORT={}", far.port));
  auto child = io::Child::start(words, environment);
  if (!child) {
    Error error = child.error();
    error.text = fmt::format("Failed to exec {}", words[0]);
    return fail(std::move(error));
  }
  return FarProgram{std::move(*child), {}};
}

Result<FarProgram> start_far_side(const Options& options, const Operand& far, bool we_send,
                                  const std::vector<std::string>& paths, Reporter& reporter) {
  const FarArguments far_words = TRY(far_command(options, we_send, paths));
  FarProgram program = TRY(start_far_program(options, far, false, far_words.words, reporter));
  program.secluded = far_words.secluded;
  return program;
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

// The far side's own words name no host, and may have scrolled away.
void tell_how_it_ended(std::string_view host, int code, Reporter& reporter) {
  if (code > 0)
    reporter.error_line(fmt::format("ocsync: host \"{}\", during the transfer: the far side ended with code {} ({})",
                                    host, code, exit_text(code)),
                        false);
}

int abandon_far_side(FarProgram& program, Connection& connection, const Error& error, const Options& options,
                     const Operand& far, Reporter& reporter) {
  const bool stream_broke =
      error.fault == Fault::kStream || error.fault == Fault::kSocket || error.fault == Fault::kFarExit;
  std::optional<int> status = program.child.poll_exit();
  const auto wait_a_moment = [&](int ms) {
    const Deadline deadline = Deadline::in_ms(ms);
    std::byte scrap[4096];
    bool open = program.child.out() >= 0;
    std::optional<int> ended;
    while (!(ended = program.child.poll_exit()) && !deadline.passed()) {
      // What it still sends must not keep it from ending.
      pollfd ready{program.child.out(), POLLIN, 0};
      if (::poll(open ? &ready : nullptr, open ? 1 : 0, 10) > 0)
        open = ::read(program.child.out(), scrap, sizeof scrap) > 0;
    }
    return ended;
  };
  bool gone = false;
  if (!status) {
    connection.farewell(error);
    program.child.close_in();
    // If the stream broke, it is about to end, and its code tells more than that. If not, it has just been told to end,
    // its code is ours, and it gets a moment to tidy up.
    if (stream_broke)
      status = wait_a_moment(3000);
    else
      gone = wait_a_moment(300).has_value();
  }
  const std::string host = far.host.empty() ? "?" : far.host;
  const bool nothing_said = connection.activity.bytes_in < 5;
  if (status && *status != 0 && nothing_said && stream_broke) {
    if (*status == 127)
      reporter.error_line(
          fmt::format(
              "ocsync: host \"{}\", starting the far side: no program \"{}\" there (--rsync-path says where it is)",
              host, options.rsync_path),
          false);
    else
      reporter.error_line(
          fmt::format(
              "ocsync: host \"{}\", connecting: the remote shell ended with code {} before the far side answered", host,
              *status),
          false);
  } else if (error.fault == Fault::kFarExit && !nothing_said) {
    tell_how_it_ended(host, error.code, reporter);
  } else if (error.fault == Fault::kProtocol && error.text.starts_with("protocol version mismatch")) {
    reporter.error_line(
        fmt::format(
            "ocsync: host \"{}\", first contact: something there prints before the far side speaks (a login script?)",
            host),
        false);
  }
  if (gone) return 0;
  if (!status) {
    ::kill(program.child.pid(), SIGUSR1);
    program.child.close_out();
    (void)wait_a_moment(200);
    return 0;
  }
  return *status >= 128 && *status < 255 ? 0 : *status;
}

Result<FarSide> FarSide::reach(const Options& options, const Journey& journey, bool we_send, Reporter& reporter,
                               io::Stop& stop) {
  FarSide side(options, journey, we_send, reporter);
  if (!journey.daemon) {
    const std::vector<std::string> paths = we_send ? std::vector{journey.destination.value_or(".")} : journey.sources;
    side.program_.emplace(TRY(start_far_side(options, journey.far, we_send, paths, reporter)));
  } else if (journey.daemon_by_shell) {
    side.program_.emplace(TRY(start_far_program(options, journey.far, true, {"--server", "--daemon", "."}, reporter)));
  } else {
    side.socket_ = TRY(connect_to_daemon(options, journey, we_send, reporter, stop));
  }
  return side;
}

Result<bool> FarSide::introduce(Connection& connection) {
  if (journey_->daemon) {
    const DaemonTalk talk = TRY(talk_to_daemon(*options_, *journey_, we_send_, connection, *reporter_));
    version_ = talk.version;
    only_listed_ = !talk.goes_on;
    return talk.goes_on;
  }
  if (!program_->secluded.empty())
    TRY(proto::write_args(secluded_to_wire(options_->iconv, false, program_->secluded), connection.channel.out));
  return true;
}

void FarSide::bring_down(Connection& connection) { connection.activity.give_up(); }

int FarSide::finish(Connection& connection) {
  if (program_) {
    const int code = finish_far_side(*program_, connection);
    return only_listed_ ? 0 : code;  // a daemon that has listed its modules counts that as a failure
  }
  ::shutdown(socket_.get(), SHUT_WR);
  // What a daemon says behind the last data is still shown.
  const Deadline deadline = Deadline::in_ms(10000);
  std::byte scrap[4096];
  while (!deadline.passed()) {
    pollfd ready{socket_.get(), POLLIN, 0};
    if (::poll(&ready, 1, deadline.left_ms()) <= 0) break;
    const auto got = connection.channel.demux.read_some(scrap);
    if (!got || *got == 0) break;
  }
  socket_.close();
  return 0;
}

int FarSide::abandon(Connection& connection, const Error& error) {
  if (program_) return abandon_far_side(*program_, connection, error, *options_, journey_->far, *reporter_);
  if (error.fault == Fault::kFarExit) tell_how_it_ended(journey_->far.host, error.code, *reporter_);
  connection.farewell(error);
  socket_.close();
  return 0;
}

}  // namespace ocsync::sync
