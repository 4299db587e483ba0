// Trust in a sender, or rather the lack of it: which names a client that pulls lets into its list.
//
// A far side is free to send whatever list it likes. Without this check it could fill the destination with names that
// nobody asked for. So each name must be one that the arguments cover, and none that our own rules would have hidden.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "libsync/filter/pattern.h"
#include "libsync/filter/rules.h"
#include "libsync/list/exchange.h"
#include "libsync/options/options.h"

namespace ocsync::sync {

// The names that were asked for. Filled by one thread before the list is read, then read-only.
class RequestedNames {
 public:
  explicit RequestedNames(const Options& options)
      : relative_(options.relative), recurse_(options.recurse), dirs_(options.dirs) {}

  // An argument as it was typed (without host; for a daemon without the module), or a name of --files-from.
  void add(std::string_view argument);

  enum class Answer : uint8_t { kNo, kParentOnly /* a directory above what was asked for */, kYes };
  Answer covers(std::string_view path, bool is_dir) const;

 private:
  struct Wild {
    Pattern pattern;
    bool parent;  // matches directories only, and those are no more than parents
  };
  void add_literal(const std::string& name);
  void add_wild(const std::string& pattern);

  bool relative_, recurse_, dirs_;
  bool everything_ = false;  // a "." was asked for: all below it, or one level
  std::unordered_set<std::string> names_;
  std::unordered_set<std::string> parents_;
  std::vector<Wild> wild_;
};

// The check for one session, as the options want it; empty if they trust the sender in everything. `filters` must
// outlive it. Errors are kUnsupported with rsync's texts.
AdmitEntry admission(const Options& options, const FilterRules& filters,
                     std::shared_ptr<const RequestedNames> requested);

}  // namespace ocsync::sync
