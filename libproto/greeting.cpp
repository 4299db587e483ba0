#include "libproto/greeting.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "libproto/limits.h"
#include "libproto/numbers.h"

namespace ocsync::proto {

// --- capabilities ---------------------------------------------------------------------------------------------------

namespace {

// Letters in the order in which they are sent.
constexpr struct {
  char letter;
  bool Capabilities::* field;
} kLetters[] = {
    {'i', &Capabilities::incremental},       {'L', &Capabilities::symlink_times},
    {'s', &Capabilities::symlink_iconv},     {'f', &Capabilities::safe_list_end},
    {'x', &Capabilities::no_xattr_shortcut}, {'C', &Capabilities::seed_fix},
    {'I', &Capabilities::inplace_partial},   {'v', &Capabilities::varint_entry_flags},
    {'u', &Capabilities::id0_names},
};

}  // namespace

Capabilities Capabilities::ours(bool incremental, bool symlink_times, bool symlink_iconv) {
  Capabilities c;
  c.incremental = incremental;
  c.symlink_times = symlink_times;
  c.symlink_iconv = symlink_iconv;
  c.safe_list_end = c.no_xattr_shortcut = c.seed_fix = c.inplace_partial = c.varint_entry_flags = c.id0_names = true;
  return c;
}

std::string capability_text(const Capabilities& capabilities) {
  std::string text = ".";  // in place of a pre-release's version
  for (const auto& [letter, field] : kLetters)
    if (capabilities.*field) text += letter;
  return text;
}

Capabilities parse_capability_text(std::string_view text) {
  Capabilities c;
  int version = 0, sub = 0;
  const char* const begin = std::to_address(text.begin());
  const char* const end = std::to_address(text.end());
  const auto [dot, bad] = std::from_chars(begin, end, version);
  if (bad == std::errc() && version > 0 && dot != end && *dot == '.') {
    const auto [rest, bad_sub] = std::from_chars(dot + 1, end, sub);
    if (bad_sub == std::errc() && sub > 0) {
      c.prerelease_version = version;
      c.prerelease_sub = sub;
    }
  }
  for (const auto& [letter, field] : kLetters) c.*field = text.find(letter) != std::string_view::npos;
  c.byte_flags = text.find('V') != std::string_view::npos;
  return c;
}

uint32_t compat_flags(const HandshakeWishes& server, const Capabilities& client) {
  uint32_t flags = 0;
  const auto set = [&flags](bool on, CompatFlag flag) { flags |= on ? flag : 0u; };
  set(server.incremental && client.incremental, kCompatIncRecurse);
  set(server.symlink_times, kCompatSymlinkTimes);
  set(server.symlink_iconv, kCompatSymlinkIconv);
  set(client.safe_list_end, kCompatSafeList);
  set(client.no_xattr_shortcut, kCompatAvoidXattrOptim);
  set(client.seed_fix, kCompatSeedFix);
  set(client.inplace_partial, kCompatInplacePartial);
  set(client.varint_entry_flags || (client.byte_flags && !server.writes_batch), kCompatVarintFlags);
  set(client.id0_names, kCompatId0Names);
  return flags;
}

// --- versions -------------------------------------------------------------------------------------------------------

Result<int> settle_version(int32_t far, int ours) {
  if (far < kLowestAnnounced || far > kHighestAnnounced)
    return fail(Fault::kProtocol,
                "protocol version mismatch -- is your shell clean?\n(see the rsync manpage for an explanation)");
  const int version = std::min<int>(far, ours);
  if (version < kOldestVersion)
    return fail(Fault::kProtocol, "protocol version " + std::to_string(version) + " is too old; " +
                                      std::to_string(kOldestVersion) + " is the oldest that works here");
  return std::min(version, kNewestVersion);
}

int version_for_prerelease(int ours, const Capabilities& client) {
  if (client.prerelease_version == 0 || client.prerelease_version > ours) return ours;
  // Its wire format may differ from that of the final version with the same number.
  return client.prerelease_version - 1;
}

// --- algorithms -----------------------------------------------------------------------------------------------------

namespace {

constexpr DigestKind kChecksums[] = {DigestKind::kXxh128, DigestKind::kXxh3, DigestKind::kXxh64, DigestKind::kMd5,
                                     DigestKind::kMd4,    DigestKind::kSha1, DigestKind::kNone};
constexpr Compression kCompressions[] = {Compression::kZstd, Compression::kLz4, Compression::kZlibx, Compression::kZlib,
                                         Compression::kNone};

std::string_view checksum_name(DigestKind kind) {
  switch (kind) {
    case DigestKind::kXxh128: return "xxh128";
    case DigestKind::kXxh3: return "xxh3";
    case DigestKind::kXxh64: return "xxh64";
    case DigestKind::kMd5: return "md5";
    case DigestKind::kMd4: return "md4";
    case DigestKind::kSha1: return "sha1";
    default: return "none";
  }
}

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

bool same_word(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](char x, char y) { return lower(x) == lower(y); });
}

