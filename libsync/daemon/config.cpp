#include "libsync/daemon/config.h"

#include <dirent.h>
#include <fmt/format.h>
#include <strings.h>
#include <syslog.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "libio/os/dir.h"

namespace ocsync::sync {
namespace {

using T = ParamType;
using P = Param;

constexpr int kMaxDepth = 16;                       // of files that name files
constexpr size_t kMaxFileBytes = size_t{16} << 20;  // of one configuration file

constexpr std::array<ParamRow, static_cast<size_t>(P::kCount)> kRows = {{
    {P::kAddress, "address", "bind address", T::kString, true, ""},
    {P::kDaemonChroot, "daemon chroot", nullptr, T::kString, true, ""},
    {P::kDaemonGid, "daemon gid", nullptr, T::kString, true, ""},
    {P::kDaemonUid, "daemon uid", nullptr, T::kString, true, ""},
    {P::kMotdFile, "motd file", nullptr, T::kString, true, ""},
    {P::kPidFile, "pid file", nullptr, T::kString, true, ""},
    {P::kProxyProtocolHosts, "proxy protocol hosts", nullptr, T::kString, true, ""},
    {P::kSocketOptions, "socket options", nullptr, T::kString, true, ""},
    {P::kListenBacklog, "listen backlog", nullptr, T::kInteger, true, "5"},
    {P::kPort, "port", "rsync port", T::kInteger, true, "0"},
    {P::kProxyProtocol, "proxy protocol", nullptr, T::kBool, true, "no"},
    {P::kAuthDigest, "auth digest", nullptr, T::kString, false, ""},
    {P::kAuthUsers, "auth users", nullptr, T::kString, false, ""},
    {P::kCharset, "charset", nullptr, T::kString, false, ""},
    {P::kComment, "comment", nullptr, T::kString, false, ""},
    {P::kDontCompress, "dont compress", nullptr, T::kString, false, "(suffixes)"},
    {P::kEarlyExec, "early exec", nullptr, T::kString, false, ""},
    {P::kExclude, "exclude", nullptr, T::kString, false, ""},
    {P::kExcludeFrom, "exclude from", nullptr, T::kString, false, ""},
    {P::kFilter, "filter", nullptr, T::kString, false, ""},
    {P::kGid, "gid", nullptr, T::kString, false, ""},
    {P::kHostsAllow, "hosts allow", nullptr, T::kString, false, ""},
    {P::kHostsDeny, "hosts deny", nullptr, T::kString, false, ""},
    {P::kInclude, "include", nullptr, T::kString, false, ""},
    {P::kIncludeFrom, "include from", nullptr, T::kString, false, ""},
    {P::kIncomingChmod, "incoming chmod", nullptr, T::kString, false, ""},
    {P::kLockFile, "lock file", nullptr, T::kString, false, "/var/run/rsyncd.lock"},
    {P::kLogFile, "log file", nullptr, T::kString, false, ""},
    {P::kLogFormat, "log format", nullptr, T::kString, false, "%o %h [%a] %m (%u) %f %l"},
    {P::kName, "name", nullptr, T::kString, false, ""},
    {P::kNameConverter, "name converter", nullptr, T::kString, false, ""},
    {P::kOutgoingChmod, "outgoing chmod", nullptr, T::kString, false, ""},
    {P::kPostXferExec, "post-xfer exec", nullptr, T::kString, false, ""},
    {P::kPreXferExec, "pre-xfer exec", nullptr, T::kString, false, ""},
    {P::kRefuseOptions, "refuse options", nullptr, T::kString, false, ""},
    {P::kSecretsFile, "secrets file", nullptr, T::kString, false, ""},
    {P::kSyslogTag, "syslog tag", nullptr, T::kString, false, "rsyncd"},
    {P::kUid, "uid", nullptr, T::kString, false, ""},
    {P::kPath, "path", nullptr, T::kPath, false, ""},
    {P::kTempDir, "temp dir", nullptr, T::kPath, false, ""},
    {P::kMaxConnections, "max connections", nullptr, T::kInteger, false, "0"},
    {P::kMaxVerbosity, "max verbosity", nullptr, T::kInteger, false, "1"},
    {P::kTimeout, "timeout", nullptr, T::kInteger, false, "0"},
    {P::kSyslogFacility, "syslog facility", nullptr, T::kFacility, false, "daemon"},
    {P::kFakeSuper, "fake super", nullptr, T::kBool, false, "no"},
    {P::kForwardLookup, "forward lookup", nullptr, T::kBool, false, "yes"},
    {P::kIgnoreErrors, "ignore errors", nullptr, T::kBool, false, "no"},
    {P::kIgnoreNonreadable, "ignore nonreadable", nullptr, T::kBool, false, "no"},
    {P::kInsecureLinks, "insecure links", nullptr, T::kBool, false, "no"},
    {P::kList, "list", nullptr, T::kBool, false, "yes"},
    {P::kReadOnly, "read only", nullptr, T::kBool, false, "yes"},
    {P::kReverseLookup, "reverse lookup", nullptr, T::kBool, false, "yes"},
    {P::kStrictModes, "strict modes", nullptr, T::kBool, false, "yes"},
    {P::kTransferLogging, "transfer logging", nullptr, T::kBool, false, "no"},
    {P::kWriteOnly, "write only", nullptr, T::kBool, false, "no"},
    {P::kMungeSymlinks, "munge symlinks", nullptr, T::kBool3, false, "unset"},
    {P::kNumericIds, "numeric ids", nullptr, T::kBool3, false, "unset"},
    {P::kOpenNoatime, "open noatime", nullptr, T::kBool3, false, "unset"},
    {P::kUseChroot, "use chroot", nullptr, T::kBool3, false, "unset"},
}};

struct Facility {
  const char* name;
  int value;
};
constexpr Facility kFacilities[] = {{"auth", LOG_AUTH},     {"authpriv", LOG_AUTHPRIV}, {"cron", LOG_CRON},
                                    {"daemon", LOG_DAEMON}, {"ftp", LOG_FTP},           {"kern", LOG_KERN},
                                    {"lpr", LOG_LPR},       {"mail", LOG_MAIL},         {"news", LOG_NEWS},
                                    {"security", LOG_AUTH}, {"syslog", LOG_SYSLOG},     {"user", LOG_USER},
                                    {"uucp", LOG_UUCP},     {"local0", LOG_LOCAL0},     {"local1", LOG_LOCAL1},
                                    {"local2", LOG_LOCAL2}, {"local3", LOG_LOCAL3},     {"local4", LOG_LOCAL4},
                                    {"local5", LOG_LOCAL5}, {"local6", LOG_LOCAL6},     {"local7", LOG_LOCAL7}};

bool is_space(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }
char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && is_space(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_space(text.back())) text.remove_suffix(1);
  return text;
}

// Equal but for case and blanks.
bool same_words(std::string_view a, std::string_view b) {
  size_t i = 0;
  size_t j = 0;
  for (;;) {
    while (i < a.size() && is_space(a[i])) ++i;
    while (j < b.size() && is_space(b[j])) ++j;
    if (i == a.size() || j == b.size()) return i == a.size() && j == b.size();
    if (lower(a[i++]) != lower(b[j++])) return false;
  }
}

std::optional<int> to_state(std::string_view text, bool may_be_unset) {
  for (const char* yes : {"yes", "true", "1"})
    if (same_words(text, yes)) return 1;
  for (const char* no : {"no", "false", "0"})
    if (same_words(text, no)) return 0;
  if (may_be_unset && (same_words(text, "unset") || same_words(text, "-1"))) return -1;
  return std::nullopt;
}

std::optional<int> to_facility(const std::string& text) {
  for (const Facility& facility : kFacilities)
    if (::strcasecmp(facility.name, text.c_str()) == 0) return facility.value;
  const int number = std::atoi(text.c_str());
  if (number > 0) return number;
  return std::nullopt;
}

// Reads files into a Config. Each include level has the defaults that were in force where it was named.
class Parser {
 public:
  Parser(Config& config, const std::vector<std::string>& overrides, const ConfigFiles& files,
         const LookUpVariable& variable)
      : config_(config), overrides_(overrides), files_(files), variable_(variable) {}

