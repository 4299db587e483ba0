// Whole pushes from one seed: both roles in one process over a pair of sockets that somebody in the middle cuts into
// pieces, delays and breaks, while system calls fail by plan.
//
//   sim [--seeds N] [--first SEED] [-v]
//
// Whatever happens: no crash, no hang, no file that is neither old nor new, and an exit code that says what went wrong.
// A run that nothing disturbed ends with 0 and equal trees. A failing seed is printed; --first SEED --seeds 1 repeats
// it.
#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cassert>

#include <atomic>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <random>
#include <thread>

#include "libio/os/signals.h"
#include "libio/os/sys.h"
#include "libsync/options/far_args.h"
#include "libsync/options/parse.h"
#include "libsync/report/exit_code.h"
#include "libsync/session/push.h"
#include "libsync/session/serve.h"

using namespace ocsync;
using namespace ocsync::sync;
namespace fs = std::filesystem;

namespace {

constexpr int kHangSeconds = 60;

// What the alarm may print.
std::atomic<uint64_t> current_seed{0};
void on_alarm(int) {
  char text[64] = "hang with seed ";
  uint64_t seed = current_seed;
  char digits[24];
  int n = 0;
  do digits[n++] = static_cast<char>('0' + seed % 10);
  while ((seed /= 10) > 0);
  int at = 15;
  while (n > 0) text[at++] = digits[--n];
  text[at++] = '\n';
  if (::write(2, text, static_cast<size_t>(at)) < 0) std::abort();
  std::abort();
}

using Tree = std::map<std::string, std::string>;

std::string random_text(std::mt19937_64& random, size_t bytes) {
  std::string text(bytes, '\0');
  for (char& c : text) c = static_cast<char>(random());
  return text;
}

void write_tree(const fs::path& top, const Tree& tree, int64_t mtime) {
  for (const auto& [name, content] : tree) {
    fs::create_directories((top / name).parent_path());
    std::ofstream(top / name, std::ios::binary) << content;
    const timespec times[2] = {{mtime, 0}, {mtime, 0}};
    ::utimensat(AT_FDCWD, (top / name).c_str(), times, 0);
  }
}

std::string read_file(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

// Copies bytes between two sockets in pieces of random size until `cut` bytes have passed or an end is reached.
struct Meddler {
  int from, to;
  uint64_t seed;
  int64_t cut;  // negative: never
  void run() const {
    std::mt19937_64 random(seed);
    std::vector<char> buffer(16384);
    int64_t left = cut;
    for (;;) {
      size_t most = random() % 4 == 0 ? 1 + random() % 7 : 1 + random() % buffer.size();
      if (left >= 0) most = std::min<size_t>(most, static_cast<size_t>(left));
      if (left == 0) break;
      const ssize_t got = ::read(from, buffer.data(), most);
      if (got <= 0) break;
      if (random() % 64 == 0) ::usleep(static_cast<useconds_t>(random() % 2000));
      for (ssize_t sent = 0; sent < got;) {
        const ssize_t n = ::send(to, buffer.data() + sent, static_cast<size_t>(got - sent), MSG_NOSIGNAL);
        if (n <= 0) break;
        sent += n;
      }
      if (left > 0) left -= got;
    }
    // A cut ends both directions of both ends; an orderly end only this one.
    ::shutdown(to, cut >= 0 ? SHUT_RDWR : SHUT_WR);
    ::shutdown(from, cut >= 0 ? SHUT_RDWR : SHUT_RD);
  }
};

struct Pair {
  int a = -1, b = -1;
  explicit Pair(bool nonblocking_a) {
    int ends[2];
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) std::abort();
    a = ends[0], b = ends[1];
    if (nonblocking_a) ::fcntl(a, F_SETFL, O_NONBLOCK);
  }
  ~Pair() {
    ::close(a);
    ::close(b);
  }
  Pair(const Pair&) = delete;
};

Options parse(std::vector<std::string> words) {
  ParseEnvironment environment;
  environment.use_aliases = false;
  environment.variable = [](const char*) -> std::optional<std::string> { return std::nullopt; };
  words.insert(words.begin(), "rsync");
  auto parsed = parse_command_line(words, environment);
  if (!parsed) {
    fmt::print(stderr, "options: {}\n", parsed.error().text);
    std::exit(2);
  }
  return parsed->options;
}

struct Outcome {
  int client = 0, server = 0;
  bool fault_fired = false;
  std::string problem;
};

Outcome run_seed(uint64_t seed, const fs::path& top, bool verbose) {
  std::mt19937_64 random(seed);
  const auto one_of = [&](auto... choices) {
    const std::vector<std::string> all{choices...};
    return all[random() % all.size()];
  };
  fs::remove_all(top / "src");
  fs::remove_all(top / "dst");
  fs::create_directories(top / "src");
  fs::create_directories(top / "dst");
  Tree old, fresh;
  const int files = 1 + static_cast<int>(random() % 25);
  for (int i = 0; i < files; ++i) {
    const std::string name = fmt::format(
        "{}f{}", random() % 3 == 0 ? "" : fmt::format("d{}/{}", random() % 3, random() % 4 == 0 ? "e/" : ""), i);
    const size_t size = std::vector<size_t>{0, 1, 700, 5000, 40000, 300000}[random() % 6];
    const std::string body = random_text(random, size);
    fresh[name] = "new" + body + random_text(random, size / 5);
    if (random() % 3 != 0) old[name] = "old" + body;
  }
  write_tree(top / "src", fresh, 1'700'000'000);
  write_tree(top / "dst", old, 1'600'000'000);
  if (random() % 2) write_tree(top / "dst", {{"d1/extra", "x"}, {"extra", "y"}}, 1'600'000'000);

  std::vector<std::string> words{"-a", "--no-W", "--timeout=20"};
  const std::string extra = one_of("", "--delete", "-z", "-H", "--delay-updates", "-c", "--no-inc-recursive",
                                   "--delete-after", "--partial", "-b");
  if (!extra.empty()) words.push_back(extra);
  const std::string version = one_of("27", "28", "29", "30", "31", "32", "32", "32");
  if (version != "32") words.push_back("--protocol=" + version);
  words.insert(words.end(), {(top / "src").string() + "/", "h:" + (top / "dst").string() + "/"});
  Options options = parse(words);
  options.sender = true;
  Options quoted = options;
  quoted.old_args = 2;  // no shell stands between
  const auto far_words = far_command(quoted, true, {(top / "dst").string() + "/"});
  if (!far_words) return {.problem = far_words.error().text};
  const Options receiving = parse(far_words->words);
  if (verbose) fmt::print("far side: {}\n", fmt::join(far_words->words, " "));

  const int64_t cut = random() % 2 ? -1 : static_cast<int64_t>(random() % (random() % 2 ? 2000 : 400000));
  const bool cut_forward = random() % 2;
  std::optional<io::sys::FaultPlan> fault;
  std::string fault_name = "none";
  if (random() % 2) {
    using io::sys::Call;
    struct Kind {
      Call call;
      const char* name;
      std::vector<int> errors;
    };
    const std::vector<Kind> kinds{{Call::kOpen, "open", {EACCES, ENOENT, EMFILE}},
                                  {Call::kStat, "stat", {EACCES, ENOENT, EIO}},
                                  {Call::kList, "list", {EIO}},
                                  {Call::kName, "name", {EACCES, ENOSPC, EXDEV}},
                                  {Call::kAttribute, "attribute", {EPERM}},
                                  {Call::kRead, "read", {EIO, 0}},
                                  {Call::kWrite, "write", {ENOSPC, EIO, 0}},
                                  {Call::kSize, "size", {ENOSPC}},
                                  {Call::kMap, "map", {ENOMEM}},
                                  {Call::kPoll, "poll", {EINTR}}};
    const Kind& kind = kinds[random() % kinds.size()];
    const int error = kind.errors[random() % kind.errors.size()];
    const unsigned nth = 1 + static_cast<unsigned>(random() % 60);
    fault_name = fmt::format("{} #{} errno {}", kind.name, nth, error);
    fault.emplace(kind.call, nth, error, 1 + static_cast<unsigned>(random() % 3));
  }
  if (verbose)
    fmt::print("seed {}: {} {} files {} cut {} {} fault {}\n", seed, extra, version, files, cut,
               cut_forward ? "->" : "<-", fault_name);

  Pair near(true), far(true);
  const uint64_t noise = random();
  std::thread forward([&] { Meddler{near.b, far.b, noise, cut_forward ? cut : -1}.run(); });
  std::thread backward([&] { Meddler{far.b, near.b, noise + 1, cut_forward ? -1 : cut}.run(); });

  const int nowhere = ::open("/dev/null", O_WRONLY | O_CLOEXEC);
  ReporterPorts ports;
  ports.out_fd = ports.err_fd = nowhere;
  io::Stop stop;
  Outcome outcome;
  Totals totals, far_totals;
  {
    Reporter reporter(options, ports), far_reporter(receiving, ports);
    Connection client(near.a, near.a, options, stop), server(far.a, far.a, receiving, stop);
    client.reporter = &reporter;
    client.client = true;
    server.reporter = &far_reporter;
    std::thread serving([&] {
      const Status status = serve(receiving, server, far_reporter, far_totals, stop);
      const RunState& state = far_reporter.state();
      outcome.server =
          status ? final_exit_code(0, 0, state.io_error, state.transfer_error) : exit_code_of(status.error());
      if (!status && verbose) fmt::print("  server: {}\n", status.error().text);
      if (!status) server.farewell(status.error());
      far_reporter.connect_far_side({}, true);
      far_reporter.flush();
      ::shutdown(far.a, SHUT_RDWR);
    });
    Progress progress(reporter, options, totals);
    auto named = read_operator_files(quoted, reporter);
    assert(named);  // its options name none
    PushParts parts{quoted, {(top / "src").string() + "/"},    *named, client, reporter, totals, progress, stop,
                    false,  [&] { client.activity.give_up(); }};
    const Status status = push_over(parts);
    if (!status && verbose) fmt::print("  client: {}\n", status.error().text);
    if (!status) client.farewell(status.error());
    ::shutdown(near.a, status ? SHUT_WR : SHUT_RDWR);
    serving.join();
    const RunState& state = reporter.state();
    outcome.client =
        status ? final_exit_code(0, 0, state.io_error, state.transfer_error) : exit_code_of(status.error());
  }
  ::shutdown(near.a, SHUT_RDWR);
  forward.join();
  backward.join();
  ::close(nowhere);
  outcome.fault_fired = fault && fault->fired() > 0;
  fault.reset();

  const bool undisturbed = cut < 0 && !outcome.fault_fired;
  const auto allowed = [](int code) {
    for (const int known : {0, 3, 10, 11, 12, 14, 22, 23, 24, 30})
      if (code == known) return true;
    return false;
  };
  // A basis that cannot be opened any more while its blocks arrive ends the session with 2, as with rsync.
  const bool basis_lost = outcome.fault_fired && (outcome.client == 2 || outcome.server == 2);
  if (!basis_lost && (!allowed(outcome.client) || !allowed(outcome.server)))
    outcome.problem = fmt::format("exit codes {} and {}", outcome.client, outcome.server);
  if (undisturbed && (outcome.client != 0 || outcome.server != 0))
    outcome.problem = fmt::format("undisturbed, but codes {} and {}", outcome.client, outcome.server);
  for (const auto& [name, content] : fresh) {
    const fs::path path = top / "dst" / name;
    const bool there = fs::exists(path);
    const std::string now = there ? read_file(path) : "";
    const bool is_new = there && now == content, is_old = old.contains(name) && there && now == old.at(name);
    if (there && !is_new && !is_old && extra != "--partial") outcome.problem = name + " is neither old nor new";
    if (!there && old.contains(name) && extra != "-b") outcome.problem = name + " is gone";
    if (!is_new && outcome.client == 0 && outcome.server == 0)
      outcome.problem = name + " did not arrive, and nobody says so";
  }
  if (!outcome.problem.empty())
    outcome.problem = fmt::format("seed {} ({} protocol {}, cut {} {}, fault {}{}, codes {} {}): {}", seed, extra,
                                  version, cut, cut_forward ? "forward" : "backward", fault_name,
                                  outcome.fault_fired ? " fired" : "", outcome.client, outcome.server, outcome.problem);
  return outcome;
}

}  // namespace

int main(int argc, char** argv) {
  uint64_t seeds = 200, first = 1;
  bool verbose = false;
  for (int i = 1; i < argc; ++i) {
    const std::string_view word = argv[i];
    if (word == "--seeds" && i + 1 < argc)
      seeds = std::strtoull(argv[++i], nullptr, 10);
    else if (word == "--first" && i + 1 < argc)
      first = std::strtoull(argv[++i], nullptr, 10);
    else if (word == "-v")
      verbose = true;
    else
      return fmt::print(stderr, "sim [--seeds N] [--first SEED] [-v]\n"), 2;
  }
  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGALRM, on_alarm);
  std::string top = (fs::temp_directory_path() / "ocsync-sim-XXXXXX").string();
  if (::mkdtemp(top.data()) == nullptr) return 2;
  int problems = 0, disturbed = 0, faults = 0;
  for (uint64_t seed = first; seed < first + seeds; ++seed) {
    current_seed = seed;
    ::alarm(kHangSeconds);
    const Outcome outcome = run_seed(seed, top, verbose);
    disturbed += outcome.client != 0 || outcome.server != 0;
    faults += outcome.fault_fired;
    if (!outcome.problem.empty()) {
      ++problems;
      fmt::print("{}\n", outcome.problem);
      std::fflush(stdout);
    }
  }
  ::alarm(0);
  std::error_code ignored;
  if (verbose)
    fmt::print("the last trees are in {}\n", top);
  else
    fs::remove_all(top, ignored);
  fmt::print("{} seeds, {} disturbed runs, {} with failed system calls, {} problems\n", seeds, disturbed, faults,
             problems);
  return problems == 0 ? 0 : 1;
}
