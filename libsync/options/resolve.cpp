// Implications, defaults and conflicts, topic by topic, in the order in which rsync complains about them.
#include "libsync/options/resolve.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>

#include <fmt/format.h>

#include "libsync/options/operands.h"
#include "libsync/options/refuse.h"
#include "libsync/options/show.h"
#include "libsync/options/table.h"

namespace ocsync::sync {
namespace {

constexpr int64_t kMinAlloc = 1024 * 1024;
constexpr int64_t kDefaultMaxAlloc = int64_t{1} << 30;
constexpr size_t kMaxPath = 4096;
constexpr size_t kMaxTempDir = kMaxPath - 10;
constexpr size_t kMaxBackupDir = kMaxPath - 128;
constexpr size_t kMaxBatchName = 256;
constexpr int kMaxDaemonCompressThreads = 6;  // our roles are threads, too: nine in all, which is what rsync allows
constexpr const char* kImpliedPartialDir = ".~tmp~";
constexpr const char* kDefaultLineFormat = "%n%L";
constexpr const char* kDefaultItemFormat = "%i %n%L";

std::unexpected<Error> conflict(std::string text) { return fail(Fault::kUsage, "rsync: " + std::move(text)); }

std::unexpected<Error> usage() {
  std::string text = help_text();
  if (text.ends_with('\n')) text.pop_back();
  return fail(Fault::kUsage, std::move(text));
}

std::optional<std::string> variable(const ParseEnvironment& environment, const char* name) {
  if (!environment.variable) return std::nullopt;
  std::optional<std::string> value = environment.variable(name);
  if (value && value->empty()) return std::nullopt;
  return value;
}

bool same_text(std::string_view a, std::string_view lower) {
  return a.size() == lower.size() && std::equal(a.begin(), a.end(), lower.begin(), [](char x, char y) {
           return (x >= 'A' && x <= 'Z' ? x - 'A' + 'a' : x) == y;
         });
}

// Extra slashes and "." go, ".." takes away the component before it. Empty becomes ".".
std::string clean_path(std::string_view path) {
  const bool anchored = path.starts_with('/');
  std::vector<std::string_view> parts;
  while (!path.empty()) {
    const size_t slash = path.find('/');
    const std::string_view part = path.substr(0, slash);
    path = slash == std::string_view::npos ? std::string_view() : path.substr(slash + 1);
    if (part.empty() || part == ".") continue;
    if (part == ".." && !parts.empty() && parts.back() != "..") {
      parts.pop_back();
    } else if (part != ".." || !anchored) {
      parts.push_back(part);
    }
  }
  std::string clean = anchored ? "/" : "";
  for (size_t i = 0; i < parts.size(); ++i) {
    if (i > 0) clean += '/';
    clean += parts[i];
  }
  return clean.empty() ? "." : clean;
}

struct Resolver {
  Draft& draft;
  const ParseEnvironment& environment;

  bool refuses(const char* name) const { return environment.refusals && environment.refusals->refuses_long(name); }
  std::unexpected<Error> refusal(const char* name) const {
    return fail(Fault::kUnsupported, "rsync: " + refusal_text(name, 0, draft));
  }

  Status settle_memory() {
    if (!draft.max_alloc_given) {
      const auto value = variable(environment, "RSYNC_MAX_ALLOC");
      if (!value) return {};
      draft.max_alloc_arg = *value;
    }
    draft.max_alloc = TRY(
        parse_size(draft.max_alloc_arg, "max-alloc", {.default_unit = 'B', .min = kMinAlloc, .zero_unlimited = true}));
    if (draft.max_alloc == 0) return conflict("max-alloc must be greater than zero");
    if (draft.max_alloc != kDefaultMaxAlloc) draft.max_alloc_text = draft.max_alloc_arg;
    return {};
  }