std::optional<DigestKind> checksum_by_name(std::string_view name) {
  if (same_word(name, "xxhash")) return DigestKind::kXxh64;
  for (const DigestKind kind : kChecksums)
    if (same_word(name, checksum_name(kind))) return kind;
  return std::nullopt;
}

// The built-in order of a list, canonical names.
std::vector<std::string_view> known_names(AlgorithmList which) {
  std::vector<std::string_view> names;
  if (which == AlgorithmList::kChecksum)
    for (const DigestKind kind : kChecksums) names.push_back(checksum_name(kind));
  else
    for (const Compression method : kCompressions) names.push_back(compression_name(method));
  return names;
}

// The canonical spelling of a known name.
std::optional<std::string_view> canonical(AlgorithmList which, std::string_view name) {
  if (which == AlgorithmList::kChecksum) {
    const auto kind = checksum_by_name(name);
    return kind ? std::optional(checksum_name(*kind)) : std::nullopt;
  }
  const auto method = compression_by_name(name);
  return method ? std::optional(compression_name(*method)) : std::nullopt;
}

std::vector<std::string_view> words(std::string_view text) {
  constexpr std::string_view kSpace = " \t\n\v\f\r";
  std::vector<std::string_view> found;
  for (size_t at = text.find_first_not_of(kSpace); at != text.npos; at = text.find_first_not_of(kSpace)) {
    text.remove_prefix(at);
    const size_t end = std::min(text.find_first_of(kSpace), text.size());
    found.push_back(text.substr(0, end));
    text.remove_prefix(end);
  }
  return found;
}

// An environment list holds the client's names before an '&' and the server's behind it; a server without '&' uses all.
std::string_view part_for(bool server, std::string_view env) {
  const size_t amp = env.find('&');
  if (amp == env.npos) return env;
  return server ? env.substr(amp + 1) : env.substr(0, amp);
}

// The names that the environment allows, or nothing if it does not restrict.
std::optional<std::vector<std::string_view>> allowed_names(AlgorithmList which, bool server, std::string_view env) {
  std::string_view part = part_for(server, env);
  // A second '&' ends the server's part as well.
  part = part.substr(0, part.find('&'));
  const std::vector<std::string_view> typed = words(part);
  if (typed.empty()) return std::nullopt;
  std::vector<std::string_view> names;
  for (const std::string_view word : typed)
    if (const auto name = canonical(which, word)) names.push_back(*name);
  return names;
}

bool holds(const std::vector<std::string_view>& names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

bool open_choice(std::string_view choice) {
  return choice.empty() || same_word(choice, "auto") || same_word(choice, "auto,auto");
}

std::string environment_list(AlgorithmList which, const HandshakeWishes& wishes, int version) {
  // A batch may be replayed by any old version: only what each of them knows.
  if (wishes.writes_batch) return which == AlgorithmList::kCompression ? "zlib" : version >= 30 ? "md5" : "md4";
  return which == AlgorithmList::kCompression ? wishes.compress_list : wishes.checksum_list;
}

std::string_view word_for(AlgorithmList which) { return which == AlgorithmList::kChecksum ? "checksum" : "compress"; }

std::unexpected<Error> no_common_name(AlgorithmList which, std::string_view client_list, std::string_view server_list) {
  std::string text = "Failed to negotiate a ";
  text.append(word_for(which)).append(" choice.\nServer list: ").append(server_list);
  text.append("\nClient list: ").append(client_list);
  return fail(Fault::kUnsupported, std::move(text));
}

}  // namespace

std::string_view compression_name(Compression compression) {
  switch (compression) {
    case Compression::kZstd: return "zstd";
    case Compression::kLz4: return "lz4";
    case Compression::kZlibx: return "zlibx";
    case Compression::kZlib: return "zlib";
    case Compression::kNone: break;
  }
  return "none";
}

std::optional<Compression> compression_by_name(std::string_view name) {
  for (const Compression method : kCompressions)
    if (same_word(name, compression_name(method))) return method;
  return std::nullopt;
}

