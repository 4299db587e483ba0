#include "libsync/list/segment.h"

#include <algorithm>
#include <numeric>

namespace ocsync::sync {

std::string_view Segment::store(std::string_view text) { return {arena_.store(text), text.size()}; }

Entry& Segment::add(std::string_view path) {
  Entry entry;
  const size_t slash = path.rfind('/');
  std::string_view leaf = path;
  if (slash != std::string_view::npos && path.size() > 1) {
    const std::string_view dir = path.substr(0, slash == 0 ? 1 : slash);
    leaf = path.substr(slash + 1);
    if (last_dir_.empty() || last_dir_ != dir) last_dir_ = store(dir);
    entry.dir = last_dir_.data();
    entry.dir_length = static_cast<uint16_t>(last_dir_.size());
  }
  entry.leaf = arena_.store(leaf);
  entry.leaf_length = static_cast<uint16_t>(leaf.size());
  entries_.push_back(entry);
  return entries_.back();
}

Extras& Segment::extras_of(Entry& entry) {
  if (entry.extras == nullptr) {
    extras_.push_back(std::make_unique<Extras>());
    entry.extras = extras_.back().get();
  }
  return *entry.extras;
}

void Segment::seal(Order order, bool keep_transmit_order) {
  transmit_indexes_ = keep_transmit_order;
  order_.resize(entries_.size());
  std::iota(order_.begin(), order_.end(), 0u);
  const auto before = [&](uint32_t a, uint32_t b) { return compare_entries(entries_[a], entries_[b], order) < 0; };
  if (!std::is_sorted(order_.begin(), order_.end(), before)) std::stable_sort(order_.begin(), order_.end(), before);
}

int32_t Segment::find(std::string_view path, bool is_dir, Order order) const {
  Entry wanted;
  const size_t slash = path.rfind('/');
  if (slash != std::string_view::npos && path.size() > 1) {
    wanted.dir = path.data();
    wanted.dir_length = static_cast<uint16_t>(slash == 0 ? 1 : slash);
    path.remove_prefix(slash + 1);
  }
  wanted.leaf = path.data();
  wanted.leaf_length = static_cast<uint16_t>(path.size());
  wanted.mode = is_dir ? S_IFDIR : S_IFREG;
  auto at = std::lower_bound(order_.begin(), order_.end(), wanted, [&](uint32_t position, const Entry& value) {
    return compare_entries(entries_[position], value, order) < 0;
  });
  for (; at != order_.end() && compare_entries(entries_[*at], wanted, order) == 0; ++at)
    if (entries_[*at].active()) return static_cast<int32_t>(at - order_.begin());
  return -1;
}

}  // namespace ocsync::sync
