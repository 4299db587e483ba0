// Lists of names: lines to names, names to the stream and back.
#include "libsync/list/files_from.h"

#include "libproto/limits.h"
#include "libsync/list/name_charset.h"

namespace ocsync::sync {
namespace {

void append_bounded(std::string& name, std::string_view piece) {
  const size_t room = proto::kMaxPath - 1 - name.size();
  name += piece.substr(0, room);
}

}  // namespace

Result<std::optional<std::string>> NameListReader::next() {
  if (ended_) return std::nullopt;
  const bool zero_ends = form_ != Form::kLines;
  std::string name;
  while (true) {
    const Bytes waiting = reader_->peek();
    const std::string_view text = as_text(waiting);
    if (text.empty()) {
      if (TRY(reader_->top_up()) > 0) continue;
      if (form_ == Form::kForwarded) return fail(Fault::kStream, "the list of names ended early");
      ended_ = true;
    }
    const size_t end = zero_ends ? text.find('\0') : text.find_first_of("\r\n");
    append_bounded(name, text.substr(0, end));
    if (end == std::string_view::npos && !ended_) {
      reader_->consume(text.size());
      continue;
    }
    if (!ended_) reader_->consume(end + 1);
    if (form_ == Form::kForwarded) {
      ended_ = name.empty();
      if (ended_) return std::nullopt;
      return name;
    }
    // Without a name there is no line; a comment is none either. What follows a zero byte never existed for rsync.
    if (!name.empty() && name[0] != '#' && name[0] != ';') return name.substr(0, name.find('\0'));
    if (ended_) return std::nullopt;
    name.clear();
  }
}

std::string NameListForwarder::forward(std::string_view bytes) {
  std::string out;
  out.reserve(bytes.size());
  for (const char c : bytes) {
    const bool ends = c == '\0' || (!from0_ && (c == '\n' || c == '\r'));
    if (!ends) {
      out += c;
    } else if (open_name_) {
      out += '\0';
    }
    open_name_ = !ends;
  }
  return out;
}

Status forward_names(ByteSource& list, bool from0, Writer& out,
                     const std::function<void(std::string_view name)>& on_name, NameCharset* to_wire) {
  NameListForwarder forwarder(from0);
  std::string unfinished;
  const auto hear = [&](std::string_view text) {
    while (on_name && !text.empty()) {
      const size_t end = text.find('\0');
      append_bounded(unfinished, text.substr(0, end));
      if (end == std::string_view::npos) return;
      on_name(unfinished);
      unfinished.clear();
      text.remove_prefix(end + 1);
    }
  };
  std::byte piece[16 * 1024];
  std::string pending;
  while (true) {
    const size_t bytes = TRY(list.read_some(piece));
    if (bytes == 0) break;
    const std::string text = forwarder.forward(as_text(Bytes(piece, bytes)));
    hear(text);
    if (!to_wire) {
      TRY(out.text(text));
      continue;
    }
    // Names are converted whole: a piece may end within a character.
    pending += text;
    const size_t end = pending.rfind('\0');
    if (end == std::string::npos) continue;
    TRY(out.text(to_wire->text_to_wire(std::string_view(pending).substr(0, end + 1))));
    pending.erase(0, end + 1);
  }
  if (on_name && !unfinished.empty()) on_name(unfinished);
  if (to_wire && !pending.empty()) TRY(out.text(to_wire->text_to_wire(pending)));
  return out.text(forwarder.finish());
}

std::string sanitized_name(std::string_view name, bool keep_dots) {
  std::string clean;
  while (!name.empty()) {
    const size_t slash = name.find('/');
    const std::string_view part = name.substr(0, slash);
    const bool goes_on = slash != std::string_view::npos;
    name.remove_prefix(goes_on ? slash + 1 : name.size());
    if (part.empty() || (part == "." && !keep_dots)) continue;
    if (part == "..") {
      if (clean.empty()) continue;
      const size_t before = clean.find_last_of('/', clean.size() - 2);
      clean.resize(clean.size() < 2 || before == std::string::npos ? 0 : before + 1);
      continue;
    }
    clean += part;
    if (goes_on) clean += '/';
  }
  return clean.empty() ? "." : clean;
}

}  // namespace ocsync::sync
