// Lists of user or group names that follow a file list. See docs/ids_wire.md; versions 27 to 32.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "libio/base/result.h"
#include "libio/base/stream.h"
#include "libproto/agreement.h"

namespace ocsync::proto {

struct IdName {
  uint32_t id = 0;
  std::string name;
  bool operator==(const IdName&) const = default;
};

struct IdList {
  std::vector<IdName> names;  // never id 0
  std::string zero;           // the name of id 0; travels only with Agreement::id0_names, empty if it has none
  bool operator==(const IdList&) const = default;
};

// Names longer than kMaxIdName and entries for id 0 are skipped.
Status write_id_list(const IdList& list, const Agreement& agreed, Writer& out);
Result<IdList> read_id_list(const Agreement& agreed, Reader& in);

}  // namespace ocsync::proto
