// The far side's arguments: a table of letters, then long options, both in the one order that rsync uses.
#include "libsync/options/far_args.h"

#include <algorithm>

#include <fmt/format.h>

#include "libsync/report/verbosity.h"

namespace ocsync::sync {
namespace {

constexpr std::string_view kShellBytes = "!#$&;|<>(){}\"'` \t\n\r\\";
constexpr std::string_view kWildBytes = "*?[]";
constexpr int kMaxVerboseLetters = 9;
constexpr size_t kMaxServerArgs = 140;

bool is_in(std::string_view set, char c) { return set.find(c) != std::string_view::npos; }

// One more backslash before every byte of `set`. In file names a backslash that protects a wildcard stays as it is.
std::string with_backslashes(std::string_view text, bool file_name) {
  std::string quoted;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    const bool protects = file_name && c == '\\' && i + 1 < text.size() && is_in(kWildBytes, text[i + 1]);
    if (!protects && (is_in(kShellBytes, c) || (!file_name && is_in(kWildBytes, c)))) quoted += '\\';
    quoted += c;
  }
  return quoted;
}

// What both tables ask about.
struct Question {
  const Options& o;
  bool push;  // we send, the far side receives
};

struct Letters {
  char letter;
  int (*times)(const Question&);
};

constexpr Letters kLetters[] = {
    {'s', [](const Question& q) -> int { return q.o.secluded_args; }},
    {'v', [](const Question& q) -> int { return std::min(q.o.verbose, kMaxVerboseLetters); }},
    {'q', [](const Question& q) -> int { return q.o.quiet > 0 && q.o.stderr_mode != StderrMode::kClient; }},
    {'b', [](const Question& q) -> int { return q.o.backup; }},
    {'u', [](const Question& q) -> int { return q.o.update; }},
    {'n', [](const Question& q) -> int { return !q.o.moves_content(); }},
    {'l', [](const Question& q) -> int { return q.o.links; }},
    {'d',
     [](const Question& q) -> int {
       return q.o.explicit_dirs || (q.o.dirs && !q.o.recurse && (q.o.list_only || (q.o.delete_any && q.push)));
     }},
    {'K', [](const Question& q) -> int { return q.push && q.o.keep_dirlinks; }},
    {'m', [](const Question& q) -> int { return q.push && q.o.prune_empty_dirs; }},
    {'O', [](const Question& q) -> int { return q.push && q.o.explicit_omit_dir_times; }},
    {'J', [](const Question& q) -> int { return q.push && q.o.omit_link_times; }},
    {'y', [](const Question& q) -> int { return q.push ? std::min(q.o.fuzzy, 2) : 0; }},
    {'L', [](const Question& q) -> int { return !q.push && q.o.copy_links; }},
    {'k', [](const Question& q) -> int { return !q.push && q.o.copy_dirlinks; }},
    {'W', [](const Question& q) -> int { return q.o.whole_file == true; }},
    {'H', [](const Question& q) -> int { return std::min(q.o.hard_links, 2); }},
    {'o', [](const Question& q) -> int { return q.o.owner; }},
    {'g', [](const Question& q) -> int { return q.o.group; }},
    {'D', [](const Question& q) -> int { return q.o.devices; }},
    {'t', [](const Question& q) -> int { return q.o.times; }},
    {'U', [](const Question& q) -> int { return std::min(q.o.atimes, 2); }},
    {'N', [](const Question& q) -> int { return q.o.crtimes; }},
    {'p', [](const Question& q) -> int { return q.o.perms; }},
    {'E', [](const Question& q) -> int { return !q.o.perms && q.o.executability && q.push; }},
    {'A', [](const Question& q) -> int { return q.o.acls; }},
    {'X', [](const Question& q) -> int { return std::min(q.o.xattrs, 2); }},
    {'r', [](const Question& q) -> int { return q.o.recurse; }},
    {'c', [](const Question& q) -> int { return q.o.checksum; }},
    {'C', [](const Question& q) -> int { return q.o.cvs_exclude; }},
    {'I', [](const Question& q) -> int { return q.o.ignore_times; }},
    {'R', [](const Question& q) -> int { return q.o.relative; }},
    {'x', [](const Question& q) -> int { return std::min(q.o.one_file_system, 2); }},
    {'S', [](const Question& q) -> int { return q.o.sparse; }},
    {'z',
     [](const Question& q) -> int {
       return q.o.compress && !q.o.compress_by_level && (q.o.compress_choice.empty() || q.o.compress_choice == "zlib");
     }},
};

const char* delete_option(const Options& options) {
  switch (options.delete_mode) {
    case DeleteMode::kBefore: return "--delete-before";
    case DeleteMode::kDelay: return "--delete-delay";
    case DeleteMode::kDuring: return "--delete-during";
    case DeleteMode::kAfter: return "--delete-after";
    case DeleteMode::kNone: break;
  }
  return options.delete_any && !options.delete_excluded ? "--delete" : nullptr;
}

// The long options, grouped as the order allows. Each adds what its question asks for.
class LongOptions {
 public:
  explicit LongOptions(const Question& q) : o_(q.o), push_(q.push) {}

