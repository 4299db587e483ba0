#include "libproto/item.h"

#include "libproto/limits.h"
#include "libproto/numbers.h"

namespace ocsync::proto {

Status write_item(const Item& item, const Agreement& agreed, Writer& out) {
  if (!agreed.item_flags) return {};
  TRY(out.u16(static_cast<uint16_t>(item.flags)));
  if ((item.flags & kBasisTypeFollows) != 0) TRY(out.u8(item.basis));
  if ((item.flags & kXnameFollows) != 0) TRY(write_vstring(item.xname, out));
  return {};
}

Result<Item> read_item(const Agreement& agreed, Reader& in) {
  Item item;
  if (!agreed.item_flags) {
    item.flags = kTransfer | kMissingData;
    return item;
  }
  item.flags = TRY(in.u16());
  if ((item.flags & kBasisTypeFollows) != 0) item.basis = TRY(in.u8());
  if ((item.flags & kXnameFollows) != 0) TRY(read_vstring(item.xname, kMaxPath - 1, in));
  return item;
}

}  // namespace ocsync::proto
