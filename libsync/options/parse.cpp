// popt over the rows: words to effects on a Draft, in the order of the command line; then resolve().
#include "libsync/options/parse.h"

#include <sys/stat.h>

#include <cstdlib>
#include <cstring>
#include <ctime>
#include <utility>

#include <fmt/format.h>
#include <popt.h>

#include "libsync/options/refuse.h"
#include "libsync/options/resolve.h"
#include "libsync/options/show.h"
#include "libsync/options/table.h"

namespace ocsync::sync {
namespace {

using What = ParsedCommand::What;

// A popt context and what it points to. The alias files that popt reads for the name "rsync" are those users have.
class Popt {
 public:
  Popt(std::vector<poptOption> options, const std::vector<const char*>& args)
      : options_(std::move(options)), args_(args) {
    options_.push_back(POPT_TABLEEND);
    context_ = poptGetContext("rsync", static_cast<int>(args_.size()), args_.data(), options_.data(), 0);
  }
  Popt(const Popt&) = delete;
  Popt& operator=(const Popt&) = delete;
  ~Popt() { poptFreeContext(context_); }

  void read_aliases() {
    poptReadDefaultConfig(context_, 0);
    // These two switch aliases off, so that no alias may take them away.
    keep_unaliased("daemon");
    keep_unaliased("server");
  }

  int next() { return poptGetNextOpt(context_); }

  std::string argument() {
    char* text = poptGetOptArg(context_);
    std::string copy = text ? text : "";
    std::free(text);
    return copy;
  }

  std::string complaint(int code) const {
    return fmt::format("{}: {}", poptBadOption(context_, POPT_BADOPTION_NOALIAS), poptStrerror(code));
  }

  std::vector<std::string> operands() const {
    std::vector<std::string> words;
    const char** rest = poptGetArgs(context_);
    for (; rest && *rest; ++rest) words.emplace_back(*rest);
    return words;
  }

 private:
  void keep_unaliased(const char* name) {
    // popt frees the vector of an alias, so the word stands behind it in the same piece of memory.
    const std::string word = fmt::format("--{}", name);
    void* memory = std::calloc(1, 2 * sizeof(char*) + word.size() + 1);
    if (memory == nullptr) throw std::bad_alloc();
    const char** replacement = static_cast<const char**>(memory);
    char* text = static_cast<char*>(memory) + 2 * sizeof(char*);
    std::memcpy(text, word.c_str(), word.size() + 1);
    replacement[0] = text;
    poptAlias alias{};
    alias.longName = name;
    alias.argc = 1;
    alias.argv = replacement;
    poptAddAlias(context_, alias, 0);
  }

