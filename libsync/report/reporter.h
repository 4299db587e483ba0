// The only writer of messages: terminal, log file or far side, always in the order of the list.
//
// Every thread of a run may call it; each call is one line (or one progress update) and lines never mix. Where a line
// goes is decided here from the role (client or server), --stderr, -q and whether frames are on.
#pragma once

#include <fmt/format.h>

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "libio/base/digest.h"
#include "libio/base/result.h"
#include "libio/os/file_info.h"
#include "libproto/control.h"
#include "libproto/item.h"
#include "libsync/options/options.h"
#include "libsync/report/item_text.h"

namespace ocsync::sync {

struct Totals;

// Who speaks; the word in brackets of error lines.
enum class Role : uint8_t { kClient, kServer, kSender, kGenerator, kReceiver, kReceiverStart /* "Receiver" */ };
std::string_view role_name(Role role);

// What %-escapes can show about one entry. Borrowed for the duration of a call.
struct ItemFacts {
  std::string_view name;         // relative to the transfer root, as listed; no trailing slash
  std::string_view full_path;    // %f: path as the user would find it
  std::string_view link_target;  // symlinks: " -> TARGET" by %L
  std::string_view xname;        // hard links: " => NAME" by %L
  uint32_t mode = 0;
  int64_t size = 0;
  io::FileTime mtime;
  uint32_t uid = 0, gid = 0;
  bool gid_known = true;    // false: %G says DEFAULT
  uint32_t item_flags = 0;  // proto::ItemFlag
  Digest digest;            // %C; size 0: unknown
  uint64_t data_bytes = 0;  // %b
  uint64_t sums_bytes = 0;  // %c
  bool we_send = false;     // "<" and "send" against ">" and "recv"
  bool local_run = false;   // both ends are this process: always ">"
  bool deleted = false;     // "*deleting"
};

// How errors of this run count towards the exit code. Thread-safe.
struct RunState {
  std::atomic<int> io_error{0};             // bits: 1 general, 2 vanished, 4 delete limit
  std::atomic<bool> transfer_error{false};  // an ERROR_XFER message was made or received
  // The same of all but the sending half: where both halves are here, it stands for what the other one knows.
  std::atomic<bool> receiving_error{false};
};

// Where a Reporter writes and what it knows of the machine; the defaults are those of a program.
struct ReporterPorts {
  int out_fd = 1;                         // borrowed
  int err_fd = 2;                         // borrowed
  std::function<int64_t()> wall_seconds;  // empty: the machine's clock
  // Lines for the log, without time and newline and not yet escaped. Replaces the file of --log-file. A daemon's child
  // gives one: with it errors and information go to the log as well as to the client.
  std::function<void(std::string_view line, bool warning)> log;
};

class Reporter {
 public:
  // Opens the log file that the options name; if that fails, says so and goes on without. Borrows the options.
  explicit Reporter(const Options& options, ReporterPorts ports = {});
  ~Reporter();

  // From now on text of a server travels by `post` (see MuxSink::post); null stops that. `rich` is the agreement's
  // rich_text_codes. `errors_by_message`: errors travel, too, whatever --stderr says (a socket daemon, which has no
  // standard error; versions below 29 without a --stderr option).
  void connect_far_side(std::function<void(const proto::Message&)> post, bool rich, bool errors_by_message = false);
  // What lines show that only the session knows; call it before the roles start.
  void set_style(const ItemStyle& style);
  const ItemStyle& style() const;
  // A daemon module's "log format" (empty: transfers are not logged).
  void set_log_format(std::string_view format);
  // Conversion of text to and from the charset that travels (--iconv); empty functions: none.
  void set_text_conversion(std::function<std::string(std::string_view)> to_far,
                           std::function<std::string(std::string_view)> from_far);
  // While muted, information (not errors) is dropped: below version 31 it cannot travel beside a --files-from list.
  void mute_info(bool muted);

