// Host specifications, the direction of a run, and the words that start a remote shell.
#include "libsync/options/operands.h"

#include <algorithm>
#include <cstdlib>

#include <fmt/format.h>

namespace ocsync::sync {
namespace {

constexpr std::string_view kUrlPrefix = "rsync://";

bool is_digit(char c) { return c >= '0' && c <= '9'; }

bool starts_like_url(std::string_view text) {
  return text.size() >= kUrlPrefix.size() &&
         std::equal(kUrlPrefix.begin(), kUrlPrefix.end(), text.begin(),
                    [](char lower, char c) { return (c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c) == lower; });
}

// [USER@]HOST up to the ':' or '/' that ends it; HOST may be an IPv6 address in brackets.
struct HostPart {
  std::string user, host;
  bool has_user = false;
  int port = 0;           // URLs only
  std::string_view rest;  // after the ':' (or after "[:PORT]/" of a URL)
};

std::optional<HostPart> read_host(std::string_view text, bool url) {
  HostPart part;
  // A slash before the colon makes it a path; in a URL it ends the host. The last '@' ends the user.
  size_t at = 0;
  size_t host_from = 0;
  size_t user_to = std::string_view::npos;
  bool bracketed = false;  // the host lies between host_from and host_to then
  size_t host_to = 0;
  for (; at < text.size() && text[at] != ':' && text[at] != '/'; ++at) {
    if (text[at] == '@') {
      user_to = at;
      host_from = at + 1;
      bracketed = false;
    } else if (text[at] == '[') {
      const size_t close = text.find_first_of("]/", at);
      if (at != host_from || close == std::string_view::npos || text[close] != ']' || close == at + 1)
        return std::nullopt;
      if (close + 1 < text.size() && text[close + 1] != '/' && text[close + 1] != ':') return std::nullopt;
      bracketed = true;
      host_from = at + 1;
      host_to = close;
      at = close;
    }
  }
  if (!url && (at == text.size() || text[at] == '/')) return std::nullopt;
  part.has_user = user_to != std::string_view::npos;
  if (part.has_user) part.user = text.substr(0, user_to);
  part.host = text.substr(host_from, (bracketed ? host_to : at) - host_from);
  if (at == text.size()) return part;
  part.rest = text.substr(at + 1);
  if (url && text[at] == ':') {
    size_t digits = 0;
    while (digits < part.rest.size() && is_digit(part.rest[digits])) ++digits;
    if (digits > 9) return std::nullopt;
    part.port = digits ? std::atoi(std::string(part.rest.substr(0, digits)).c_str()) : 0;
    part.rest.remove_prefix(digits);
    if (!part.rest.empty()) {
      if (part.rest[0] != '/') return std::nullopt;
      part.rest.remove_prefix(1);
    }
  }
  return part;
}

Operand make_operand(Operand::Where where, HostPart part, std::string_view path) {
  Operand operand;
  operand.where = where;
  operand.user = std::move(part.user);
  operand.has_user = part.has_user;
  operand.host = std::move(part.host);
  operand.port = part.port;
  operand.path = path;
  return operand;
}

std::unexpected<Error> refuse(std::string text) { return fail(Fault::kUsage, std::move(text)); }

// 0 for a shell; for a daemon what the user named, or the default as the negative it is compared as.
int port_of(const Operand& operand, const Options& options) {
  if (operand.where != Operand::Where::kDaemon) return 0;
  if (operand.port) return operand.port;
  return options.port ? options.port : -1;
}

Status check_list_host(const Options& options, const Operand& far) {
  if (options.files_from_host.empty() || options.files_from_host == far.user_and_host()) return {};
  return refuse("--files-from hostname is not the same as the transfer hostname");
}

Result<Journey> plan_pull(const Options& options, const Operand& first) {
  Journey journey;
  journey.kind = Journey::Kind::kPull;
  journey.far = first;
  std::vector<std::string> sources(options.operands);
  const std::string& last = options.operands.back();
  if (sources.size() > 1 && !last.starts_with(':')) {
    if (parse_operand(last).where != Operand::Where::kLocal)
      return refuse("The source and destination cannot both be remote.");
    if (last.empty() && !options.old_args)
      return refuse("Empty destination arg specified (use \".\" or see --old-args).");
    journey.destination = last.empty() ? "." : last;
    sources.pop_back();
  }
  TRY(check_list_host(options, first));

  const int port = port_of(first, options);
  for (size_t i = 0; i < sources.size(); ++i) {
    const Operand source = i == 0 ? first : parse_operand(sources[i]);
    if (source.where == Operand::Where::kLocal)
      return refuse(fmt::format("Unexpected local arg: {}\nIf arg is a remote file/dir, prefix it with a colon (:).",
                                sources[i]));
    if (i > 0 && !source.user_and_host().empty() && source.user_and_host() != first.user_and_host())
      return refuse("All source args must come from the same machine.");
    if (port_of(source, options) != port)
      return refuse(source.where != first.where ? "All source args must use the same hostspec format."
                                                : "All source args must use the same port number.");
    journey.sources.push_back(source.where == Operand::Where::kShell && source.path.empty() ? "." : source.path);
  }
  return journey;
}

Result<Journey> plan_push_or_local(const Options& options) {
  Journey journey;
  journey.sources = options.operands;
  if (journey.sources.size() > 1) {
    std::string last = journey.sources.back();
    journey.sources.pop_back();
    if (last.empty()) {
      if (!options.old_args) return refuse("Empty destination arg specified (use \".\" or see --old-args).");
      last = ".";
    }
    Operand far = parse_operand(last);
    if (far.where == Operand::Where::kLocal) {
      journey.destination = last;
    } else {
      TRY(check_list_host(options, far));
      journey.kind = Journey::Kind::kPush;
      journey.destination = far.where == Operand::Where::kShell && far.path.empty() ? "." : far.path;
      journey.far = std::move(far);
    }
  }
  if (journey.kind == Journey::Kind::kLocal && options.files_from_far)
    return refuse("--files-from cannot be remote when the transfer is local");
  for (size_t i = 0; i < journey.sources.size(); ++i) {
    if (journey.sources[i].empty()) return refuse("Empty source arg specified.");
    if (i > 0 && parse_operand(journey.sources[i]).where != Operand::Where::kLocal)
      return refuse("Unexpected remote arg: " + journey.sources[i]);
  }
  return journey;
}

}  // namespace

Operand parse_operand(std::string_view text) {
  if (starts_like_url(text)) {
    if (auto part = read_host(text.substr(kUrlPrefix.size()), true)) {
      const std::string_view path = part->rest;
      return make_operand(Operand::Where::kDaemon, std::move(*part), path);
    }
  }
  if (auto part = read_host(text, false)) {
    std::string_view path = part->rest;
    if (!path.starts_with(':')) return make_operand(Operand::Where::kShell, std::move(*part), path);
    path.remove_prefix(1);
    return make_operand(Operand::Where::kDaemon, std::move(*part), path);
  }
  Operand local;
  local.path = text;
  return local;
}

Result<Journey> plan_journey(const Options& options) {
  if (options.operands.empty()) return refuse("rsync: no source was named");
  Journey journey;
  if (!options.read_batch.empty()) {
    if (parse_operand(options.operands.back()).where != Operand::Where::kLocal)
      return refuse("remote destination is not allowed with --read-batch");
    journey.destination = options.operands.back();
    return journey;
  }
  const Operand first = parse_operand(options.operands.front());
  journey = TRY(first.where == Operand::Where::kLocal ? plan_push_or_local(options) : plan_pull(options, first));
  if (journey.kind != Journey::Kind::kLocal && journey.far.where == Operand::Where::kDaemon) {
    journey.daemon = true;
    journey.daemon_by_shell = !options.shell.empty();
    if (journey.far.port == 0) journey.far.port = options.port;
  }
  if (!options.password_file.empty() && !journey.daemon)
    return refuse("The --password-file option may only be used when accessing an rsync daemon.");
  if (options.contimeout_s && (!journey.daemon || journey.daemon_by_shell))
    return refuse("The --contimeout option may only be used when connecting to an rsync daemon.");
  if (journey.kind != Journey::Kind::kLocal && (!journey.daemon || journey.daemon_by_shell) &&
      journey.far.host.starts_with('-'))
    return refuse("Invalid remote host: hostnames may not start with '-'.");
  return journey;
}

Result<std::vector<std::string>> split_shell_command(std::string_view text) {
  std::vector<std::string> words;
  size_t at = 0;
  while (true) {
    while (at < text.size() && text[at] == ' ') ++at;
    if (at == text.size()) return words;
    std::string word;
    char quote = '\0';
    while (at < text.size() && (quote || text[at] != ' ')) {
      const char c = text[at++];
      if (!quote && (c == '\'' || c == '"')) {
        quote = c;
      } else if (quote && c == quote) {
        if (at < text.size() && text[at] == quote) {
          word += text[at++];
        } else {
          quote = '\0';
        }
      } else {
        word += c;
      }
    }
    if (quote) return refuse(fmt::format("Missing trailing-{} in remote-shell command.", quote));
    words.push_back(std::move(word));
  }
}

Result<std::vector<std::string>> shell_words(const Options& options, std::string_view default_shell, const Operand& far,
                                             bool daemon_by_shell) {
  std::vector<std::string> words =
      TRY(split_shell_command(options.shell.empty() ? default_shell : std::string_view(options.shell)));
  if (words.empty()) return refuse("rsync: the remote-shell command is empty");
  if (far.host.starts_with('-')) return refuse("Invalid remote host: hostnames may not start with '-'.");
  const std::string program = words[0].substr(words[0].rfind('/') + 1);
  bool names_user = false;
  for (size_t i = 0; i + 1 < words.size(); ++i)
    names_user = names_user || (words[i] == "-l" && !words[i + 1].starts_with('-'));
  if (far.has_user && !(daemon_by_shell && names_user)) {
    words.emplace_back("-l");
    words.push_back(far.user);
  }
  if (program == "ssh" && options.address_family == 4) words.emplace_back("-4");
  if (program == "ssh" && options.address_family == 6) words.emplace_back("-6");
  words.push_back(far.host);
  return words;
}

}  // namespace ocsync::sync
