#include "libsync/list/exchange.h"

#include <fmt/format.h>

#include <cstring>

#include "libio/os/identity.h"
#include "libproto/ids_wire.h"
#include "libsync/list/name_charset.h"
#include "libsync/list/paths.h"
#include "libsync/list/prune.h"
#include "libsync/meta/book.h"

namespace ocsync::sync {

// --- sending --------------------------------------------------------------------------------------------------------

ListSender::ListSender(const Terms& terms, Writer& out)
    : terms_(terms),
      out_(out),
      encoder_(terms.agreed, terms.entry_fields()),
      own_names_(terms.names ? nullptr : system_names()),
      names_(terms.names ? *terms.names : *own_names_) {}

Status ListSender::send(Segment& segment) {
  const Options& o = terms_.options;
  const bool with_names = terms_.agreed.incremental && !o.numeric_ids && !o.ignore_names;
  const uint64_t start = out_.position();
  for (int32_t i = 0; i < segment.count(); ++i) {
    const Entry& entry = segment.added(i);
    entry.path_into(wire_.name);
    wire_.mode = entry.mode;
    wire_.size = entry.size;
    wire_.mtime = entry.mtime;
    wire_.mtime_nsec = entry.nsec;
    wire_.uid = entry.uid;
    wire_.gid = entry.gid;
    wire_.user_name.clear();
    wire_.group_name.clear();
    if (o.owner && names_.first_use_of_user(entry.uid) && with_names) wire_.user_name = names_.user_name(entry.uid);
    if (o.group && names_.first_use_of_group(entry.gid) && with_names) wire_.group_name = names_.group_name(entry.gid);
    wire_.target = entry.target();
    wire_.link = proto::HardLink::kNone;
    wire_.top_dir = false;
    wire_.no_content = false;
    if (entry.is_dir()) {
      // An implied directory is told by both marks together.
      wire_.top_dir =
          entry.has(kTopDir) || (entry.has(kImpliedDir) && !entry.has(kContentDir) && terms_.agreed.compact_numbers);
      wire_.no_content = !entry.has(kContentDir);
    }
    if (entry.extras()) {
      const Extras& extras = *entry.extras();
      wire_.rdev_major = extras.rdev_major;
      wire_.rdev_minor = extras.rdev_minor;
      wire_.atime = extras.atime;
      wire_.crtime = extras.crtime;
      wire_.checksum = extras.digest();
      if (entry.has(kLinked)) {
        if (!terms_.agreed.hard_link_groups) {
          wire_.link = proto::HardLink::kDevIno;
          wire_.link_dev = static_cast<int64_t>(extras.dev);
          wire_.link_ino = static_cast<int64_t>(extras.ino);
        } else if (entry.has(kLinkFirst)) {
          wire_.link = proto::HardLink::kFirst;
        } else {
          wire_.link =
              extras.link_key >= segment.first_ndx() ? proto::HardLink::kAbbreviated : proto::HardLink::kFollower;
          wire_.link_group = static_cast<int32_t>(extras.link_key);
        }
      }
    } else {
      wire_.rdev_major = wire_.rdev_minor = 0;
      wire_.atime = wire_.crtime = 0;
      wire_.checksum = Digest{};
    }
    if (o.checksum && wire_.checksum.size == 0)
      wire_.checksum.size = static_cast<uint8_t>(digest_bytes(terms_.agreed.list_digest));
    if (terms_.charset) to_wire_charset();
    TRY(encoder_.encode(wire_, out_));
    TRY(send_meta(entry, with_names));
  }
  const int io_error = o.ignore_errors ? 0 : terms_.reporter.state().io_error.load();
  int told = first_list_ || io_error != first_io_error_ ? io_error : 0;
  TRY(encoder_.encode_end(told, out_));
  if (first_list_) first_io_error_ = io_error;
  first_list_ = false;
  terms_.totals.list_bytes += static_cast<int64_t>(out_.position() - start);
  return {};
}

// The scanner has left out what cannot be converted, so nothing is lost here.
void ListSender::to_wire_charset() {
  wire_.name = terms_.charset->text_to_wire(wire_.name);
  if (terms_.agreed.symlink_iconv && !wire_.target.empty()) wire_.target = terms_.charset->text_to_wire(wire_.target);
}

// ACLs and attributes stand behind the entry that has them.
Status ListSender::send_meta(const Entry& entry, bool with_names) {
  const Options& o = terms_.options;
  const Extras none;
  const Extras& extras = entry.extras() ? *entry.extras() : none;
  if (o.acls && !entry.is_symlink()) {
    TRY(send_acl(proto::AclKind::kAccess, extras.acl, with_names));
    if (entry.is_dir()) TRY(send_acl(proto::AclKind::kDefault, extras.default_acl, with_names));
  }
  if (o.xattrs == 0) return {};
  if (extras.xattrs < 0) {
    TRY(xattrs_.encode({}, out_));
    return {};
  }
  const auto at = static_cast<size_t>(extras.xattrs);
  if (at >= xattr_numbers_.size()) xattr_numbers_.resize(at + 1, -1);
  xattr_numbers_[at] = TRY(xattrs_.encode(terms_.meta->wire_set(extras.xattrs), out_));
  return {};
}

Status ListSender::send_acl(proto::AclKind kind, int32_t number, bool with_names) {
  proto::WireAcl acl;
  if (number >= 0) {
    acl = terms_.meta->acl(kind, number);
    std::vector<bool>& sent = acl_sent_[static_cast<size_t>(kind)];
    const auto at = static_cast<size_t>(number);
    if (at >= sent.size()) sent.resize(at + 1);
    if (!sent[at]) {
      sent[at] = true;
      for (proto::AclName& name : acl.names) {
        const bool first = name.user ? names_.first_use_of_user(name.id) : names_.first_use_of_group(name.id);
        if (first && with_names) name.name = name.user ? names_.user_name(name.id) : names_.group_name(name.id);
      }
    }
  }
  return acls_.encode(kind, acl, out_);
}

Status ListSender::send_trailer() {
  const Options& o = terms_.options;
  if (!terms_.agreed.incremental && !o.numeric_ids) {
    // A module with numeric ids has no names to tell.
    if (o.owner || o.acls)
      TRY(proto::write_id_list(o.ignore_names ? proto::IdList() : names_.user_list(), terms_.agreed, out_));
    if (o.group || o.acls)
      TRY(proto::write_id_list(o.ignore_names ? proto::IdList() : names_.group_list(), terms_.agreed, out_));
  }
  if (terms_.agreed.io_error_after_list) TRY(out_.i32(o.ignore_errors ? 0 : terms_.reporter.state().io_error.load()));
  return {};
}

// --- receiving ------------------------------------------------------------------------------------------------------

ListReceiver::ListReceiver(const Terms& terms, Reader& in, IdMap ids, AdmitEntry admit)
    : terms_(terms),
      in_(&in),
      decoder_(terms.agreed, terms.entry_fields()),
      ids_(std::move(ids)),
      admit_(std::move(admit)),
      acls_(terms.options.fake_super),
      next_ndx_(terms.agreed.incremental ? 1 : 0) {}

// Below version 30 only argument directories are marked; which others have content follows from the order they came in.
void ListReceiver::derive_content_marks(Entry& entry, uint8_t shared) {
  if (!entry.is_dir()) return;
  if (entry.has(kTopDir)) {
    entry.set(kContentDir);
    if (terms_.options.recurse) {
      const std::string path = entry.path();
      hierarchy_length_ = path == "." ? 0 : static_cast<int>(path.size());
      if (terms_.options.relative && path.ends_with("/.")) hierarchy_length_ -= 2;
    }
    return;
  }
  if (hierarchy_length_ < 0) return;
  const std::string path = entry.path();
  const size_t length = static_cast<size_t>(hierarchy_length_);
  if (!terms_.options.relative || length == 0 || (shared >= length && path.size() > length && path[length] == '/'))
    entry.set(kContentDir);
  else
    hierarchy_length_ = -1;
}

Status ListReceiver::take(Segment& segment, const DirNode* parent, Admission admission) {
  const Options& o = terms_.options;
  // An empty name keeps the place of one that could not be converted.
  const bool inside_check = parent != nullptr && !wire_.name.empty();
  if (inside_check) {
    const std::string_view dir = dir_of_path(wire_.name);
    const std::string_view expected = parent->path() == "." ? std::string_view() : parent->path();
    std::string_view stripped = dir;
    if (o.relative)
      while (stripped.size() > 1 && stripped.starts_with("/") && !expected.starts_with("/")) stripped.remove_prefix(1);
    if (stripped != expected && dir != expected)
      return fail(Fault::kUnsupported, fmt::format("ABORTING due to invalid path from sender: {}", wire_.name));
  }
  Entry& entry = segment.add(wire_.name);
  entry.mode = static_cast<uint16_t>(wire_.mode);
  entry.size = wire_.size;
  entry.mtime = wire_.mtime;
  entry.nsec = wire_.mtime_nsec;
  entry.uid = wire_.uid;
  entry.gid = wire_.gid;
  if (!wire_.user_name.empty()) ids_.map_user(wire_.uid, wire_.user_name);
  if (!wire_.group_name.empty()) ids_.map_group(wire_.gid, wire_.group_name);
  if (entry.is_dir()) {
    const bool parent_only = admission == Admission::kParentOnly;
    if (terms_.agreed.compact_numbers) {
      if (parent_only || (wire_.top_dir && wire_.no_content))
        entry.set(kImpliedDir);
      else if (!wire_.no_content) {
        entry.set(kContentDir);
        if (wire_.top_dir) entry.set(kTopDir);
      }
    } else {
      if (wire_.top_dir && parent_only) {
        entry.set(kImpliedDir);
      } else {
        if (wire_.top_dir) entry.set(kTopDir);
        derive_content_marks(entry, wire_.shared_prefix);
      }
    }
  }
  // Followers in a group have the target that their leader was given.
  if (!wire_.target.empty() && terms_.options.munge_links) {
    if (wire_.link != proto::HardLink::kAbbreviated) wire_.target.insert(0, kMungedPrefix);
  } else if (!wire_.target.empty() && terms_.options.sanitize_links) {
    const auto depth = static_cast<int>(std::count(wire_.name.begin(), wire_.name.end(), '/'));
    wire_.target = sanitized_path(wire_.target, "", depth, false);
  }
  if (!wire_.target.empty()) segment.extras_of(entry).target = segment.store(wire_.target);
  if (entry.is_device()) {
    segment.extras_of(entry).rdev_major = wire_.rdev_major;
    segment.extras_of(entry).rdev_minor = wire_.rdev_minor;
  }
  if (o.atimes > 0 && !entry.is_dir()) segment.extras_of(entry).atime = wire_.atime;
  if (o.crtimes) segment.extras_of(entry).crtime = wire_.crtime;
  if (o.checksum && entry.is_regular()) segment.set_checksum(entry, wire_.checksum);
  if (o.hard_links > 0 && wire_.link != proto::HardLink::kNone && !entry.is_dir()) {
    Extras& extras = segment.extras_of(entry);
    const int32_t position = segment.first_ndx() + segment.count() - 1;
    switch (wire_.link) {
      case proto::HardLink::kFirst:
        extras.link_key = position;
        known_groups_[position] = true;
        break;
      case proto::HardLink::kDevIno:
        extras.link_key = link_key_of(static_cast<uint64_t>(wire_.link_dev), static_cast<uint64_t>(wire_.link_ino));
        break;
      default:
        if (!known_groups_.contains(wire_.link_group))
          return fail(Fault::kProtocol,
                      fmt::format("hard-link gnum {} precedes flist start {}", wire_.link_group, segment.first_ndx()));
        extras.link_key = wire_.link_group;
        terms_.reporter.trace(Debug::kHlink, 1, "[Receiver] #{} hard-links #{} ({}abbrev)", position, wire_.link_group,
                              wire_.link_group >= segment.first_ndx() ? "" : "un");
    }
    entry.set(kLinked);
  }
  return {};
}

Result<std::shared_ptr<Segment>> ListReceiver::read(DirNode* parent) {
  auto segment = std::make_shared<Segment>(next_ndx_);
  const uint64_t start = in_->position();
  const proto::EntryDecoder::FindLeader leader = [&](int32_t index) -> Result<const proto::WireEntry*> {
    if (index < segment->first_ndx()) return nullptr;
    const Entry& entry = segment->added(index - segment->first_ndx());
    leader_ = proto::WireEntry{};
    leader_.mode = entry.mode;
    leader_.size = entry.size;
    leader_.mtime = entry.mtime;
    leader_.mtime_nsec = entry.nsec;
    leader_.uid = entry.uid;
    leader_.gid = entry.gid;
    leader_.target = entry.target();
    if (entry.extras()) {
      leader_.rdev_major = entry.extras()->rdev_major;
      leader_.rdev_minor = entry.extras()->rdev_minor;
      leader_.atime = entry.extras()->atime;
      leader_.crtime = entry.extras()->crtime;
      leader_.checksum = entry.extras()->digest();
    }
    return &leader_;
  };
  for (;;) {
    const auto end = TRY(decoder_.decode(*in_, wire_, segment->first_ndx(), segment->count(), leader));
    if (end) {
      if (end->io_error != 0 && !terms_.options.ignore_errors) {
        terms_.reporter.state().io_error |= end->io_error & 7;
        segment->io_error = end->io_error & 7;
      }
      if (terms_.agreed.list_errors_told) segment->io_error |= terms_.reporter.state().io_error & 7;
      break;
    }
    if (terms_.charset) TRY(from_wire_charset(parent == nullptr));
    Admission admission = Admission::kWhole;
    if (admit_) admission = TRY(admit_(wire_.name, S_ISDIR(wire_.mode)));
    TRY(take(*segment, parent, admission));
    TRY(read_meta(*segment, segment->added(segment->count() - 1)));
    terms_.reporter.trace(Debug::kFlist, 2, "recv_file_name({})", wire_.name);
  }
  terms_.reporter.trace(Debug::kFlist, 2, "received {} names", segment->count());
  terms_.totals.list_bytes += static_cast<int64_t>(in_->position() - start);
  return segment;
}

// What was harmless in UTF-8 may be something else here, so it is judged again.
Status ListReceiver::from_wire_charset(bool first_list) {
  const auto cannot = [&](const char* what, const Error& error) {
    terms_.reporter.state().io_error |= 1;
    terms_.reporter.error_line(fmt::format("[{}] cannot convert {}: {} ({})", first_list ? "Receiver" : "receiver",
                                           what, wire_.name, std::strerror(error.sys)),
                               false);
  };
  if (!wire_.target.empty() && terms_.agreed.symlink_iconv) {
    if (auto target = terms_.charset->from_wire(wire_.target)) {
      wire_.target = std::move(*target);
    } else {
      cannot("symlink data for", target.error());
      wire_.target.clear();
      wire_.name.clear();
      return {};
    }
  }
  auto name = terms_.charset->from_wire(wire_.name);
  if (!name) {
    cannot("filename", name.error());
    wire_.name.clear();
    return {};
  }
  wire_.name = std::move(*name);
  return proto::clean_name(wire_.name, terms_.options.relative);
}

Status ListReceiver::read_acl(proto::AclKind kind, uint32_t mode, int32_t& number) {
  number = TRY(acls_.decode(kind, *in_));
  if (!acls_.is_new()) return {};
  proto::WireAcl acl = acls_.at(kind, number);
  // Names decide about an id at its first use; the ids themselves are mapped once the list is complete.
  for (const proto::AclName& name : acl.names) {
    if (name.name.empty()) continue;
    if (name.user)
      ids_.map_user(name.id, name.name);
    else
      ids_.map_group(name.id, name.name);
  }
  if (!acl.names.empty() && acl.mask == proto::kNoAccess) {
    if (kind == proto::AclKind::kAccess)
      acl.mask = mode >> 3 & 7;
    else
      proto::complete_default(acl);
  }
  terms_.meta->append_acl(kind, std::move(acl));
  return {};
}

Status ListReceiver::read_meta(Segment& segment, Entry& entry) {
  const Options& o = terms_.options;
  if (o.acls && !entry.is_symlink()) {
    Extras& extras = segment.extras_of(entry);
    TRY(read_acl(proto::AclKind::kAccess, entry.mode, extras.acl));
    if (entry.is_dir()) TRY(read_acl(proto::AclKind::kDefault, entry.mode, extras.default_acl));
  }
  if (o.xattrs == 0) return {};
  const int32_t number = TRY(xattrs_.decode(*in_));
  if (xattrs_.is_new()) terms_.meta->append_set(xattrs_.at(number));
  segment.extras_of(entry).xattrs = number;
  return {};
}

// Below version 30 groups are known by device and inode.
int64_t ListReceiver::link_key_of(uint64_t dev, uint64_t ino) {
  const auto [at, fresh] = dev_inos_[dev].try_emplace(ino, next_link_key_);
  if (fresh) ++next_link_key_;
  return at->second;
}

Status ListReceiver::adopt(Segment& segment) {
  for (int32_t i = 0; i < segment.count(); ++i) {
    Entry& entry = segment.added(i);
    if (entry.has(kLinked) && !terms_.agreed.hard_link_groups)
      entry.extras()->link_key = link_key_of(entry.extras()->dev, entry.extras()->ino);
    if (entry.has(kLinkFirst)) known_groups_[segment.first_ndx() + i] = true;
    if (!terms_.agreed.mtime_has_nanoseconds) entry.nsec = 0;  // as if it had travelled
  }
  return finish(segment);
}

// What every list gets once it is complete: ids mapped, duplicates cleaned, hard-link groups marked.
Status ListReceiver::finish(Segment& segment) {
  const Options& o = terms_.options;
  if (const std::string modes = terms_.mode_changes(); !modes.empty() && !terms_.local && !chmod_)
    chmod_ = TRY(ModeChanges::parse(modes, terms_.umask));
  for (int32_t i = 0; i < segment.count(); ++i) {
    Entry& entry = segment.added(i);
    if (o.owner && ids_.maps_users())
      entry.uid = terms_.local ? ids_.map_own_user(entry.uid) : ids_.map_user(entry.uid, {});
    if (o.group && ids_.maps_groups()) {
      const auto group = terms_.local ? ids_.map_own_group(entry.gid) : ids_.map_group(entry.gid, {});
      entry.gid = group.gid;
      if (!group.settable) entry.set(kGroupUnsettable);
    }
    if (chmod_ && !entry.is_symlink() && entry.mode != 0) entry.mode = static_cast<uint16_t>(chmod_->apply(entry.mode));
    if (!terms_.local) {
      terms_.totals.files.add(entry.mode);
      if (entry.is_regular() || entry.is_symlink()) terms_.totals.total_size += entry.size;
    }
  }
  if (o.acls) {
    // With --numeric-ids, what maps say of owners reaches ACLs only in a whole list, or for groups of the unprivileged.
    const bool whole_list_map = !terms_.agreed.incremental && (!o.usermap.empty() || !o.groupmap.empty());
    const bool users = !o.numeric_ids || whole_list_map;
    const bool groups = !o.numeric_ids || whole_list_map || (terms_.agreed.incremental && !terms_.may_chown);
    terms_.meta->map_acls([&](uint32_t id) { return users ? ids_.map_user(id, {}) : id; },
                          [&](uint32_t id) { return groups ? ids_.map_group(id, {}).gid : id; });
  }
  segment.first_position = total_;
  total_ += segment.count();
  if (!terms_.local) segment.seal(terms_.order(), !o.iconv.empty());
  clean_duplicates(segment, terms_);
  if (o.relative) {
    for (int32_t i = 0; i < segment.count(); ++i) {
      Entry& entry = segment.added(i);
      if (terms_.local && entry.dir_view().starts_with('/')) entry.set(kRooted);
      while (entry.dir_view().starts_with('/')) entry.set_dir(entry.dir_view().substr(1));
    }
  }
  // The directories of incremental lists act on their own, later; they obey what was settled here.
  if (terms_.agreed.incremental && !terms_.local) segment.first_dir = dirs_.add(segment);
  for (int32_t i = 0; i < segment.count(); ++i) {
    if (DirNode* node = segment.dir_added(i)) node->refresh(segment.added(i));
  }
  if (o.prune_empty_dirs && !terms_.agreed.incremental) prune_empty(segment, spared_);
  if (o.hard_links > 0) {
    // In order of work: who is first and last of its group, as far as is known now.
    std::unordered_map<int64_t, int32_t> last;
    for (int32_t i = 0; i < segment.count(); ++i) {
      Entry& entry = segment.sorted(i);
      if (!entry.has(kLinked) || !entry.active()) continue;
      entry.unset(kLinkFirst);
      entry.unset(kLinkLast);
      const auto [at, fresh] = last.try_emplace(entry.extras()->link_key, i);
      if (fresh)
        entry.set(kLinkFirst);
      else
        at->second = i;
    }
    for (const auto& [key, at] : last) segment.sorted(at).set(kLinkLast);
    // Without incremental lists nothing can follow: a lone member is an ordinary file.
    if (!terms_.agreed.incremental)
      for (int32_t i = 0; i < segment.count(); ++i) {
        Entry& entry = segment.sorted(i);
        if (entry.has(kLinkFirst) && entry.has(kLinkLast))
          entry.marks = static_cast<uint16_t>(entry.marks & ~(kLinked | kLinkFirst | kLinkLast));
      }
  }
  next_ndx_ = segment.end_ndx() + (terms_.agreed.incremental ? 1 : 0);
  if (!terms_.local) terms_.reporter.trace(Debug::kFlist, 2, "recv_file_list done");
  return {};
}

Status ListReceiver::heed(const FilterRules& filters) {
  if (!terms_.options.prune_empty_dirs || filters.empty()) return {};
  // The destination is not known yet: full paths start where we are.
  spared_ = TRY(FilterScope::at_root(filters, Side::kReceiver, io::working_directory()));
  return {};
}

Result<std::shared_ptr<Segment>> ListReceiver::first() {
  auto segment = TRY(read(nullptr));
  const Options& o = terms_.options;
  if (!terms_.agreed.incremental && !o.numeric_ids) {
    if (o.owner || o.acls) {
      const proto::IdList users = TRY(proto::read_id_list(terms_.agreed, *in_));
      ids_.learn_users(users);
    }
    if (o.group || o.acls) {
      const proto::IdList groups = TRY(proto::read_id_list(terms_.agreed, *in_));
      ids_.learn_groups(groups);
    }
  }
  if (terms_.agreed.io_error_after_list) {
    const int bits = TRY(in_->i32());
    if (!o.ignore_errors) {
      terms_.reporter.state().io_error |= bits & 7;
      segment->io_error |= bits & 7;
    }
  }
  TRY(finish(*segment));
  if (terms_.agreed.incremental && segment->count() > 0 && segment->sorted(0).is_root() && segment->sorted(0).is_dir())
    segment->parent = segment->dir_added(segment->added_position(0));
  return segment;
}

Result<std::shared_ptr<Segment>> ListReceiver::sub_list(int32_t number) {
  if (number < 0 || number >= dirs_.count())
    return fail(Fault::kProtocol, fmt::format("Invalid dir index: {} ({} - {})", proto::kNdxListOffset - number,
                                              proto::kNdxListOffset, proto::kNdxListOffset - dirs_.count() + 1));
  DirNode& node = dirs_.node(number);
  if (node.cleared) return fail(Fault::kProtocol, fmt::format("rsync: refusing flist for cleared dir_ndx {}", number));
  if (node.listed)
    return fail(Fault::kProtocol, fmt::format("rsync: refusing malicious duplicate flist for dir {}", number));
  node.listed = true;
  terms_.reporter.trace(Debug::kFlist, 2, "[receiver] receiving flist for dir {}", number);
  auto segment = TRY(read(&node));
  TRY(finish(*segment));
  segment->parent = &node;
  return segment;
}

void clean_duplicates(Segment& segment, const Terms& terms) {
  Entry* kept = nullptr;
  for (int32_t i = 0; i < segment.count(); ++i) {
    Entry& entry = segment.sorted(i);
    if (entry.leaf_view().empty()) {
      entry.set(kCleared);
      continue;
    }
    Entry* twin = nullptr;
    if (kept && compare_entries(*kept, entry, terms.order()) == 0) {
      twin = kept;
    } else if (entry.is_dir() && terms.agreed.component_order && !entry.is_root()) {
      // A file of the same name sorts elsewhere.
      const int32_t at = segment.find(entry.path(), false, terms.order());
      if (at >= 0 && at < i && segment.sorted(at).active() && !segment.sorted(at).is_dir()) twin = &segment.sorted(at);
    }
    if (!twin) {
      kept = &entry;
      continue;
    }
    if (terms.reporter.traces(Debug::kDup, 1) && !terms.am_server)
      terms.reporter.trace(Debug::kDup, 1, "removing duplicate name {} from file list ({})", entry.path(),
                           segment.ndx_of_sorted(i));
    if (entry.is_dir() && !twin->is_dir()) {
      twin->set(kCleared);
      kept = &entry;
    } else {
      if (entry.is_dir()) {
        twin->marks = static_cast<uint16_t>(twin->marks | (entry.marks & (kTopDir | kContentDir)));
        if (!entry.has(kImpliedDir)) twin->unset(kImpliedDir);
      }
      entry.set(kCleared);
    }
  }
}

}  // namespace ocsync::sync
