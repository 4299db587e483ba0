// What options with a value, or with more than one effect, do to the draft. Named by the table, used nowhere else.
#pragma once

#include <string_view>

#include "libio/base/result.h"
#include "libsync/options/draft.h"

namespace ocsync::sync::values {

Status info(Draft& draft, std::string_view text);
Status debug(Draft& draft, std::string_view text);
Status stderr_mode(Draft& draft, std::string_view text);
Status archive(Draft& draft, std::string_view);
Status acls(Draft& draft, std::string_view);
Status atimes(Draft& draft, std::string_view);
Status devices_and_specials(Draft& draft, std::string_view);
Status no_devices_and_specials(Draft& draft, std::string_view);
Status chmod(Draft& draft, std::string_view text);
Status max_size(Draft& draft, std::string_view text);
Status min_size(Draft& draft, std::string_view text);
Status append(Draft& draft, std::string_view);
Status delete_missing(Draft& draft, std::string_view);
Status ignore_missing(Draft& draft, std::string_view);
Status dir_filter(Draft& draft, std::string_view);
Status filter(Draft& draft, std::string_view text);
Status exclude(Draft& draft, std::string_view text);
Status include(Draft& draft, std::string_view text);
Status exclude_from(Draft& draft, std::string_view text);
Status include_from(Draft& draft, std::string_view text);
Status block_size(Draft& draft, std::string_view text);
Status compare_dest(Draft& draft, std::string_view text);
Status copy_dest(Draft& draft, std::string_view text);
Status link_dest(Draft& draft, std::string_view text);
Status no_compress(Draft& draft, std::string_view);
Status old_compress(Draft& draft, std::string_view);
Status new_compress(Draft& draft, std::string_view);
Status partial_and_progress(Draft& draft, std::string_view);
Status bwlimit(Draft& draft, std::string_view text);
Status no_bwlimit(Draft& draft, std::string_view);
Status write_batch(Draft& draft, std::string_view text);
Status only_write_batch(Draft& draft, std::string_view text);
Status old_args(Draft& draft, std::string_view);
Status usermap(Draft& draft, std::string_view text);
Status groupmap(Draft& draft, std::string_view text);
Status chown(Draft& draft, std::string_view text);
Status stop_after(Draft& draft, std::string_view text);
Status stop_at(Draft& draft, std::string_view text);
Status no_iconv(Draft& draft, std::string_view);
Status io(Draft& draft, std::string_view text);
Status remote_option(Draft& draft, std::string_view text);

}  // namespace ocsync::sync::values
