#include "libsync/receiver/receive.h"

#include <fmt/format.h>

#include "libsync/list/facts.h"
#include "libsync/meta/apply.h"
#include "libsync/meta/read.h"
#include "libsync/receiver/basis.h"
#include "libsync/receiver/rebuild.h"
#include "libsync/report/progress.h"

namespace ocsync::sync {

Receiver::Receiver(const Terms& terms, const FilterRules& filters, Channel& channel, ListReceiver& lists,
                   Destination destination, Pending& pending, Events& events, Replay* replay)
    : terms_(terms),
      channel_(channel),
      lists_(lists),
      destination_(std::move(destination)),
      pending_(pending),
      events_(events),
      named_basis_(terms, destination_),
      backups_(terms, filters, destination_, Role::kReceiver),
      placer_(terms, destination_, backups_, Role::kReceiver),
      tokens_(proto::make_token_reader(terms.agreed)),
      replay_(replay) {}

Status Receiver::run(std::shared_ptr<Segment> first, std::shared_ptr<Segment> second, bool list_complete) {
  Status status = read_all(std::move(first), std::move(second), list_complete);
  Event end{.what = Event::What::kClosed};
  if (!status) {
    end.error = status.error();
    failed_ = true;
  }
  (void)events_.push(std::move(end));
  return status;
}

void Receiver::show(const Entry& entry, const proto::Item& item, uint64_t data_bytes, const Digest& digest,
                    const Request* request) {
  const std::string path = entry.path();
  ItemFacts facts = facts_of(entry, path, path, item);
  facts.data_bytes = data_bytes;
  if (facts.digest.size == 0) facts.digest = digest;  // with -c it is the list's
  // What moves is shown with the mode that it gets, all else with the source's.
  if (request != nullptr && !terms_.options.perms) facts.mode = (entry.mode & S_IFMT) | (request->mode & 07777);
  facts.local_run = terms_.local;
  terms_.reporter.item(facts);
}

void Receiver::count_created(const Entry& entry, const proto::Item& item) {
  if (item.flags & proto::kIsNew) terms_.totals.created.add(entry.mode);
}

Entry* Receiver::entry_at(int32_t ndx, Segment*& segment) {
  segment = window_.find(ndx);
  if (!segment) return nullptr;
  if (ndx < segment->first_ndx()) return segment->parent ? &segment->parent->entry : nullptr;
  return &segment->by_ndx(ndx);
}

// The next index that is an item or a mark; sub-lists and repeated deletion counts are taken on the way.
Result<int32_t> Receiver::next_index() {
  for (;;) {
    const int32_t ndx = TRY(channel_.indexes_in->read(channel_.in));
    if (ndx >= 0 || ndx == proto::kNdxDone) return ndx;
    if (ndx == proto::kNdxDelStats) {
      TRY(proto::read_deletion_counts(channel_.in));
      continue;
    }
    if (!terms_.agreed.incremental || list_complete_)
      return fail(Fault::kProtocol, fmt::format("Invalid file index: {} (-1 - {}) [receiver]", ndx, lists_.entries()));
    if (ndx == proto::kNdxListEof) {
      list_complete_ = true;
      if (terms_.progress) terms_.progress->list_complete();
      TRY(events_.push(Event{.what = Event::What::kListEof}));
      continue;
    }
    if (window_.empty()) return fail(Fault::kProtocol, "rsync: refusing sub-flist after final flist was freed");
    auto segment = TRY(lists_.sub_list(proto::kNdxListOffset - ndx));
    window_.add(segment);
    TRY(events_.push(Event{.what = Event::What::kSegment, .segment = std::move(segment)}));
  }
}

void Receiver::tell_success(int32_t ndx, std::string_view path) {
  if (!terms_.options.remove_source_files && !terms_.options.remove_sent_files) return;
  channel_.mux.post(proto::SuccessMessage{ndx, terms_.one_machine ? destination_.arrived(path) : std::nullopt});
}

void Receiver::place_delayed() {
  std::vector<int32_t> linked;
  placer_.place_delayed([&](const Request& request) {
    tell_success(request.ndx, request.path);
    if (request.entry->has(kLinked)) linked.push_back(request.ndx);
  });
  // Only now can other names be linked to them: one may be that of a partial directory, in which others still lay.
  for (const int32_t ndx : linked) (void)events_.push(Event{.what = Event::What::kDone, .ndx = ndx});
}

Result<bool> Receiver::replay_wants(int32_t ndx, int list) {
  const auto missing = [&](int32_t passed) -> Status {
    Segment* segment = nullptr;
    const Entry* entry = entry_at(passed, segment);
    if (!entry) return fail(Fault::kProtocol, fmt::format("File-list index {} not in a live list [receiver]", passed));
    terms_.reporter.error_line(fmt::format("(No batched update for \"{}\")", entry->path()), true);
    (void)pending_.take(passed);
    if (!terms_.agreed.incremental || !terms_.options.moves_content()) return {};
    return events_.push(Event{.what = Event::What::kFailed, .ndx = passed});
  };
  return replay_->wants(ndx, list, missing, [&] { events_.wake(); });
}

// What the generating role knows of content that is about to be read; nothing if it does not want it.
Result<std::optional<Request>> Receiver::request_for(int32_t ndx, Entry& entry) {
  if (!replay_) {
    auto request = pending_.take(ndx);
    if (!request)
      return fail(Fault::kProtocol,
                  fmt::format("rsync: refusing transfer of file index {} that was not asked for", ndx));
    return request;
  }
  if (entry.has(kSent)) {
    // A second version, from when the first did not verify there. It may have done so here.
    const auto at = retries_.find(ndx);
    if (at == retries_.end()) {
      terms_.reporter.info_line(
          fmt::format("(Skipping batched update for resend of \"{}\")", destination_.path_of(entry)));
      return std::nullopt;
    }
    Request request = std::move(at->second);
    retries_.erase(at);
    request.redo = true;
    return request;
  }
  entry.set(kSent);
  int list = 0;
  if (terms_.agreed.incremental) {
    list = lists_over_ + 1;
    for (const auto& segment : window_) {
      if (segment->holds(ndx)) break;
      ++list;
    }
  }
  if (!TRY(replay_wants(ndx, list))) {
    terms_.reporter.info_line(fmt::format("(Skipping batched update for \"{}\")", destination_.path_of(entry)));
    return std::nullopt;
  }
  return pending_.take(ndx);
}

Status Receiver::skip_content() {
  const proto::SumHead head = TRY(proto::read_sum_head(terms_.agreed, channel_.in, "receiver"));
  const RebuildResult skipped = TRY(rebuild({}, head, *tokens_, channel_.in, terms_, {}));
  terms_.totals.literal_bytes += static_cast<int64_t>(skipped.literal_bytes);
  terms_.totals.matched_bytes += static_cast<int64_t>(skipped.matched_bytes);
  return {};
}

// The file has nothing more of this list.
Status Receiver::list_over(const Segment& segment) {
  if (!replay_) return {};
  const bool incremental = terms_.agreed.incremental;
  for (auto at = retries_.begin(); incremental && at != retries_.end();) {
    if (!segment.holds(at->first)) {
      ++at;
      continue;
    }
    // (rsync waits for ever.)
    terms_.reporter.error_line(fmt::format("ERROR: {} failed verification -- update discarded.", at->second.path),
                               true);
    TRY(events_.push(Event{.what = Event::What::kFailed, .ndx = at->first}));
    at = retries_.erase(at);
  }
  TRY(replay_wants(segment.end_ndx(), incremental ? lists_over_ + 1 : 0));
  ++lists_over_;
  return {};
}

Status Receiver::on_transfer(int32_t ndx, Entry& entry, const proto::Item& item) {
  const Options& o = terms_.options;
  if (terms_.agreed.third_phase && phase_ >= 2)
    return fail(Fault::kProtocol, "got transfer request in phase 2 [receiver]");
  if (!entry.is_regular() || !entry.active())
    return fail(Fault::kProtocol, fmt::format("received request to transfer non-regular file: {} [receiver]", ndx));
  const bool again = replay_ && entry.has(kSent);
  std::optional<Request> request;
  // In a plain dry run nothing is remembered: that would be the whole list where all of it is new.
  if (replay_ || o.moves_content()) request = TRY(request_for(ndx, entry));
  if (request ? !request->redo : !again) count_created(entry, item);
  ++terms_.totals.transferred_files;
  terms_.totals.transferred_size += entry.size;
  if (replay_ && !request) return skip_content();
  if (o.dry_run) {
    show(entry, item, 0, {});
    if (replay_ || (o.only_write_batch && !terms_.am_server)) TRY(skip_content());
    if (!o.moves_content() || !terms_.agreed.incremental) return {};
    return events_.push(Event{.what = Event::What::kDone, .ndx = ndx});
  }

  const uint64_t start = channel_.in.position();
  const proto::SumHead head = TRY(proto::read_sum_head(terms_.agreed, channel_.in, "receiver"));
  io::File basis_file;
  uint64_t basis_bytes = 0;
  const Basis basis = TRY(named_basis_.of(item, *request));
  // Without blocks there is nothing to take from it, but for appending; another one than the target is looked at all
  // the same.
  if (basis && (!head.empty() || terms_.append || terms_.append_verify || basis.type != proto::kBasisTarget)) {
    const auto leaf = io::Leaf::check(basis.leaf);
    if (leaf) {
      if (auto opened = basis.dir->open_read(*leaf)) {
        if (const auto size = basis_size(*opened, terms_)) {
          basis_bytes = *size;
          basis_file = std::move(*opened);
        }
      }
    }
  }
  // An old version does not say what a file is built on: rsync looks for a backup then, and makes the directories for
  // it, but climbs to none.
  const bool over_old = o.inplace || terms_.append || terms_.append_verify;
  const bool climbs = !o.backup_dir.starts_with('/') && ("/" + o.backup_dir + "/").find("/../") != std::string::npos;
  if (!terms_.agreed.item_flags && over_old && o.backup && !climbs) (void)backups_.place_for(request->path);
  auto output = placer_.open(*request);

  RebuildJob job;
  const std::string shown = destination_.shown(request->path);
  job.name = shown;
  if (basis_file.valid()) {
    job.basis = &basis_file;
    job.basis_bytes = basis_bytes;
  }
  if (output) job.out = &output->file();
  const bool append = (terms_.append || terms_.append_verify) && !request->redo;
  job.append = append && terms_.append;
  job.append_verify = append && terms_.append_verify;
  job.in_place = output && output->in_place &&
                 (basis.type == proto::kBasisTarget || output->partial_in_place || basis.type == proto::kBasisBackup);
  if (output && output->in_place && !job.basis) job.in_place = true;
  job.device = output && output->device;
  job.sparse = o.sparse && !append && !job.device;
  job.preallocate = o.preallocate && !job.device;
  job.expected_bytes = static_cast<uint64_t>(std::max<int64_t>(entry.size, 0));

  const bool before = terms_.reporter.item_before_transfer();
  if (output && before) show(entry, item, 0, {}, &*request);
  Progress::File line;
  Segment* segment = window_.find(ndx);
  if (terms_.progress && output)
    line =
        terms_.progress->begin_file(segment ? segment->first_position + (ndx - segment->first_ndx()) : 0, entry.size);
  uint64_t reached = 0;
  if (job.basis) terms_.reporter.trace(Debug::kDeltasum, 2, "recv mapped {} of size {}", basis.path, basis_bytes);
  auto result = rebuild(job, head, *tokens_, channel_.in, terms_, [&](uint64_t done) {
    reached = done;
    line.advance(static_cast<int64_t>(done));
  });
  if (output) output->has_literal_data = result ? result->literal_bytes > 0 : reached > 0;
  if (!result) {
    if (output) placer_.abandon(std::move(*output), *request);
    return fail(result.error());
  }
  terms_.reporter.trace(Debug::kDeltasum, 2, "got file_sum");
  terms_.totals.literal_bytes += static_cast<int64_t>(result->literal_bytes);
  terms_.totals.matched_bytes += static_cast<int64_t>(result->matched_bytes);
  if (output) line.end();
  if (output && !before) show(entry, item, channel_.in.position() - start, result->file_sum, &*request);
  if (!output) return events_.push(Event{.what = Event::What::kFailed, .ndx = ndx});
  if (result->write_failed && result->write_error.fault == Fault::kFileIo) {
    placer_.abandon(std::move(*output), *request);
    return fail(Fault::kFileIo, fmt::format("write failed on {}", destination_.shown(request->path)),
                result->write_error.sys);
  }

  const bool kept = o.partial || o.delay_updates;
  const bool in_place = output->in_place;
  const Placed placed = placer_.finish(std::move(*output), *request, result->verified);
  if (placer_.fatal()) return fail(*placer_.fatal());
  if (result->verified) {
    const bool good = placed != Placed::kFailed;
    if (placed == Placed::kInPlace) tell_success(ndx, request->path);
    if (placed == Placed::kDelayed && entry.has(kLinked)) return {};
    return events_.push_quietly(Event{.what = good ? Event::What::kDone : Event::What::kFailed, .ndx = ndx});
  }
  const char* fate = !kept && !in_place ? "discarded" : !o.partial_dir.empty() ? "put into partial-dir" : "retained";
  const std::string name = request->path;
  if (request->redo) {
    terms_.reporter.error_line(fmt::format("ERROR: {} failed verification -- update {}.", name, fate), true);
    return events_.push(Event{.what = Event::What::kFailed, .ndx = ndx});
  }
  if (o.verbosity.shows(Info::kName) || o.itemize > 0 || o.far_wants_item)
    terms_.reporter.warning_line(fmt::format("WARNING: {} failed verification -- update {} ({} try again).", name, fate,
                                             replay_ ? "may" : "will"));
  if (replay_) {
    // The generating role still waits for it: nobody can be asked to send it again.
    retries_.insert_or_assign(ndx, std::move(*request));
    return {};
  }
  return events_.push(Event{.what = Event::What::kRedo, .ndx = ndx});
}

Status Receiver::on_item(int32_t ndx) {
  const proto::Item item = TRY(proto::read_item(terms_.agreed, channel_.in));
  Segment* segment = nullptr;
  Entry* entry = entry_at(ndx, segment);
  if (!segment || !entry)
    return fail(Fault::kProtocol, fmt::format("File-list index {} not in a live list [receiver]", ndx));
  if (!entry->active())
    return fail(Fault::kProtocol, fmt::format("rsync: refusing transfer of cleared file index {}", ndx));
  if (terms_.reporter.traces(Debug::kRecv, 1))
    terms_.reporter.trace(Debug::kRecv, 1, "recv_files({})", destination_.path_of(*entry));
  if (terms_.carries_xattrs(item.flags))
    TRY(terms_.meta->read_values(entry->extras() ? entry->extras()->xattrs : -1, channel_.in));
  if (item.flags & proto::kTransfer) {
    if (ndx < segment->first_ndx())
      return fail(Fault::kProtocol, fmt::format("received request to transfer non-regular file: {} [receiver]", ndx));
    return on_transfer(ndx, *entry, item);
  }
  show(*entry, item, 0, {});
  if (terms_.carries_xattrs(item.flags) && !terms_.options.dry_run) apply_values(*entry, item);
  count_created(*entry, item);
  return {};
}

// The values of attributes have come; only now can an item that needed no transfer get them.
void Receiver::apply_values(const Entry& entry, const proto::Item& item) {
  constexpr uint32_t kLinkMade = proto::kXnameFollows | proto::kLocalChange;
  if ((item.flags & kLinkMade) == kLinkMade) return;  // another name of an object that has them
  const std::string path = destination_.path_of(entry);
  const std::string shown = destination_.shown(path);
  const auto dir = destination_.dir(destination_.dir_of(entry));
  std::optional<io::Leaf> leaf;
  const std::string name = destination_.leaf_of(entry);
  if (!(entry.is_root() && !destination_.solo())) {
    const auto checked = io::Leaf::check(name);
    if (!checked) return;
    leaf = *checked;
  }
  if (!dir) {
    terms_.reporter.error_transfer(Role::kReceiver,
                                   dir.error().text.empty() ? fmt::format("stat {} failed", shown) : dir.error().text,
                                   dir.error().sys);
    return;
  }
  sync::apply_values(entry, leaf ? Object::named(**dir, *leaf) : Object::itself(**dir), terms_, shown);
}

Status Receiver::read_all(std::shared_ptr<Segment> first, std::shared_ptr<Segment> second, bool list_complete) {
  list_complete_ = list_complete || !terms_.agreed.incremental;
  if (list_complete_ && terms_.progress) terms_.progress->list_complete();
  window_.add(first);
  TRY(events_.push(Event{.what = Event::What::kSegment, .segment = std::move(first)}));
  if (second) {
    window_.add(second);
    TRY(events_.push(Event{.what = Event::What::kSegment, .segment = std::move(second)}));
  }
  if (list_complete_) TRY(events_.push(Event{.what = Event::What::kListEof}));

  terms_.reporter.trace(Debug::kRecv, 1, "recv_files({}) starting", window_.empty() ? 0 : window_.oldest()->count());
  for (;;) {
    const int32_t ndx = TRY(next_index());
    if (ndx >= 0) {
      // Version 29 says "still here" with an index behind the list.
      if (!terms_.agreed.compact_numbers && terms_.agreed.item_flags && !window_.empty() &&
          ndx == window_.oldest()->end_ndx()) {
        const proto::Item item = TRY(proto::read_item(terms_.agreed, channel_.in));
        if (item.flags == proto::kIsNew) continue;
        return fail(Fault::kProtocol, fmt::format("File-list index {} not in a live list [receiver]", ndx));
      }
      TRY(on_item(ndx));
      continue;
    }
    if (terms_.agreed.incremental && !window_.empty()) {
      if (terms_.progress) {
        const auto& oldest = window_.oldest();
        terms_.progress->segment_done(oldest->first_position + oldest->count() - 1);
      }
      TRY(list_over(*window_.oldest()));
      window_.release_oldest();
      if (!window_.empty()) continue;
    } else if (!window_.empty()) {
      TRY(list_over(*window_.oldest()));
    }
    if (++phase_ > proto::last_phase(terms_.agreed)) break;
    terms_.reporter.trace(Debug::kRecv, 1, "recv_files phase={}", phase_);
    if (phase_ == 2 && terms_.options.delay_updates) place_delayed();
    TRY(events_.push(Event{.what = Event::What::kPhase}));
  }
  if (terms_.options.delay_updates && !terms_.agreed.third_phase) place_delayed();
  terms_.reporter.trace(Debug::kRecv, 1, "recv_files finished");
  terms_.reporter.heap(Role::kReceiver);
  if (!terms_.am_server) statistics_ = TRY(proto::read_statistics(terms_.agreed, channel_.in));
  TRY(events_.push(Event{.what = Event::What::kPhase}));
  if (terms_.agreed.closing_handshake) {
    const int32_t last = TRY(next_index());
    TRY(proto::expect_goodbye(last));
    TRY(events_.push(Event{.what = Event::What::kPhase}));
  }
  return {};
}

}  // namespace ocsync::sync
