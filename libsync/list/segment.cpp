#include "libsync/list/segment.h"

#include <algorithm>
#include <numeric>

namespace ocsync::sync {

std::string_view Segment::store(std::string_view text) { return {arena_.store(text), text.size()}; }

Entry& Segment::append() {
  if (count_ == capacity_) {
    if (capacity_ < kPiece) {
      capacity_ = std::min(kPiece, std::max<size_t>(8, capacity_ * 2));
      auto larger = std::make_unique<Entry[]>(capacity_);
      if (count_ > 0) std::copy_n(pieces_[0].get(), count_, larger.get());
      pieces_.clear();
      pieces_.push_back(std::move(larger));
    } else {
      capacity_ += kPiece;
      pieces_.push_back(std::make_unique<Entry[]>(kPiece));
    }
  }
  return at(count_++);
}

Entry& Segment::add(std::string_view path) {
  Entry& entry = append();
  const size_t slash = path.rfind('/');
  std::string_view leaf = path;
  if (slash != std::string_view::npos && path.size() > 1) {
    const std::string_view dir = path.substr(0, slash == 0 ? 1 : slash);
    leaf = path.substr(slash + 1);
    if (last_dir_.empty() || last_dir_ != dir) last_dir_ = store(dir);
    entry.set_dir(last_dir_);
  }
  entry.set_leaf(store(leaf));
  return entry;
}

void Segment::set_checksum(Entry& entry, const Digest& digest) {
  extras_of(entry).checksum = store({reinterpret_cast<const char*>(digest.data.data()), digest.size});
}

Extras& Segment::extras_of(Entry& entry) {
  if (!entry.extras()) entry.set_extras(arena_.make<Extras>());
  return *entry.extras();
}

void Segment::set_dirs(std::vector<std::pair<uint32_t, DirNode*>> dirs) {
  dirs_ = std::move(dirs);
  std::sort(dirs_.begin(), dirs_.end());
}

DirNode* Segment::dir_added(int32_t position) const {
  const auto wanted = static_cast<uint32_t>(position);
  const auto found = std::lower_bound(dirs_.begin(), dirs_.end(), wanted,
                                      [](const auto& dir, uint32_t value) { return dir.first < value; });
  return found != dirs_.end() && found->first == wanted ? found->second : nullptr;
}

void Segment::seal(Order order, bool keep_transmit_order) {
  transmit_indexes_ = keep_transmit_order;
  order_.resize(count_);
  std::iota(order_.begin(), order_.end(), 0u);
  const auto before = [&](uint32_t a, uint32_t b) { return compare_entries(at(a), at(b), order) < 0; };
  if (!std::is_sorted(order_.begin(), order_.end(), before)) std::stable_sort(order_.begin(), order_.end(), before);
}

int32_t Segment::find(std::string_view path, bool is_dir, Order order) const {
  Entry wanted;
  const size_t slash = path.rfind('/');
  if (slash != std::string_view::npos && path.size() > 1) {
    wanted.set_dir(path.substr(0, slash == 0 ? 1 : slash));
    path.remove_prefix(slash + 1);
  }
  wanted.set_leaf(path);
  wanted.mode = is_dir ? S_IFDIR : S_IFREG;
  auto at = std::lower_bound(order_.begin(), order_.end(), wanted, [&](uint32_t position, const Entry& value) {
    return compare_entries(this->at(position), value, order) < 0;
  });
  for (; at != order_.end() && compare_entries(this->at(*at), wanted, order) == 0; ++at)
    if (this->at(*at).active()) return static_cast<int32_t>(at - order_.begin());
  return -1;
}

}  // namespace ocsync::sync
