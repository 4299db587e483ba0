// What we put on a far side's command line is, word for word, what rsync 3.5.0 puts there.
#include "libsync/options/far_args.h"

#include <fstream>

#include "libsync/options/operands.h"
#include "libsync/options/parse.h"

using namespace ocsync;
using namespace ocsync::sync;

namespace {

std::vector<std::string> split_tabs(const std::string& line) {
  std::vector<std::string> words;
  size_t from = 0;
  while (true) {
    const size_t tab = line.find('\t', from);
    words.push_back(line.substr(from, tab - from));
    if (tab == std::string::npos) return words;
    from = tab + 1;
  }
}

std::string joined(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += "[" + word + "] ";
  return text;
}

struct Vector {
  std::vector<std::string> environment, run, far, then;
};

std::vector<Vector> recorded() {
  std::ifstream file(OCSYNC_TEST_DATA "/unit/options/far_args.txt");
  std::vector<Vector> all;
  for (std::string line; std::getline(file, line);) {
    std::vector<std::string> words = split_tabs(line);
    const std::string kind = words.front();
    words.erase(words.begin());
    if (kind == "run") {
      Vector vector;
      while (!words.empty() && words.front().starts_with("RSYNC_")) {
        vector.environment.push_back(words.front());
        words.erase(words.begin());
      }
      vector.run = words;
      all.push_back(vector);
    } else if (kind == "far") {
      all.back().far = words;
    } else if (kind == "then") {
      all.back().then = words;
    }
  }
  return all;
}

ParseEnvironment environment_of(const Vector& vector) {
  ParseEnvironment environment;
  environment.use_aliases = false;
  environment.now_wall_s = 1'700'000'000;
  environment.variable = [vector](const char* name) -> std::optional<std::string> {
    for (const std::string& assignment : vector.environment)
      if (assignment.starts_with(std::string(name) + "=")) return assignment.substr(assignment.find('=') + 1);
    return std::nullopt;
  };
  return environment;
}

}  // namespace

TEST_CASE("far arguments are those that rsync sends") {
  int compared = 0;
  for (const Vector& vector : recorded()) {
    INFO("client: " << joined(vector.environment) << joined(vector.run));
    std::vector<std::string> args = vector.run;
    args.insert(args.begin(), {"rsync", "-e", "shell"});
    const auto command = parse_command_line(args, environment_of(vector));
    // An option whose support is still missing is compared from the day its mark is flipped.
    if (!command && command.error().fault == Fault::kUnsupported) continue;
    if (!command) INFO(command.error().text);
    REQUIRE(command.has_value());
    const auto journey = plan_journey(command->options);
    if (!journey) INFO(journey.error().text);
    REQUIRE(journey.has_value());
    REQUIRE(journey->kind != Journey::Kind::kLocal);
    const bool push = journey->kind == Journey::Kind::kPush;
    const auto far =
        far_command(command->options, push, push ? std::vector<std::string>{*journey->destination} : journey->sources);
    REQUIRE(far.has_value());
    CHECK(joined(far->words) == joined(vector.far));
    CHECK(joined(far->secluded) == joined(vector.then));
    ++compared;
  }
  CHECK(compared > 500);
}

TEST_CASE("how this end reads and writes is no business of the far side") {
  const auto far_of = [](std::vector<std::string> words) {
    auto parsed = parse_command_line(
        words, ParseEnvironment{.variable = [](const char*) -> std::optional<std::string> { return std::nullopt; },
                                .use_aliases = false});
    REQUIRE(parsed);
    return joined(far_arguments(parsed->options, true)->words);
  };
  CHECK(far_of({"rsync", "-a", "--io=ring,depth=9", "--info=io", "--stats", "a", "h:b"}) ==
        far_of({"rsync", "-a", "--stats", "a", "h:b"}));
}

TEST_CASE("quoting: file names keep wildcards, option values do not") {
  const Options options;
  CHECK(quote_file_argument(options, true, "a b/*") == "a\\ b/*");
  CHECK(quote_file_argument(options, true, "-x") == "./-x");
  CHECK(quote_file_argument(options, false, "~foo") == "\\~foo");
  CHECK(quote_file_argument(options, true, "~foo") == "~foo");
  CHECK(quote_file_argument(options, true, "$x") == "\\$x");
  CHECK(quote_file_argument(options, true, "c[1]") == "c[1]");
  CHECK(quote_file_argument(options, true, "back\\slash") == "back\\\\slash");
  CHECK(quote_file_argument(options, true, "star\\*") == "star\\*");
  CHECK(quote_file_argument(options, true, "end\\") == "end\\\\");
  CHECK(quote_option_value(options, "*x") == "\\*x");
  CHECK(quote_option_value(options, "a\\*") == "a\\\\\\*");
}

TEST_CASE("quoting: --old-args once frees file names, twice values, too; the dash is always guarded") {
  Options options;
  options.old_args = 1;
  CHECK(quote_file_argument(options, true, "a b") == "a b");
  CHECK(quote_file_argument(options, true, "-a b") == "./-a b");
  CHECK(quote_option_value(options, "a b") == "a\\ b");
  options.old_args = 2;
  CHECK(quote_option_value(options, "a b") == "a b");
}

TEST_CASE("unquoting removes one level of backslashes") {
  CHECK(unquote_argument("a\\ b\\\\c") == "a b\\c");
  CHECK(unquote_argument("end\\") == "end\\");
  const Options options;
  const std::string hostile = "x `$(rm)` *\\? \"'";
  CHECK(unquote_argument(quote_option_value(options, hostile)) == hostile);
}

TEST_CASE("incremental recursion is not offered where the receiving side must know everything first") {
  Options options;
  options.recurse = true;
  CHECK(capability_text(options, false) == ".iLsfxCIvu");
  options.delete_mode = DeleteMode::kAfter;
  CHECK(capability_text(options, true) == ".iLsfxCIvu");
  CHECK(capability_text(options, false) == ".LsfxCIvu");
  options.protocol = 29;
  CHECK(capability_text(options, false).empty());
}

TEST_CASE("a server takes part in incremental recursion only if its client does") {
  Options options;
  options.recurse = options.server = true;
  options.capabilities = ".LsfxCIvu";
  CHECK_FALSE(wants_incremental_recursion(options, true));
  options.capabilities = ".iLsfxCIvu";
  CHECK(wants_incremental_recursion(options, true));
}

TEST_CASE("more remote options than a far side takes are refused") {
  Options options;
  options.remote_options.assign(200, "-v");
  const auto far = far_arguments(options, true);
  REQUIRE_FALSE(far.has_value());
  CHECK(far.error().fault == Fault::kUsage);
}