  void run(const std::string& path) {
    const auto text = files_.read(path);
    if (!text) {
      complain(path, 0, fmt::format("cannot read the configuration file \"{}\" ({})", path, why(text.error())), true);
      return;
    }
    parse(path, *text, 0);
    if (config_.modules.empty()) apply_overrides();
  }

 private:
  static std::string why(const Error& error) { return error.sys != 0 ? ::strerror(error.sys) : error.text; }

  void complain(const std::string& file, int line, std::string text, bool fatal = false) {
    config_.complaints.push_back({file, line, std::move(text), fatal});
  }

  void apply_overrides() {
    for (const std::string& one : overrides_) {
      const size_t equals = one.find('=');
      assign("--dparam", 0, one.substr(0, equals), std::string(trimmed(std::string_view(one).substr(equals + 1))));
    }
  }

  Settings& target() { return module_ < 0 ? config_.globals : config_.modules[static_cast<size_t>(module_)]; }

  void assign(const std::string& file, int line, const std::string& name, std::string value) {
    const ParamRow* row = find_parameter(name);
    if (!row) return complain(file, line, fmt::format("unknown parameter \"{}\" is ignored", name));
    if (row->global && module_ >= 0)
      return complain(file, line, fmt::format("global parameter \"{}\" in a module is ignored", name));
    if (row->type != T::kString && row->type != T::kPath) value = expand_variables(value, variable_);
    switch (row->type) {
      case T::kBool:
      case T::kBool3:
        if (!to_state(value, row->type == T::kBool3))
          return complain(file, line,
                          fmt::format("\"{}\" is neither yes nor no; \"{}\" stays as it was", value, row->name));
        break;
      case T::kFacility:
        if (!to_facility(value))
          return complain(file, line, fmt::format("unknown syslog facility \"{}\" is ignored", value));
        break;
      case T::kInteger:
        if (value.empty() || value.find_first_not_of("0123456789+-") != std::string::npos)
          complain(file, line, fmt::format("\"{}\" is not a number (parameter \"{}\")", value, row->name));
        break;
      case T::kPath:
        while (value.size() > 1 && value.back() == '/') value.pop_back();
        break;
      case T::kString: break;
    }
    // The section's name is only the first that a module gets.
    if (row->param == P::kName && module_ >= 0) config_.modules[static_cast<size_t>(module_)].name = value;
    target().set(row->param, std::move(value));
  }

