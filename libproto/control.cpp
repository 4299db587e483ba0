#include "libproto/control.h"

#include "libproto/limits.h"

namespace ocsync::proto {
namespace {

// Upstream adds this to every code in a frame header; a stream without framing is then seldom mistaken for one.
constexpr uint32_t kCodeOffset = 7;
constexpr size_t kPlacedSuccess = 4 + 8 + 8;  // index, device, inode

void append(std::vector<std::byte>& out, Code code, Bytes body) {
  const size_t at = out.size();
  out.resize(at + 4 + body.size());
  store_le(out.data() + at, static_cast<uint32_t>(body.size()) | (static_cast<uint32_t>(code) + kCodeOffset) << 24);
  if (!body.empty()) std::memcpy(out.data() + at + 4, body.data(), body.size());
}

void append(std::vector<std::byte>& out, Code code, int32_t value) {
  std::byte body[4];
  store_le(body, value);
  append(out, code, body);
}

void append(std::vector<std::byte>& out, Code code, std::string_view text) {
  append(out, code, as_bytes(text.substr(0, kMaxTextMessage)));
}

void append_message(std::vector<std::byte>& out, const TextMessage& m) { append(out, m.code, m.text); }
void append_message(std::vector<std::byte>& out, const IoErrorMessage& m) { append(out, Code::kIoError, m.bits); }
void append_message(std::vector<std::byte>& out, const IoTimeoutMessage& m) {
  append(out, Code::kIoTimeout, m.seconds);
}
void append_message(std::vector<std::byte>& out, const NoopMessage&) { append(out, Code::kNoop, Bytes{}); }
void append_message(std::vector<std::byte>& out, const ErrorExitMessage& m) {
  if (m.has_code)
    append(out, Code::kErrorExit, m.exit_code);
  else
    append(out, Code::kErrorExit, Bytes{});
}
void append_message(std::vector<std::byte>& out, const SuccessMessage& m) {
  if (!m.place) return append(out, Code::kSuccess, m.ndx);
  std::byte body[kPlacedSuccess];
  store_le(body, m.ndx);
  store_le(body + 4, m.place->dev);
  store_le(body + 12, m.place->ino);
  append(out, Code::kSuccess, body);
}
void append_message(std::vector<std::byte>& out, const NoSendMessage& m) { append(out, Code::kNoSend, m.ndx); }
void append_message(std::vector<std::byte>& out, const DeletedMessage& m) {
  // A zero byte behind a name marks a directory.
  std::string name = m.name.substr(0, kMaxTextMessage - 1);
  if (m.is_dir) name += '\0';
  append(out, Code::kDeleted, name);
}

std::unexpected<Error> invalid(uint8_t code, size_t bytes) {
  return fail(Fault::kStream, "invalid multi-message " + std::to_string(code) + ":" + std::to_string(bytes));
}

Result<Message> parse_deleted(Bytes body) {
  std::string_view name = as_text(body);
  const bool is_dir = name.ends_with('\0');
  if (is_dir) name.remove_suffix(1);
  if (name.empty() || name.find('\0') != std::string_view::npos)
    return fail(Fault::kProtocol, "invalid name in a deletion message");
  return DeletedMessage{std::string(name), is_dir};
}

}  // namespace

void append_frame(const Message& message, std::vector<std::byte>& out) {
  std::visit([&](const auto& m) { append_message(out, m); }, message);
}

Status check_message_header(uint8_t code, uint32_t bytes) {
  switch (static_cast<Code>(code)) {
    case Code::kErrorXfer:
    case Code::kInfo:
    case Code::kError:
    case Code::kWarning:
    case Code::kDeleted:
      if (bytes > kMaxTextMessage)
        return fail(Fault::kStream, "multiplexing overflow " + std::to_string(code) + ":" + std::to_string(bytes));
      return {};
    case Code::kIoError:
    case Code::kIoTimeout:
    case Code::kSuccess:
      if (bytes != 4 && bytes != kPlacedSuccess) return invalid(code, bytes);
      return {};
    case Code::kNoSend:
      if (bytes != 4) return invalid(code, bytes);
      return {};
    case Code::kNoop:
      if (bytes != 0) return invalid(code, bytes);
      return {};
    case Code::kErrorExit:
      if (bytes != 0 && bytes != 4) return invalid(code, bytes);
      return {};
    case Code::kErrorSocket:  // these six never leave a process of upstream's
    case Code::kLog:
    case Code::kClient:
    case Code::kErrorUtf8:
    case Code::kRedo:
    case Code::kStats: return invalid(code, bytes);
    case Code::kData: break;
  }
  return fail(Fault::kStream, "unexpected tag " + std::to_string(code));
}

Result<Message> parse_message(uint8_t code, Bytes body) {
  TRY(check_message_header(code, static_cast<uint32_t>(std::min<size_t>(body.size(), kMaxFrame))));
  const int32_t value = body.size() == 4 ? load_le<int32_t>(body.data()) : 0;
  switch (static_cast<Code>(code)) {
    case Code::kIoError: return IoErrorMessage{value & kIoErrorBits};
    case Code::kIoTimeout:
      if (value <= 0 || value > kMaxIoTimeout) return NoopMessage{};
      return IoTimeoutMessage{value};
    case Code::kNoop: return NoopMessage{};
    case Code::kErrorExit: return ErrorExitMessage{body.size() == 4, value};
    case Code::kSuccess:
      if (body.size() == kPlacedSuccess)
        return SuccessMessage{
            load_le<int32_t>(body.data()),
            SuccessMessage::Place{load_le<uint64_t>(body.data() + 4), load_le<uint64_t>(body.data() + 12)}};
      return SuccessMessage{value};
    case Code::kNoSend: return NoSendMessage{value};
    case Code::kDeleted: return parse_deleted(body);
    default: return TextMessage{static_cast<Code>(code), std::string(as_text(body))};
  }
}

}  // namespace ocsync::proto
