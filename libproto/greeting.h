// The beginning of a session: versions, compatibility flags, algorithm lists, seed. See docs/greeting.md.
//
// handshake_as_client() and handshake_as_server() do it all and return the Agreement. The pieces are here as well, for
// batch files, the daemon and tests. This floor reads neither clock nor environment: both come in with the wishes.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "libio/base/result.h"
#include "libio/base/stream.h"
#include "libproto/agreement.h"

namespace ocsync::proto {

// --- capabilities: the letters a client puts behind its -e option -------------------------------------------------

struct Capabilities {
  bool incremental = false;         // i
  bool symlink_times = false;       // L
  bool symlink_iconv = false;       // s
  bool safe_list_end = false;       // f
  bool no_xattr_shortcut = false;   // x
  bool seed_fix = false;            // C
  bool inplace_partial = false;     // I
  bool varint_entry_flags = false;  // v
  bool id0_names = false;           // u
  bool byte_flags = false;          // V: pre-releases of v want the flags as one raw byte; never sent
  int prerelease_version = 0;       // VER.SUB in front of the letters
  int prerelease_sub = 0;

  // What this program can do. The caller decides about `incremental` and the machine-dependent two.
  static Capabilities ours(bool incremental, bool symlink_times, bool symlink_iconv);
};
// The text that follows the letter e, such as ".iLsfxCIvu".
std::string capability_text(const Capabilities& capabilities);
// Unknown letters are ignored; a missing text is no capabilities.
Capabilities parse_capability_text(std::string_view text);

// --- versions -------------------------------------------------------------------------------------------------------

// The version both ends speak when one announced `far` and the other `ours`. Refuses noise and versions below 27.
Result<int> settle_version(int32_t far, int ours);
// What a server announces to a client that told it is a pre-release.
int version_for_prerelease(int ours, const Capabilities& client);

// --- algorithms -----------------------------------------------------------------------------------------------------

enum class AlgorithmList : uint8_t { kChecksum, kCompression };

// The names this side offers, most preferred first: the built-in list, or what `env` (RSYNC_CHECKSUM_LIST or
// RSYNC_COMPRESS_LIST, empty if unset) leaves of it, in built-in order. "INVALID" if `env` names nothing known.
std::string offered_list(AlgorithmList which, bool server, std::string_view env);
// The one name both sides arrive at: the client's first that the server has. Nothing if there is none.
std::optional<std::string> choose_algorithm(AlgorithmList which, std::string_view client_list,
                                            std::string_view server_list);
std::optional<Compression> compression_by_name(std::string_view name);
std::string_view compression_name(Compression compression);

// --- the whole handshake --------------------------------------------------------------------------------------------

// Everything the handshake depends on, as both ends know it from their own options.
struct HandshakeWishes {
  // Told of the lists of names that were exchanged, "checksum" or "compress"; empty: nobody asks.
  std::function<void(std::string_view kind, std::string_view ours, std::string_view theirs)> tell_lists;
  bool same_program = false;         // both ends run in one process: nothing is beyond the other's understanding
  int max_version = kNewestVersion;  // what is announced: --protocol; a higher one than we speak is cut to that
  std::optional<int> far_version;    // a daemon greeting has told it already: no version integers travel
  bool incremental = false;          // this side would: recursing, and nothing needs the whole list first
  bool symlink_times = true;         // this machine can set times of symlinks
  bool symlink_iconv = true;         // this machine has iconv
  std::string far_capabilities;      // server: what followed the client's letter e

  std::string checksum_choice;  // --checksum-choice as typed, or empty
  bool compress = false;        // any compression wish
  std::string compress_choice;  // a fixed method (-zz means "zlibx", --old-compress "zlib"), or empty
  int compress_level = 0;
  bool compress_level_given = false;
  int compress_threads = 0;
  std::string checksum_list;  // RSYNC_CHECKSUM_LIST
  std::string compress_list;  // RSYNC_COMPRESS_LIST
  bool writes_batch = false;  // only old-style algorithms

  int32_t checksum_seed = 0;  // --checksum-seed, 0: fresh_seed is used (server)
  int32_t fresh_seed = 0;     // time XOR process id * 64

  // What needs a certain version (refused below it).
  bool acls = false, xattrs = false;            // 30
  bool fuzzy = false;                           // 29
  int basis_dirs = 0;                           // more than one: 29
  bool basis_with_inplace = false;              // 29
  std::string basis_option = "--compare-dest";  // as it is named in a refusal
  bool prune_empty_dirs = false;                // 29
  bool crtimes = false;                         // compatibility flag 7
};

// Client: writes its version, flushes, reads the server's, the flags, the lists and the seed. Reads not one byte more
// from `in`'s source only if that source hands out no more (see frames.h: a DemuxSource does not before enable()).
Result<Agreement> handshake_as_client(Reader& in, Writer& out, const HandshakeWishes& wishes);
Result<Agreement> handshake_as_server(Reader& in, Writer& out, const HandshakeWishes& wishes);

// The flags a server writes to this client.
uint32_t compat_flags(const HandshakeWishes& server, const Capabilities& client);
// The algorithms when nothing is negotiated, which is what batch files use: by choice, else the version's defaults.
Status settle_algorithms(Agreement& agreed, const HandshakeWishes& wishes, bool server,
                         const std::optional<std::string>& negotiated_checksum,
                         const std::optional<std::string>& negotiated_compression);
// Refuses wishes that the version cannot fulfil.
Status check_version_gates(const HandshakeWishes& wishes, const Agreement& agreed);
// Whether C>S is framed for this session (S>C always is).
bool client_writes_frames(const Agreement& agreed, bool client_is_sender, bool removes_source_files);

}  // namespace ocsync::proto
