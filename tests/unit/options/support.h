// Short ways for tests to parse a command line with a made-up environment.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "libsync/options/parse.h"

namespace ocsync::sync::test {

// A fixed Sunday evening, so that tests of times say the same everywhere and always.
constexpr int64_t kNow = 1'700'000'000;

inline ParseEnvironment environment(std::map<std::string, std::string> variables = {}) {
  ParseEnvironment made;
  made.use_aliases = false;
  made.now_wall_s = kNow;
  made.variable = [variables](const char* name) -> std::optional<std::string> {
    const auto found = variables.find(name);
    return found == variables.end() ? std::nullopt : std::optional<std::string>(found->second);
  };
  return made;
}

// Words separated by spaces, after the program's name.
inline std::vector<std::string> words(const std::string& line) {
  std::vector<std::string> all{"rsync"};
  size_t from = 0;
  while (from < line.size()) {
    size_t to = line.find(' ', from);
    if (to == std::string::npos) to = line.size();
    if (to > from) all.push_back(line.substr(from, to - from));
    from = to + 1;
  }
  return all;
}

inline Result<ParsedCommand> parse(const std::string& line, const ParseEnvironment& with = environment()) {
  return parse_command_line(words(line), with);
}

// The complaint about a command line, or "accepted".
inline std::string complaint(const std::string& line, const ParseEnvironment& with = environment()) {
  const auto command = parse(line, with);
  return command ? "accepted" : command.error().text;
}

}  // namespace ocsync::sync::test
