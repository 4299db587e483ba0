// Requests that the far sender has not answered yet: what the receiving role must know about each. Thread-safe.
#pragma once

#include <mutex>
#include <optional>
#include <unordered_map>

#include "libsync/receiver/request.h"

namespace ocsync::sync {

class Pending {
 public:
  void add(Request request) {
    const std::lock_guard lock(mutex_);
    const int32_t ndx = request.ndx;
    requests_.insert_or_assign(ndx, std::move(request));
  }
  // Takes the request out; nothing if none was made under this index.
  std::optional<Request> take(int32_t ndx) {
    const std::lock_guard lock(mutex_);
    const auto at = requests_.find(ndx);
    if (at == requests_.end()) return std::nullopt;
    std::optional<Request> out(std::move(at->second));
    requests_.erase(at);
    return out;
  }
  size_t count() {
    const std::lock_guard lock(mutex_);
    return requests_.size();
  }

 private:
  std::mutex mutex_;
  std::unordered_map<int32_t, Request> requests_;
};

}  // namespace ocsync::sync
