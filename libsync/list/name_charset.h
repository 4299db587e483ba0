// The character set of names on this machine, when those that travel are UTF-8 (--iconv, a daemon module's charset).
//
// May be used from several threads. An open one works in a chroot that has no tables of characters.
#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "libio/base/charset.h"

namespace ocsync::sync {

class NameCharset {
 public:
  // `option`: LOCAL[,REMOTE]. A client is LOCAL, a server REMOTE; "" and "." are the locale's charset.
  static Result<std::shared_ptr<NameCharset>> open(std::string_view option, bool server);

  // Error::sys says what is wrong with the name (EILSEQ, EINVAL).
  Result<std::string> to_wire(std::string_view name);
  Result<std::string> from_wire(std::string_view name);
  // Texts must arrive in some form: what does not convert stays as it is.
  std::string text_to_wire(std::string_view text);
  std::string text_from_wire(std::string_view text);

 private:
  NameCharset(CharsetConverter to, CharsetConverter from) : to_(std::move(to)), from_(std::move(from)) {}
  std::mutex mutex_;
  CharsetConverter to_, from_;
};

// Arguments that travel secluded; they stay as they are without --iconv, or where this machine does not have the
// charset (which is told once the far side can hear it).
std::vector<std::string> secluded_to_wire(std::string_view option, bool server, std::vector<std::string> words);
std::vector<std::string> secluded_from_wire(std::string_view option, bool server, std::vector<std::string> words);

}  // namespace ocsync::sync
