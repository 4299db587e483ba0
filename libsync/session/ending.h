// How a run ends: the failure that counts, what is said of it, and the exit code.
#pragma once

#include <optional>

#include "libsync/report/exit_code.h"
#include "libsync/report/reporter.h"

namespace ocsync::sync {

struct Totals;

class Ending {
 public:
  Ending(Reporter& reporter, Role role) : reporter_(reporter), role_(role) {}
  void speak_as(Role role) { role_ = role; }
  // Prints what failed (unless the far side has said it already) and the closing line; returns the code. `child` is the
  // exit code of the remote shell, 0 if there is none.
  int of(const Error& error, int child = 0);
  // The same for a run that came to its end; the code may still tell of partial success.
  int of_success(int child = 0);
  // What the log's closing line tells; unset before there is anything to tell.
  void tell(const Totals& totals, bool we_send) {
    totals_ = &totals;
    we_send_ = we_send;
  }

 private:
  int close(int code);
  Reporter& reporter_;
  Role role_;
  const Totals* totals_ = nullptr;
  bool we_send_ = false;
};

}  // namespace ocsync::sync