std::string offered_list(AlgorithmList which, bool server, std::string_view env) {
  const auto allowed = allowed_names(which, server, env);
  std::string list;
  for (const std::string_view name : known_names(which)) {
    if (allowed) {
      if (!holds(*allowed, name)) continue;
    } else if (!server) {
      // A client does not offer to do without, and not md4 either: builds of rsync disagree about where its block sums
      // take the seed.
      if (name == "none" || name == "md4") continue;
    }
    if (!list.empty()) list += ' ';
    list += name;
  }
  return list.empty() ? "INVALID" : list;
}

std::optional<std::string> choose_algorithm(AlgorithmList which, std::string_view client_list,
                                            std::string_view server_list) {
  std::vector<std::string_view> server;
  for (const std::string_view word : words(server_list))
    if (const auto name = canonical(which, word)) server.push_back(*name);
  for (const std::string_view word : words(client_list)) {
    const auto name = canonical(which, word);
    if (name && holds(server, *name)) return std::string(*name);
  }
  return std::nullopt;
}

namespace {

SeedOrder seed_order_of(DigestKind kind) {
  switch (kind) {
    case DigestKind::kMd4: return SeedOrder::kAfter;
    case DigestKind::kMd5:
    case DigestKind::kSha1: return SeedOrder::kBefore;
    case DigestKind::kXxh64:
    case DigestKind::kXxh3:
    case DigestKind::kXxh128: return SeedOrder::kNative;
    default: return SeedOrder::kUnseeded;
  }
}

// What nobody chose: by version, and with the seed where that version has it.
void imply_transfer_digest(Agreement& agreed) {
  agreed.transfer_digest = agreed.version >= 30 ? DigestKind::kMd5 : DigestKind::kMd4;
  agreed.seeded_file_sum = agreed.version < 30;
  agreed.block_seed = agreed.version >= 30 && (agreed.compat & kCompatSeedFix) ? SeedOrder::kBefore : SeedOrder::kAfter;
}

DigestKind implied_digest(const Agreement& agreed) {
  return agreed.version >= 30 ? DigestKind::kMd5 : DigestKind::kMd4;
}

Result<DigestKind> digest_wish(std::string_view word, const Agreement& agreed) {
  if (same_word(word, "auto")) return implied_digest(agreed);
  const auto kind = checksum_by_name(word);
  if (!kind) return fail(Fault::kUnsupported, "unknown checksum name: " + std::string(word));
  return *kind;
}

std::unexpected<Error> refused_choice(AlgorithmList which, const std::string& choice) {
  return fail(Fault::kUnsupported,
              "Your --" + std::string(word_for(which)) + "-choice value (" + choice + ") was refused by the server.");
}

// The name that goes unsaid must still be one that this side's environment allows.
Status check_unsaid(AlgorithmList which, bool server, std::string_view name, const std::string& env) {
  const auto allowed = allowed_names(which, server, env);
  if (!allowed || holds(*allowed, name)) return {};
  const std::string list = offered_list(which, server, env);
  return server ? no_common_name(which, name, list) : no_common_name(which, list, name);
}

Status settle_checksum(Agreement& agreed, const HandshakeWishes& wishes, bool server,
                       const std::optional<std::string>& negotiated) {
  constexpr auto kWhich = AlgorithmList::kChecksum;
  const std::string env = environment_list(kWhich, wishes, agreed.version);
  agreed.seeded_file_sum = false;

  if (negotiated) {
    agreed.transfer_digest = agreed.list_digest = *checksum_by_name(*negotiated);
    agreed.block_seed = seed_order_of(agreed.transfer_digest);
    return {};
  }
  if (open_choice(wishes.checksum_choice)) {
    imply_transfer_digest(agreed);
    agreed.list_digest = agreed.transfer_digest;
    return check_unsaid(kWhich, server, checksum_name(agreed.transfer_digest), env);
  }

  const std::string_view choice = wishes.checksum_choice;
  const size_t comma = choice.find(',');
  const std::string_view transfer = choice.substr(0, comma);
  const std::string_view list = comma == choice.npos ? transfer : choice.substr(comma + 1);
  agreed.transfer_digest = TRY(digest_wish(transfer, agreed));
  agreed.list_digest = TRY(digest_wish(list, agreed));
  agreed.block_seed = seed_order_of(agreed.transfer_digest);
  if (same_word(transfer, "auto")) imply_transfer_digest(agreed);

  const auto allowed = allowed_names(kWhich, server, env);
  if (server && allowed &&
      (!holds(*allowed, checksum_name(agreed.transfer_digest)) || !holds(*allowed, checksum_name(agreed.list_digest))))
    return refused_choice(kWhich, wishes.checksum_choice);
  return {};
}

// Levels outside what a method knows are moved to its ends; one level of each zlib method means "off".
void settle_level(Agreement& agreed, const HandshakeWishes& wishes) {
  struct Levels {
    int lowest, highest, usual;
  };
  const auto settle = [&](Levels levels) {
    agreed.compression_level =
        wishes.compress_level_given ? std::clamp(wishes.compress_level, levels.lowest, levels.highest) : levels.usual;
  };
  agreed.compression_level_given = wishes.compress_level_given;
  agreed.compression_threads = wishes.compress_threads;
  switch (agreed.compression) {
    case Compression::kZlib:
    case Compression::kZlibx:
      if (wishes.compress_level_given && wishes.compress_level == 0) {
        agreed.compression = Compression::kNone;
        break;
      }
      settle({1, 9, 6});
      if (wishes.compress_level_given && wishes.compress_level == -1) agreed.compression_level = 6;
      break;
    case Compression::kZstd:
      settle({-131072, 22, 3});
      if (agreed.compression_level == 0) agreed.compression_level = 3;
      break;
    case Compression::kLz4: settle({0, 0, 0}); break;
    case Compression::kNone: break;
  }
}

bool open_compression(const HandshakeWishes& wishes) {
  return wishes.compress && (wishes.compress_choice.empty() || same_word(wishes.compress_choice, "auto"));
}

Status settle_compression(Agreement& agreed, const HandshakeWishes& wishes, bool server,
                          const std::optional<std::string>& negotiated) {
  constexpr auto kWhich = AlgorithmList::kCompression;
  const std::string env = environment_list(kWhich, wishes, agreed.version);
  agreed.compression = Compression::kNone;

  if (negotiated) {
    agreed.compression = *compression_by_name(*negotiated);
  } else if (open_compression(wishes)) {
    TRY(check_unsaid(kWhich, server, "zlib", env));
    agreed.compression = Compression::kZlib;
  } else if (!wishes.compress_choice.empty() && !same_word(wishes.compress_choice, "auto")) {
    const auto method = compression_by_name(wishes.compress_choice);
    if (!method) return fail(Fault::kUnsupported, "unknown compress name: " + wishes.compress_choice);
    const auto allowed = allowed_names(kWhich, server, env);
    if (server && allowed && !holds(*allowed, compression_name(*method)))
      return refused_choice(kWhich, wishes.compress_choice);
    agreed.compression = *method;
  }
  settle_level(agreed, wishes);
  return {};
}

}  // namespace

