#include "libsync/session/names.h"

#include <fmt/format.h>

#include "libsync/list/charset.h"
#include "libsync/list/files_from.h"
#include "libsync/session/pieces.h"

namespace ocsync::sync {

Result<SourceNames> local_source_names(const Options& options, const std::vector<std::string>& operands) {
  SourceNames out;
  if (options.files_from.empty()) {
    out.names = operands;
    return out;
  }
  out.base = operands.empty() ? std::string() : operands[0];
  const auto text = read_operator_file(options.files_from, options);
  if (!text) return fail(Fault::kUsage, fmt::format("rsync: failed to open files-from file {}", options.files_from), text.error().sys);
  MemorySource source(as_bytes(*text));
  NameListReader reader(source, options.from0 ? NameListReader::Form::kNulls : NameListReader::Form::kLines);
  while (auto name = TRY(reader.next())) out.names.push_back(sanitized_name(*name, true));
  return out;
}

Result<std::vector<std::string>> forwarded_names(Reader& in, const Options& options) {
  std::vector<std::string> names;
  NameListReader reader(in, NameListReader::Form::kForwarded);
  // Only names that travel beside secluded arguments are converted, like those arguments.
  std::unique_ptr<CharsetConverter> convert;
  if (options.secluded_args) convert = TRY(names_from_wire(options));
  while (auto name = TRY(reader.next())) {
    if (convert) name = convert->convert_leniently(*name);
    names.push_back(sanitized_name(*name, true));
  }
  return names;
}

}  // namespace ocsync::sync
