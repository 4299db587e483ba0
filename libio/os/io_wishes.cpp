// The table of words, and what presets mean.
#include "libio/os/io_wishes.h"

#include <charconv>
#include <iterator>

#include <fmt/format.h>

namespace ocsync::io {
namespace {

struct PartWord {
  std::string_view word;
  const char* help;
};
// In the order of IoPart.
constexpr PartWord kParts[] = {
    {"map", "map large files that are read once, where mapping pays"},
    {"map-always", "map them whatever the rules say"},
    {"ring", "local copies read small files in batches through io_uring"},
    {"names", "scans look at the names of a directory in batches through io_uring"},
    {"gather", "send frames and payloads in one call without copying them together"},
    {"adaptive", "choose buffers by the size of the file"},
    {"pool", "use buffers again"},
    {"ahead", "ask for what comes next once reads wait for a disk"},
    {"ahead-always", "ask for it from the start"},
    {"drop", "forget pages of large files after they were read"},
    {"clone", "share blocks where the file system can"},
    {"kernel", "copy inside the kernel where that pays (network file systems)"},
    {"huge", "huge pages for large buffers"},
    {"pin", "keep each worker on one processor"},
    {"sqpoll", "a kernel thread takes what is submitted to a ring"},
};
static_assert(std::size(kParts) == static_cast<size_t>(IoPart::kCount));

constexpr uint32_t bit(IoPart part) { return uint32_t{1} << static_cast<unsigned>(part); }

// What the bench page says is worth something (tests/bench/README.md); the rest is there for who wants it.
constexpr uint32_t kAuto = bit(IoPart::kGather) | bit(IoPart::kAdaptive) | bit(IoPart::kPool) | bit(IoPart::kAhead) |
                           bit(IoPart::kNames) | bit(IoPart::kClone) | bit(IoPart::kKernelCopy);

constexpr unsigned kMostCpus = 1024;

std::unexpected<Error> unknown(std::string_view word) {
  return fail(Fault::kUsage, fmt::format("Unknown --io item: \"{}\" (--io=help lists them)", word));
}

Result<unsigned> number_in(std::string_view word, std::string_view value, unsigned least, unsigned most) {
  unsigned number = 0;
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), number);
  if (error != std::errc() || end != value.data() + value.size() || number < least || number > most)
    return fail(Fault::kUsage, fmt::format("Invalid --io item: {}={} (from {} to {})", word, value, least, most));
  return number;
}

}  // namespace

IoWishes IoWishes::automatic() { return IoWishes(kAuto); }

void IoWishes::set(IoPart part, bool on) { parts = on ? parts | bit(part) : parts & ~bit(part); }

bool IoWishes::preset(std::string_view word, IoWishes& wishes) {
  if (word == "auto")
    wishes.parts = kAuto;
  else if (word == "plain")
    wishes.parts = 0;
  else if (word == "ring")
    wishes.parts = kAuto | bit(IoPart::kRing);
  else if (word == "map")
    wishes.parts = kAuto | bit(IoPart::kMapAlways);
  else
    return false;
  return true;
}

Status IoWishes::number_word(std::string_view name, std::string_view value) {
  if (name == "depth") {
    depth = TRY(number_in(name, value, 1, 4096));
  } else if (name == "poll") {
    poll_us = TRY(number_in(name, value, 0, 10000));
  } else if (name == "ahead") {
    ahead_kib = TRY(number_in(name, value, 64, 1048576));
  } else if (name == "cpus") {
    cpus.clear();
    set(IoPart::kPin, true);
    while (!value.empty()) {
      const size_t plus = value.find('+');
      const std::string_view item = value.substr(0, plus);
      value = plus == std::string_view::npos ? std::string_view() : value.substr(plus + 1);
      const size_t dash = item.find('-');
      const unsigned first = TRY(number_in(name, item.substr(0, dash), 0, kMostCpus - 1));
      const unsigned last =
          dash == std::string_view::npos ? first : TRY(number_in(name, item.substr(dash + 1), first, kMostCpus - 1));
      for (unsigned cpu = first; cpu <= last && cpus.size() < kMostCpus; ++cpu) cpus.push_back(cpu);
    }
    if (cpus.empty()) return unknown("cpus=");
  } else {
    return unknown(fmt::format("{}={}", name, value));
  }
  return {};
}

Result<IoWishes> IoWishes::parse(std::string_view text) {
  IoWishes wishes;
  while (!text.empty()) {
    const size_t comma = text.find(',');
    const std::string_view word = text.substr(0, comma);
    text = comma == std::string_view::npos ? std::string_view() : text.substr(comma + 1);
    if (word.empty() || preset(word, wishes)) continue;
    if (const size_t equals = word.find('='); equals != std::string_view::npos) {
      TRY(wishes.number_word(word.substr(0, equals), word.substr(equals + 1)));
      continue;
    }
    const bool off = word.starts_with("no-");
    const std::string_view name = off ? word.substr(3) : word;
    size_t found = 0;
    while (found < std::size(kParts) && kParts[found].word != name) ++found;
    if (found == std::size(kParts)) return unknown(word);
    wishes.set(static_cast<IoPart>(found), !off);
  }
  return wishes;
}

std::string IoWishes::help_text() {
  std::string text =
      "Words of --io, separated by commas; each acts on what the ones before it left.\n\n"
      "auto          what was measured to pay (the default)\n"
      "plain         none of the mechanisms below\n"
      "ring          auto, and \"ring\"\n"
      "map           auto, and \"map-always\"\n\n"
      "Mechanisms (no-WORD turns one off; * is on with auto):\n";
  const IoWishes standard;
  for (size_t i = 0; i < std::size(kParts); ++i)
    text +=
        fmt::format("{:<13}{} {}\n", kParts[i].word, standard.has(static_cast<IoPart>(i)) ? '*' : ' ', kParts[i].help);
  text += fmt::format(
      "\nNumbers:\n"
      "depth=N       operations of a ring in flight, and files asked for ahead ({})\n"
      "poll=N        microseconds that a ring spins before it sleeps ({})\n"
      "ahead=N       KiB that are asked for ahead of the reader of a file ({})\n"
      "cpus=N+N-N    processors for workers (implies pin)\n",
      standard.depth, standard.poll_us, standard.ahead_kib);
  return text;
}

}  // namespace ocsync::io
