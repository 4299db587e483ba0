// Starts a program with pipes (or a socket pair) for its input and output, and collects its exit.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

#include "libio/base/result.h"
#include "libio/os/fd.h"

namespace ocsync::io {

class Child {
 public:
  // Runs argv[0] through PATH. Standard error is inherited. Exec failures come back here with errno and the program's
  // name (Fault::kIpc), not as a mysterious exit code. Descriptors of ours are closed on exec.
  static Result<Child> start(const std::vector<std::string>& argv,
                             const std::vector<std::string>& extra_environment = {});
  Child(Child&&) noexcept;
  ~Child();  // closes the pipes and reaps the child; it is sent SIGTERM if it does not end within a second
  int in() const { return to_child_.get(); }     // write here: the child's standard input
  int out() const { return from_child_.get(); }  // read here: the child's standard output
  void close_in() { to_child_.close(); }
  void close_out() { from_child_.close(); }
  pid_t pid() const { return pid_; }
  // Waits for the end: an exit status 0..255, or 128 + signal number.
  Result<int> wait();
  std::optional<int> poll_exit();  // the same without waiting

 private:
  Child() = default;
  Fd to_child_, from_child_;
  pid_t pid_ = -1;
  std::optional<int> status_;
};

}  // namespace ocsync::io