  std::vector<std::string> list() {
    about_lists();
    about_output();
    about_limits();
    about_methods();
    if (push_) about_receiving();
    if (!push_ && o_.skip_compress_given) value("--skip-compress", o_.skip_compress);
    about_both_sides();
    if (push_) about_placing();
    about_writing();
    about_names();
    about_rest();
    return std::move(words_);
  }

 private:
  void word(std::string text) { words_.push_back(std::move(text)); }
  void word_if(bool condition, const char* text) {
    if (condition) words_.emplace_back(text);
  }
  void value(const char* option, std::string_view text) {
    words_.push_back(fmt::format("{}={}", option, quote_option_value(o_, text)));
  }
  // Two words, so that a shell can expand a leading "~/".
  void split_value(const char* option, std::string_view text) {
    words_.emplace_back(option);
    words_.push_back(quote_option_value(o_, text));
  }

  void about_lists() {
    word_if(o_.explicit_list_only, "--list-only");
    word_if(o_.dirs && !o_.recurse && o_.delete_any && push_, "--no-r");
    if (o_.compress_level) word(fmt::format("--compress-level={}", *o_.compress_level));
    if (o_.devices)
      word_if(!o_.specials, "--no-specials");
    else
      word_if(o_.specials, "--specials");
  }

  void about_output() {
    if (!o_.out_format.empty() && push_) {
      if (o_.itemize > 1)
        word("--log-format=%i%I");
      else if (o_.itemize > 0)
        word("--log-format=%i");
      else if (format_shows(o_.out_format, 'o'))
        word("--log-format=%o");
      else if (o_.verbose == 0)
        word("--log-format=X");
    }
    word_if(o_.stderr_mode == StderrMode::kAll, "--msgs2stderr");
    word_if(o_.stderr_mode == StderrMode::kClient, "--no-msgs2stderr");
  }

  void about_limits() {
    if (o_.block_size) word(fmt::format("-B{}", o_.block_size));
    if (o_.timeout_s) word(fmt::format("--timeout={}", o_.timeout_s));
    if (o_.bwlimit_kib) word(fmt::format("--bwlimit={}", o_.bwlimit_kib));
    if (!o_.backup_dir.empty()) split_value("--backup-dir", o_.backup_dir);
    // The default follows what was typed, so a directory that turned out to be the destination itself counts, too.
    if (o_.backup_suffix != (o_.backup_dir.empty() ? "~" : "")) value("--suffix", o_.backup_suffix);
  }

