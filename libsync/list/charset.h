// --iconv: names travel as UTF-8, and each side knows the charset of its own.
//
// A converter belongs to one thread; everybody makes the ones they need.
#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "libio/base/charset.h"
#include "libsync/options/options.h"

namespace ocsync::sync {

// Null if names travel as they are. kUnsupported, as rsync words it, for a charset that this machine does not have.
Result<std::unique_ptr<CharsetConverter>> names_to_wire(const Options& options);
Result<std::unique_ptr<CharsetConverter>> names_from_wire(const Options& options);
// Once per process, before anything is sent: the charset can be had.
Status check_charset(const Options& options);
// Arguments that travel secluded. What does not convert stays as it is.
std::vector<std::string> arguments_to_wire(const Options& options, std::vector<std::string> words);
std::vector<std::string> arguments_from_wire(const Options& options, std::vector<std::string> words);

// For the reporter, whom several threads use.
class TextConversion {
 public:
  explicit TextConversion(std::unique_ptr<CharsetConverter> converter) : converter_(std::move(converter)) {}
  std::string operator()(std::string_view text) {
    const std::lock_guard lock(mutex_);
    return converter_->convert_leniently(text);
  }

 private:
  std::mutex mutex_;
  std::unique_ptr<CharsetConverter> converter_;
};

}  // namespace ocsync::sync