  void section(const std::string& file, int line, std::string_view name) {
    if (same_words(name, "global")) {
      module_ = -1;
      return;
    }
    if (module_ < 0 && config_.modules.empty()) apply_overrides();
    if (name.find('/') != name.npos) return complain(file, line, fmt::format("invalid module name \"{}\"", name), true);
    for (size_t i = config_.modules.size(); i-- > 0;) {
      if (!same_words(config_.modules[i].name, name)) continue;
      module_ = static_cast<int>(i);
      return;
    }
    Module module;
    static_cast<Settings&>(module) = config_.globals;
    module.name = name;
    config_.modules.push_back(std::move(module));
    module_ = static_cast<int>(config_.modules.size()) - 1;
  }

  // "&include" and "&merge": a file, or the files of a directory that end in .conf or .inc.
  void directive(const std::string& file, int line, std::string_view word, std::string path, int depth) {
    const bool include = word == "&include";
    if (!include && word != "&merge") return complain(file, line, fmt::format("unknown directive \"{}\"", word), true);
    if (path.empty()) return complain(file, line, fmt::format("{} without a path", word), true);
    if (depth >= kMaxDepth) return complain(file, line, "too many files that name each other", true);
    while (path.size() > 1 && path.back() == '/') path.pop_back();
    std::vector<std::string> all;
    if (const auto names = files_.list(path)) {
      const std::string_view ending = include ? ".conf" : ".inc";
      for (const std::string& name : *names)
        if (name.size() > ending.size() && name.ends_with(ending)) all.push_back(path + "/" + name);
      std::sort(all.begin(), all.end());
    } else {
      all.push_back(path);
    }
    const Settings outer = config_.globals;
    for (const std::string& one : all) {
      const auto text = files_.read(one);
      if (!text) return complain(file, line, fmt::format("cannot read \"{}\" ({})", one, why(text.error())), true);
      if (include) {
        module_ = -1;
        config_.globals = outer;
      }
      parse(one, *text, depth + 1);
    }
    if (include) {
      module_ = -1;
      config_.globals = outer;
    }
  }