  // Who keeps the far shell from splitting arguments: backslashes, secluded arguments, or (--old-args) nobody.
  Status settle_argument_passing() {
    if (draft.old_args_level < 0) {
      draft.old_args_level = 0;
      if (!draft.server && draft.secluded_level <= 0) {
        if (const auto value = variable(environment, "RSYNC_OLD_ARGS")) {
          draft.secluded_level = 0;
          draft.old_args_level = std::max(0, std::atoi(value->c_str()));
        }
      }
    } else if (draft.old_args_level > 0) {
      if (draft.secluded_level > 0) return conflict("--secluded-args conflicts with --old-args.");
      draft.secluded_level = 0;
    }
    if (draft.secluded_level < 0) {
      const auto value = draft.server ? std::nullopt : variable(environment, "RSYNC_PROTECT_ARGS");
      draft.secluded_level = value && std::atoi(value->c_str()) != 0 ? 1 : 0;
    }
    draft.old_args = draft.old_args_level;
    draft.secluded_args = draft.secluded_level > 0;
    return {};
  }

  Status settle_checksum() {
    std::string& choice = draft.checksum_choice;
    if (choice.empty() || same_text(choice, "auto") || same_text(choice, "auto,auto")) {
      choice.clear();
      return {};
    }
    const auto known = [](std::string_view name) {
      for (const char* method : {"auto", "xxh128", "xxh3", "xxh64", "xxhash", "md5", "md4", "sha1", "none"})
        if (same_text(name, method)) return true;
      return false;
    };
    const size_t comma = choice.find(',');
    const std::string_view transfer = std::string_view(choice).substr(0, comma);
    if (!known(transfer)) return fail(Fault::kUnsupported, "unknown checksum name: " + choice);
    if (comma != std::string::npos && !known(std::string_view(choice).substr(comma + 1)))
      return fail(Fault::kUnsupported, "unknown checksum name: " + choice.substr(comma + 1));
    if (same_text(transfer, "none")) draft.whole_file = true;  // nothing would notice a wrong match
    return {};
  }

  Status settle_compression() {
    std::string& choice = draft.compress_choice;
    if (choice.empty() && draft.compress_count > 1) choice = "zlibx";
    draft.compress = draft.compress_count > 0;
    if (same_text(choice, "auto")) choice.clear();
    if (!choice.empty()) {
      std::string method;
      for (const char* name : {"zstd", "lz4", "zlibx", "zlib", "none"})
        if (same_text(choice, name)) method = name;
      if (method.empty()) return fail(Fault::kUnsupported, "unknown compress name: " + choice);
      choice = method;
      draft.compress = method != "none";
    }
    if (draft.compress_level_value != INT_MIN) {
      draft.compress_level = draft.compress_level_value;
      if (!draft.compress && choice.empty()) draft.compress = draft.compress_by_level = true;
    }
    if (draft.compress && refuses("compress")) return refusal("compress");
    draft.compress_threads = std::max(draft.compress_threads, 0);
    if (draft.daemon_child) draft.compress_threads = std::min(draft.compress_threads, kMaxDaemonCompressThreads);
    return {};
  }

  Status settle_streams() {
    draft.stderr_mode = draft.stderr_level == 1   ? StderrMode::kAll
                        : draft.stderr_level == 0 ? StderrMode::kClient
                                                  : StderrMode::kErrors;
    if (draft.stderr_level != 2) draft.stderr_given = true;
    if (!draft.outbuf_given || draft.server) return {};
    switch (draft.outbuf_text.empty() ? '\0' : draft.outbuf_text[0]) {
      case 'N':
      case 'n':
      case 'U':
      case 'u': draft.outbuf = 'N'; return {};
      case 'L':
      case 'l': draft.outbuf = 'L'; return {};
      case 'B':
      case 'b':
      case 'F':
      case 'f': draft.outbuf = 'B'; return {};
      default: return conflict("Invalid --outbuf setting -- specify N, L, or B.");
    }
  }

  void settle_verbosity() {
    apply_verbose_level(draft.verbosity, draft.verbose);
    if (draft.stats) imply(draft.verbosity, Info::kStats, draft.verbose > 1 ? 3 : 2);
  }

  Status settle_iconv() {
    if (!draft.server && draft.iconv == "-") draft.iconv.clear();
    if (refuses("no-iconv") && draft.iconv.empty()) return refusal("no-iconv");
    return {};
  }

