// A Reporter whose standard output and standard error are files that a test can read.
#pragma once

#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include <memory>
#include <string>
#include <vector>

#include "libsync/report/reporter.h"

namespace ocsync::sync {

class CapturedFile {
 public:
  int fd() const { return fileno(file_.get()); }
  std::string text() const {
    std::string out(static_cast<size_t>(lseek(fd(), 0, SEEK_END)), '\0');
    out.resize(static_cast<size_t>(std::max<ssize_t>(pread(fd(), out.data(), out.size(), 0), 0)));
    return out;
  }
  // What came since the last call.
  std::string next() {
    const std::string all = text();
    return all.substr(std::exchange(seen_, all.size()));
  }

 private:
  struct Close {
    void operator()(FILE* file) const { fclose(file); }
  };
  std::unique_ptr<FILE, Close> file_{tmpfile()};
  size_t seen_ = 0;
};

struct Captured {
  explicit Captured(Options given, bool with_log = false) : options(std::move(given)) {
    ReporterPorts ports;
    ports.out_fd = out.fd();
    ports.err_fd = err.fd();
    ports.wall_seconds = [] { return int64_t{1600000003}; };
    if (with_log)
      ports.log = [this](std::string_view line, bool warning) {
        log += (warning ? "! " : "  ") + std::string(line) + '\n';
      };
    reporter = std::make_unique<Reporter>(options, std::move(ports));
  }

  // Collects what is sent to the far side, as "code:text".
  void connect(bool rich = true, bool errors_by_message = false) {
    reporter->connect_far_side(
        [this](const proto::Message& message) {
          if (const auto* text = std::get_if<proto::TextMessage>(&message))
            sent += std::to_string(static_cast<int>(text->code)) + ':' + text->text;
          else if (const auto* deleted = std::get_if<proto::DeletedMessage>(&message))
            sent += "deleted:" + deleted->name + (deleted->is_dir ? "/\n" : "\n");
        },
        rich, errors_by_message);
  }

  Options options;  // the reporter borrows them
  CapturedFile out, err;
  std::string log, sent;
  std::unique_ptr<Reporter> reporter;
};

}  // namespace ocsync::sync
