// Writing: the two files and what is in them.
#include "libsync/session/batch.h"

#include <fmt/format.h>

#include "libio/os/dir.h"
#include "libio/os/sys.h"
#include "libproto/batch_head.h"
#include "libsync/receiver/destination.h"

namespace ocsync::sync {

namespace {

constexpr size_t kBuffer = size_t{64} * 1024;

Status put(int fd, Bytes bytes) {
  while (!bytes.empty()) {
    const size_t written = TRY(io::sys::write(fd, bytes));
    bytes = bytes.subspan(written);
  }
  return {};
}

std::string full_name(const std::string& path) { return fmt::format("\"{}\"", absolute_path(path)); }

Result<io::File> create(const std::string& path, uint32_t mode, Fault fault, const Options& options) {
  auto file = io::Dir::open_trusted_file(path, io::Dir::Use::kReplace, mode, options.insecure_links);
  if (!file) return fail(fault, fmt::format("Batch file {} open error", full_name(path)), file.error().sys);
  return file;
}

std::string single_quoted(std::string_view word) {
  std::string out = "'";
  for (const char c : word) {
    if (c == '\'')
      out += "'\\''";
    else
      out += c;
  }
  return out + "'";
}

// A word of a command line for a shell. An option's name stays readable; what is no plain name is quoted with the rest.
std::string script_word(std::string_view word) {
  const size_t equals = word.find('=');
  if (!word.starts_with('-') || equals == std::string_view::npos) return single_quoted(word);
  for (const char c : word.substr(0, equals)) {
    const bool plain =
        (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '-' || c == '_';
    if (!plain) return single_quoted(word);
  }
  return std::string(word.substr(0, equals + 1)) + single_quoted(word.substr(equals + 1));
}

// Words of the command line that are operands, found from the end; what is left out is empty.
std::vector<const std::string*> without_operands(const Options& options) {
  std::vector<const std::string*> words;
  for (const std::string& word : options.command_line) words.push_back(&word);
  size_t left = options.operands.size();
  for (size_t i = words.size(); i-- > 1 && left > 0;) {
    if (*words[i] != options.operands[left - 1]) continue;
    words[i] = nullptr;
    --left;
  }
  return words;
}

uint32_t stream_flags(const Options& o) {
  uint32_t flags = 0;
  const auto set = [&flags](bool on, proto::StreamFlag flag) { flags |= on ? flag : 0u; };
  set(o.recurse, proto::kStreamRecurse);
  set(o.owner, proto::kStreamOwner);
  set(o.group, proto::kStreamGroup);
  set(o.links, proto::kStreamLinks);
  set(o.devices, proto::kStreamDevices);
  set(o.hard_links > 0, proto::kStreamHardLinks);
  set(o.checksum, proto::kStreamChecksum);
  set(o.dirs, proto::kStreamDirs);
  set(o.compress, proto::kStreamCompress);
  set(!o.iconv.empty(), proto::kStreamIconv);
  set(o.acls, proto::kStreamAcls);
  set(o.xattrs > 0, proto::kStreamXattrs);
  set(o.inplace, proto::kStreamInplace);
  set(o.append == AppendMode::kAppend, proto::kStreamAppend);
  set(o.append == AppendMode::kVerify, proto::kStreamAppendVerify);
  return flags;
}

}  // namespace

class BatchWriter::FileSink final : public ByteSink {
 public:
  explicit FileSink(io::File file) : file_(std::move(file)) { buffer_.reserve(kBuffer); }
  Status write(Bytes bytes) override {
    if (buffer_.size() + bytes.size() > kBuffer) TRY(flush());
    if (bytes.size() >= kBuffer) return pass_on(bytes);
    buffer_.insert(buffer_.end(), bytes.begin(), bytes.end());
    return {};
  }
  Status flush() override {
    const Status written = pass_on(buffer_);
    buffer_.clear();
    return written;
  }

 private:
  Status pass_on(Bytes bytes) {
    const Status written = put(file_.fd(), bytes);
    if (written) return {};
    return fail(Fault::kStream, fmt::format("safe_write failed to write {} bytes to batch file", bytes.size()),
                written.error().sys);
  }
  io::File file_;
  std::vector<std::byte> buffer_;
};

BatchWriter::BatchWriter() = default;
BatchWriter::~BatchWriter() {
  if (sink_) (void)sink_->flush();
}

Result<std::unique_ptr<BatchWriter>> BatchWriter::open(const Options& options) {
  std::unique_ptr<BatchWriter> writer;
  if (options.write_batch.empty()) return writer;
  writer.reset(new BatchWriter);
  writer->script_ = TRY(create(options.write_batch + ".sh", 0700, Fault::kSelect, options));
  writer->sink_ = std::make_unique<FileSink>(TRY(create(options.write_batch, 0600, Fault::kFileIo, options)));
  return writer;
}

Status BatchWriter::write_script(const Options& options, const FilterRules& rules, const proto::Agreement& agreed) {
  const std::string text = TRY(replay_script(options, rules.to_text(), agreed.full_filter_prefixes));
  const Status written = put(script_.fd(), as_bytes(text));
  script_.close();
  if (!written)
    return fail(Fault::kFileIo, fmt::format("Batch file {}.sh write error", options.write_batch), written.error().sys);
  return {};
}

Status BatchWriter::begin(const Options& options, const proto::Agreement& agreed, Channel& channel, bool we_send) {
  Writer head(*sink_);
  TRY(proto::write_batch_head({stream_flags(options), agreed.version, agreed.compat, agreed.seed}, head));
  TRY(head.drain());
  if (!we_send) {
    channel.heard.copy_to(*sink_);
    return {};
  }
  TRY(channel.out.drain());
  channel.said.copy_to(*sink_);
  return {};
}

Status BatchWriter::finish() { return sink_->flush(); }

Result<std::string> replay_script(const Options& options, const std::vector<std::string>& rules, bool full_prefixes) {
  std::string text = script_word(options.command_line.front());
  if (!rules.empty()) text += full_prefixes ? " --filter='._-'" : " --exclude-from='-'";
  const std::vector<const std::string*> words = without_operands(options);
  for (size_t i = 1; i < words.size(); ++i) {
    if (!words[i]) continue;
    const std::string_view word = *words[i];
    // Which files take part is in the batch already. A value may be the next word.
    bool left_out = word == "-f";
    for (const char* option : {"--files-from", "--filter", "--include", "--exclude"})
      left_out = left_out || word.starts_with(option);
    if (left_out) {
      if (word.find('=') == std::string_view::npos) ++i;
      continue;
    }
    size_t written = 0;
    for (const std::string_view option : {"--write-batch", "--only-write-batch"})
      if (word.starts_with(option)) written = option.size();
    if (written == 0)
      text += " " + script_word(word);
    else
      text += " --read-batch" +
              (word.substr(written).starts_with('=') ? "=" + script_word(word.substr(written + 1)) : std::string());
  }
  const Operand last = parse_operand(options.operands.back());
  text += " ${1:-" + script_word(last.where == Operand::Where::kLocal ? options.operands.back() : last.path) + "}";
  if (!rules.empty()) {
    text += " <<'#E#'\n";
    for (const std::string& rule : rules) {
      // It could end the here-document, and what follows would be commands.
      if (rule.find('\n') != std::string::npos)
        return fail(Fault::kUsage, "cannot write a filter rule containing a newline to the batch replay script");
      text += rule;
      text += options.from0 ? '\0' : '\n';
    }
    if (options.from0) text += ";\n";
    text += "#E#";
  }
  return text + "\n";
}

}  // namespace ocsync::sync
