// What the user wants, resolved: implications applied, conflicts refused, values parsed. Never changes after resolve().
//
// One Options serves every role: client or far side, sender or receiving side. Which end an option matters to is the
// table's business (options/table), not this struct's.
#pragma once

#include <climits>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "libio/os/io_wishes.h"
#include "libsync/report/verbosity.h"

namespace ocsync::sync {

enum class DeleteMode : uint8_t { kNone, kBefore, kDuring, kDelay, kAfter };
enum class BasisDirKind : uint8_t { kNone, kCompare, kCopy, kLink };
constexpr const char* basis_option(BasisDirKind kind) {
  return kind == BasisDirKind::kCompare ? "--compare-dest"
         : kind == BasisDirKind::kCopy  ? "--copy-dest"
                                        : "--link-dest";
}
enum class StderrMode : uint8_t { kErrors, kAll, kClient };
enum class AppendMode : uint8_t { kNone, kAppend, kVerify };

// One filter option in the order given, still as text: the filter room parses it.
struct FilterArgument {
  enum class Kind : uint8_t { kFilter, kInclude, kExclude, kIncludeFrom, kExcludeFrom, kCvs, kPerDirShort /* -F */ };
  Kind kind;
  std::string text;
  bool nulls = false;  // -0 stood before it: rules of its file end in NUL
};

// Does an output format show %X? Between the percent sign and the letter may be apostrophes, a minus and a width.
bool format_shows(std::string_view format, char escape);

struct Options {
  // Selection.
  bool recurse = false;
  bool explicit_recurse = false;  // -r itself, not only -a
  bool dirs = false;              // -d, implied by -r; explicit_dirs tells them apart
  bool explicit_dirs = false;
  bool relative = false;
  bool implied_dirs = true;
  bool mkpath = false;
  int one_file_system = 0;  // -x, -xx
  bool prune_empty_dirs = false;
  std::vector<FilterArgument> filters;
  bool cvs_exclude = false;
  bool old_dirs = false;
  std::optional<int64_t> min_size, max_size;
  std::string min_size_text, max_size_text;  // as typed or as decimal, for the far side
  std::string files_from;                    // path, "-" or host:path; empty: none
  std::string files_from_host;               // host of the list if it was given with one
  bool files_from_far = false;               // the list lives on the far side (":list" leaves the host empty)
  bool from0 = false;
  bool ignore_missing_args = false;
  bool delete_missing_args = false;
  bool list_only = false;
  bool explicit_list_only = false;

  // What is kept of an entry.
  bool links = false;
  bool copy_links = false;
  bool copy_unsafe_links = false;
  bool safe_links = false;
  bool munge_links = false;
  bool copy_dirlinks = false;
  bool keep_dirlinks = false;
  int hard_links = 0;  // -H, -HH
  bool perms = false;
  bool executability = false;
  std::string chmod;  // modes joined by commas; empty: none
  bool acls = false;
  int xattrs = 0;  // -X, -XX
  bool owner = false;
  bool group = false;
  bool devices = false;
  bool specials = false;
  bool drop_devices = false;  // --drop-D
  bool copy_devices = false;
  bool write_devices = false;
  bool times = false;
  int atimes = 0;  // -U, -UU
  bool open_noatime = false;
  bool crtimes = false;
  bool omit_dir_times = false;
  bool explicit_omit_dir_times = false;
  bool omit_link_times = false;
  std::optional<bool> super;  // --super / --no-super; unset: by effective uid
  bool fake_super = false;
  bool numeric_ids = false;
  std::string usermap, groupmap;  // --chown becomes these
  std::string copy_as;
  bool sparse = false;
  bool preallocate = false;

  // Comparing.
  bool checksum = false;
  bool ignore_times = false;
  bool size_only = false;
  bool update = false;
  bool existing_only = false;  // --existing
  bool ignore_existing = false;
  int modify_window = 0;
  bool modify_window_given = false;
  int fuzzy = 0;
  BasisDirKind basis_kind = BasisDirKind::kNone;
  std::vector<std::string> basis_dirs;

