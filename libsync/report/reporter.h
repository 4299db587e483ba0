// The only writer of messages: terminal, log file or far side, always in the order of the list.
//
// Every thread of a run may call it; each call is one line (or one progress update) and lines never mix. Where a line
// goes is decided here from the role (client or server), --stderr, -q and whether frames are on.
#pragma once

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

namespace ocsync::sync {

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
  bool gid_known = true;         // false: %G says DEFAULT
  uint32_t item_flags = 0;       // proto::ItemFlag
  Digest digest;                 // %C; size 0: unknown
  uint64_t data_bytes = 0;       // %b
  uint64_t sums_bytes = 0;       // %c
  bool we_send = false;          // "<" and "send" against ">" and "recv"
  bool local_run = false;        // both ends are this process: always ">"
  bool deleted = false;          // "*deleting"
};

// How errors of this run count towards the exit code. Thread-safe.
struct RunState {
  std::atomic<int> io_error{0};             // bits: 1 general, 2 vanished, 4 delete limit
  std::atomic<bool> transfer_error{false};  // an ERROR_XFER message was made or received
};

class Reporter {
 public:
  explicit Reporter(const Options& options);
  ~Reporter();

  // From now on text of a server travels by `post` (see MuxSink::post); null stops that. `rich` is the agreement's
  // rich_text_codes.
  void connect_far_side(std::function<void(const proto::Message&)> post, bool rich);

  // "rsync: [role] TEXT: STRERROR (ERRNO)" with sys != 0, else "rsync: [role] TEXT"; counts as a transfer error (23).
  void error_transfer(Role role, std::string_view text, int sys = 0);
  // The same line without effect on the exit code.
  void error(Role role, std::string_view text, int sys = 0);
  // A complete line of error class as rsync words it, without prefix; `counts`: ends the run with 23.
  void error_line(std::string_view line, bool counts);
  void warning_line(std::string_view line);
  // Information: to standard output (and the log). `line` without newline.
  void info_line(std::string_view line);
  void info_line_if(Info what, int level, std::string_view line);
  void debug_line_if(Debug what, int level, std::string_view line);
  // To standard output only, not to the log; exactly these bytes.
  void client_text(std::string_view text);
  // A text message that came from the far side.
  void from_far_side(const proto::TextMessage& message);

  // One entry was handled: prints by --out-format / -v / -i and logs by --log-file-format, as rsync would for this role.
  void item(const ItemFacts& facts);
  // Should item() be called before the transfer (true) or after it (formats with %b %c %C)?
  bool item_before_transfer() const;
  // "deleting NAME" (or by format). On a server it travels as a DELETED message where the agreement has them.
  void deleted(std::string_view name, uint32_t mode, bool deleted_messages);
  // The far side's DELETED message.
  void deleted_by_far_side(const proto::DeletedMessage& message);

  // True if an item without significant flags is to be shown, too (-ii, -vv, name2).
  bool shows_unchanged() const;

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

}  // namespace ocsync::sync