  void parse(const std::string& file, std::string_view text, int depth) {
    int line = 0;
    for (size_t at = 0; at < text.size();) {
      // A backslash at the end of a line joins it with the next; comments do not continue.
      std::string joined;
      const int first = line + 1;
      bool more = true;
      bool comment = false;
      while (more && at < text.size()) {
        const size_t end = std::min(text.find('\n', at), text.size());
        std::string part(text.substr(at, end - at));
        at = end + 1;
        ++line;
        std::erase(part, '\r');
        if (joined.empty()) {
          const std::string_view start = trimmed(part);
          comment = start.empty() || start[0] == '#' || start[0] == ';';
        }
        std::string_view tail = part;
        while (!tail.empty() && is_space(tail.back())) tail.remove_suffix(1);
        more = !comment && tail.ends_with('\\');
        if (more) part.resize(tail.size() - 1);
        joined += part;
      }
      if (!comment) one_line(file, first, trimmed(joined), depth);
    }
  }

  void one_line(const std::string& file, int line, std::string_view text, int depth) {
    if (text.empty()) return;
    if (text[0] == '[') {
      const size_t close = text.find(']');
      if (close == text.npos) return complain(file, line, fmt::format("no ']' in \"{}\"", text), true);
      std::string name;
      for (const char c : trimmed(text.substr(1, close - 1)))
        if (!is_space(c) || !name.ends_with(' ')) name += is_space(c) ? ' ' : c;
      if (name.empty()) return complain(file, line, "a module without a name", true);
      return section(file, line, name);
    }
    if (text[0] == '&') {
      const size_t blank = std::min(text.find_first_of(" \t="), text.size());
      std::string_view rest = trimmed(text.substr(blank));
      if (rest.starts_with('=')) rest = trimmed(rest.substr(1));
      return directive(file, line, text.substr(0, blank), std::string(rest), depth);
    }
    const size_t equals = text.find('=');
    if (equals == text.npos) return complain(file, line, fmt::format("badly formed line is ignored: {}", text));
    if (equals == 0) return complain(file, line, "a value without a parameter's name", true);
    assign(file, line, std::string(trimmed(text.substr(0, equals))), std::string(trimmed(text.substr(equals + 1))));
  }

  Config& config_;
  const std::vector<std::string>& overrides_;
  const ConfigFiles& files_;
  const LookUpVariable& variable_;
  int module_ = -1;  // -1: the global part
};

// May this stand in a text that a shell reads, whatever quotes there are?
bool unsafe_in_shell(std::string_view value) {
  constexpr std::string_view kActs = "'\"`$\\;&|<>()*?[]# !~{}";
  return std::any_of(value.begin(), value.end(), [&](char c) {
    return kActs.find(c) != kActs.npos || static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
  });
}

}  // namespace

const std::array<ParamRow, static_cast<size_t>(Param::kCount)>& parameters() { return kRows; }

const ParamRow* find_parameter(std::string_view name) {
  if (name.starts_with('-')) return nullptr;
  for (const ParamRow& row : kRows)
    if (same_words(row.name, name) || (row.synonym && same_words(row.synonym, name))) return &row;
  return nullptr;
}

std::optional<std::string> process_variable(const std::string& name) {
  const char* value = std::getenv(name.c_str());
  return value ? std::optional<std::string>(value) : std::nullopt;
}

namespace {

// Calls `each` for what stands between references, and `value` for each reference that is known.
Status walk_references(std::string_view text, const LookUpVariable& variable, const std::function<void(char)>& each,
                       const std::function<Status(const std::string&, const std::string&)>& value) {
  for (size_t i = 0; i < text.size();) {
    if (text[i] == '%' && i + 1 < text.size() && text[i + 1] >= 'A' && text[i + 1] <= 'Z') {
      const size_t close = text.find('%', i + 1);
      if (close != text.npos) {
        const std::string name(text.substr(i + 1, close - i - 1));
        if (const auto known = variable(name)) {
          TRY(value(name, *known));
          i = close + 1;
          continue;
        }
      }
    }
    each(text[i++]);
  }
  return {};
}

}  // namespace

