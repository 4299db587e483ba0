// iconv, with an output that grows as needed.
#include "libio/base/charset.h"

#include <iconv.h>
#include <langinfo.h>

#include <algorithm>
#include <cassert>

namespace ocsync {
namespace {

constexpr auto kFailed = static_cast<size_t>(-1);

// Converts from the front of `text`, which it shortens, appending to `out`. 0, or the errno of the place it stopped at.
int convert_some(iconv_t converter, std::string_view& text, std::string& out) {
  while (!text.empty()) {
    const size_t used = out.size();
    out.resize(used + text.size() * 2 + 16);    // 16: room for the longest character, or this might never end
    char* in = const_cast<char*>(text.data());  // iconv lacks const, but it only reads
    size_t in_left = text.size();
    char* to = out.data() + used;
    size_t out_left = out.size() - used;
    const size_t result = iconv(converter, &in, &in_left, &to, &out_left);
    const int reason = result == kFailed ? errno : 0;
    out.resize(out.size() - out_left);
    text.remove_prefix(text.size() - in_left);
    if (reason != 0 && reason != E2BIG) return reason;
  }
  return 0;
}

// Forgets what an earlier text left behind.
void restart(iconv_t converter) { iconv(converter, nullptr, nullptr, nullptr, nullptr); }

}  // namespace

void CharsetConverter::Close::operator()(void* converter) const { iconv_close(converter); }

Result<CharsetConverter> CharsetConverter::open(const std::string& to, const std::string& from) {
  const iconv_t converter = iconv_open(to.c_str(), from.c_str());
  if (reinterpret_cast<intptr_t>(converter) == -1) {
    const int reason = errno;
    return fail(Fault::kUnsupported, "cannot convert from charset \"" + from + "\" to \"" + to + "\"", reason);
  }
  return CharsetConverter(converter);
}

Result<std::string> CharsetConverter::convert(std::string_view text, size_t most) {
  restart(converter_.get());
  std::string out;
  const int reason = convert_some(converter_.get(), text, out);
  if (reason != 0) return fail(Error(reason));
  if (out.size() > most) return fail(Error(E2BIG));
  return out;
}

std::string CharsetConverter::convert_leniently(std::string_view text) {
  restart(converter_.get());
  std::string out;
  while (convert_some(converter_.get(), text, out) != 0) {
    out += text[0];
    text.remove_prefix(1);
  }
  return out;
}

std::string locale_charset() { return nl_langinfo(CODESET); }

}  // namespace ocsync
