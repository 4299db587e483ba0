#include "libproto/ids_wire.h"

#include "libproto/limits.h"
#include "libproto/numbers.h"

namespace ocsync::proto {

Status write_id_list(const IdList& list, const Agreement& agreed, Writer& out) {
  for (const IdName& entry : list.names) {
    if (entry.id == 0 || entry.name.empty() || entry.name.size() > kMaxIdName) continue;
    TRY(write_varint30(static_cast<int32_t>(entry.id), agreed, out));
    TRY(write_short_text(entry.name, out));
  }
  TRY(write_varint30(0, agreed, out));
  if (!agreed.id0_names) return {};
  return write_short_text(list.zero.size() <= kMaxIdName ? list.zero : std::string(), out);
}

Result<IdList> read_id_list(const Agreement& agreed, Reader& in) {
  IdList list;
  while (true) {
    const auto id = static_cast<uint32_t>(TRY(read_varint30(agreed, in)));
    if (id == 0) break;
    if (list.names.size() == kMaxIdNames)
      return fail(Fault::kMemory, "the far side sends too many user or group names");
    list.names.push_back({id, {}});
    TRY(read_short_text(list.names.back().name, in));
  }
  if (agreed.id0_names) TRY(read_short_text(list.zero, in));
  return list;
}

}  // namespace ocsync::proto