  void about_methods() {
    if (!o_.checksum_choice.empty()) value("--checksum-choice", o_.checksum_choice);
    if (o_.compress_choice == "zlibx")
      word("--new-compress");
    else if (o_.compress_choice == "zlib")
      word("--old-compress");
    else if (!o_.compress_choice.empty())
      value("--compress-choice", o_.compress_choice);
  }

  void about_receiving() {
    if (o_.max_delete) word(*o_.max_delete > 0 ? fmt::format("--max-delete={}", *o_.max_delete) : "--max-delete=-1");
    if (o_.min_size) value("--min-size", o_.min_size_text);
    if (o_.max_size) value("--max-size", o_.max_size_text);
    if (const char* option = delete_option(o_)) word(option);
    word_if(o_.delete_excluded, "--delete-excluded");
    word_if(o_.force_delete, "--force");
    word_if(o_.only_write_batch, "--only-write-batch=X");
    word_if(o_.super == true, "--super");
    word_if(o_.size_only, "--size-only");
    word_if(o_.stats, "--stats");
  }

  void about_both_sides() {
    if (!o_.max_alloc_text.empty()) value("--max-alloc", o_.max_alloc_text);
    word_if(o_.delete_missing_args, "--delete-missing-args");
    word_if(o_.ignore_missing_args && !push_, "--ignore-missing-args");
    if (o_.modify_window_given && push_)
      word(o_.modify_window < 0 ? fmt::format("-@{}", o_.modify_window)
                                : fmt::format("--modify-window={}", o_.modify_window));
    if (o_.checksum_seed) word(fmt::format("--checksum-seed={}", o_.checksum_seed));
    if (push_ && !o_.partial_dir.empty()) {
      if (!o_.partial_dir_implied) split_value("--partial-dir", o_.partial_dir);
      word_if(o_.delay_updates, "--delay-updates");
    } else if (push_) {
      word_if(o_.partial, "--partial");
    }
    word_if(o_.ignore_errors, "--ignore-errors");
    word_if(o_.copy_unsafe_links, "--copy-unsafe-links");
    word_if(o_.safe_links, "--safe-links");
    word_if(o_.numeric_ids, "--numeric-ids");
    word_if(o_.qsort, "--use-qsort");
  }

  void about_placing() {
    if (!o_.usermap.empty()) value("--usermap", o_.usermap);
    if (!o_.groupmap.empty()) value("--groupmap", o_.groupmap);
    word_if(o_.ignore_existing, "--ignore-existing");
    word_if(o_.existing_only, "--existing");
    if (!o_.temp_dir.empty()) split_value("--temp-dir", o_.temp_dir);
    word_if(o_.fsync, "--fsync");
    for (const std::string& dir : o_.basis_dirs) split_value(basis_option(o_.basis_kind), dir);
  }

  void about_writing() {
    if (std::string info = far_info_argument(o_.verbosity, push_); !info.empty()) word(std::move(info));
    if (o_.append != AppendMode::kNone) {
      word_if(o_.append == AppendMode::kVerify, "--append");
      word("--append");
    } else if (o_.inplace) {
      word("--inplace");
      // Old receivers would otherwise copy whole files here.
      word_if(o_.sparse && o_.whole_file == false && push_, "--no-W");
    }
  }

  void about_names() {
    if (!o_.files_from.empty() && (!push_ || o_.files_from_far)) {
      if (o_.files_from_far) {
        split_value("--files-from", o_.files_from);
        word_if(o_.from0, "--from0");
      } else {
        word("--files-from=-");
        word("--from0");
      }
      word_if(!o_.relative, "--no-relative");
    }
    word_if(o_.relative && !o_.implied_dirs && (!push_ || o_.protocol >= 30), "--no-implied-dirs");
  }

  void about_rest() {
    word_if(o_.write_devices && push_, "--write-devices");
    word_if(o_.remove_source_files, "--remove-source-files");
    word_if(o_.remove_sent_files, "--remove-sent-files");
    word_if(o_.copy_devices && !push_, "--copy-devices");
    word_if(o_.preallocate && push_, "--preallocate");
    word_if(o_.open_noatime && o_.atimes <= 1, "--open-noatime");
    word_if(o_.mkpath && push_, "--mkpath");
  }

