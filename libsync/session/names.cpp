#include "libsync/session/names.h"

#include "libsync/list/files_from.h"
#include "libsync/list/name_charset.h"

namespace ocsync::sync {

Result<SourceNames> local_source_names(const Options& options, const std::vector<std::string>& operands,
                                       const std::string& list) {
  SourceNames out;
  if (options.files_from.empty()) {
    out.names = operands;
    return out;
  }
  out.base = operands.empty() ? std::string() : operands[0];
  MemorySource source(as_bytes(list));
  NameListReader reader(source, options.from0 ? NameListReader::Form::kNulls : NameListReader::Form::kLines);
  while (auto name = TRY(reader.next())) out.names.push_back(sanitized_name(*name, true));
  return out;
}

Result<std::vector<std::string>> forwarded_names(Reader& in, NameCharset* from_wire) {
  std::vector<std::string> names;
  NameListReader reader(in, NameListReader::Form::kForwarded);
  while (auto name = TRY(reader.next()))
    names.push_back(sanitized_name(from_wire ? from_wire->text_from_wire(*name) : *name, true));
  return names;
}

}  // namespace ocsync::sync
