// The rows themselves, in the order in which a daemon's refusals look at them.
#include "libsync/options/table.h"

#include <algorithm>
#include <deque>
#include <string>

#include "libsync/options/values.h"

namespace ocsync::sync {
namespace {

using K = Effect::Kind;

constexpr Effect on(bool Draft::* flag) { return {.kind = K::kFlag, .flag = flag, .value = 1}; }
constexpr Effect off(bool Draft::* flag) { return {.kind = K::kFlag, .flag = flag, .value = 0}; }
constexpr Effect tri(std::optional<bool> Draft::* t) { return {.kind = K::kTri, .tri = t, .value = 1}; }
constexpr Effect to(int Draft::* number, int value) { return {.kind = K::kNumber, .number = number, .value = value}; }
constexpr Effect number(int Draft::* n, bool Draft::* given = nullptr) {
  return {.kind = K::kNumber, .number = n, .given = given};
}
constexpr Effect count(int Draft::* n) { return {.kind = K::kCount, .number = n}; }
constexpr Effect text(std::string Draft::* t, bool Draft::* given = nullptr) {
  return {.kind = K::kText, .text = t, .given = given};
}
constexpr Effect call(Status (*f)(Draft&, std::string_view)) { return {.kind = K::kCall, .call = f}; }
constexpr Effect special(K kind) { return {.kind = kind}; }

constexpr Takes kText = Takes::kText;
constexpr Takes kNumber = Takes::kNumber;
constexpr Support kNever = Support::kNever;

// clang-format off
constexpr Row kRows[] = {
  {.name = "help", .set = special(K::kHelp), .help = "print this and exit (-h on its own does, too)"},
  {.name = "version", .letter = 'V', .set = count(&Draft::version_count), .help = "print version and features (-VV: as JSON)"},
  {.name = "verbose", .letter = 'v', .set = count(&Draft::verbose), .no = "no-verbose no-v", .help = "say more; repeat for still more", .limited = {.limits = kLetter}},
  {.name = "info", .takes = kText, .set = call(values::info), .value_name = "FLAGS", .help = "choose what to report (\"help\" lists the words)", .limited = {.names = "info"}},
  {.name = "debug", .takes = kText, .set = call(values::debug), .value_name = "FLAGS", .help = "choose what to trace (\"help\" lists the words)", .limited = {.banned = "debug"}},
  {.name = "stderr", .takes = kText, .set = call(values::stderr_mode), .value_name = "e|a|c", .help = "what goes to stderr: errors, all, or by client", .limited = {.names = "stderr"}},
  {.name = "msgs2stderr", .set = to(&Draft::stderr_level, 1), .no = "no-msgs2stderr", .limited = {.names = "msgs2stderr no-msgs2stderr"}},
  {.name = "quiet", .letter = 'q', .set = count(&Draft::quiet), .help = "report nothing but errors", .limited = {.limits = kLetter}},
  {.name = "no-motd", .set = on(&Draft::no_motd), .no = "motd", .help = "do not show a daemon's greeting"},
  {.name = "stats", .set = on(&Draft::stats), .help = "print statistics at the end", .limited = {.names = "stats"}},
  {.name = "human-readable", .letter = 'h', .set = count(&Draft::human), .no = "no-human-readable no-h", .help = "numbers with units of 1000 (-hh: 1024)"},
  {.name = "dry-run", .letter = 'n', .set = on(&Draft::dry_run), .exact_refusal = true, .help = "change nothing, only say what would be done", .limited = {.limits = kLetter}},
  {.name = "archive", .letter = 'a', .set = call(values::archive), .help = "same as -rlptgoD (without -A, -X, -U, -N, -H)"},
  {.name = "recursive", .letter = 'r', .set = to(&Draft::recurse_level, 2), .no = "no-recursive no-r", .help = "descend into directories", .limited = {.names = "recursive no-r", .limits = kLetter}},
  {.name = "inc-recursive", .set = on(&Draft::inc_recursive), .aliases = "i-r", .no = "no-inc-recursive no-i-r", .help = "start while still scanning (default where possible)"},
  {.name = "dirs", .letter = 'd', .set = to(&Draft::dirs_level, 2), .no = "no-dirs no-d", .help = "directories themselves, without descending", .limited = {.names = "dirs", .limits = kLetter}},
  {.name = "old-dirs", .set = to(&Draft::dirs_level, 4), .aliases = "old-d", .help = "--dirs in a form that very old versions know"},
  {.name = "perms", .letter = 'p', .set = on(&Draft::perms), .no = "no-perms no-p", .help = "keep permissions", .limited = {.names = "perms", .limits = kLetter}},
  {.name = "executability", .letter = 'E', .set = on(&Draft::executability), .help = "keep only whether a file is executable", .limited = {.limits = kLetter}},
  {.name = "acls", .letter = 'A', .set = call(values::acls), .no = "no-acls no-A", .unset = off(&Draft::acls), .help = "keep ACLs (implies --perms)", .limited = {.limits = kLetter}},
  {.name = "xattrs", .letter = 'X', .set = count(&Draft::xattrs), .no = "no-xattrs no-X", .help = "keep extended attributes", .limited = {.limits = kLetter}},
  {.name = "times", .letter = 't', .set = on(&Draft::times), .no = "no-times no-t", .help = "keep modification times", .limited = {.names = "times", .limits = kLetter}},
  {.name = "atimes", .letter = 'U', .set = call(values::atimes), .no = "no-atimes no-U", .unset = to(&Draft::atimes, 0), .help = "keep access times", .limited = {.limits = kLetter}},
  {.name = "open-noatime", .set = on(&Draft::open_noatime), .no = "no-open-noatime", .help = "leave access times alone when reading", .limited = {.names = "open-noatime"}},
  {.name = "crtimes", .letter = 'N', .set = on(&Draft::crtimes), .no = "no-crtimes no-N", .support = kNever, .help = "keep creation times", .limited = {.limits = kLetter}},
  {.name = "omit-dir-times", .letter = 'O', .set = to(&Draft::omit_dirs, 1), .no = "no-omit-dir-times no-O", .help = "--times, but not for directories", .limited = {.limits = kLetter}},
  {.name = "omit-link-times", .letter = 'J', .set = on(&Draft::omit_link_times), .no = "no-omit-link-times no-J", .help = "--times, but not for symlinks", .limited = {.limits = kLetter}},
  {.name = "modify-window", .letter = '@', .takes = kNumber, .set = number(&Draft::modify_window, &Draft::modify_window_given), .value_name = "NUM", .help = "seconds by which equal times may differ", .limited = {.names = "modify-window", .limits = kLetter}},
  {.name = "super", .set = to(&Draft::super_level, 2), .no = "no-super", .help = "act as root on the receiving side even if not root", .limited = {.names = "super"}},
  {.name = "fake-super", .set = to(&Draft::super_level, -1), .help = "keep what only root may set in xattrs", .limited = {.names = "fake-super"}},
  {.name = "owner", .letter = 'o', .set = on(&Draft::owner), .no = "no-owner no-o", .help = "keep the owner (root only)", .limited = {.names = "owner", .limits = kLetter}},
  {.name = "group", .letter = 'g', .set = on(&Draft::group), .no = "no-group no-g", .help = "keep the group", .limited = {.names = "group", .limits = kLetter}},
  {.letter = 'D', .set = call(values::devices_and_specials), .no = "no-D", .unset = call(values::no_devices_and_specials), .help = "same as --devices --specials", .limited = {.limits = kLetter}},
  {.name = "devices", .set = on(&Draft::devices), .no = "no-devices", .help = "recreate device files (root only)"},
  {.name = "copy-devices", .set = on(&Draft::copy_devices), .exact_refusal = true, .help = "send the content of devices as files", .limited = {.banned = "copy-devices"}},
  {.name = "write-devices", .set = on(&Draft::write_devices), .no = "no-write-devices", .exact_refusal = true, .help = "write into existing devices (implies --inplace)", .limited = {.banned = "write-devices"}},
  {.name = "specials", .set = on(&Draft::specials), .no = "no-specials", .help = "recreate sockets and fifos", .limited = {.names = "specials no-specials"}},
  {.name = "drop-D", .set = on(&Draft::drop_devices), .no = "no-drop-D", .help = "receiving side makes no devices or specials"},
  {.name = "confine-root", .takes = kText, .set = text(&Draft::confine_text, &Draft::confine_given), .value_name = "DIR", .help = "refuse named paths that lead out of DIR"},
  {.name = "links", .letter = 'l', .set = on(&Draft::links), .no = "no-links no-l", .help = "copy symlinks as symlinks", .limited = {.names = "links", .limits = kLetter}},
  {.name = "copy-links", .letter = 'L', .set = on(&Draft::copy_links), .help = "copy what symlinks point to", .limited = {.limits = kLetter | kNotBelow}},
  {.name = "copy-unsafe-links", .set = on(&Draft::copy_unsafe_links), .help = "... but only of those that leave the tree", .limited = {.names = "copy-unsafe-links", .limits = kNotBelow}},
  {.name = "safe-links", .set = on(&Draft::safe_links), .help = "skip symlinks that leave the tree", .limited = {.names = "safe-links"}},
  {.name = "insecure-links", .set = on(&Draft::insecure_links), .no = "no-insecure-links", .help = "follow symlinks of other users in named paths"},
  {.name = "munge-links", .set = on(&Draft::munge_links), .no = "no-munge-links", .help = "store symlinks so that they cannot be followed", .limited = {.names = "munge-links", .banned = "no-munge-links"}},
  {.name = "copy-dirlinks", .letter = 'k', .set = on(&Draft::copy_dirlinks), .help = "copy directories that symlinks point to", .limited = {.limits = kLetter | kNotBelow}},
  {.name = "keep-dirlinks", .letter = 'K', .set = on(&Draft::keep_dirlinks), .help = "take a symlink to a directory here for one", .limited = {.limits = kLetter | kNotBelow}},
  {.name = "hard-links", .letter = 'H', .set = count(&Draft::hard_links), .no = "no-hard-links no-H", .help = "keep hard links among what is sent", .limited = {.names = "hard-links", .limits = kLetter}},
  {.name = "relative", .letter = 'R', .set = to(&Draft::relative_level, 1), .no = "no-relative no-R", .help = "keep the paths of the sources as given", .limited = {.names = "no-relative", .limits = kLetter}},
  {.name = "no-implied-dirs", .set = off(&Draft::implied_dirs), .aliases = "no-i-d", .no = "implied-dirs i-d", .help = "with -R: attributes of the named entries only", .limited = {.names = "no-implied-dirs"}},
  {.name = "chmod", .takes = kText, .set = call(values::chmod), .value_name = "CHMOD", .help = "change permissions on the way"},
  {.name = "ignore-times", .letter = 'I', .set = on(&Draft::ignore_times), .help = "update even what has equal size and time", .limited = {.names = "ignore-times", .limits = kLetter}},
  {.name = "size-only", .set = on(&Draft::size_only), .help = "skip whatever has the same size", .limited = {.names = "size-only"}},
  {.name = "one-file-system", .letter = 'x', .set = count(&Draft::one_file_system), .no = "no-one-file-system no-x", .help = "stay on one file system", .limited = {.names = "one-file-system", .limits = kLetter}},
  {.name = "update", .letter = 'u', .set = on(&Draft::update), .help = "leave alone what is newer on the receiving side", .limited = {.limits = kLetter}},
  {.name = "existing", .set = on(&Draft::existing_only), .aliases = "ignore-non-existing", .help = "create nothing new on the receiving side", .limited = {.names = "existing"}},
  {.name = "ignore-existing", .set = on(&Draft::ignore_existing), .help = "update nothing that exists on the receiving side", .limited = {.names = "ignore-existing"}},
  {.name = "max-size", .takes = kText, .set = call(values::max_size), .value_name = "SIZE", .help = "skip files larger than SIZE", .limited = {.names = "max-size"}},
  {.name = "min-size", .takes = kText, .set = call(values::min_size), .value_name = "SIZE", .help = "skip files smaller than SIZE", .limited = {.names = "min-size"}},
  {.name = "max-alloc", .takes = kText, .set = text(&Draft::max_alloc_arg, &Draft::max_alloc_given), .value_name = "SIZE", .help = "largest single allocation of memory", .limited = {.names = "max-alloc"}},
  {.name = "sparse", .letter = 'S', .set = on(&Draft::sparse), .no = "no-sparse no-S", .help = "make holes of runs of zeros", .limited = {.limits = kLetter}},
  {.name = "preallocate", .set = on(&Draft::preallocate), .help = "reserve space before writing a file", .limited = {.names = "preallocate"}},
  {.name = "inplace", .set = on(&Draft::inplace), .no = "no-inplace", .help = "write into the existing file", .limited = {.names = "inplace"}},
  {.name = "append", .set = call(values::append), .no = "no-append", .unset = to(&Draft::append_count, 0), .help = "send only what a longer file has more", .limited = {.names = "append"}},
  {.name = "append-verify", .set = to(&Draft::append_count, 2), .help = "... and check the old part, too"},
  {.name = "delete", .set = to(&Draft::delete_plain, 1), .help = "delete what the sending side does not have", .limited = {.names = "delete", .limits = kDeletes}},
  {.name = "delete-before", .set = to(&Draft::delete_before, 1), .help = "... before the transfer", .limited = {.names = "delete-before", .limits = kDeletes}},
  {.name = "delete-during", .set = to(&Draft::delete_during, 1), .aliases = "del", .help = "... as each directory is reached (also --del)", .limited = {.names = "delete-during", .limits = kDeletes}},
  {.name = "delete-delay", .set = to(&Draft::delete_during, 2), .help = "... found on the way, deleted at the end", .limited = {.names = "delete-delay", .limits = kDeletes}},
  {.name = "delete-after", .set = to(&Draft::delete_after, 1), .help = "... after the transfer", .limited = {.names = "delete-after", .limits = kDeletes}},
  {.name = "delete-excluded", .set = on(&Draft::delete_excluded), .help = "delete what filters exclude, too", .limited = {.names = "delete-excluded", .limits = kDeletes}},
  {.name = "delete-missing-args", .set = call(values::delete_missing), .help = "delete what named sources lack", .limited = {.names = "delete-missing-args", .limits = kDeletes}},
  {.name = "ignore-missing-args", .set = call(values::ignore_missing), .help = "say nothing about named sources that are missing", .limited = {.names = "ignore-missing-args"}},
  {.name = "remove-sent-files", .set = to(&Draft::remove_level, 2), .limited = {.names = "remove-sent-files", .limits = kDeletes}},
  {.name = "remove-source-files", .set = to(&Draft::remove_level, 1), .help = "remove files here once they are there", .limited = {.names = "remove-source-files", .limits = kDeletes}},
  {.name = "force", .set = on(&Draft::force_delete), .no = "no-force", .help = "let a file replace a directory that is not empty", .limited = {.names = "force"}},
  {.name = "ignore-errors", .set = on(&Draft::ignore_errors), .no = "no-ignore-errors", .help = "delete even after read errors", .limited = {.names = "ignore-errors"}},
  {.name = "max-delete", .takes = kNumber, .set = number(&Draft::max_delete_value), .value_name = "NUM", .help = "delete at most NUM entries", .limited = {.names = "max-delete"}},
  {.letter = 'F', .set = call(values::dir_filter), .help = "--filter=': /.rsync-filter'; twice: hides these files, too"},
  {.name = "filter", .letter = 'f', .takes = kText, .set = call(values::filter), .value_name = "RULE", .help = "add a rule about which names take part"},
  {.name = "exclude", .takes = kText, .set = call(values::exclude), .value_name = "PATTERN", .help = "leave out names that match"},
  {.name = "include", .takes = kText, .set = call(values::include), .value_name = "PATTERN", .help = "keep names that match"},
  {.name = "exclude-from", .takes = kText, .set = call(values::exclude_from), .value_name = "FILE", .help = "patterns to leave out, one a line"},
  {.name = "include-from", .takes = kText, .set = call(values::include_from), .value_name = "FILE", .help = "patterns to keep, one a line"},
  {.name = "cvs-exclude", .letter = 'C', .set = on(&Draft::cvs_exclude), .help = "leave out what CVS would ignore", .limited = {.limits = kLetter}},
  {.name = "whole-file", .letter = 'W', .set = tri(&Draft::whole_file), .no = "no-whole-file no-W", .help = "copy files whole instead of differences", .limited = {.names = "no-W", .limits = kLetter}},
  {.name = "checksum", .letter = 'c', .set = on(&Draft::checksum), .no = "no-checksum no-c", .help = "compare by checksum, not by size and time", .limited = {.limits = kLetter}},
  {.name = "checksum-choice", .takes = kText, .set = text(&Draft::checksum_choice), .aliases = "cc", .value_name = "STR", .help = "checksum method (also --cc)", .limited = {.names = "checksum-choice"}},
  {.name = "block-size", .letter = 'B', .takes = kText, .set = call(values::block_size), .value_name = "SIZE", .help = "size of the blocks that are compared", .limited = {.names = "block-size", .limits = kLetter}},
  {.name = "compare-dest", .takes = kText, .set = call(values::compare_dest), .value_name = "DIR", .help = "skip what DIR has in the same state", .limited = {.names = "compare-dest", .limits = kArrivalPath}},
  {.name = "copy-dest", .takes = kText, .set = call(values::copy_dest), .value_name = "DIR", .help = "... and copy it from there", .limited = {.names = "copy-dest", .limits = kArrivalPath}},
  {.name = "link-dest", .takes = kText, .set = call(values::link_dest), .value_name = "DIR", .help = "... and make hard links to it", .limited = {.names = "link-dest", .limits = kArrivalPath}},
  {.name = "fuzzy", .letter = 'y', .set = count(&Draft::fuzzy), .no = "no-fuzzy no-y", .help = "look for a similar file to start from", .limited = {.names = "fuzzy", .limits = kLetter}},
  {.name = "compress", .letter = 'z', .set = count(&Draft::compress_count), .no = "no-compress no-z", .unset = call(values::no_compress), .help = "compress file data on the way", .limited = {.limits = kLetter}},
  {.name = "old-compress", .set = call(values::old_compress), .limited = {.names = "old-compress"}},
  {.name = "new-compress", .set = call(values::new_compress), .limited = {.names = "new-compress"}},
  {.name = "compress-choice", .takes = kText, .set = text(&Draft::compress_choice), .aliases = "zc", .value_name = "STR", .help = "compression method (also --zc)", .limited = {.names = "compress-choice"}},
  {.name = "skip-compress", .takes = kText, .set = text(&Draft::skip_compress, &Draft::skip_compress_given), .value_name = "LIST", .help = "suffixes of files not to compress", .limited = {.names = "skip-compress"}},
  {.name = "compress-level", .takes = kNumber, .set = number(&Draft::compress_level_value), .aliases = "zl", .value_name = "NUM", .help = "compression level (also --zl)", .limited = {.names = "compress-level"}},
  {.name = "compress-threads", .takes = kNumber, .set = number(&Draft::compress_threads), .aliases = "zt", .value_name = "NUM", .help = "compression threads (also --zt)", .limited = {.names = "compress-threads"}},
  {.letter = 'P', .set = call(values::partial_and_progress), .help = "same as --partial --progress"},
  {.name = "progress", .set = on(&Draft::progress), .no = "no-progress", .help = "show progress"},
  {.name = "partial", .set = on(&Draft::partial), .no = "no-partial", .help = "keep files that arrived only in part", .limited = {.names = "partial"}},
  {.name = "partial-dir", .takes = kText, .set = text(&Draft::partial_dir, &Draft::partial_dir_given), .value_name = "DIR", .help = "... and keep them in DIR", .limited = {.names = "partial-dir", .limits = kArrivalPath | kReplaces}},
  {.name = "delay-updates", .set = on(&Draft::delay_updates), .no = "no-delay-updates", .help = "put all updated files in place at the end", .limited = {.names = "delay-updates", .limits = kReplaces}},
  {.name = "prune-empty-dirs", .letter = 'm', .set = on(&Draft::prune_empty_dirs), .no = "no-prune-empty-dirs no-m", .help = "leave out directories that would be empty", .limited = {.limits = kLetter}},
  {.name = "log-file", .takes = kText, .set = text(&Draft::log_file), .value_name = "FILE", .help = "write a log to FILE", .limited = {.names = "log-file", .limits = kPath | kWritesLog | kReplaces}},
  {.name = "log-file-format", .takes = kText, .set = text(&Draft::log_file_format, &Draft::log_file_format_given), .value_name = "FMT", .help = "format of its lines"},
  {.name = "out-format", .takes = kText, .set = text(&Draft::format_text, &Draft::out_format_given), .value_name = "FORMAT", .help = "format of the lines about updates"},
  {.name = "log-format", .takes = kText, .set = text(&Draft::format_text, &Draft::out_format_given), .exact_refusal = true, .limited = {.names = "log-format"}},
  {.name = "itemize-changes", .letter = 'i', .set = count(&Draft::itemize_count), .no = "no-itemize-changes no-i", .help = "one line about each change"},
  {.name = "bwlimit", .takes = kText, .set = call(values::bwlimit), .no = "no-bwlimit", .unset = call(values::no_bwlimit), .value_name = "RATE", .help = "send no faster than RATE (KiB per second)", .limited = {.names = "bwlimit"}},
  {.name = "backup", .letter = 'b', .set = on(&Draft::backup), .no = "no-backup", .help = "keep what is replaced or deleted", .limited = {.limits = kLetter | kReplaces}},
  {.name = "backup-dir", .takes = kText, .set = text(&Draft::backup_dir, &Draft::backup_dir_given), .value_name = "DIR", .help = "... in a tree of its own", .limited = {.names = "backup-dir", .limits = kArrivalPath | kReplaces}},
  {.name = "suffix", .takes = kText, .set = text(&Draft::backup_suffix, &Draft::backup_suffix_given), .value_name = "SUFFIX", .help = "... under this suffix (~ without --backup-dir)", .limited = {.names = "suffix"}},
  {.name = "list-only", .set = to(&Draft::list_level, 2), .help = "list what would be copied", .limited = {.names = "list-only"}},
  {.name = "read-batch", .takes = kText, .set = text(&Draft::read_batch, &Draft::read_batch_given), .value_name = "FILE", .help = "apply an update that was written to FILE"},
  {.name = "write-batch", .takes = kText, .set = call(values::write_batch), .value_name = "FILE", .help = "write the update to FILE, too"},
  {.name = "only-write-batch", .takes = kText, .set = call(values::only_write_batch), .value_name = "FILE", .help = "... without updating the destination", .limited = {.names = "only-write-batch"}},
  {.name = "files-from", .takes = kText, .set = text(&Draft::files_from, &Draft::files_from_given), .value_name = "FILE", .help = "names of the sources, one a line", .limited = {.names = "files-from", .limits = kPath}},
  {.name = "from0", .letter = '0', .set = on(&Draft::from0), .no = "no-from0", .exact_refusal = true, .help = "names and rules in files end in NUL, not newline", .limited = {.names = "from0"}},
  {.name = "old-args", .set = call(values::old_args), .no = "no-old-args", .unset = to(&Draft::old_args_level, 0), .help = "let the far shell split arguments"},
  {.name = "secluded-args", .letter = 's', .set = to(&Draft::secluded_level, 1), .aliases = "protect-args", .no = "no-secluded-args no-protect-args no-s", .exact_refusal = true, .help = "keep arguments away from the far shell", .limited = {.limits = kNoLetter}},
  {.name = "trust-sender", .set = on(&Draft::trust_sender), .help = "do not check names that the sender sends"},
  {.name = "numeric-ids", .set = on(&Draft::numeric_ids), .no = "no-numeric-ids", .help = "keep ids as numbers, map no names", .limited = {.names = "numeric-ids"}},
  {.name = "usermap", .takes = kText, .set = call(values::usermap), .value_name = "STRING", .help = "map user names", .limited = {.names = "usermap"}},
  {.name = "groupmap", .takes = kText, .set = call(values::groupmap), .value_name = "STRING", .help = "map group names", .limited = {.names = "groupmap"}},
  {.name = "chown", .takes = kText, .set = call(values::chown), .value_name = "USER:GROUP", .help = "one owner and group for everything"},
  {.name = "timeout", .takes = kNumber, .set = number(&Draft::timeout_s), .no = "no-timeout", .value_name = "SECONDS", .help = "give up when nothing comes for so long", .limited = {.names = "timeout"}},
  {.name = "contimeout", .takes = kNumber, .set = number(&Draft::contimeout_s), .no = "no-contimeout", .value_name = "SECONDS", .help = "... while connecting to a daemon"},
  {.name = "fsync", .set = on(&Draft::fsync), .help = "force every file to disk", .limited = {.names = "fsync"}},
  {.name = "stop-after", .takes = kText, .set = call(values::stop_after), .aliases = "time-limit", .value_name = "MINS", .help = "stop after so many minutes"},
  {.name = "stop-at", .takes = kText, .set = call(values::stop_at), .value_name = "y-m-dTh:m", .help = "stop at this time"},
  {.name = "rsh", .letter = 'e', .takes = kText, .set = text(&Draft::shell), .exact_refusal = true, .value_name = "COMMAND", .help = "remote shell"},
  {.name = "rsync-path", .takes = kText, .set = text(&Draft::rsync_path), .value_name = "PROGRAM", .help = "program to run on the far side"},
  {.name = "temp-dir", .letter = 'T', .takes = kText, .set = text(&Draft::temp_dir, &Draft::temp_dir_given), .value_name = "DIR", .help = "make temporary files in DIR", .limited = {.names = "temp-dir", .limits = kArrivalPath}},
  {.name = "iconv", .takes = kText, .set = text(&Draft::iconv, &Draft::iconv_given), .exact_refusal = true, .value_name = "LOCAL[,REMOTE]", .help = "character sets of file names", .limited = {.names = "iconv"}},
  {.name = "no-iconv", .set = call(values::no_iconv), .exact_refusal = true},
  {.name = "ipv4", .letter = '4', .set = to(&Draft::address_family, 4), .help = "prefer IPv4"},
  {.name = "ipv6", .letter = '6', .set = to(&Draft::address_family, 6), .help = "prefer IPv6"},
  {.name = "8-bit-output", .letter = '8', .set = on(&Draft::eight_bit), .no = "no-8-bit-output no-8", .help = "print high-bit characters as they are"},
  {.name = "mkpath", .set = on(&Draft::mkpath), .no = "no-mkpath", .help = "create missing parents of the destination", .limited = {.names = "mkpath"}},
  {.name = "io", .takes = kText, .set = call(values::io), .value_name = "WORDS", .help = "how this end reads and writes (\"help\" lists the words; ocsync only)"},
  {.name = "qsort", .set = on(&Draft::qsort), .limited = {.names = "use-qsort"}},
  {.name = "copy-as", .takes = kText, .set = text(&Draft::copy_as), .value_name = "USER[:GROUP]", .help = "access files as this user"},
  {.name = "address", .takes = kText, .set = text(&Draft::address), .value_name = "ADDRESS", .help = "own address when calling a daemon"},
  {.name = "port", .takes = kNumber, .set = number(&Draft::port), .value_name = "PORT", .help = "port of the daemon"},
  {.name = "sockopts", .takes = kText, .set = text(&Draft::sockopts), .value_name = "OPTIONS", .help = "TCP options"},
  {.name = "password-file", .takes = kText, .set = text(&Draft::password_file), .value_name = "FILE", .help = "password for a daemon, from FILE"},
  {.name = "early-input", .takes = kText, .set = text(&Draft::early_input), .value_name = "FILE", .help = "data for a daemon's early exec"},
  {.name = "blocking-io", .set = to(&Draft::blocking, 1), .no = "no-blocking-io", .help = "blocking pipes to the remote shell"},
  {.name = "outbuf", .takes = kText, .set = text(&Draft::outbuf_text, &Draft::outbuf_given), .value_name = "N|L|B", .help = "buffer output not, by line, or by block"},
  {.name = "remote-option", .letter = 'M', .takes = kText, .set = call(values::remote_option), .value_name = "OPT", .help = "pass OPT to the far side only"},
  {.name = "protocol", .takes = kNumber, .set = number(&Draft::protocol), .value_name = "NUM", .help = "speak an older protocol"},
  {.name = "checksum-seed", .takes = kNumber, .set = number(&Draft::checksum_seed), .exact_refusal = true, .value_name = "NUM", .help = "seed of the checksums", .limited = {.names = "checksum-seed"}},
  {.name = "server", .set = special(K::kServer), .exact_refusal = true, .limited = {.names = "server"}},
  {.name = "sender", .set = special(K::kSender), .exact_refusal = true, .limited = {.names = "sender"}},
  // Seeing one of these makes it a daemon's command line, which is read again with the rows of parse.cpp.
  {.name = "config", .takes = kText, .set = special(K::kDaemon)},
  {.name = "daemon", .set = special(K::kDaemon), .limited = {.banned = "daemon"}},
  {.name = "dparam", .takes = kText, .set = special(K::kDaemon)},
  {.name = "detach", .set = special(K::kDaemon)},
  {.name = "no-detach", .set = special(K::kDaemon)},
};
// clang-format on

// The spellings with the text of those names that the rows hold several to a string; popt wants each terminated.
struct SpellingTable {
  std::deque<std::string> words;  // addresses stay
  std::vector<Spelling> all;

