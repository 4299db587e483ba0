#include "libsync/daemon/proxy_header.h"

#include <arpa/inet.h>

#include <cstring>

namespace ocsync::sync {
namespace {

constexpr unsigned char kSignature[12] = {0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a};
constexpr size_t kMostBinary = 216;  // two addresses of the largest family
constexpr size_t kMostText = 107;    // with its line end
constexpr unsigned kTcpOver4 = 0x11;
constexpr unsigned kTcpOver6 = 0x21;

std::unexpected<Error> refuse() { return fail(Fault::kProtocol, "malformed PROXY protocol header"); }

bool is_address(const std::string& text) {
  unsigned char scrap[16];
  return ::inet_pton(AF_INET, text.c_str(), scrap) == 1 || ::inet_pton(AF_INET6, text.c_str(), scrap) == 1;
}

Result<std::string> read_binary(Reader& in) {
  unsigned char head[4];
  TRY(in.exact(std::as_writable_bytes(std::span(head))));
  const unsigned size = static_cast<unsigned>(head[2]) << 8 | head[3];
  const unsigned version = head[0] >> 4;
  const unsigned command = head[0] & 0x0f;
  if (version != 2 || size > kMostBinary) return refuse();
  unsigned char rest[kMostBinary];
  TRY(in.exact(std::as_writable_bytes(std::span(rest, size))));
  if (command == 0) return std::string();
  if (command != 1) return refuse();
  char text[INET6_ADDRSTRLEN];
  if (head[1] == kTcpOver4) {
    if (size != 12 || !::inet_ntop(AF_INET, rest, text, sizeof text)) return refuse();
    return std::string(text);
  }
  if (head[1] == kTcpOver6) {
    if (size != 36 || !::inet_ntop(AF_INET6, rest, text, sizeof text)) return refuse();
    return std::string(text);
  }
  return std::string();
}

Result<std::string> read_text(Reader& in, std::string line) {
  if (line.find('\n') == line.npos) {
    for (;;) {
      line += static_cast<char>(TRY(in.u8()));
      if (line.back() == '\n') break;
      if (line.size() >= kMostText) return refuse();
    }
  }
  if (!line.ends_with("\r\n") || line.find('\r') != line.size() - 2 || line.find('\0') != line.npos) return refuse();
  line.resize(line.size() - 2);
  std::vector<std::string> words;
  for (size_t at = 0; at <= line.size();) {
    const size_t end = std::min(line.find(' ', at), line.size());
    words.push_back(line.substr(at, end - at));
    at = end + 1;
  }
  if (words.size() < 2 || words[0] != "PROXY") return refuse();
  if (words[1].starts_with("UNKNOWN")) return std::string();
  if (words.size() != 6 || (words[1] != "TCP4" && words[1] != "TCP6")) return refuse();
  if (!is_address(words[2]) || !is_address(words[3])) return refuse();
  for (const size_t port : {size_t{4}, size_t{5}}) {
    const std::string& text = words[port];
    if (text.empty() || text.size() > 5 || text.find_first_not_of("0123456789") != text.npos ||
        std::atoi(text.c_str()) == 0)
      return refuse();
  }
  return words[2];
}

}  // namespace

Result<std::string> read_proxy_header(Reader& in) {
  unsigned char start[sizeof kSignature];
  TRY(in.exact(std::as_writable_bytes(std::span(start))));
  if (std::memcmp(start, kSignature, sizeof start) == 0) return read_binary(in);
  std::string text;
  for (const unsigned char c : start) text += static_cast<char>(c);
  if (!text.starts_with("PROXY")) return refuse();
  return read_text(in, std::move(text));
}

}  // namespace ocsync::sync
