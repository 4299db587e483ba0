// Ordered filter rules with per-directory merges: a name and its kind in, a verdict out.
//
// A FilterRules is built once from the options (and, on a far side, from the rules that arrived), then walked by one
// thread at a time through a FilterScope per directory.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
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

// Reads a rule file named by the user; "-" is standard input. The argument is the path as typed; relative paths are the
// process's.
using ReadRuleFile = std::function<Result<std::string>(const std::string& path)>;
// The usual one: follows symlinks of root and of the effective user only. `confined`: stays inside --confine-root, too.
ReadRuleFile standard_rule_reader(const Options& options, bool confined = false);

// What rules take from outside their own text.
struct RuleWorld {
  ReadRuleFile read;
  // With --confine-root: for files named by rules that travelled or that directories give. Else empty.
  ReadRuleFile read_confined;
  // May the symlinks on the way to this directory (absolute) be followed? kSystem with ELOOP if one belongs to somebody
  // who must not decide what we read, EXDEV if it leads out of the module. May be called by any thread. Empty: they
  // may.
  std::function<Status(const std::string& dir)> way_to;
  std::function<std::optional<std::string>(const char* name)> variable;  // HOME, CVSIGNORE
  // A complete line of error class that does not count ("discarding over-long filter: ..."). May be called by any
  // thread that walks a scope.
  std::function<void(std::string_view line)> complain;
  // Empty unless asked for (--debug=filter): which rule decided about a name. May be called by any thread, too.
  std::function<void(std::string_view line)> explain;
  bool explains_all = false;  // (--debug=filter2): also which rules there are
  // A daemon that is not in a chroot: the module's absolute path (of_process() knows). Rule files are then read inside
  // it only, and patterns with the '/' modifier start there.
  std::string module_path;
  // A daemon whose module hides something: does it hide this file (its path from the module's root)? Rules are then not
  // read from it, as if it were not there. May be called by any thread. Else empty.
  std::function<bool(std::string_view path)> hidden;
  bool module_in_chroot = false;  // the home directory is "/"

  // Where on disk a path from the module's root is (outside a module: from the root of everything).
  std::string on_disk(const std::string& absolute) const {
    return module_path.size() > 1 ? module_path + absolute : absolute;
  }
  bool hides(std::string_view absolute) const {
    return hidden && hidden(absolute.substr(absolute.starts_with('/') ? 1 : 0));
  }
  static RuleWorld of_process(const Options& options);
};

// The filter parameters of a daemon's module, as configured.
struct ModuleFilterTexts {
  std::string filter, include_from, include, exclude_from, exclude;
};

class FilterRules {
 public:
  FilterRules();
  ~FilterRules();
  FilterRules(FilterRules&&) noexcept;
  FilterRules& operator=(FilterRules&&) noexcept;
  FilterRules copy() const;

  // All rules that the command line asks for, in order, with the automatic ones (backup suffix, partial dir, -C, -F,
  // --old-dirs). Faults are kUsage with rsync's texts; missing files are kFileIo.
  static Result<FilterRules> from_options(const Options& options, const ReadRuleFile& read);
  static Result<FilterRules> from_options(const Options& options, RuleWorld world);
  // Rules as they travelled, for a server.
  static Result<FilterRules> from_wire(const std::vector<std::string>& rules, const Options& options,
                                       const proto::Agreement& agreed);
  static Result<FilterRules> from_wire(const std::vector<std::string>& rules, const Options& options,
                                       const proto::Agreement& agreed, RuleWorld world);
  // What a module hides from its clients. Not for the wire; see guard_with().
  static Result<FilterRules> for_module(const ModuleFilterTexts& texts, const Options& options, RuleWorld world);
  // A server in a module: what `module` excludes is excluded whatever these rules say.
  void guard_with(FilterRules module);
  // A client, once the handshake is done: what the automatic rules owe to the version. `local`: there is no far side.
  void settle(const Options& options, const proto::Agreement& agreed, bool local);
  // Adds the rules both ends know without being told (-C on a server, partial dir) after those that travelled.
  Status add_server_rules(const Options& options, const proto::Agreement& agreed);

  // Does the far side read a list at all (5.1)? A client calls to_wire() in any case, since it refuses what cannot be
  // expressed, and sends the result (also an empty one) only if this holds.
  static bool travels(const Options& options, const proto::Agreement& agreed);
  // The rules that the client sends for the far side, encoded for the agreed version (5.2 to 5.5). kProtocol with
  // "filter rules are too modern for remote rsync" if one cannot be expressed.
  Result<std::vector<std::string>> to_wire(const Options& options, const proto::Agreement& agreed) const;

  // The rules as the user could have written them with --filter (without those of -C).
  std::vector<std::string> to_text() const;

  bool empty() const;
  bool has_per_directory() const;
  // Rules about xattr names exist.
  bool has_xattr_rules() const;
  // By the global rules alone; FilterScope has the whole answer.
  Verdict xattr_verdict(std::string_view name, Side side) const;
  // True if rules that were sent exclude this name, which a sender lists all the same (10.3). Only where no
  // per-directory rules exist: those are the sender's to judge.
  bool sender_had_to_hide(std::string_view path, bool is_dir) const;
  // What a module hides (no verdict of the user's rules). For FilterRules from for_module(). `path` is relative to the
  // module's root.
  bool module_hides(std::string_view path, bool is_dir) const;

  struct List;
  std::shared_ptr<List> list_;
};

// The rules in force inside one directory: the global ones plus what its merge files and those of its parents add.
// Copying is cheap (shared, immutable lists). enter() is called for each directory on the way down.
class FilterScope {
 public:
  // At the transfer root; reads nothing yet (not even the root's merge files: enter("") does, when the root itself is
  // transferred). `root_path` is the absolute path of that root (for rules with the '/' modifier).
  static Result<FilterScope> at_root(const FilterRules& rules, Side side, const std::string& root_path);
  // Inside `path` (relative to the transfer root, "" is the root), whose open directory is `dir`: reads its merge
  // files. Null: it cannot be opened, or is no directory; then nothing is read in it.
  Result<FilterScope> enter(const std::string& path, const io::Dir* dir) const;
  Result<FilterScope> enter(const std::string& path, const io::Dir& dir) const { return enter(path, &dir); }
  // The same rules for paths that are relative to another root.
  FilterScope moved_to(const FilterScope& root) const;
  // At a root, after `entered` was entered from one: directories above are not searched again.
  FilterScope settled_as(const FilterScope& entered) const;
  // What is said when merge files are looked for in `path`, which is no directory that could be entered: that the way
  // leads through a link which does not count, once for each file.
  void look_in_vain(const std::string& path) const;
  // The verdict on `path` (relative to the transfer root). `ignore_perishable` inside a directory that is being
  // removed.
  Verdict verdict(std::string_view path, bool is_dir, bool ignore_perishable = false) const;
  bool excluded(std::string_view path, bool is_dir, bool ignore_perishable = false) const {
    return verdict(path, is_dir, ignore_perishable) == Verdict::kExclude;
  }
  // The part of the verdict that a module's parameters give: for names the user asked for, whom other rules spare.
  bool hidden_by_module(std::string_view path, bool is_dir) const;
  Verdict xattr_verdict(std::string_view name) const;

 private:
  struct State;
  std::shared_ptr<const State> state_;
};

}  // namespace ocsync::sync
