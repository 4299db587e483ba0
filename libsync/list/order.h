// The sort orders of file lists: the index of an entry on the wire is its position in this order.
#pragma once

#include <string_view>

#include "libsync/list/entry.h"

namespace ocsync::sync {

// How lists are ordered: by components with files before directories (version 29 and later), or by plain bytes.
enum class Order : uint8_t { kComponents, kPlainBytes };

// Negative, zero or positive as a sorts before, equal to, or after b. Bytes compare unsigned.
int compare_paths(std::string_view a, bool a_is_dir, std::string_view b, bool b_is_dir, Order order);
int compare_entries(const Entry& a, const Entry& b, Order order);

}  // namespace ocsync::sync