  const Options& o_;
  bool push_;
  std::vector<std::string> words_;
};

}  // namespace

bool wants_incremental_recursion(const Options& options, bool we_are_sender) {
  if (!options.inc_recursive || !options.recurse || options.qsort) return false;
  if (!we_are_sender && (options.delete_mode == DeleteMode::kBefore || options.delete_mode == DeleteMode::kAfter ||
                         options.delay_updates || options.prune_empty_dirs))
    return false;
  return !options.server || options.capabilities.find('i') != std::string::npos;
}

std::string capability_text(const Options& options, bool we_are_sender) {
  if (options.protocol < 30) return {};
  return wants_incremental_recursion(options, we_are_sender) ? ".iLsfxCIvu" : ".LsfxCIvu";
}

std::string quote_option_value(const Options& options, std::string_view value) {
  if (options.secluded_args || options.old_args >= 2) return std::string(value);
  return with_backslashes(value, false);
}

std::string quote_file_argument(const Options& options, bool we_are_sender, std::string_view name) {
  std::string quoted = name.starts_with('-') ? "./" : "";
  if (options.secluded_args || options.old_args > 0) return quoted + std::string(name);
  // A "~" that the far shell would turn into another name than the one we check the list against.
  if (name.starts_with('~') && !we_are_sender && !options.trusts_sender_args()) {
    const bool has_anchor = name.find("/./") != std::string_view::npos;
    const bool has_slash = name.find('/') != std::string_view::npos;
    if ((options.relative && !has_anchor) || !has_slash) quoted += '\\';
  }
  return quoted + with_backslashes(name, true);
}

std::string unquote_argument(std::string_view text) {
  std::string plain;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\' && i + 1 < text.size()) ++i;
    plain += text[i];
  }
  return plain;
}

Result<FarArguments> far_arguments(const Options& options, bool we_are_sender) {
  const Question question{options, we_are_sender};
  FarArguments far;
  far.words.emplace_back("--server");
  if (!we_are_sender) far.words.emplace_back("--sender");
  std::string letters = "-";
  for (const Letters& entry : kLetters) letters.append(static_cast<size_t>(entry.times(question)), entry.letter);
  if (const std::string capabilities = capability_text(options, we_are_sender); !capabilities.empty())
    letters += "e" + capabilities;
  if (letters.size() > 1) far.words.push_back(std::move(letters));
  if (!options.iconv.empty()) {
    const size_t comma = options.iconv.find(',');
    const std::string set = comma == std::string::npos ? options.iconv : options.iconv.substr(comma + 1);
    far.words.push_back("--iconv=" + quote_option_value(options, set));
  }

  std::vector<std::string>& rest = options.secluded_args ? far.secluded : far.words;
  for (std::string& word : LongOptions(question).list()) rest.push_back(std::move(word));
  if (far.words.size() + far.secluded.size() + options.remote_options.size() > kMaxServerArgs)
    return fail(Fault::kUsage, "too many remote options specified.");
  for (const std::string& option : options.remote_options)
    rest.push_back(options.old_args > 0 ? option : quote_option_value(options, option));
  return far;
}

Result<FarArguments> far_command(const Options& options, bool we_are_sender, const std::vector<std::string>& paths) {
  FarArguments far = TRY(far_arguments(options, we_are_sender));
  if (options.secluded_args) far.secluded.insert(far.secluded.begin(), "rsync");
  std::vector<std::string>& rest = options.secluded_args ? far.secluded : far.words;
  rest.emplace_back(".");
  for (const std::string& path : paths)
    rest.push_back(path.empty() ? "." : quote_file_argument(options, we_are_sender, path));
  return far;
}

}  // namespace ocsync::sync
