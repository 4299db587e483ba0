#include "libsync/daemon/connection.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <ctime>

#include "libio/base/clock.h"
#include "libio/os/identity.h"
#include "libio/os/socket.h"
#include "libproto/args.h"
#include "libproto/auth.h"
#include "libproto/daemon_lines.h"
#include "libsync/daemon/access.h"
#include "libsync/daemon/confine.h"
#include "libsync/daemon/hooks.h"
#include "libsync/daemon/log.h"
#include "libsync/daemon/proxy_header.h"
#include "libsync/list/paths.h"
#include "libsync/meta/modes.h"
#include "libsync/options/far_args.h"
#include "libsync/options/refuse.h"
#include "libsync/report/exit_code.h"
#include "libsync/session/serve.h"

namespace ocsync::sync {
namespace {

constexpr int kPatienceSeconds = 60;   // for everything a client says before its transfer
constexpr size_t kMaxArguments = 16000;
constexpr size_t kMaxArgumentBytes = 5119;
constexpr size_t kMaxRequestShown = 1024;
constexpr size_t kMaxMotdBytes = size_t{1} << 20;

// An answer for the client that ends the conversation; the log has heard its own story.
std::unexpected<Error> turn_away(std::string text, int exit_code = 1) {
  Error error(Fault::kStartup, std::move(text));
  error.code = exit_code;
  return fail(std::move(error));
}

void set_variable(const char* name, const std::string& value) { ::setenv(name, value.c_str(), 1); }

std::string whole_file(const io::File& file, size_t most) {
  std::string text;
  char buffer[4096];
  while (text.size() < most) {
    const ssize_t got = ::read(file.fd(), buffer, sizeof buffer);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) break;
    text.append(buffer, static_cast<size_t>(got));
  }
  return text;
}

class Serving {
 public:
  Serving(const Caller& caller, const Config& config, const DaemonCommand& command, io::Stop& stop)
      : caller_(caller), config_(config), command_(command), stop_(stop), connection_(caller.in, caller.out, no_options_, stop),
        in_(connection_.channel.in), out_(connection_.channel.out) {}

  int run() {
    log_ = DaemonLog(command_.log_file.empty() ? config_.globals.text(Param::kLogFile) : command_.log_file,
                     config_.globals.text(Param::kSyslogTag), config_.globals.facility());
    for (const ConfigComplaint& c : config_.complaints) log_.line(fmt::format("{}:{}: {}", c.file, c.line, c.text), true);
    const auto code = converse();
    if (code) return *code;
    const Error& error = code.error();
    if (error.fault == Fault::kTimeout) {
      log_.line("[Receiver] daemon handshake timeout -- exiting", true);
      log_.line(fmt::format("rsync error: {} (code {}) at connection.cpp(1) [Receiver={}]", exit_text(kExitTimeout), kExitTimeout,
                            OCSYNC_VERSION), true);
      return kExitTimeout;
    }
    if (error.fault == Fault::kStartup && error.code != 0) {
      if (!error.text.empty()) {
        (void)out_.text(proto::error_line(error.text));
        (void)out_.flush();
      }
      return error.code;
    }
    if (error.fault == Fault::kFarExit) return error.code;
    if (!error.text.empty()) log_.line(error.text, true);
    return exit_code_of(error);
  }

 private:
  // From the first byte to the exit code of the transfer.
  Result<int> converse() {
    const Settings& globals = config_.globals;
    visitor_.address = caller_.address;
    arm(patience());
    if (globals.flag(Param::kProxyProtocol)) TRY(hear_proxy());
    bool names_wanted = globals.flag(Param::kReverseLookup);
    for (const Module& module : config_.modules) names_wanted = names_wanted || module.flag(Param::kReverseLookup);
    // Asked now, since there may be no name service inside a chroot, and a rule about names must not fail open there.
    if (names_wanted) verified_host_ = io::verified_host_name(visitor_.address).value_or(std::string(kUnknownHost));
    visitor_.host = globals.flag(Param::kReverseLookup) ? verified_host_ : std::string(kUndeterminedHost);
    TRY(lower_daemon_rights());
    log_.line(fmt::format("connect from {} ({})", visitor_.host, visitor_.address));
    if (caller_.socket) {
      const int one = 1;
      ::setsockopt(caller_.in, SOL_SOCKET, SO_KEEPALIVE, &one, sizeof one);
    }
    TRY(greet());
    const proto::Request request = TRY(hear_request());
    switch (request.kind) {
      case proto::Request::Kind::kList:
        log_.line(fmt::format("module-list request from {} ({})", visitor_.host, visitor_.address));
        TRY(list_modules());
        return 1;
      case proto::Request::Kind::kEarlyInput:
      case proto::Request::Kind::kUnknownCommand:
        return turn_away(fmt::format("Unknown command '{}'", request.name));
      case proto::Request::Kind::kModule:
        break;
    }
    module_ = config_.find(request.name);
    if (!module_) {
      log_.line(fmt::format("unknown module '{}' tried from {} ({})", request.name, visitor_.host, visitor_.address));
      return turn_away(fmt::format("Unknown module '{}'", request.name));
    }
    return serve_module();
  }

