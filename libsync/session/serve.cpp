#include "libsync/session/serve.h"

#include <fmt/format.h>
#include <glob.h>
#include <unistd.h>
#include <csignal>

#include "libio/base/clock.h"
#include "libproto/args.h"
#include "libproto/filters_wire.h"
#include "libsync/list/files_from.h"
#include "libsync/list/name_charset.h"
#include "libsync/options/draft.h"
#include "libsync/report/progress.h"
#include "libsync/session/copy_as.h"
#include "libsync/session/ending.h"
#include "libsync/session/names.h"
#include "libsync/session/receiving.h"
#include "libsync/session/sending.h"

namespace ocsync::sync {

namespace {

// Rules that travelled, with those both ends know, below what the module hides.
Result<FilterRules> rules_from_wire(const std::vector<std::string>& rules, const Options& options,
                                    const proto::Agreement& agreed, const ServedModule* module, Reporter& reporter) {
  RuleWorld world = module ? module->world : RuleWorld::of_process(options);
  let_rules_speak(world, reporter);
  FilterRules filters = TRY(FilterRules::from_wire(rules, options, agreed, std::move(world)));
  TRY(filters.add_server_rules(options, agreed));
  if (module && module->filters) filters.guard_with(TRY(module->filters()));
  return filters;
}

std::string collapsed_name(std::string_view path) {
  std::string out;
  for (size_t at = 0; at < path.size();) {
    const size_t end = std::min(path.find('/', at), path.size());
    const std::string_view part = path.substr(at, end - at);
    at = end + 1;
    if (part.empty() || part == ".") continue;
    if (!out.empty()) out += '/';
    out += part;
  }
  return out;
}

// By the path itself: a rule about a directory alone says nothing of what lies in it.
bool hides_path(const FilterRules& filters, const std::string& path) {
  return !path.empty() && filters.module_hides(path, true);
}

// What a module allows this client at all.
Status admit_to_module(const Options& options, ServedModule& module, bool we_send) {
  if (module.refusal) return fail(*module.refusal);
  if (we_send) {
    if (module.write_only) return fail(Fault::kUsage, "ERROR: module is write only");
    if (module.read_only && (options.remove_source_files || options.remove_sent_files))
      return fail(Fault::kUsage, "ERROR: --remove-source-files cannot be used with a read-only module");
  } else if (module.read_only) {
    return fail(Fault::kUsage, "ERROR: module is read only");
  }
  if (!module.filters) return {};
  // Options that name what the module hides.
  const FilterRules hidden = TRY(module.filters());
  const std::string& root = options.module_root;
  const auto hides = [&](std::string path) {
    if (path.empty() || path == "-") return false;
    if (path.starts_with('/') && root != "/" && path.starts_with(root)) path.erase(0, root.size());
    return hides_path(hidden, collapsed_name(path));
  };
  bool rejected = hides(options.backup_dir) || hides(options.files_from) ||
                  (!options.operators_temp_dir && hides(options.temp_dir)) ||
                  (options.partial_dir.starts_with('/') && hides(options.partial_dir));
  for (const std::string& dir : options.basis_dirs) rejected = rejected || hides(dir);
  for (const FilterArgument& rule : options.filters)
    if (rule.kind == FilterArgument::Kind::kIncludeFrom || rule.kind == FilterArgument::Kind::kExcludeFrom)
      rejected = rejected || hides(rule.text);
  if (rejected) return fail(Fault::kUsage, "Your options have been rejected by the server.");
  return {};
}

}  // namespace

Status serve(const Options& options, Connection& connection, Reporter& reporter, Totals& totals, io::Stop& stop,
             ServedModule* module) {
  Channel& channel = connection.channel;
  const bool we_send = options.sender;
  proto::HandshakeWishes wishes = wishes_of(options, true, we_send);
  if (module) wishes.far_version = module->version;
  wishes.same_program = connection.to_ourselves;
  const proto::Agreement agreed = TRY(shake_hands(connection, wishes, true));
  channel.agree(agreed);
  if (module && module->refusal && we_send && !options.files_from.empty() && !agreed.files_from_framed) {
    // A client that waits to hear of names must hear of their end first.
    TRY(channel.out.u8(0));
    TRY(channel.out.flush());
  }
  channel.mux.enable();
  reporter.connect_far_side([&](const proto::Message& message) { channel.mux.post(message); }, agreed.rich_text_codes,
                            (agreed.version <= 28 && !options.stderr_given) || (module && module->socket));
  TRY(become_copy_user(options, we_send ? Role::kSender : Role::kReceiverStart, reporter));
  Terms terms = Terms::settle(options, agreed, reporter, totals, stop, true, we_send, false);
  terms.one_machine = connection.to_ourselves;
  TRY(terms.convert_names(module ? module->charset : nullptr));
  FilterRules hidden;
  Progress progress(reporter, options, totals);
  terms.progress = &progress;
  if (module) {
    terms.names = module->names;
    TRY(admit_to_module(options, *module, we_send));
    if (module->filters) {
      hidden = TRY(module->filters());
      terms.module_filters = &hidden;
    }
    if (options.timeout_s > 0 && agreed.version >= 31) channel.mux.post(proto::IoTimeoutMessage{options.timeout_s});
  }

  say_algorithms(terms);
  if (we_send)
    reporter.trace(Debug::kSend, 1, "server_sender starting pid={}", ::getpid());
  else
    reporter.trace(Debug::kRecv, 1, "server_recv({}) starting pid={}", options.operands.size(), ::getpid());
  std::vector<std::string> operands = options.operands;
  if (operands.empty()) return fail(Fault::kUsage, "ERROR: the server was called without arguments");
  const std::string start = operands.front();
  operands.erase(operands.begin());
  if (!module && !(we_send && options.relative)) {
    if (::chdir(start.c_str()) != 0)
      return fail(Fault::kSelect, fmt::format("change_dir#3 \"{}\" failed", absolute_path(start)), errno);
  }
  const auto bring_down = [&] { connection.activity.give_up(); };

  if (we_send) {
    const bool framed =
        proto::client_writes_frames(agreed, false, options.remove_source_files || options.remove_sent_files);
    if (framed)
      channel.demux.enable();
    else
      channel.demux.pass_freely();
    const std::vector<std::string> rules = TRY(proto::read_rules(channel.in));
    FilterRules filters = TRY(rules_from_wire(rules, options, agreed, module, reporter));
    SourceNames sources;
    if (options.files_from == "-") {
      const bool bare = framed && !agreed.files_from_framed;
      if (bare) channel.demux.disable();
      sources.base = operands.empty() ? std::string() : operands[0];
      sources.names = TRY(forwarded_names(channel.in, options.secluded_args ? terms.charset.get() : nullptr));
      if (bare) channel.demux.enable();
    } else {
      if (operands.empty() && (options.recurse || options.dirs || options.list_only)) operands.push_back(".");
      std::string list;
      if (!options.files_from.empty()) list = TRY(read_names_file(options));
      sources = TRY(local_source_names(options, operands, list));
    }
    const bool went_on = TRY(run_sending_side(terms, connection, filters, sources.base, sources.names, bring_down));
    (void)went_on;
    return {};
  }

  if (agreed.client_frames)
    channel.demux.enable();
  else
    channel.demux.pass_freely();
  FilterRules filters;
  if (module && module->filters) filters.guard_with(TRY(module->filters()));
  if (rules_travel(connection, options, agreed)) {
    const std::vector<std::string> rules = TRY(proto::read_rules(channel.in));
    filters = TRY(rules_from_wire(rules, options, agreed, module, reporter));
  }
  std::function<Status()> forward;
  if (!options.files_from.empty()) {
    forward = [&]() -> Status {
      const std::string text = TRY(read_names_file(options));
      if (!agreed.files_from_framed) TRY(channel.mux.disable());
      MemorySource source(as_bytes(text));
      TRY(forward_names(source, options.from0, channel.out, {}, options.secluded_args ? terms.charset.get() : nullptr));
      TRY(channel.out.flush());
      if (!agreed.files_from_framed) channel.mux.enable();
      return {};
    };
  }
  std::optional<std::string> destination;
  if (!operands.empty()) destination = operands[0];
  if (module && module->filters && destination && *destination != ".") {
    const std::string path = collapsed_name(*destination);
    if (hides_path(hidden, path))
      return fail(Fault::kSelect, fmt::format("ERROR: daemon has excluded destination \"{}\"", *destination));
  }
  TRY(run_receiving_side(terms, connection, filters, destination, {}, forward, bring_down));
  return {};
}

int serve_to_the_end(const Options& options, Connection& connection, Reporter& reporter, io::Stop& stop,
                     ServedModule* module) {
  Ending ending(reporter, options.sender ? Role::kSender : Role::kReceiverStart);
  Totals totals;
  const Status status = serve(options, connection, reporter, totals, stop, module);
  connection.count_into(totals);
  if (status) {
    const int so_far = final_exit_code(0, 0, reporter.state().io_error, reporter.state().transfer_error);
    if (module) reporter.log_closing(so_far, options.sender, totals);
    reporter.connect_far_side({}, true);
    const RunState& state = reporter.state();
    reporter.flush();
    return final_exit_code(0, 0, state.io_error, state.transfer_error);
  }
  if (stop.signal_number() == SIGUSR1) return kExitUser1;  // the client has ended and said why
  const Error error = worded(status.error(), connection.channel.received(),
                             role_name(options.sender ? Role::kSender : connection.role));
  if (!options.sender) ending.speak_as(connection.role);
  if (module) ending.tell(totals, options.sender);
  const int result = ending.of(error);
  connection.farewell(error);
  return result;
}

int run_server(const Options& options, io::Stop& stop) {
  Reporter reporter(options);
  Connection connection(0, 1, options, stop);
  connection.reporter = &reporter;
  return serve_to_the_end(options, connection, reporter, stop);
}

int run_secluded_server(const ParsedCommand& first, const ParseEnvironment& environment, io::Stop& stop) {
  Connection connection(0, 1, first.options, stop);
  Options options;
  {
    Reporter early(first.options);
    Ending ending(early, Role::kServer);
    const auto args = proto::read_args(connection.channel.in);
    if (!args) return ending.of(worded(args.error(), connection.channel.received(), "server"));
    auto parsed = parse_secluded(first, secluded_from_wire(first.draft->iconv, true, *args), environment);
    if (!parsed) return ending.of(parsed.error());
    options = std::move(parsed->options);
  }
  // No shell has expanded what stands behind the dot.
  std::vector<std::string> expanded;
  for (size_t i = 0; i < options.operands.size(); ++i) {
    if (i == 0 || !options.sender || options.operands[i].find_first_of("*?[") == std::string::npos) {
      expanded.push_back(options.operands[i]);
      continue;
    }
    glob_t found{};
    if (::glob(options.operands[i].c_str(), GLOB_NOCHECK, nullptr, &found) == 0)
      for (size_t j = 0; j < found.gl_pathc; ++j) expanded.emplace_back(found.gl_pathv[j]);
    ::globfree(&found);
  }
  options.operands = std::move(expanded);
  Reporter reporter(options);
  connection.reporter = &reporter;
  connection.activity.timeout_s = options.timeout_s;
  return serve_to_the_end(options, connection, reporter, stop);
}

}  // namespace ocsync::sync
