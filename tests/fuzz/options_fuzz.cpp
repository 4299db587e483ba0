// Hostile argument vectors: a daemon's client may send anything; what a client accepts, its own far side accepts, too.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <vector>

#include "libsync/options/far_args.h"
#include "libsync/options/operands.h"
#include "libsync/options/parse.h"
#include "libsync/options/refuse.h"

using namespace ocsync;
using namespace ocsync::sync;

namespace {

ParseEnvironment quiet_environment() {
  ParseEnvironment environment;
  environment.use_aliases = false;
  environment.now_wall_s = 1'700'000'000;
  return environment;
}

void as_daemon_client(const std::vector<std::string>& args) {
  static const Refusals refusals = Refusals::for_daemon("delete-* !delete-after compress", false);
  ParseEnvironment environment = quiet_environment();
  environment.daemon_child = true;
  environment.refusals = &refusals;
  const auto command = parse_command_line(args, environment);
  if (!command) return;
  if (command->what == ParsedCommand::What::kSecluded) (void)parse_secluded(*command, args, environment);
}

void as_client(const std::vector<std::string>& args) {
  const ParseEnvironment environment = quiet_environment();
  const auto command = parse_command_line(args, environment);
  if (!command || command->what != ParsedCommand::What::kRun || command->options.server) return;
  // Remote options are somebody else's words.
  if (!command->options.remote_options.empty()) return;
  // A list there whose own name looks like a host is sent as it is, as rsync does; the far side refuses it.
  if (command->options.files_from_far && parse_operand(command->options.files_from).where != Operand::Where::kLocal)
    return;
  for (const bool push : {false, true}) {
    const auto far = far_command(command->options, push, {"path"});
    if (!far) abort();
    const bool quoted = command->options.old_args < 2;
    std::vector<std::string> words{"rsync"};
    for (const std::string& word : far->words) words.push_back(quoted ? unquote_argument(word) : word);
    auto there = parse_command_line(words, environment);
    if (there && there->what == ParsedCommand::What::kSecluded)
      there = parse_secluded(*there, far->secluded, environment);
    if (!there && there.error().fault == Fault::kUnsupported) continue;
    if (!there || !there->options.server || there->options.operands.back() != "path") abort();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::vector<std::string> args{"rsync"};
  std::string word;
  for (size_t i = 0; i < size; ++i) {
    if (data[i] == 0 || data[i] == '\n') {
      args.push_back(std::move(word));
      word.clear();
    } else {
      word += static_cast<char>(data[i]);
    }
  }
  args.push_back(word);
  for (const std::string& arg : args) {
    (void)parse_operand(arg);
    (void)split_shell_command(arg);
    if (unquote_argument(quote_option_value(Options(), arg)) != arg) abort();
  }
  as_daemon_client(args);
  as_client(args);
  return 0;
}
