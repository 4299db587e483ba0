// Programs that the operator wants to run around a transfer, and the one that translates names.
//
// All of this forks, so it happens before the first thread starts.
#pragma once

#include <sys/types.h>

#include <functional>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "libio/base/result.h"
#include "libio/os/fd.h"
#include "libsync/list/ids.h"

namespace ocsync::sync {

// Runs `command` through the shell with the environment of this process; its wait status.
int run_in_shell(const std::string& command);

// A program that was started early and waits to be told what the client asked for.
class WaitingHook {
 public:
  // `answers`: its standard output comes to us (otherwise it is that of this process).
  static Result<WaitingHook> start(const std::string& command, bool answers);
  // Sets RSYNC_REQUEST and RSYNC_ARGn for it and lets it go; `input` becomes its standard input.
  Status tell(const std::string& request, const std::vector<std::string>& arguments, std::string_view input,
              bool keep_open);
  // Waits for its end. Empty: it did well; else "NAME returned failure (STATUS)" with what it said behind a colon.
  std::string finish(const std::string& name);
  // Its standard input and output, for a program that stays.
  io::Fd take_input() { return std::move(to_); }
  io::Fd take_output() { return std::move(from_); }

 private:
  io::Fd to_, from_;
  pid_t pid_ = -1;
};

// Asks a program: one line out, one line back. Answers that make no sense are "not found", never id 0.
class NameConverter final : public NameService {
 public:
  NameConverter(io::Fd to, io::Fd from, std::function<void(const std::string&)> complain)
      : to_(std::move(to)), from_(std::move(from)), complain_(std::move(complain)) {}
  std::optional<std::string> user_name(uint32_t uid) override;
  std::optional<std::string> group_name(uint32_t gid) override;
  std::optional<uint32_t> user_id(const std::string& name) override;
  std::optional<uint32_t> group_id(const std::string& name) override;

 private:
  std::optional<std::string> ask(std::string_view what, const std::string& value);
  std::optional<uint32_t> ask_id(std::string_view what, const std::string& name);
  std::mutex mutex_;
  io::Fd to_, from_;
  std::function<void(const std::string&)> complain_;
};

}  // namespace ocsync::sync
