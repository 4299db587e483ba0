#include "libsync/sender/send.h"

#include <fmt/format.h>

#include <chrono>
#include <unordered_set>

#include "libio/os/io_strategy.h"
#include "libsync/list/facts.h"
#include "libsync/meta/book.h"
#include "libsync/report/progress.h"

namespace ocsync::sync {

namespace {
constexpr int64_t kLookAhead = 1000;  // entries in lists that the far generator has not reached
constexpr int64_t kIdleLookAhead = 10000;
constexpr size_t kQueuedRequests = 256;  // then only the far generator waits
constexpr size_t kOpenedAhead = 32;      // each holds a descriptor

Error late_request() { return Error(Fault::kProtocol, "got transfer request in phase 2 [sender]"); }

// rsync changes no level within a stream; a list of suffixes counts only where a daemon's module lists every name, and
// then zlib stores.
proto::Agreement agreed_on_tokens(const Terms& terms) {
  proto::Agreement agreed = terms.agreed;
  const bool zlib = agreed.compression == proto::Compression::kZlib || agreed.compression == proto::Compression::kZlibx;
  const std::string words = " " + terms.options.skip_compress + " ";
  if (zlib && !terms.options.module_name.empty() && words.find(" * ") != std::string::npos) {
    agreed.compression_level = 0;
    agreed.compression_level_given = true;
  }
  return agreed;
}
}  // namespace

Sender::Sender(const Terms& terms, Channel& channel, Scanner& scanner, ListSender& lists)
    : terms_(terms),
      channel_(channel),
      scanner_(scanner),
      lists_(lists),
      tokens_(proto::make_token_writer(agreed_on_tokens(terms))),
      hasher_(terms.agreed),
      incoming_(kQueuedRequests) {}

// What went wrong while a list was made must be known where that list leads to deletions.
Status Sender::tell_list_errors() {
  const int io_error = terms_.options.ignore_errors ? 0 : terms_.reporter.state().io_error.load();
  if (!terms_.agreed.compact_numbers || io_error == list_errors_told_) return {};
  list_errors_told_ = io_error;
  const bool during = terms_.delete_mode == DeleteMode::kDuring || terms_.delete_mode == DeleteMode::kDelay;
  if (!terms_.agreed.safe_list_end && terms_.agreed.incremental && during)
    return fail(Fault::kUnsupported,
                fmt::format("FATAL I/O ERROR: dying to avoid a --delete-{} issue with a pre-3.0.7 receiver.",
                            terms_.delete_mode == DeleteMode::kDelay ? "delay" : "during"));
  if (terms_.agreed.list_errors_told) channel_.mux.post(proto::IoErrorMessage{io_error});
  return {};
}

Status Sender::send_one_list() {
  auto segment = TRY(scanner_.next());
  TRY(tell_list_errors());
  TRY(channel_.indexes_out->write(proto::kNdxListOffset - segment->parent_dir(), channel_.out));
  TRY(lists_.send(*segment));
  entries_sent_ += segment->count();
  window_.add(std::move(segment));
  ++lists_sent_;
  if (scanner_.exhausted()) {
    list_complete_ = true;
    all_lists_sent_ = true;
    TRY(channel_.indexes_out->write(proto::kNdxListEof, channel_.out));
    if (terms_.progress) terms_.progress->list_complete();
  }
  return {};
}

Result<bool> Sender::send_first(const std::vector<std::string>& names) {
  const auto start = std::chrono::steady_clock::now();
  auto segment = TRY(scanner_.first(names));
  const auto built = std::chrono::steady_clock::now();
  const auto ms = [](auto d) { return std::chrono::duration_cast<std::chrono::milliseconds>(d).count(); };
  terms_.totals.list_build_ms = std::max<int64_t>(1, ms(built - start));
  TRY(tell_list_errors());
  TRY(lists_.send(*segment));
  TRY(lists_.send_trailer());
  terms_.totals.list_xfer_ms = ms(std::chrono::steady_clock::now() - built);
  sources_ = std::make_unique<SourceView>(terms_, scanner_);
  entries_sent_ = segment->count();
  reached_ = segment->count();
  if (segment->count() > 0 && segment->sorted(0).is_root() && segment->sorted(0).is_dir() && terms_.agreed.incremental)
    segment->parent = segment->dir_added(segment->added_position(0));
  const bool empty = segment->count() == 0;
  window_.add(segment);
  lists_sent_ = 1;
  if (terms_.agreed.incremental) {
    if (scanner_.exhausted()) {
      list_complete_ = true;
      TRY(channel_.indexes_out->write(proto::kNdxListEof, channel_.out));
    } else if (segment->count() == 1) {
      // The far side cannot tell what its destination means before it knows whether this is all.
      TRY(send_one_list());
    }
  } else {
    list_complete_ = true;
  }
  if (list_complete_) {
    all_lists_sent_ = true;
    if (terms_.progress) terms_.progress->list_complete();
  }
  io_error_before_ = terms_.reporter.state().io_error;
  // Where errors travel as messages a server's next lists go with the first: what they know keeps the other side from
  // deleting by it, as with rsync. And so do those to a receiver that could not be told at all.
  const bool joined = !empty && terms_.agreed.list_errors_told && (terms_.am_server || !terms_.agreed.safe_list_end);
  if (!joined) TRY(channel_.out.flush());
  return !(empty && terms_.am_server);
}

// --- reading
// ------------------------------------------------------------------------------------------------------------

Status Sender::on_message(const proto::Message& message) { return incoming_.push(Told{message}); }

void Sender::hear_the_rest() {
  while (const std::optional<Incoming> incoming = incoming_.try_pop()) {
    const auto* told = std::get_if<Told>(&*incoming);
    if (const auto* text = told ? std::get_if<proto::TextMessage>(&told->message) : nullptr)
      terms_.reporter.from_far_side(*text);
  }
}

Status Sender::read_requests() {
  Status status = read_all();
  Closed closed;
  if (!status) closed.error = status.error();
  (void)incoming_.push(std::move(closed));
  return status;
}

Status Sender::read_all() {
  Reader& in = channel_.in;
  const proto::Agreement& agreed = terms_.agreed;
  const int closing_marks = agreed.closing_handshake ? 4 : 3;  // beyond one for each list of an incremental session
  const bool append = terms_.append || terms_.append_verify;
  std::unordered_set<int32_t> asked;
  int done = 0;
  for (;;) {
    const int32_t ndx = TRY(channel_.indexes_in->read(in));
    if (ndx == proto::kNdxDone) {
      ++done;
      TRY(incoming_.push(Done{channel_.received()}));
      const int lists = agreed.third_phase ? lists_sent_.load() : 0;
      if (all_lists_sent_ && done >= closing_marks + (agreed.third_phase ? lists : 0)) return {};
      continue;
    }
    if (ndx == proto::kNdxDelStats && agreed.closing_handshake) {
      const proto::DeletionCounts counts = TRY(proto::read_deletion_counts(in));
      TRY(incoming_.push(Deleted{counts}));
      continue;
    }
    if (ndx < 0)
      return fail(Fault::kProtocol, fmt::format("Invalid file index: {} (-1 - {}) [sender]", ndx, entries_sent_));
    Ask ask;
    ask.ndx = ndx;
    ask.item = TRY(proto::read_item(agreed, in));
    if (terms_.carries_xattrs(ask.item.flags)) ask.xattrs = TRY(proto::read_xattr_numbers(in));
    if ((ask.item.flags & proto::kTransfer) && terms_.options.moves_content()) {
      const uint64_t start = in.position();
      ask.head = TRY(proto::read_sum_head(agreed, in, "sender"));
      const bool again = append && !asked.insert(ndx).second;
      if (!ask.head.empty() && (!append || again))
        ask.index = std::make_unique<BlockIndex>(TRY(proto::read_block_sums(ask.head, in)));
      ask.sums_bytes = in.position() - start;
    }
    // Whole files are quickly asked for; a request with sums took longer to read than a wake-up takes.
    if (ask.index)
      TRY(incoming_.push(std::move(ask)));
    else
      TRY(incoming_.push_quietly(std::move(ask)));
  }
}

// --- writing
// ------------------------------------------------------------------------------------------------------------

int64_t Sender::future() const { return entries_sent_ - reached_; }

Status Sender::keep_ahead(bool idle) {
  if (!terms_.agreed.incremental) return {};
  while (!list_complete_ && future() < kLookAhead) TRY(send_one_list());
  if (idle)
    while (!list_complete_ && incoming_.empty() && future() < kIdleLookAhead) TRY(send_one_list());
  return {};
}

std::optional<Sender::Incoming> Sender::take() {
  if (taken_.empty()) return incoming_.try_pop();
  Incoming first = std::move(taken_.front());
  taken_.pop_front();
  return first;
}

// While reads wait for a disk: opens what is asked for next, so that the disk can work on many files at once.
void Sender::look_ahead() {
  const size_t most = std::min<size_t>(terms_.io->wishes().depth, kOpenedAhead);
  while (taken_.size() < most) {
    auto item = incoming_.try_pop();
    if (!item) return;
    Ask* ask = std::get_if<Ask>(&*item);
    Segment* segment = ask && (ask->item.flags & proto::kTransfer) ? window_.find(ask->ndx) : nullptr;
    if (segment && ask->ndx >= segment->first_ndx()) {
      const Entry& entry = segment->by_ndx(ask->ndx);
      // What cannot be opened is told when its turn comes.
      if (entry.is_regular())
        if (auto file = sources_->open(entry)) {
          terms_.io->expect(*file, static_cast<uint64_t>(std::max<int64_t>(entry.size, 0)));
          ask->source = std::move(*file);
        }
    }
    taken_.push_back(std::move(*item));
  }
}

Result<Sender::Incoming> Sender::next() {
  for (;;) {
    if (auto item = take()) return std::move(*item);
    TRY(keep_ahead(true));
    if (auto item = take()) return std::move(*item);
    TRY(channel_.out.flush());
    if (auto item = incoming_.pop_for(std::chrono::milliseconds(500))) return std::move(*item);
    TRY(terms_.stop.check());
    if (incoming_.closed()) return fail(Fault::kClosed, "the reading role has ended");
  }
}

void Sender::show(const Entry& entry, const Ask& ask, uint64_t data_bytes, const Digest& digest) {
  const std::string path = entry.path();
  const std::string full = sources_->full_path(entry);
  ItemFacts facts = facts_of(entry, path, full, ask.item);
  facts.data_bytes = data_bytes;
  facts.sums_bytes = ask.sums_bytes;
  facts.we_send = true;
  facts.local_run = terms_.local;
  if (facts.digest.size == 0) facts.digest = digest;  // with -c it is the list's: that of --append covers the end alone
  terms_.reporter.item(facts);
}

Status Sender::answer(Ask& ask) {
  Segment* segment = window_.find(ask.ndx);
  if (!segment) return fail(Fault::kProtocol, fmt::format("File-list index {} not in a live list [sender]", ask.ndx));
  reached_ = std::max(reached_, segment->first_position + segment->count());
  TRY(keep_ahead(false));
  const bool gap = ask.ndx < segment->first_ndx();
  if (gap && !segment->parent) {
    // Version 29 says "still here" with an index behind the list; nothing else may name it.
    return fail(Fault::kProtocol, fmt::format("File-list index {} not in a live list [sender]", ask.ndx));
  }
  Entry& entry = gap ? segment->parent->entry : segment->by_ndx(ask.ndx);
  if (terms_.reporter.traces(Debug::kSend, 1))
    terms_.reporter.trace(Debug::kSend, 1, "send_files({}, {})", ask.ndx, sources_->full_path(entry));
  if (!(ask.item.flags & proto::kTransfer)) {
    show(entry, ask, 0, {});
    TRY(channel_.indexes_out->write(ask.ndx, channel_.out));
    TRY(proto::write_item(ask.item, terms_.agreed, channel_.out));
    TRY(send_values(ask, entry));
    if (ask.item.flags & proto::kIsNew) terms_.totals.created.add(entry.mode);
    return {};
  }
  if (terms_.agreed.third_phase && phase_ >= 2) return fail(late_request());
  if (gap || !entry.is_regular())
    return fail(Fault::kProtocol, fmt::format("received request to transfer non-regular file: {} [sender]", ask.ndx));
  return send_file(ask, entry);
}

// The long attribute values that the far side asked for with an item.
Status Sender::send_values(const Ask& ask, const Entry& entry) {
  if (!terms_.carries_xattrs(ask.item.flags)) return {};
  const int32_t set = entry.extras() ? entry.extras()->xattrs : -1;
  if (set < 0) return fail(Fault::kProtocol, "recv_xattr_request: internal data error!");
  TRY(proto::accept_xattr_request(lists_.sent_xattrs(set), ask.xattrs));
  std::vector<proto::XattrValue> values;
  for (const int32_t number : ask.xattrs) {
    const std::string name = terms_.meta->name_here(set, number);
    auto value = sources_->read_xattr(entry, name);
    if (!value)
      terms_.reporter.error_transfer(Role::kSender,
                                     fmt::format("failed to re-read xattr {} for {}", name, entry.path()));
    values.push_back({number, value ? std::move(*value) : std::string()});
  }
  return proto::write_xattr_values(values, channel_.out);
}

Status Sender::turn_to(RecordingSink::Path path) {
  TRY(channel_.out.drain());
  channel_.said.take(path);
  return {};
}

// A client that receives is told what was counted here; also one that will replay a batch of ours.
Status Sender::send_statistics(uint64_t bytes_read) {
  if (!terms_.am_server) channel_.end_count();
  if (!terms_.am_server && !channel_.said.recording()) return {};
  TRY(channel_.out.drain());
  proto::Statistics stats;
  stats.bytes_read = static_cast<int64_t>(bytes_read);
  stats.bytes_written = static_cast<int64_t>(channel_.sent());
  stats.total_size = terms_.totals.total_size;
  stats.list_build_ms = terms_.totals.list_build_ms;
  stats.list_transfer_ms = terms_.totals.list_xfer_ms;
  if (!terms_.am_server) TRY(turn_to(RecordingSink::Path::kBatch));
  TRY(proto::write_statistics(stats, terms_.agreed, channel_.out));
  if (!terms_.am_server) TRY(turn_to(RecordingSink::Path::kBoth));
  return {};
}

Status Sender::send_file(Ask& ask, Entry& entry) {
  const Options& o = terms_.options;
  const bool again = entry.has(kSent);
  if (!again && (ask.item.flags & proto::kIsNew)) terms_.totals.created.add(entry.mode);
  ++terms_.totals.transferred_files;
  terms_.totals.transferred_size += entry.size;
  Writer& out = channel_.out;
  const auto echo = [&]() -> Status {
    TRY(channel_.indexes_out->write(ask.ndx, out));
    return proto::write_item(ask.item, terms_.agreed, out);
  };
  if (!o.moves_content()) {
    show(entry, ask, 0, {});
    return echo();
  }
  const auto refuse = [&]() -> Status {
    if (terms_.agreed.no_send_messages) channel_.mux.post(proto::NoSendMessage{ask.ndx});
    return {};
  };
  if (terms_.io->cold()) look_ahead();
  auto file = ask.source ? Result<io::File>(std::move(*ask.source)) : sources_->open(entry);
  if (!file) {
    if (file.error().sys == ENOENT) {
      terms_.reporter.state().io_error |= 2;
      terms_.reporter.warning_line(fmt::format("file has vanished: {}", sources_->shown(entry)));
    } else {
      terms_.reporter.state().io_error |= 1;
      terms_.reporter.error_transfer(Role::kSender, fmt::format("send_files failed to open {}", sources_->shown(entry)),
                                     file.error().sys);
    }
    return refuse();
  }
  const io::FileInfo info = TRY(file->info());
  uint64_t bytes = info.size;
  if (info.is_device()) {
    if (!o.copy_devices) return fail(Fault::kProtocol, "attempt to copy device contents without --copy-devices");
    if (bytes == 0) {
      if (const auto size = file->device_bytes()) bytes = *size;
    }
  } else if (!info.is_regular()) {
    terms_.reporter.state().io_error |= 1;
    terms_.reporter.error_transfer(Role::kSender, fmt::format("send_files failed to open {}", sources_->shown(entry)),
                                   EINVAL);
    return refuse();
  }
  const bool append = (terms_.append || terms_.append_verify) && !again;
  if (append && bytes < static_cast<uint64_t>(entry.size)) {
    terms_.reporter.warning_line(fmt::format("skipped diminished file: {}", sources_->shown(entry)));
    return refuse();
  }

  const uint64_t start = out.position();
  TRY(echo());
  TRY(send_values(ask, entry));
  // What the far side is not to carry out goes into the batch alone.
  if (o.only_write_batch) TRY(turn_to(RecordingSink::Path::kBatch));
  TRY(proto::write_sum_head(ask.head, out));
  const bool before = terms_.reporter.item_before_transfer();
  if (before) show(entry, ask, 0, {});

  Progress::File line;
  const Segment* segment = window_.find(ask.ndx);
  if (terms_.progress)
    line = terms_.progress->begin_file(segment->first_position + (ask.ndx - segment->first_ndx()),
                                       static_cast<int64_t>(bytes));
  MatchRules rules;
  rules.inplace =
      (terms_.agreed.inplace_partial && ask.item.basis == proto::kBasisPartialDir) ||
      (terms_.inplace() && (terms_.agreed.item_flags ? ask.item.basis == proto::kBasisTarget : (!o.backup || again)));
  rules.append = append;
  rules.append_from = append ? ask.head.file_bytes() : 0;
  rules.append_verify = append && terms_.append_verify;
  rules.count_hash_hits = o.verbosity.shows(Debug::kDeltasum);
  const std::string traced = o.verbosity.shows(Debug::kDeltasum, 2) || o.verbosity.shows(Debug::kSend, 1)
                                 ? sources_->full_path(entry)
                                 : std::string();
  if (o.verbosity.shows(Debug::kDeltasum, 2))
    rules.trace = [&](std::string_view found) { terms_.reporter.info_line(found); };
  terms_.reporter.trace(Debug::kDeltasum, 2, "send_files mapped {} of size {}", traced, bytes);
  terms_.reporter.trace(Debug::kDeltasum, 2, "calling match_sums {}", traced);
  rules.progress = [&](uint64_t done) { line.advance(static_cast<int64_t>(done)); };
  // Devices are not mapped: what they hold may change under a mapping without a signal.
  io::MapFile map(*file, bytes, info.is_regular() ? io::MapFile::Access::kScan : io::MapFile::Access::kSequential,
                  terms_.io.get());
  Hasher whole = proto::file_hasher(terms_.agreed);
  TRY(tokens_->begin_file());
  const MatchTotals totals =
      TRY(match_file(map, bytes, ask.index.get(), rules, *tokens_, hasher_, whole, out, terms_.stop));
  TRY(out.bytes(totals.file_sum.bytes().first(digest_bytes(terms_.agreed.transfer_digest))));
  if (o.only_write_batch) TRY(turn_to(RecordingSink::Path::kBoth));
  line.end();
  terms_.totals.literal_bytes += static_cast<int64_t>(totals.literal_bytes);
  terms_.totals.matched_bytes += static_cast<int64_t>(totals.matched_bytes);
  terms_.totals.matches += static_cast<int64_t>(totals.matches);
  terms_.totals.hash_hits += static_cast<int64_t>(totals.hash_hits);
  terms_.totals.false_alarms += static_cast<int64_t>(totals.false_alarms);
  if (!before) show(entry, ask, out.position() - start, totals.file_sum);
  if (totals.damaged) {
    terms_.reporter.state().io_error |= 1;
    terms_.reporter.error_transfer(Role::kSender, fmt::format("read errors mapping {}", sources_->shown(entry)),
                                   totals.damage.sys != 0 ? totals.damage.sys : ENODATA);
  }
  entry.set(kSent);
  terms_.reporter.trace(Debug::kSend, 1, "sender finished {}", traced);
  return {};
}

Status Sender::answer_requests() {
  const proto::Agreement& agreed = terms_.agreed;
  terms_.reporter.trace(Debug::kSend, 1, "send_files starting");
  TRY(keep_ahead(false));
  bool said_end = false;
  int goodbyes = 0;
  for (;;) {
    Incoming incoming = TRY(next());
    if (auto* ask = std::get_if<Ask>(&incoming)) {
      if (said_end) {
        // Late link reports of some versions: everything is here already.
        if (ask->item.flags & proto::kTransfer) return fail(late_request());
        continue;
      }
      TRY(answer(*ask));
      continue;
    }
    if (const auto* told = std::get_if<Told>(&incoming)) {
      if (const auto* text = std::get_if<proto::TextMessage>(&told->message))
        terms_.reporter.from_far_side(*text);
      else if (const auto* gone = std::get_if<proto::DeletedMessage>(&told->message))
        terms_.reporter.deleted_by_far_side(*gone);
      else if (const auto* good = std::get_if<proto::SuccessMessage>(&told->message)) {
        Segment* segment = window_.find(good->ndx);
        if (!segment || good->ndx < segment->first_ndx())
          return fail(Fault::kProtocol, fmt::format("File-list index {} not in a live list [sender]", good->ndx));
        const bool removes = terms_.options.remove_source_files || terms_.options.remove_sent_files;
        if (removes && !terms_.options.only_write_batch) sources_->remove(segment->by_ndx(good->ndx), good->place);
      }
      continue;
    }
    if (const auto* deleted = std::get_if<Deleted>(&incoming)) {
      Totals& totals = terms_.totals;
      totals.deleted.reg += deleted->counts.files;
      totals.deleted.dir += deleted->counts.dirs;
      totals.deleted.link += deleted->counts.symlinks;
      totals.deleted.dev += deleted->counts.devices;
      totals.deleted.special += deleted->counts.specials;
      if (terms_.am_server) TRY(proto::write_deletion_counts(deleted->counts, *channel_.indexes_out, channel_.out));
      continue;
    }
    if (const auto* closed = std::get_if<Closed>(&incoming)) {
      if (closed->error.text.empty() && closed->error.sys == 0) return fail(Fault::kStream, "unexpected end of stream");
      return fail(closed->error);
    }
    // A mark: a list is given up, or a phase is over.
    const uint64_t read_before_mark = std::get<Done>(incoming).bytes_read;
    if (said_end) {
      ++goodbyes;
      if (agreed.closing_handshake && goodbyes == 1) {
        TRY(proto::write_done(*channel_.indexes_out, channel_.out));
        TRY(channel_.out.flush());
        continue;
      }
      return {};
    }
    if (agreed.incremental && !window_.empty()) {
      const auto oldest = window_.oldest();
      if (terms_.progress) terms_.progress->segment_done(oldest->first_position + oldest->count() - 1);
      window_.release_oldest();
      if (!window_.empty()) {
        // The far generator is in the next list, though it may find nothing to ask for there.
        reached_ = std::max(reached_, window_.oldest()->first_position + window_.oldest()->count());
        TRY(proto::write_done(*channel_.indexes_out, channel_.out));
        continue;
      }
    }
    if (++phase_ <= proto::last_phase(agreed)) {
      terms_.reporter.trace(Debug::kSend, 1, "send_files phase={}", phase_);
      TRY(proto::write_done(*channel_.indexes_out, channel_.out));
      continue;
    }
    // End of items.
    terms_.reporter.trace(Debug::kSend, 1, "send files finished");
    const int io_error = terms_.reporter.state().io_error;
    if (io_error != io_error_before_ && agreed.no_send_messages) channel_.mux.post(proto::IoErrorMessage{io_error});
    terms_.reporter.debug_line_if(Debug::kDeltasum, 1,
                                  fmt::format("total: matches={}  hash_hits={}  false_alarms={} data={}",
                                              terms_.totals.matches.load(), terms_.totals.hash_hits.load(),
                                              terms_.totals.false_alarms.load(), terms_.totals.literal_bytes.load()));
    TRY(proto::write_done(*channel_.indexes_out, channel_.out));
    terms_.reporter.heap(Role::kSender);
    TRY(send_statistics(read_before_mark));
    TRY(channel_.out.flush());
    said_end = true;
  }
}

}  // namespace ocsync::sync
