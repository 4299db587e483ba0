// New content takes its name: where it is written, and how it gets its attributes and its place, atomically.
//
// Used alike by the receiving role (content from tokens) and by local copies (content from a file). One thread's own.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <unordered_set>
#include <vector>

#include "libio/os/temp_file.h"
#include "libsync/receiver/backup.h"
#include "libsync/receiver/destination.h"
#include "libsync/receiver/request.h"
#include "libsync/session/terms.h"

namespace ocsync::sync {

// An output under way: a hidden file, or the target itself with --inplace. Uncommitted hidden files vanish.
struct Output {
  std::optional<io::TempFile> temp;
  io::File direct;                     // --inplace: the target (or the partial file)
  std::shared_ptr<const io::Dir> dir;  // where the file that is written lives
  std::string leaf;                    // its final name there (direct) or the target's
  bool in_place = false;               // content goes over the old content
  bool device = false;                 // --write-devices: it has a size of its own
  bool partial_in_place = false;       // ... of the partial-dir file, which is then moved
  bool has_literal_data = true;        // not only what the basis has: worth keeping where the run ends early
  std::optional<io::FileInfo> made;    // owner and mode of the hidden file, where they are known without a look
  const io::File& file() const { return temp ? temp->file() : direct; }
};

enum class Placed : uint8_t { kInPlace, kDelayed, kFailed };

class Placer {
 public:
  Placer(const Terms& terms, Destination& destination, Backups& backups, Role role)
      : terms_(terms), destination_(destination), backups_(backups), role_(role) {}

  // Opens what the content of `request` is to be written to. Failures are reported; nothing comes back then.
  std::optional<Output> open(const Request& request);
  // The content is complete. `verified`: it is what the sender has; otherwise it is kept only as partial data.
  Placed finish(Output output, const Request& request, bool verified);
  // The run is being interrupted with the content incomplete: keeps it if --partial asks for that.
  void abandon(Output output, const Request& request);
  // Set if the run must end: an old version could not be kept.
  const std::optional<Error>& fatal() const { return fatal_; }
  // --delay-updates: everything arrived, all files take their names; `placed` hears of each that did.
  void place_delayed(const std::function<void(const Request& request)>& placed);
  // Where unfinished content of `path` is kept with --partial-dir; directories are made if `make`.
  struct Partial {
    std::shared_ptr<const io::Dir> dir;
    std::string leaf;
    std::string path;
  };
  // EXDEV: it leads out of the module. `make`: it is there afterwards, if it can be.
  Result<Partial> partial_place(const std::string& path, bool make);
  // Where an earlier run may have left something to build on. ENOENT: it leads out of the destination, so nothing is.
  Result<Partial> partial_basis(const std::string& path);
  // Removes the partial directory if it is relative and now empty.
  void drop_partial_dir(const std::string& path);
  // Did this object make the directory for partial files at `path`?
  bool made_partial_dir(const std::string& path) const { return partial_dirs_.contains(path); }

 private:
  static Result<bool> make_partial_dir(const io::Dir& parent, const std::string& name);
  // Long attribute values come to the role that reads; a run on one machine knows them anyhow.
  bool values_known() const { return terms_.local || role_ == Role::kReceiver; }
  Result<io::File> open_partial(Output& out, const Request& request);
  bool move_into_place(io::TempFile& temp, const Request& request);
  bool keep_partial(Output& output, const Request& request, bool verified);
  // Owner and mode that a new file has in a directory depend on the directory, us and the mode asked for only. One that
  // belongs to somebody else may change under us (set-gid, its group): there every file is looked at.
  struct Fresh {
    std::shared_ptr<const io::Dir> dir;  // held, so that no other can take its address
    bool steady = false;                 // nobody else may change it; the rest is known for such only
    io::FileInfo info;
    uint32_t asked_mode = 0;
  };
  std::string temp_path(const Request& request, std::string_view name) const;
  std::string shown_temp(const Request& request, std::string_view name) const;
  std::string shown_output(const Request& request, const Output& output) const;
  void say_no_temp(const Request& request, int error);
  uint32_t mode_to_create(const std::shared_ptr<const io::Dir>& dir, const Request& request) const;
  void learn_fresh(const std::shared_ptr<const io::Dir>& dir, uint32_t asked_mode, Output& out);

  struct Delayed {
    Request request;
  };
  const Terms& terms_;
  Destination& destination_;
  Backups& backups_;
  Role role_;
  std::shared_ptr<const io::Dir> temp_dir_;
  std::vector<Delayed> delayed_;
  std::unordered_set<std::string> partial_dirs_;  // relative ones that were made
  std::optional<Error> fatal_;
  std::string missing_dir_;  // the last directory that was said to be gone
  Fresh fresh_;
};

}  // namespace ocsync::sync
