// The effects behind the table's rows, and the readers of sizes and times.
#include "libsync/options/values.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <ctime>

#include <fmt/format.h>

#include "libsync/options/table.h"

namespace ocsync::sync {
namespace {

constexpr size_t kMaxBasisDirs = 20;
constexpr int64_t kMaxBlockSize = int64_t{1} << 17;
constexpr int64_t kMaxBlockSizeBefore30 = int64_t{1} << 29;
constexpr int64_t kMinBwlimit = 512;

bool is_digit(char c) { return c >= '0' && c <= '9'; }

std::unexpected<Error> refuse(std::string text) { return fail(Fault::kUsage, "rsync: " + std::move(text)); }

// A bound as the complaint about it shows it: units of 1024 with two decimals.
std::string bound_text(int64_t n) {
  if (n < 1024) return fmt::format("{}", n);
  double value = static_cast<double>(n) / 1024;
  const char* unit = "KMGTP";
  while (value >= 1024 && unit[1]) {
    value /= 1024;
    ++unit;
  }
  return fmt::format("{:.2f}{}", value, *unit);
}

enum class SizeFault { kInvalid, kTooLarge, kTooSmall };

std::expected<int64_t, SizeFault> read_size(std::string_view text, const SizeRule& rule) {
  const int64_t top = rule.max >= 0 ? rule.max : INT64_MAX;
  size_t at = 0;
  while (at < text.size() && is_digit(text[at])) ++at;
  if (at < text.size() && text[at] == '.') {
    ++at;
    while (at < text.size() && is_digit(text[at])) ++at;
  }
  const std::string digits(text.substr(0, at));
  const auto peek = [&](size_t i) { return i < text.size() ? text[i] : '\0'; };

  char unit = rule.default_unit;
  if (peek(at) && peek(at) != '+' && peek(at) != '-') unit = text[at++];
  const size_t power =
      std::string_view("bkmgtp").find(static_cast<char>(std::tolower(static_cast<unsigned char>(unit))));
  if (power == std::string_view::npos) return std::unexpected(SizeFault::kInvalid);

  int64_t base = 1024;
  if (peek(at) == 'b' || peek(at) == 'B') {
    base = 1000;
    ++at;
  } else if ((peek(at) == 'i' || peek(at) == 'I') && (peek(at + 1) == 'b' || peek(at + 1) == 'B')) {
    at += 2;
  } else if (peek(at) && peek(at) != '+' && peek(at) != '-') {
    return std::unexpected(SizeFault::kInvalid);
  }
  int64_t scale = 1;
  for (size_t i = 0; i < power; ++i) {
    if (scale > top / base) return std::unexpected(SizeFault::kTooLarge);
    scale *= base;
  }
  const double value = std::strtod(digits.c_str(), nullptr);
  const double limit = static_cast<double>(top) / static_cast<double>(scale);
  if (!std::isfinite(value) || value > limit || (rule.max < 0 && value >= limit))
    return std::unexpected(SizeFault::kTooLarge);
  int64_t size = static_cast<int64_t>(value * static_cast<double>(scale));

  if ((peek(at) == '+' || peek(at) == '-') && peek(at + 1) == '1' && at > 0) {
    if (peek(at) == '+' && size == top) return std::unexpected(SizeFault::kTooLarge);
    size += peek(at) == '+' ? 1 : -1;
    at += 2;
  }
  if (at != text.size()) return std::unexpected(SizeFault::kInvalid);
  if (size < 0 || size > top) return std::unexpected(SizeFault::kTooLarge);
  if (size < rule.min && !(rule.zero_unlimited && size == 0)) return std::unexpected(SizeFault::kTooSmall);
  return size;
}

bool is_chmod_operator(char c) { return c == '+' || c == '-' || c == '='; }

// One item of --chmod: letters DFugoa, then an operator with rwxXst or one of u, g, o to copy from; or octal digits
// after D or F. What the items mean is meta/modes' business.
bool is_chmod_item(std::string_view item) {
  size_t at = 0;
  const auto skip = [&](std::string_view set) {
    const size_t from = at;
    while (at < item.size() && set.find(item[at]) != std::string_view::npos) ++at;
    return item.substr(from, at - from);
  };
  const std::string_view who = skip("DFugoa");
  const bool for_dirs = who.find('D') != std::string_view::npos;
  const bool for_files = who.find('F') != std::string_view::npos;
  if (for_dirs && for_files) return false;
  const bool names_somebody = who.find_first_of("ugoa") != std::string_view::npos;
  const std::string_view octal = skip("01234567");
  if (!octal.empty())
    return !names_somebody && at == item.size() && std::strtoul(std::string(octal).c_str(), nullptr, 8) <= 07777;
  if (at == item.size() || !is_chmod_operator(item[at])) return false;
  ++at;
  const std::string_view copied = skip("ugo");
  if (!copied.empty()) return copied.size() == 1 && at == item.size();
  skip("rwxXst");
  return at == item.size();
}

bool is_chmod(std::string_view text) {
  while (true) {
    const size_t comma = text.find(',');
    if (!is_chmod_item(text.substr(0, comma))) return false;
    if (comma == std::string_view::npos) return true;
    text.remove_prefix(comma + 1);
  }
}

Status add_basis(Draft& draft, BasisDirKind kind, std::string_view dir) {
  if (draft.basis_kind != BasisDirKind::kNone && draft.basis_kind != kind)
    return refuse(fmt::format("ERROR: the {} option conflicts with the {} option", basis_option(kind),
                              basis_option(draft.basis_kind)));
  draft.basis_kind = kind;
  if (draft.basis_dirs.size() >= kMaxBasisDirs)
    return refuse(fmt::format("ERROR: at most {} {} args may be specified", kMaxBasisDirs, basis_option(kind)));
  draft.basis_dirs.emplace_back(dir);
  return {};
}

Status add_filter(Draft& draft, FilterArgument::Kind kind, std::string_view text) {
  draft.filters.push_back({kind, std::string(text), draft.from0});
  return {};
}

// One of the two id maps with the facts that its complaints need.
struct MapTarget {
  std::string Draft::* map;
  bool Draft::* given;
  bool Draft::* by_chown;
  bool Draft::* keeps;
  const char* option;
  const char* subject;
};
constexpr MapTarget kUserMap{&Draft::usermap, &Draft::usermap_given, &Draft::usermap_by_chown,
                             &Draft::owner,   "--usermap",           "user"};
constexpr MapTarget kGroupMap{&Draft::groupmap, &Draft::groupmap_given, &Draft::groupmap_by_chown,
                              &Draft::group,    "--groupmap",           "group"};

Status set_map(Draft& draft, const MapTarget& target, std::string map) {
  if (draft.*target.given) {
    if (draft.*target.by_chown) return refuse(fmt::format("{} conflicts with prior --chown.", target.option));
    return refuse(fmt::format("You can only specify {} once.", target.option));
  }
  draft.*target.map = std::move(map);
  draft.*target.given = true;
  draft.*target.by_chown = false;
  draft.*target.keeps = true;
  return {};
}

Status set_map_by_chown(Draft& draft, const MapTarget& target, std::string_view name) {
  if (draft.*target.given) {
    if (!(draft.*target.by_chown)) return refuse(fmt::format("--chown conflicts with prior {}.", target.option));
    return refuse(fmt::format("You can only specify a {}-affecting --chown once.", target.subject));
  }
  draft.*target.map = fmt::format("*:{}", name);
  draft.*target.given = true;
  draft.*target.by_chown = true;
  draft.*target.keeps = true;
  return {};
}

}  // namespace

Result<int64_t> parse_size(std::string_view text, std::string_view option, const SizeRule& rule) {
  const auto size = read_size(text, rule);
  if (size) return *size;
  const char* fault = size.error() == SizeFault::kInvalid    ? "invalid"
                      : size.error() == SizeFault::kTooLarge ? "too large"
                                                             : "too small";
  std::string complaint = fmt::format("--{}={} is {}", option, text, fault);
  if (size.error() == SizeFault::kTooLarge && rule.max >= 0)
    complaint += fmt::format(" (max: {})", bound_text(rule.max));
  if (size.error() == SizeFault::kTooSmall)
    complaint += fmt::format(" (min: {}{})", bound_text(rule.min), rule.zero_unlimited ? " or 0 for unlimited" : "");
  return refuse(std::move(complaint));
}

namespace {

// The parts of a point in time as they were written; -1: left out.
struct TimeParts {
  int year = -1, month = -1, day = -1, hour = -1, minute = -1;
};

// Dates are y-m-d or y/m/d with parts missing from the left, then 'T', then [h]:m; a bare ":m" is a minute.
bool read_time_parts(std::string_view text, TimeParts& parts) {
  std::string_view date = text, clock;
  bool has_clock = false;
  const size_t t = text.find_first_of("Tt");
  if (t != std::string_view::npos) {
    date = text.substr(0, t);
    clock = text.substr(t + 1);
    has_clock = !clock.empty();
    if (date.empty() && clock.empty()) return false;
  } else if (text.find(':') != std::string_view::npos) {
    date = {};
    clock = text;
    has_clock = true;
  }
  const auto number = [](std::string_view digits, int& out) {
    if (digits.empty() || digits.size() > 6) return false;
    out = 0;
    for (const char c : digits) {
      if (!is_digit(c)) return false;
      out = out * 10 + (c - '0');
    }
    return true;
  };
  if (!date.empty()) {
    int found[3];
    int n = 0;
    while (true) {
      const size_t cut = date.find_first_of("-/");
      if (n == 3 || !number(date.substr(0, cut), found[n])) return false;
      ++n;
      if (cut == std::string_view::npos) break;
      date.remove_prefix(cut + 1);
    }
    parts.day = found[n - 1];
    if (n > 1) parts.month = found[n - 2];
    if (n > 2) parts.year = found[0];
  }
  if (has_clock) {
    const size_t colon = clock.find(':');
    if (colon == std::string_view::npos) return false;
    if (colon > 0 && !number(clock.substr(0, colon), parts.hour)) return false;
    if (!number(clock.substr(colon + 1), parts.minute)) return false;
    // After a 'T' the hour must be there.
    if (colon == 0 && t != std::string_view::npos) return false;
  }
  return parts.day >= 0 || parts.minute >= 0;
}

// mktime for a day that must exist; negative if the month has no such day.
int64_t existing_day(std::tm when) {
  const int day = when.tm_mday;
  when.tm_isdst = -1;
  const time_t value = std::mktime(&when);
  return when.tm_mday == day ? static_cast<int64_t>(value) : -1;
}

}  // namespace

int64_t parse_time_of_day(std::string_view text, int64_t now_wall_s) {
  TimeParts parts;
  if (!read_time_parts(text, parts)) return -1;
  const time_t now = now_wall_s;
  std::tm today{};
  localtime_r(&now, &today);

  std::tm when{};
  when.tm_isdst = -1;
  const bool any_hour = parts.hour < 0 && parts.minute >= 0;
  when.tm_min = std::max(parts.minute, 0);
  when.tm_hour = any_hour ? today.tm_hour : std::max(parts.hour, 0);
  if (when.tm_hour > 23 || when.tm_min > 59 || parts.month == 0 || parts.month > 12 || parts.day == 0 || parts.day > 31)
    return -1;
  when.tm_mday = parts.day < 0 ? today.tm_mday : parts.day;
  when.tm_mon = parts.month < 0 ? today.tm_mon : parts.month - 1;
  when.tm_year = today.tm_year;
  if (parts.year >= 100) when.tm_year = parts.year - 1900;
  if (parts.year >= 0 && parts.year < 100) {
    when.tm_year = parts.year;
    while (when.tm_year < today.tm_year) when.tm_year += 100;
  }

  if (parts.day < 0) {
    // A time alone: the next one, today or tomorrow (or, for a minute, within the hour).
    int64_t value = std::mktime(&when);
    if (any_hour) return value > now_wall_s ? value : value + 3600;
    if (value > now_wall_s) return value;
    ++when.tm_mday;
    when.tm_isdst = -1;
    return std::mktime(&when);
  }
  if (parts.year >= 0) return existing_day(when);
  // The next date in the future that fits what was written; eight years are enough for any February 29th.
  for (int step = 0; step < 8 * 12; ++step) {
    const int64_t value = existing_day(when);
    if (value > now_wall_s) return value;
    if (parts.month >= 0) {
      ++when.tm_year;
    } else if (++when.tm_mon == 12) {
      when.tm_mon = 0;
      ++when.tm_year;
    }
  }
  return -1;
}

namespace values {

Status info(Draft& draft, std::string_view text) {
  if (asks_for_help(text)) {
    draft.print_text = info_help_text();
    return {};
  }
  return apply_info(draft.verbosity, text, draft.server);
}

Status debug(Draft& draft, std::string_view text) {
  if (asks_for_help(text)) {
    draft.print_text = debug_help_text();
    return {};
  }
  return apply_debug(draft.verbosity, text, draft.server);
}

Status stderr_mode(Draft& draft, std::string_view text) {
  const auto starts = [&](std::string_view word) { return !text.empty() && word.starts_with(text); };
  if (starts("errors"))
    draft.stderr_level = 2;
  else if (starts("all"))
    draft.stderr_level = 1;
  else if (starts("client"))
    draft.stderr_level = 0;
  else
    return refuse(fmt::format("--stderr mode \"{}\" is not one of errors, all, or client", text));
  draft.stderr_given = true;
  return {};
}

Status archive(Draft& draft, std::string_view) {
  if (draft.recurse_level == 0) draft.recurse_level = 1;  // -r itself would survive --files-from
  draft.links = draft.perms = draft.times = draft.group = draft.owner = draft.devices = draft.specials = true;
  return {};
}

Status acls(Draft& draft, std::string_view) {
  draft.acls = draft.perms = true;
  return {};
}

Status atimes(Draft& draft, std::string_view) {
  if (++draft.atimes > 1) draft.open_noatime = true;
  return {};
}

Status devices_and_specials(Draft& draft, std::string_view) {
  draft.devices = draft.specials = true;
  return {};
}

Status no_devices_and_specials(Draft& draft, std::string_view) {
  draft.devices = draft.specials = false;
  return {};
}

Status chmod(Draft& draft, std::string_view text) {
  if (!is_chmod(text)) return refuse(fmt::format("Invalid argument passed to --chmod ({})", text));
  if (!draft.chmod.empty()) draft.chmod += ',';
  draft.chmod += text;
  return {};
}

Status max_size(Draft& draft, std::string_view text) {
  draft.max_size = TRY(parse_size(text, "max-size", {}));
  draft.max_size_text = fmt::format("{}", *draft.max_size);
  return {};
}

Status min_size(Draft& draft, std::string_view text) {
  draft.min_size = TRY(parse_size(text, "min-size", {}));
  draft.min_size_text = fmt::format("{}", *draft.min_size);
  return {};
}

// A client sends --append twice for --append-verify.
Status append(Draft& draft, std::string_view) {
  draft.append_count = draft.server ? draft.append_count + 1 : 1;
  return {};
}

Status delete_missing(Draft& draft, std::string_view) {
  draft.missing_args |= 2;
  return {};
}

Status ignore_missing(Draft& draft, std::string_view) {
  draft.missing_args |= 1;
  return {};
}

// The third and later ones mean nothing.
Status dir_filter(Draft& draft, std::string_view) {
  if (++draft.filter_f_count > 2) return {};
  return add_filter(draft, FilterArgument::Kind::kPerDirShort, "");
}

Status filter(Draft& draft, std::string_view text) { return add_filter(draft, FilterArgument::Kind::kFilter, text); }
Status exclude(Draft& draft, std::string_view text) { return add_filter(draft, FilterArgument::Kind::kExclude, text); }
Status include(Draft& draft, std::string_view text) { return add_filter(draft, FilterArgument::Kind::kInclude, text); }
Status exclude_from(Draft& draft, std::string_view text) {
  return add_filter(draft, FilterArgument::Kind::kExcludeFrom, text);
}
Status include_from(Draft& draft, std::string_view text) {
  return add_filter(draft, FilterArgument::Kind::kIncludeFrom, text);
}

// Bounded by the protocol that was asked for so far: --protocol=29 before -B allows more.
Status block_size(Draft& draft, std::string_view text) {
  const int64_t max = draft.protocol < 30 ? kMaxBlockSizeBefore30 : kMaxBlockSize;
  draft.block_size =
      static_cast<uint32_t>(TRY(parse_size(text, "block-size", {.default_unit = 'b', .min = 0, .max = max})));
  return {};
}

Status compare_dest(Draft& draft, std::string_view text) { return add_basis(draft, BasisDirKind::kCompare, text); }
Status copy_dest(Draft& draft, std::string_view text) { return add_basis(draft, BasisDirKind::kCopy, text); }
Status link_dest(Draft& draft, std::string_view text) { return add_basis(draft, BasisDirKind::kLink, text); }

Status no_compress(Draft& draft, std::string_view) {
  draft.compress_count = 0;
  draft.compress_choice.clear();
  return {};
}

Status old_compress(Draft& draft, std::string_view) {
  draft.compress_choice = "zlib";
  return {};
}

Status new_compress(Draft& draft, std::string_view) {
  draft.compress_choice = "zlibx";
  return {};
}

Status partial_and_progress(Draft& draft, std::string_view) {
  draft.partial = draft.progress = true;
  return {};
}

Status bwlimit(Draft& draft, std::string_view text) {
  const int64_t bytes =
      TRY(parse_size(text, "bwlimit", {.default_unit = 'K', .min = kMinBwlimit, .zero_unlimited = true}));
  draft.bwlimit_kib = (static_cast<uint64_t>(bytes) + 512) / 1024;
  return {};
}

Status no_bwlimit(Draft& draft, std::string_view) {
  draft.bwlimit_kib = 0;
  return {};
}

Status write_batch(Draft& draft, std::string_view text) {
  draft.write_batch = text;
  draft.write_batch_given = true;
  draft.only_write_batch = false;
  return {};
}

Status only_write_batch(Draft& draft, std::string_view text) {
  draft.write_batch = text;
  draft.write_batch_given = true;
  draft.only_write_batch = true;
  return {};
}

Status old_args(Draft& draft, std::string_view) {
  draft.old_args_level = std::max(draft.old_args_level, 0) + 1;
  return {};
}

Status usermap(Draft& draft, std::string_view text) { return set_map(draft, kUserMap, std::string(text)); }
Status groupmap(Draft& draft, std::string_view text) { return set_map(draft, kGroupMap, std::string(text)); }

Status chown(Draft& draft, std::string_view text) {
  const size_t colon = text.find(':');
  const std::string_view user = text.substr(0, colon);
  const std::string_view group = colon == std::string_view::npos ? std::string_view() : text.substr(colon + 1);
  if (!user.empty()) TRY(set_map_by_chown(draft, kUserMap, user));
  if (!group.empty()) TRY(set_map_by_chown(draft, kGroupMap, group));
  return {};
}

Status stop_after(Draft& draft, std::string_view text) {
  const long minutes = std::atol(std::string(text).c_str());
  if (minutes <= 0 || minutes > (INT64_MAX - draft.now_wall_s) / 60)
    return refuse(fmt::format("invalid --stop-after value: {}", text));
  draft.stop_at_wall_s = draft.now_wall_s + int64_t{minutes} * 60;
  return {};
}

Status stop_at(Draft& draft, std::string_view text) {
  const int64_t when = parse_time_of_day(text, draft.now_wall_s);
  if (when < 0) return refuse(fmt::format("invalid --stop-at format: {}", text));
  if (when <= draft.now_wall_s) return refuse(fmt::format("--stop-at time is not in the future: {}", text));
  draft.stop_at_wall_s = when;
  return {};
}

Status no_iconv(Draft& draft, std::string_view) {
  draft.iconv.clear();
  draft.iconv_given = false;
  return {};
}

Status io(Draft& draft, std::string_view text) {
  if (text == "help") {
    draft.print_text = io::IoWishes::help_text();
    return {};
  }
  draft.io = TRY(io::IoWishes::parse(text));
  return {};
}

Status remote_option(Draft& draft, std::string_view text) {
  if (!text.starts_with('-')) return refuse(fmt::format("Remote option must start with a dash: {}", text));
  draft.remote_options.emplace_back(text);
  return {};
}

}  // namespace values
}  // namespace ocsync::sync
