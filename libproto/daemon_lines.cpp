#include "libproto/daemon_lines.h"

#include <charconv>

#include <fmt/format.h>

namespace ocsync::proto {

namespace {

constexpr std::string_view kGreetingStart = "@RSYNCD:";
constexpr std::string_view kAuthStart = "@RSYNCD: AUTHREQD ";
constexpr std::string_view kErrorStart = "@ERROR";
constexpr std::string_view kEarlyInputStart = "#early_input=";

// A decimal number at the beginning of `text`, which loses it.
std::optional<int> take_number(std::string_view& text) {
  int value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || value < 0) return std::nullopt;
  text.remove_prefix(static_cast<size_t>(end - text.data()));
  return value;
}

// The rest of a line whose first byte has been read.
Result<std::string> rest_of_line(uint8_t byte, Reader& in, size_t most) {
  std::string line;
  for (;; byte = TRY(in.u8())) {
    if (byte == '\n') return line;
    if (byte == '\r') continue;
    if (byte == 0) return fail(Fault::kStartup, "a line of the far side contains a zero byte");
    if (line.size() == most) return fail(Fault::kStartup, "a line of the far side is too long");
    line += static_cast<char>(byte);
  }
}

// An end of the stream is a failed start here, not a damaged stream.
Result<std::string> as_startup(Result<std::string> line) {
  if (line || line.error().fault != Fault::kStream) return line;
  return fail(Fault::kStartup, "the far side closed the connection within a line");
}

std::unexpected<Error> bad_greeting(Reading who, std::string_view client, std::string_view server,
                                    std::string_view line) {
  const std::string_view words = who == Reading::kClient ? client : server;
  return fail(Fault::kStartup, fmt::format(fmt::runtime(words), line));
}

}  // namespace

Result<std::string> read_line(Reader& in, size_t most) {
  const Result<uint8_t> first = in.u8();
  if (!first) return as_startup(fail(first.error()));
  return as_startup(rest_of_line(*first, in, most));
}

Result<std::optional<std::string>> read_line_or_end(Reader& in, size_t most) {
  if (TRY(in.at_end())) return std::optional<std::string>();
  return std::optional<std::string>(TRY(read_line(in, most)));
}

std::string greeting_line(int version, int subprotocol, std::string_view digests) {
  return fmt::format("@RSYNCD: {}.{} {}\n", version, subprotocol, digests);
}

std::string our_auth_digests() { return "sha512 sha256 sha1 md5 md4"; }

Result<Greeting> parse_greeting(std::string_view line, Reading who) {
  const auto not_one = [&] {
    return bad_greeting(who, "rsync: server sent \"{}\" rather than greeting", "protocol startup error", line);
  };
  if (!line.starts_with(kGreetingStart)) return not_one();
  std::string_view rest = line.substr(kGreetingStart.size());
  while (rest.starts_with(' ') || rest.starts_with('\t')) rest.remove_prefix(1);
  const std::optional<int> version = take_number(rest);
  if (!version) return not_one();

  Greeting greeting;
  greeting.version = *version;
  if (rest.starts_with('.')) {
    rest.remove_prefix(1);
    if (const std::optional<int> sub = take_number(rest)) {
      greeting.subprotocol = *sub;
      greeting.has_subprotocol = true;
    }
  }
  if (!greeting.has_subprotocol && greeting.version >= 30) {
    return bad_greeting(who, "rsync: the server omitted the subprotocol value: {}",
                        "your client omitted the subprotocol value: {}", line);
  }
  if (const size_t blank = rest.find(' '); blank != rest.npos) {
    greeting.has_digests = true;
    greeting.digests = rest.substr(blank + 1);
  } else if (greeting.version > 31) {
    return bad_greeting(who, "rsync: the server omitted the digest name list: {}",
                        "your client omitted the digest name list: {}", line);
  }
  return greeting;
}

int agree_version(int own_version, int own_subprotocol, const Greeting& far_side) {
  if (own_version > far_side.version) return far_side.version - (far_side.subprotocol != 0 ? 1 : 0);
  if (own_version == far_side.version) return own_version - (own_subprotocol != far_side.subprotocol ? 1 : 0);
  return own_version;
}

Answer parse_answer(std::string line) {
  Answer answer;
  if (line == "@RSYNCD: OK") {
    answer.kind = Answer::Kind::kOk;
  } else if (line == "@RSYNCD: EXIT") {
    answer.kind = Answer::Kind::kExit;
  } else if (line.starts_with(kAuthStart)) {
    answer.kind = Answer::Kind::kAuthRequired;
    answer.challenge = line.substr(kAuthStart.size());
  } else if (line.starts_with(kErrorStart)) {
    answer.kind = Answer::Kind::kError;
  }
  answer.line = std::move(line);
  return answer;
}

std::string auth_required_line(std::string_view challenge) { return fmt::format("{}{}\n", kAuthStart, challenge); }

std::string error_line(std::string_view text) {
  std::string line = fmt::format("@ERROR: {}", text);
  for (char& c : line) {
    if (c == '\n' || c == '\r' || c == '\0') c = ' ';
  }
  return line + '\n';
}

std::string module_line(std::string_view name, std::string_view comment) {
  return fmt::format("{:<15}\t{}\n", name, comment);
}

Result<Request> parse_request(std::string_view line) {
  Request request;
  if (line.empty() || line == "#list") return request;
  if (line.starts_with(kEarlyInputStart)) {
    request.kind = Request::Kind::kEarlyInput;
    std::string_view number = line.substr(kEarlyInputStart.size());
    const std::optional<int> bytes = take_number(number);
    if (!bytes || !number.empty() || *bytes == 0 || static_cast<size_t>(*bytes) > kMaxEarlyInput) {
      return fail(Fault::kStartup, "invalid early_input length");
    }
    request.early_input_bytes = static_cast<size_t>(*bytes);
    return request;
  }
  request.kind = line.starts_with('#') ? Request::Kind::kUnknownCommand : Request::Kind::kModule;
  request.name = line;
  return request;
}

std::string early_input_line(size_t bytes) { return fmt::format("{}{}\n", kEarlyInputStart, bytes); }

std::optional<Credentials> parse_credentials(std::string_view line) {
  const size_t blank = line.find(' ');
  if (blank == line.npos) return std::nullopt;
  return Credentials{std::string(line.substr(0, blank)), std::string(line.substr(blank + 1))};
}

}  // namespace ocsync::proto
