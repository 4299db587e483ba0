// Recorded sessions as test data: what two rsync processes said to each other, and what their arguments meant.
#pragma once

#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "libio/base/bytes.h"

namespace ocsync::test {

inline std::string slurp(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

struct Capture {
  std::string name;
  std::vector<std::string> args;
  std::string c2s, s2c;
  bool server_sends = false;
  std::string letters;       // all option letters of the server
  std::string capabilities;  // what follows the letter e

  bool has(char letter) const { return letters.find(letter) != std::string::npos; }
  bool has(const std::string& word) const {
    for (const std::string& arg : args)
      if (arg == word) return true;
    return false;
  }
};

inline Capture load_capture(const std::string& name) {
  const std::string base = OCSYNC_TEST_DATA "/data/captures/" + name;
  Capture c;
  c.name = name;
  c.c2s = slurp(base + ".c2s");
  c.s2c = slurp(base + ".s2c");
  const std::string argv = slurp(base + ".argv");
  for (size_t at = 0; at < argv.size();) {
    const size_t end = std::min(argv.find('\n', at), argv.size());
    c.args.push_back(argv.substr(at, end - at));
    at = end + 1;
  }
  for (const std::string& arg : c.args) {
    if (arg == ".") break;
    if (arg == "--sender") c.server_sends = true;
    if (arg.size() < 2 || arg[0] != '-' || arg[1] == '-') continue;
    const size_t e = arg.find('e');
    c.letters += arg.substr(1, e == std::string::npos ? e : e - 1);
    if (e != std::string::npos) c.capabilities = arg.substr(e + 1);
  }
  return c;
}

}  // namespace ocsync::test
