// What the journeys share: wishes for the handshake, rule files, the connection, its keep-alive, and how a run ends.
#pragma once

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "libio/os/fd_stream.h"
#include "libproto/greeting.h"
#include "libsync/filter/rules.h"
#include "libsync/list/ids.h"
#include "libsync/receiver/destination.h"
#include "libsync/session/channel.h"
#include "libsync/session/terms.h"

namespace ocsync::sync {

// --debug=nstr: which algorithms came out of the handshake, and whether by negotiation.
void say_algorithms(const Terms& terms);
// What the options ask of the handshake. `server`: we were started by the far side.
proto::HandshakeWishes wishes_of(const Options& options, bool server, bool we_send);

// Where rules say what is wrong with them, unless that was settled; and, with --debug=filter, what they decide.
void let_rules_speak(RuleWorld& world, Reporter& reporter);

// What a client's command line says by files: read before anything else happens, with the rights that we started with.
struct OperatorFiles {
  FilterRules rules;  // to be settled once a version is agreed
  std::string names;  // the text of --files-from, if it lies here
};
Result<OperatorFiles> read_operator_files(const Options& options, Reporter& reporter);

// Reads the file of --files-from: "-" is standard input; symlinks of strangers are refused.
Result<std::string> read_names_file(const Options& options);

// A far side at the other end of two descriptors (which may be one socket), both borrowed.
class Connection {
 public:
  Connection(int in_fd, int out_fd, const Options& options, const io::Stop& stop);
  io::Activity activity;
  io::FdSource source;
  io::FdSink sink;
  Channel channel;
  Reporter* reporter = nullptr;
  bool client = false;
  bool to_ourselves = false;  // the other end is in this process, too
  bool far_said_exit = false;
  bool may_say_farewell = true;  // not while the first list is made: rsync then just goes, and its far end ends with 12
  Role role = Role::kReceiverStart;  // who speaks when this end fails; changes as the run goes on

  // After a failure of ours, once no role uses the connection any more: tells the far side the exit code, so that it
  // ends quietly and at once instead of complaining of a broken stream. Waits for nobody longer than a moment.
  void farewell(const Error& error);

  // What has moved so far. Any thread.
  void count_into(Totals& totals) const;

  // While it lives, what the far side says between its data is given to `listener` on the reading thread, but for exit
  // codes and time-outs; before and afterwards text goes to the reporter. The far side may go on talking when the
  // roles, to which the listener belongs, are long gone: declare it behind them.
  class Hearing {
   public:
    Hearing(Connection& connection, std::function<Status(const proto::Message&)> listener) : connection_(connection) {
      connection.listener_ = std::move(listener);
    }
    ~Hearing() {
      connection_.source.before_reading({});
      connection_.listener_ = {};
    }
    Hearing(const Hearing&) = delete;
    Hearing& operator=(const Hearing&) = delete;

   private:
    Connection& connection_;
  };

 private:
  io::Stop never_;
  std::function<Status(const proto::Message&)> listener_;
  Status dispatch(const proto::Message& message);
};

// The handshake of proto/greeting.h. rsync buffers nothing before its end, and words a failed write there differently.
Result<proto::Agreement> shake_hands(Connection& connection, const proto::HandshakeWishes& wishes, bool as_server);

// Are there filter rules on this connection (asked by both ends)? Between ourselves always: rules about extended
// attributes matter to either end, as in rsync's two halves of one process.
bool rules_travel(const Connection& connection, const Options& options, const proto::Agreement& agreed);

// Sends an empty frame when nothing was written for half of the time-out. Lives while the roles run.
class KeepAlive {
 public:
  KeepAlive(proto::MuxSink& sink, io::Activity& activity, int timeout_s);
  ~KeepAlive();

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool over_ = false;
  std::thread thread_;
};

// Lines about the list on a client's terminal: "sending incremental file list", "building file list ... done".
class ListLines {
 public:
  ListLines(const Terms& terms, bool sending);
  void done(int64_t entries);

 private:
  const Terms& terms_;
  bool sending_;
  bool open_ = false;
};

// The receiving side's checks of options that name directories, with rsync's texts.
Status check_receiving_dirs(const Terms& terms, const Destination& destination);

// Words a broken stream as rsync does; other errors stay.
Error worded(Error error, uint64_t bytes_so_far, std::string_view role);

}  // namespace ocsync::sync