std::string expand_variables(std::string_view text, const LookUpVariable& variable) {
  std::string out;
  (void)walk_references(
      text, variable, [&](char c) { out += c; },
      [&](const std::string&, const std::string& value) -> Status {
        out += value;
        return {};
      });
  return out;
}

Result<std::string> expand_for_shell(std::string_view text, const LookUpVariable& variable) {
  std::string out;
  char quote = 0;
  bool escaped = false;
  const auto each = [&](char c) {
    if (quote == '\'') {
      if (c == '\'') quote = 0;
    } else if (escaped) {
      escaped = false;
    } else if (c == '\\') {
      escaped = true;
    } else if (quote == '"') {
      if (c == '"') quote = 0;
    } else if (c == '\'' || c == '"') {
      quote = c;
    }
    out += c;
  };
  TRY(walk_references(text, variable, each, [&](const std::string& name, const std::string& value) -> Status {
    if (!name.starts_with("RSYNC_")) {
      out += value;
      return {};
    }
    // Quoting protects for one shell only, and a hook may well hand the word to another. So nothing that any shell acts
    // upon gets through, and the quotes are a second line.
    if (unsafe_in_shell(value))
      return fail(Fault::kUnsupported,
                  fmt::format("refusing to run shell hook: %{}% holds a shell metacharacter", name));
    if (quote == '\'')
      out += value;
    else
      out += "'" + value + "'";
    return {};
  }));
  return out;
}

Settings::Settings() {
  for (const ParamRow& row : kRows) values_[static_cast<size_t>(row.param)] = row.initial;
}

std::string Settings::text(Param param) const { return expand_variables(raw(param), process_variable); }

int Settings::number(Param param) const { return std::atoi(raw(param).c_str()); }

int Settings::state(Param param) const { return to_state(raw(param), true).value_or(0); }

int Settings::facility() const { return to_facility(raw(Param::kSyslogFacility)).value_or(LOG_DAEMON); }

bool Config::broken() const {
  return std::any_of(complaints.begin(), complaints.end(), [](const ConfigComplaint& c) { return c.fatal; });
}

const Module* Config::find(std::string_view name) const {
  for (size_t i = modules.size(); i-- > 0;)
    if (modules[i].name == name) return &modules[i];
  return nullptr;
}

ConfigFiles ConfigFiles::trusted() {
  ConfigFiles files;
  files.read = [](const std::string& path) -> Result<std::string> {
    const io::File file = TRY(io::Dir::open_trusted_file(path, io::Dir::Use::kRead));
    std::string text;
    char buffer[16384];
    for (;;) {
      const ssize_t got = ::read(file.fd(), buffer, sizeof buffer);
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) return fail_errno();
      if (got == 0) return text;
      text.append(buffer, static_cast<size_t>(got));
      if (text.size() > kMaxFileBytes) return fail(Fault::kUsage, "the file is too large", EFBIG);
    }
  };
  files.list = [](const std::string& path) -> Result<std::vector<std::string>> {
    const io::Dir dir = TRY(io::Dir::open_trusted(path));
    const io::DirListing listing = TRY(dir.list());
    std::vector<std::string> names;
    for (const io::DirEntry& entry : listing.entries) names.emplace_back(listing.name(entry));
    return names;
  };
  return files;
}

Config read_config(const std::string& path, const std::vector<std::string>& overrides, const ConfigFiles& files,
                   const LookUpVariable& variable) {
  Config config;
  Parser(config, overrides, files, variable).run(path);
  return config;
}

std::vector<std::string> list_words(std::string_view text, bool commas) {
  std::vector<std::string> words;
  const bool only_commas = text.starts_with(',');
  const std::string_view between = only_commas ? "," : commas ? " ,\t\r\n" : " \t\r\n";
  while (!text.empty()) {
    const size_t end = std::min(text.find_first_of(between), text.size());
    const std::string_view word = only_commas ? trimmed(text.substr(0, end)) : text.substr(0, end);
    if (!word.empty()) words.emplace_back(word);
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return words;
}

}  // namespace ocsync::sync
