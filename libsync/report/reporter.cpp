// Where each kind of text goes, and when an entry is worth a line.
#include "libsync/report/reporter.h"
#include "libsync/report/io_text.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <mutex>
#include <system_error>
#include <thread>
#include <utility>

#include "libio/base/clock.h"
#include "libio/base/text.h"
#include "libio/os/dir.h"
#include "libio/os/sys.h"
#include "libsync/report/exit_code.h"
#include "libsync/report/outlet.h"
#include "libsync/report/totals.h"

namespace ocsync::sync {
namespace {

// The classes of text. kClient is information that is not for the log, kLog is for nothing else.
enum class Kind : uint8_t { kInfo, kClient, kLog, kWarning, kError, kErrorXfer };

bool is_info(Kind kind) { return kind == Kind::kInfo || kind == Kind::kClient; }

constexpr size_t kLongestText = 5119;
constexpr size_t kBlockBuffer = 32 * 1024;
constexpr std::string_view kDeletingFormat = "deleting %n";

// The kind of code that carries a text to the client. Old versions know two kinds only.
proto::Code code_of(Kind kind, bool rich) {
  switch (kind) {
    case Kind::kErrorXfer: return proto::Code::kErrorXfer;
    case Kind::kError: return rich ? proto::Code::kError : proto::Code::kErrorXfer;
    case Kind::kWarning: return rich ? proto::Code::kWarning : proto::Code::kInfo;
    default: return proto::Code::kInfo;
  }
}

Kind kind_of(proto::Code code) {
  switch (code) {
    case proto::Code::kInfo:
    case proto::Code::kClient: return Kind::kInfo;
    case proto::Code::kLog: return Kind::kLog;
    case proto::Code::kWarning: return Kind::kWarning;
    case proto::Code::kErrorXfer: return Kind::kErrorXfer;
    default: return Kind::kError;
  }
}

std::string with_newline(std::string_view line) {
  std::string out;
  out.reserve(line.size() + 1);
  out += line;
  out += '\n';
  return out;
}

// What a server is told about the client's format, as the format it stands for.
std::string_view format_of_client(const Options& options) {
  if (options.far_wants_item) return options.far_wants_item_level > 1 ? "%i%I" : "%i";
  if (options.far_wants_operation) return "%o";
  return options.log_format_x ? "X" : "";
}

}  // namespace

std::string_view role_name(Role role) {
  switch (role) {
    case Role::kClient: return "client";
    case Role::kServer: return "server";
    case Role::kSender: return "sender";
    case Role::kGenerator: return "generator";
    case Role::kReceiver: return "receiver";
    case Role::kReceiverStart: return "Receiver";
  }
  return "client";
}

struct Reporter::Impl {
  struct FarSide {
    std::function<void(const proto::Message&)> post;
    bool rich = true;
    bool errors_by_message = false;
  };
  struct Conversion {
    std::function<std::string(std::string_view)> to_far, from_far;
  };

  Impl(const Options& o, RunState& s, ReporterPorts p)
      : options(o),
        state(s),
        ports(std::move(p)),
        escape(o.eight_bit ? Escape::kTerminal8Bit : Escape::kTerminal),
        has_out_format(o.server ? !format_of_client(o).empty() : !o.out_format.empty() || o.out_format_given),
        out_format(o.server ? format_of_client(o) : std::string_view(o.out_format)),
        log_format(o.log_file_format),
        deleting_format(kDeletingFormat),
        unchanged_level(o.server ? o.far_wants_item_level : o.itemize) {
    if (!ports.wall_seconds) ports.wall_seconds = [] { return wall_seconds(); };
    style.process_id = ::getpid();
    if (o.outbuf == 'B') outlet.hold_back(kBlockBuffer);
    before_transfer = !o.server && has_out_format && !out_format.needs_transfer();
  }

  bool has_log() const { return ports.log || log_file.fd() >= 0; }
  bool logs_items() const { return has_log() && !log_format.empty(); }
  static bool shows_operation(const OutputFormat& format) { return format.has('i') || format.has('o'); }

  // --- text ---------------------------------------------------------------------------------------------------------