  // Everything a client has to say must be said within so many seconds from now; 0: no bound.
  void arm(int seconds) {
    connection_.activity.stop_at_ms = !caller_.socket || seconds == 0 ? 0 : monotonic_ms() + int64_t{seconds} * 1000;
  }
  int patience() const {
    const int own = module_ ? module_->number(Param::kTimeout) : config_.globals.number(Param::kTimeout);
    return own > 0 && own < kPatienceSeconds ? own : kPatienceSeconds;
  }
  Complain to_log() {
    return [this](const std::string& text) { log_.line(text, true); };
  }

  Status hear_proxy() {
    Visitor proxy{visitor_.address, {}};
    if (!is_trusted_proxy(config_.globals.text(Param::kProxyProtocolHosts), proxy, to_log())) {
      log_.line(fmt::format("proxy protocol rejected from untrusted peer {} ({})", visitor_.address, visitor_.address), true);
      return turn_away("");
    }
    auto address = read_proxy_header(in_);
    if (!address && address.error().fault == Fault::kTimeout) return fail(address.error());
    if (!address) return turn_away("");
    if (!address->empty()) visitor_.address = *address;
    return {};
  }

  Status lower_daemon_rights() {
    const Settings& globals = config_.globals;
    const auto refuse = [&](const std::string& text, int error) -> Status {
      if (error != 0) log_.failure(text, error);
      else log_.line(text, true);
      return turn_away("");
    };
    if (const std::string root = globals.text(Param::kDaemonChroot); !root.empty()) {
      ::tzset();
      const auto dir = io::Dir::open_trusted(root);
      if (!dir) return refuse(fmt::format("daemon chroot(\"{}\") failed", root), dir.error().sys);
      if (const Status done = io::change_root(*dir); !done)
        return refuse(fmt::format("daemon chroot(\"{}\") failed", root), done.error().sys);
    }
    if (const std::string name = globals.text(Param::kDaemonGid); !name.empty()) {
      Module like;
      like.set(Param::kUid, "0");
      like.set(Param::kGid, name);
      const auto identity = identity_of(like);
      if (!identity || identity->gids.empty()) return refuse(fmt::format("Invalid daemon gid: {}", name), 0);
      if (const Status done = io::become_group(identity->gids[0]); !done)
        return refuse(fmt::format("Unable to set group to daemon gid {}", identity->gids[0]), done.error().sys);
    }
    if (const std::string name = globals.text(Param::kDaemonUid); !name.empty()) {
      Module like;
      like.set(Param::kUid, name);
      like.set(Param::kGid, "0");
      const auto identity = identity_of(like);
      if (!identity) return refuse(fmt::format("Invalid daemon uid: {}", name), 0);
      if (const Status done = io::become_user(*identity->uid); !done)
        return refuse(fmt::format("Unable to set user to daemon uid {}", *identity->uid), done.error().sys);
    }
    return {};
  }

  Status greet() {
    const int own = std::min(command_.protocol, proto::kNewestVersion);
    TRY(out_.text(proto::greeting_line(own, 0, proto::our_auth_digests())));
    if (const std::string path = config_.globals.text(Param::kMotdFile); !path.empty()) {
      if (const auto file = io::Dir::open_trusted_file(path, io::Dir::Use::kRead)) TRY(out_.text(whole_file(*file, kMaxMotdBytes)));
      TRY(out_.text("\n"));
    }
    TRY(out_.flush());
    const std::string line = TRY(hear_line(proto::kFirstLineMax));
    const auto greeting = proto::parse_greeting(line, proto::Reading::kServer);
    if (!greeting) return turn_away(greeting.error().text);
    greeting_ = *greeting;
    version_ = proto::agree_version(own, 0, greeting_);
    return {};
  }

