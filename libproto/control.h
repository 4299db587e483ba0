// The messages between data frames. See docs/control.md.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "libio/base/bytes.h"
#include "libio/base/result.h"

namespace ocsync::proto {

enum class Code : uint8_t {
  kData = 0,
  kErrorXfer = 1,
  kInfo = 2,
  kError = 3,
  kWarning = 4,
  kErrorSocket = 5,
  kLog = 6,
  kClient = 7,
  kErrorUtf8 = 8,
  kRedo = 9,
  kStats = 10,
  kIoError = 22,
  kIoTimeout = 33,
  kNoop = 42,
  kErrorExit = 86,
  kSuccess = 100,
  kDeleted = 101,
  kNoSend = 102,
};

struct TextMessage {
  Code code;
  std::string text;
};  // kErrorXfer, kInfo, kError, kWarning
struct IoErrorMessage {
  int32_t bits;
};  // already masked with 7
struct IoTimeoutMessage {
  int32_t seconds;
};
struct NoopMessage {};
struct ErrorExitMessage {
  bool has_code;
  int32_t exit_code;
};
struct SuccessMessage {
  // What lies at the file's place now. Travels only between two ends on one machine, as between rsync's of a local run:
  // a source that is its own destination must not be removed. Taken from anybody: who invents one keeps a source, as
  // who does not tell of success.
  struct Place {
    uint64_t dev = 0, ino = 0;
  };
  int32_t ndx;
  std::optional<Place> place = {};
};
struct DeletedMessage {
  std::string name;
  bool is_dir;
};
struct NoSendMessage {
  int32_t ndx;
};
using Message = std::variant<TextMessage, IoErrorMessage, IoTimeoutMessage, NoopMessage, ErrorExitMessage,
                             SuccessMessage, DeletedMessage, NoSendMessage>;

// The frame (header and body) of a message, appended to `out`. Text too long for one frame is cut.
void append_frame(const Message& message, std::vector<std::byte>& out);
// Whether a frame with this code (not kData) and length may come at all, told from its header alone. Refuses unknown
// codes, those that never leave a process, and wrong lengths (Fault::kStream).
Status check_message_header(uint8_t code, uint32_t bytes);
// The message in a body that arrived under `code`; checks the header as above. A time-out that means nothing (below 1
// or above a day) becomes a NoopMessage.
Result<Message> parse_message(uint8_t code, Bytes body);

}  // namespace ocsync::proto
