// What reports say about an entry.
#pragma once

#include "libsync/list/entry.h"
#include "libsync/report/reporter.h"

namespace ocsync::sync {

// Borrows everything; `path` is the entry's path in the list, `full_path` what %f shows.
inline ItemFacts facts_of(const Entry& entry, std::string_view path, std::string_view full_path,
                          const proto::Item& item) {
  ItemFacts facts;
  facts.name = path;
  facts.full_path = full_path;
  facts.link_target = entry.target();
  if (!(item.flags & proto::kTransfer)) facts.xname = item.xname;  // the name of a similar file is nobody's business
  facts.mode = entry.mode;
  facts.size = entry.size;
  facts.mtime = entry.time();
  facts.uid = entry.uid;
  facts.gid = entry.gid;
  facts.gid_known = !entry.has(kGroupUnsettable);
  facts.item_flags = item.flags;
  if (entry.extras() && entry.is_regular()) facts.digest = entry.extras()->digest();
  return facts;
}

}  // namespace ocsync::sync
