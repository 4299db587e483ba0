// Ordered filter rules with per-directory merges: a name and its kind in, a verdict out.
//
// A FilterRules is built once from the options (and, on a far side, from the rules that arrived), then walked by one
// thread at a time through a FilterScope per directory.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "libio/base/result.h"
#include "libio/os/dir.h"
#include "libproto/agreement.h"
#include "libsync/options/options.h"

namespace ocsync::sync {

enum class Side : uint8_t { kSender, kReceiver };
enum class Verdict : uint8_t { kNoMatch, kInclude, kExclude };

// Reads a rule file named by the user. The argument is the path as typed; relative paths are the process's.
using ReadRuleFile = std::function<Result<std::string>(const std::string& path)>;

class FilterRules {
 public:
  FilterRules();
  ~FilterRules();
  FilterRules(FilterRules&&) noexcept;
  FilterRules& operator=(FilterRules&&) noexcept;

  // All rules that the command line asks for, in order, with the automatic ones (backup suffix, partial dir, -C, -F,
  // --old-dirs). Faults are kUsage with rsync's texts; missing files are kFileIo.
  static Result<FilterRules> from_options(const Options& options, const ReadRuleFile& read);
  // Rules as they travelled, for a server.
  static Result<FilterRules> from_wire(const std::vector<std::string>& rules, const Options& options,
                                       const proto::Agreement& agreed);
  // Adds the rules both ends know without being told (-C on a server, partial dir) after those that travelled.
  Status add_server_rules(const Options& options, const proto::Agreement& agreed);

  // The rules that the client sends for the far side, encoded for the agreed version (5.2 to 5.5). kProtocol with
  // "filter rules are too modern for remote rsync" if one cannot be expressed.
  Result<std::vector<std::string>> to_wire(const Options& options, const proto::Agreement& agreed) const;

  bool empty() const;
  bool has_per_directory() const;
  // Rules about xattr names exist.
  bool has_xattr_rules() const;
  Verdict xattr_verdict(std::string_view name, Side side) const;

  struct List;
  std::shared_ptr<List> list_;
};

// The rules in force inside one directory: the global ones plus what its merge files and those of its parents add.
// Copying is cheap (shared, immutable lists). enter() is called for each directory on the way down.
class FilterScope {
 public:
  // At the transfer root. `root_path` is the absolute path of that root (for rules with the '/' modifier).
  static Result<FilterScope> at_root(const FilterRules& rules, Side side, const std::string& root_path, const io::Dir& root);
  // Inside `path` (relative to the transfer root, "" is the root), whose open directory is `dir`: reads its merge files.
  Result<FilterScope> enter(const std::string& path, const io::Dir& dir) const;
  // The verdict on `path` (relative to the transfer root). `ignore_perishable` inside a directory that is being removed.
  Verdict verdict(std::string_view path, bool is_dir, bool ignore_perishable = false) const;
  bool excluded(std::string_view path, bool is_dir, bool ignore_perishable = false) const {
    return verdict(path, is_dir, ignore_perishable) == Verdict::kExclude;
  }

 private:
  struct State;
  std::shared_ptr<const State> state_;
};

}  // namespace ocsync::sync
