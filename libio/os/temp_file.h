// New content under a hidden name beside its target; gone unless committed.
//
// The name is "." + target (without a leading dot of its own, cut to fit) + "." + six random characters, as rsync's
// users know it. Destroying an uncommitted TempFile unlinks it. One owner thread.
#pragma once

#include <string>
#include <string_view>

#include "libio/os/dir.h"

namespace ocsync::io {

class TempFile {
 public:
  // Creates the file in `dir`, which must outlive this object. With `plain_name` (for --temp-dir) no dot is put in
  // front.
  static Result<TempFile> create(const Dir& dir, std::string_view target, uint32_t mode, bool plain_name = false);
  TempFile(TempFile&& other) noexcept;
  TempFile& operator=(TempFile&&) = delete;
  ~TempFile();

  const File& file() const { return file_; }
  const std::string& name() const { return name_; }
  // Renames onto `target` in `target_dir`, replacing what is there, atomically. Afterwards nothing is left to unlink.
  Status commit(const Dir& target_dir, Leaf target);
  // Gives up ownership of the name: the file stays where it is.
  void keep() { armed_ = false; }
  void discard();
  void close_file() { file_.close(); }

 private:
  TempFile(const Dir& dir, std::string name, File file) : dir_(&dir), name_(std::move(name)), file_(std::move(file)) {}
  const Dir* dir_;
  std::string name_;
  File file_;
  bool armed_ = true;
};

// A name for a temporary object beside `target` that is not a regular file (symlink, device, link): same scheme.
std::string temp_name(std::string_view target, bool plain_name = false);

}  // namespace ocsync::io
