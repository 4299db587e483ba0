// Info and debug categories with their levels, as a table: what -v implies and what --info and --debug say.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "libio/base/result.h"

namespace ocsync::sync {

enum class Info : uint8_t {
  kBackup,
  kCopy,
  kDel,
  kFlist,
  kMisc,
  kMount,
  kName,
  kNonreg,
  kProgress,
  kRemove,
  kSkip,
  kStats,
  kSymsafe,
  kIo,  // ours alone: ALL does not mean it
  kCount
};
enum class Debug : uint8_t {
  kAcl,
  kBackup,
  kBind,
  kChdir,
  kConnect,
  kCmd,
  kDel,
  kDeltasum,
  kDup,
  kExit,
  kFilter,
  kFlist,
  kFuzzy,
  kGenr,
  kHash,
  kHlink,
  kIconv,
  kIo,
  kNstr,
  kOwn,
  kProto,
  kRecv,
  kSend,
  kTime,
  kCount
};

struct Verbosity {
  std::array<uint8_t, static_cast<size_t>(Info::kCount)> info{};
  std::array<uint8_t, static_cast<size_t>(Debug::kCount)> debug{};
  uint32_t info_given = 0;  // bit per Info: set by --info itself, so that neither -v nor --stats changes it
  uint32_t debug_given = 0;

  bool shows(Info what, int level = 1) const { return info[static_cast<size_t>(what)] >= level; }
  bool shows(Debug what, int level = 1) const { return debug[static_cast<size_t>(what)] >= level; }
};

// Words as --info and --debug take them ("name2,del0", "all", "none"). An unknown word is kUsage, unless `lenient` (a
// server ignores it). "help" is not a word here: ask asks_for_help first.
Status apply_info(Verbosity& verbosity, std::string_view words, bool lenient = false);
Status apply_debug(Verbosity& verbosity, std::string_view words, bool lenient = false);
bool asks_for_help(std::string_view words);
std::string info_help_text();
std::string debug_help_text();

// What `level` times -v implies; what was given by name stays.
void apply_verbose_level(Verbosity& verbosity, int level);
// Raises or lowers one category unless it was given by name.
void imply(Verbosity& verbosity, Info what, int level);
// Never louder than `level` times -v would be (a daemon's "max verbosity").
void limit_verbose_level(Verbosity& verbosity, int level);

// "--info=..." for the far side: only what was given by name and matters to it. Empty: nothing to say.
std::string far_info_argument(const Verbosity& verbosity, bool far_is_receiver);

}  // namespace ocsync::sync
