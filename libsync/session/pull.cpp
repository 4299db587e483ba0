#include "libsync/session/pull.h"

#include <unistd.h>

#include <thread>

#include "libproto/filters_wire.h"
#include "libsync/list/admit.h"
#include "libsync/list/files_from.h"
#include "libsync/list/name_charset.h"
#include "libsync/report/progress.h"
#include "libsync/session/batch.h"
#include "libsync/session/connect.h"
#include "libsync/session/copy_as.h"
#include "libsync/session/ending.h"
#include "libsync/session/receiving.h"

namespace ocsync::sync {

int run_pull(const Options& options, const Journey& journey, OperatorFiles& files, Reporter& reporter, io::Stop& stop,
             BatchWriter* batch) {
  Ending ending(reporter, Role::kReceiverStart);
  Totals totals;
  totals.started_wall_s = ::time(nullptr);
  ending.tell(totals, false);
  Progress progress(reporter, options, totals);
  auto far = FarSide::reach(options, journey, false, reporter, stop);
  if (!far) return ending.of(far.error());
  Connection connection(far->in_fd(), far->out_fd(), options, stop);
  connection.reporter = &reporter;
  connection.client = true;
  Channel& channel = connection.channel;
  int version = proto::kNewestVersion;

  bool went_on = true;
  bool nothing_came = false;
  const auto run = [&]() -> Status {
    went_on = TRY(far->introduce(connection));
    if (!went_on) return {};
    proto::HandshakeWishes wishes = wishes_of(options, false, false);
    wishes.far_version = far->version();
    const proto::Agreement agreed = TRY(shake_hands(connection, wishes, false));
    version = agreed.version;
    FilterRules filters = std::move(files.rules);
    filters.settle(options, agreed, false);
    TRY(become_copy_user(options, Role::kReceiverStart, reporter));
    Terms terms = Terms::settle(options, agreed, reporter, totals, stop, false, false, false);
    TRY(terms.convert_names());
    terms.progress = &progress;
    say_algorithms(terms);
    channel.agree(agreed);
    channel.demux.enable();
    const bool framed =
        proto::client_writes_frames(agreed, false, options.remove_source_files || options.remove_sent_files);
    if (framed) channel.mux.enable();
    const std::vector<std::string> rules = TRY(filters.to_wire(options, agreed));
    TRY(proto::write_rules(rules, channel.out));
    TRY(channel.out.flush());
    const auto requested = std::make_shared<RequestedNames>(options);
    std::function<Status()> forward;
    if (options.files_from.empty()) {
      for (const std::string_view source : journey.sources) {
        // Behind a daemon's module name starts what is listed; the module alone is all of it.
        const size_t path = !journey.daemon                              ? 0
                            : source.find('/') == std::string_view::npos ? source.size()
                                                                         : source.find('/') + 1;
        requested->add(source.substr(path));
      }
    } else if (!options.files_from_far) {
      // Once over for ourselves: no name may come back before we know that it was asked for.
      CountingSink nowhere;
      Writer unheard(nowhere);
      MemorySource list(as_bytes(files.names));
      TRY(forward_names(list, options.from0, unheard,
                        [&](std::string_view name) { requested->add(sanitized_name(name, true)); }));
      forward = [&, framed]() -> Status {
        const bool bare = framed && !agreed.files_from_framed;
        if (bare) TRY(channel.mux.disable());
        MemorySource source(as_bytes(files.names));
        TRY(forward_names(source, options.from0, channel.out, {},
                          options.secluded_args ? terms.charset.get() : nullptr));
        TRY(channel.out.flush());
        if (bare) channel.mux.enable();
        return {};
      };
    }
    if (batch) TRY(batch->write_script(options, filters, agreed));
    if (batch) TRY(batch->begin(options, agreed, channel, false));
    const ReceivingResult result =
        TRY(run_receiving_side(terms, connection, filters, journey.destination, admission(options, filters, requested),
                               forward, [&] { far->bring_down(connection); }));
    if (batch) TRY(batch->finish());
    nothing_came = result.nothing_came;
    connection.count_into(totals);
    if (result.statistics) take_statistics(*result.statistics, totals);
    return {};
  };
  const Status status = run();
  reporter.close_line();
  if (!status) {
    Error error = worded(status.error(), connection.channel.received(), "Receiver");
    const int child = far->abandon(connection, error);
    ending.speak_as(connection.role);
    return ending.of(error, child);
  }
  const int child = far->finish(connection);
  if (went_on) reporter.totals(totals, version);
  if (!nothing_came) ending.speak_as(Role::kGenerator);
  return ending.of_success(child);
}

}  // namespace ocsync::sync
