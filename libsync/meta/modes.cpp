// Parsing and applying --chmod, and the rules of section 7.5 for the mode at the destination.
#include "libsync/meta/modes.h"

#include <sys/stat.h>

#include <string>

namespace ocsync::sync {
namespace {

constexpr uint32_t kAllBits = 07777;
constexpr uint32_t kEveryClass = 0111;

// "rwx" as three bits, for every class whose lowest bit is set.
constexpr uint32_t spread(uint32_t classes, uint32_t rwx) { return classes * rwx; }

uint32_t class_bit(char letter) {
  switch (letter) {
    case 'u': return 0100;
    case 'g': return 0010;
    case 'o': return 0001;
    default: return 0;
  }
}

// The special bit that belongs to each class: set-uid, set-gid, sticky.
uint32_t special_bits(uint32_t classes) {
  return ((classes & 0100) != 0 ? 04000u : 0u) | ((classes & 0010) != 0 ? 02000u : 0u) |
         ((classes & 0001) != 0 ? 01000u : 0u);
}

// What a class may do, as "rwx" bits.
uint32_t bits_of_class(uint32_t mode, uint32_t class_of) { return mode / class_of & 7; }

}  // namespace

bool ModeChanges::parse_item(std::string_view item, uint32_t mask, Change& change) {
  size_t at = 0;
  uint32_t classes = 0, set_ids = 0;
  for (; at < item.size(); ++at) {
    const char c = item[at];
    if (c == 'D' || c == 'F') {
      (c == 'D' ? change.others : change.dirs) = false;
      if (!change.dirs && !change.others) return false;
    } else if (c == 'a') {
      classes |= kEveryClass;
      set_ids |= 06000;
    } else if (class_bit(c) != 0) {
      classes |= class_bit(c);
      if (c != 'o') set_ids |= special_bits(class_bit(c));
    } else {
      break;
    }
  }
  if (at == item.size()) return false;
  if (classes == 0 && item[at] >= '0' && item[at] <= '7') {
    change.what = What::kSet;
    for (; at < item.size(); ++at) {
      if (item[at] < '0' || item[at] > '7') return false;
      change.bits = change.bits * 8 + static_cast<uint32_t>(item[at] - '0');
      if (change.bits > kAllBits) return false;
    }
    return true;
  }
  switch (item[at++]) {
    case '+': change.what = What::kAdd; break;
    case '-': change.what = What::kRemove; break;
    case '=': change.what = What::kAssign; break;
    default: return false;
  }
  uint32_t rwx = 0, special = 0;
  for (; at < item.size(); ++at) {
    const char c = item[at];
    if (class_bit(c) != 0) {
      if (rwx != 0 || special != 0 || change.from_class != 0) return false;
      change.from_class = class_bit(c);
      continue;
    }
    if (change.from_class != 0) return false;
    switch (c) {
      case 'r': rwx |= 4; break;
      case 'w': rwx |= 2; break;
      case 'X': change.only_if_executable = true; [[fallthrough]];
      case 'x': rwx |= 1; break;
      case 's': special |= set_ids != 0 ? set_ids : 04000; break;
      case 't': special |= 01000; break;
      default: return false;
    }
  }
  const bool named = classes != 0;
  if (!named) classes = kEveryClass;
  change.bits = (spread(classes, rwx) & (named ? kAllBits : kAllBits & ~mask)) | special;
  change.to_classes = classes;
  change.copy_limit = named ? kAllBits : kAllBits & ~mask;
  if (change.what == What::kAssign) {
    change.cleared =
        spread(classes, 7) | (special != 0 ? set_ids : 0u) | (change.from_class != 0 ? special_bits(classes) : 0u);
  }
  return true;
}

Result<ModeChanges> ModeChanges::parse(std::string_view text, uint32_t mask) {
  ModeChanges parsed;
  std::string_view rest = text;
  while (true) {
    const size_t comma = rest.find(',');
    Change change;
    if (!parse_item(rest.substr(0, comma), mask, change))
      return fail(Fault::kUsage, "Invalid argument passed to --chmod (" + std::string(text) + ")");
    parsed.changes_.push_back(change);
    if (comma == std::string_view::npos) return parsed;
    rest.remove_prefix(comma + 1);
  }
}

uint32_t ModeChanges::apply(uint32_t mode) const {
  if (mode == 0 || S_ISLNK(mode)) return mode;
  const uint32_t type = mode & ~kAllBits;
  // X asks what the mode was at the beginning, not what an earlier item made of it.
  const bool executable = S_ISDIR(mode) || (mode & 0111) != 0;
  uint32_t bits = mode & kAllBits;
  for (const Change& change : changes_) {
    if (S_ISDIR(type) ? !change.dirs : !change.others) continue;
    const uint32_t copied = change.from_class == 0
                                ? 0
                                : spread(change.to_classes, bits_of_class(bits, change.from_class)) & change.copy_limit;
    const uint32_t given = change.only_if_executable && !executable ? change.bits & ~0111u : change.bits;
    switch (change.what) {
      case What::kAdd: bits |= given | copied; break;
      case What::kRemove: bits &= ~(change.bits | copied); break;
      case What::kAssign: bits = (bits & ~change.cleared) | given | copied; break;
      case What::kSet: bits = change.bits; break;
    }
  }
  return type | bits;
}

uint32_t dest_mode(uint32_t listed, std::optional<uint32_t> existing, ModePolicy policy, uint32_t default_perms) {
  if (policy.perms) return listed;
  const uint32_t type = listed & ~kAllBits;
  if (!existing) return type | (listed & kAllBits & default_perms);
  uint32_t bits = *existing & kAllBits;
  if (policy.executability && S_ISREG(listed)) {
    if ((listed & 0111) == 0) {
      bits &= ~0111u;
    } else if ((*existing & 0111) == 0) {
      // Who may read may execute.
      bits |= (bits & 0444) >> 2;
    }
  }
  return type | bits;
}

}  // namespace ocsync::sync
