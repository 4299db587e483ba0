// A path, taken apart while it is walked.
#pragma once

#include <algorithm>
#include <string>

namespace ocsync::io {

// Symlinks followed on one walk: as many as the kernel and rsync allow.
inline constexpr int kMaxLinkHops = 40;

// Hands out the components of a path one by one; a followed link's target is put in front of what is left.
class Components {
 public:
  explicit Components(std::string path) : rest_(std::move(path)) {}
  bool next(std::string& component) {
    at_ = rest_.find_first_not_of('/', at_);
    if (at_ == rest_.npos) return false;
    const size_t end = std::min(rest_.find('/', at_), rest_.size());
    component.assign(rest_, at_, end - at_);
    at_ = end;
    return true;
  }
  // Nothing but the component handed out last: not even a slash behind it.
  bool at_last() const { return at_ >= rest_.size(); }
  bool absolute() const { return !rest_.empty() && rest_.front() == '/'; }
  void follow(const std::string& target) {
    rest_ = target + rest_.substr(std::min(at_, rest_.size()));
    at_ = 0;
  }

 private:
  std::string rest_;
  size_t at_ = 0;
};

}  // namespace ocsync::io
