#include "libsync/session/sending.h"

#include "libsync/sender/send.h"
#include "libsync/session/roles.h"

namespace ocsync::sync {

Result<bool> run_sending_side(const Terms& terms, Connection& connection, const FilterRules& filters,
                              const std::string& base, const std::vector<std::string>& names,
                              const std::function<void()>& bring_down) {
  Channel& channel = connection.channel;
  Scanner scanner(terms, filters, base);
  ListSender lists(terms, channel.out);
  Sender sender(terms, channel, scanner, lists);
  ListLines lines(terms, true);
  KeepAlive keep_alive(channel.mux, connection.activity, terms.options.timeout_s);
  connection.may_say_farewell = !terms.options.module_name.empty();  // a daemon does
  const bool goes_on = TRY(sender.send_first(names));
  connection.may_say_farewell = true;
  lines.done(scanner.entries());
  if (!goes_on) return false;
  const Connection::Hearing hearing(connection,
                                    [&](const proto::Message& message) { return sender.on_message(message); });
  connection.source.before_reading([&] { sender.wake(); });
  const Status done =
      run_together({[&] { return sender.read_requests(); }, [&] { return sender.answer_requests(); }}, bring_down);
  sender.hear_the_rest();
  TRY(Status(done));
  return true;
}

}  // namespace ocsync::sync