  // Every text takes this way. It ends in a newline, unless a far side left that out.
  // `plain`: said by a half of this run that would be a server, see append_printable().
  void say(Kind kind, std::string_view text, bool plain = false) {
    if (turns_kept.load(std::memory_order_relaxed) > 0) wait_for_turn();
    if (kind == Kind::kErrorXfer) state.transfer_error = true;
    std::string cut;
    if (text.size() > kLongestText) {
      constexpr std::string_view kCut = "[...]\n";
      cut = text.substr(0, kLongestText - kCut.size());
      cut += kCut;
      text = cut;
    }
    if (kind != Kind::kClient && has_log()) log(text, kind != Kind::kInfo && kind != Kind::kLog);
    if (kind == Kind::kLog) return;
    if (is_info(kind) && (options.quiet > 0 || muted)) return;
    if (options.server && post(kind, text)) return;
    print(descriptor(kind), text, true, plain);
  }

  void wait_for_turn() {
    std::function<void()> wait;
    {
      const std::lock_guard lock(turn_mutex);
      for (const auto& [thread, turn] : turns)
        if (thread == std::this_thread::get_id()) wait = turn;
    }
    if (wait) wait();
  }

  void log(std::string_view text, bool warning) {
    if (text.ends_with('\n') || text.ends_with('\r')) text.remove_suffix(1);
    if (ports.log) return ports.log(text, warning);
    std::string line = fmt::format("{} [{}] ", time_text(ports.wall_seconds()), style.process_id);
    append_escaped(line, text, Escape::kLogFile);
    line += '\n';
    outlet.add(true, [&] { outlet.put(log_file.fd(), line); });
  }

  // In a client that sends, the receiving roles are those of a local run's other half, which writes errors itself.
  bool is_far_half(Role role) const {
    return !options.server && options.sender && options.stderr_mode != StderrMode::kClient &&
           (role == Role::kGenerator || role == Role::kReceiver);
  }

  // True if the text is on its way to the client.
  bool post(Kind kind, std::string_view text) {
    const std::shared_ptr<const FarSide> to = far_side();
    if (to == nullptr) return false;
    const StderrMode mode = to->errors_by_message ? StderrMode::kClient : options.stderr_mode;
    if (mode == StderrMode::kAll || (mode == StderrMode::kErrors && !is_info(kind))) return false;
    const std::shared_ptr<const Conversion> by = conversion();
    to->post(proto::TextMessage{code_of(kind, to->rich), by && by->to_far ? by->to_far(text) : std::string(text)});
    return true;
  }

  int descriptor(Kind kind) const {
    const bool to_out = is_info(kind) && !options.server && options.stderr_mode != StderrMode::kAll;
    return to_out ? ports.out_fd : ports.err_fd;
  }

  // Only line ends that belong to the text pass unescaped.
  void print(int fd, std::string_view text, bool ends_open_line, bool plain = false) {
    std::string out;
    out.reserve(text.size() + 16);
    const bool ended = text.ends_with('\n') || text.ends_with('\r');
    append_printable(out, ended ? text.substr(0, text.size() - 1) : text, plain || options.server);
    if (ended) out += text.back();
    put(fd, out, ends_open_line, false);
  }

  // A far side does not know the client's terminal: it lets pass what is printable by itself, and no character of
  // several bytes.
  void append_printable(std::string& out, std::string_view text, bool by_server) const {
    if (!by_server || options.eight_bit) return append_escaped(out, text, escape);
    while (!text.empty()) {
      const auto strange = std::find_if(text.begin(), text.end(), [](char c) {
        return (c & 0x80) != 0 && !std::isprint(static_cast<unsigned char>(c));
      });
      const auto plain = static_cast<size_t>(strange - text.begin());
      append_escaped(out, text.substr(0, plain), escape);
      if (plain == text.size()) return;
      out += fmt::format("\\#{:03o}", static_cast<unsigned char>(text[plain]));
      text.remove_prefix(plain + 1);
    }
  }

  // These bytes, as they are.
  void put(int fd, std::string_view bytes, bool ends_open_line, bool stays_open) {
    outlet.add(fd != ports.out_fd || stays_open, [&] {
      if (open_line && ends_open_line) outlet.put(fd, "\n");
      outlet.put(fd, bytes);
      open_line = stays_open;
      open_fd = fd;
    });
  }

  // --- entries ------------------------------------------------------------------------------------------------------