  // A line that does not come, or is none, ends the connection without a word.
  Result<std::string> hear_line(size_t most) {
    auto line = proto::read_line(in_, most);
    if (!line && line.error().fault != Fault::kTimeout && line.error().fault != Fault::kInterrupted) return turn_away("");
    return line;
  }

  Result<proto::Request> hear_request() {
    auto line = proto::read_line_or_end(in_, proto::kFirstLineMax);
    if (!line && line.error().fault == Fault::kTimeout) return fail(line.error());
    if (!line || !*line) return turn_away("");
    auto request = proto::parse_request(**line);
    if (request && request->kind == proto::Request::Kind::kEarlyInput) {
      early_input_.resize(request->early_input_bytes);
      TRY(in_.exact(std::as_writable_bytes(std::span(early_input_.data(), early_input_.size()))));
      request = proto::parse_request(TRY(hear_line(proto::kFirstLineMax)));
      if (request && request->kind == proto::Request::Kind::kEarlyInput) return turn_away("Unknown command");
    }
    if (!request) return turn_away(request.error().text);
    return request;
  }

  Status list_modules() {
    for (const Module& module : config_.modules)
      if (module.flag(Param::kList)) TRY(out_.text(proto::module_line(module.name, module.text(Param::kComment))));
    if (version_ >= 25) TRY(out_.text(proto::kExitLine));
    return out_.flush();
  }

  std::string text(Param param) const { return module_->text(param); }

  Result<int> serve_module() {
    const std::string& name = module_->name;
    set_variable("RSYNC_MODULE_NAME", name);
    if (visitor_.host == kUndeterminedHost && module_->flag(Param::kReverseLookup)) visitor_.host = verified_host_;
    set_variable("RSYNC_HOST_NAME", visitor_.host);
    set_variable("RSYNC_HOST_ADDR", visitor_.address);
    TRY(check_host());
    TRY(take_slot());
    read_only_ = module_->flag(Param::kReadOnly);
    arm(patience());
    TRY(authenticate());
    set_variable("RSYNC_USER_NAME", user_);
    // Our own preparations and the operator's programs do not count against the client.
    arm(0);
    const auto identity = identity_of(*module_);
    if (!identity) {
      log_.line(fmt::format("I{}", identity.error().text.substr(1)));
      return turn_away(identity.error().text);
    }
    TRY(find_root());
    TRY(load_filters());
    reopen_log();
    const bool hooks_run = std::getenv("RSYNC_NO_XFER_EXEC") == nullptr;
    if (hooks_run) {
      set_variable("RSYNC_PID", std::to_string(::getpid()));
      if (const auto ended = TRY(run_after_transfer())) return *ended;
      TRY(start_hooks());
    }
    TRY(enter_module(*identity));
    arm(patience());
    TRY(out_.text(proto::kOkLine));
    TRY(out_.flush());
    return hear_arguments_and_serve();
  }

  Status check_host() {
    const HostRules rules{text(Param::kHostsAllow), text(Param::kHostsDeny), module_->flag(Param::kForwardLookup)};
    if (may_visit(rules, visitor_, resolve_ipv4, to_log())) {
      if (caller_.socket)
        log_.line(fmt::format("rsync allowed access on module {} from {} ({})", module_->name, visitor_.host, visitor_.address));
      return {};
    }
    log_.line(fmt::format("rsync denied on module {} from {} ({})", module_->name, visitor_.host, visitor_.address));
    if (!module_->flag(Param::kList)) return turn_away(fmt::format("Unknown module '{}'", module_->name));
    return turn_away(fmt::format("access denied to {} from {} ({})", module_->name, visitor_.host, visitor_.address));
  }

  Status take_slot() {
    const int most = module_->number(Param::kMaxConnections);
    const std::string path = text(Param::kLockFile);
    auto slot = claim_slot(path, most);
    if (!slot) {
      log_.failure(fmt::format("failed to open lock file {}", path), slot.error().sys);
      return turn_away("failed to open lock file");
    }
    if (!slot->granted) {
      log_.line(fmt::format("max connections ({}) reached", most));
      return turn_away(fmt::format("max connections ({}) reached -- try again later", most));
    }
    slot_ = std::move(*slot);
    return {};
  }

