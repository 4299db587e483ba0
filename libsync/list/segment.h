// Entries that travel together: one directory's, or one whole list. Sealed before a second thread sees it.
//
// A segment owns its entries and every byte they point to. Wire indexes of its entries are first_ndx() .. last_ndx();
// with incremental lists, first_ndx() - 1 stands for the directory that the segment belongs to.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "libio/base/arena.h"
#include "libsync/list/entry.h"
#include "libsync/list/order.h"

namespace ocsync::sync {

struct DirNode;

class Segment {
 public:
  explicit Segment(int32_t first_ndx, int32_t parent_dir = -1) : first_ndx_(first_ndx), parent_dir_(parent_dir) {}

  // --- building, by one thread ---
  // Adds an entry under `path` (directory part and leaf are copied; equal directory parts in a row are stored once).
  Entry& add(std::string_view path);
  Extras& extras_of(Entry& entry);
  std::string_view store(std::string_view text);
  void set_checksum(Entry& entry, const Digest& digest);
  // Sorts; afterwards indexes are fixed. With `keep_transmit_order` (names are converted) indexes stay as added and
  // only sorted() tells the order of work.
  void seal(Order order, bool keep_transmit_order = false);

  // --- afterwards ---
  int32_t first_ndx() const { return first_ndx_; }
  int32_t count() const { return static_cast<int32_t>(count_); }
  int32_t end_ndx() const { return first_ndx_ + count(); }
  int32_t parent_dir() const { return parent_dir_; }
  bool holds(int32_t ndx) const { return ndx >= first_ndx_ && ndx < end_ndx(); }
  Entry& by_ndx(int32_t ndx) { return at(position_of(ndx)); }
  const Entry& by_ndx(int32_t ndx) const { return at(position_of(ndx)); }
  // The i-th entry in order of work, 0 <= i < count(), and its index on the wire.
  Entry& sorted(int32_t i) { return at(order_[static_cast<size_t>(i)]); }
  const Entry& sorted(int32_t i) const { return at(order_[static_cast<size_t>(i)]); }
  // Where the i-th entry in order of work stands in the order of adding.
  int32_t added_position(int32_t i) const { return static_cast<int32_t>(order_[static_cast<size_t>(i)]); }
  int32_t ndx_of_sorted(int32_t i) const {
    return first_ndx_ + (transmit_indexes_ ? static_cast<int32_t>(order_[static_cast<size_t>(i)]) : i);
  }
  // The i-th entry in the order it was added.
  Entry& added(int32_t i) { return at(static_cast<size_t>(i)); }
  const Entry& added(int32_t i) const { return at(static_cast<size_t>(i)); }
  // Position in order of work of the first entry that equals `path`, of any type; -1 if none. Sealed segments only.
  int32_t find(std::string_view path, bool is_dir, Order order) const;
  bool has_any(std::string_view path, Order order) const {
    return find(path, false, order) >= 0 || find(path, true, order) >= 0;
  }
  // Wire indexes follow the order of adding instead of the sorted one.
  bool transmit_indexes() const { return transmit_indexes_; }

  int io_error = 0;            // the sending side's error bits when this list was complete
  int64_t first_position = 0;  // entries in the lists before this one

  // Work of the receiving side on this segment; owned by the generator.
  int32_t in_progress = 0;  // requests without an outcome yet
  int32_t to_redo = 0;
  DirNode* parent = nullptr;  // the directory that gap index first_ndx() - 1 stands for; null: none
  int32_t first_dir = 0;      // number of this segment's first directory in the session
  // Its directories once a DirTable has numbered them; by the position they were added at. Null: no directory.
  DirNode* dir_added(int32_t position) const;
  DirNode* dir_of_ndx(int32_t ndx) const { return dir_added(static_cast<int32_t>(position_of(ndx))); }
  bool has_numbered_dirs() const { return !dirs_.empty(); }
  void set_dirs(std::vector<std::pair<uint32_t, DirNode*>> dirs);  // position and node, in any order

 private:
  // Entries are kept in pieces, so that growing never holds them twice; the first piece grows with the segment.
  static constexpr size_t kPiece = 1024;
  Entry& at(size_t i) { return pieces_[i / kPiece][i % kPiece]; }
  const Entry& at(size_t i) const { return pieces_[i / kPiece][i % kPiece]; }
  Entry& append();

  size_t position_of(int32_t ndx) const {
    const size_t i = static_cast<size_t>(ndx - first_ndx_);
    return transmit_indexes_ ? i : order_[i];
  }

  static constexpr size_t kFirstBlock = 1024;  // most directories are small

  int32_t first_ndx_;
  int32_t parent_dir_;
  std::vector<std::unique_ptr<Entry[]>> pieces_;  // in the order they were added
  size_t count_ = 0;
  size_t capacity_ = 0;
  std::vector<uint32_t> order_;  // positions in the order of adding, sorted
  bool transmit_indexes_ = false;
  Arena arena_{kFirstBlock};
  std::vector<std::pair<uint32_t, DirNode*>> dirs_;  // by position
  std::string_view last_dir_;
};

}  // namespace ocsync::sync
