#include "libproto/agreement.h"

namespace ocsync::proto {

Agreement Agreement::from(int version, uint32_t compat) {
  Agreement a;
  a.version = version;
  a.compat = version >= 30 ? compat : 0;
  const auto flag = [&a](CompatFlag f) { return (a.compat & f) != 0; };

  a.incremental = flag(kCompatIncRecurse);
  a.symlink_times = flag(kCompatSymlinkTimes);
  a.symlink_iconv = flag(kCompatSymlinkIconv);
  a.safe_list_end = flag(kCompatSafeList) || version >= 31;
  a.xattr_shortcut = version >= 31 && !flag(kCompatAvoidXattrOptim);
  a.inplace_partial = flag(kCompatInplacePartial);
  a.varint_entry_flags = flag(kCompatVarintFlags);
  a.id0_names = flag(kCompatId0Names);

  a.extended_entry_flags = version >= 28;

  a.item_flags = version >= 29;
  a.component_order = version >= 29;
  a.third_phase = version >= 29;
  a.list_times_in_stats = version >= 29;
  a.full_filter_prefixes = version >= 29;
  a.deleted_messages = version >= 29;
  a.multiple_basis = version >= 29;

  a.compact_numbers = version >= 30;
  a.io_error_after_list = version < 30;
  a.list_errors_told = version == 30;
  a.perishable_rules = version >= 30;
  a.no_send_messages = version >= 30;
  a.rich_text_codes = version >= 30;
  a.hard_link_groups = version >= 30;
  a.client_frames = version >= 30;
  a.late_delete_default = version >= 30;
  a.append_verifies = version < 30;
  a.max_block_bytes = version >= 30 ? 1u << 17 : 1u << 29;
  a.acls_and_xattrs = version >= 30;

  a.mtime_has_nanoseconds = version >= 31;
  a.specials_have_rdev = version < 31;
  a.closing_handshake = version >= 31;
  a.error_codes_travel = version >= 31;
  a.files_from_framed = version >= 31;
  a.insert_bug = version < 31;
  return a;
}

}  // namespace ocsync::proto