  Status authenticate() {
    const std::string rules = text(Param::kAuthUsers);
    if (rules.empty()) return {};
    const std::string where = fmt::format("auth failed on module {} from {} ({})", module_->name, visitor_.host, visitor_.address);
    const auto failed = [&](const std::string& why) -> Status {
      log_.line(where + why);
      return turn_away(fmt::format("auth failed on module {}", module_->name));
    };
    const auto method = proto::choose_auth(proto::our_auth_digests(), greeting_.has_digests, greeting_.digests, version_);
    if (!method) {
      return turn_away(fmt::format("your client does not support one of our daemon-auth checksums: {}", proto::our_auth_digests()),
                       kExitUnsupported);
    }
    if (const std::string floor = text(Param::kAuthDigest); !floor.empty()) {
      const auto least = digest_by_name(floor);
      if (!least) return failed(fmt::format(": the configured 'auth digest = {}' is not a supported digest on this build", floor));
      if (!proto::auth_strong_enough(method->digest, *least))
        return failed(fmt::format(": negotiated auth digest {} is weaker than the required 'auth digest = {}'",
                                  digest_name(method->digest), floor));
    }
    std::byte random[32];
    if (::getrandom(random, sizeof random, 0) != static_cast<ssize_t>(sizeof random)) return failed(": no random numbers");
    const std::string challenge = proto::make_challenge(
        *method, random, fmt::format("{}{}{}", visitor_.address, monotonic_ms(), ::getpid()));
    TRY(out_.text(proto::auth_required_line(challenge)));
    TRY(out_.flush());
    auto line = proto::read_line(in_, proto::kDaemonLineMax);
    if (!line && line.error().fault == Fault::kTimeout) return fail(line.error());
    const auto credentials = line ? proto::parse_credentials(*line) : std::nullopt;
    if (!credentials) return failed(": invalid challenge response");
    const auto rule = match_user(rules, credentials->user, group_names_of);
    std::string why;
    if (!rule) {
      why = "no matching rule";
    } else if (rule->access == UserRule::Access::kDeny) {
      why = "denied by rule";
    } else {
      Secrets secrets = read_secrets(text(Param::kSecretsFile), module_->flag(Param::kStrictModes), to_log());
      why = !secrets.reason.empty() ? secrets.reason
                                    : check_secret(secrets.text, credentials->user, rule->group, credentials->response,
                                                   [&](std::string_view password) {
                                                     return proto::auth_response(*method, password, challenge);
                                                   });
      ::explicit_bzero(secrets.text.data(), secrets.text.size());
    }
    if (!why.empty()) return failed(fmt::format(" for {}: {}", credentials->user, why));
    if (rule->access == UserRule::Access::kReadOnly) read_only_ = true;
    if (rule->access == UserRule::Access::kReadWrite) read_only_ = false;
    user_ = credentials->user;
    return {};
  }

  static constexpr struct {
    const char* name;
    DigestKind kind;
  } kAuthDigests[] = {{"sha512", DigestKind::kSha512}, {"sha256", DigestKind::kSha256}, {"sha1", DigestKind::kSha1},
                      {"md5", DigestKind::kMd5},       {"md4", DigestKind::kMd4}};
  static std::optional<DigestKind> digest_by_name(const std::string& name) {
    for (const auto& digest : kAuthDigests)
      if (::strcasecmp(digest.name, name.c_str()) == 0) return digest.kind;
    return std::nullopt;
  }
  static std::string digest_name(DigestKind kind) {
    for (const auto& digest : kAuthDigests)
      if (digest.kind == kind) return digest.name;
    return "?";
  }

  Status find_root() {
    const std::string path = text(Param::kPath);
    if (path.empty()) {
      log_.line(fmt::format("No path specified for module {}", module_->name));
      return turn_away("no path setting.");
    }
    root_ = module_root(path, module_->state(Param::kUseChroot), [&] {
      if (::chroot("/") == 0) return ::chdir("/") == 0;
      log_.line(fmt::format("chroot test failed: {}. Switching 'use chroot' from unset to false.", ::strerror(errno)));
      return false;
    });
    set_variable("RSYNC_MODULE_PATH", root_.shown);
    return {};
  }

  Status load_filters() {
    ModuleFilterTexts texts{text(Param::kFilter), text(Param::kIncludeFrom), text(Param::kInclude), text(Param::kExcludeFrom),
                            text(Param::kExclude)};
    hides_something_ = !(texts.filter + texts.include_from + texts.include + texts.exclude_from + texts.exclude).empty();
    if (!hides_something_) return {};
    RuleWorld world = RuleWorld::of_process(no_options_);
    world.complain = [this](std::string_view line) { log_.line(line, true); };
    auto rules = FilterRules::for_module(texts, no_options_, std::move(world));
    if (!rules) {
      log_.line(rules.error().sys != 0 ? fmt::format("{}: {} ({})", rules.error().text, ::strerror(rules.error().sys), rules.error().sys)
                                       : rules.error().text, true);
      return turn_away("", exit_code_of(rules.error()));
    }
    hidden_ = std::move(*rules);
    return {};
  }

