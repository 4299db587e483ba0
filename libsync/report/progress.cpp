// When a progress line is due, and what it says.
#include "libsync/report/progress.h"

#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <mutex>
#include <utility>

#include "libio/base/clock.h"
#include "libio/base/text.h"
#include "libsync/report/item_text.h"
#include "libsync/report/reporter.h"
#include "libsync/report/totals.h"

namespace ocsync::sync {
namespace {

constexpr int64_t kInterval = 1000;      // between two updates, in ms
constexpr int64_t kStillFlowing = 1500;  // a file that starts this soon after the last update started with that update
constexpr size_t kHistory = 5;           // updates over which the present rate is measured
constexpr double kLongestTime = 9999.0 * 3600.0;

std::string time_left_text(double seconds) {
  if (!(seconds >= 0 && seconds <= kLongestTime)) return "  ??:??:??";
  const auto whole = static_cast<unsigned>(seconds);
  return fmt::format("{:4}:{:02}:{:02}", whole / 3600, whole / 60 % 60, whole % 60);
}

// `rate` in KiB per second.
std::string rate_text(double rate) {
  const char* unit = "kB/s";
  if (rate > 1024 * 1024) {
    rate /= 1024 * 1024;
    unit = "GB/s";
  } else if (rate > 1024) {
    rate /= 1024;
    unit = "MB/s";
  }
  char text[64];  // printf, because the decimal point is the locale's
  std::snprintf(text, sizeof text, "%7.2f%s", rate, unit);
  return text;
}

int percent(int64_t done, int64_t size) {
  return done == size ? 100 : static_cast<int>(100.0 * static_cast<double>(done) / static_cast<double>(size));
}

}  // namespace

struct Progress::State {
  struct Point {
    int64_t ms = INT64_MIN / 2;
    int64_t done = 0;
  };

  State(Reporter& r, const Options& o, const Totals& t, Clock c)
      : reporter(r), options(o), totals(t), clock(c ? std::move(c) : Clock([] { return monotonic_ms(); })) {}

  // Output of a job in the background would disturb the terminal.
  static bool in_foreground() {
    const pid_t front = ::tcgetpgrp(STDOUT_FILENO);
    return front == -1 || front == ::getpgrp();
  }

  double rate_since(const Point& then, int64_t done, int64_t elapsed) const {
    return static_cast<double>(done - then.done) * 1000.0 / static_cast<double>(elapsed) / 1024.0;
  }

  std::string line(int64_t done, int64_t size, double rate, double seconds, std::string_view end) const {
    return fmt::format("\r{:>15} {:3}% {} {}{}", format_number(done, amount_style(options)), percent(done, size),
                       rate_text(rate), time_left_text(seconds), end);
  }

  void update(int64_t now, int64_t done, int64_t size) {
    if (!start) {
      start = Point{now, done};
      if (now - history[newest].ms <= kStillFlowing) start = Point{history[newest].ms, 0};
      history.fill(*start);
    } else {
      if (now - history[newest].ms < kInterval) return;
      newest = oldest;
      oldest = (oldest + 1) % kHistory;
      history[newest] = Point{now, done};
    }
    if (!in_foreground()) return;
    const double rate = rate_since(history[oldest], done, std::max<int64_t>(now - history[oldest].ms, 1));
    // Units of 1024 divided by 1000: rsync's users have always seen times that are 2.4 % too long.
    const double left = rate != 0 ? static_cast<double>(size - done) / rate / 1000.0 : 0;
    reporter.update_line(line(done, size, rate, left, "  "));
  }

  std::string final_line(int64_t now, int64_t done, int64_t size) const {
    const Point since = start.value_or(Point{now, 0});
    const int64_t elapsed = std::max<int64_t>(now - since.ms, 1);
    const int64_t all = totals.files.total();
    const std::string end = fmt::format(" (xfr#{}, {}-chk={}/{})", totals.transferred_files.load(),
                                        complete ? "to" : "ir", all - position - 1, all);
    return line(done, size, rate_since(since, done, elapsed), static_cast<double>(elapsed) / 1000.0, end);
  }

  void final_of_file(int64_t now, int64_t size) {
    reporter.update_line(final_line(now, size, size) + '\n');
    start.reset();
  }

