// Reaches the far side: through a remote shell, or a daemon (on a socket, through a program, or through a shell).
#pragma once

#include <optional>

#include "libio/os/child.h"
#include "libsync/options/operands.h"
#include "libsync/session/pieces.h"

namespace ocsync::sync {

// What is asked of a far side, for --debug=cmd: quoted as far as a reader needs it to tell the words apart.
std::string shown_command(std::string_view what, const std::vector<std::string>& words);

struct FarProgram {
  io::Child child;
  std::vector<std::string> secluded;  // to be sent first, if not empty
};
// `paths`: what is asked of (or given to) the far side.
// `words`: the far side's own command line, where it is not the usual one (a daemon reached through a shell).
Result<FarProgram> start_far_program(const Options& options, const Operand& far, bool daemon,
                                     std::vector<std::string> words, Reporter& reporter);
Result<FarProgram> start_far_side(const Options& options, const Operand& far, bool we_send,
                                  const std::vector<std::string>& paths, Reporter& reporter);

// A connection's end: half-closes, waits for the program, and returns its exit code (0 if it did well). What it still
// says until then is shown.
int finish_far_side(FarProgram& program, Connection& connection);

// The same after a failure of ours: the program's own exit code counts only if it ended first (the stream broke because
// of it). Says on standard error what host and phase it was, where rsync's line alone would leave a user guessing.
int abandon_far_side(FarProgram& program, Connection& connection, const Error& error, const Options& options,
                     const Operand& far, Reporter& reporter);

// A far side that was reached, whatever the way there. Owns what the connection borrows.
class FarSide {
 public:
  static Result<FarSide> reach(const Options& options, const Journey& journey, bool we_send, Reporter& reporter,
                               io::Stop& stop);
  int in_fd() const { return program_ ? program_->child.out() : socket_.get(); }  // read from here
  int out_fd() const { return program_ ? program_->child.in() : socket_.get(); }
  // What comes before the protocol: secluded arguments, or the whole conversation with a daemon. False: that was all
  // (a list of modules).
  Result<bool> introduce(Connection& connection);
  // A daemon's greeting has told it already.
  std::optional<int> version() const { return version_; }
  // Blocked reads and writes return soon.
  void bring_down(Connection& connection);
  // The end: the exit code of a remote shell, or 0.
  int finish(Connection& connection);
  int abandon(Connection& connection, const Error& error);

 private:
  FarSide(const Options& options, const Journey& journey, bool we_send, Reporter& reporter)
      : options_(&options), journey_(&journey), we_send_(we_send), reporter_(&reporter) {}
  const Options* options_;
  const Journey* journey_;
  bool we_send_;
  Reporter* reporter_;
  std::optional<FarProgram> program_;
  io::Fd socket_;
  std::optional<int> version_;
  bool only_listed_ = false;
};

}  // namespace ocsync::sync
