// Itemized strings, formats and list-only lines.
#include "libsync/report/item_text.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>

#include "libproto/item.h"
#include "libsync/report/reporter.h"

namespace ocsync::sync {
namespace {

constexpr size_t kLongestFormat = 4096;
constexpr size_t kMostWidthDigits = 23;
constexpr size_t kWidest = 4095;  // what a width may ask for; more is cut

bool has_any(uint32_t flags, uint32_t bits) { return (flags & bits) != 0; }
bool has_all(uint32_t flags, uint32_t bits) { return (flags & bits) == bits; }

char update_letter(const ItemFacts& facts) {
  if (has_any(facts.item_flags, proto::kLocalChange))
    return has_any(facts.item_flags, proto::kXnameFollows) ? 'h' : 'c';
  if (!has_any(facts.item_flags, proto::kTransfer)) return '.';
  return facts.we_send && !facts.local_run ? '<' : '>';
}

char kind_letter(uint32_t mode) {
  if (S_ISLNK(mode)) return 'L';
  if (S_ISDIR(mode)) return 'd';
  if (S_ISFIFO(mode) || S_ISSOCK(mode)) return 'S';
  if (S_ISCHR(mode) || S_ISBLK(mode)) return 'D';
  return 'f';
}

char time_letter(const ItemFacts& facts, const ItemStyle& style) {
  if (!has_any(facts.item_flags, proto::kReportTime)) return '.';
  if (!style.times) return 'T';
  const bool is_link = S_ISLNK(facts.mode);
  return is_link && (!style.symlink_times || has_any(facts.item_flags, proto::kReportTimeFail)) ? 'T' : 't';
}

char other_times_letter(uint32_t flags) {
  if (has_all(flags, proto::kReportAtime | proto::kReportCrtime)) return 'b';
  if (has_any(flags, proto::kReportAtime)) return 'u';
  return has_any(flags, proto::kReportCrtime) ? 'n' : '.';
}

// Without empty parts and "." parts, except for a "." at the very end; no leading slash.
std::string tidy_path(std::string_view path) {
  std::string out;
  while (!path.empty()) {
    const size_t slash = path.find('/');
    const std::string_view part = path.substr(0, slash);
    const bool last = slash == std::string_view::npos;
    if (!part.empty() && (part != "." || last)) {
      if (!out.empty()) out += '/';
      out += part;
    }
    if (last) break;
    path.remove_prefix(slash + 1);
  }
  return out.empty() ? "." : out;
}

// The xxh family is shown as the number it is, although it travels with its low byte first.
bool shown_reversed(DigestKind kind) {
  return kind == DigestKind::kXxh64 || kind == DigestKind::kXxh3 || kind == DigestKind::kXxh128;
}

std::string digest_text(const Digest& digest, DigestKind kind) {
  std::string out;
  out.reserve(size_t{digest.size} * 2);
  for (size_t i = 0; i < digest.size; ++i) {
    const std::byte b = digest.data[shown_reversed(kind) ? digest.size - 1 - i : i];
    constexpr std::string_view kHex = "0123456789abcdef";
    out += kHex[std::to_integer<size_t>(b >> 4)];
    out += kHex[std::to_integer<size_t>(b & std::byte{15})];
  }
  return out;
}

NumberStyle style_of_level(int level) {
  constexpr NumberStyle kStyles[] = {NumberStyle::kPlain, NumberStyle::kGrouped, NumberStyle::kThousands,
                                     NumberStyle::kBinary};
  return kStyles[std::clamp(level, 0, 3)];
}

}  // namespace

std::string itemize_text(const ItemFacts& facts, const ItemStyle& style) {
  const uint32_t flags = facts.item_flags;
  if (facts.deleted || has_any(flags, proto::kDeleted)) return "*deleting  ";
  const auto mark = [flags](uint32_t bit, char letter) { return has_any(flags, bit) ? letter : '.'; };
  std::string out(11, '.');
  out[0] = update_letter(facts);
  out[1] = kind_letter(facts.mode);
  if (has_any(flags, proto::kIsNew | proto::kMissingData)) {
    std::fill(out.begin() + 2, out.end(), has_any(flags, proto::kIsNew) ? '+' : '?');
    return out;
  }
  out[2] = mark(proto::kReportChange, 'c');
  out[3] = S_ISLNK(facts.mode) ? '.' : mark(proto::kReportSize, 's');
  out[4] = time_letter(facts, style);
  out[5] = mark(proto::kReportPerms, 'p');
  out[6] = mark(proto::kReportOwner, 'o');
  out[7] = mark(proto::kReportGroup, 'g');
  out[8] = other_times_letter(flags);
  out[9] = mark(proto::kReportAcl, 'a');
  out[10] = mark(proto::kReportXattr, 'x');
  const bool moved_data = out[0] == '<' || out[0] == '>';
  if (!moved_data && out.find_first_not_of('.', 2) == std::string::npos) std::fill(out.begin() + 2, out.end(), ' ');
  return out;
}

OutputFormat::OutputFormat(std::string_view format) {
  const auto add_literal = [this](std::string_view text) {
    if (text.empty()) return;
    if (pieces_.empty() || pieces_.back().escape != 0) pieces_.emplace_back();
    pieces_.back().text += text;
  };
  while (!format.empty()) {
    const size_t percent = std::min(format.find('%'), format.size());
    add_literal(format.substr(0, percent));
    format.remove_prefix(percent);
    if (format.empty()) break;

    Piece piece;
    size_t at = 1;
    const auto peek = [&] { return at < format.size() ? format[at] : '\0'; };
    const auto take_apostrophes = [&] {
      for (; peek() == '\''; ++at) piece.number_level = static_cast<uint8_t>(std::min(piece.number_level + 1, 3));
    };
    take_apostrophes();
    size_t budget = kMostWidthDigits;
    if (peek() == '-') {
      piece.padded = piece.left = true;
      --budget;
      ++at;
    }
    piece.zeros = peek() == '0' && !piece.left;
    for (; budget > 0 && peek() >= '0' && peek() <= '9'; ++at, --budget) {
      piece.padded = true;
      piece.width = std::min(piece.width * 10 + static_cast<size_t>(peek() - '0'), kWidest);
    }
    take_apostrophes();
    constexpr std::string_view kEscapes = "abBcCfGhilLmMnopPtuU%";
    if (at < format.size() && kEscapes.find(format[at]) != std::string_view::npos) {
      piece.escape = format[at];
      piece.text = format.substr(0, at + 1);
      pieces_.push_back(std::move(piece));
      ++at;
    } else {
      add_literal(format.substr(0, at));
    }
    format.remove_prefix(std::min(at, format.size()));
  }
}

Status OutputFormat::check(std::string_view format) {
  if (format.size() <= kLongestFormat) return {};
  return fail(Fault::kDiagnostics, "log-format string is WAY too long!");
}

bool OutputFormat::has(char escape) const {
  return std::ranges::any_of(pieces_, [escape](const Piece& piece) { return piece.escape == escape; });
}

std::string OutputFormat::render(const ItemFacts& facts, const ItemStyle& style, int64_t now_s) const {
  std::string out;
  for (const Piece& piece : pieces_) {
    const auto pad = [&](std::string_view text, bool number = false) {
      const size_t missing = piece.width > text.size() ? piece.width - text.size() : 0;
      if (piece.left)
        out.append(text).append(missing, ' ');
      else
        out.append(missing, number && piece.zeros ? '0' : ' ').append(text);
    };
    const auto amount = [&](uint64_t value) {
      pad(format_number(static_cast<int64_t>(value), style_of_level(piece.number_level)));
    };
    const auto in_daemon = [&](const std::string& text) { style.daemon ? pad(text) : void(out += piece.text); };
    const bool deleted = facts.deleted || has_any(facts.item_flags, proto::kDeleted);
    const bool transferred = has_any(facts.item_flags, proto::kTransfer);
    switch (piece.escape) {
      case 0: out += piece.text; break;
      case 'a': in_daemon(style.client_address); break;
      case 'b': amount(transferred ? facts.data_bytes : 0); break;
      case 'B': pad(std::string_view(mode_text(facts.mode)).substr(1)); break;
      case 'c': amount(transferred ? facts.sums_bytes : 0); break;
      case 'C':
        if (style.digest_shown && S_ISREG(facts.mode) && facts.digest.size > 0)
          pad(digest_text(facts.digest, style.digest_kind));
        else
          pad(std::string(ocsync::digest_bytes(style.digest_kind) * 2, ' '));
        break;
      case 'f': {
        const std::string_view full = facts.full_path.empty() ? facts.name : facts.full_path;
        pad(style.inside.empty() || full.starts_with('/') ? tidy_path(full)
                                                          : tidy_path(fmt::format("{}/{}", style.inside, full)));
        break;
      }
      case 'G':
        if (style.group && facts.gid_known)
          pad(fmt::format_int(facts.gid).str(), true);
        else
          pad("DEFAULT");
        break;
      case 'h': in_daemon(style.client_host); break;
      case 'i': pad(itemize_text(facts, style)); break;
      case 'l': amount(static_cast<uint64_t>(facts.size)); break;
      case 'L': {
        const bool is_link = S_ISLNK(facts.mode) && !deleted;
        if (!facts.xname.empty())
          out += " => ", pad(facts.xname);
        else if (is_link)
          out += " -> ", pad(facts.link_target);
        else if (piece.padded)
          out += "    ", pad("");
        break;
      }
      case 'm': pad(style.module); break;
      case 'M': {
        std::string text = time_text(facts.mtime.sec, '-');
        std::ranges::replace(text, ' ', '-');
        pad(text);
        break;
      }
      case 'n': pad(S_ISDIR(facts.mode) ? std::string(facts.name) + '/' : std::string(facts.name)); break;
      case 'o': pad(deleted ? "del." : facts.we_send ? "send" : "recv"); break;
      case 'p': pad(fmt::format_int(style.process_id).str(), true); break;
      case 'P': in_daemon(style.module_path); break;
      case 't': pad(time_text(now_s)); break;
      case 'u': in_daemon(style.user); break;
      case 'U': pad(fmt::format_int(style.owner ? facts.uid : 0).str(), true); break;
      case '%': pad("%"); break;
      default: break;
    }
  }
  return out;
}

std::string list_only_line(const ItemFacts& facts, const Options& options, io::FileTime atime, io::FileTime crtime) {
  const std::string mtime = time_text(facts.mtime.sec);
  const size_t time_width = mtime.size() + 1;
  const size_t size_width = options.human > 0 ? 14 : 11;
  const size_t atime_width = options.atimes > 0 ? time_width : 0;
  const size_t crtime_width = options.crtimes ? time_width : 0;
  if (facts.mode == 0 && options.delete_missing_args)
    return fmt::format("{:<{}} {}", "*missing", 10 + 1 + size_width + time_width + atime_width + crtime_width,
                       facts.name);
  const bool show_target = options.links && S_ISLNK(facts.mode);
  return fmt::format("{} {:>{}} {}{:>{}}{:>{}} {}{}{}", mode_text(facts.mode),
                     format_number(facts.size, amount_style(options)), size_width, mtime,
                     atime_width > 0 && !S_ISDIR(facts.mode) ? time_text(atime.sec) : "", atime_width,
                     crtime_width > 0 ? time_text(crtime.sec) : "", crtime_width, facts.name, show_target ? " -> " : "",
                     show_target ? facts.link_target : std::string_view());
}

NumberStyle amount_style(const Options& options) { return style_of_level(options.human); }
NumberStyle count_style(const Options& options) { return style_of_level(std::min(options.human, 1)); }

}  // namespace ocsync::sync
