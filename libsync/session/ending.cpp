#include "libsync/session/ending.h"

namespace ocsync::sync {

int Ending::close(int code) {
  if (code != 0) reporter_.exit_line(code, role_, "main.cpp(1)");
  reporter_.flush();
  return code;
}

int Ending::of(const Error& error, int child) {
  const RunState& state = reporter_.state();
  const int code = final_exit_code(exit_code_of(error), child, state.io_error, state.transfer_error);
  if (error.fault == Fault::kFarExit) {
    // The far side has told its own story already, and so has its closing line.
    reporter_.flush();
    return code;
  }
  if (!error.text.empty()) {
    // Whole lines come as they are; a bare sentence gets rsync's prefix.
    const bool whole = error.text.starts_with("rsync:") || error.text.starts_with("ERROR") || error.text.starts_with("protocol version mismatch");
    if (whole && error.sys == 0) reporter_.error_line(error.text, false);
    else reporter_.error(role_, error.text, error.sys);
  } else if (error.sys != 0) {
    reporter_.error(role_, "unexpected failure", error.sys);
  }
  return close(code);
}

int Ending::of_success(int child) {
  const RunState& state = reporter_.state();
  return close(final_exit_code(0, child, state.io_error, state.transfer_error));
}

}  // namespace ocsync::sync
