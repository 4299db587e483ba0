#include "libsync/restrict/run.h"

#include <sys/file.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>

#include <fmt/format.h>

#include "libio/os/identity.h"
#include "libio/os/sys.h"
#include "libsync/restrict/pins.h"
#include "libsync/session/command_line.h"

namespace ocsync::sync {
namespace {

// Where sshd starts us, the user's home; it must exist for a line to be appended.
constexpr const char* kLogName = "rrsync.log";

std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value ? value : "";
}

std::unexpected<Error> refuse(std::string text) { return fail(Fault::kUsage, std::move(text)); }

// Held as long as the process lives, and by what takes its place.
Status lock(int dir) {
  if (::flock(dir, LOCK_EX | LOCK_NB) == 0) return {};
  if (errno == EWOULDBLOCK || errno == EACCES)
    return refuse("Another instance of ocsync-restrict is already accessing this directory.");
  return {};  // no locks here; that was only a convenience
}

io::Fd open_log() {
  const auto seen = io::sys::stat_at(AT_FDCWD, kLogName, AT_SYMLINK_NOFOLLOW);
  if (!seen || !seen->is_regular()) return {};
  auto fd = io::sys::open_at(AT_FDCWD, kLogName, O_WRONLY | O_APPEND | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
  if (!fd) return {};
  const auto opened = io::sys::stat_fd(fd->get());
  if (!opened || !opened->is_regular() || opened->dev != seen->dev || opened->ino != seen->ino) return {};
  return *std::move(fd);
}

void log_command(const io::Fd& log, const std::vector<std::string>& words) {
  if (!log.valid()) return;
  std::string from = variable("SSH_CONNECTION");
  from.erase(std::min(from.find(' '), from.size()));
  if (from.empty()) from = "unknown";
  if (from.starts_with("::ffff:")) from.erase(0, 7);
  const std::time_t now = std::time(nullptr);
  std::tm local{};
  ::localtime_r(&now, &local);
  std::string command;
  for (const std::string& word : words) command += (command.empty() ? "" : ", ") + quoted_word(word);
  // What cannot be logged (a full disk) does not stop a transfer.
  (void)io::sys::write(log.get(), as_bytes(fmt::format("{:02}:{:02}:{:02} {:<16} ({})\n", local.tm_hour, local.tm_min,
                                                       local.tm_sec, from, command)));
}

// The server's words: the client's, then ours, which are the last and so the valid ones.
std::vector<std::string> server_words(const RestrictedRequest& request, const RestrictRules& rules,
                                      const std::string& path) {
  std::vector<std::string> words{rules.program.empty() ? "ocsync" : rules.program};
  words.insert(words.end(), request.options.begin(), request.options.end());
  if (path != "/") {
    // The client's own -D stays: it decides how lists are written. Only nothing of the kind is made.
    if (!request.sends) words.emplace_back("--drop-D");
    // Rules about names travel later, where nothing can check them but the server.
    words.push_back("--confine-root=" + path);
  }
  if (rules.munge) words.emplace_back("--munge-links");
  if (rules.no_overwrite) words.emplace_back("--ignore-existing");
  words.insert(words.end(), {"--", "."});
  words.insert(words.end(), request.arguments.begin(), request.arguments.end());
  return words;
}

std::vector<const char*> pointers(const std::vector<std::string>& words) {
  std::vector<const char*> all;
  for (const std::string& word : words) all.push_back(word.c_str());
  return all;
}

Result<int> run(const RestrictRules& rules) {
  char* real = ::realpath(rules.dir.c_str(), nullptr);
  const std::string path = real ? real : "";
  std::free(real);
  auto root = io::Dir::open_trusted(path.empty() ? rules.dir : path);
  if (path.empty() || !root) return refuse("Restricted directory does not exist!");
  // Not the descriptor that transfers use: this one is inherited by whatever takes our place.
  io::Fd locked;
  if (!rules.no_lock) {
    locked = TRY(io::sys::duplicate(root->fd()));
    TRY(lock(locked.get()));
    if (!rules.program.empty()) ::fcntl(locked.get(), F_SETFD, 0);
  }
  const std::string command = variable("SSH_ORIGINAL_COMMAND");
  if (command.empty()) return refuse("Not invoked via sshd");
  if (command == "true") return 0;  // "ssh HOST true" shows that the key works
  const io::Fd log = open_log();
  if (const Status there = io::change_directory(*root); !there)
    return refuse(fmt::format("unable to chdir to restricted dir: {}", std::strerror(there.error().sys)));

  Pins pins(*root, path, rules.absolute);
  const PathChecks checks{
      [&](const std::string& option, std::string value, bool sends, bool used) {
        return pins.value(option, std::move(value), sends, used);
      },
      [&](const RestrictedRequest& so_far, const std::string& word) { return pins.argument(so_far, word); }};
  const RestrictedRequest request = TRY(check_request(command, rules, path == "/", checks));
  const std::vector<std::string> words = server_words(request, rules, path);
  log_command(log, words);
  std::vector<const char*> argv = pointers(words);
  if (rules.program.empty()) return run_command_line(argv);
  TRY(pins.keep_open());
  argv.push_back(nullptr);
  ::execvp(argv[0], const_cast<char* const*>(argv.data()));
  return refuse(fmt::format("cannot run {}: {}", rules.program, std::strerror(errno)));
}

}  // namespace

int run_restricted(const std::vector<std::string>& argv) {
  const std::string program = argv.empty() ? "ocsync-restrict" : argv[0];
  const auto rules = parse_restrict_rules(std::span(argv).subspan(argv.empty() ? 0 : 1));
  if (rules && rules->help) {
    std::fputs(restrict_help_text(program).c_str(), stdout);
    return std::fflush(stdout) == 0 ? 0 : 1;
  }
  const auto code = rules ? run(*rules) : Result<int>(std::unexpected(rules.error()));
  if (code) return *code;
  const Error& error = code.error();
  fmt::print(stderr, "{} error: {}\n", program, error.text.empty() ? std::strerror(error.sys) : error.text);
  if (::isatty(0)) fmt::print(stderr, "{}", restrict_help_text(program));
  return 1;
}

}  // namespace ocsync::sync
