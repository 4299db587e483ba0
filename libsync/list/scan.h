// Walks the sources and yields segments: one whole list, or the arguments first and then a directory at a time.
//
// One thread's own. Errors on single names are reported and remembered in the run's io_error; the walk goes on.
#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include "libio/os/ring.h"
#include "libsync/filter/rules.h"
#include "libsync/filter/scope_stack.h"
#include "libsync/list/dir_table.h"
#include "libsync/list/segment.h"
#include "libsync/meta/modes.h"
#include "libsync/receiver/destination.h"
#include "libsync/report/exit_code.h"
#include "libsync/session/terms.h"

namespace ocsync::sync {

// A directory that arguments are relative to. Entries remember it by number (Extras::dev is not it: see root_of).
struct SourceRoot {
  std::string typed;  // as the operator wrote it; empty: the working directory
  std::string absolute;
  std::shared_ptr<const io::Dir> dir;
  std::unique_ptr<DirCache> cache;  // used by the scanning thread
  std::optional<FilterScope> scope;
};

// How directories of sources are reached.
Follow source_follow(const Options& options);

class Scanner {
 public:
  // `base` is the directory that relative arguments start from. `filters` must outlive the scanner.
  Scanner(const Terms& terms, const FilterRules& filters, std::string base);

  // The first segment: all arguments (with everything below them unless lists are incremental). `names`: the
  // arguments, or the names of --files-from. Fatal problems only.
  Result<std::shared_ptr<Segment>> first(const std::vector<std::string>& names);
  // The next directory's segment, depth first; null when there is none left.
  Result<std::shared_ptr<Segment>> next();
  bool exhausted() const { return pending_.empty(); }

  // The root an entry was found under.
  const SourceRoot& root(uint32_t number) const { return *roots_[number]; }
  uint32_t root_count() const { return static_cast<uint32_t>(roots_.size()); }
  static uint32_t root_of(const Entry& entry) { return entry.extras() ? entry.extras()->source_root : 0; }
  static uint32_t root_of_dir(const DirNode& node) { return node.source_root; }
  DirTable& dirs() { return dirs_; }
  // A name below a root as messages show it.
  std::string shown(uint32_t root, std::string_view path) const;
  int64_t entries() const { return total_; }

 private:
  enum class NameType : uint8_t { kNormal, kSlashEnding, kDotDir, kMissing };
  // What remains of a relative argument below a directory that was only implied.
  struct Relname {
    std::string name;
    NameType type;
  };
  // A directory still to be listed. Equal directories of several arguments share one entry (and one sub-list).
  using Relnames = std::unique_ptr<std::vector<Relname>>;  // most directories have none
  struct Visit {
    ShortText path;  // as listed, in memory of dirs_
    uint32_t root;
    bool content;
    Relnames relnames;
  };
  struct Pending {
    int32_t number;
    Visit visit;
    std::unique_ptr<std::vector<Visit>> more;
  };

  Result<uint32_t> root_for(const std::string& dir);
  bool hidden_by_module(const std::string& path) const;
  bool leads_astray(uint32_t root, std::string_view name) const;
  Status add_argument(Segment& segment, std::string argument);
  struct MetaNumbers {
    int32_t acl = -1, default_acl = -1, xattrs = -1;
  };
  bool read_meta(uint32_t root, const io::Dir& dir, std::optional<io::Leaf> leaf, const std::string& path,
                 const io::FileInfo& info, MetaNumbers& out);
  bool convertible(uint32_t root, const std::string& path, std::string_view target);
  int32_t add_entry(Segment& segment, uint32_t root, const io::Dir& dir, std::optional<io::Leaf> leaf,
                    const std::string& path, const io::FileInfo& info, uint16_t marks, std::string_view target);
  int32_t add_name(Segment& segment, uint32_t root, const io::Dir& dir, io::Leaf leaf, const std::string& path,
                   const FilterScope* scope, uint16_t marks, unsigned char type_hint,
                   const Result<io::FileInfo>* looked = nullptr);
  std::vector<Result<io::FileInfo>> look_together(const io::Dir& dir, const io::DirListing& listing, size_t first);
  int32_t add_implied(Segment& segment, uint32_t root, const std::string& path);
  void list_directory(Segment& segment, uint32_t root, const std::string& path, const FilterScope& scope, bool recurse);
  Status finish(Segment& segment);
  void stat_problem(uint32_t root, const std::string& path, int error, bool is_dir);
  Result<std::shared_ptr<const io::Dir>> open_dir(uint32_t root, std::string_view path);
  Status enter(int level, uint32_t root, const std::string& path);
  FilterScope in_force(uint32_t root) const { return rules_.in_force(*roots_[root]->scope); }
  Result<FilterScope> inside(uint32_t root, const std::string& path, const FilterScope& around);
  Result<io::FileInfo> look(uint32_t root, const io::Dir& dir, io::Leaf leaf, const std::string& path,
                            std::string& target, bool follow_dirs, bool follow_all,
                            const Result<io::FileInfo>* looked = nullptr);
  void look_problem(uint32_t root, const io::Dir& dir, io::Leaf leaf, const std::string& path, int error);
  bool too_many_links(uint32_t root, std::string_view path) const;
  bool is_unsafe(std::string_view path, std::string_view target) const;
  void note_error(int bit) {
    io_error_ |= bit;
    terms_.reporter.state().io_error |= bit;
  }
  void general_error() { note_error(kIoErrorGeneral); }

  const Terms& terms_;
  const FilterRules& filters_;
  std::unique_ptr<io::Ring> ring_;  // of the thread that lists
  std::thread::id ring_thread_;
  size_t names_seen_ = 0;
  std::string base_;
  std::vector<std::unique_ptr<SourceRoot>> roots_;
  std::optional<ModeChanges> chmod_;
  DirTable dirs_;
  std::vector<Pending> pending_;  // a stack: the next directory to list is at the back
  ScopeStack rules_;
  bool root_entered_ = false;
  // While one segment is built: which relative rests belong to the directories found in it, by their position.
  std::unordered_map<int32_t, Relnames> found_;
  void add_relname(int32_t position, Relname name) {
    Relnames& names = found_[position];
    if (!names) names = std::make_unique<std::vector<Relname>>();
    names->push_back(std::move(name));
  }
  int32_t last_implied_ = -1;  // position of the implied directory that took the last relname
  std::string last_implied_path_;
  uint32_t last_implied_root_ = 0;  // equal names below different roots are different directories
  struct LinkKey {
    uint64_t dev, ino;
    bool operator==(const LinkKey&) const = default;
  };
  struct LinkHash {
    size_t operator()(const LinkKey& key) const { return key.ino * 0x9E3779B97F4A7C15ull ^ key.dev; }
  };
  std::unordered_map<LinkKey, int64_t, LinkHash> links_;
  bool lists_dot_ = false;        // the directory that is being listed is "."
  std::optional<Error> failure_;  // ends the run with the segment that it was met in
  int io_error_ = 0;              // the walk's own: a file that could not be opened later hides no deletions
  int32_t next_ndx_ = 0;
  int64_t total_ = 0;
  uint64_t file_system_ = 0;
  bool implied_dot_sent_ = false;
};

}  // namespace ocsync::sync
