// Help and version texts. Scripts read the version's sections, so their headings and layout are rsync's.
#include "libsync/options/show.h"

#include <cctype>

#include <fmt/format.h>

#include "libsync/options/table.h"

namespace ocsync::sync {
namespace {

constexpr const char* kVersion = "3.5.0";
constexpr size_t kLineWidth = 75;
constexpr size_t kHelpColumn = 25;

// One feature. Text form: "VALUE NAME" or NAME; as JSON the value is a number, a string or a truth.
struct Feature {
  const char* name;
  const char* value;             // "": yes, "no": no; "64-bit" becomes a number; other texts stay
  const char* option = nullptr;  // there where this option is
};

// clang-format off
constexpr Feature kCapabilities[] = {
  {"files", "64-bit"}, {"inums", "64-bit"}, {"timestamps", "64-bit"}, {"long ints", "64-bit"}, {"socketpairs", ""},
  {"symlinks", ""}, {"symtimes", ""}, {"hardlinks", ""}, {"hardlink-specials", ""}, {"hardlink-symlinks", ""},
  {"IPv6", ""}, {"atimes", ""}, {"batchfiles", ""}, {"inplace", ""}, {"append", ""}, {"ACLs", ""}, {"ACL-at", ""},
  {"xattrs", ""}, {"secluded-args", "optional"}, {"iconv", ""}, {"prealloc", ""}, {"stop-at", ""}, {"crtimes", "", "crtimes"},
};
constexpr Feature kOptimizations[] = {
  {"SIMD-roll", ""}, {"asm-roll", "no"}, {"openssl-crypto", ""}, {"asm-MD5", "no"},
};
// clang-format on
constexpr const char* kChecksums = "xxh128 xxh3 xxh64 (xxhash) md5 md4 sha1 none";
constexpr const char* kCompressions = "zstd lz4 zlibx zlib none";
constexpr const char* kAuthDigests = "sha512 sha256 sha1 md5 md4";
constexpr const char* kProgram = "ocsync, a replacement for rsync written from scratch.";

// Items joined by commas, broken before the line gets too long; `indent` starts each line.
std::string wrapped(const std::vector<std::string>& items, const char* indent) {
  std::string text, line;
  for (size_t i = 0; i < items.size(); ++i) {
    const std::string item = " " + items[i] + (i + 1 < items.size() ? "," : "");
    if (!line.empty() && line.size() + item.size() >= kLineWidth) {
      text += indent + line + "\n";
      line.clear();
    }
    line += item;
  }
  return text + indent + line + "\n";
}

std::string value_of(const Feature& feature) {
  for (const Row& row : rows())
    if (feature.option && row.name && std::string_view(row.name) == feature.option && row.support != Support::kYes)
      return "no";
  return feature.value;
}

std::string as_text(const Feature& feature) {
  const std::string value = value_of(feature);
  return value.empty() ? feature.name : fmt::format("{} {}", value, feature.name);
}

std::string as_json(const Feature& feature) {
  std::string key = feature.name;
  const std::string value = value_of(feature);
  const bool bits = value == "64-bit";
  for (char& c : key)
    if (c == ' ' || c == '-') c = '_';
  if (bits) key.replace(key.size() - 1, 1, "_bits");  // "files" is asked for as "file_bits"
  const std::string shown = bits ? "64" : value.empty() ? "true" : value == "no" ? "false" : "\"" + value + "\"";
  return fmt::format("\"{}\": {}", key, shown);
}

template <size_t N>
std::string section(const char* heading, const Feature (&features)[N]) {
  std::vector<std::string> items;
  for (const Feature& feature : features) items.push_back(as_text(feature));
  return fmt::format("{}:\n{}", heading, wrapped(items, "   "));
}

template <size_t N>
std::string json_section(const char* key, const Feature (&features)[N]) {
  std::vector<std::string> items;
  for (const Feature& feature : features) items.push_back(as_json(feature));
  return fmt::format(",\n  \"{}\": {{\n{}  }}", key, wrapped(items, "   "));
}

std::string json_list(const char* key, std::string_view words) {
  std::string text;
  while (!words.empty()) {
    const size_t space = words.find(' ');
    const std::string_view word = words.substr(0, space);
    words = space == std::string_view::npos ? std::string_view() : words.substr(space + 1);
    if (word.starts_with('(')) continue;  // an alias
    text += fmt::format("{} \"{}\"", text.empty() ? "" : ",", word);
  }
  return fmt::format(",\n  \"{}\": [\n   {}\n  ]", key, text);
}

std::string help_line(std::string head, std::string_view help) {
  if (head.size() >= kHelpColumn) return fmt::format("{} {}\n", head, help);
  return fmt::format("{:<{}}{}\n", head, kHelpColumn, help);
}

std::string head_of(const Row& row) {
  if (!row.name) return fmt::format("-{}", row.letter);
  std::string head = fmt::format("--{}", row.name);
  if (row.value_name) head += fmt::format("={}", row.value_name);
  if (row.letter) head += fmt::format(", -{}", row.letter);
  return head;
}

constexpr const char* kUsage =
    "Usage: rsync [OPTION]... SRC [SRC]... DEST\n"
    "  or   rsync [OPTION]... SRC [SRC]... [USER@]HOST:DEST\n"
    "  or   rsync [OPTION]... SRC [SRC]... [USER@]HOST::DEST\n"
    "  or   rsync [OPTION]... SRC [SRC]... rsync://[USER@]HOST[:PORT]/DEST\n"
    "  or   rsync [OPTION]... [USER@]HOST:SRC [DEST]\n"
    "  or   rsync [OPTION]... [USER@]HOST::SRC [DEST]\n"
    "  or   rsync [OPTION]... rsync://[USER@]HOST[:PORT]/SRC [DEST]\n"
    "HOST:PATH is reached by a remote shell, HOST::MODULE and rsync:// by a daemon, whose\n"
    "paths begin with the name of a module.\n";

struct DaemonHelp {
  const char* head;
  const char* help;
};
constexpr DaemonHelp kDaemonHelp[] = {
    {"--daemon", "serve as a daemon"},
    {"--address=ADDRESS", "listen on this address"},
    {"--bwlimit=RATE", "highest rate of each transfer (KiB per second)"},
    {"--config=FILE", "read this file instead of rsyncd.conf"},
    {"--dparam=OVERRIDE, -M", "set a global parameter, as NAME=VALUE"},
    {"--no-detach", "stay in the foreground"},
    {"--port=PORT", "listen on this port"},
    {"--log-file=FILE", "log here, whatever the configuration says"},
    {"--log-file-format=FMT", "format of log lines, likewise"},
    {"--sockopts=OPTIONS", "TCP options"},
    {"--verbose, -v", "say more"},
    {"--ipv4, -4", "prefer IPv4"},
    {"--ipv6, -6", "prefer IPv6"},
    {"--help, -h", "print this (with --daemon)"},
};

}  // namespace

std::string version_text() {
  std::string text = fmt::format("rsync  version {}  protocol version 32\n{}\n", kVersion, kProgram);
  text += section("Capabilities", kCapabilities);
  text += section("Optimizations", kOptimizations);
  text += fmt::format("Checksum list:\n    {}\n", kChecksums);
  text += fmt::format("Compress list:\n    {}\n", kCompressions);
  text += fmt::format("Daemon auth list:\n    {}\n", kAuthDigests);
  text += "\nThere is NO WARRANTY, to the extent permitted by law. See the file LICENSE for what you may do.\n";
  return text;
}

std::string version_json() {
  std::string text = fmt::format(
      "{{\n  \"program\": \"rsync\",\n  \"version\": \"{}\",\n  \"protocol\": \"32.0\",\n  \"copyright\": \"{}\",\n"
      "  \"url\": \"\"",
      kVersion, kProgram);
  text += json_section("capabilities", kCapabilities);
  text += json_section("optimizations", kOptimizations);
  text += json_list("checksum_list", kChecksums);
  text += json_list("compress_list", kCompressions);
  text += json_list("daemon_auth_list", kAuthDigests);
  text += ",\n  \"license\": \"GPLv3\",\n  \"caveat\": \"no warranty\"\n}\n";
  return text;
}

std::string help_text() {
  std::string text =
      version_text() +
      "\nCopies files and directories, here or to and from other machines, and sends only what differs.\n\n";
  text += kUsage;
  text += "\nOptions\n";
  for (const Row& row : rows()) {
    if (row.help) text += help_line(head_of(row), row.help);
    if (row.name && std::string_view(row.name) == "archive")
      text += help_line("--no-OPTION", "undo what another option implied (such as --no-D)");
  }
  text += "\n\"rsync --daemon --help\" lists the options of a daemon; the manual is ocsync(1).\n";
  return text;
}

std::string daemon_help_text() {
  std::string text = version_text() + "\nUsage: rsync --daemon [OPTION]...\n";
  for (const DaemonHelp& line : kDaemonHelp) text += help_line(line.head, line.help);
  text += "\nWithout --daemon these options mean something else or nothing. The configuration: ocsyncd.conf(5).\n";
  return text;
}

std::string rows_text() {
  std::string text;
  for (const Spelling& spelling : spellings()) {
    const Row& row = *spelling.row;
    const bool takes = row.takes != Takes::kNothing && !spelling.negative;
    text += fmt::format("{}\t{}\t{}\t{}\n", spelling.name ? fmt::format("--{}", spelling.name) : "",
                        spelling.letter ? fmt::format("-{}", spelling.letter) : "",
                        takes ? row.value_name ? row.value_name : "VALUE" : "",
                        row.help && !spelling.negative ? row.help : "");
  }
  return text;
}

}  // namespace ocsync::sync
