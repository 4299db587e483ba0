#include "libsync/daemon/request.h"

#include <fmt/format.h>
#include <fnmatch.h>
#include <sys/stat.h>

#include <algorithm>

#include "libio/os/dir.h"
#include "libsync/list/paths.h"
#include "libsync/options/far_args.h"

namespace ocsync::sync {
namespace {

constexpr size_t kMaxArgumentBytes = 5119;
constexpr size_t kMaxRequestShown = 1024;
constexpr size_t kMostMatches = 16000;

bool has_wildcard(std::string_view text) { return text.find_first_of("*?[") != text.npos; }

std::string without_backslashes(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\' && i + 1 < text.size()) ++i;
    out += text[i];
  }
  return out;
}

class Expansion {
 public:
  Expansion(const std::string& pattern, const HiddenName& hidden, bool as_shell)
      : hidden_(hidden), match_flags_(as_shell ? FNM_PERIOD : 0) {
    for (size_t at = 0; at <= pattern.size();) {
      const size_t end = std::min(pattern.find('/', at), pattern.size());
      parts_.push_back(pattern.substr(at, end - at));
      at = end + 1;
    }
  }
  std::vector<std::string> run() {
    if (const auto here = io::Dir::current()) walk(*here, "", "", 0);
    std::sort(found_.begin(), found_.end());
    return std::move(found_);
  }

 private:
  // `shown` is the path so far as it will be returned, `path` the same without "." for looking up.
  void walk(const io::Dir& top, const std::string& path, const std::string& shown, size_t at) {
    if (found_.size() >= kMostMatches) return;
    if (at == parts_.size()) {
      found_.push_back(shown);
      return;
    }
    const std::string& part = parts_[at];
    const std::string before = at == 0 ? "" : shown + "/";
    if (part.empty() || part == ".") return walk(top, path, before + part, at + 1);
    const bool last = at + 1 == parts_.size();
    const auto deeper = [&](const std::string& name) {
      const std::string next = path.empty() ? name : path + "/" + name;
      const auto dir = top.beneath(path);
      const auto leaf = io::Leaf::check(name);
      if (!dir || !leaf) return;
      const auto info = dir->info(*leaf);
      if (!info) return;
      const bool is_dir = S_ISDIR(info->mode);
      if (hidden_ && hidden_(next, is_dir)) return;
      if (!last && !is_dir && !S_ISLNK(info->mode)) return;
      walk(top, next, before + name, at + 1);
    };
    if (!has_wildcard(part)) return deeper(without_backslashes(part));
    const auto dir = top.beneath(path);
    if (!dir) return;
    const auto listing = dir->list();
    if (!listing) return;
    std::vector<std::string> names;
    for (const io::DirEntry& entry : listing->entries)
      if (::fnmatch(part.c_str(), listing->name(entry), match_flags_) == 0) names.emplace_back(listing->name(entry));
    std::sort(names.begin(), names.end());
    for (const std::string& name : names) deeper(name);
  }

  const HiddenName& hidden_;
  const int match_flags_;
  std::vector<std::string> parts_;
  std::vector<std::string> found_;
};

}  // namespace

Result<std::vector<std::string>> read_daemon_args(Reader& in, bool nulls) {
  std::vector<std::string> words;
  for (;;) {
    std::string word;
    for (;;) {
      const char c = static_cast<char>(TRY(in.u8()));
      if (c == '\0' && nulls) break;
      if (!nulls && (c == '\n' || c == '\r')) break;
      if (c == '\0') return fail(Fault::kProtocol, "a zero byte within an argument");
      if (word.size() < kMaxArgumentBytes) word += c;
    }
    if (word.empty()) return words;
    if (words.size() + 1 >= kMaxDaemonArguments) return fail(Fault::kProtocol, "too many daemon arguments");
    words.push_back(std::move(word));
  }
}

