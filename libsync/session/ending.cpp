#include "libsync/session/ending.h"

#include <algorithm>
#include <string_view>

namespace ocsync::sync {

int Ending::close(int code) {
  if (totals_) reporter_.log_closing(code, we_send_, *totals_);
  if (code != 0) reporter_.exit_line(code, role_, "main.cpp(1)");
  reporter_.trace(Debug::kExit, 1, "[{}] _exit_cleanup(code={}, file=main.cpp, line=1): about to call exit({})",
                  role_name(role_), code, code);
  reporter_.flush();
  return code;
}

int Ending::of(const Error& error, int child) {
  const RunState& state = reporter_.state();
  const int code = final_exit_code(exit_code_of(error), child, state.io_error, state.transfer_error);
  if (error.fault == Fault::kFarExit || error.fault == Fault::kUser1) {
    // The far side has told its own story already, and so has its closing line.
    reporter_.flush();
    return code;
  }
  if (!error.text.empty()) {
    // A failed system call gets rsync's prefix and the system's words; everything else is whole lines already.
    if (error.sys != 0) {
      reporter_.error(role_, error.text, error.sys);
    } else {
      for (size_t at = 0; at < error.text.size();) {
        const size_t end = std::min(error.text.find('\n', at), error.text.size());
        reporter_.error_line(std::string_view(error.text).substr(at, end - at), false);
        at = end + 1;
      }
    }
  } else if (error.sys != 0 && error.fault != Fault::kInterrupted && error.fault != Fault::kUser1) {
    reporter_.error(role_, "unexpected failure", error.sys);
  }
  return close(code);
}

int Ending::of_success(int child) {
  const RunState& state = reporter_.state();
  return close(final_exit_code(0, child, state.io_error, state.transfer_error));
}

}  // namespace ocsync::sync
