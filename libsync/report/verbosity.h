// Info and debug categories with their levels, as a table: what -v implies and what --info and --debug say.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "libio/base/result.h"

namespace ocsync::sync {

enum class Info : uint8_t {
  kBackup, kCopy, kDel, kFlist, kMisc, kMount, kName, kNonreg, kProgress, kRemove, kSkip, kStats, kSymsafe, kCount
};
enum class Debug : uint8_t {
  kAcl, kBackup, kBind, kChdir, kConnect, kCmd, kDel, kDeltasum, kDup, kExit, kFilter, kFlist, kFuzzy, kGenr, kHash,
  kHlink, kIconv, kIo, kNstr, kOwn, kProto, kRecv, kSend, kTime, kCount
};

struct Verbosity {
  std::array<uint8_t, static_cast<size_t>(Info::kCount)> info{};
  std::array<uint8_t, static_cast<size_t>(Debug::kCount)> debug{};

  bool shows(Info what, int level = 1) const { return info[static_cast<size_t>(what)] >= level; }
  bool shows(Debug what, int level = 1) const { return debug[static_cast<size_t>(what)] >= level; }
};

}  // namespace ocsync::sync
