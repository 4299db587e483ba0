// Paths of a restricted client, reduced to names beneath directories that are held open.
//
// A path is resolved once; what was found is opened from the restricted directory down without following any symlink,
// so nothing outside can be held, whatever is renamed meanwhile. The server is then given /proc/self/fd/N/LEAF: from
// there on no directory above LEAF can be exchanged under it. What a server makes of LEAF itself (a symlink is sent as
// a symlink, a new file is made) is its own rule, and --confine-root bounds it once more.
//
// The process's current directory is the restricted directory while this is used. One owner thread.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "libio/base/result.h"
#include "libio/os/dir.h"
#include "libsync/restrict/request.h"

namespace ocsync::sync {

class Pins {
 public:
  // `path`: the real absolute path of `root` (borrowed). "/" restricts nothing and pins nothing.
  Pins(const io::Dir& root, std::string path, bool absolute_allowed)
      : root_(root), path_(std::move(path)), absolute_allowed_(absolute_allowed) {}

  // As PathChecks wants them. Errors are the sentences that a client reads.
  Result<std::string> value(const std::string& option, std::string value, bool sends, bool used);
  Result<std::vector<std::string>> argument(const RestrictedRequest& so_far, const std::string& word);

  // For a program that takes our place: descriptors stay open across exec.
  Status keep_open();

 private:
  struct Named;
  std::string tidy(std::string path) const;
  Result<std::string> one_argument(const RestrictedRequest& so_far, const std::string& path, const std::string& shown);
  Result<Named> look_up(const std::string& path, const std::string& shown) const;
  Result<std::string> source(bool relative, const Named& named, const std::string& shown);
  Result<std::string> target(const Named& named, const std::string& shown);
  Result<io::Dir> written_dir(const std::string& path, const std::string& shown) const;
  Status check_source(const Named& named, const std::string& shown) const;
  Result<std::string> existing(const Named& named);
  Result<std::string> made_dir(const std::string& below, uint32_t mode, const std::string& shown);
  Result<std::string> empty_dir(const std::string& shown);
  Result<std::string> hold(const io::Dir& dir);
  Result<std::string> hold_fd(int fd);

  const io::Dir& root_;
  std::string path_;
  bool absolute_allowed_;
  struct Held {
    io::Fd fd;
    uint64_t dev, ino;
  };
  std::vector<Held> held_;
};

// Where `path` (absolute) leads through all its symlinks; what does not exist stays as written, and so does a circle.
std::string real_path(const std::string& path);

}  // namespace ocsync::sync
