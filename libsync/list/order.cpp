#include "libsync/list/order.h"

#include <algorithm>
#include <cstring>

namespace ocsync::sync {

namespace {

// A path read byte by byte from up to three pieces, so that comparing needs no joined copy: "dir", "/", "leaf", and
// the closing slash that makes a directory sort behind the files beside it.
class PathBytes {
 public:
  PathBytes(std::string_view dir, std::string_view leaf, bool is_dir, bool suffix)
      : dir_(dir), leaf_(leaf), slash_(is_dir && suffix) {
    if (dir.empty() && suffix && is_dir && leaf == ".") leaf_ = {}, slash_ = false;
    join_ = !dir_.empty() && dir_ != "/";
    size_ = dir_.size() + (join_ ? 1 : 0) + leaf_.size() + (slash_ ? 1 : 0);
  }
  size_t size() const { return size_; }
  unsigned char operator[](size_t i) const {
    if (i < dir_.size()) return static_cast<unsigned char>(dir_[i]);
    i -= dir_.size();
    if (join_) {
      if (i == 0) return '/';
      --i;
    }
    return i < leaf_.size() ? static_cast<unsigned char>(leaf_[i]) : '/';
  }
  // True if a slash stands at or after position i: the component there is a directory, not an item.
  bool slash_from(size_t i) const {
    if (slash_ && i < size_) return true;
    if (join_ && i <= dir_.size()) return true;
    return i < dir_.size() && dir_.find('/', i) != std::string_view::npos;
  }

 private:
  std::string_view dir_, leaf_;
  bool slash_, join_ = false;
  size_t size_ = 0;
};

int compare_bytes(const PathBytes& a, const PathBytes& b, bool by_components) {
  const size_t shorter = std::min(a.size(), b.size());
  size_t i = 0;
  while (i < shorter && a[i] == b[i]) ++i;
  if (i == a.size() && i == b.size()) return 0;
  if (by_components) {
    const bool a_path = a.slash_from(i), b_path = b.slash_from(i);
    if (a_path != b_path) return a_path ? 1 : -1;
  }
  if (i == a.size()) return -1;
  if (i == b.size()) return 1;
  return a[i] < b[i] ? -1 : 1;
}

}  // namespace

int compare_paths(std::string_view a, bool a_is_dir, std::string_view b, bool b_is_dir, Order order) {
  const bool by_components = order == Order::kComponents;
  // A slash at the very front belongs to the directory part, alone.
  const auto bytes_of = [&](std::string_view path, bool is_dir) {
    const size_t slash = path.rfind('/');
    if (slash == std::string_view::npos || path.size() == 1) return PathBytes({}, path, is_dir, by_components);
    return PathBytes(path.substr(0, slash == 0 ? 1 : slash), path.substr(slash + 1), is_dir, by_components);
  };
  return compare_bytes(bytes_of(a, a_is_dir), bytes_of(b, b_is_dir), by_components);
}

int compare_entries(const Entry& a, const Entry& b, Order order) {
  const bool by_components = order == Order::kComponents;
  const std::string_view a_dir = a.dir_view(), b_dir = b.dir_view();
  const bool same_dir = a_dir.size() == b_dir.size() && (a_dir.data() == b_dir.data() || a_dir == b_dir);
  if (same_dir && !a.is_root() && !b.is_root()) {  // the common case: siblings
    if (by_components && a.is_dir() != b.is_dir()) return a.is_dir() ? 1 : -1;
    const std::string_view x = a.leaf_view(), y = b.leaf_view();
    const size_t shorter = std::min(x.size(), y.size());
    if (const int c = std::memcmp(x.data(), y.data(), shorter); c != 0) {
      return c;
    }
    if (x.size() == y.size()) return 0;
    if (!by_components || !a.is_dir()) return x.size() < y.size() ? -1 : 1;
    // Directories compare with their closing slash: "a.b/" is before "a/".
    if (x.size() < y.size()) return '/' < static_cast<unsigned char>(y[shorter]) ? -1 : 1;
    return static_cast<unsigned char>(x[shorter]) < '/' ? -1 : 1;
  }
  return compare_bytes(PathBytes(a.dir_view(), a.leaf_view(), a.is_dir(), by_components),
                       PathBytes(b.dir_view(), b.leaf_view(), b.is_dir(), by_components), by_components);
}

}  // namespace ocsync::sync
