#include "libsync/session/push.h"

#include <unistd.h>

#include "libproto/filters_wire.h"
#include "libsync/report/progress.h"
#include "libsync/session/batch.h"
#include "libsync/session/connect.h"
#include "libsync/session/copy_as.h"
#include "libsync/session/ending.h"
#include "libsync/session/names.h"
#include "libsync/session/sending.h"

namespace ocsync::sync {

Status push_over(PushParts& parts) {
  const Options& options = parts.options;
  Reporter& reporter = parts.reporter;
  Channel& channel = parts.connection.channel;
  proto::HandshakeWishes wishes = wishes_of(options, false, true);
  wishes.far_version = parts.far_version;
  wishes.same_program = parts.connection.to_ourselves;
  const proto::Agreement agreed = TRY(shake_hands(parts.connection, wishes, false));
  parts.version = agreed.version;
  const bool names_come_from_there = options.files_from_far;
  FilterRules filters = std::move(parts.files.rules);
  filters.settle(options, agreed, parts.local);
  SourceNames sources;
  if (!names_come_from_there) sources = TRY(local_source_names(options, parts.sources, parts.files.names));
  if (!parts.local) TRY(become_copy_user(options, Role::kSender, reporter));
  Terms terms = Terms::settle(options, agreed, reporter, parts.totals, parts.stop, false, true, parts.local);
  TRY(terms.convert_names());
  terms.progress = &parts.progress;
  say_algorithms(terms);
  channel.agree(agreed);
  if (agreed.client_frames) channel.mux.enable();
  if (agreed.files_from_framed || !names_come_from_there) channel.demux.enable();
  // Rules that the version cannot express are refused even where the far side would not read them.
  const std::vector<std::string> rules = TRY(filters.to_wire(options, agreed));
  if (rules_travel(parts.connection, options, agreed)) TRY(proto::write_rules(rules, channel.out));
  if (parts.batch) TRY(parts.batch->write_script(options, filters, agreed));
  if (parts.batch) TRY(parts.batch->begin(options, agreed, channel, true));
  if (names_come_from_there) {
    TRY(channel.out.flush());
    sources.base = parts.sources.empty() ? std::string() : parts.sources[0];
    sources.names = TRY(forwarded_names(channel.in, options.secluded_args ? terms.charset.get() : nullptr));
    if (!agreed.files_from_framed) channel.demux.enable();
  }
  TRY(run_sending_side(terms, parts.connection, filters, sources.base, sources.names, parts.bring_down));
  return parts.batch ? parts.batch->finish() : Status();
}

int run_push(const Options& options, const Journey& journey, OperatorFiles& files, Reporter& reporter, io::Stop& stop,
             BatchWriter* batch) {
  Ending ending(reporter, Role::kSender);
  Totals totals;
  totals.started_wall_s = ::time(nullptr);
  ending.tell(totals, true);
  Progress progress(reporter, options, totals);
  auto far = FarSide::reach(options, journey, true, reporter, stop);
  if (!far) return ending.of(far.error());
  Connection connection(far->in_fd(), far->out_fd(), options, stop);
  connection.reporter = &reporter;
  connection.client = true;
  PushParts parts{options, journey.sources, files, connection, reporter,
                  totals,  progress,        stop,  false,      [&] { far->bring_down(connection); },
                  batch};
  bool went_on = true;
  const auto run = [&]() -> Status {
    went_on = TRY(far->introduce(connection));
    if (!went_on) return {};
    parts.far_version = far->version();
    return push_over(parts);
  };
  const Status status = run();
  reporter.close_line();
  connection.count_into(totals);
  if (!status) {
    Error error = worded(status.error(), connection.channel.received(), "sender");
    const int child = far->abandon(connection, error);
    return ending.of(error, child);
  }
  const int child = far->finish(connection);
  if (went_on) reporter.totals(totals, parts.version);
  return ending.of_success(child);
}

}  // namespace ocsync::sync
