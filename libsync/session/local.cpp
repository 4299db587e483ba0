#include "libsync/session/local.h"

#include <fmt/format.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <thread>

#include "libio/base/clock.h"
#include "libproto/limits.h"
#include "libsync/list/exchange.h"
#include "libsync/list/files_from.h"
#include "libsync/meta/book.h"
#include "libsync/options/far_args.h"
#include "libsync/receiver/generate.h"
#include "libsync/receiver/local_transfers.h"
#include "libsync/report/io_text.h"
#include "libsync/report/progress.h"
#include "libsync/session/batch.h"
#include "libsync/session/copy_as.h"
#include "libsync/session/ending.h"
#include "libsync/session/names.h"
#include "libsync/session/pieces.h"
#include "libsync/session/push.h"
#include "libsync/session/receiving.h"
#include "libsync/session/roles.h"
#include "libsync/session/sending.h"
#include "libsync/session/serve.h"

namespace ocsync::sync {

namespace {

// How far the scanner may run ahead of the generator: entries alive at once.
constexpr int64_t kScanAhead = 10000;
// Lists that follow each other faster than this come in swarms.
constexpr int64_t kSwarmUs = 500;
constexpr int64_t kSwarmEntries = 1000;

// Counts the entries of living segments, so that a scanner can wait for room.
class Room {
 public:
  void take(int64_t entries) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return alive_ < kScanAhead || closed_; });
    alive_ += entries;
  }
  bool full() const {
    const std::lock_guard lock(mutex_);
    return alive_ >= kScanAhead;
  }
  void give(int64_t entries) {
    {
      const std::lock_guard lock(mutex_);
      alive_ -= entries;
    }
    changed_.notify_one();
  }
  void close() {
    {
      const std::lock_guard lock(mutex_);
      closed_ = true;
    }
    changed_.notify_all();
  }

 private:
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  int64_t alive_ = 0;
  bool closed_ = false;
};

// What both ends of a local run agree on without talking.
Result<proto::Agreement> agree_with_ourselves(const Options& options) {
  Options receiving = options;
  receiving.server = true;
  receiving.capabilities = capability_text(options, true);
  proto::HandshakeWishes wishes = wishes_of(options, false, true);
  wishes.same_program = true;
  uint32_t compat = 0x1fe;
  if (wants_incremental_recursion(options, true) && wants_incremental_recursion(receiving, false))
    compat |= proto::kCompatIncRecurse;
  // Nobody has ever spoken such a version: the other end would take it for noise.
  if (options.protocol > proto::kHighestAnnounced) TRY(proto::settle_version(options.protocol, proto::kNewestVersion));
  const int version = std::min(options.protocol, proto::kNewestVersion);
  proto::Agreement agreed = proto::Agreement::from(version, version >= 30 ? compat : 0);
  agreed.seed = options.checksum_seed != 0 ? options.checksum_seed : wishes.fresh_seed;
  std::optional<std::string> checksum, compression;
  if (version >= 30 && wishes.checksum_choice.empty())
    checksum =
        proto::choose_algorithm(proto::AlgorithmList::kChecksum,
                                proto::offered_list(proto::AlgorithmList::kChecksum, false, wishes.checksum_list),
                                proto::offered_list(proto::AlgorithmList::kChecksum, true, wishes.checksum_list));
  if (version >= 30 && wishes.compress && wishes.compress_choice.empty())
    compression =
        proto::choose_algorithm(proto::AlgorithmList::kCompression,
                                proto::offered_list(proto::AlgorithmList::kCompression, false, wishes.compress_list),
                                proto::offered_list(proto::AlgorithmList::kCompression, true, wishes.compress_list));
  TRY(proto::settle_algorithms(agreed, wishes, false, checksum, compression));
  TRY(proto::check_version_gates(wishes, agreed));
  return agreed;
}