  void print_item(const ItemFacts& facts) {
    if (has_out_format && !options.server) say(Kind::kClient, line_of(out_format, facts));
  }
  void log_item(const ItemFacts& facts) {
    if (logs_items()) say(Kind::kLog, line_of(log_format, facts));
  }
  std::string line_of(const OutputFormat& format, const ItemFacts& facts) const {
    return with_newline(format.render(facts, style, ports.wall_seconds()));
  }

  // An entry that is not transferred: is it worth a line?
  void untransferred_item(const ItemFacts& facts) {
    const bool log_itemizes = log_format.has('i');
    const bool itemizing = options.server ? log_itemizes : options.itemize > 0;
    const bool significant = (facts.item_flags & proto::kSignificantItemFlags) != 0;
    const bool named = !facts.xname.empty();
    const bool shown = itemizing && (significant || named || unchanged_level > 1 ||
                                     (options.verbosity.shows(Info::kName, 2) && unchanged_level > 0));
    if (options.server) {
      if (!options.dry_run && shown && (significant || log_itemizes)) log_item(facts);
      return;
    }
    const bool changed_here = significant && ((facts.item_flags & proto::kLocalChange) != 0 || S_ISDIR(facts.mode));
    if (!shown && !changed_here && !named) return;
    print_item(facts);
    if (significant || log_itemizes) log_item(facts);
  }

  void deletion(std::string_view name, uint32_t mode, bool told_elsewhere) {
    ItemFacts facts;
    facts.name = name;
    facts.mode = mode;
    facts.deleted = true;
    if (!told_elsewhere && (has_out_format || options.verbosity.shows(Info::kDel)))
      say(Kind::kClient, line_of(shows_operation(out_format) ? out_format : deleting_format, facts));
    if (logs_items() && !options.dry_run)
      say(Kind::kLog, line_of(shows_operation(log_format) ? log_format : deleting_format, facts));
  }

  std::shared_ptr<const FarSide> far_side() {
    const std::lock_guard lock(far_mutex);
    return far;
  }
  std::shared_ptr<const Conversion> conversion() {
    const std::lock_guard lock(far_mutex);
    return convert;
  }

  const Options& options;
  RunState& state;
  ReporterPorts ports;
  const Escape escape;
  const bool has_out_format;
  const OutputFormat out_format;
  OutputFormat log_format;
  const OutputFormat deleting_format;
  const int unchanged_level;  // 2: entries without change are shown, too
  bool before_transfer = false;
  ItemStyle style;
  io::File log_file;
  std::atomic<bool> muted{false};

  std::mutex far_mutex;  // guards the two pointers
  std::shared_ptr<const FarSide> far;
  std::shared_ptr<const Conversion> convert;

  std::atomic<int> turns_kept{0};
  std::mutex turn_mutex;  // guards the next
  std::vector<std::pair<std::thread::id, std::function<void()>>> turns;

