// A value or a failure. Failures the world can cause are returned, never thrown; only programmer errors assert.
//
// Result<T> is std::expected<T, Error>; Status is Result<void>. TRY(expr) unwraps a Result or returns its error.
#pragma once

#include <cerrno>
#include <cstdint>
#include <expected>
#include <string>
#include <utility>

namespace ocsync {

// What kind of thing went wrong. Which exit code a fault ends with is decided in libsync/report/exit_code.cpp only.
enum class Fault : uint8_t {
  kSystem,       // a system call failed; Error::sys says how
  kUsage,        // the command line or a rule is wrong
  kProtocol,     // the far side broke the protocol, or speaks another
  kSelect,       // source or destination cannot be used as given
  kUnsupported,  // understood, but not to be had (also: refused by policy)
  kStartup,      // the conversation before the transfer failed
  kSocket,       // connection could not be made or failed below the protocol
  kFileIo,       // writing the destination or a helper file failed
  kStream,       // the stream ended or is garbled
  kDiagnostics,  // our own messages could not be written
  kIpc,          // a helper program could not be started or reached
  kInterrupted,  // SIGINT, SIGTERM or SIGHUP
  kUser1,        // SIGUSR1
  kWait,         // waiting for a child failed
  kMemory,       // an allocation or a bound on memory was refused
  kPartial,      // some files or attributes were not transferred
  kVanished,     // some source files vanished
  kDeleteLimit,  // --max-delete stopped deletions
  kTimeout,      // nothing came for too long
  kConnectTimeout,
  kClosed,   // a queue or stream was closed because another role failed; never the first cause
  kFarExit,  // the far side said which code it exits with; Error::code holds it
};

// A failure: its kind, the errno behind it if there is one, and a sentence naming what failed, on what, and why.
// The sentence names the object once, at the place that knows the name; an empty sentence means "see errno".
struct Error {
  Fault fault = Fault::kSystem;
  int sys = 0;
  int code = 0;
  std::string text;

  Error() = default;
  explicit Error(int system_error) : sys(system_error) {}
  Error(Fault f, std::string sentence, int system_error = 0) : fault(f), sys(system_error), text(std::move(sentence)) {}
};

template <class T>
using Result = std::expected<T, Error>;
using Status = Result<void>;

inline std::unexpected<Error> fail(Error e) { return std::unexpected<Error>(std::move(e)); }
[[gnu::cold]] inline std::unexpected<Error> fail(Fault f, std::string sentence, int system_error = 0) {
  return std::unexpected<Error>(Error(f, std::move(sentence), system_error));
}
// The failure that errno describes right now.
inline std::unexpected<Error> fail_errno() { return std::unexpected<Error>(Error(errno)); }

namespace detail {
template <class T>
T take(Result<T>&& r) {
  return *std::move(r);
}
inline void take(Status&&) {}
}  // namespace detail

}  // namespace ocsync

// Unwraps a Result, or returns its error from the enclosing function. The only control-flow macro of the project.
#define TRY(...)                                                               \
  __extension__({                                                              \
    auto try_result_ = (__VA_ARGS__);                                          \
    if (!try_result_) [[unlikely]]                                             \
      return std::unexpected<::ocsync::Error>(std::move(try_result_).error()); \
    ::ocsync::detail::take(std::move(try_result_));                            \
  })
