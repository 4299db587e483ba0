#include "libsync/restrict/pins.h"

#include <unistd.h>

#include <cstring>

#include <fmt/format.h>

#include "libio/os/sys.h"
#include "libsync/daemon/request.h"
#include "libsync/list/paths.h"

namespace ocsync::sync {
namespace {

constexpr int kMostLinks = 40;  // as the kernel

std::unexpected<Error> refuse(std::string text) { return fail(Fault::kUsage, std::move(text)); }

std::unexpected<Error> refuse(std::string_view what, const std::string& shown, const Error& why) {
  return refuse(
      fmt::format("{} {}{}{}", what, shown, why.sys != 0 ? " " : "", why.sys != 0 ? std::strerror(why.sys) : ""));
}

// Between the look at a path and its opening something was exchanged, or it cannot be opened at all.
std::unexpected<Error> raced(const std::string& shown, const Error& why) {
  return refuse("post-realpath open failed (race detected):", shown, why);
}

// "name/" and "name/." mean the directory behind `name`; the ending is put back when the name has been pinned.
std::string_view take_ending(std::string& path) {
  for (const std::string_view ending : {"/", "/."}) {
    if (!path.ends_with(ending)) continue;
    path.erase(path.size() - ending.size());
    return ending;
  }
  return {};
}

}  // namespace

struct Pins::Named {
  std::string path;         // as the client wrote it, from the root on
  std::string_view ending;  // "", "/" or "/."
  std::string below;        // where it really lies, from the root on
  std::string dir() const { return std::string(dir_of_path(below)); }
  std::string leaf() const { return std::string(leaf_of_path(below)); }
};

std::string real_path(const std::string& path) {
  std::string done, rest = path;
  int links = 0;
  while (!rest.empty()) {
    const size_t end = std::min(rest.find('/'), rest.size());
    const std::string name = rest.substr(0, end);
    rest.erase(0, std::min(end + 1, rest.size()));
    if (name.empty() || name == ".") continue;
    if (name == "..") {
      done.erase(done.empty() ? 0 : done.rfind('/'));
      continue;
    }
    const std::string next = done + "/" + name;
    const Result<std::string> target = io::sys::read_link(AT_FDCWD, next.c_str());
    if (!target || links >= kMostLinks) {
      done = next;
      continue;
    }
    ++links;
    if (target->starts_with('/')) done.clear();
    rest = *target + "/" + rest;
  }
  return done.empty() ? "/" : done;
}

std::string Pins::tidy(std::string path) const {
  if (path.starts_with("./")) path.erase(0, 1);
  for (size_t at; (at = path.find("//")) != path.npos;) path.erase(at, 1);
  return path;
}

Result<Pins::Named> Pins::look_up(const std::string& path, const std::string& shown) const {
  Named named;
  named.path = path;
  named.ending = take_ending(named.path);
  const std::string real = real_path(path_ + "/" + named.path);
  if (!real.starts_with(path_ + "/"))
    return refuse(fmt::format("unsafe arg: {} [{}, {}]", shown, quoted_word(named.path), quoted_word(real)));
  named.below = real.substr(path_.size() + 1);
  return named;
}

Result<std::string> Pins::value(const std::string& option, std::string value, bool sends, bool used) {
  const std::string shown = value;
  std::string path = tidy(std::move(value));
  path.erase(0, std::min(path.find_first_not_of('/'), path.size()));
  if (path_ == "/") return path;
  if (has_dotdot(path))
    return refuse(fmt::format("do not use .. in {} (anchor the path at the root of your restricted dir)", option));
  if (path == "." || !used) return path;
  const Named named = TRY(look_up(path, shown));
  const auto there = existing(named);
  if (there) return *there + std::string(named.ending);
  if (there.error().sys != ENOENT || sends) return raced(shown, there.error());

  // What is missing where files arrive. The same transfer could put a symlink under the name before the server looks,
  // so a directory the server would make is made now, and one it only reads from is an empty one without a name.
  std::string pinned;
  if (option == "--temp-dir") return refuse("receiver option path does not exist: " + shown);
  if (option == "--backup-dir")
    pinned = TRY(made_dir(named.below, 0777, shown));
  else if (option == "--partial-dir")
    pinned = TRY(made_dir(named.below, 0700, shown));
  else if (option.ends_with("-dest"))
    pinned = TRY(empty_dir(shown));
  else
    pinned = TRY(target(named, shown));
  return pinned + std::string(named.ending);
}

Result<std::vector<std::string>> Pins::argument(const RestrictedRequest& so_far, const std::string& word) {
  // Escaped wildcards are those of a name, and a backslash protects nothing else from here on.
  const std::string shown = without_backslashes(word);
  std::string pattern = tidy(word);
  const auto whole = [&](const std::string& path) {
    return absolute_allowed_ && path_ != "/" && (path == path_ || path.starts_with(path_ + "/"));
  };
  const bool absolute = whole(without_backslashes(pattern));
  if (absolute) {
    if (!pattern.starts_with(path_)) pattern = without_backslashes(pattern);
    pattern.erase(0, path_.size());
  }
  pattern.erase(0, std::min(pattern.find_first_not_of('/'), pattern.size()));
  if (pattern.empty()) pattern = ".";
  if (path_ != "/" && has_dotdot(without_backslashes(pattern)))
    return refuse("do not use .. in arg (anchor the path at the root of your restricted dir)");
  std::vector<std::string> found = expand_wildcards(pattern, {}, true);
  if (found.size() == 1 && found[0] == pattern) found[0] = without_backslashes(pattern);
  std::vector<std::string> paths;
  for (const std::string& path : found) {
    std::string named = TRY(one_argument(so_far, path, shown));
    paths.push_back(std::move(named));
  }
  return paths;
}

Result<std::string> Pins::one_argument(const RestrictedRequest& so_far, const std::string& path,
                                       const std::string& shown) {
  if (path_ == "/" || path == ".") return path;
  const Named named = TRY(look_up(path, shown));
  return so_far.sends ? source(so_far.relative, named, shown) : target(named, shown);
}

// A directory by the name a client wrote, symlinks inside the tree followed.
Result<io::Dir> Pins::written_dir(const std::string& path, const std::string& shown) const {
  const std::string real = real_path(path_ + "/" + path);
  if (real == path_) return root_.duplicate();
  if (!real.starts_with(path_ + "/"))
    return refuse(fmt::format("post-pin path escaped tree (race?): {} {}", shown, real));
  auto dir = root_.beneath_nofollow(real.substr(path_.size() + 1));
  if (!dir) return refuse("unable to pin sender path:", shown, dir.error());
  return dir;
}

// A source must be there, and open for us, before a server starts.
Status Pins::check_source(const Named& named, const std::string& shown) const {
  // A symlink is its target's name, a device or fifo its kind: to send them nothing is opened.
  if (named.ending.empty()) {
    const std::string leaf(leaf_of_path(named.path));
    const auto dir = written_dir(std::string(dir_of_path(named.path)), shown);
    const auto name = io::Leaf::check(leaf);
    const auto info = dir && name ? dir->info(*name) : Result<io::FileInfo>(fail(Error(ENOENT)));
    if (info && !info->is_regular() && !info->is_dir()) return {};
  }
  const auto dir = root_.beneath_nofollow(named.dir());
  if (!dir) return raced(shown, dir.error());
  const std::string leaf = named.leaf();
  const io::Leaf name = TRY(io::Leaf::check(leaf));
  const auto info = dir->info(name);
  if (!info) return raced(shown, info.error());
  if (info->is_regular()) {
    if (const auto file = dir->open_read(name); !file) return raced(shown, file.error());
  } else if (info->is_dir()) {
    const auto child = dir->child(name);
    if (!child) return raced(shown, child.error());
    if (const auto listing = child->list(); !listing) return raced(shown, listing.error());
  }
  return {};
}

// The server describes a source by looking at its name, so the directory is pinned and the name stays; under -R the
// name is as much of the path as the client said.
Result<std::string> Pins::source(bool relative, const Named& named, const std::string& shown) {
  TRY(check_source(named, shown));
  const std::string ending(named.ending);
  if (!relative) {
    // The server follows a symlink before a slash, so nothing but a held directory will do.
    if (!ending.empty()) {
      const auto dir = root_.beneath_nofollow(named.below);
      if (!dir) return raced(shown, dir.error());
      const std::string pin = TRY(hold(*dir));
      return pin + ending;
    }
    const io::Dir parent = TRY(written_dir(std::string(dir_of_path(named.path)), shown));
    const std::string pin = TRY(hold(parent));
    return fmt::format("{}/{}{}", pin, leaf_of_path(named.path), ending);
  }
  const std::string full = named.path + ending;
  const size_t cut = full.find("/./");
  std::string name = cut == full.npos ? named.path : full.substr(cut + 3);
  while (name.ends_with('/')) name.pop_back();
  const io::Dir anchor = TRY(written_dir(cut == full.npos ? "" : full.substr(0, cut), shown));
  const std::string pin = TRY(hold(anchor));
  if (name.empty() || name == ".") return pin + "/." + ending;
  return fmt::format("{}/./{}{}", pin, name, ending);
}

// A directory to fill is pinned itself. A file to make or replace is a name in a pinned directory, and if several
// directories are still to be made, in the last one that is there.
Result<std::string> Pins::target(const Named& named, const std::string& shown) {
  const auto there = root_.beneath_nofollow(named.below);
  if (there) {
    const std::string pin = TRY(hold(*there));
    return pin + std::string(named.ending);
  }
  // A file may be replaced. Where a directory or symlink is by now, something else was a moment ago.
  if (there.error().sys != ENOENT) {
    const auto above = root_.beneath_nofollow(named.dir());
    if (!above) return raced(shown, above.error());
    const std::string leaf = named.leaf();
    const auto info = above->info(TRY(io::Leaf::check(leaf)));
    if (!info || info->is_symlink() || info->is_dir()) return raced(shown, there.error());
  }
  std::string dir = named.below, rest;
  while (!dir.empty()) {
    rest = std::string(leaf_of_path(dir)) + (rest.empty() ? "" : "/" + rest);
    dir = std::string(dir_of_path(dir));
    auto opened = root_.beneath_nofollow(dir);
    if (opened) {
      const std::string pin = TRY(hold(*opened));
      return fmt::format("{}/{}{}", pin, rest, named.ending);
    }
    if (opened.error().sys != ENOENT) return raced(shown, opened.error());
  }
  return raced(shown, Error(ENOENT));
}

// Errors carry errno only.
Result<std::string> Pins::existing(const Named& named) {
  const io::Dir dir = TRY(root_.beneath_nofollow(named.dir()));
  const std::string leaf = named.leaf();
  const io::Leaf name = TRY(io::Leaf::check(leaf));
  const io::FileInfo info = TRY(dir.info(name));
  if (!info.is_dir()) {
    const io::File file = TRY(dir.open_read(name));
    return hold_fd(file.fd());
  }
  const io::Dir child = TRY(dir.child(name));
  return hold(child);
}

Result<std::string> Pins::made_dir(const std::string& below, uint32_t mode, const std::string& shown) {
  io::Dir at = TRY(root_.duplicate());
  std::string rest = below;
  while (!rest.empty()) {
    const size_t end = std::min(rest.find('/'), rest.size());
    const std::string part = rest.substr(0, end);
    rest.erase(0, std::min(end + 1, rest.size()));
    const auto name = io::Leaf::check(part);
    if (!name) return refuse("bad receiver option path: " + shown);
    auto next = at.child(*name);
    if (!next && next.error().sys == ENOENT) {
      if (const Status made = at.make_dir(*name, mode); !made && made.error().sys != EEXIST)
        return refuse("unable to create receiver option dir:", shown, made.error());
      next = at.child(*name);
    }
    if (!next) return refuse("receiver option path is not a usable directory:", shown, next.error());
    at = *std::move(next);
  }
  return hold(at);
}

Result<std::string> Pins::empty_dir(const std::string& shown) {
  const std::string text = fmt::format(".rrsync-empty-basis.{}", ::getpid());
  const io::Leaf name = TRY(io::Leaf::check(text));
  if (const Status made = root_.make_dir(name, 0700); !made && made.error().sys != EEXIST)
    return refuse("unable to create basis placeholder:", shown, made.error());
  const auto dir = root_.child(name);
  if (!dir) return refuse("unable to pin basis placeholder:", shown, dir.error());
  // Only an empty directory can be removed, and nothing can be made in one that has no name. If it is not there any
  // more, it may live on under another name.
  if (const Status gone = root_.remove_dir(name); !gone)
    return refuse("unable to detach basis placeholder:", shown, gone.error());
  return hold(*dir);
}

Result<std::string> Pins::hold(const io::Dir& dir) { return hold_fd(dir.fd()); }

Result<std::string> Pins::hold_fd(int fd) {
  const io::FileInfo info = TRY(io::sys::stat_fd(fd));
  for (const Held& held : held_)
    if (held.dev == info.dev && held.ino == info.ino) return fmt::format("/proc/self/fd/{}", held.fd.get());
  held_.push_back({TRY(io::sys::duplicate(fd)), info.dev, info.ino});
  return fmt::format("/proc/self/fd/{}", held_.back().fd.get());
}

Status Pins::keep_open() {
  for (const Held& held : held_)
    if (::fcntl(held.fd.get(), F_SETFD, 0) != 0) return fail_errno();
  return {};
}

}  // namespace ocsync::sync