  std::vector<poptOption> options_;
  std::vector<const char*> args_;
  poptContext context_;
};

unsigned popt_kind(Takes takes) {
  return takes == Takes::kText ? POPT_ARG_STRING : takes == Takes::kNumber ? POPT_ARG_INT : POPT_ARG_NONE;
}

std::vector<poptOption> popt_table(int* number) {
  std::vector<poptOption> table;
  const auto& all = spellings();
  table.reserve(all.size() + 1);
  for (size_t i = 0; i < all.size(); ++i) {
    const Takes takes = all[i].negative ? Takes::kNothing : all[i].row->takes;
    poptOption option{};
    option.longName = all[i].name;
    option.shortName = all[i].letter;
    option.argInfo = popt_kind(takes);
    option.arg = takes == Takes::kNumber ? number : nullptr;
    option.val = static_cast<int>(i) + 1;
    table.push_back(option);
  }
  return table;
}

ParsedCommand printing(std::string text) {
  ParsedCommand command;
  command.what = What::kPrint;
  command.text = std::move(text);
  return command;
}

std::unexpected<Error> usage() {
  std::string text = help_text();
  if (text.ends_with('\n')) text.pop_back();
  return fail(Fault::kUsage, std::move(text));
}

// -a and -P stand for other options; what a module refuses of those, it refuses of these.
Status check_refusals(size_t index, const Draft& draft, const Refusals& refusals) {
  const auto refuse = [&](const Spelling& which) -> Status {
    return fail(Fault::kUnsupported, "rsync: " + refusal_text(which.name, which.letter, draft));
  };
  const Spelling& spelling = spellings()[index];
  if (refusals.refuses(index)) return refuse(spelling);
  const char* parts = spelling.letter == 'a' ? "rdlptgoD" : "";
  for (size_t i = 0; i < spellings().size(); ++i) {
    const Spelling& part = spellings()[i];
    if (part.letter && std::strchr(parts, part.letter) && refusals.refuses(i)) return refuse(part);
  }
  if (spelling.letter == 'P') {
    for (const char* name : {"partial", "progress"})
      if (refusals.refuses_long(name)) return fail(Fault::kUnsupported, "rsync: " + refusal_text(name, 0, draft));
  }
  return {};
}

Status check_support(const Spelling& spelling, const Draft& draft) {
  if (spelling.negative || spelling.row->support == Support::kYes) return {};
  return fail(Fault::kUsage, "rsync: " + refusal_text(spelling.name, spelling.letter, draft));
}

// Rows of a daemon's command line. The letter of an option means another thing here than on a client's.
enum DaemonOption {
  kAddress = 1,
  kBwlimit,
  kConfig,
  kDaemon,
  kDparam,
  kIpv4,
  kIpv6,
  kDetach,
  kNoDetach,
  kLogFile,
  kLogFileFormat,
  kPort,
  kSockopts,
  kProtocol,
  kServer,
  kTempDir,
  kVerbose,
  kNoVerbose,
  kCheckConfig,
  kDaemonHelp
};

std::vector<poptOption> daemon_table(int* number) {
  const unsigned none = POPT_ARG_NONE, text = POPT_ARG_STRING, whole = POPT_ARG_INT;
  return {
      {"address", 0, text, nullptr, kAddress, nullptr, nullptr},
      {"bwlimit", 0, whole, number, kBwlimit, nullptr, nullptr},
      {"config", 0, text, nullptr, kConfig, nullptr, nullptr},
      {"daemon", 0, none, nullptr, kDaemon, nullptr, nullptr},
      {"dparam", 'M', text, nullptr, kDparam, nullptr, nullptr},
      {"ipv4", '4', none, nullptr, kIpv4, nullptr, nullptr},
      {"ipv6", '6', none, nullptr, kIpv6, nullptr, nullptr},
      {"detach", 0, none, nullptr, kDetach, nullptr, nullptr},
      {"no-detach", 0, none, nullptr, kNoDetach, nullptr, nullptr},
      {"log-file", 0, text, nullptr, kLogFile, nullptr, nullptr},
      {"log-file-format", 0, text, nullptr, kLogFileFormat, nullptr, nullptr},
      {"port", 0, whole, number, kPort, nullptr, nullptr},
      {"sockopts", 0, text, nullptr, kSockopts, nullptr, nullptr},
      {"protocol", 0, whole, number, kProtocol, nullptr, nullptr},
      {"server", 0, none, nullptr, kServer, nullptr, nullptr},
      {"temp-dir", 'T', text, nullptr, kTempDir, nullptr, nullptr},
      {"verbose", 'v', none, nullptr, kVerbose, nullptr, nullptr},
      {"no-verbose", 0, none, nullptr, kNoVerbose, nullptr, nullptr},
      {"no-v", 0, none, nullptr, kNoVerbose, nullptr, nullptr},
      {"check-config", 0, none, nullptr, kCheckConfig, nullptr, nullptr},
      {"help", 'h', none, nullptr, kDaemonHelp, nullptr, nullptr},
  };
}

Result<ParsedCommand> parse_daemon(const std::vector<const char*>& args) {
  const auto refuse = [](const std::string& text) {
    return fail(Fault::kUsage,
                fmt::format("{}\n(Type \"rsync --daemon --help\" for assistance with daemon mode.)", text));
  };
  int number = 0;
  Popt popt(daemon_table(&number), args);
  ParsedCommand command;
  command.what = What::kDaemon;
  DaemonCommand& daemon = command.daemon;
  bool saw_daemon = false;
  for (int code; (code = popt.next()) != -1;) {
    if (code < -1) return refuse(fmt::format("rsync: {} (in daemon mode)", popt.complaint(code)));
    const std::string text = popt.argument();
    switch (code) {
      case kAddress: daemon.address = text; break;
      case kBwlimit: daemon.bwlimit_kib = number; break;
      case kConfig: daemon.config = text; break;
      case kDaemon: saw_daemon = true; break;
      case kDparam:
        if (text.find('=') == std::string::npos) return refuse("--dparam value is missing an '=': " + text);
        daemon.parameters.push_back(text);
        break;
      case kIpv4: daemon.address_family = 4; break;
      case kIpv6: daemon.address_family = 6; break;
      case kDetach: daemon.detach = true; break;
      case kNoDetach: daemon.detach = false; break;
      case kLogFile: daemon.log_file = text; break;
      case kLogFileFormat:
        daemon.log_file_format = text;
        daemon.log_file_format_given = true;
        break;
      case kPort: daemon.port = number; break;
      case kSockopts: daemon.sockopts = text; break;
      case kProtocol: daemon.protocol = number; break;
      case kServer: daemon.server = true; break;
      case kTempDir: daemon.temp_dir = text; break;
      case kVerbose: ++daemon.verbose; break;
      case kNoVerbose: daemon.verbose = 0; break;
      case kCheckConfig: daemon.check_config = true; break;
      case kDaemonHelp: return printing(daemon_help_text());
      default: break;
    }
  }
  if (!saw_daemon) return refuse("Daemon option(s) used without --daemon.");
  daemon.operands = popt.operands();
  return command;
}

// One pass over the words with everything that may end it early.
Result<ParsedCommand> read_words(const std::vector<const char*>& args, Draft& draft,
                                 const ParseEnvironment& environment) {
  if (args.size() < 2 && !draft.daemon_child && draft.secluded_level != 2) return usage();
  const bool second_vector = draft.secluded_level == 2;
  const Draft start = draft;
  int number = 0;
  auto popt = std::make_unique<Popt>(popt_table(&number), args);
  if (!draft.server && environment.use_aliases) popt->read_aliases();

  for (int code; (code = popt->next()) != -1;) {
    if (code < -1)
      return fail(Fault::kUsage,
                  fmt::format("rsync: {}{}", draft.server ? "on remote machine: " : "", popt->complaint(code)));
    const size_t index = static_cast<size_t>(code) - 1;
    const Spelling& spelling = spellings()[index];
    const std::string text = popt->argument();
    if (environment.refusals) TRY(check_refusals(index, draft, *environment.refusals));
    TRY(check_support(spelling, draft));
    switch (spelling.row->set.kind) {
      case Effect::Kind::kHelp: return printing(help_text());
      case Effect::Kind::kServer:
        if (!draft.server) {
          // From the start again, without aliases: a far side does what it is told, nothing else.
          draft = start;
          draft.server = true;
          draft.iconv.clear();
          popt = std::make_unique<Popt>(popt_table(&number), args);
        }
        break;
      case Effect::Kind::kSender:
        if (!draft.server) return usage();
        draft.sender = true;
        break;
      case Effect::Kind::kDaemon:
        if (draft.daemon_child) return fail(Fault::kUsage, "rsync: Attempt to hack rsync thwarted!");
        return parse_daemon(args);
      default: TRY(apply(spelling, draft, text, number));
    }
    if (!draft.print_text.empty()) return printing(draft.print_text);
  }
  if (draft.version_count > 0)
    return printing(draft.version_count > 1 && !draft.server ? version_json() : version_text());
  // -h alone has meant --help since before it meant human-readable.
  if (draft.human > 1 && args.size() == 2 && !draft.server) return printing(help_text());

  ParsedCommand command;
  if (second_vector) draft.secluded_level = 2;
  if (draft.server && draft.secluded_level == 1) {
    command.what = What::kSecluded;
    command.draft = std::make_shared<Draft>(std::move(draft));
    return command;
  }
  command.options = TRY(resolve(draft, popt->operands(), environment));
  if (!command.options.write_batch.empty()) command.options.command_line.assign(args.begin(), args.end());
  return command;
}

Result<ParsedCommand> parse_words(const std::vector<const char*>& args, Draft draft,
                                  const ParseEnvironment& environment) {
  Result<ParsedCommand> command = read_words(args, draft, environment);
  const bool ended_early = !command || command->what == What::kPrint;
  if (ended_early && environment.check_rules && !draft.server && !draft.filters.empty())
    TRY(environment.check_rules(draft));
  return command;
}

Draft fresh_draft(const ParseEnvironment& environment) {
  Draft draft;
  draft.now_wall_s = environment.now_wall_s;
  draft.daemon_child = environment.daemon_child;
  draft.server = environment.daemon_child;
  if (!environment.daemon_child && environment.variable) draft.iconv = environment.variable("RSYNC_ICONV").value_or("");
  return draft;
}

std::vector<const char*> pointers(std::span<const std::string> args) {
  std::vector<const char*> words;
  for (const std::string& arg : args) words.push_back(arg.c_str());
  return words;
}

}  // namespace

ParseEnvironment ParseEnvironment::of_process() {
  ParseEnvironment environment;
  environment.variable = [](const char* name) -> std::optional<std::string> {
    const char* value = std::getenv(name);
    return value ? std::optional<std::string>(value) : std::nullopt;
  };
  struct stat info;
  environment.munge_dir_exists = ::stat("/rsyncd-munged", &info) == 0 && S_ISDIR(info.st_mode);
  environment.now_wall_s = std::time(nullptr);
  return environment;
}

Result<ParsedCommand> parse_command_line(int argc, const char* const* argv, const ParseEnvironment& environment) {
  return parse_words(std::vector<const char*>(argv, argv + argc), fresh_draft(environment), environment);
}

Result<ParsedCommand> parse_command_line(std::span<const std::string> args, const ParseEnvironment& environment) {
  return parse_words(pointers(args), fresh_draft(environment), environment);
}

Result<ParsedCommand> parse_secluded(const ParsedCommand& first, std::span<const std::string> args,
                                     const ParseEnvironment& environment) {
  if (!first.draft) return fail(Fault::kUsage, "rsync: no arguments came before the secluded ones");
  Draft draft = *first.draft;
  draft.secluded_level = 2;
  return parse_words(pointers(args), std::move(draft), environment);
}

}  // namespace ocsync::sync
