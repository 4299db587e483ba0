#include "libsync/session/pieces.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <system_error>

#include "libio/base/clock.h"
#include "libsync/list/named_dir.h"
#include "libsync/list/paths.h"
#include "libsync/options/far_args.h"
#include "libsync/receiver/basis.h"
#include "libsync/report/exit_code.h"

namespace ocsync::sync {

namespace {
constexpr int kLastWordsMs = 2000;
}

proto::HandshakeWishes wishes_of(const Options& options, bool server, bool we_send) {
  proto::HandshakeWishes wishes;
  const auto variable = [](const char* name) {
    const char* text = std::getenv(name);
    return std::string(text ? text : "");
  };
  wishes.max_version = options.protocol;  // also one that nobody speaks: the other end says so
  wishes.incremental = wants_incremental_recursion(options, we_send);
  if (server) wishes.far_capabilities = options.capabilities;
  wishes.checksum_choice = options.checksum_choice;
  wishes.compress = options.compress;
  wishes.compress_choice = options.compress_choice;
  wishes.compress_level = options.compress_level.value_or(0);
  wishes.compress_level_given = options.compress_level.has_value();
  wishes.compress_threads = options.compress_threads;
  wishes.checksum_list = variable("RSYNC_CHECKSUM_LIST");
  wishes.compress_list = variable("RSYNC_COMPRESS_LIST");
  wishes.writes_batch = !options.write_batch.empty();
  wishes.checksum_seed = options.checksum_seed;
  wishes.fresh_seed = static_cast<int32_t>(wall_seconds() ^ (static_cast<int64_t>(::getpid()) << 6));
  wishes.acls = options.acls;
  wishes.xattrs = options.xattrs > 0;
  wishes.fuzzy = options.fuzzy > 0;
  wishes.basis_dirs = static_cast<int>(options.basis_dirs.size());
  wishes.basis_option = basis_option(options.basis_kind);
  wishes.basis_with_inplace = !options.basis_dirs.empty() && options.inplace;
  wishes.prune_empty_dirs = options.prune_empty_dirs;
  wishes.crtimes = options.crtimes;
  return wishes;
}

namespace {

// Of "LOCAL,REMOTE" the local one, as traces show it.
std::string_view charset_of(std::string_view spec) {
  const std::string_view local = spec.substr(0, spec.find(','));
  return local.empty() || local == "." ? "[LOCALE]" : local;
}

}  // namespace

void say_algorithms(const Terms& terms) {
  const Options& o = terms.options;
  const proto::Agreement& agreed = terms.agreed;
  const int level = terms.am_server ? 3 : 1;
  const std::string_view who = terms.am_server ? "Server" : "Client";
  terms.reporter.trace(Debug::kProto, 1, "({}) Protocol versions: remote={}, negotiated={}", who, agreed.far_version,
                       agreed.version);
  if (!o.iconv.empty() && o.iconv != "-")
    terms.reporter.trace(Debug::kIconv, 1, "[{}] charset: {}", terms.am_server ? "server" : "client",
                         charset_of(o.iconv));
  const auto negotiated = [&](const std::string& choice) {
    return agreed.varint_entry_flags && (choice.empty() || choice == "auto" || choice == "auto,auto") ? " negotiated"
                                                                                                      : "";
  };
  const std::string checksum = o.checksum_choice.empty() || o.checksum_choice.starts_with("auto")
                                   ? std::string(digest_name(agreed.transfer_digest))
                                   : o.checksum_choice;
  terms.reporter.debug_line_if(Debug::kNstr, level,
                               fmt::format("{}{} checksum: {}", who, negotiated(o.checksum_choice), checksum));
  if (agreed.compression != proto::Compression::kNone || agreed.compression_level_given)
    terms.reporter.debug_line_if(Debug::kNstr, level,
                                 fmt::format("{}{} compress: {} (level {})", who, negotiated(o.compress_choice),
                                             proto::compression_name(agreed.compression), agreed.compression_level));
}

void let_rules_speak(RuleWorld& world, Reporter& reporter) {
  if (!world.complain) world.complain = [&reporter](std::string_view line) { reporter.error_line(line, false); };
  if (!reporter.options().verbosity.shows(Debug::kFilter)) return;
  world.explain = [&reporter](std::string_view line) { reporter.debug_line_if(Debug::kFilter, 1, line); };
  world.explains_all = reporter.traces(Debug::kFilter, 2);
}

Result<OperatorFiles> read_operator_files(const Options& options, Reporter& reporter) {
  OperatorFiles out;
  RuleWorld world = RuleWorld::of_process(options);
  let_rules_speak(world, reporter);
  out.rules = TRY(FilterRules::from_options(options, std::move(world)));
  if (!options.files_from.empty() && !options.files_from_far) out.names = TRY(read_names_file(options));
  return out;
}

Result<std::string> read_names_file(const Options& options) {
  // --confine-root is for names that somebody else gives a server.
  auto text = standard_rule_reader(options, options.server)(options.files_from);
  if (text) return text;
  return fail(Fault::kUsage, fmt::format("rsync: failed to open files-from file {}: {}", options.files_from,
                                         std::generic_category().message(text.error().sys)));
}

Connection::Connection(int in_fd, int out_fd, const Options& options, const io::Stop& stop)
    : source(in_fd, activity, stop),
      sink(out_fd, activity, stop, options.bwlimit_kib * 1024),
      channel(source, sink, activity, [this](const proto::Message& message) { return dispatch(message); }) {
  channel.mux.gather(options.io.has(io::IoPart::kGather));
  activity.timeout_s = options.timeout_s;
  activity.touch();
  if (options.stop_at_wall_s > 0)
    activity.stop_at_ms = monotonic_ms() + (options.stop_at_wall_s - wall_seconds()) * 1000;
}

Status Connection::dispatch(const proto::Message& message) {
  if (const auto* exit = std::get_if<proto::ErrorExitMessage>(&message)) {
    far_said_exit = true;
    channel.mux.post(proto::ErrorExitMessage{exit->has_code && !client, exit->exit_code});
    Error error(Fault::kFarExit, "the far side has ended with an error");
    error.code = exit->exit_code;
    return fail(std::move(error));
  }
  if (const auto* timeout = std::get_if<proto::IoTimeoutMessage>(&message)) {
    const int ours = activity.timeout_s;
    if (client && (ours == 0 || timeout->seconds < ours)) {
      activity.timeout_s = timeout->seconds;
      if (reporter)
        reporter->info_line_if(Info::kMisc, 2, fmt::format("Setting --timeout={} to match server", timeout->seconds));
    }
    return {};
  }
  if (std::holds_alternative<proto::NoopMessage>(message)) return {};
  if (listener_) return listener_(message);
  if (reporter) {
    if (const auto* text = std::get_if<proto::TextMessage>(&message)) reporter->from_far_side(*text);
    if (const auto* bits = std::get_if<proto::IoErrorMessage>(&message)) reporter->state().io_error |= bits->bits;
  }
  return {};
}

void Connection::farewell(const Error& error) {
  if (!may_say_farewell) return;
  const int code = exit_code_of(error);
  activity.take_back();
  activity.timeout_s = 1;
  activity.touch();
  sink.obey(never_);
  // Of a broken stream nobody hears.
  if (sink.torn() || code == 10 || code == 12 || code == 19 || code == 30) return;
  if (!far_said_exit && channel.error_codes_travel) channel.mux.post(proto::ErrorExitMessage{true, code});
  const Status said = channel.mux.flush_posted();
  if (client || !said) return;
  // The client may be writing: if we ended now, it would fail of that instead of reading what we said.
  const Deadline deadline = Deadline::in_ms(kLastWordsMs);
  std::vector<std::byte> scrap(32 * 1024);
  while (!deadline.passed()) {
    const auto ready = source.ready_within(static_cast<int>(deadline.left_ms()));
    if (!ready || !*ready) return;
    const auto got = source.read_some(scrap);
    if (!got || *got == 0) return;
  }
}

KeepAlive::KeepAlive(proto::MuxSink& sink, io::Activity& activity, int timeout_s) {
  if (timeout_s <= 0 || !sink.enabled()) return;
  const int lull_s = (timeout_s + 1) / 2;
  thread_ = std::thread([this, &sink, &activity, lull_s] {
    std::unique_lock lock(mutex_);
    while (!over_) {
      changed_.wait_for(lock, std::chrono::milliseconds(lull_s * 500), [&] { return over_; });
      if (over_) return;
      lock.unlock();
      // What we say only to be heard must not hide that nobody answers: a living far side says as much.
      const int64_t last = activity.last_ms;
      (void)sink.keep_alive(lull_s * 1000);
      activity.last_ms = last;
      lock.lock();
    }
  });
}

KeepAlive::~KeepAlive() {
  {
    const std::lock_guard lock(mutex_);
    over_ = true;
  }
  changed_.notify_all();
  if (thread_.joinable()) thread_.join();
}

ListLines::ListLines(const Terms& terms, bool sending) : terms_(terms), sending_(sending) {
  Reporter& reporter = terms.reporter;
  if (sending)
    reporter.log_line("building file list");
  else
    reporter.log_line("receiving file list");
  if (terms.am_server) return;
  if (terms.agreed.incremental) {
    if (terms.options.verbosity.shows(Info::kFlist))
      reporter.client_text(sending ? "sending incremental file list\n" : "receiving incremental file list\n");
    return;
  }
  if (terms.options.verbosity.shows(Info::kFlist) && terms.options.dirs) {
    reporter.open_line(sending ? "building file list ... " : "receiving file list ... ");
    open_ = true;
  }
}

void ListLines::done(int64_t entries) {
  if (open_) {
    const std::string count = fmt::format("{} file{}to consider", entries, entries == 1 ? " " : "s ");
    if (!terms_.options.verbosity.shows(Info::kFlist, 2))
      terms_.reporter.complete_line("done");
    else if (sending_)
      terms_.reporter.info_line(count);
    else
      terms_.reporter.complete_line(count);
  }
  open_ = false;
}

Status check_receiving_dirs(const Terms& terms, const Destination& destination) {
  terms.reporter.trace(Debug::kChdir, 1, "[Receiver] change_dir({})", destination.absolute());
  BasisDirs::open(terms, destination).say_missing(terms);
  const Options& o = terms.options;
  if (!o.backup_dir.empty()) {
    const std::string path = o.backup_dir[0] == '/' ? o.backup_dir : join_path(destination.absolute(), o.backup_dir);
    const auto info = named_info(path, o);
    if (info) {
      if (!info->is_dir())
        return fail(Fault::kUsage, fmt::format("The backup-dir is not a directory: {}", o.backup_dir));
      terms.reporter.info_line_if(Info::kBackup, 1, fmt::format("backup_dir is {}", o.backup_dir));
    } else if (info.error().sys != ENOENT) {
      return fail(Fault::kFileIo, fmt::format("Failed to stat {}: {}", o.backup_dir, ::strerror(info.error().sys)));
    } else {
      terms.reporter.info_line_if(Info::kBackup, 1, fmt::format("(new) backup_dir is {}", o.backup_dir));
    }
  }
  if (!o.temp_dir.empty()) {
    const std::string path = o.temp_dir[0] == '/' ? o.temp_dir : join_path(destination.absolute(), o.temp_dir);
    const auto info = o.operators_temp_dir ? named_info(path, Options()) : named_info(path, o);
    if (!info) {
      if (info.error().sys == ENOENT)
        return fail(Fault::kUsage, fmt::format("The temp-dir does not exist: {}", o.temp_dir));
      return fail(Fault::kFileIo,
                  fmt::format("Failed to stat temp-dir {}: {}", o.temp_dir, ::strerror(info.error().sys)));
    }
    if (!info->is_dir()) return fail(Fault::kUsage, fmt::format("The temp-dir is not a directory: {}", o.temp_dir));
  }
  return {};
}

Result<proto::Agreement> shake_hands(Connection& connection, const proto::HandshakeWishes& wishes, bool as_server) {
  Channel& channel = connection.channel;
  proto::HandshakeWishes traced;
  const bool traces = connection.reporter && connection.reporter->traces(Debug::kNstr, as_server ? 3 : 2);
  if (traces) {
    traced = wishes;
    traced.tell_lists = [&](std::string_view kind, std::string_view ours, std::string_view theirs) {
      const std::string_view here = as_server ? "server" : "client";
      connection.reporter->info_line(fmt::format("Client {} list (on {}): {}", kind, here, as_server ? theirs : ours));
      connection.reporter->info_line(fmt::format("Server {} list (on {}): {}", kind, here, as_server ? ours : theirs));
    };
  }
  auto agreed = as_server ? proto::handshake_as_server(channel.in, channel.out, traces ? traced : wishes)
                          : proto::handshake_as_client(channel.in, channel.out, traces ? traced : wishes);
  if (!agreed && agreed.error().fault == Fault::kSocket && agreed.error().text.empty())
    return fail(Fault::kStream, "safe_write failed to write 4 bytes to socket", agreed.error().sys);
  channel.begin_count();
  return agreed;
}

void Connection::count_into(Totals& totals) const {
  totals.total_sent = static_cast<int64_t>(channel.sent());
  totals.total_received = static_cast<int64_t>(channel.received());
  totals.io.wire_calls = activity.writes.load();
  totals.io.wire_bytes = activity.bytes_out.load();
}

bool rules_travel(const Connection& connection, const Options& options, const proto::Agreement& agreed) {
  return connection.to_ourselves || FilterRules::travels(options, agreed);
}

Error worded(Error error, uint64_t bytes_so_far, std::string_view role) {
  if (error.fault == Fault::kStream && error.text == "unexpected end of stream")
    error.text =
        fmt::format("rsync: connection unexpectedly closed ({} bytes received so far) [{}]", bytes_so_far, role);
  if (error.fault == Fault::kSocket && error.text.empty()) error.text = "write error";
  if (error.fault == Fault::kTimeout && error.text.starts_with("io timeout"))
    error.text = fmt::format("[{}] {} -- exiting", role, error.text);
  return error;
}

}  // namespace ocsync::sync