  // A module may log elsewhere than the daemon.
  void reopen_log() {
    const Settings& globals = config_.globals;
    const bool same = module_->raw(Param::kLogFile) == globals.raw(Param::kLogFile) &&
                      module_->raw(Param::kSyslogTag) == globals.raw(Param::kSyslogTag) &&
                      module_->facility() == globals.facility();
    if (!same && command_.log_file.empty()) log_ = DaemonLog(text(Param::kLogFile), text(Param::kSyslogTag), module_->facility());
  }

  // "post-xfer exec": a child serves, and this process waits for its end. Set in the waiting process: the exit code.
  Result<std::optional<int>> run_after_transfer() {
    if (module_->raw(Param::kPostXferExec).empty()) return std::nullopt;
    const pid_t pid = ::fork();
    if (pid < 0) {
      log_.failure("fork failed", errno);
      return turn_away("fork failed");
    }
    if (pid == 0) return std::nullopt;
    ::close(caller_.in);
    if (caller_.out != caller_.in) ::close(caller_.out);
    int status = -1;
    while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    set_variable("RSYNC_RAW_STATUS", std::to_string(status));
    int code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    set_variable("RSYNC_EXIT_STATUS", std::to_string(code));
    const auto command = expand_for_shell(module_->raw(Param::kPostXferExec), process_variable);
    if (!command) log_.line(command.error().text, true);
    else if (run_in_shell(*command) < 0) code = -1;
    ::_exit(code);
  }

  Result<WaitingHook> start_hook(Param param, const char* what, bool answers) {
    const auto command = expand_for_shell(module_->raw(param), process_variable);
    if (!command) {
      log_.line(command.error().text, true);
      return turn_away("", kExitUnsupported);
    }
    auto hook = WaitingHook::start(*command, answers);
    if (!hook) {
      log_.failure(fmt::format("{} preparation failed", what), hook.error().sys);
      return turn_away(fmt::format("{} preparation failed", what));
    }
    return hook;
  }

  Status start_hooks() {
    if (!module_->raw(Param::kEarlyExec).empty()) {
      WaitingHook early = TRY(start_hook(Param::kEarlyExec, "early exec", false));
      (void)early.tell("", {}, early_input_, false);
      if (!early.finish("early exec").empty()) {
        log_.line("early exec failed", true);
        return turn_away("early exec failed");
      }
    }
    if (!module_->raw(Param::kPreXferExec).empty()) before_ = TRY(start_hook(Param::kPreXferExec, "pre-xfer exec", true));
    if (!module_->raw(Param::kNameConverter).empty())
      converter_ = TRY(start_hook(Param::kNameConverter, "name-converter exec", true));
    return {};
  }

  Status enter_module(const Identity& identity) {
    const auto path_failure = [&](const std::string& what, const char* short_text, int error) -> Status {
      log_.failure(what, error);
      return turn_away(short_text);
    };
    if (root_.use_chroot) {
      ::tzset();
      const auto dir = io::Dir::open_trusted(root_.outer);
      const Status done = dir ? io::change_root(*dir) : Status(fail(dir.error()));
      if (!done) return path_failure(fmt::format("chroot(\"{}\") failed", root_.outer), "chroot failed", done.error().sys);
    }
    const auto there = io::Dir::open_trusted(root_.root);
    const Status entered = there ? io::change_directory(*there) : Status(fail(there.error()));
    if (!entered) return path_failure(fmt::format("chdir \"{}\" failed", root_.root), "chdir failed", entered.error().sys);
    module_fd_ = io::Fd(::fcntl(there->fd(), F_DUPFD_CLOEXEC, 3));
    munge_ = module_->state(Param::kMungeSymlinks);
    if (munge_ < 0) munge_ = !root_.use_chroot || root_.inner() ? 1 : 0;
    struct stat st{};
    if (munge_ > 0 && ::stat("/rsyncd-munged", &st) == 0 && S_ISDIR(st.st_mode)) {
      log_.line("Symlink munging is unsafe when a /rsyncd-munged directory exists.", true);
      return turn_away("daemon security issue -- contact admin", kExitUnsupported);
    }
    if (!identity.gids.empty()) {
      if (const Status done = io::become_group(identity.gids[0]); !done)
        return path_failure(fmt::format("setgid {} failed", identity.gids[0]), "setgid failed", done.error().sys);
      if (const Status done = io::set_groups(identity.gids); !done)
        return path_failure("setgroups failed", "setgroups failed", done.error().sys);
    }
    if (identity.uid) {
      if (const Status done = io::become_user(*identity.uid); !done)
        return path_failure(fmt::format("setuid {} failed", *identity.uid), "setuid failed", done.error().sys);
    }
    return {};
  }

