// Progress lines: one per file (--progress) or one for the whole transfer (--info=progress2).
//
// A client makes one Progress for its run; a server's shows nothing. Sizes and counts of the whole run come from
// Totals, which the caller keeps up to date: transferred_files and transferred_size are raised before begin_file(), and
// total_size and files as the list arrives. All functions may be called from several threads at once; with --progress
// (level 1) only one file should be under way at a time, because lines of several would overwrite each other.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string_view>

#include "libsync/options/options.h"

namespace ocsync::sync {

class Reporter;
struct Totals;

class Progress {
 public:
  using Clock = std::function<int64_t()>;  // milliseconds since some fixed point

  // Borrows all three. An empty clock is the machine's monotonic one.
  Progress(Reporter& reporter, const Options& options, const Totals& totals, Clock clock = {});
  ~Progress();

  // True if lines are shown at all; the other functions do nothing without.
  bool enabled() const { return level_ > 0; }

  // From now on "to-chk" instead of "ir-chk": the list is complete.
  void list_complete();

  // One file under way. Ends without a line unless end() was called.
  class File {
   public:
    File() = default;
    File(File&&) noexcept;
    File& operator=(File&&) noexcept;
    ~File();
    void advance(int64_t bytes_done);  // in total, not since the last call
    // The final line. `name` is shown before it if show_once() asked for it and names are not shown otherwise.
    void end(std::string_view name = {});

   private:
    friend class Progress;
    Progress* progress_ = nullptr;
    int64_t size_ = 0;
    int64_t done_ = 0;
  };
  // `position`: how many entries of the list lie before this one (its index among all entries seen, from 0).
  File begin_file(int64_t position, int64_t size);

  // The far generator said that it is through with a segment or a phase: progress2 shows where we are. `position` is
  // that of the segment's last entry.
  void segment_done(int64_t position);

  // One line for the next file that ends, although nobody asked for progress lines (SIGINFO, SIGVTALRM).
  void show_once();

 private:
  struct State;
  void advance(int64_t done_before, int64_t done, int64_t size);
  void end(int64_t done, int64_t size, std::string_view name);
  void drop(int64_t done, int64_t size);

  int level_ = 0;
  std::unique_ptr<State> state_;
};

}  // namespace ocsync::sync
