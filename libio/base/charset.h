// Names from one character set to another, by iconv.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "libio/base/result.h"

namespace ocsync {

// One direction between two charsets. Each conversion is independent of the ones before. One owner thread; movable.
class CharsetConverter {
 public:
  // Fails with Fault::kUnsupported if the machine does not know both. "" is the charset of the LC_CTYPE locale.
  static Result<CharsetConverter> open(const std::string& to, const std::string& from);

  // Converts all of the text, or fails with Error::sys saying how: EILSEQ (a byte sequence that `from` does not have,
  // or a character that `to` does not have), EINVAL (the text ends within a character), E2BIG (the result would be
  // longer than `most` bytes). Error::text is empty: the caller knows what kind of name it was.
  Result<std::string> convert(std::string_view text, size_t most = SIZE_MAX);
  // For messages, which must arrive in some form: bytes that do not convert stay as they are.
  std::string convert_leniently(std::string_view text);

 private:
  struct Close {
    void operator()(void* converter) const;
  };
  explicit CharsetConverter(void* converter) : converter_(converter) {}
  std::unique_ptr<void, Close> converter_;
};

// The name of the LC_CTYPE locale's charset, such as "UTF-8".
std::string locale_charset();

}  // namespace ocsync