  SpellingTable() {
    for (const Row& row : kRows) {
      all.push_back({row.name, row.letter, &row, false});
      add_words(row.aliases, row, false);
      add_words(row.no, row, true);
    }
  }

  void add_words(std::string_view list, const Row& row, bool negative) {
    while (!list.empty()) {
      const size_t space = std::min(list.find(' '), list.size());
      words.emplace_back(list.substr(0, space));
      all.push_back({words.back().c_str(), 0, &row, negative});
      list.remove_prefix(std::min(space + 1, list.size()));
    }
  }
};

Status act(const Effect& effect, bool opposite, const Row& row, Draft& draft, std::string_view value,
           int number_value) {
  switch (effect.kind) {
    case K::kFlag: draft.*effect.flag = (effect.value != 0) != opposite; break;
    case K::kTri: draft.*effect.tri = (effect.value != 0) != opposite; break;
    case K::kNumber:
      draft.*effect.number = opposite ? 0 : row.takes == Takes::kNumber ? number_value : effect.value;
      break;
    case K::kCount: draft.*effect.number = opposite ? 0 : draft.*effect.number + 1; break;
    case K::kText: draft.*effect.text = value; break;
    case K::kCall: TRY(effect.call(draft, value)); break;
    case K::kNone:
    case K::kHelp:
    case K::kServer:
    case K::kSender:
    case K::kDaemon: break;
  }
  if (effect.given && !opposite) draft.*effect.given = true;
  return {};
}

}  // namespace

std::span<const Row> rows() { return kRows; }

const std::vector<Spelling>& spellings() {
  static const SpellingTable table;
  return table.all;
}

Status apply(const Spelling& spelling, Draft& draft, std::string_view value, int number_value) {
  const Row& row = *spelling.row;
  const bool own_unset = spelling.negative && row.unset.kind != K::kNone;
  return act(own_unset ? row.unset : row.set, spelling.negative && !own_unset, row, draft, value, number_value);
}

}  // namespace ocsync::sync