Result<ClientRequest> hear_arguments(Reader& in, bool nulls, const ParseEnvironment& environment,
                                     NameCharset* charset) {
  const std::vector<std::string> words = TRY(read_daemon_args(in, nulls));
  const auto dot = std::find(words.begin(), words.end(), ".");
  const auto behind = dot == words.end() ? dot : dot + 1;
  ClientRequest request{
      .options = {"rsyncd"}, .paths = {behind, words.end()}, .all = {}, .parsed = fail(Error(EINVAL)), .shown = {}};
  // What a shell would have taken away from a word, had there been one.
  for (auto word = words.begin(); word != behind; ++word) request.options.push_back(unquote_argument(*word));
  request.all = request.options;
  request.parsed = parse_command_line(request.options, environment);
  if (request.parsed && request.parsed->what == ParsedCommand::What::kSecluded) {
    request.secluded = true;
    std::vector<std::string> second = TRY(read_daemon_args(in, true));
    if (charset)
      for (std::string& word : second) word = charset->text_from_wire(word);
    for (size_t i = 1; i < second.size(); ++i) request.all.push_back(second[i]);
    const auto at = std::find(second.begin(), second.end(), ".");
    if (at != second.end()) {
      request.paths.assign(at + 1, second.end());
      second.erase(at + 1, second.end());
    }
    request.parsed = parse_secluded(*request.parsed, second, environment);
  } else {
    request.all.insert(request.all.end(), request.paths.begin(), request.paths.end());
  }
  for (const std::string& path : request.paths) {
    if (request.shown.size() >= kMaxRequestShown) break;
    if (!request.shown.empty()) request.shown += ' ';
    request.shown += path;
  }
  return request;
}

std::vector<std::string> split_request(const std::string& text, const std::string& name, bool secluded) {
  std::string rest = text.starts_with(name) ? text.substr(name.size()) : text;
  if (secluded) return {rest};
  std::vector<std::string> pieces;
  const std::string between = fmt::format(" {}/", name);
  for (;;) {
    const size_t at = rest.find(between);
    pieces.push_back(rest.substr(0, at));
    if (at == rest.npos) return pieces;
    rest.erase(0, at + between.size());
    if (rest.empty()) return pieces;
  }
}

std::vector<std::string> expand_wildcards(const std::string& pattern, const HiddenName& hidden, bool as_shell) {
  if (!has_wildcard(pattern)) return {pattern};
  std::vector<std::string> found = Expansion(pattern, hidden, as_shell).run();
  if (found.empty()) found.push_back(pattern);
  return found;
}

void reduce_to_module(Options& options, const ClientRequest& request, const std::string& module_name,
                      const std::string& root, const HiddenName& hidden) {
  options.operands.assign(1, ".");
  for (const std::string& path : request.paths) {
    for (const std::string& piece : split_request(path, module_name, request.secluded)) {
      const std::string inside = sanitized_path(piece, "", 0, options.relative);
      for (std::string& found : expand_wildcards(inside, hidden)) {
        if (options.operands.size() >= kMaxDaemonArguments) return;
        options.operands.push_back(std::move(found));
      }
    }
  }
  // A destination's own depth is how far relative directories may climb from it.
  int depth = 0;
  if (!options.sender && options.operands.size() > 1) {
    const std::string& to = options.operands.back();
    for (size_t at = 0; at < to.size();) {
      const size_t end = std::min(to.find('/', at), to.size());
      if (end > at && to.substr(at, end - at) != ".") ++depth;
      at = end + 1;
    }
  }
  const auto inside = [&](std::string& path, int levels) {
    if (!path.empty() && path != "-") path = sanitized_path(path, root, levels, false);
  };
  inside(options.backup_dir, 0);
  if (!options.operators_temp_dir) inside(options.temp_dir, 0);
  inside(options.partial_dir, 0);
  inside(options.files_from, 0);
  for (std::string& dir : options.basis_dirs) inside(dir, depth);
  for (FilterArgument& rule : options.filters)
    if (rule.kind == FilterArgument::Kind::kIncludeFrom || rule.kind == FilterArgument::Kind::kExcludeFrom)
      inside(rule.text, 0);
}

}  // namespace ocsync::sync