Status settle_algorithms(Agreement& agreed, const HandshakeWishes& wishes, bool server,
                         const std::optional<std::string>& negotiated_checksum,
                         const std::optional<std::string>& negotiated_compression) {
  TRY(settle_checksum(agreed, wishes, server, negotiated_checksum));
  return settle_compression(agreed, wishes, server, negotiated_compression);
}

Status check_version_gates(const HandshakeWishes& wishes, const Agreement& agreed) {
  const auto needs = [&](const std::string& what, const char* version) {
    return fail(Fault::kProtocol, what + " requires protocol " + version + " or higher (negotiated " +
                                      std::to_string(agreed.version) + ").");
  };
  if (!agreed.acls_and_xattrs && !wishes.same_program) {
    if (wishes.acls) return needs("--acls", "30");
    if (wishes.xattrs) return needs("--xattrs", "30");
  }
  if (!agreed.multiple_basis) {
    if (wishes.fuzzy) return needs("--fuzzy", "29");
    if (wishes.basis_with_inplace) return needs(wishes.basis_option + " with --inplace", "29");
    if (wishes.basis_dirs > 1) return needs("Using more than one " + wishes.basis_option + " option", "29");
    if (wishes.prune_empty_dirs) return needs("--prune-empty-dirs", "29");
  }
  if (wishes.crtimes && !agreed.varint_entry_flags)
    return fail(Fault::kProtocol, "Both rsync versions must be at least 3.2.0 for --crtimes.");
  return {};
}

bool client_writes_frames(const Agreement& agreed, bool client_is_sender, bool removes_source_files) {
  return agreed.client_frames || (!client_is_sender && removes_source_files);
}

// --- the whole handshake --------------------------------------------------------------------------------------------

