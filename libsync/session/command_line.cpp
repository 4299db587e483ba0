#include "libsync/session/command_line.h"

#include <cstdio>
#include <string_view>
#include <system_error>

#include <fmt/format.h>

#include "libio/os/signals.h"
#include "libio/os/stop.h"
#include "libsync/daemon/listen.h"
#include "libsync/filter/rules.h"
#include "libsync/options/parse.h"
#include "libsync/report/exit_code.h"
#include "libsync/session/run.h"

namespace ocsync::sync {

int run_command_line(std::span<const char* const> argv) {
  io::Stop stop;
  ParseEnvironment environment = ParseEnvironment::of_process();
  environment.check_rules = [](const Options& so_far) -> Status {
    RuleWorld world = RuleWorld::of_process(so_far);
    world.complain = [](std::string_view line) { fmt::print(stderr, "{}\n", line); };
    TRY(FilterRules::from_options(so_far, std::move(world)));
    return {};
  };
  const auto command = parse_command_line(static_cast<int>(argv.size()), argv.data(), environment);
  if (!command) {
    const int code = exit_code_of(command.error());
    const bool far_side = argv.size() > 1 && std::string_view(argv[1]) == "--server";
    const Error& error = command.error();
    const std::string text = error.sys == 0 ? error.text
                                            : fmt::format("rsync: [client] {}: {} ({})", error.text,
                                                          std::generic_category().message(error.sys), error.sys);
    fmt::print(stderr, "{}\nrsync error: {} (code {}) at options.cpp(1) [{}=3.5.0]\n", text, exit_text(code), code,
               far_side ? "server" : "client");
    return code;
  }
  const io::SignalWatch signals(stop);
  switch (command->what) {
    case ParsedCommand::What::kPrint:
      std::fputs(command->text.c_str(), stdout);
      return std::fflush(stdout) == 0 ? 0 : kExitDiagnostics;
    case ParsedCommand::What::kSecluded: return run_secluded_server(*command, environment, stop);
    case ParsedCommand::What::kDaemon: return run_daemon(command->daemon, stop);
    case ParsedCommand::What::kRun: break;
  }
  return command->options.server ? run_server(command->options, stop) : run_client(command->options, stop);
}

}  // namespace ocsync::sync