  // Moving.
  bool dry_run = false;            // -n
  std::optional<bool> whole_file;  // -W / --no-W; unset: local yes, else no
  uint32_t block_size = 0;
  AppendMode append = AppendMode::kNone;
  bool inplace = false;  // also implied by append and write_devices
  bool partial = false;
  std::string partial_dir;
  bool partial_dir_implied = false;  // by --delay-updates
  bool delay_updates = false;
  std::string temp_dir;
  bool backup = false;
  std::string backup_dir;
  std::string backup_suffix = "~";
  bool fsync = false;
  bool remove_source_files = false;
  bool remove_sent_files = false;  // old spelling: transferred files only
  bool compress = false;
  bool compress_by_level = false;  // only --compress-level asked for it: the far side is not told -z
  std::string compress_choice;     // empty: negotiate; "zlib", "zlibx", "zstd", "lz4"
  std::optional<int> compress_level;
  int compress_threads = 0;
  std::string skip_compress;
  bool skip_compress_given = false;
  std::string checksum_choice;  // as typed; empty: negotiate
  int32_t checksum_seed = 0;
  uint64_t bwlimit_kib = 0;
  int64_t max_alloc = int64_t{1} << 30;
  std::string max_alloc_text;  // when given and not the default

  // Deleting.
  bool delete_any = false;                     // some --delete was given (missing-args excepted)
  DeleteMode delete_mode = DeleteMode::kNone;  // kNone with delete_any: decided by the protocol version
  bool delete_excluded = false;
  std::optional<int> max_delete;
  bool force_delete = false;
  bool ignore_errors = false;

  // Talking to the far side.
  bool server = false;
  bool sender = false;  // on a server: it sends. On a client: set by the operands.
  bool daemon = false;
  std::string shell;  // -e; empty: RSYNC_RSH or ssh
  std::string rsync_path = "rsync";
  std::vector<std::string> remote_options;  // -M
  int protocol = 32;
  bool inc_recursive = true;  // allowed by the user
  bool qsort = false;
  std::string capabilities;  // server: the text after -e
  int old_args = 0;
  bool secluded_args = false;
  bool trust_sender = false;
  std::string iconv;
  int timeout_s = 0;
  int contimeout_s = 0;
  std::string address;
  int port = 0;
  int address_family = 0;  // 0, 4 or 6
  std::string sockopts;
  std::string password_file;
  std::string early_input;
  bool no_motd = false;
  bool blocking_io = false;
  int64_t stop_at_wall_s = 0;  // --stop-at, --stop-after; 0: none
  bool insecure_links = false;
  std::string confine_root;

  // A daemon's module. A client cannot set any of these.
  std::string module_name;          // empty: nobody is served
  std::string module_root;          // absolute path of what the client is served; empty: no confinement of our own
  int module_fd = -1;               // that directory, open (borrowed); -1 where the process's root already confines
  bool operators_temp_dir = false;  // temp_dir is the configuration's: it may lie anywhere
  bool sanitize_links = false;      // targets of symlinks that arrive are bent to stay inside
  bool ignore_names = false;        // names of owners travel, but ids count
  bool ignore_nonreadable = false;  // leave out of lists what this process may not read
  std::string module_chmod;         // modes that apply after the client's, also without -p

  io::IoWishes io;  // --io: this end only, the far side is never told

  // Batch.
  std::string write_batch, read_batch;
  bool only_write_batch = false;          // dry_run holds as well, but content travels
  std::vector<std::string> command_line;  // the words as typed, the program's name first, if a batch is written
  // Does file content travel? (Not in a dry run, unless it is for a batch.)
  bool moves_content() const { return !dry_run || only_write_batch; }

  // Telling the user.
  int verbose = 0;
  int quiet = 0;
  Verbosity verbosity;     // --info, --debug and what -v implies
  int itemize = 0;         // client: 1 or 2 if out_format shows %i (2: unchanged entries, too)
  std::string out_format;  // client: resolved from --out-format, -i or -v; empty: none
  bool out_format_given = false;
  bool far_wants_item = false;       // server: --log-format=%i
  int far_wants_item_level = 0;      // server: 2 for %i%I
  bool far_wants_operation = false;  // server: --log-format=%o
  bool log_format_x = false;         // server: --log-format=X
  std::string log_file;
  std::string log_file_format;
  bool log_file_format_given = false;
  bool stats = false;
  int stats_level = 0;
  bool progress = false;  // client: --progress or -P
  int human = 1;          // 0 plain, 1 groups, 2 units of 1000, 3 of 1024
  bool eight_bit = false;
  StderrMode stderr_mode = StderrMode::kErrors;
  bool stderr_given = false;
  char outbuf = 0;  // 'N', 'L', 'B' or 0

  // Operands, in order, as typed.
  std::vector<std::string> operands;

  bool deleting() const { return delete_any; }
  // May the names and rules that a sender sends be taken without checking them against what was asked for?
  bool trusts_sender_args() const { return trust_sender || server || old_args > 0 || files_from_far; }
  bool trusts_sender_filter() const { return trust_sender || server; }
};

}  // namespace ocsync::sync
