#include "libsync/list/admit.h"

#include <fmt/format.h>

#include "libsync/list/paths.h"

namespace ocsync::sync {

namespace {

// What of an argument becomes the path of entries; an argument that names a directory's content leaves nothing.
std::string_view listed_part(std::string_view argument, bool relative) {
  if (relative) {
    const size_t cut = argument.find("/./");
    return cut == std::string_view::npos ? argument : argument.substr(cut + 3);
  }
  const size_t slash = argument.rfind('/');
  if (slash != std::string_view::npos) argument.remove_prefix(slash + 1);
  return argument == ".." ? std::string_view() : argument;  // "dir/.." is the directory "dir/../"
}

// A backslash in front of a bracket or wildcard was for the shell of the far side or for its glob(); others are bytes
// of the name, which a pattern has to double. A pattern cannot say "]" behind a backslash, and a name need not.
std::string unquoted(std::string_view text, bool wild) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '\\') {
      out += text[i];
      continue;
    }
    const char next = i + 1 < text.size() ? text[i + 1] : '\0';
    if (next == ']') {
      if (wild) out += '\\';
      out += text[++i];
    } else if (next == '*' || next == '?' || next == '[') {
      out += '\\';
      out += text[++i];
    } else {
      out += wild ? "\\\\" : "\\";
    }
  }
  return out;
}

// Where no file matches a class, the shell hands the argument on as it is.
std::string with_literal_brackets(std::string_view pattern) {
  std::string out;
  for (size_t i = 0; i < pattern.size(); ++i) {
    if (pattern[i] == '\\' && i + 1 < pattern.size()) {
      out += pattern[i++];
    } else if (pattern[i] == '[') {
      out += '\\';
    }
    out += pattern[i];
  }
  return out;
}

}  // namespace

void RequestedNames::add_literal(const std::string& name) {
  names_.insert(name);
  if (!relative_) return;
  for (std::string_view dir = dir_of_path(name); !dir.empty(); dir = dir_of_path(dir))
    if (!parents_.emplace(dir).second) break;
}

void RequestedNames::add_wild(const std::string& pattern) {
  wild_.push_back({Pattern('/' + pattern), false});
  if (recurse_)
    wild_.push_back({Pattern('/' + pattern + "/**"), false});
  else if (dirs_)
    wild_.push_back({Pattern('/' + pattern + "/*"), false});
  if (!relative_) return;
  for (std::string_view dir = dir_of_path(pattern); !dir.empty(); dir = dir_of_path(dir))
    wild_.push_back({Pattern('/' + std::string(dir)), true});
}

void RequestedNames::add(std::string_view argument) {
  const std::string_view part = listed_part(argument, relative_);
  const bool wild = is_wild(part);
  std::string name = clean_path(unquoted(part, wild));
  while (name.starts_with('/')) name.erase(0, 1);
  if (name.empty() || name == ".") {
    everything_ = true;
    return;
  }
  if (!wild) return add_literal(name);
  add_wild(name);
  if (name.find('[') != std::string::npos) add_wild(with_literal_brackets(name));
}

RequestedNames::Answer RequestedNames::covers(std::string_view path, bool is_dir) const {
  while (path.starts_with('/')) path.remove_prefix(1);
  // An argument that names all of a source, without recursion, asks for nothing in particular: as with rsync, then
  // nothing is compared with it.
  if (everything_ && !recurse_ && !dirs_ && names_.empty() && wild_.empty()) return Answer::kYes;
  const bool has_slash = path.find('/') != std::string_view::npos;
  if (everything_ && (recurse_ || (dirs_ && !has_slash))) return Answer::kYes;
  // The root of the transfer stands in many lists that did not ask for it: it is everybody's parent.
  if (path.empty() || path == ".") return Answer::kParentOnly;
  std::string name(path);
  if (names_.contains(name)) return Answer::kYes;
  if (recurse_ || dirs_)
    for (std::string_view dir = dir_of_path(path); !dir.empty(); dir = dir_of_path(dir)) {
      if (names_.contains(std::string(dir))) return Answer::kYes;
      if (!recurse_) break;
    }
  bool parent = is_dir && parents_.contains(name);
  if (!wild_.empty()) {
    const MatchName match = MatchName::of(path, is_dir);
    for (const Wild& rule : wild_) {
      if (rule.parent && (!is_dir || parent)) continue;
      if (!rule.pattern.matches(match)) continue;
      if (!rule.parent) return Answer::kYes;
      parent = true;
    }
  }
  return parent ? Answer::kParentOnly : Answer::kNo;
}

AdmitEntry admission(const Options& options, const FilterRules& filters,
                     std::shared_ptr<const RequestedNames> requested) {
  const bool check_rules = !options.trusts_sender_filter() && !filters.empty() && !filters.has_per_directory();
  if (options.trusts_sender_args()) requested = nullptr;
  if (!check_rules && !requested) return {};
  return [check_rules, &filters, requested = std::move(requested)](std::string_view path,
                                                                   bool is_dir) -> Result<Admission> {
    if (check_rules && path != "." && path != "/." && filters.sender_had_to_hide(path, is_dir))
      return fail(Fault::kUnsupported, fmt::format("ERROR: rejecting excluded file-list name: {}", path));
    if (!requested) return Admission::kWhole;
    // What could not be converted is no name that was asked for.
    if (path.empty()) return fail(Fault::kUnsupported, "ERROR: rejecting unrequested file-list name: ");
    switch (requested->covers(path, is_dir)) {
      case RequestedNames::Answer::kYes: return Admission::kWhole;
      case RequestedNames::Answer::kParentOnly: return Admission::kParentOnly;
      case RequestedNames::Answer::kNo: break;
    }
    return fail(Fault::kUnsupported, fmt::format("ERROR: rejecting unrequested file-list name: {}", path));
  };
}

}  // namespace ocsync::sync
