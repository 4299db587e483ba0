// --max-delete: how much one role may delete, be it for --delete or to make way for backups.
#pragma once

#include <algorithm>
#include <cstdint>

#include "libsync/options/options.h"

namespace ocsync::sync {

// One thread's own; what it refused is told by whoever deletes last.
class DeletionLimit {
 public:
  explicit DeletionLimit(const Options& options) : options_(options) {}
  // True: one more may go. False: it has to stay, and counts as skipped.
  bool allows() {
    if (!options_.max_delete || deleted_ < std::max(*options_.max_delete, 0)) return true;
    ++skipped_;
    return false;
  }
  void count() { ++deleted_; }
  int64_t skipped() const { return skipped_; }

 private:
  const Options& options_;
  int64_t deleted_ = 0, skipped_ = 0;
};

}  // namespace ocsync::sync
