#include "libsync/session/receiving.h"

#include <atomic>

#include "libsync/meta/book.h"
#include "libsync/receiver/generate.h"
#include "libsync/receiver/receive.h"
#include "libsync/receiver/wire_transfers.h"
#include "libsync/session/roles.h"

namespace ocsync::sync {

Result<ReceivingResult> run_receiving_side(const Terms& terms, Connection& connection, const FilterRules& filters,
                                           const std::optional<std::string>& destination, AdmitEntry admit,
                                           const std::function<Status()>& forward,
                                           const std::function<void()>& bring_down, Replay* replay) {
  ReceivingResult result;
  Channel& channel = connection.channel;
  const Options& o = terms.options;
  const auto own_names = system_names();
  NameService* const names = terms.names ? terms.names : own_names.get();
  auto setup = IdMap::Setup::of_process(o, terms.agreed.id0_names);
  setup.complain = [&](std::string_view line) { terms.reporter.error_line(line, false); };
  if (terms.reporter.traces(Debug::kOwn, 2))
    setup.explain = [&](std::string_view line) { terms.reporter.info_line(line); };
  ListReceiver lists(terms, channel.in, TRY(IdMap::from_options(o, std::move(setup), *names)), std::move(admit));
  TRY(lists.heed(filters));

  if (filters.has_xattr_rules()) terms.meta->policy.filters = &filters;
  ListLines lines(terms, false);
  std::shared_ptr<Segment> first;
  const auto read_first = [&]() -> Status {
    first = TRY(lists.first());
    return {};
  };
  if (forward)
    TRY(run_together({forward, read_first}, bring_down));
  else
    TRY(read_first());
  lines.done(first->count());
  std::shared_ptr<Segment> second;
  bool list_complete = !terms.agreed.incremental;
  if (terms.agreed.incremental && first->count() == 1) {
    // Whether this is the transfer of a single file shows only now.
    const int32_t ndx = TRY(channel.indexes_in->read(channel.in));
    if (ndx == proto::kNdxListEof)
      list_complete = true;
    else if (ndx <= proto::kNdxListOffset)
      second = TRY(lists.sub_list(proto::kNdxListOffset - ndx));
    else
      return fail(Fault::kProtocol, "Invalid file index where a list was due");
  }
  if (first->count() == 0 && !terms.am_server) {
    result.nothing_came = true;
    return result;
  }

  Destination::Wanted wanted;
  wanted.path = destination.value_or(".");
  wanted.entries = static_cast<int>(lists.entries());
  wanted.first_is_dir = first->count() > 0 && first->sorted(0).is_dir();
  if (!destination || o.list_only) wanted.path.assign(1, '.'), wanted.entries = 2;
  terms.reporter.trace(Debug::kRecv, 1, "get_local_name count={} {}", wanted.entries, destination.value_or("NULL"));
  Destination dest = TRY(Destination::open(wanted, terms));
  if (!o.module_name.empty() && dest.absolute().starts_with(o.module_root)) {
    ItemStyle style = terms.reporter.style();
    style.inside = dest.absolute().substr(o.module_root.size());
    terms.reporter.set_style(style);
  }
  TRY(check_receiving_dirs(terms, dest));

  Events events;
  Pending pending;
  std::unique_ptr<Transfers> transfers;
  if (replay)
    transfers = std::make_unique<ReplayTransfers>(pending, *replay);
  else
    transfers = std::make_unique<WireTransfers>(terms, channel, pending, dest);
  Generator generator(terms, filters, dest, *transfers, events);
  Receiver receiver(terms, filters, channel, lists, dest.clone(), pending, events, replay);
  const Connection::Hearing hearing(connection, [&](const proto::Message& message) -> Status {
    if (const auto* text = std::get_if<proto::TextMessage>(&message))
      terms.reporter.from_far_side(*text);
    else if (const auto* bits = std::get_if<proto::IoErrorMessage>(&message))
      terms.reporter.state().io_error |= bits->bits;
    else if (const auto* refused = std::get_if<proto::NoSendMessage>(&message)) {
      if (pending.take(refused->ndx) && o.moves_content())
        return events.push(Event{.what = Event::What::kFailed, .ndx = refused->ndx});
    }
    return {};
  });
  KeepAlive keep_alive(channel.mux, connection.activity, o.timeout_s);
  // Who failed first; the other only follows.
  std::atomic<Role> blame{Role::kReceiverStart};
  const auto generate = [&]() -> Status {
    if (const Status done = generator.run(); !done) {
      if (blame == Role::kReceiverStart && !receiver.failed()) blame = Role::kGenerator;
      return done;
    }
    terms.reporter.heap(Role::kGenerator);
    // The last word; the far side may close at once.
    TRY(proto::write_done(*channel.indexes_out, channel.out));
    return channel.out.flush();
  };
  const auto receive = [&] {
    const Status done = receiver.run(first, second, list_complete);
    if (!done && blame == Role::kReceiverStart) blame = Role::kReceiver;
    return done;
  };
  connection.source.before_reading([&] { events.wake(); });
  const Status together = run_together({receive, generate}, [&] {
    events.close();
    bring_down();
  });
  connection.role = blame;
  TRY(together);
  result.statistics = receiver.statistics();
  return result;
}

void take_statistics(const proto::Statistics& theirs, Totals& totals) {
  totals.total_sent = theirs.bytes_read;
  totals.total_received = theirs.bytes_written;
  totals.total_size = theirs.total_size;
  totals.list_build_ms = theirs.list_build_ms;
  totals.list_xfer_ms = theirs.list_transfer_ms;
}

}  // namespace ocsync::sync
