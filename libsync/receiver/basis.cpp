#include "libsync/receiver/basis.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>

#include "libsync/list/content_digest.h"
#include "libsync/list/named_dir.h"
#include "libsync/list/paths.h"
#include "libsync/meta/fake_super.h"
#include "libsync/meta/read.h"

namespace ocsync::sync {

std::optional<std::string> DiskProbe::link_target() {
  // A real symlink has to become one that is kept in a file.
  auto target = terms_.options.fake_super ? read_fake_link(dir_, leaf_) : dir_.read_link(leaf_);
  if (!target) return std::nullopt;
  return *target;
}

Digest DiskProbe::content_digest() { return sync::content_digest(dir_, leaf_, expected_, terms_); }

std::optional<uint64_t> basis_size(const io::File& file, const Terms& terms) {
  const auto info = file.info();
  if (!info) return std::nullopt;
  if (info->is_regular()) return info->size;
  if (!terms.options.write_devices || !info->is_device()) return std::nullopt;
  const auto bytes = file.device_bytes();
  return bytes ? *bytes : 0;
}

BasisDirs BasisDirs::open(const Terms& terms, const Destination& destination) {
  BasisDirs out;
  for (std::string path : terms.options.basis_dirs) {
    while (path.size() > 1 && path.back() == '/') path.pop_back();
    const std::string typed = path;
    if (path[0] != '/') {
      // A destination that a dry run did not make is itself one level that "../" undoes.
      if (destination.missing() && path.starts_with("../"))
        path = join_path(dir_of_path(destination.absolute()), path.substr(3));
      else
        path = join_path(destination.absolute(), path);
    }
    auto dir = open_named_dir(path, terms.options);
    if (!dir) {
      const bool as_typed = !terms.options.module_name.empty() && !terms.options.dry_run;
      out.missing_.push_back(Missing{as_typed ? typed : path, dir.error().sys});
      out.caches_.push_back(nullptr);
    } else {
      out.caches_.push_back(
          std::make_unique<DirCache>(std::make_shared<const io::Dir>(std::move(*dir)),
                                     terms.options.insecure_links ? Follow::kAnywhere : Follow::kInside));
    }
    out.names_.push_back(std::move(path));
  }
  return out;
}

void BasisDirs::say_missing(const Terms& terms) const {
  const char* option = basis_option(terms.options.basis_kind);
  for (const Missing& one : missing_) {
    if (one.error == ELOOP && !terms.options.confine_root.empty())
      terms.reporter.error_transfer(Role::kGenerator, fmt::format("open \"{}\"", one.path), one.error);
    else if (one.error == ENOTDIR)
      terms.reporter.warning_line(fmt::format("{} arg is not a dir: {}", option, one.path));
    else
      terms.reporter.warning_line(fmt::format("{} arg does not exist: {}", option, one.path));
  }
}

std::shared_ptr<const io::Dir> BasisDirs::dir(int index, std::string_view path) const {
  const auto& cache = caches_[static_cast<size_t>(index)];
  if (!cache) return nullptr;
  auto found = cache->open(path);
  return found ? *found : nullptr;
}

BasisDirs::Match BasisDirs::find(const Entry& entry, uint32_t mode, const std::string& path, const Terms& terms) const {
  Match best;
  io::FileInfo last;
  const Kind wanted = kind_of(entry.mode);
  for (int i = 0; i < count(); ++i) {
    const auto where = dir(i, dir_of_path(path));
    if (!where) continue;
    const std::string name(leaf_of_path(path));
    Result<io::FileInfo> info = fail(Error(ENOENT));
    if (name == ".") {
      info = where->self();
    } else {
      const auto leaf = io::Leaf::check(name);
      if (!leaf) continue;
      info = where->info(*leaf);
    }
    if (info && terms.options.fake_super) {
      const auto leaf = io::Leaf::check(name);
      info = seen(leaf ? Object::named(*where, *leaf) : Object::itself(*where), *info, terms, Role::kGenerator,
                  full_name(names_[static_cast<size_t>(i)], path, terms.options));
    }
    if (info) last = *info;
    if (!info || kind_of(info->mode) != wanted) continue;
    const auto same_attributes = [&](const Object& object) {
      return attributes_match(entry, mode, *info, terms) &&
             meta_report(entry, mode, &object, &*info, terms, false, false) == 0;
    };
    int level = 1;
    if (name != ".") {
      const auto leaf = io::Leaf::check(name);
      DiskProbe probe(*where, *leaf, terms, info->size);
      if (quick_check(entry, *info, probe, terms, Attempt::kFirst))
        level = same_attributes(Object::named(*where, *leaf)) ? 3 : 2;
    } else {
      level = same_attributes(Object::itself(*where)) ? 3 : 2;
    }
    if (level > best.level) best = Match{level, i, *info, where, join_path(names_[static_cast<size_t>(i)], path), {}};
    if (best.level == 3) break;
  }
  best.last = last;
  return best;
}

namespace {

constexpr uint32_t kUnit = 1u << 16;

// Not worth a closer look: the names are of too different a length.
constexpr uint32_t kTooFar = 0xFFFFu * kUnit + 1;

// Edit distance in fixed point: a changed byte costs a unit plus how much it changed, a missing one a unit plus itself,
// except that those before the first byte of the other name cost a unit only (but for where that is empty).
uint32_t name_distance(std::string_view a, std::string_view b, uint32_t limit) {
  const size_t longer = std::max(a.size(), b.size()), shorter = std::min(a.size(), b.size());
  if (static_cast<uint64_t>(longer - shorter) * kUnit > limit) return kTooFar;
  if (shorter == 0) {
    uint32_t bytes = 0;
    for (const char c : a.empty() ? b : a)
      bytes += static_cast<uint32_t>(int{c});  // those above 127 count less than nothing
    return static_cast<uint32_t>(longer) * kUnit + bytes;
  }
  std::vector<uint32_t> row(b.size() + 1);
  for (size_t j = 0; j < b.size(); ++j) row[j + 1] = row[j] + kUnit;
  for (const char c : a) {
    const uint32_t x = static_cast<unsigned char>(c);
    uint32_t diagonal = row[0];
    row[0] += kUnit;
    for (size_t j = 0; j < b.size(); ++j) {
      const uint32_t y = static_cast<unsigned char>(b[j]);
      const uint32_t change = x == y ? 0 : kUnit + (x > y ? x - y : y - x);
      const uint32_t best = std::min({diagonal + change, row[j + 1] + kUnit + x, row[j] + kUnit + y});
      diagonal = row[j + 1];
      row[j + 1] = best;
    }
  }
  return row[b.size()];
}

bool is_digit(char c) { return c >= '0' && c <= '9'; }

// The suffix (with its dot) that tells what kind of file a name is, without backup endings; empty if none. One that is
// all digits gives way to one before it.
std::string_view telling_suffix(std::string_view name) {
  while (name.starts_with(".")) name.remove_prefix(1);
  const bool tilde = name.size() > 1 && name.ends_with("~");
  if (tilde) name.remove_suffix(1);
  std::string_view found;
  for (bool first = true; name.size() > 1; first = false) {
    const size_t dot = name.rfind('.');
    if (dot == std::string_view::npos || dot == 0) break;
    const std::string_view suffix = name.substr(dot);
    name = name.substr(0, dot);
    if (suffix.size() == 4 || suffix.size() == 5) {
      if (first && !tilde && (suffix == ".bak" || suffix == ".old" || suffix == ".orig")) continue;
    } else if (tilde && suffix.size() > 2 && suffix[1] == '~' && is_digit(suffix[2])) {
      continue;
    }
    found = suffix;
    if (suffix.size() == 1 || !std::ranges::all_of(suffix.substr(1), is_digit)) break;
  }
  return found;
}

}  // namespace

void Fuzzy::used(std::string_view leaf) {
  if (!loaded_ || listings_.empty()) return;
  for (Candidate& candidate : listings_[0].candidates)
    if (candidate.leaf == leaf) candidate.used = true;
}

std::string Fuzzy::path_in(size_t list, const std::string& leaf) const {
  const std::string path = join_path(path_, leaf);
  return list == 0 ? path : join_path(basis_.name(static_cast<int>(list) - 1), path);
}

std::optional<Basis> Fuzzy::find(const Entry& entry, std::string_view dir_path,
                                 const std::shared_ptr<const io::Dir>& dir) {
  const auto shown = [&](size_t list, const std::string& leaf) {
    return list == 0 ? destination_.shown(path_in(0, leaf))
                     : full_name(basis_.name(static_cast<int>(list) - 1), join_path(path_, leaf), terms_.options);
  };
  if (!loaded_ || path_ != dir_path) {
    path_ = dir_path;
    loaded_ = true;
    listings_.clear();
    const int count = 1 + (terms_.options.fuzzy > 1 ? basis_.count() : 0);
    for (int i = 0; i < count; ++i) {
      Listing listing;
      listing.dir = i == 0 ? dir : basis_.dir(i - 1, path_);
      if (listing.dir) {
        if (const auto names = listing.dir->list()) {
          for (const io::DirEntry& item : names->entries) {
            const auto leaf = io::Leaf::check(names->name(item));
            if (!leaf) continue;
            auto info = listing.dir->info(*leaf);
            if (info && info->is_regular() && terms_.options.fake_super)
              info = seen(Object::named(*listing.dir, *leaf), *info, terms_, Role::kGenerator,
                          shown(static_cast<size_t>(i), names->name(item)));
            if (info && info->is_regular() && info->size > 0) listing.candidates.push_back({names->name(item), *info});
          }
          std::sort(listing.candidates.begin(), listing.candidates.end(),
                    [](const auto& a, const auto& b) { return a.leaf < b.leaf; });
        }
      }
      listings_.push_back(std::move(listing));
    }
  }
  const auto as_basis = [&](size_t list, const Candidate& candidate) {
    Basis basis;
    basis.type = static_cast<uint8_t>(proto::kBasisFuzzy + list);
    basis.dir = listings_[list].dir;
    basis.leaf = candidate.leaf;
    basis.path = path_in(list, candidate.leaf);
    basis.bytes = candidate.info.size;
    return basis;
  };
  const auto debug = [&](const Candidate& candidate, const char* format, uint32_t distance) {
    if (terms_.options.verbosity.shows(Debug::kFuzzy, 2))
      terms_.reporter.info_line(
          fmt::format(fmt::runtime(format), join_path(dir_path, candidate.leaf), distance / kUnit, distance % kUnit));
  };
  for (size_t i = 0; i < listings_.size(); ++i)
    for (const Candidate& candidate : listings_[i].candidates)
      if (!candidate.used && candidate.info.size == static_cast<uint64_t>(entry.size) &&
          terms_.same_time(candidate.info.mtime, entry.time())) {
        debug(candidate, "fuzzy size/modtime match for {}", 0);
        return as_basis(i, candidate);
      }
  uint32_t lowest = 25 * kUnit;
  std::optional<Basis> best;
  const std::string_view name = entry.leaf_view(), suffix = telling_suffix(name);
  for (size_t i = 0; i < listings_.size(); ++i)
    for (const Candidate& candidate : listings_[i].candidates) {
      if (candidate.used) continue;
      uint32_t distance = name_distance(candidate.leaf, name, lowest);
      // Here the name is at most 25 bytes longer than one that a directory holds, so that this stays below 2^28.
      if (distance < kTooFar) distance += name_distance(telling_suffix(candidate.leaf), suffix, UINT32_MAX) * 10;
      debug(candidate, "fuzzy distance for {} = {}.{:05}", distance);
      if (distance <= lowest) {
        lowest = distance;
        best = as_basis(i, candidate);
      }
    }
  return best;
}

}  // namespace ocsync::sync