namespace {

// Both sides write all their lists before they read any: the lists cross, and nobody waits for a turn.
Status negotiate(Reader& in, Writer& out, Agreement& agreed, const HandshakeWishes& wishes, bool server,
                 bool negotiable) {
  std::optional<std::string> chosen[2];
  if (negotiable) {
    const bool wanted[2] = {open_choice(wishes.checksum_choice), open_compression(wishes)};
    std::string ours[2];
    for (int i = 0; i < 2; ++i) {
      if (!wanted[i]) continue;
      const auto which = static_cast<AlgorithmList>(i);
      ours[i] = offered_list(which, server, environment_list(which, wishes, agreed.version));
      TRY(write_vstring(ours[i], out));
    }
    if (wanted[0] || wanted[1]) TRY(out.flush());
    for (int i = 0; i < 2; ++i) {
      if (!wanted[i]) continue;
      const auto which = static_cast<AlgorithmList>(i);
      const std::string theirs = TRY(read_vstring(kMaxAlgorithmList, in, Fault::kUnsupported));
      if (wishes.tell_lists) wishes.tell_lists(i == 0 ? "checksum" : "compress", ours[i], theirs);
      const std::string& client_list = server ? theirs : ours[i];
      const std::string& server_list = server ? ours[i] : theirs;
      chosen[i] = choose_algorithm(which, client_list, server_list);
      if (!chosen[i]) return no_common_name(which, client_list, server_list);
    }
  }
  return settle_algorithms(agreed, wishes, server, chosen[0], chosen[1]);
}

// Said before anything travels: afterwards the far side may be gone before we come to it.
Status check_names(const HandshakeWishes& wishes) {
  const Agreement scratch;
  if (!open_choice(wishes.checksum_choice)) {
    const std::string_view choice = wishes.checksum_choice;
    const size_t comma = choice.find(',');
    TRY(digest_wish(choice.substr(0, comma), scratch));
    if (comma != choice.npos) TRY(digest_wish(choice.substr(comma + 1), scratch));
  }
  if (!wishes.compress_choice.empty() && !same_word(wishes.compress_choice, "auto") &&
      !compression_by_name(wishes.compress_choice))
    return fail(Fault::kUnsupported, "unknown compress name: " + wishes.compress_choice);
  return {};
}

}  // namespace

Result<Agreement> handshake_as_client(Reader& in, Writer& out, const HandshakeWishes& wishes) {
  TRY(check_names(wishes));
  if (!wishes.far_version) {
    TRY(out.i32(wishes.max_version));
    TRY(out.flush());
  }
  const int32_t far = wishes.far_version ? *wishes.far_version : TRY(in.i32());
  if (wishes.max_version < kLowestAnnounced)
    return fail(Fault::kProtocol,
                "--protocol must be at least " + std::to_string(kLowestAnnounced) + " on the Client.");
  const int version = TRY(settle_version(far, wishes.max_version));

  uint32_t flags = 0;
  if (version >= 30) flags = static_cast<uint32_t>(TRY(read_varint(in)));
  Agreement agreed = Agreement::from(version, flags);
  agreed.far_version = far;
  if (agreed.incremental && !wishes.incremental)
    return fail(Fault::kUsage, "Incompatible options specified for inc-recursive connection.");
  TRY(check_version_gates(wishes, agreed));

  TRY(negotiate(in, out, agreed, wishes, false, agreed.varint_entry_flags));
  agreed.seed = TRY(in.i32());
  return agreed;
}

Result<Agreement> handshake_as_server(Reader& in, Writer& out, const HandshakeWishes& wishes) {
  const Capabilities client = parse_capability_text(wishes.far_capabilities);
  int ours = wishes.max_version;
  int32_t far = 0;
  if (wishes.far_version) {
    far = *wishes.far_version;
  } else {
    ours = version_for_prerelease(ours, client);
    TRY(out.i32(ours));
    TRY(out.flush());
    far = TRY(in.i32());
  }
  const int version = TRY(settle_version(far, ours));

  Agreement agreed = Agreement::from(version, compat_flags(wishes, client));
  agreed.far_version = far;
  TRY(check_version_gates(wishes, agreed));
  if (version >= 30) {
    if (client.byte_flags)
      TRY(out.u8(static_cast<uint8_t>(agreed.compat)));
    else
      TRY(write_varint(static_cast<int32_t>(agreed.compat), out));
    // What the far side can do about symlinks is told by its letters; the flags speak of this side.
    agreed.symlink_times = client.symlink_times;
    agreed.symlink_iconv = client.symlink_iconv;
  }

  TRY(negotiate(in, out, agreed, wishes, true, version >= 30 && client.varint_entry_flags));
  agreed.seed = wishes.checksum_seed != 0 ? wishes.checksum_seed : wishes.fresh_seed;
  TRY(out.i32(agreed.seed));
  TRY(out.flush());
  return agreed;
}

}  // namespace ocsync::proto