  bool open_line = false;  // these two only while the outlet is locked
  int open_fd = -1;
  Outlet outlet;
};

Reporter::Reporter(const Options& options, ReporterPorts ports)
    : options_(options), impl_(std::make_unique<Impl>(options, state_, std::move(ports))) {
  impl_->style.times = options.times;
  impl_->style.owner = options.owner;
  impl_->style.group = options.group;
  if (options.log_file.empty() || impl_->ports.log) return;
  Result<io::File> log =
      io::Dir::open_trusted_file(options.log_file, io::Dir::Use::kAppend, 0644, options.insecure_links);
  if (log) {
    impl_->log_file = std::move(*log);
    return;
  }
  error(options.server ? Role::kServer : Role::kClient, fmt::format("failed to open log-file {}", options.log_file),
        log.error().sys);
  info_line("Ignoring \"log file\" setting.");
}

bool Reporter::shows_transfer_figures() const {
  return (impl_->has_out_format && impl_->out_format.needs_transfer()) || impl_->logs_items();
}

Reporter::Turn Reporter::in_turn(std::function<void()> wait) {
  {
    const std::lock_guard lock(impl_->turn_mutex);
    impl_->turns.emplace_back(std::this_thread::get_id(), std::move(wait));
  }
  ++impl_->turns_kept;
  return Turn(*impl_);
}

Reporter::Turn::~Turn() {
  --impl_.turns_kept;
  const std::lock_guard lock(impl_.turn_mutex);
  std::erase_if(impl_.turns, [](const auto& turn) { return turn.first == std::this_thread::get_id(); });
}

Reporter::~Reporter() { impl_->outlet.flush(); }

void Reporter::connect_far_side(std::function<void(const proto::Message&)> post, bool rich, bool errors_by_message) {
  std::shared_ptr<const Impl::FarSide> far;
  if (post) far = std::make_shared<Impl::FarSide>(std::move(post), rich, errors_by_message);
  const std::lock_guard lock(impl_->far_mutex);
  impl_->far.swap(far);
}

void Reporter::set_text_conversion(std::function<std::string(std::string_view)> to_far,
                                   std::function<std::string(std::string_view)> from_far) {
  std::shared_ptr<const Impl::Conversion> convert =
      std::make_shared<Impl::Conversion>(std::move(to_far), std::move(from_far));
  const std::lock_guard lock(impl_->far_mutex);
  impl_->convert.swap(convert);
}

void Reporter::set_style(const ItemStyle& style) {
  const int64_t process_id = impl_->style.process_id;
  impl_->style = style;
  if (style.process_id == 0) impl_->style.process_id = process_id;
}
const ItemStyle& Reporter::style() const { return impl_->style; }
void Reporter::set_log_format(std::string_view format) { impl_->log_format = OutputFormat(format); }
void Reporter::mute_info(bool muted) { impl_->muted = muted; }

void Reporter::error_transfer(Role role, std::string_view text, int sys) {
  const std::string what = sys != 0 ? fmt::format(": {} ({})", std::generic_category().message(sys), sys) : "";
  if (role != Role::kSender) state_.receiving_error = true;
  impl_->say(Kind::kErrorXfer, fmt::format("rsync: [{}] {}{}\n", role_name(role), text, what),
             impl_->is_far_half(role));
}

void Reporter::error(Role role, std::string_view text, int sys) {
  const std::string what = sys != 0 ? fmt::format(": {} ({})", std::generic_category().message(sys), sys) : "";
  impl_->say(Kind::kError, fmt::format("rsync: [{}] {}{}\n", role_name(role), text, what), impl_->is_far_half(role));
}

void Reporter::error_line(std::string_view line, bool counts) {
  if (counts) state_.receiving_error = true;
  impl_->say(counts ? Kind::kErrorXfer : Kind::kError, with_newline(line));
}
void Reporter::sender_error_line(std::string_view line) { impl_->say(Kind::kErrorXfer, with_newline(line)); }
void Reporter::warning_line(std::string_view line) { impl_->say(Kind::kWarning, with_newline(line)); }
void Reporter::info_line(std::string_view line) { impl_->say(Kind::kInfo, with_newline(line)); }
void Reporter::info_line_if(Info what, int level, std::string_view line) {
  if (options_.verbosity.shows(what, level)) info_line(line);
}
void Reporter::debug_line_if(Debug what, int level, std::string_view line) {
  if (options_.verbosity.shows(what, level)) info_line(line);
}
void Reporter::log_line(std::string_view line) { impl_->say(Kind::kLog, with_newline(line)); }

void Reporter::client_text(std::string_view text) {
  if (options_.quiet > 0 || impl_->muted) return;
  if (options_.server && impl_->post(Kind::kClient, text)) return;
  impl_->put(impl_->descriptor(Kind::kClient), text, true, false);
}

void Reporter::open_line(std::string_view text) {
  if (options_.quiet > 0 || options_.server) return;
  impl_->put(impl_->descriptor(Kind::kClient), text, true, true);
}

void Reporter::update_line(std::string_view text) {
  if (options_.quiet > 0 || options_.server) return;
  impl_->put(impl_->descriptor(Kind::kClient), text, false, !text.ends_with('\n'));
}

void Reporter::complete_line(std::string_view line) {
  const std::string text = with_newline(line);
  if (impl_->has_log()) impl_->log(text, false);
  if (options_.quiet > 0 || options_.server) return;
  impl_->print(impl_->descriptor(Kind::kInfo), text, false);
}

void Reporter::close_line() {
  impl_->outlet.add(true, [this] {
    if (std::exchange(impl_->open_line, false)) impl_->outlet.put(impl_->open_fd, "\n");
  });
}

void Reporter::block(std::string_view text) {
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    if (end == 0)
      client_text("\n");
    else
      info_line(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
}

void Reporter::totals(const Totals& totals, int version) {
  if (options_.verbosity.shows(Info::kStats, 2)) block(stats_text(totals, options_, version));
  if (options_.verbosity.shows(Info::kIo))
    block(options_.verbosity.shows(Info::kIo, 2) ? io_json(totals.io) : io_text(totals.io, amount_style(options_)));
  if (options_.verbosity.shows(Info::kStats, 1)) block(closing_text(totals, options_, impl_->ports.wall_seconds()));
}

void Reporter::heap(Role role, bool for_far_half) {
  if (!options_.verbosity.shows(Info::kStats, 3)) return;
  block(heap_text(role_name(role), options_.server || for_far_half, options_.daemon));
}

void Reporter::from_far_side(const proto::TextMessage& message) {
  const std::shared_ptr<const Impl::Conversion> by = impl_->conversion();
  const std::string text = by && by->from_far ? by->from_far(message.text) : message.text;
  // A client has no reason to tell a server anything; sent back, it would fill our memory while the client does not
  // read.
  impl_->say(options_.server ? Kind::kLog : kind_of(message.code), text);
}

void Reporter::item(const ItemFacts& facts) {
  if ((facts.item_flags & proto::kTransfer) == 0) return impl_->untransferred_item(facts);
  impl_->print_item(facts);
  if (!options_.dry_run && !options_.only_write_batch) impl_->log_item(facts);
}

bool Reporter::item_before_transfer() const { return impl_->before_transfer; }

void Reporter::transfer_starts(const ItemFacts& facts) {
  if (impl_->before_transfer || options_.dry_run) return impl_->print_item(facts);
  const bool names_under_progress = !options_.server && options_.verbosity.shows(Info::kName) &&
                                    options_.verbosity.shows(Info::kProgress, 1) &&
                                    !options_.verbosity.shows(Info::kProgress, 2);
  if (names_under_progress) impl_->say(facts.we_send ? Kind::kClient : Kind::kInfo, with_newline(facts.name));
}

void Reporter::transfer_done(const ItemFacts& facts) {
  if (options_.dry_run) return;
  if (!impl_->before_transfer) impl_->print_item(facts);
  impl_->log_item(facts);
}

void Reporter::deleted(std::string_view name, uint32_t mode, bool deleted_messages) {
  const bool by_message = options_.server && deleted_messages;
  if (by_message) {
    if (const auto to = impl_->far_side()) {
      const auto by = impl_->conversion();
      to->post(proto::DeletedMessage{by && by->to_far ? by->to_far(name) : std::string(name), S_ISDIR(mode)});
    }
  }
  impl_->deletion(name, mode, by_message);
}

void Reporter::deleted_by_far_side(const proto::DeletedMessage& message) {
  if (options_.server) return;  // only a client is told of deletions
  const auto by = impl_->conversion();
  const std::string name = by && by->from_far ? by->from_far(message.name) : message.name;
  impl_->deletion(name, message.is_dir ? uint32_t{S_IFDIR} : uint32_t{S_IFREG}, false);
}

bool Reporter::shows_unchanged() const {
  return impl_->unchanged_level > 1 || options_.verbosity.shows(Info::kName, 2);
}

bool Reporter::log_names_made() const { return impl_->has_log() && !impl_->log_format.has('i'); }

bool Reporter::shows_digest() const {
  return (!options_.server && impl_->out_format.has('C')) || (impl_->logs_items() && impl_->log_format.has('C'));
}

void Reporter::log_closing(int code, bool we_send, const Totals& totals) {
  const bool expected =
      code != kExitOk || options_.server || options_.daemon || !options_.verbosity.shows(Info::kStats);
  // Half of a receiving side does not know the totals of a run that failed.
  if (!expected || (code != kExitOk && !we_send)) return;
  log_line(fmt::format("sent {} bytes  received {} bytes  total size {}", totals.total_sent.load(),
                       totals.total_received.load(), totals.total_size.load()));
}

void Reporter::exit_line(int code, Role role, std::string_view where) {
  if (code == kExitOk) return;
  close_line();
  const bool mild = code == kExitVanished;
  impl_->say(mild ? Kind::kWarning : Kind::kError,
             fmt::format("rsync {}: {} (code {}) at {} [{}={}]\n", mild ? "warning" : "error", exit_text(code), code,
                         where, role_name(role), OCSYNC_VERSION));
}

void Reporter::flush() { impl_->outlet.flush(); }

}  // namespace ocsync::sync
