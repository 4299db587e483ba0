// The text conversation with a daemon before the protocol proper: greeting, module request, module list, authentication
// request, acknowledgement, errors. See docs/daemon_lines.md.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "libio/base/digest.h"
#include "libio/base/result.h"
#include "libio/base/stream.h"

namespace ocsync::proto {

inline constexpr size_t kFirstLineMax = 1023;   // greeting and request, without the line end
inline constexpr size_t kDaemonLineMax = 5119;  // every later line
inline constexpr size_t kMaxEarlyInput = 5120;

// One line without its "\n"; '\r' is dropped. A NUL byte, a line longer than `most`, or the end of the stream before
// the line's end is Fault::kStartup.
Result<std::string> read_line(Reader& in, size_t most);
// The same, but nothing if the stream ended before the first byte.
Result<std::optional<std::string>> read_line_or_end(Reader& in, size_t most);

struct Greeting {
  int version = 0;
  int subprotocol = 0;
  bool has_subprotocol = false;
  bool has_digests = false;
  std::string digests;  // blank-separated, strongest first, as sent
};
// "@RSYNCD: 32.0 sha512 sha256 sha1 md5 md4\n"
std::string greeting_line(int version, int subprotocol, std::string_view digests);
std::string our_auth_digests();
// What went wrong with a greeting is told in the words that either end uses for it.
enum class Reading : uint8_t { kClient, kServer };
// Fault::kStartup (client) or kProtocol; the text is ready to be shown (client) or sent after "@ERROR: " (server).
Result<Greeting> parse_greeting(std::string_view line, Reading who);
// The version both speak: the smaller one, minus one where the subprotocols demand it.
int agree_version(int own_version, int own_subprotocol, const Greeting& far_side);

// What a server says after its greeting, as the client sees it.
struct Answer {
  enum class Kind : uint8_t { kOk, kExit, kError, kAuthRequired, kText } kind = Kind::kText;
  std::string line;       // as received
  std::string challenge;  // of kAuthRequired
};
Answer parse_answer(std::string line);

inline constexpr std::string_view kOkLine = "@RSYNCD: OK\n";
inline constexpr std::string_view kExitLine = "@RSYNCD: EXIT\n";
std::string auth_required_line(std::string_view challenge);
std::string error_line(std::string_view text);  // "@ERROR: text\n"; line ends inside become blanks
std::string module_line(std::string_view name, std::string_view comment);  // "%-15s\t%s\n"

// What a client asks for first.
struct Request {
  enum class Kind : uint8_t { kList, kEarlyInput, kModule, kUnknownCommand } kind = Kind::kList;
  std::string name;  // module, or the unknown command's line
  size_t early_input_bytes = 0;
};
// Fault::kStartup with "invalid early_input length" for one that is out of range.
Result<Request> parse_request(std::string_view line);
std::string early_input_line(size_t bytes);

// "USER RESPONSE"; nothing if there is no blank.
struct Credentials {
  std::string user;
  std::string response;
};
std::optional<Credentials> parse_credentials(std::string_view line);

}  // namespace ocsync::proto
