// How one entry looks in a line of output: the itemized string, lines by a format, lines of --list-only.
//
// Pure functions of their arguments, the locale and the time zone; nothing is escaped here (the Reporter does that).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "libio/base/digest.h"
#include "libio/base/result.h"
#include "libio/base/text.h"
#include "libio/os/file_info.h"
#include "libsync/options/options.h"

namespace ocsync::sync {

struct ItemFacts;  // reporter.h

// What the lines of a whole run have in common.
struct ItemStyle {
  bool times = false;         // -t: "t" against "T"
  bool symlink_times = true;  // the receiving side can set times of symlinks
  bool owner = false;         // -o: %U is 0 without
  bool group = false;         // -g: %G is DEFAULT without
  // What %C shows: the list's kind with -c, else the transfer's. An entry without digest gets as many blanks.
  DigestKind digest_kind = DigestKind::kNone;
  bool digest_shown =
      true;  // false: a sum with a seed in it (implied MD4 below version 30), which says nothing to others
  int64_t process_id = 0;  // %p
  // Known in a daemon only; elsewhere their escapes stay as they are typed (%m is empty).
  bool daemon = false;
  std::string client_host, client_address, module, module_path, user;  // %h %a %m %P %u
  std::string inside;  // the destination's place below the module: %f begins with it
};

// The 11 characters of %i.
std::string itemize_text(const ItemFacts& facts, const ItemStyle& style);

// A format (--out-format, --log-file-format, "log format"), compiled once. A value; render() may be called from several
// threads at once.
class OutputFormat {
 public:
  OutputFormat() = default;  // shows nothing
  explicit OutputFormat(std::string_view format);
  // A format that is too long ends the run with 13.
  static Status check(std::string_view format);

  bool empty() const { return pieces_.empty(); }
  // Does the format use this escape? ("%%n" does not use n.)
  bool has(char escape) const;
  // True if what it shows is known only once the data was moved (%b, %c, %C).
  bool needs_transfer() const { return has('b') || has('c') || has('C'); }
  // The line without its newline. `now_s` is the wall clock for %t.
  std::string render(const ItemFacts& facts, const ItemStyle& style, int64_t now_s) const;

 private:
  struct Piece {
    std::string text;  // literal text, or the escape as typed
    char escape = 0;   // 0: literal
    uint8_t number_level = 0;
    bool padded = false;  // a width or '-' was given, perhaps of 0
    bool left = false;
    bool zeros = false;  // width began with 0: whole numbers are padded with zeros
    size_t width = 0;
  };
  std::vector<Piece> pieces_;
};

// The line of one entry under --list-only, without newline. `atime` is asked for with -U, `crtime` with -N.
std::string list_only_line(const ItemFacts& facts, const Options& options, io::FileTime atime = {},
                           io::FileTime crtime = {});

// The style that -h chose for amounts of bytes, and the one for counts and times (never units).
NumberStyle amount_style(const Options& options);
NumberStyle count_style(const Options& options);

}  // namespace ocsync::sync
