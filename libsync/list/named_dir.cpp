#include "libsync/list/named_dir.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <cerrno>

namespace ocsync::sync {
namespace {

bool confined(const Options& options) { return options.module_fd >= 0; }

// A daemon stands in its module, whose parents it may not be allowed to enter: what lies inside is reached from there.
std::string from_here(const std::string& path, const Options& options) {
  const std::string& root = options.module_root;
  if (!path.starts_with('/') || !path.starts_with(root)) return path;
  std::string rest = path.substr(root.size());
  if (!rest.empty() && rest[0] != '/' && root != "/") return path;
  while (rest.starts_with('/')) rest.erase(0, 1);
  return rest.empty() ? "." : rest;
}

io::Trust trust_of(const Options& options) { return {options.insecure_links, options.confine_root}; }

}  // namespace

Result<io::Dir> open_named_dir(const std::string& path, const Options& options) {
  if (!confined(options)) return io::Dir::open_trusted(path, trust_of(options));
  io::Dir dir = TRY(io::Dir::open_trusted(from_here(path, options)));
  if (!dir.is_within(options.module_fd)) return fail(Error(EXDEV));
  dir.confine_to(options.module_fd);
  return dir;
}

Result<io::Dir> open_named_below(const io::Dir& from, const std::string& relative, const Options& options) {
  io::Dir dir = TRY(from.trusted_below(relative, trust_of(options)));
  if (confined(options) && !dir.is_within(options.module_fd)) return fail(Error(EXDEV));
  return dir;
}

Result<io::Dir::Place> named_parent(const std::string& path, const Options& options) {
  if (!confined(options)) return io::Dir::trusted_parent(path, trust_of(options));
  io::Dir::Place place = TRY(io::Dir::trusted_parent(from_here(path, options)));
  if (!place.dir.is_within(options.module_fd)) return fail(Error(EXDEV));
  place.dir.confine_to(options.module_fd);
  return place;
}

Status make_named_dir(const std::string& path, uint32_t mode, const Options& options) {
  std::string bare = path;
  while (bare.size() > 1 && bare.back() == '/') bare.pop_back();
  const io::Dir::Place place = TRY(named_parent(bare, options));
  if (place.leaf == ".") return fail(Error(EEXIST));
  return place.dir.make_dir(TRY(io::Leaf::check(place.leaf)), mode);
}

Result<io::FileInfo> named_info(const std::string& path, const Options& options) {
  if (!confined(options)) {
    struct stat st{};
    if (::stat(path.c_str(), &st) != 0) return fail_errno();
    io::FileInfo info;
    info.mode = st.st_mode;
    info.dev = st.st_dev;
    info.ino = st.st_ino;
    info.size = static_cast<uint64_t>(st.st_size);
    return info;
  }
  if (const auto dir = open_named_dir(path, options)) return dir->self();
  const io::Dir::Place place = TRY(named_parent(path, options));
  if (place.leaf == ".") return place.dir.self();
  return place.dir.info_following(TRY(io::Leaf::check(place.leaf)));
}

std::string full_name(std::string_view dir, std::string_view name, const Options& options) {
  const std::string_view root = options.module_root;
  if (name.starts_with('/'))
    dir = {};
  else if (root.size() > 1 && dir.starts_with(root))
    dir.remove_prefix(root.size());
  const bool between = dir.find_first_not_of('/') != dir.npos;
  std::string out = fmt::format("\"{}{}{}\"", dir, between ? "/" : "", name);
  if (!options.module_name.empty()) out += fmt::format(" (in {})", options.module_name);
  return out;
}

Result<io::File> open_named_file(const std::string& path, const Options& options) {
  io::Trust trust = trust_of(options);
  trust.ceiling = options.module_fd;
  return io::Dir::open_trusted_file(confined(options) ? from_here(path, options) : path, io::Dir::Use::kRead, 0600,
                                    trust);
}

}  // namespace ocsync::sync
