// A directory of its own for each test, removed afterwards, and shorthands that require success.
#pragma once

#include <catch2/catch.hpp>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include "libio/os/dir.h"

namespace ocsync::io {

inline std::string scratch_root() {
  const char* wish = std::getenv("TMPDIR");
  return wish != nullptr && *wish != '\0' ? wish : "/tmp";
}

struct Scratch {
  std::string path;
  Dir dir;
  Scratch() : path(scratch_root() + "/ocsync-os-XXXXXX") {
    REQUIRE(::mkdtemp(path.data()) != nullptr);
    auto opened = Dir::open_trusted(path);
    REQUIRE(opened);
    dir = *std::move(opened);
  }
  ~Scratch() {
    std::error_code ignored;
    std::filesystem::remove_all(path, ignored);
  }
  std::string operator/(const std::string& name) const { return path + "/" + name; }
  void write(const std::string& name, const std::string& content) const {
    std::ofstream(*this / name, std::ios::binary) << content;
  }
  std::string read(const std::string& name) const {
    std::ifstream in(*this / name, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }
};

inline Leaf leaf(const char* name) {
  auto checked = Leaf::check(name);
  REQUIRE(checked);
  return *checked;
}

// The errno of a result that failed; 0 if it did not.
template <class R>
int sys_of(const R& result) {
  return result ? 0 : result.error().sys;
}

template <class T>
T need(Result<T> result) {
  if (!result) FAIL("failed with errno " << result.error().sys << ": " << result.error().text);
  return *std::move(result);
}
inline void need(Status result) {
  if (!result) FAIL("failed with errno " << result.error().sys << ": " << result.error().text);
}

inline std::string read_all(const File& file, size_t most = 1 << 20) {
  std::string text(most, '\0');
  text.resize(need(file.read_full_at(std::as_writable_bytes(std::span(text)), 0)));
  return text;
}

// A pattern without repetition within 2^32 bytes, so that misplaced pieces show.
inline std::string pattern(size_t bytes, uint32_t seed = 1) {
  std::string text(bytes, '\0');
  uint32_t x = seed * 2654435761u | 1;
  for (char& c : text) {
    x ^= x << 13, x ^= x >> 17, x ^= x << 5;
    c = static_cast<char>(x >> 11);
  }
  return text;
}

}  // namespace ocsync::io
