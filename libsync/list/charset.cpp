#include "libsync/list/charset.h"

#include <fmt/format.h>

namespace ocsync::sync {

namespace {

constexpr const char* kWireCharset = "UTF-8";

// A client is told of both sides, "OURS,THEIRS"; a server of its own, or (by itself in a local run) of both.
std::string own_charset(const Options& options) {
  const std::string& text = options.iconv;
  const size_t comma = text.find(',');
  std::string own = comma == std::string::npos ? text : options.server ? text.substr(comma + 1) : text.substr(0, comma);
  if (own.empty() || own == ".") own = locale_charset();
  return own;
}

Result<std::unique_ptr<CharsetConverter>> open(const std::string& to, const std::string& from) {
  auto converter = CharsetConverter::open(to, from);
  if (!converter) return fail(Fault::kUnsupported, fmt::format("iconv_open(\"{}\", \"{}\") failed", to, from));
  return std::make_unique<CharsetConverter>(std::move(*converter));
}

std::vector<std::string> convert_all(CharsetConverter* converter, std::vector<std::string> words) {
  if (converter)
    for (std::string& word : words) word = converter->convert_leniently(word);
  return words;
}

}  // namespace

Result<std::unique_ptr<CharsetConverter>> names_to_wire(const Options& options) {
  if (options.iconv.empty()) return nullptr;
  return open(kWireCharset, own_charset(options));
}

Result<std::unique_ptr<CharsetConverter>> names_from_wire(const Options& options) {
  if (options.iconv.empty()) return nullptr;
  return open(own_charset(options), kWireCharset);
}

Status check_charset(const Options& options) {
  TRY(names_to_wire(options));
  TRY(names_from_wire(options));
  return {};
}

std::vector<std::string> arguments_to_wire(const Options& options, std::vector<std::string> words) {
  const auto converter = names_to_wire(options);
  return convert_all(converter ? converter->get() : nullptr, std::move(words));
}

std::vector<std::string> arguments_from_wire(const Options& options, std::vector<std::string> words) {
  const auto converter = names_from_wire(options);
  return convert_all(converter ? converter->get() : nullptr, std::move(words));
}

}  // namespace ocsync::sync