  Result<int> hear_arguments_and_serve() {
    const Refusals refusals = Refusals::for_daemon(text(Param::kRefuseOptions), !text(Param::kCharset).empty());
    for (const std::string& word : refusals.unmatched())
      log_.line(fmt::format("No match for refuse-options string \"{}\"", word), true);
    ParseEnvironment environment;
    environment.variable = process_variable_text;
    environment.use_aliases = false;
    environment.now_wall_s = ::time(nullptr);
    environment.refusals = &refusals;
    environment.daemon_child = true;

    const std::vector<std::string> words = TRY(hear_arguments(version_ >= 30));
    size_t dot = words.size();
    std::vector<std::string> arguments{"rsyncd"};
    for (size_t i = 0; i < words.size(); ++i) {
      if (dot < words.size()) break;
      // What a shell would have taken away from a word, had there been one.
      arguments.push_back(unquote_argument(words[i]));
      if (words[i] == ".") dot = i;
    }
    std::vector<std::string> paths(words.begin() + static_cast<ptrdiff_t>(std::min(dot + 1, words.size())), words.end());
    auto parsed = parse_command_line(arguments, environment);
    std::vector<std::string> all = arguments;
    bool secluded = false;
    if (parsed && parsed->what == ParsedCommand::What::kSecluded) {
      secluded = true;
      std::vector<std::string> second = TRY(hear_arguments(true));
      for (size_t i = 1; i < second.size(); ++i) all.push_back(second[i]);
      const auto at = std::find(second.begin(), second.end(), ".");
      if (at != second.end()) {
        paths.assign(at + 1, second.end());
        second.erase(at + 1, second.end());
      }
      parsed = parse_secluded(*parsed, second, environment);
    } else {
      all.insert(all.end(), paths.begin(), paths.end());
    }
    arm(0);

    std::string request;
    for (const std::string& path : paths) {
      if (request.size() >= kMaxRequestShown) break;
      if (!request.empty()) request += ' ';
      request += path;
    }
    Options options;
    ServedModule served;
    served.version = version_;
    served.socket = caller_.socket;
    served.read_only = read_only_;
    served.write_only = module_->flag(Param::kWriteOnly);
    if (parsed && parsed->what == ParsedCommand::What::kRun) options = std::move(parsed->options);
    else served.refusal = parsed ? Error(Fault::kUnsupported, "rsync: this is not for a daemon") : parsed.error();
    if (served.refusal) {
      served.refusal->fault = Fault::kUnsupported;
      recall_shape(arguments, options);
    }
    if (before_) {
      (void)before_->tell(request, all, {}, false);
      const std::string trouble = before_->finish("pre-xfer exec");
      if (!trouble.empty()) served.refusal = Error(Fault::kUnsupported, trouble);
    }
    std::optional<NameConverter> converter;
    if (converter_) {
      (void)converter_->tell(request, all, {}, true);
      converter.emplace(converter_->take_input(), converter_->take_output(), to_log());
      served.names = &*converter;
    }
    options.server = true;
    options.quiet = 0;
    settle_options(options);
    if (!request.empty()) {
      log_.line(fmt::format("rsync {} {} from {}{}{} ({})", options.sender ? "on" : "to", request, user_, user_.empty() ? "" : "@",
                            visitor_.host, visitor_.address));
    }
    settle_operands(options, paths, secluded);
    if (hides_something_) served.filters = [this]() -> Result<FilterRules> { return hidden_.copy(); };
    served.world = RuleWorld::of_process(options);
    if (options.module_fd >= 0) served.world.module_path = options.module_root;
    served.world.module_in_chroot = root_.use_chroot;
    served.world.complain = [this](std::string_view line) { log_.line(line, true); };

    ReporterPorts ports;
    if (caller_.socket) ports.out_fd = ports.err_fd = -1;
    ports.log = [this](std::string_view line, bool warning) { log_.line(line, warning); };
    Reporter reporter(options, ports);
    ItemStyle style = reporter.style();
    style.daemon = true;
    style.client_host = visitor_.host;
    style.client_address = visitor_.address;
    style.module = module_->name;
    style.module_path = root_.shown;
    style.user = user_;
    style.process_id = ::getpid();
    reporter.set_style(style);
    reporter.set_log_format(module_->flag(Param::kTransferLogging)
                                ? (command_.log_file_format_given ? command_.log_file_format : text(Param::kLogFormat))
                                : std::string());
    connection_.reporter = &reporter;
    connection_.activity.timeout_s = options.timeout_s;
    connection_.activity.touch();
    connection_.sink.limit(options.bwlimit_kib * 1024);
    const int code = serve_to_the_end(options, connection_, reporter, stop_, &served);
    return code;
  }