// Sources and destination on this machine, without a wire between them.
Status copy_directly(const Terms& terms, const FilterRules& filters, const std::string& base,
                     const std::vector<std::string>& names, const std::optional<std::string>& destination,
                     Role& blame) {
  const Options& o = terms.options;
  terms.meta->serve_both_ends();
  if (filters.has_xattr_rules()) terms.meta->policy.filters = &filters;
  Scanner scanner(terms, filters, base);
  ListLines lines(terms, true);
  std::shared_ptr<Segment> first = TRY(scanner.first(names));
  terms.totals.list_build_ms = 1;
  lines.done(scanner.entries());
  MemorySource nothing{Bytes()};
  Reader no_reader(nothing, 16);
  const auto ids = system_names();
  auto setup = IdMap::Setup::of_process(o, true);
  setup.complain = [&](std::string_view line) { terms.reporter.error_line(line, false); };
  if (terms.reporter.traces(Debug::kOwn, 2))
    setup.explain = [&](std::string_view line) { terms.reporter.info_line(line); };
  ListReceiver lists(terms, no_reader, TRY(IdMap::from_options(o, std::move(setup), *ids)), {});
  TRY(lists.heed(filters));

  const auto prepare = [&](Segment& segment) -> Status {
    TRY(lists.adopt(segment));
    // What the list would have weighed on a wire, near enough for the closing lines.
    for (int32_t i = 0; i < segment.count(); ++i)
      terms.totals.total_sent += static_cast<int64_t>(segment.added(i).leaf_view().size()) + 12;
    if (segment.parent_dir() < 0 && terms.agreed.incremental && segment.count() > 0 && segment.sorted(0).is_root())
      segment.parent = segment.dir_added(segment.added_position(0));
    return {};
  };
  terms.totals.total_sent += 17;
  terms.totals.total_received += 12;
  TRY(prepare(*first));
  std::shared_ptr<Segment> second;
  if (terms.agreed.incremental && first->count() == 1 && !scanner.exhausted()) {
    second = TRY(scanner.next());
    TRY(prepare(*second));
  }

  Destination::Wanted wanted;
  wanted.path = destination.value_or(".");
  wanted.entries = static_cast<int>(lists.entries());
  wanted.first_is_dir = first->count() > 0 && first->sorted(0).is_dir();
  if (!destination || o.list_only) wanted.path.assign(1, '.'), wanted.entries = 2;
  blame = Role::kReceiverStart;
  terms.reporter.trace(Debug::kRecv, 1, "get_local_name count={} {}", wanted.entries, destination.value_or("NULL"));
  Destination dest = TRY(Destination::open(wanted, terms));
  TRY(check_receiving_dirs(terms, dest));
  blame = Role::kReceiver;

  Room room;  // outlives everything that holds segments
  Events events;
  LocalTransfers transfers(terms, filters, scanner, dest, events);
  Generator generator(terms, filters, dest, transfers, events);
  int64_t pushed_us = 0;
  const auto push = [&](std::shared_ptr<Segment> segment) -> Status {
    const int64_t entries = segment->count();
    if (room.full()) events.wake();  // who is to make room must know of what was pushed quietly
    room.take(entries);
    Segment* raw = segment.get();
    std::shared_ptr<Segment> counted(raw, [segment = std::move(segment), &room, entries](Segment*) mutable {
      segment.reset();
      room.give(entries);
    });
    // While directories come thick and fast the generator is not woken for each; a slow one is handed over at once.
    const int64_t now = monotonic_us();
    const bool slow = now - pushed_us > kSwarmUs || entries > kSwarmEntries;
    pushed_us = now;
    Event event{.what = Event::What::kSegment, .segment = std::move(counted)};
    return slow ? events.push(std::move(event)) : events.push_quietly(std::move(event));
  };
  const auto scan_on = [&]() -> Status {
    TRY(push(std::move(first)));
    if (second) TRY(push(std::move(second)));
    while (!scanner.exhausted()) {
      auto segment = TRY(scanner.next());
      TRY(prepare(*segment));
      TRY(push(std::move(segment)));
    }
    if (terms.progress) terms.progress->list_complete();
    return events.push(Event{.what = Event::What::kListEof});
  };
  // Each thread's own until both have ended.
  bool scan_failed = false, rules_failed = false;
  const auto scan = [&]() -> Status {
    Status status = scan_on();
    scan_failed = !status && status.error().fault != Fault::kClosed;
    return status;
  };
  const auto generate = [&]() -> Status {
    Status status = generator.run();
    rules_failed = !status && status.error().fault == Fault::kUsage;
    if (!status) return status;
    transfers.remove_arrived();
    return transfers.flush();
  };
  std::vector<std::function<Status()>> roles{scan, generate};
  // Where nothing is left to look for, a second thread would not be worth its start.
  if (scanner.exhausted())
    roles = {[&]() -> Status {
      TRY(scan());
      return generate();
    }};
  const Status status = run_together(std::move(roles), [&] {
    events.close();
    room.close();
  });
  if (scan_failed)
    blame = Role::kSender;
  else if (rules_failed)
    blame = Role::kGenerator;
  // What was asked for before a failure is still told.
  (void)transfers.flush();
  return status;
}

