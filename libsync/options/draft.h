// What was typed, before implications: Options plus the raw counts and values that only resolve() needs.
//
// Rows of the table set members of a Draft in the order of the command line; the last one wins, as with rsync.
#pragma once

#include <climits>
#include <string>

#include "libsync/options/options.h"

namespace ocsync::sync {

struct Draft : Options {
  int recurse_level = 0;  // 2: -r itself, 1: -a only
  int dirs_level = -1;    // 2: -d, 4: --old-dirs, 0: --no-dirs
  int relative_level = -1;
  int super_level = INT_MIN;  // 2: --super, 0: --no-super, -1: --fake-super
  int list_level = 0;         // 2: --list-only
  int append_count = 0;
  int delete_plain = 0, delete_before = 0, delete_during = 0, delete_after = 0;
  int missing_args = 0;  // bits: 1 ignore, 2 delete
  int remove_level = 0;  // 1: --remove-source-files, 2: --remove-sent-files
  int max_delete_value = INT_MIN;
  int compress_count = 0;
  int compress_level_value = INT_MIN;
  int omit_dirs = 0;
  int blocking = -1;
  int old_args_level = -1;
  int secluded_level = -1;  // 2 on a server: the second vector is being read
  int stderr_level = 2;     // 2 errors, 1 all, 0 client
  int filter_f_count = 0;
  int version_count = 0;
  int itemize_count = 0;
  std::string print_text;  // not empty: print this and exit with 0
  int64_t now_wall_s = 0;
  bool daemon_child = false;
  bool backup_dir_given = false, backup_suffix_given = false, partial_dir_given = false, files_from_given = false;
  bool usermap_given = false, groupmap_given = false, usermap_by_chown = false, groupmap_by_chown = false;
  bool temp_dir_given = false, iconv_given = false, read_batch_given = false, write_batch_given = false;
  std::string max_alloc_arg, outbuf_text, format_text, confine_text;
  bool max_alloc_given = false, outbuf_given = false, confine_given = false;
};

}  // namespace ocsync::sync
