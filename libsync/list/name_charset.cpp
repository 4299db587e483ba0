#include "libsync/list/name_charset.h"

#include <fmt/format.h>

#include "libproto/limits.h"

namespace ocsync::sync {
namespace {

constexpr const char* kWireCharset = "UTF-8";

Result<CharsetConverter> converter(const std::string& to, const std::string& from) {
  auto opened = CharsetConverter::open(to, from);
  if (!opened) return fail(Fault::kUnsupported, fmt::format("iconv_open(\"{}\", \"{}\") failed", to, from));
  return opened;
}

}  // namespace

Result<std::shared_ptr<NameCharset>> NameCharset::open(std::string_view option, bool server) {
  if (const size_t comma = option.find(','); comma != option.npos)
    option = server ? option.substr(comma + 1) : option.substr(0, comma);
  const std::string own = option.empty() || option == "." ? locale_charset() : std::string(option);
  CharsetConverter to = TRY(converter(kWireCharset, own));
  CharsetConverter from = TRY(converter(own, kWireCharset));
  return std::shared_ptr<NameCharset>(new NameCharset(std::move(to), std::move(from)));
}

Result<std::string> NameCharset::to_wire(std::string_view name) {
  const std::lock_guard lock(mutex_);
  return to_.convert(name, proto::kMaxPath - 1);
}
Result<std::string> NameCharset::from_wire(std::string_view name) {
  const std::lock_guard lock(mutex_);
  auto own = from_.convert(name, proto::kMaxPath - 1);
  // A charset of wide characters: no name of a file system.
  if (own && own->find('\0') != own->npos) return fail(Error(EILSEQ));
  return own;
}
std::string NameCharset::text_to_wire(std::string_view text) {
  const std::lock_guard lock(mutex_);
  return to_.convert_leniently(text);
}
std::string NameCharset::text_from_wire(std::string_view text) {
  const std::lock_guard lock(mutex_);
  return from_.convert_leniently(text);
}

std::vector<std::string> secluded_to_wire(std::string_view option, bool server, std::vector<std::string> words) {
  if (option.empty()) return words;
  if (const auto charset = NameCharset::open(option, server))
    for (std::string& word : words) word = (*charset)->text_to_wire(word);
  return words;
}

std::vector<std::string> secluded_from_wire(std::string_view option, bool server, std::vector<std::string> words) {
  if (option.empty()) return words;
  if (const auto charset = NameCharset::open(option, server))
    for (std::string& word : words) word = (*charset)->text_from_wire(word);
  return words;
}

}  // namespace ocsync::sync
