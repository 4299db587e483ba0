#include "libsync/daemon/module_options.h"

#include <fmt/format.h>

#include <algorithm>

#include "libsync/meta/modes.h"

namespace ocsync::sync {

void impose_module(Options& options, const Module& m, const Standing& standing, const DaemonLog& log) {
  const ModuleRoot& root = standing.root;
  if (m.state(Param::kOpenNoatime) >= 0) options.open_noatime = m.flag(Param::kOpenNoatime);
  options.munge_links = standing.inside.munge;
  options.sanitize_links = root.inner() && !standing.inside.munge;
  if (m.flag(Param::kIgnoreErrors)) options.ignore_errors = true;
  if (m.flag(Param::kFakeSuper)) {
    options.xattrs = std::min(options.xattrs, 1);
    options.fake_super = true;
    options.super.reset();
  } else if (options.fake_super) {
    options.fake_super = false;
    options.super = true;
  }
  if (!options.write_batch.empty() && options.only_write_batch) options.dry_run = true;
  limit_verbose_level(options.verbosity, m.number(Param::kMaxVerbosity));
  options.verbose = std::min(options.verbose, std::max(m.number(Param::kMaxVerbosity), 0));
  const int ids = m.state(Param::kNumericIds);
  if (!options.numeric_ids) options.ignore_names = root.use_chroot ? ids != 0 && !standing.converts_names : ids > 0;
  const int timeout = m.number(Param::kTimeout);
  if (timeout > 0 && (options.timeout_s == 0 || timeout < options.timeout_s)) options.timeout_s = timeout;
  options.module_chmod = m.text(options.sender ? Param::kOutgoingChmod : Param::kIncomingChmod);
  if (!options.module_chmod.empty() && !ModeChanges::parse(options.module_chmod, 022)) {
    log.line(
        fmt::format("Invalid \"{}ing chmod\" directive: {}", options.sender ? "outgo" : "incom", options.module_chmod),
        true);
    options.module_chmod.clear();
  }
  if (const std::string dir = m.text(Param::kTempDir); !dir.empty()) {
    options.temp_dir = dir;
    options.operators_temp_dir = true;
  }
  const auto limit = static_cast<uint64_t>(standing.bwlimit_kib);
  if (limit > 0 && (options.bwlimit_kib == 0 || options.bwlimit_kib > limit)) options.bwlimit_kib = limit;
  // What the client says about suffixes has no effect here, as with rsync.
  options.skip_compress = m.text(Param::kDontCompress);
  options.ignore_nonreadable = m.flag(Param::kIgnoreNonreadable);
  options.insecure_links = m.flag(Param::kInsecureLinks);
  // A client decides whether names are converted, the module to what.
  if (!options.iconv.empty()) options.iconv = m.text(Param::kCharset);
  options.module_name = m.name;
  options.module_root = root.root;
  if (root.inner() && !options.insecure_links) options.module_fd = standing.inside.root.get();
}

void recall_shape(const std::vector<std::string>& arguments, Options& options) {
  for (const std::string& word : arguments) {
    if (word == "--sender") options.sender = true;
    if (word.starts_with("--files-from")) options.files_from = "-";
    if (word.starts_with('-') && !word.starts_with("--")) {
      const size_t e = word.find('e');
      const std::string letters = word.substr(1, e == word.npos ? word.npos : e - 1);
      if (e != word.npos) options.capabilities = word.substr(e + 1);
      options.recurse = letters.find('r') != letters.npos;
      options.compress = letters.find('z') != letters.npos;
    }
    if (word == "--compress-choice=zlibx" || word == "--new-compress")
      options.compress_choice = "zlibx";
    else if (word.starts_with("--compress-choice="))
      options.compress_choice = word.substr(18);
    if (word == "--old-compress") options.compress_choice = "zlib";
    if (word.starts_with("--checksum-choice=")) options.checksum_choice = word.substr(18);
    if (word == "--no-inc-recursive" || word == "--no-i-r") options.inc_recursive = false;
    if (word == "--delete-before" || word == "--delete-after" || word == "--delay-updates")
      options.inc_recursive = false;
  }
}

}  // namespace ocsync::sync