// A delta with ourselves: the receiving side of a wire runs in this process, at the other end of a socket pair.
Status copy_by_delta(const Options& options, const Journey& journey, OperatorFiles& files, Reporter& reporter,
                     Totals& totals, Progress& progress, io::Stop& stop, bool whole_file, BatchWriter* batch,
                     Role& blame, int& child) {
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) != 0)
    return fail(Fault::kIpc, "socketpair failed", errno);
  const io::Fd near(ends[0]), far(ends[1]);
  Options plain = options;
  plain.old_args = 2;  // no shell stands between the two ends
  plain.secluded_args = false;
  plain.whole_file = whole_file;
  const FarArguments words = TRY(far_command(plain, true, {journey.destination.value_or(".")}));
  std::vector<std::string> line{"rsync"};
  line.insert(line.end(), words.words.begin(), words.words.end());
  auto parsed = parse_command_line(line, ParseEnvironment::of_process());
  if (!parsed) {
    // Options of -M: the other end is what does not understand them.
    reporter.error_line(parsed.error().text, false);
    reporter.exit_line(exit_code_of(parsed.error()), Role::kReceiverStart, "main.cpp(1)");
    return fail(worded(Error(Fault::kStream, "unexpected end of stream"), 0, "sender"));
  }
  // What does not travel holds all the same where the other end is this process, unless -M said otherwise.
  if (!parsed->options.super && !parsed->options.fake_super) {
    parsed->options.super = options.super;
    parsed->options.fake_super = options.fake_super;
  }
  parsed->options.insecure_links = options.insecure_links;
  parsed->options.drop_devices |= options.drop_devices;
  parsed->options.confine_root = options.confine_root;
  parsed->options.verbosity.debug = options.verbosity.debug;
  parsed->options.io = options.io;
  // It would refuse algorithms that a batch cannot have.
  if (batch && !options.only_write_batch) parsed->options.write_batch = options.write_batch;
  const Options& receiving = parsed->options;

  Connection connection(near.get(), near.get(), options, stop);
  connection.reporter = &reporter;
  connection.client = true;
  Connection other(far.get(), far.get(), receiving, stop);
  Reporter other_reporter(receiving);
  other.reporter = &other_reporter;
  connection.to_ourselves = other.to_ourselves = true;
  Totals other_totals;
  Status far_status;
  std::thread far_side([&] {
    far_status = serve(receiving, other, other_reporter, other_totals, stop);
    if (!far_status) other.farewell(far_status.error());
    other_reporter.connect_far_side({}, true);
    other_reporter.flush();
    ::shutdown(far.get(), SHUT_RDWR);
  });
  PushParts parts{options, journey.sources, files, connection, reporter,
                  totals,  progress,        stop,  true,       [&] { connection.activity.give_up(); },
                  batch};
  const Status status = push_over(parts);
  if (!status) connection.farewell(status.error());
  ::shutdown(near.get(), status ? SHUT_WR : SHUT_RDWR);
  far_side.join();
  connection.count_into(totals);
  add_io(totals.io, other_totals.io);
  totals.list_bytes = 0;
  const RunState& other_state = other_reporter.state();
  child = final_exit_code(0, 0, other_state.io_error, other_state.transfer_error);
  if (other_state.transfer_error) reporter.state().transfer_error = true;
  reporter.state().io_error |= other_state.io_error;
  // Told to end: what the two ends then make of each other's silence is no news.
  if (!status || !far_status) TRY(stop.check());
  if (!far_status && !other.channel.mux.enabled()) {
    // An end that fails before it can send messages speaks for itself, and the other finds the connection closed.
    (void)Ending(reporter, other.role).of(far_status.error());
    return fail(worded(Error(Fault::kStream, "unexpected end of stream"), 0, "sender"));
  }
  if (!status && (far_status || status.error().fault != Fault::kFarExit)) return status;
  if (!far_status) blame = other.role;
  return far_status;
}

}  // namespace

int run_local(const Options& options, const Journey& journey, OperatorFiles& files, Reporter& reporter, io::Stop& stop,
              BatchWriter* batch) {
  Ending ending(reporter, Role::kClient);
  Totals totals;
  totals.started_wall_s = ::time(nullptr);
  ending.tell(totals, true);
  Progress progress(reporter, options, totals);
  bool parts_say_matches = false;
  Role blame = Role::kSender;  // whose trouble a failure is
  // What the receiving half ends with goes before what only the sending half knows, as between processes.
  int child = kExitOk;
  const auto run = [&]() -> Status {
    const proto::Agreement agreed = TRY(agree_with_ourselves(options));
    TRY(become_copy_user(options, Role::kClient, reporter));
    Terms terms = Terms::settle(options, agreed, reporter, totals, stop, false, true, true);
    terms.progress = &progress;
    // A limited rate is kept where bytes pass through a stream. Options for one end only (-M) make two different ends.
    if (batch) terms.whole_file = options.whole_file.value_or(false);
    if (batch || !terms.whole_file || !options.iconv.empty() || options.bwlimit_kib > 0 ||
        !options.remote_options.empty()) {
      parts_say_matches = true;
      return copy_by_delta(options, journey, files, reporter, totals, progress, stop, terms.whole_file, batch, blame,
                           child);
    }
    say_algorithms(terms);
    FilterRules filters = std::move(files.rules);
    filters.settle(options, agreed, true);
    const SourceNames sources = TRY(local_source_names(options, journey.sources, files.names));
    TRY(copy_directly(terms, filters, sources.base, sources.names, journey.destination, blame));
    child = final_exit_code(0, 0, reporter.state().io_error, reporter.state().receiving_error);
    reporter.heap(Role::kSender);
    reporter.heap(Role::kReceiver, true);
    reporter.heap(Role::kGenerator, true);
    return {};
  };

  const Status status = run();
  reporter.close_line();
  ending.speak_as(blame);
  if (!status) return ending.of(status.error());
  // Only our sending half would say it; there was nothing to match.
  if (!parts_say_matches)
    reporter.debug_line_if(
        Debug::kDeltasum, 1,
        fmt::format("total: matches=0  hash_hits=0  false_alarms=0 data={}", totals.literal_bytes.load()));
  reporter.totals(totals, std::min(options.protocol, proto::kNewestVersion));
  ending.speak_as(Role::kSender);
  return ending.of_success(child);
}

}  // namespace ocsync::sync
