// Opens source content beneath the root it was found under, and removes sources that arrived safely.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "libproto/control.h"
#include "libsync/list/scan.h"

namespace ocsync::sync {

// A view of the scanner's roots with a cache of open directories: one thread's own. Make it after Scanner::first().
class SourceView {
 public:
  SourceView(const Terms& terms, const Scanner& scanner);
  // Symlinks in the last place are refused unless the options follow them.
  Result<io::File> open(const Entry& entry);
  // The value of one attribute, as it is now.
  Result<std::string> read_xattr(const Entry& entry, const std::string& name);
  // --remove-source-files: removes the source if it is still the one that was listed, lies where no symlink led out on
  // the way, and is not what arrived (`arrived`: what lies at the destination, where that is known). Problems are
  // reported.
  void remove(const Entry& entry, const std::optional<proto::SuccessMessage::Place>& arrived);
  // %f of a sender.
  std::string full_path(const Entry& entry) const;
  std::string shown(const Entry& entry) const;

 private:
  Result<std::shared_ptr<const io::Dir>> dir(const Entry& entry);
  Result<std::shared_ptr<const io::Dir>> dir_to_remove_from(const Entry& entry);
  const Terms& terms_;
  const Scanner& scanner_;
  std::vector<std::unique_ptr<DirCache>> caches_;
  bool follows_;
  // Where the last source was removed, which is often where the next one is.
  std::shared_ptr<const io::Dir> emptied_;
  std::string emptied_path_;
  uint32_t emptied_root_ = 0;
};

}  // namespace ocsync::sync
