// A file's content on the wire: literal data and block matches, plain or compressed. See docs/tokens.md.
//
// One writer per sending role, one reader per receiving role, alive for the whole session (zstd streams span files).
#pragma once

#include <cstdint>
#include <memory>
#include <variant>

#include "libio/base/result.h"
#include "libio/base/stream.h"
#include "libproto/agreement.h"

namespace ocsync::proto {

inline constexpr size_t kChunk = 32 * 1024;  // literal data unit

class TokenWriter {
 public:
  virtual ~TokenWriter() = default;
  virtual Status begin_file() = 0;
  // Literal data. Call with pieces of any size; the writer cuts them.
  virtual Status literal(Bytes bytes, Writer& out) = 0;
  // Block `block` of the basis stands here. `content` is its bytes (needed by kZlib only; others ignore it).
  virtual Status match(int32_t block, Bytes content, Writer& out) = 0;
  virtual Status end_file(Writer& out) = 0;
  // True if match() looks at `content`.
  virtual bool needs_content() const { return false; }
};
std::unique_ptr<TokenWriter> make_token_writer(const Agreement& agreed);

struct LiteralToken {
  Bytes bytes;  // valid until the next call
};
struct MatchToken {
  int32_t block;
};
struct EndToken {};
using Token = std::variant<LiteralToken, MatchToken, EndToken>;

class TokenReader {
 public:
  virtual ~TokenReader() = default;
  virtual Status begin_file() = 0;
  // The next token. Block numbers are only known to be >= 0; the caller compares them with the sum head's count.
  virtual Result<Token> next(Reader& in) = 0;
  // Must be called with the content of each matched block before the next next() (needed by kZlib only).
  virtual Status matched(Bytes content) = 0;
  virtual bool needs_content() const { return false; }
};
std::unique_ptr<TokenReader> make_token_reader(const Agreement& agreed);

}  // namespace ocsync::proto
