// Reading a batch: the receiving side of a wire whose far sender is a file.
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include "libio/os/dir.h"
#include "libproto/batch_head.h"
#include "libsync/list/named_dir.h"
#include "libsync/options/far_args.h"
#include "libsync/receiver/destination.h"
#include "libsync/receiver/replay.h"
#include "libsync/report/progress.h"
#include "libsync/session/batch.h"
#include "libsync/session/ending.h"
#include "libsync/session/pieces.h"
#include "libsync/session/receiving.h"

namespace ocsync::sync {

namespace {

// The file, or standard input. What drives the decoders is a regular file or a pipe, never a device.
Result<io::Fd> open_batch(const Options& options) {
  const std::string& path = options.read_batch;
  if (path == "-") return io::Fd(::fcntl(0, F_DUPFD_CLOEXEC, 3));
  const std::string shown = fmt::format("\"{}\"", absolute_path(path));
  auto file = io::Dir::open_trusted_file(path, io::Dir::Use::kRead, 0600, options.insecure_links);
  if (!file) return fail(Fault::kFileIo, fmt::format("Batch file {} open error", shown), file.error().sys);
  const io::FileInfo info = TRY(file->info());
  if (!info.is_regular() && !S_ISFIFO(info.mode))
    return fail(Fault::kFileIo, fmt::format("Batch file {} is not a regular file", shown));
  return io::Fd(::fcntl(file->fd(), F_DUPFD_CLOEXEC, 3));
}

struct Adopted {
  proto::StreamFlag flag;
  const char* name;
  int (*level)(const Options&);
  void (*set)(Options&, int);
};

constexpr Adopted kAdopted[] = {
    {proto::kStreamRecurse, "--recurse (-r)",
     [](const Options& o) -> int { return o.explicit_recurse ? 2
                                          : o.recurse        ? 1
                                                             : 0; },
     [](Options& o, int v) {
       o.recurse = v;
       o.explicit_recurse = false;
     }},
    {proto::kStreamOwner, "--owner (-o)", [](const Options& o) -> int { return o.owner; },
     [](Options& o, int v) { o.owner = v; }},
    {proto::kStreamGroup, "--group (-g)", [](const Options& o) -> int { return o.group; },
     [](Options& o, int v) { o.group = v; }},
    {proto::kStreamLinks, "--links (-l)", [](const Options& o) -> int { return o.links; },
     [](Options& o, int v) { o.links = v; }},
    {proto::kStreamDevices, "--devices (-D)", [](const Options& o) -> int { return o.devices; },
     [](Options& o, int v) { o.devices = v; }},
    {proto::kStreamHardLinks, "--hard-links (-H)", [](const Options& o) { return o.hard_links; },
     [](Options& o, int v) { o.hard_links = v; }},
    {proto::kStreamChecksum, "--checksum (-c)", [](const Options& o) -> int { return o.checksum; },
     [](Options& o, int v) { o.checksum = v; }},
    {proto::kStreamDirs, "--dirs (-d)", [](const Options& o) { return o.explicit_dirs ? 2
                                                                      : o.dirs        ? 1
                                                                                      : 0; },
     [](Options& o, int v) {
       o.dirs = v;
       o.explicit_dirs = false;
     }},
    {proto::kStreamCompress, "--compress (-z)", [](const Options& o) -> int { return o.compress; },
     [](Options& o, int v) { o.compress = v; }},
    {proto::kStreamIconv, "--iconv", [](const Options& o) -> int { return !o.iconv.empty(); }, nullptr},
    {proto::kStreamAcls, "--acls (-A)", [](const Options& o) -> int { return o.acls; },
     [](Options& o, int v) { o.acls = v; }},
    {proto::kStreamXattrs, "--xattrs (-X)", [](const Options& o) { return o.xattrs; },
     [](Options& o, int v) { o.xattrs = v; }},
    {proto::kStreamInplace, "--inplace", [](const Options& o) -> int { return o.inplace; },
     [](Options& o, int v) { o.inplace = v; }},
    {proto::kStreamAppend, "--append", [](const Options& o) -> int { return o.append == AppendMode::kAppend; },
     [](Options& o, int v) { o.append = v ? AppendMode::kAppend : AppendMode::kNone; }},
    {proto::kStreamAppendVerify, "--append-verify",
     [](const Options& o) -> int { return o.append == AppendMode::kVerify; },
     [](Options& o, int v) {
       if (v)
         o.append = AppendMode::kVerify;
       else if (o.append == AppendMode::kVerify)
         o.append = AppendMode::kNone;
     }},
};

}  // namespace

Result<Options> adopt_stream_flags(const Options& typed, uint32_t flags, int version, Reporter& reporter) {
  Options options = typed;
  const uint32_t known = proto::stream_flags_of(version);
  for (const Adopted& row : kAdopted) {
    if ((row.flag & known) == 0) break;
    const int set = (flags & row.flag) != 0;
    // A level above one counts as a difference, too: twice -X is once in the file.
    if (row.level(options) == set) continue;
    if (!row.set)
      return fail(Fault::kUsage,
                  fmt::format("{} specify the --iconv option to use this batch file.", set ? "Please" : "Do not"));
    reporter.info_line_if(Info::kMisc, 1,
                          fmt::format("{}ing the {} option to match the batchfile.", set ? "Sett" : "Clear", row.name));
    row.set(options, set);
  }
  if ((known & proto::kStreamDirs) == 0 && !options.explicit_dirs) options.dirs = options.recurse;
  return options;
}

int run_replay(const Options& typed, const Journey& journey, OperatorFiles& files, Reporter& reporter, io::Stop& stop) {
  Ending ending(reporter, Role::kReceiverStart);
  Totals totals;
  totals.started_wall_s = ::time(nullptr);
  ending.tell(totals, false);
  auto file = open_batch(typed);
  if (!file) return ending.of(file.error());
  // Nobody listens to what a receiving side says to its sender.
  const io::Fd nowhere(::open("/dev/null", O_WRONLY | O_CLOEXEC));
  if (!nowhere.valid()) return ending.of(Error(Fault::kFileIo, "open /dev/null failed", errno));
  Connection connection(file->get(), nowhere.get(), typed, stop);
  connection.reporter = &reporter;
  connection.client = true;
  Channel& channel = connection.channel;
  channel.demux.pass_freely();
  Options options;
  std::optional<Progress> progress;
  int version = proto::kNewestVersion;
  bool nothing_came = false;
  const auto run = [&]() -> Status {
    const proto::BatchHead head =
        TRY(proto::read_batch_head(channel.in, std::min(typed.protocol, proto::kNewestVersion)));
    version = head.version;
    options = TRY(adopt_stream_flags(typed, head.stream_flags, head.version, reporter));
    proto::HandshakeWishes wishes = wishes_of(options, false, false);
    wishes.incremental = wants_incremental_recursion(typed, false);
    const proto::Agreement agreed = TRY(proto::batch_agreement(head, std::move(wishes)));
    progress.emplace(reporter, options, totals);
    Terms terms = Terms::settle(options, agreed, reporter, totals, stop, false, false, false);
    TRY(terms.convert_names());
    terms.progress = &*progress;
    say_algorithms(terms);
    channel.agree(agreed);
    channel.begin_count();
    FilterRules filters = std::move(files.rules);
    filters.settle(options, agreed, true);
    Replay replay;
    const ReceivingResult result = TRY(run_receiving_side(
        terms, connection, filters, journey.destination, {}, {},
        [&] {
          replay.close();
          connection.activity.give_up();
        },
        &replay));
    nothing_came = result.nothing_came;
    if (result.statistics) take_statistics(*result.statistics, totals);
    return {};
  };
  const Status status = run();
  reporter.close_line();
  if (!status) {
    ending.speak_as(connection.role);
    return ending.of(worded(status.error(), connection.channel.received(), role_name(connection.role)));
  }
  reporter.totals(totals, version);
  if (!nothing_came) ending.speak_as(Role::kGenerator);
  return ending.of_success();
}

}  // namespace ocsync::sync
