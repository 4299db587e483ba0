// The sending role: takes requests, answers with items, sums and tokens, and keeps lists ahead of the far generator.
//
// Two threads: one reads requests (and indexes their block sums while the file before is being matched), one writes. A
// message of the far side is shown in the order it came among the requests.
#pragma once

#include <atomic>
#include <deque>
#include <memory>
#include <optional>
#include <variant>

#include "libio/base/queue.h"
#include "libproto/closing.h"
#include "libproto/control.h"
#include "libproto/tokens.h"
#include "libsync/list/exchange.h"
#include "libsync/list/window.h"
#include "libsync/sender/match.h"
#include "libsync/sender/source.h"
#include "libsync/session/channel.h"

namespace ocsync::sync {

class Sender {
 public:
  Sender(const Terms& terms, Channel& channel, Scanner& scanner, ListSender& lists);
  // Sends the first list and what must follow it at once. False: it is empty and we are a server, so nothing follows.
  Result<bool> send_first(const std::vector<std::string>& names);
  // The writing half: until the goodbye. Runs beside read_requests() on another thread.
  Status answer_requests();
  // The reading half. Returns after the final goodbye, or with what ended the stream; the other half learns either.
  Status read_requests();
  // A message that the far side sent between its requests; called on the reading thread.
  Status on_message(const proto::Message& message);
  // Once both roles have ended: text that came before the end and that nobody got to. It may say why the end came.
  void hear_the_rest();
  // The reading half is about to wait: requests that were kept back for company are seen.
  void wake() { incoming_.wake(); }

 private:
  struct Ask {
    int32_t ndx;
    proto::Item item;
    std::unique_ptr<BlockIndex> index;  // null: no usable sums
    proto::SumHead head;
    std::vector<int32_t> xattrs;     // item numbers whose values are asked for
    uint64_t sums_bytes = 0;         // how long head and sums were on the wire
    std::optional<io::File> source;  // opened ahead of its turn
  };
  struct Done {
    uint64_t bytes_read;  // when the mark was read; the stream belongs to the other role
  };
  struct Told {
    proto::Message message;
  };
  struct Deleted {
    proto::DeletionCounts counts;
  };
  struct Closed {
    Error error;
  };
  using Incoming = std::variant<Ask, Done, Told, Deleted, Closed>;

  Status read_all();
  Status answer(Ask& ask);
  Status send_file(Ask& ask, Entry& entry);
  Status turn_to(RecordingSink::Path path);
  Status send_statistics(uint64_t bytes_read);
  Status send_values(const Ask& ask, const Entry& entry);
  Status keep_ahead(bool idle);
  Status tell_list_errors();
  Status send_one_list();
  Result<Incoming> next();
  std::optional<Incoming> take();
  void look_ahead();
  void show(const Entry& entry, const Ask& ask, uint64_t data_bytes, const Digest& digest);
  int64_t future() const;

  const Terms& terms_;
  Channel& channel_;
  Scanner& scanner_;
  ListSender& lists_;
  std::unique_ptr<SourceView> sources_;
  std::unique_ptr<proto::TokenWriter> tokens_;
  proto::BlockHasher hasher_;
  SegmentWindow window_;
  int64_t entries_sent_ = 0;
  int64_t reached_ = 0;  // entries up to the end of the list that the last request was in
  bool list_complete_ = false;
  int phase_ = 0;
  int io_error_before_ = 0;
  int list_errors_told_ = 0;
  Queue<Incoming> incoming_;
  std::deque<Incoming> taken_;  // from the queue already, to look at before their turn
  // For the reading half.
  std::atomic<int> lists_sent_{0};
  std::atomic<bool> all_lists_sent_{false};
};

}  // namespace ocsync::sync