  Status settle_rights() {
    if (draft.super_level == 2) draft.super = true;
    if (draft.super_level == 0) draft.super = false;
    draft.fake_super = draft.super_level == -1;
    if (draft.fake_super && draft.xattrs > 1) return conflict("--fake-super conflicts with -XX");
    return {};
  }

  Status settle_batch() {
    if (draft.write_batch_given && draft.read_batch_given)
      return conflict("--write-batch and --read-batch can not be used together");
    if (draft.server) {
      // Old clients send them along; a server has no use for them but to know that nothing is to be written.
      if (!draft.only_write_batch) draft.write_batch.clear();
      draft.read_batch.clear();
      draft.read_batch_given = false;
    }
    if (draft.dry_run) {
      draft.write_batch.clear();
      draft.only_write_batch = false;
    }
    if (draft.read_batch_given && draft.files_from_given)
      return conflict("--read-batch cannot be used with --files-from");
    if (draft.read_batch_given && draft.remove_level)
      return conflict(fmt::format("--read-batch cannot be used with --remove-{}-files",
                                  draft.remove_level == 1 ? "source" : "sent"));
    if (std::max(draft.read_batch.size(), draft.write_batch.size()) > kMaxBatchName)
      return conflict(fmt::format("the batch-file name must be {} characters or less.", kMaxBatchName));
    return {};
  }

  // What takes part: the levels of -r, -d, -R and what --files-from and listing make of them.
  Status settle_selection() {
    if (draft.temp_dir.size() >= kMaxTempDir) return conflict("the --temp-dir path is WAY too long.");
    if (draft.max_delete_value != INT_MIN) draft.max_delete = std::max(draft.max_delete_value, 0);
    if (draft.files_from_given) {
      if (draft.recurse_level == 1) draft.recurse_level = 0;
      if (draft.dirs_level < 0) draft.dirs_level = 1;
    }
    draft.explicit_list_only = draft.list_level == 2;
    draft.list_only =
        draft.explicit_list_only || (draft.operands.size() < 2 && !draft.read_batch_given && !draft.server);
    if (draft.dirs_level >= 4) {
      draft.old_dirs = true;
      draft.recurse_level = draft.dirs_level = 1;
    } else if (draft.recurse_level > 0) {
      draft.dirs_level = 1;
    } else if (draft.dirs_level < 0) {
      draft.dirs_level = draft.list_only ? 1 : 0;
    }
    draft.recurse = draft.recurse_level > 0;
    draft.explicit_recurse = draft.recurse_level == 2;
    draft.dirs = draft.dirs_level > 0;
    draft.explicit_dirs = draft.dirs_level == 2;
    draft.relative = draft.relative_level < 0 ? draft.files_from_given : draft.relative_level > 0;
    if (!draft.relative) draft.implied_dirs = false;
    return {};
  }

  Status settle_deleting() {
    if (draft.delete_before + (draft.delete_during > 0) + draft.delete_after > 1)
      return conflict("You may not combine multiple --delete-WHEN options.");
    if (draft.delete_before) draft.delete_mode = DeleteMode::kBefore;
    if (draft.delete_during) draft.delete_mode = draft.delete_during == 2 ? DeleteMode::kDelay : DeleteMode::kDuring;
    if (draft.delete_after) draft.delete_mode = DeleteMode::kAfter;
    draft.delete_any = draft.delete_mode != DeleteMode::kNone || draft.delete_plain || draft.delete_excluded;
    if (draft.delete_any && draft.delete_mode == DeleteMode::kNone) {
      // When is decided by the protocol, unless a module leaves only one way.
      if (refuses("delete-before")) {
        if (refuses("delete-during")) return refusal("delete-before");
        draft.delete_mode = DeleteMode::kDuring;
      } else if (refuses("delete-during")) {
        draft.delete_mode = DeleteMode::kBefore;
      }
    }
    if (!draft.dirs && draft.delete_any)
      return conflict("--delete does not work without --recursive (-r) or --dirs (-d).");
    draft.delete_missing_args = (draft.missing_args & 2) != 0;
    draft.ignore_missing_args = draft.missing_args == 1;
    if (refuses("delete") && (draft.delete_any || draft.delete_missing_args)) return refusal("delete");
    if (draft.remove_level && refuses("delete") && draft.sender) return refusal("delete");
    draft.remove_source_files = draft.remove_level == 1;
    draft.remove_sent_files = draft.remove_level == 2;
    return {};
  }

