#include "libsync/daemon/connection.h"

#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <ctime>

#include "libio/base/clock.h"
#include "libio/os/dir.h"
#include "libio/os/socket.h"
#include "libproto/daemon_lines.h"
#include "libsync/daemon/access.h"
#include "libsync/daemon/confine.h"
#include "libsync/daemon/hooks.h"
#include "libsync/daemon/log.h"
#include "libsync/daemon/login.h"
#include "libsync/daemon/module_options.h"
#include "libsync/daemon/proxy_header.h"
#include "libsync/daemon/request.h"
#include "libsync/daemon/turn_away.h"
#include "libsync/list/name_charset.h"
#include "libsync/options/refuse.h"
#include "libsync/report/exit_code.h"
#include "libsync/session/serve.h"

namespace ocsync::sync {
namespace {

constexpr int kPatienceSeconds = 60;  // for everything a client says before its transfer
constexpr size_t kMaxMotdBytes = size_t{1} << 20;

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
      : caller_(caller),
        config_(config),
        command_(command),
        stop_(stop),
        connection_(caller.in, caller.out, no_options_, stop),
        in_(connection_.channel.in),
        out_(connection_.channel.out) {}

  int run() {
    log_ = DaemonLog(command_.log_file.empty() ? config_.globals.text(Param::kLogFile) : command_.log_file,
                     config_.globals.text(Param::kSyslogTag), config_.globals.facility());
    for (const ConfigComplaint& c : config_.complaints)
      log_.line(fmt::format("{}:{}: {}", c.file, c.line, c.text), true);
    const auto code = converse();
    if (code) return *code;
    const Error& error = code.error();
    if (error.fault == Fault::kTimeout) {
      log_.line("[Receiver] daemon handshake timeout -- exiting", true);
      log_exit(kExitTimeout);
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
  // A connection that ends before it has a role.
  void log_exit(int code) {
    log_.line(fmt::format("rsync error: {} (code {}) at connection.cpp(1) [Receiver={}]", exit_text(code), code,
                          OCSYNC_VERSION),
              true);
  }

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
    TRY(lower_daemon_rights(globals, log_));
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
      case proto::Request::Kind::kUnknownCommand: return turn_away(fmt::format("Unknown command '{}'", request.name));
      case proto::Request::Kind::kModule: break;
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
      log_.line(fmt::format("proxy protocol rejected from untrusted peer {} ({})", visitor_.address, visitor_.address),
                true);
      return turn_away("");
    }
    auto address = read_proxy_header(in_);
    if (!address && address.error().fault == Fault::kTimeout) return fail(address.error());
    if (!address) return turn_away("");
    if (!address->empty()) visitor_.address = *address;
    return {};
  }

