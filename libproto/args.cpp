#include "libproto/args.h"

#include <cassert>

#include "libproto/limits.h"

namespace ocsync::proto {

Status write_args(const std::vector<std::string>& args, Writer& out) {
  for (const std::string& arg : args) {
    assert(arg.find('\0') == std::string::npos);
    // An empty string would end the list.
    TRY(out.text(arg.empty() ? "." : arg));
    TRY(out.u8(0));
  }
  return out.u8(0);
}

Result<std::vector<std::string>> read_args(Reader& in) {
  std::vector<std::string> args;
  std::string arg;
  size_t text = 0;
  while (true) {
    arg.clear();
    size_t bytes = 0;
    for (uint8_t c = TRY(in.u8()); c != 0; c = TRY(in.u8())) {
      if (bytes++ < kMaxPath - 1) arg += static_cast<char>(c);
      if (++text > kMaxArgsText) return fail(Fault::kProtocol, "the far side sends too much text as arguments");
    }
    if (bytes == 0) return args;
    if (args.size() == kMaxArgs) return fail(Fault::kProtocol, "the far side sends too many arguments");
    args.push_back(arg);
  }
}

}  // namespace ocsync::proto