  Status settle_confinement() {
    if (draft.munge_links && !draft.daemon_child && environment.munge_dir_exists)
      return fail(Fault::kUnsupported, "Symlink munging is unsafe when a /rsyncd-munged directory exists.");
    if (!draft.confine_given || draft.daemon_child) return {};
    if (!draft.confine_text.starts_with('/')) return conflict("--confine-root must be an absolute path");
    if (draft.insecure_links) return conflict("--insecure-links cannot be combined with --confine-root");
    draft.confine_root = clean_path(draft.confine_text);
    return {};
  }

  Status settle_backup() {
    if (!draft.backup_suffix_given) draft.backup_suffix = draft.backup_dir_given ? "" : "~";
    if (draft.backup_suffix.find('/') != std::string::npos)
      return conflict("--suffix cannot contain slashes: " + draft.backup_suffix);
    bool dir_is_destination = false;
    if (draft.backup_dir_given) {
      draft.backup = true;
      while (draft.backup_dir.starts_with("./")) draft.backup_dir.erase(0, 2);
      if (draft.backup_dir == ".") draft.backup_dir.clear();
      if (draft.backup_dir.size() > kMaxBackupDir) return conflict("the --backup-dir path is WAY too long.");
      dir_is_destination = draft.backup_dir.empty();
    }
    if (draft.backup_dir.empty() && draft.backup_suffix.empty() && !(draft.server && draft.sender))
      return conflict(fmt::format("--suffix cannot be empty {}", dir_is_destination
                                                                     ? "when --backup-dir is the same as the dest dir"
                                                                     : "without a --backup-dir"));
    // Backups beside the originals move their directory's time; an implied -O is not told to the far side.
    const bool implied = draft.backup && draft.backup_dir.empty();
    draft.omit_dir_times = implied || draft.omit_dirs > 0;
    draft.explicit_omit_dir_times = !implied && draft.omit_dirs > 0;
    return {};
  }

  void settle_formats() {
    const std::string& typed = draft.format_text;
    if (draft.server) {
      // A client says in this form how much it wants to know; the far side prints nothing itself.
      draft.far_wants_item_level = format_shows(typed, 'I') ? 2 : format_shows(typed, 'i') ? 1 : 0;
      draft.far_wants_item = draft.far_wants_item_level > 0;
      draft.far_wants_operation = format_shows(typed, 'o');
      draft.log_format_x = typed == "X";
    } else {
      bool before_transfer = true;
      draft.out_format = typed;
      if (draft.out_format_given) {
        draft.itemize = format_shows(typed, 'i') ? std::max(draft.itemize_count | 1, 1) : 0;
        before_transfer = !format_shows(typed, 'b') && !format_shows(typed, 'c') && !format_shows(typed, 'C');
      } else if (draft.itemize_count > 0) {
        draft.out_format = kDefaultItemFormat;
        draft.itemize = draft.itemize_count;
      } else {
        before_transfer = false;
      }
      if (draft.progress) {
        if (!before_transfer && !draft.verbosity.shows(Info::kName)) imply(draft.verbosity, Info::kName, 1);
        imply(draft.verbosity, Info::kFlist, 2);
        imply(draft.verbosity, Info::kProgress, 1);
      }
      if (draft.verbosity.shows(Info::kName) && draft.out_format.empty() && !draft.out_format_given)
        draft.out_format = kDefaultLineFormat;
    }
    if (draft.log_file.empty()) {
      if (!draft.daemon_child) draft.log_file_format.clear();
    } else if (!draft.log_file_format_given) {
      draft.log_file_format = kDefaultItemFormat;
    }
    draft.stats_level = draft.verbosity.info[static_cast<size_t>(Info::kStats)];
  }

