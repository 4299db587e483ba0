// The command line, the environment and popt aliases become Options, or an answer that ends the program early.
//
// Pure but for ~/.popt and /etc/popt (which popt reads for a client) and what ParseEnvironment carries. An Error's text
// is one or more whole lines as rsync words them ("rsync: --foo: unknown option"), without the final newline; the
// caller prints them on standard error and adds "rsync error: ... (code N)". kUsage ends with 1, kUnsupported with 4.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "libio/base/result.h"
#include "libsync/options/options.h"

namespace ocsync::sync {

class Refusals;
struct Draft;

// What parsing takes from outside the command line.
struct ParseEnvironment {
  std::function<std::optional<std::string>(const char* name)> variable;  // RSYNC_*; empty function: no variables
  bool use_aliases = true;             // a client reads popt's alias files; servers never do
  bool munge_dir_exists = false;       // a directory /rsyncd-munged is here
  int64_t now_wall_s = 0;              // for --stop-after and --stop-at
  const Refusals* refusals = nullptr;  // a daemon's child: what the module refuses
  bool daemon_child = false;           // the arguments came from a daemon's client
  // Are the filter rules in order, as far as they were read when reading ended early? rsync looks at each where it
  // stands, so one that is not goes before whatever was wrong later. Empty: nobody asks.
  std::function<Status(const Options& so_far)> check_rules;

  static ParseEnvironment of_process();
};

// The command line of a daemon ("--daemon ..."), which has a grammar of its own.
struct DaemonCommand {
  bool server = false;  // started by a remote shell or a super-server: talks on standard input and output
  bool detach = true;
  bool check_config = false;  // read the configuration, say what is wrong with it, and end
  std::string config, address, log_file, log_file_format, sockopts, temp_dir;
  bool log_file_format_given = false;
  int port = 0;
  int bwlimit_kib = 0;
  int address_family = 0;  // 0, 4 or 6
  int protocol = 32;
  int verbose = 0;
  std::vector<std::string> parameters;  // --dparam, each NAME=VALUE
  std::vector<std::string> operands;
};

struct ParsedCommand {
  enum class What : uint8_t {
    kRun,       // options and options.operands are complete
    kPrint,     // write `text` to standard output and exit with 0 (help, version, --info=help)
    kDaemon,    // `daemon` is set
    kSecluded,  // a server whose arguments follow on standard input: read them, then call parse_secluded
  };
  What what = What::kRun;
  Options options;
  std::string text;
  DaemonCommand daemon;
  std::shared_ptr<Draft> draft;  // kSecluded: the settings so far
};

// argv[0] is the program's name.
Result<ParsedCommand> parse_command_line(int argc, const char* const* argv, const ParseEnvironment& environment);
Result<ParsedCommand> parse_command_line(std::span<const std::string> args, const ParseEnvironment& environment);

// The second vector of a server with secluded arguments (args[0] is "rsync", then options, ".", paths), parsed on top
// of the first. Wildcards after "." are the caller's to expand: they are in options.operands as they came.
Result<ParsedCommand> parse_secluded(const ParsedCommand& first, std::span<const std::string> args,
                                     const ParseEnvironment& environment);

}  // namespace ocsync::sync
