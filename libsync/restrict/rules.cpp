// The options of ocsync-restrict: a table of their own, since they are the administrator's and not a client's.
#include "libsync/restrict/rules.h"

#include <vector>

#include <fmt/format.h>

namespace ocsync::sync {
namespace {

struct Option {
  const char* name;
  bool RestrictRules::* flag;  // null: takes a value
  std::string RestrictRules::* value;
  const char* help;
};

constexpr Option kOptions[] = {
    {"-ro", &RestrictRules::read_only, nullptr, "only reading from DIR; implies -no-del and -no-lock"},
    {"-wo", &RestrictRules::write_only, nullptr, "only writing to DIR"},
    {"-munge", &RestrictRules::munge, nullptr, "run the server with --munge-links"},
    {"-absolute", &RestrictRules::absolute, nullptr, "arguments may begin with DIR's own absolute path"},
    {"-no-del", &RestrictRules::no_delete, nullptr, "refuse the --delete* and --remove* options"},
    {"-no-lock", &RestrictRules::no_lock, nullptr, "allow several transfers at once"},
    {"-no-overwrite", &RestrictRules::no_overwrite, nullptr, "never replace what exists: forces --ignore-existing"},
    {"-program", nullptr, &RestrictRules::program, "PROGRAM to run as the server instead of ocsync itself"},
    {"-help", &RestrictRules::help, nullptr, "print this and exit (also -h)"},
};

}  // namespace

Result<RestrictRules> parse_restrict_rules(std::span<const std::string> args) {
  RestrictRules rules;
  std::vector<std::string> operands;
  std::string unknown;
  bool only_operands = false;
  for (size_t i = 0; i < args.size(); ++i) {
    const std::string& word = args[i];
    if (only_operands || word.size() < 2 || word[0] != '-') {
      operands.push_back(word);
      continue;
    }
    if (word == "--") {
      only_operands = true;
      continue;
    }
    std::vector<const Option*> meant;
    for (const Option& option : kOptions) {
      if (word == option.name) {
        meant = {&option};
        break;
      }
      if (std::string_view(option.name).starts_with(word)) meant.push_back(&option);
    }
    if (meant.empty()) {
      unknown += " " + word;
      continue;
    }
    if (meant.size() > 1) {
      std::string could;
      for (const Option* option : meant) could += fmt::format("{}{}", could.empty() ? "" : ", ", option->name);
      return fail(Fault::kUsage, fmt::format("ambiguous option: {} could match {}", word, could));
    }
    const Option& option = *meant[0];
    if (option.flag != nullptr) {
      rules.*option.flag = true;
    } else if (i + 1 < args.size()) {
      rules.*option.value = args[++i];
    } else {
      return fail(Fault::kUsage, fmt::format("argument {}: expected one argument", option.name));
    }
    if (rules.read_only && rules.write_only) {
      const bool ro_last = option.flag == &RestrictRules::read_only;
      return fail(Fault::kUsage, fmt::format("argument {}: not allowed with argument {}", ro_last ? "-ro" : "-wo",
                                             ro_last ? "-wo" : "-ro"));
    }
  }
  if (rules.help) return rules;
  if (operands.empty()) return fail(Fault::kUsage, "the following arguments are required: DIR");
  for (size_t i = 1; i < operands.size(); ++i) unknown += " " + operands[i];
  if (!unknown.empty()) return fail(Fault::kUsage, "unrecognized arguments:" + unknown);
  rules.dir = operands[0];
  if (rules.read_only) rules.no_delete = rules.no_lock = true;
  return rules;
}

std::string restrict_help_text(const std::string& program) {
  std::string text = fmt::format(
      "usage: {} [-ro | -wo] [-munge] [-absolute] [-no-del] [-no-lock] [-no-overwrite] [-program PROGRAM] [-help] "
      "DIR\n\n"
      "Lets an ssh key do nothing but rsync transfers inside DIR; see \"man ocsync-restrict\".\n\n"
      "  {:<15}the directory that transfers are restricted to\n\n",
      program, "DIR");
  for (const Option& option : kOptions) text += fmt::format("  {:<15}{}\n", option.name, option.help);
  return text;
}

}  // namespace ocsync::sync
