// Everything both ends settled before files move, as named facts. The only place that compares protocol versions.
//
// Never changes after the handshake; readable by every thread.
#pragma once

#include <cstdint>
#include <string>

#include "libio/base/digest.h"

namespace ocsync::proto {

inline constexpr int kOldestVersion = 27;
inline constexpr int kNewestVersion = 32;

enum class Compression : uint8_t { kNone, kZlib, kZlibx, kZstd, kLz4 };

// How block sums mix in the seed (whole-file sums are unseeded but for the implied MD4 of versions below 30).
enum class SeedOrder : uint8_t { kUnseeded, kBefore, kAfter, kNative };

// Compatibility flags as the server writes them (version 30 and later).
enum CompatFlag : uint32_t {
  kCompatIncRecurse = 1u << 0,
  kCompatSymlinkTimes = 1u << 1,
  kCompatSymlinkIconv = 1u << 2,
  kCompatSafeList = 1u << 3,
  kCompatAvoidXattrOptim = 1u << 4,
  kCompatSeedFix = 1u << 5,
  kCompatInplacePartial = 1u << 6,
  kCompatVarintFlags = 1u << 7,
  kCompatId0Names = 1u << 8,
};

struct Agreement {
  int version = kNewestVersion;
  int far_version = kNewestVersion;  // what the other end announced
  uint32_t compat = 0;
  int32_t seed = 0;

  // Facts by compatibility flag.
  bool incremental = false;     // sub-lists travel while files are transferred
  bool symlink_times = false;   // the far side sets times of symlinks (a sender itemizes them then)
  bool symlink_iconv = false;   // the far side converts symlink targets
  bool safe_list_end = false;   // io_error may stand at the end of a list
  bool xattr_shortcut = false;  // local hard links carry no xattr part
  bool inplace_partial = false;
  bool varint_entry_flags = false;
  bool id0_names = false;

  // Facts by version.
  bool compact_numbers = true;        // 30: varint, varlong, compact index, lengths as varlong
  bool mtime_has_nanoseconds = true;  // 31
  bool specials_have_rdev = false;    // below 31
  bool extended_entry_flags = true;   // 28
  bool item_flags = true;             // 29: iflags with each index
  bool component_order = true;        // 29: files before directories; below: plain bytes
  bool third_phase = true;            // 29
  bool closing_handshake = true;      // 31: deletion statistics, goodbye is answered
  bool list_times_in_stats = true;    // 29
  bool io_error_after_list = false;   // below 30
  bool list_errors_told = false;      // 30: io_error travels as a message, too, ahead of the list that it belongs to
  bool full_filter_prefixes = true;   // 29
  bool perishable_rules = true;       // 30
  bool error_codes_travel = true;     // 31: MSG_ERROR_EXIT carries the code
  bool no_send_messages = true;       // 30
  bool deleted_messages = true;       // 29
  bool rich_text_codes = true;        // 30: error and warning text have codes of their own
  bool hard_link_groups = true;       // 30: group index instead of device and inode
  bool files_from_framed =
      true;                   // 31: where the stream is framed at all; before, the frames are interrupted for the names
  bool insert_bug = false;    // below 31: zlib history repeats the head of long blocks
  bool client_frames = true;  // 30: C>S is framed (below, only with remove-source-files on a pull)
  bool late_delete_default = true;    // 30: plain --delete means during, below before
  bool append_verifies = false;       // below 30: --append means --append-verify
  uint32_t max_block_bytes = 131072;  // 2^29 below 30
  bool acls_and_xattrs = true;        // 30
  bool multiple_basis = true;         // 29

  // Algorithms.
  DigestKind transfer_digest = DigestKind::kMd5;
  DigestKind list_digest = DigestKind::kMd5;
  bool seeded_file_sum = false;  // implied MD4 below 30: seed bytes before the data
  SeedOrder block_seed = SeedOrder::kBefore;
  Compression compression = Compression::kNone;
  int compression_level = 0;
  bool compression_level_given = false;
  int compression_threads = 0;

  // Fills every fact that follows from `version` and `compat` (not the algorithms and the seed).
  static Agreement from(int version, uint32_t compat);
};

}  // namespace ocsync::proto
