#include "libsync/session/terms.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>

#include "libio/os/io_strategy.h"
#include "libproto/item.h"
#include "libsync/list/name_charset.h"
#include "libsync/meta/book.h"

namespace ocsync::sync {

bool Terms::keeps_sent_owners() const {
  if (!local || (options.usermap.empty() && options.groupmap.empty())) return false;
  const auto shows = [](const std::string& format) { return format.find_first_of("UG") != std::string::npos; };
  return shows(options.out_format) || shows(options.log_file_format);
}

bool Terms::same_time(io::FileTime a, io::FileTime b) const {
  const int window = options.modify_window;
  if (window == 0) return a.sec == b.sec;
  if (window < 0) return a == b;
  return std::llabs(a.sec - b.sec) <= window;
}

bool Terms::carries_xattrs(uint32_t flags) const {
  constexpr uint32_t kLinked = proto::kXnameFollows | proto::kLocalChange;
  if (options.xattrs == 0 || !options.moves_content() || !(flags & proto::kReportXattr)) return false;
  return !(agreed.xattr_shortcut && (flags & kLinked) == kLinked);
}

std::string Terms::mode_changes() const {
  if (options.chmod.empty() || options.module_chmod.empty()) return options.chmod + options.module_chmod;
  return options.chmod + "," + options.module_chmod;
}

Terms Terms::settle(const Options& options, const proto::Agreement& agreed, Reporter& reporter, Totals& totals,
                    const io::Stop& stop, bool am_server, bool we_send, bool local) {
  Terms terms{.options = options, .agreed = agreed, .reporter = reporter, .totals = totals, .stop = stop};
  terms.am_server = am_server;
  terms.we_send = we_send;
  terms.local = local;
  terms.our_uid = ::geteuid();
  const bool privileged = options.super.value_or(terms.our_uid == 0);
  terms.may_chown = options.fake_super || privileged;
  terms.io = std::make_shared<io::IoStrategy>(options.io, totals.io);
  if (options.verbosity.shows(Debug::kIo))
    terms.io->say([&reporter](std::string_view line) { reporter.debug_line_if(Debug::kIo, 1, line); });
  terms.meta = std::make_shared<MetaBook>();
  terms.meta->policy = {
      .level = options.xattrs, .privileged = privileged && !options.fake_super, .fake_super = options.fake_super};
  const bool append_any = options.append != AppendMode::kNone;
  terms.append_verify = options.append == AppendMode::kVerify || (append_any && agreed.append_verifies);
  terms.append = append_any && !terms.append_verify;
  terms.whole_file = append_any ? false : options.whole_file.value_or(local);
  if (agreed.transfer_digest == DigestKind::kNone) terms.whole_file = true;
  if (options.delete_any) {
    terms.delete_mode = options.delete_mode;
    if (terms.delete_mode == DeleteMode::kNone)
      terms.delete_mode = agreed.late_delete_default ? DeleteMode::kDuring : DeleteMode::kBefore;
  }
  ItemStyle style = reporter.style();
  // rsync's receivers below version 29 are taken not to set a symlink's time.
  style.symlink_times = we_send ? agreed.symlink_times : agreed.item_flags;
  style.digest_kind = options.checksum ? agreed.list_digest : agreed.transfer_digest;
  style.digest_shown = !agreed.seeded_file_sum && style.digest_kind != DigestKind::kNone;
  reporter.set_style(style);
  const mode_t mask = ::umask(0);
  ::umask(mask);
  terms.umask = mask;
  if (!options.module_chmod.empty())
    if (auto modes = ModeChanges::parse(options.module_chmod, mask)) terms.module_modes = std::move(*modes);
  return terms;
}

Status Terms::convert_names(std::shared_ptr<NameCharset> opened) {
  if (options.iconv.empty()) return {};
  charset = opened ? std::move(opened) : TRY(NameCharset::open(options.iconv, am_server));
  reporter.set_text_conversion([charset = charset](std::string_view text) { return charset->text_to_wire(text); },
                               [charset = charset](std::string_view text) { return charset->text_from_wire(text); });
  return {};
}

proto::EntryFields Terms::entry_fields() const {
  proto::EntryFields fields;
  fields.uid = options.owner;
  fields.gid = options.group;
  fields.names = agreed.incremental && !options.numeric_ids;
  fields.links = options.links;
  fields.devices = options.devices;
  fields.specials = options.specials;
  fields.hard_links = options.hard_links > 0;
  fields.atimes = options.atimes > 0;
  fields.crtimes = options.crtimes;
  fields.checksums = options.checksum;
  fields.acls = options.acls;
  fields.xattrs = options.xattrs > 0;
  fields.missing_args = options.delete_missing_args;
  fields.absolute_names = options.relative;
  return fields;
}

}  // namespace ocsync::sync
