// Batch files: writing one beside a run that sends or receives, and replaying one.
//
// The layout is libproto/docs/batch_head.md: the head, then what a sender says to a receiver.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "libio/os/file.h"
#include "libio/os/stop.h"
#include "libsync/filter/rules.h"
#include "libsync/options/operands.h"
#include "libsync/session/channel.h"

namespace ocsync::sync {

class Reporter;
struct OperatorFiles;

// The file of --write-batch and --only-write-batch, and the script beside it. One thread's own at a time.
class BatchWriter {
 public:
  // Creates both files; null if no batch is wanted. kSelect (the script) or kFileIo (the batch).
  static Result<std::unique_ptr<BatchWriter>> open(const Options& options);
  ~BatchWriter();
  // Once both ends have agreed: the script, with the command line's `rules`.
  Status write_script(const Options& options, const FilterRules& rules, const proto::Agreement& agreed);
  // The head; from here on `channel` records what it sends, or hears if we receive. Call it when the first list is
  // next.
  Status begin(const Options& options, const proto::Agreement& agreed, Channel& channel, bool we_send);
  // All of it is in the file.
  Status finish();

 private:
  // Buffered, so that recording costs no system call for each piece.
  class FileSink;
  BatchWriter();
  io::File script_;
  std::unique_ptr<FileSink> sink_;
};

// The text of the script that replays the batch (6.2 of rsync's format): the typed words without sources and rules,
// the destination as a parameter, and the rules as a here-document. kUsage if a rule cannot stand in one.
Result<std::string> replay_script(const Options& options, const std::vector<std::string>& rules, bool full_prefixes);

// The options that the stream was made with, by its head. Tells of those that change. kUsage if --iconv is missing or
// too much.
Result<Options> adopt_stream_flags(const Options& typed, uint32_t stream_flags, int version, Reporter& reporter);

// --read-batch. Runs to the end and returns the exit code.
int run_replay(const Options& options, const Journey& journey, OperatorFiles& files, Reporter& reporter,
               io::Stop& stop);

}  // namespace ocsync::sync
