// Terms for a test: a parsed command line, an agreement of some version, a reporter that writes into files.
#pragma once

#include <catch2/catch.hpp>
#include <memory>
#include <string>
#include <vector>

#include "libio/os/stop.h"
#include "libsync/options/parse.h"
#include "libsync/report/progress.h"
#include "libsync/session/terms.h"
#include "tests/unit/report/captured.h"

namespace ocsync::sync::test {

// Words separated by spaces, parsed as a command line of two operands.
inline Options options_of(const std::string& line) {
  std::vector<std::string> words{"rsync"};
  std::string word;
  for (const char c : line + " ") {
    if (c != ' ')
      word += c;
    else if (!word.empty())
      words.push_back(std::exchange(word, {}));
  }
  words.insert(words.end(), {"src", "dst"});
  ParseEnvironment environment;
  environment.use_aliases = false;
  environment.now_wall_s = 1'700'000'000;
  environment.variable = [](const char*) -> std::optional<std::string> { return std::nullopt; };
  auto parsed = parse_command_line(words, environment);
  if (!parsed) FAIL("options " << line << ": " << parsed.error().text);
  return parsed->options;
}

inline proto::Agreement agreement(int version, bool incremental) {
  uint32_t flags = proto::kCompatSymlinkTimes | proto::kCompatSafeList | proto::kCompatInplacePartial;
  if (version >= 32) flags |= proto::kCompatVarintFlags | proto::kCompatId0Names;
  if (incremental) flags |= proto::kCompatIncRecurse;
  proto::Agreement agreed = proto::Agreement::from(version, version >= 30 ? flags : 0);
  agreed.transfer_digest = agreed.list_digest = version >= 30 ? DigestKind::kMd5 : DigestKind::kMd4;
  return agreed;
}

struct World {
  explicit World(const std::string& line, int version = 32, bool incremental = true, bool local = false,
                 bool we_send = false)
      : options(options_of(line)),
        agreed(agreement(version, incremental)),
        captured(options),
        terms(Terms::settle(options, agreed, *captured.reporter, totals, stop, false, we_send, local)),
        progress(*captured.reporter, options, totals) {
    terms.progress = &progress;
  }
  const Options options;
  const proto::Agreement agreed;
  Captured captured;
  Totals totals;
  io::Stop stop;
  Terms terms;
  Progress progress;
};

}  // namespace ocsync::sync::test