  // "rsync: [role] TEXT: STRERROR (ERRNO)" with sys != 0, else "rsync: [role] TEXT"; counts as a transfer error (23).
  [[gnu::cold]] void error_transfer(Role role, std::string_view text, int sys = 0);
  // The same line without effect on the exit code.
  [[gnu::cold]] void error(Role role, std::string_view text, int sys = 0);
  // A complete line of error class as rsync words it, without prefix; `counts`: ends the run with 23.
  [[gnu::cold]] void error_line(std::string_view line, bool counts);
  // One that counts, said by the sending half.
  [[gnu::cold]] void sender_error_line(std::string_view line);
  [[gnu::cold]] void warning_line(std::string_view line);
  // Information: to standard output (and the log). `line` without newline.
  void info_line(std::string_view line);
  void info_line_if(Info what, int level, std::string_view line);
  void debug_line_if(Debug what, int level, std::string_view line);
  // Traces (--debug, -vvv) for those who look for a fault: what roles do, worded as rsync does. Nobody asked for them:
  // a look at a level is all they cost, as long as the arguments are at hand; else ask traces() first.
  bool traces(Debug what, int level) const { return options_.verbosity.shows(what, level); }
  template <class... Args>
  void trace(Debug what, int level, fmt::format_string<Args...> text, Args&&... args) {
    if (traces(what, level)) [[unlikely]]
      info_line(fmt::format(text, std::forward<Args>(args)...));
  }
  // To standard output only, not to the log; exactly these bytes.
  void client_text(std::string_view text);
  // The same without newline at the end; whatever is said next by another function starts on a new line, except by the
  // two functions below. For "building file list ... " and progress.
  void open_line(std::string_view text);
  // Says `line` (information, with its newline added) on the open line: "done".
  void complete_line(std::string_view line);
  // Text that replaces what is on the open line, and leaves it open: " 200 files...\r", progress.
  void update_line(std::string_view text);
  // Ends the open line, if one is open, on standard output.
  void close_line();
  // Several lines (stats_text, closing_text): information, but empty lines do not go to the log.
  void block(std::string_view text);
  // What a client prints at the end, as far as --stats and --info=stats ask for it.
  void totals(const Totals& totals, int version);
  // --info=stats3: what each role's process has allocated, said by the role when it is through. `for_far_half`: by the
  // half of a local run that would be a server. Our roles share a process, so their figures are alike.
  void heap(Role role, bool for_far_half = false);
  // To the log only, if there is one.
  void log_line(std::string_view line);
  // Does the log hear names of what a generating role makes? Only one that does not itemize.
  bool log_names_made() const;
  // A text message that came from the far side.
  void from_far_side(const proto::TextMessage& message);

  // One entry was handled: prints by --out-format / -v / -i and logs by --log-file-format, as rsync would for this
  // role. Decides itself whether the flags are worth a line. For entries without transfer, and all in a dry run or with
  // --only-write-batch; for transferred ones either this once (see item_before_transfer) or the two functions below.
  void item(const ItemFacts& facts);
  // Should item() be called before the transfer (true) or after it (formats with %b %c %C)?
  bool item_before_transfer() const;
  // Around the data of a transferred entry, both always: the first prints where the format allows it (or the bare name
  // that --progress wants), the second prints the rest and logs. This gives the log the right %b and %c.
  void transfer_starts(const ItemFacts& facts);
  void transfer_done(const ItemFacts& facts);
  // "deleting NAME" (or by format). On a server it travels as a DELETED message where the agreement has them.
  void deleted(std::string_view name, uint32_t mode, bool deleted_messages);
  // The far side's DELETED message.
  void deleted_by_far_side(const proto::DeletedMessage& message);

  // True if an item without significant flags is to be shown, too (-ii, -vv, name2).
  bool shows_unchanged() const;

  // Does %C appear in a format? (A client that sends must keep the digests then.)
  bool shows_digest() const;

  // Do lines show what only a finished transfer knows (%b, %c, %C), or does a log that may ask for it?
  bool shows_transfer_figures() const;

  // While the returned object lives, whatever the calling thread says first calls `wait`: for workers whose files
  // finish in another order than they are listed in.
  class Turn;
  [[nodiscard]] Turn in_turn(std::function<void()> wait);

  // For the log: "sent N bytes  received N bytes  total size N", where rsync would write it. `code` is the exit code.
  void log_closing(int code, bool we_send, const Totals& totals);
  // Closing line "rsync error: ... (code N) at FILE(LINE) [role=VERSION]" on standard error (nothing for 0).
  void exit_line(int code, Role role, std::string_view where);

  void flush();
  RunState& state() { return state_; }
  const Options& options() const { return options_; }

 private:
  struct Impl;
  const Options& options_;
  RunState state_;
  std::unique_ptr<Impl> impl_;
};

class Reporter::Turn {
 public:
  explicit Turn(Impl& impl) : impl_(impl) {}
  Turn(const Turn&) = delete;
  Turn& operator=(const Turn&) = delete;
  ~Turn();

 private:
  Impl& impl_;
};

}  // namespace ocsync::sync
