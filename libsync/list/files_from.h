// The list of names that --files-from gives: reading it where it is used, forwarding it where it is not, and making its
// names harmless.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "libio/base/result.h"
#include "libio/base/stream.h"

namespace ocsync::sync {

class NameCharset;

// Names one at a time from a list. One owner thread.
class NameListReader {
 public:
  enum class Form : uint8_t {
    kLines,      // a list that we read ourselves: lines end in LF, CR or both; lines with '#' or ';' first are comments
    kNulls,      // the same with --from0: names end in a zero byte; comments too
    kForwarded,  // from the far side: zero bytes, ended by an empty name; nothing is a comment
  };
  NameListReader(ByteSource& source, Form form) : NameListReader(std::make_unique<Reader>(source), form) {}
  // Of a connection whose reader goes on afterwards.
  NameListReader(Reader& reader, Form form) : reader_(&reader), form_(form) {}

  // The next name as it stands in the list (see sanitized_name()); nothing at the end, and from then on. Names of
  // kMaxPath bytes and more are cut, as rsync cuts them.
  Result<std::optional<std::string>> next();
  bool ended() const { return ended_; }

 private:
  NameListReader(std::unique_ptr<Reader> own, Form form) : own_(std::move(own)), reader_(own_.get()), form_(form) {}

  std::unique_ptr<Reader> own_;
  Reader* reader_;
  Form form_;
  bool ended_ = false;
};

// Turns a local list into what travels (section 6.12 of the protocol), piece by piece.
class NameListForwarder {
 public:
  explicit NameListForwarder(bool from0) : from0_(from0) {}
  // What these bytes of the list add to the stream. Line ends become zero bytes, runs of them one, leading ones vanish.
  std::string forward(std::string_view bytes);
  // What ends the stream: one zero byte, or two if the list did not end with a name's end.
  std::string finish() const { return std::string(open_name_ ? 2 : 1, '\0'); }

 private:
  bool from0_;
  bool open_name_ = false;  // the last byte was not an end
};

// Reads a whole list and writes it to the stream of the far side; does not flush. `on_name` (may be empty) hears each
// name once it is complete. `to_wire` (may be null) converts what is written.
Status forward_names(ByteSource& list, bool from0, Writer& out,
                     const std::function<void(std::string_view name)>& on_name = {}, NameCharset* to_wire = nullptr);

// A name of a list as the sending side uses it: slashes at the front and double ones vanish, ".." takes away the
// component before it and vanishes at the top; a slash at the end stays. "." components vanish unless `keep_dots` (with
// -R, "a/./b" says where the name starts). Empty becomes ".".
std::string sanitized_name(std::string_view name, bool keep_dots);

}  // namespace ocsync::sync