  static std::optional<std::string> process_variable_text(const char* name) { return process_variable(name); }

  Result<std::vector<std::string>> hear_arguments(bool nulls) {
    auto words = read_daemon_args(in_, nulls);
    if (words || words.error().fault == Fault::kTimeout) return words;
    log_.line(words.error().text.empty() ? "the client's arguments ended early" : words.error().text, true);
    return turn_away("", kExitProtocol);
  }

  // Options that were refused still decide how the client can be told so.
  static void recall_shape(const std::vector<std::string>& arguments, Options& options) {
    for (const std::string& word : arguments) {
      if (word == "--sender") options.sender = true;
      if (word.starts_with("--files-from")) options.files_from = "-";
      if (word.starts_with('-') && !word.starts_with("--")) {
        const size_t e = word.find('e');
        const std::string letters = word.substr(1, e == word.npos ? word.npos : e - 1);
        if (e != word.npos) options.capabilities = word.substr(e + 1);
        options.recurse = letters.find('r') != letters.npos;
        options.compress = letters.find('z') != letters.npos;
      }
      if (word == "--compress-choice=zlibx" || word == "--new-compress") options.compress_choice = "zlibx";
      else if (word.starts_with("--compress-choice=")) options.compress_choice = word.substr(18);
      if (word == "--old-compress") options.compress_choice = "zlib";
      if (word.starts_with("--checksum-choice=")) options.checksum_choice = word.substr(18);
      if (word == "--no-inc-recursive" || word == "--no-i-r") options.inc_recursive = false;
      if (word == "--delete-before" || word == "--delete-after" || word == "--delay-updates") options.inc_recursive = false;
    }
  }

  // What the module decides whatever the client wishes.
  void settle_options(Options& options) {
    const Module& m = *module_;
    if (m.state(Param::kOpenNoatime) >= 0) options.open_noatime = m.flag(Param::kOpenNoatime);
    options.munge_links = munge_ > 0;
    options.sanitize_links = root_.inner() && munge_ == 0;
    if (m.flag(Param::kIgnoreErrors)) options.ignore_errors = true;
    if (m.flag(Param::kFakeSuper)) {
      options.xattrs = std::min(options.xattrs, 1);
      options.fake_super = true;
      options.super.reset();
    } else if (options.fake_super) {
      options.fake_super = false;
      options.super = true;
    }
    limit_verbose_level(options.verbosity, m.number(Param::kMaxVerbosity));
    options.verbose = std::min(options.verbose, std::max(m.number(Param::kMaxVerbosity), 0));
    const int ids = m.state(Param::kNumericIds);
    if (!options.numeric_ids) options.ignore_names = root_.use_chroot ? ids != 0 && !converter_ : ids > 0;
    const int timeout = m.number(Param::kTimeout);
    if (timeout > 0 && (options.timeout_s == 0 || timeout < options.timeout_s)) options.timeout_s = timeout;
    options.module_chmod = text(options.sender ? Param::kOutgoingChmod : Param::kIncomingChmod);
    if (!options.module_chmod.empty() && !ModeChanges::parse(options.module_chmod, 022)) {
      log_.line(fmt::format("Invalid \"{}ing chmod\" directive: {}", options.sender ? "outgo" : "incom", options.module_chmod), true);
      options.module_chmod.clear();
    }
    if (const std::string dir = text(Param::kTempDir); !dir.empty()) {
      options.temp_dir = dir;
      options.operators_temp_dir = true;
    }
    if (command_.bwlimit_kib > 0 && (options.bwlimit_kib == 0 || options.bwlimit_kib > static_cast<uint64_t>(command_.bwlimit_kib)))
      options.bwlimit_kib = static_cast<uint64_t>(command_.bwlimit_kib);
    options.ignore_nonreadable = m.flag(Param::kIgnoreNonreadable);
    options.insecure_links = m.flag(Param::kInsecureLinks);
    options.module_root = root_.root;
    if (root_.inner() && !options.insecure_links) options.module_fd = module_fd_.get();
  }

