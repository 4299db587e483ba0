// An open file of any type: positioned reads and writes, holes, attributes on the open object.
//
// Owns its descriptor; movable. Positioned operations may be called from several threads at once.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "libio/base/bytes.h"
#include "libio/base/result.h"
#include "libio/os/fd.h"
#include "libio/os/file_info.h"

namespace ocsync::io {

class File {
 public:
  File() = default;
  // `fd` was just opened: it is at its beginning.
  explicit File(Fd fd) : fd_(std::move(fd)) {}

  Result<FileInfo> info() const;
  // At most into.size() bytes at `offset`; 0 at the end of the file. Retries EINTR.
  Result<size_t> read_at(MutableBytes into, uint64_t offset) const;
  // As many bytes as there are up to into.size(); less only at the end of the file.
  Result<size_t> read_full_at(MutableBytes into, uint64_t offset) const;
  // Reads on from where the file is: position(), which only this moves on. For what cannot seek, and for those who
  // watch a program by its read() calls. One thread at a time. At most into.size() bytes; 0 at the end.
  Result<size_t> read_on(MutableBytes into) const;
  // kNowhere once next_data() or device_bytes() have moved it.
  static constexpr uint64_t kNowhere = UINT64_MAX;
  uint64_t position() const;
  // All bytes or an error.
  Status write_at(Bytes bytes, uint64_t offset) const;
  Status truncate(uint64_t bytes) const;
  // How much a block device holds (its stat size is 0), found by seeking to its end.
  Result<uint64_t> device_bytes() const;
  // Reserves space without changing the size seen by readers; kUnsupported where the file system cannot.
  Status preallocate(uint64_t bytes) const;
  Status punch_hole(uint64_t offset, uint64_t bytes) const;
  // Makes a region read as zeros, by a hole where the file system can, otherwise by writing them.
  Status clear(uint64_t offset, uint64_t bytes) const;
  // The next region with data at or after offset: {start, end}; nothing if only a hole follows.
  // Where the file system cannot tell, everything is data, and `told` is false.
  struct Extent {
    uint64_t begin, end;
    bool told = true;
  };
  Result<std::optional<Extent>> next_data(uint64_t offset, uint64_t size) const;
  Status sync() const;
  void advise_sequential() const;
  void advise_drop(uint64_t offset, uint64_t bytes) const;

  Status set_mode(uint32_t permissions) const;
  Status set_owner(uint32_t uid, uint32_t gid) const;  // UINT32_MAX leaves that id alone
  Status set_times(std::optional<FileTime> atime, FileTime mtime) const;

  int fd() const { return fd_.get(); }
  bool valid() const { return fd_.valid(); }
  void close() { fd_.close(); }

 private:
  void moved_to(uint64_t position) const;
  Fd fd_;
  mutable uint64_t position_ = 0;  // of a descriptor that was just opened; only through atomic_ref
};

}  // namespace ocsync::io
