// Choosing old content: alternative trees (--compare-dest, --copy-dest, --link-dest) and similar names (--fuzzy).
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "libsync/receiver/decide.h"
#include "libsync/receiver/destination.h"
#include "libsync/receiver/request.h"

namespace ocsync::sync {

// One thread's own.
class BasisDirs {
 public:
  // Relative directories are taken from the destination. Missing ones never match.
  static BasisDirs open(const Terms& terms, const Destination& destination);
  // Warns about the missing ones: once for each run.
  void say_missing(const Terms& terms) const;
  bool empty() const { return caches_.empty(); }
  int count() const { return static_cast<int>(caches_.size()); }

  struct Match {
    int level = 0;  // 0 nothing, 1 exists, 2 same content, 3 same attributes as well
    int index = 0;
    io::FileInfo info;
    std::shared_ptr<const io::Dir> dir;
    std::string path;   // for messages
    io::FileInfo last;  // what the last tree that was looked at has there, be it no match
  };
  // The best match for a regular file, or for anything else when `entry` is none.
  Match find(const Entry& entry, uint32_t mode, const std::string& path, const Terms& terms) const;
  std::shared_ptr<const io::Dir> dir(int index, std::string_view path) const;
  const std::string& name(int index) const { return names_[static_cast<size_t>(index)]; }

 private:
  std::vector<std::unique_ptr<DirCache>> caches_;  // null root: the directory is missing
  std::vector<std::string> names_;
  struct Missing {
    std::string path;
    int error;
  };
  std::vector<Missing> missing_;
};

// Similar names in one directory of the destination (and of the basis directories with -yy).
class Fuzzy {
 public:
  Fuzzy(const Terms& terms, const Destination& destination, const BasisDirs& basis)
      : terms_(terms), destination_(destination), basis_(basis) {}
  // The best candidate for an entry that is missing here, or nothing. `dir` is the destination's directory of the
  // entry.
  std::optional<Basis> find(const Entry& entry, std::string_view dir_path, const std::shared_ptr<const io::Dir>& dir);
  // This file is about to change: it serves nobody as a basis any more.
  void used(std::string_view leaf);

 private:
  struct Candidate {
    std::string leaf;
    io::FileInfo info;
    bool used = false;
  };
  struct Listing {
    std::shared_ptr<const io::Dir> dir;
    std::vector<Candidate> candidates;
  };
  std::string path_in(size_t list, const std::string& leaf) const;
  const Terms& terms_;
  const Destination& destination_;
  const BasisDirs& basis_;
  std::string path_;
  bool loaded_ = false;
  std::vector<Listing> listings_;
};

// How much content an open basis holds. Nothing if it is not of a kind that can be one: a regular file, or with
// --write-devices a device.
std::optional<uint64_t> basis_size(const io::File& file, const Terms& terms);

// A Probe that looks at the disk. `expected`: the size of what is there, as known so far.
class DiskProbe final : public Probe {
 public:
  DiskProbe(const io::Dir& dir, io::Leaf leaf, const Terms& terms, uint64_t expected)
      : dir_(dir), leaf_(leaf), terms_(terms), expected_(expected) {}
  std::optional<std::string> link_target() override;
  Digest content_digest() override;

 private:
  const io::Dir& dir_;
  io::Leaf leaf_;
  const Terms& terms_;
  uint64_t expected_;
};

}  // namespace ocsync::sync