  // Paths of the request and of options, reduced to the module.
  void settle_operands(Options& options, const std::vector<std::string>& paths, bool secluded) {
    const auto hides = [this](std::string_view path, bool is_dir) { return hides_something_ && hidden_.module_hides(path, is_dir); };
    options.operands.assign(1, ".");
    for (const std::string& path : paths) {
      for (const std::string& piece : split_request(path, module_->name, secluded)) {
        const std::string inside = sanitized_path(piece, "", 0, options.relative);
        for (std::string& found : expand_wildcards(inside, hides)) {
          if (options.operands.size() >= kMaxArguments) return;
          options.operands.push_back(std::move(found));
        }
      }
    }
    // A destination's own depth is how far relative directories may climb from it.
    int depth = 0;
    if (!options.sender && options.operands.size() > 1) {
      const std::string& to = options.operands.back();
      for (size_t at = 0; at < to.size();) {
        const size_t end = std::min(to.find('/', at), to.size());
        if (end > at && to.substr(at, end - at) != ".") ++depth;
        at = end + 1;
      }
    }
    const std::string& root = root_.root == "/" ? kSlash : root_.root;
    const auto inside = [&](std::string& path, int levels) {
      if (!path.empty() && path != "-") path = sanitized_path(path, root, levels, false);
    };
    inside(options.backup_dir, 0);
    if (!options.operators_temp_dir) inside(options.temp_dir, 0);
    inside(options.partial_dir, 0);
    inside(options.files_from, 0);
    for (std::string& dir : options.basis_dirs) inside(dir, depth);
    for (FilterArgument& rule : options.filters)
      if (rule.kind == FilterArgument::Kind::kIncludeFrom || rule.kind == FilterArgument::Kind::kExcludeFrom) inside(rule.text, 0);
  }

  inline static const std::string kSlash = "/";
  const Caller& caller_;
  const Config& config_;
  const DaemonCommand& command_;
  io::Stop& stop_;
  const Options no_options_;
  Connection connection_;
  Reader& in_;
  Writer& out_;
  DaemonLog log_;
  Visitor visitor_;
  std::string verified_host_ = std::string(kUndeterminedHost);
  proto::Greeting greeting_;
  int version_ = 0;
  std::string early_input_;
  const Module* module_ = nullptr;
  Slot slot_;
  bool read_only_ = true;
  std::string user_;
  ModuleRoot root_;
  io::Fd module_fd_;
  int munge_ = 0;
  bool hides_something_ = false;
  FilterRules hidden_;
  std::optional<WaitingHook> before_, converter_;
};

}  // namespace

Result<std::vector<std::string>> read_daemon_args(Reader& in, bool nulls) {
  std::vector<std::string> words;
  for (;;) {
    std::string word;
    for (;;) {
      const char c = static_cast<char>(TRY(in.u8()));
      if (c == '\0' && nulls) break;
      if (!nulls && (c == '\n' || c == '\r')) break;
      if (c == '\0') return fail(Fault::kProtocol, "a zero byte within an argument");
      if (word.size() < kMaxArgumentBytes) word += c;
    }
    if (word.empty()) return words;
    if (words.size() + 1 >= kMaxArguments) return fail(Fault::kProtocol, "too many daemon arguments");
    words.push_back(std::move(word));
  }
}

std::vector<std::string> split_request(const std::string& text, const std::string& name, bool secluded) {
  std::string rest = text.starts_with(name) ? text.substr(name.size()) : text;
  if (secluded) return {rest};
  std::vector<std::string> pieces;
  const std::string between = fmt::format(" {}/", name);
  for (;;) {
    const size_t at = rest.find(between);
    pieces.push_back(rest.substr(0, at));
    if (at == rest.npos) return pieces;
    rest.erase(0, at + between.size());
    if (rest.empty()) return pieces;
  }
}

int serve_caller(const Caller& caller, const Config& config, const DaemonCommand& command, io::Stop& stop) {
  return Serving(caller, config, command, stop).run();
}

}  // namespace ocsync::sync
