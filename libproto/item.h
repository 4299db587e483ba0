// What is to change about an entry: flags, kind of basis, alternate name. The header of everything that either role
// says about one entry after the list. See docs/item.md; versions 27 to 32.
#pragma once

#include <cstdint>
#include <string>

#include "libio/base/result.h"
#include "libio/base/stream.h"
#include "libproto/agreement.h"

namespace ocsync::proto {

enum ItemFlag : uint32_t {
  kReportAtime = 1u << 0,
  kReportChange = 1u << 1,
  kReportSize = 1u << 2,      // regular files
  kReportTimeFail = 1u << 2,  // symlinks
  kReportTime = 1u << 3,
  kReportPerms = 1u << 4,
  kReportOwner = 1u << 5,
  kReportGroup = 1u << 6,
  kReportAcl = 1u << 7,
  kReportXattr = 1u << 8,
  kReportCrtime = 1u << 10,
  kBasisTypeFollows = 1u << 11,
  kXnameFollows = 1u << 12,
  kIsNew = 1u << 13,
  kLocalChange = 1u << 14,
  kTransfer = 1u << 15,
  // Known on one side only, never sent.
  kMissingData = 1u << 16,
  kDeleted = 1u << 17,
  kMatched = 1u << 18,
};
inline constexpr uint32_t kReportMeta = kReportAcl | kReportXattr;
inline constexpr uint32_t kSignificantItemFlags = ~uint32_t{kBasisTypeFollows | kXnameFollows | kLocalChange};

// Basis type byte.
inline constexpr uint8_t kBasisTarget = 0x80;
inline constexpr uint8_t kBasisPartialDir = 0x81;
inline constexpr uint8_t kBasisBackup = 0x82;
inline constexpr uint8_t kBasisFuzzy = 0x83;  // 0x84 + k: fuzzy in basis directory k; 0x00..0x7f: basis directory

struct Item {
  uint32_t flags = 0;
  uint8_t basis = kBasisTarget;
  std::string xname;
};

// What follows the index. Below version 29 nothing travels: reading yields kTransfer | kMissingData.
Status write_item(const Item& item, const Agreement& agreed, Writer& out);
Result<Item> read_item(const Agreement& agreed, Reader& in);

}  // namespace ocsync::proto
