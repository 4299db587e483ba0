// Prints what the filter rules of an rsync command line let through, for the comparison with rsync (filter_oracle.py).
//
// filter_walk OPTIONS SRC/         the names that a sender would list, directories with a slash
// filter_walk OPTIONS SRC/ DST/    the names that a receiver would delete (--delete), in no particular order
// filter_walk --push=N OPTIONS SRC/   the rules a pushing client sends to version N, one a line
// filter_walk --pull=N OPTIONS SRC/   the same for a pulling client
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <set>

#include "libsync/filter/rules.h"
#include "libsync/options/parse.h"

using namespace ocsync;
using namespace ocsync::sync;

namespace {

[[noreturn]] void die(const Error& error) {
  std::printf("error: %s\n", error.text.c_str());
  std::exit(1);
}
template <class T>
T must(Result<T> result) {
  if (!result) die(result.error());
  return *std::move(result);
}

std::string join(const std::string& path, const char* name) { return path.empty() ? name : path + "/" + name; }

// Calls `visit(path, name, is_dir, dir)` for each entry of the directory.
template <class Visit>
void each(const io::Dir& dir, Visit visit) {
  const io::DirListing listing = must(dir.list());
  for (const io::DirEntry& entry : listing.entries) {
    const io::Leaf leaf = must(io::Leaf::check(listing.name(entry)));
    visit(leaf, must(dir.info(leaf)).is_dir());
  }
}

void list(const io::Dir& dir, const std::string& path, const FilterScope& outer, std::set<std::string>& names) {
  const FilterScope scope = must(outer.enter(path, dir));
  each(dir, [&](io::Leaf leaf, bool is_dir) {
    const std::string full = join(path, leaf.c_str());
    if (scope.excluded(full, is_dir)) return;
    names.insert(is_dir ? full + "/" : full);
    if (is_dir) list(must(dir.child(leaf)), full, scope, names);
  });
}

// Deletes what may be deleted; false if something stays.
bool empty_out(const io::Dir& dir, const std::string& path, const FilterScope& outer, std::set<std::string>& deleted) {
  const FilterScope scope = must(outer.enter(path, dir));
  bool all = true;
  each(dir, [&](io::Leaf leaf, bool is_dir) {
    const std::string full = join(path, leaf.c_str());
    if (scope.excluded(full, is_dir, true) || (is_dir && !empty_out(must(dir.child(leaf)), full, scope, deleted))) {
      all = false;
    } else {
      deleted.insert(is_dir ? full + "/" : full);
    }
  });
  return all;
}

void sweep(const io::Dir& dir, const std::string& path, const FilterScope& outer, const std::set<std::string>& names,
           std::set<std::string>& deleted) {
  const FilterScope scope = must(outer.enter(path, dir));
  each(dir, [&](io::Leaf leaf, bool is_dir) {
    const std::string full = join(path, leaf.c_str());
    const bool listed_dir = names.contains(full + "/");
    if (listed_dir && is_dir) return sweep(must(dir.child(leaf)), full, scope, names, deleted);
    if (listed_dir || names.contains(full) || scope.excluded(full, is_dir)) return;
    if (!is_dir || empty_out(must(dir.child(leaf)), full, scope, deleted)) deleted.insert(is_dir ? full + "/" : full);
  });
}

std::string absolute(const std::string& path) {
  char* real = realpath(path.c_str(), nullptr);
  if (real == nullptr) die(Error(Fault::kSelect, "no such directory: " + path));
  const std::string full(real);
  std::free(real);
  return full;
}

}  // namespace

int main(int argc, char** argv) {
  int version = 0;
  bool pull = false;
  std::vector<std::string> args{"rsync"};
  for (int i = 1; i < argc; ++i) {
    if (std::strncmp(argv[i], "--push=", 7) == 0 || std::strncmp(argv[i], "--pull=", 7) == 0) {
      version = std::atoi(argv[i] + 7);
      pull = argv[i][4] == 'l';
    } else {
      args.emplace_back(argv[i]);
    }
  }
  ParsedCommand command = must(parse_command_line(args, ParseEnvironment::of_process()));
  Options& options = command.options;
  if (command.what != ParsedCommand::What::kRun || options.operands.empty()) return 2;
  options.sender = !pull;
  if (version != 0) options.protocol = version;
  FilterRules rules = must(FilterRules::from_options(options, standard_rule_reader(options)));
  if (version != 0) {
    const auto agreed = proto::Agreement::from(version, 0);
    rules.settle(options, agreed, false);
    const auto texts = must(rules.to_wire(options, agreed));
    if (!FilterRules::travels(options, agreed)) return 0;
    for (const std::string& rule : texts) std::printf("%s\n", rule.c_str());
    return 0;
  }
  const std::string source = absolute(options.operands[0]);
  const io::Dir source_dir = must(io::Dir::open_trusted(source));
  std::set<std::string> names, deleted;
  list(source_dir, "", must(FilterScope::at_root(rules, Side::kSender, source)), names);
  if (options.operands.size() > 1) {
    const std::string target = absolute(options.operands[1]);
    const io::Dir target_dir = must(io::Dir::open_trusted(target));
    sweep(target_dir, "", must(FilterScope::at_root(rules, Side::kReceiver, target)), names, deleted);
    names = deleted;
  }
  for (const std::string& name : names) std::printf("%s\n", name.c_str());
  return 0;
}