  Status settle_writing() {
    draft.append = draft.append_count > 1    ? AppendMode::kVerify
                   : draft.append_count == 1 ? AppendMode::kAppend
                                             : AppendMode::kNone;
    const bool appends = draft.append_count > 0;
    if (appends) {
      if (draft.whole_file == true) return conflict("--append cannot be used with --whole-file");
      if (refuses("inplace")) return refusal("inplace");
      draft.inplace = true;
    }
    if (draft.write_devices) {
      if (refuses("inplace")) return refusal("inplace");
      draft.inplace = true;
    }
    if (draft.delay_updates && !draft.partial_dir_given) {
      draft.partial_dir = kImpliedPartialDir;
      draft.partial_dir_given = draft.partial_dir_implied = true;
    }
    if (draft.inplace) {
      if (draft.partial_dir_given)
        return conflict(fmt::format("--{} cannot be used with --{}", appends ? "append" : "inplace",
                                    draft.delay_updates ? "delay-updates" : "partial-dir"));
      if (refuses("partial")) return refusal("partial");
      draft.partial = false;  // what is in place is kept anyway
      return {};
    }
    if (draft.partial && !draft.partial_dir_given && !draft.server) {
      if (const auto dir = variable(environment, "RSYNC_PARTIAL_DIR")) {
        draft.partial_dir = *dir;
        draft.partial_dir_given = true;
      }
    }
    if (draft.partial_dir_given) {
      if (!draft.partial_dir.empty()) draft.partial_dir = clean_path(draft.partial_dir);
      if (draft.partial_dir == ".") draft.partial_dir.clear();
      if (draft.partial_dir.empty() && refuses("partial")) return refusal("partial");
      draft.partial = true;
    }
    return {};
  }

  Status settle_files_from() {
    if (!draft.files_from_given) return {};
    const size_t count = draft.operands.size();
    if (count > 2 || (!draft.daemon_child && !draft.server && count == 1)) return usage();
    if (draft.files_from == "-") return {};
    Operand where = parse_operand(draft.files_from);
    if (where.where == Operand::Where::kLocal) return {};
    if (draft.server) return conflict("The --files-from sent to the server cannot specify a host.");
    draft.files_from = where.path;
    draft.files_from_host = where.user_and_host();
    draft.files_from_far = true;
    if (draft.files_from == "-") return conflict("Invalid --files-from remote filename");
    return {};
  }

  void settle_shell() {
    if (draft.server) {
      // On a server, -e is no shell but what the client is capable of.
      draft.capabilities = std::exchange(draft.shell, {});
      return;
    }
    std::string shell = draft.shell;
    if (shell.empty()) shell = variable(environment, "RSYNC_RSH").value_or("ssh");
    shell.erase(std::min(shell.find(' '), shell.size()));
    const std::string base = shell.substr(shell.rfind('/') + 1);
    draft.blocking_io = draft.blocking < 0 ? base == "rsh" || base == "remsh" : draft.blocking > 0;
  }
};

}  // namespace

Result<Options> resolve(Draft draft, std::vector<std::string> operands, const ParseEnvironment& environment) {
  draft.operands = std::move(operands);
  Resolver resolver{draft, environment};
  TRY(resolver.settle_memory());
  TRY(resolver.settle_argument_passing());
  TRY(resolver.settle_checksum());
  TRY(resolver.settle_compression());
  TRY(resolver.settle_streams());
  resolver.settle_verbosity();
  TRY(resolver.settle_iconv());
  // Twice -y looks into every alternative directory, too.
  if (draft.fuzzy > 1) draft.fuzzy = static_cast<int>(draft.basis_dirs.size()) + 1;
  TRY(resolver.settle_rights());
  TRY(resolver.settle_batch());
  TRY(resolver.settle_selection());
  TRY(resolver.settle_deleting());
  TRY(resolver.settle_confinement());
  TRY(resolver.settle_backup());
  resolver.settle_formats();
  TRY(resolver.settle_writing());
  TRY(resolver.settle_files_from());
  resolver.settle_shell();
  if (draft.operands.empty() && !draft.daemon_child) return usage();
  if (draft.only_write_batch) draft.dry_run = true;
  return Options(std::move(draft));
}

}  // namespace ocsync::sync