  Status greet() {
    const int own = std::min(command_.protocol, proto::kNewestVersion);
    TRY(out_.text(proto::greeting_line(own, 0, proto::our_auth_digests())));
    if (const std::string path = config_.globals.text(Param::kMotdFile); !path.empty()) {
      if (const auto file = io::Dir::open_trusted_file(path, io::Dir::Use::kRead))
        TRY(out_.text(whole_file(*file, kMaxMotdBytes)));
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
    if (!line && line.error().fault != Fault::kTimeout && line.error().fault != Fault::kInterrupted)
      return turn_away("");
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
    TRY(open_charset());
    set_variable("RSYNC_HOST_NAME", visitor_.host);
    set_variable("RSYNC_HOST_ADDR", visitor_.address);
    TRY(check_host());
    TRY(take_slot());
    read_only_ = module_->flag(Param::kReadOnly);
    arm(patience());
    const Login login = TRY(log_in({*module_, visitor_, greeting_, version_, log_}, in_, out_));
    if (login.access == UserRule::Access::kReadOnly) read_only_ = true;
    if (login.access == UserRule::Access::kReadWrite) read_only_ = false;
    user_ = login.user;
    set_variable("RSYNC_USER_NAME", user_);
    // Our own preparations and the operator's programs do not count against the client.
    arm(0);
    const auto identity = identity_of(*module_);
    if (!identity) {
      log_.line(fmt::format("I{}", identity.error().text.substr(1)));
      return turn_away(identity.error().text);
    }
    root_ = TRY(find_root(*module_, log_));
    set_variable("RSYNC_MODULE_PATH", root_.shown);
    TRY(load_filters());
    reopen_log();
    const bool hooks_run = std::getenv("RSYNC_NO_XFER_EXEC") == nullptr;
    if (hooks_run) {
      set_variable("RSYNC_PID", std::to_string(::getpid()));
      if (const auto ended = TRY(run_after_transfer())) return *ended;
      TRY(start_hooks());
    }
    inside_ = TRY(enter_module(*module_, root_, *identity, log_));
    arm(patience());
    TRY(out_.text(proto::kOkLine));
    TRY(out_.flush());
    return hear_arguments_and_serve();
  }

  // The tables of characters may be out of reach inside a chroot.
  Status open_charset() {
    const std::string name = text(Param::kCharset);
    if (name.empty()) return {};
    auto charset = NameCharset::open(name, true);
    if (!charset) {
      log_.line(charset.error().text, true);
      return turn_away("", kExitUnsupported);
    }
    charset_ = std::move(*charset);
    return {};
  }

  Status check_host() {
    const HostRules rules{text(Param::kHostsAllow), text(Param::kHostsDeny), module_->flag(Param::kForwardLookup)};
    if (may_visit(rules, visitor_, resolve_ipv4, to_log())) {
      if (caller_.socket)
        log_.line(fmt::format("rsync allowed access on module {} from {} ({})", module_->name, visitor_.host,
                              visitor_.address));
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

  Status load_filters() {
    ModuleFilterTexts texts{text(Param::kFilter), text(Param::kIncludeFrom), text(Param::kInclude),
                            text(Param::kExcludeFrom), text(Param::kExclude)};
    hides_something_ =
        !(texts.filter + texts.include_from + texts.include + texts.exclude_from + texts.exclude).empty();
    if (!hides_something_) return {};
    RuleWorld world = RuleWorld::of_process(no_options_);
    world.complain = [this](std::string_view line) { log_.line(line, true); };
    auto rules = FilterRules::for_module(texts, no_options_, std::move(world));
    if (!rules) {
      if (rules.error().sys != 0)
        log_.failure(rules.error().text, rules.error().sys);
      else
        log_.line(rules.error().text, true);
      log_exit(exit_code_of(rules.error()));
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
    if (!same && command_.log_file.empty())
      log_ = DaemonLog(text(Param::kLogFile), text(Param::kSyslogTag), module_->facility());
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
    if (!command)
      log_.line(command.error().text, true);
    else if (run_in_shell(*command) < 0)
      code = -1;
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
        // As rsync says it, whose last failed call was to wait for a child that was waited for already.
        log_.failure("early exec failed", ECHILD);
        return turn_away("early exec failed");
      }
    }
    if (!module_->raw(Param::kPreXferExec).empty())
      before_ = TRY(start_hook(Param::kPreXferExec, "pre-xfer exec", true));
    if (!module_->raw(Param::kNameConverter).empty())
      converter_ = TRY(start_hook(Param::kNameConverter, "name-converter exec", true));
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

    auto heard = hear_arguments(in_, version_ >= 30, environment, charset_.get());
    if (!heard && heard.error().fault == Fault::kTimeout) return fail(heard.error());
    if (!heard) {
      log_.line(heard.error().text.empty() ? "the client's arguments ended early" : heard.error().text, true);
      return turn_away("", kExitProtocol);
    }
    const ClientRequest& request = *heard;
    auto& parsed = heard->parsed;
    arm(0);
    Options options;
    ServedModule served;
    served.version = version_;
    served.socket = caller_.socket;
    served.charset = charset_;
    served.read_only = read_only_;
    served.write_only = module_->flag(Param::kWriteOnly);
    if (parsed && parsed->what == ParsedCommand::What::kRun)
      options = std::move(parsed->options);
    else
      served.refusal = parsed ? Error(Fault::kUnsupported, "rsync: this is not for a daemon") : parsed.error();
    if (served.refusal) {
      served.refusal->fault = Fault::kUnsupported;
      recall_shape(request.options, options);
    }
    if (before_) {
      (void)before_->tell(request.shown, request.all, {}, false);
      const std::string trouble = before_->finish("pre-xfer exec");
      if (!trouble.empty()) served.refusal = Error(Fault::kUnsupported, trouble);
    }
    std::optional<NameConverter> converter;
    if (converter_) {
      (void)converter_->tell(request.shown, request.all, {}, true);
      converter.emplace(converter_->take_input(), converter_->take_output(), to_log());
      served.names = &*converter;
    }
    options.server = true;
    options.quiet = 0;
    if (!request.shown.empty()) {
      log_.line(fmt::format("rsync {} {} from {}{}{} ({})", options.sender ? "on" : "to", request.shown, user_,
                            user_.empty() ? "" : "@", visitor_.host, visitor_.address));
    }
    impose_module(options, *module_, {root_, inside_, converter_.has_value(), command_.bwlimit_kib}, log_);
    const auto hides = [this](std::string_view path, bool is_dir) {
      return hides_something_ && hidden_.module_hides(path, is_dir);
    };
    reduce_to_module(options, request, module_->name, root_.root, hides);
    if (hides_something_) served.filters = [this]() -> Result<FilterRules> { return hidden_.copy(); };
    served.world = RuleWorld::of_process(options);
    served.world.module_in_chroot = root_.use_chroot;
    if (hides_something_) served.world.hidden = [hides](std::string_view path) { return hides(path, false); };

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
  Inside inside_;
  bool hides_something_ = false;
  FilterRules hidden_;
  std::shared_ptr<NameCharset> charset_;
  std::optional<WaitingHook> before_, converter_;
};

}  // namespace

int serve_caller(const Caller& caller, const Config& config, const DaemonCommand& command, io::Stop& stop) {
  return Serving(caller, config, command, stop).run();
}

}  // namespace ocsync::sync
