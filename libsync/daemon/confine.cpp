#include "libsync/daemon/confine.h"

#include <fmt/format.h>
#include <fnmatch.h>
#include <unistd.h>

#include <algorithm>

#include "libio/os/identity.h"
#include "libsync/list/paths.h"

namespace ocsync::sync {
namespace {

constexpr size_t kMostMatches = 16000;

std::optional<uint32_t> number_of(const std::string& text) {
  if (text.empty() || text.size() > 10 || text.find_first_not_of("0123456789") != text.npos) return std::nullopt;
  const unsigned long long value = std::strtoull(text.c_str(), nullptr, 10);
  if (value >= 0xffffffffull) return std::nullopt;
  return static_cast<uint32_t>(value);
}

std::optional<uint32_t> user_of(const std::string& name) {
  if (auto id = number_of(name)) return id;
  return io::user_id(name);
}

std::optional<uint32_t> group_of(const std::string& name) {
  if (auto id = number_of(name)) return id;
  return io::group_id(name);
}

// An absolute path without empty, "." and ".." parts.
std::string collapsed(std::string_view path) {
  std::string whole;
  if (!path.starts_with('/')) {
    char* cwd = ::getcwd(nullptr, 0);
    whole = cwd ? cwd : "";
    std::free(cwd);
    whole += '/';
  }
  whole += path;
  std::vector<std::string_view> parts;
  for (size_t at = 0; at < whole.size();) {
    const size_t end = std::min(whole.find('/', at), whole.size());
    const std::string_view part(whole.data() + at, end - at);
    at = end + 1;
    if (part.empty() || part == ".") continue;
    if (part == "..") {
      if (!parts.empty()) parts.pop_back();
    } else {
      parts.push_back(part);
    }
  }
  std::string out;
  for (const std::string_view part : parts) (out += '/') += part;
  return out.empty() ? "/" : out;
}

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
  Expansion(const std::string& pattern, const std::function<bool(std::string_view, bool)>& hidden) : hidden_(hidden) {
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
      if (::fnmatch(part.c_str(), listing->name(entry), 0) == 0) names.emplace_back(listing->name(entry));
    std::sort(names.begin(), names.end());
    for (const std::string& name : names) deeper(name);
  }

  const std::function<bool(std::string_view, bool)>& hidden_;
  std::vector<std::string> parts_;
  std::vector<std::string> found_;
};

}  // namespace

Result<Identity> identity_of(const Module& module) {
  Identity identity;
  const bool root = io::is_root();
  const std::string user = module.text(Param::kUid);
  if (!user.empty() || root) {
    const std::string name = user.empty() ? "nobody" : user;
    identity.uid = user_of(name);
    if (!identity.uid) return fail(Fault::kUsage, fmt::format("invalid uid {}", name));
  }
  const std::vector<std::string> groups = list_words(module.text(Param::kGid), true);
  const auto add = [&](const std::string& name) -> Status {
    const auto gid = group_of(name);
    if (!gid) return fail(Fault::kUsage, fmt::format("invalid gid {}", name));
    identity.gids.push_back(*gid);
    return {};
  };
  for (size_t i = 0; i < groups.size(); ++i) {
    if (i > 0 || groups[i] != "*") {
      TRY(add(groups[i]));
      continue;
    }
    const auto account = io::account(identity.uid.value_or(::getuid()));
    const auto all = account ? io::groups_of(account->name, account->gid) : Result<std::vector<uint32_t>>();
    if (!account || !all) return fail(Fault::kUsage, "invalid gid *");
    identity.gids.push_back(account->gid);
    for (const uint32_t gid : *all)
      if (gid != account->gid) identity.gids.push_back(gid);
  }
  if (groups.empty() && root) TRY(add(io::group_id("nobody") ? "nobody" : "nogroup"));
  return identity;
}

ModuleRoot module_root(const std::string& path, int use_chroot, const std::function<bool()>& chroot_works) {
  ModuleRoot out;
  const size_t inner = path.find("/./");
  out.use_chroot = use_chroot > 0 || (use_chroot < 0 && (inner != path.npos || chroot_works()));
  out.shown = collapsed(path);
  if (!out.use_chroot) {
    out.root = out.shown;
  } else if (inner == path.npos) {
    out.outer = out.shown;
    out.root = "/";
  } else {
    out.outer = collapsed(path.substr(0, inner));
    out.root = collapsed(path.substr(inner + 2));
  }
  return out;
}

std::vector<std::string> expand_wildcards(const std::string& pattern,
                                          const std::function<bool(std::string_view path, bool is_dir)>& hidden) {
  if (!has_wildcard(pattern)) return {pattern};
  std::vector<std::string> found = Expansion(pattern, hidden).run();
  if (found.empty()) found.push_back(pattern);
  return found;
}

}  // namespace ocsync::sync