  // The line stays open; what it was longer before is blanked out.
  void final_of_all(int64_t now) {
    std::string text = final_line(now, totals.transferred_size, totals.total_size);
    const size_t end_bytes = text.size() - text.rfind(" (");
    if (end_bytes < last_end_bytes) text.append(last_end_bytes - end_bytes, ' ');
    last_end_bytes = end_bytes;
    reporter.update_line(text);
  }

  Reporter& reporter;
  const Options& options;
  const Totals& totals;
  const Clock clock;
  std::mutex mutex;  // guards what follows
  std::optional<Point> start;
  std::array<Point, kHistory> history{};
  size_t newest = 0, oldest = 0;
  size_t last_end_bytes = 0;
  int64_t position = 0;
  int64_t missing = 0;  // level 2: bytes of files under way that were not moved yet
  bool complete = false;
  bool once = false;
};

Progress::Progress(Reporter& reporter, const Options& options, const Totals& totals, Clock clock)
    : state_(std::make_unique<State>(reporter, options, totals, std::move(clock))) {
  if (!options.server) level_ = options.verbosity.info[static_cast<size_t>(Info::kProgress)];
  if (level_ == 0) state_->start = State::Point{state_->clock(), 0};  // for show_once()
}
Progress::~Progress() = default;

void Progress::list_complete() {
  const std::lock_guard lock(state_->mutex);
  state_->complete = true;
}

Progress::File Progress::begin_file(int64_t position, int64_t size) {
  File file;
  file.progress_ = this;
  file.size_ = size;
  const std::lock_guard lock(state_->mutex);
  state_->position = position;
  if (level_ > 1) state_->missing += size;
  return file;
}

void Progress::segment_done(int64_t position) {
  if (level_ < 1) return;
  const std::lock_guard lock(state_->mutex);
  state_->position = position;
  if (level_ > 1) state_->final_of_all(state_->clock());
}

void Progress::show_once() {
  if (level_ > 0 || state_->options.server) return;
  const std::lock_guard lock(state_->mutex);
  state_->once = true;
}

void Progress::advance(int64_t done_before, int64_t done, int64_t size) {
  if (level_ < 1) return;
  const std::lock_guard lock(state_->mutex);
  State& state = *state_;
  state.missing -= done - done_before;
  if (level_ > 1)
    state.update(state.clock(), state.totals.transferred_size - state.missing, state.totals.total_size);
  else
    state.update(state.clock(), done, size);
}

void Progress::end(int64_t done, int64_t size, std::string_view name) {
  const std::lock_guard lock(state_->mutex);
  State& state = *state_;
  if (level_ > 1) state.missing -= size - done;
  if (level_ > 1) return state.final_of_all(state.clock());
  if (level_ == 1) return state.final_of_file(state.clock(), size);
  if (!std::exchange(state.once, false)) return;
  if (state.options.itemize == 0 && !state.options.verbosity.shows(Info::kName)) state.reporter.info_line(name);
  state.reporter.update_line(state.final_line(state.clock(), state.totals.transferred_size, state.totals.total_size) +
                             '\n');
}

void Progress::drop(int64_t done, int64_t size) {
  const std::lock_guard lock(state_->mutex);
  if (level_ > 1) state_->missing -= size - done;
}

Progress::File::File(File&& other) noexcept
    : progress_(std::exchange(other.progress_, nullptr)), size_(other.size_), done_(other.done_) {}

Progress::File& Progress::File::operator=(File&& other) noexcept {
  if (this != &other) {
    if (progress_ != nullptr) progress_->drop(done_, size_);
    progress_ = std::exchange(other.progress_, nullptr);
    size_ = other.size_;
    done_ = other.done_;
  }
  return *this;
}

Progress::File::~File() {
  if (progress_ != nullptr) progress_->drop(done_, size_);
}

void Progress::File::advance(int64_t bytes_done) {
  if (progress_ == nullptr) return;
  progress_->advance(std::exchange(done_, bytes_done), bytes_done, size_);
}

void Progress::File::end(std::string_view name) {
  if (progress_ != nullptr) std::exchange(progress_, nullptr)->end(done_, size_, name);
}

}  // namespace ocsync::sync
