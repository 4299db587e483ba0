// The daemon's configuration file: every parameter of rsyncd.conf as a row of one table, and the grammar around them.
//
// Values are kept as text and read by type when asked for; "%NAME%" is replaced from the environment at that moment,
// since some of those variables (RSYNC_USER_NAME) exist only once a client has said who it is.
#pragma once

#include <array>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "libio/base/result.h"

namespace ocsync::sync {

enum class Param : uint8_t {
  // Global only.
  kAddress,
  kDaemonChroot,
  kDaemonGid,
  kDaemonUid,
  kMotdFile,
  kPidFile,
  kProxyProtocolHosts,
  kSocketOptions,
  kListenBacklog,
  kPort,
  kProxyProtocol,
  // Modules, with defaults from the global part.
  kAuthDigest,
  kAuthUsers,
  kCharset,
  kComment,
  kDontCompress,
  kEarlyExec,
  kExclude,
  kExcludeFrom,
  kFilter,
  kGid,
  kHostsAllow,
  kHostsDeny,
  kInclude,
  kIncludeFrom,
  kIncomingChmod,
  kLockFile,
  kLogFile,
  kLogFormat,
  kName,
  kNameConverter,
  kOutgoingChmod,
  kPostXferExec,
  kPreXferExec,
  kRefuseOptions,
  kSecretsFile,
  kSyslogTag,
  kUid,
  kPath,
  kTempDir,
  kMaxConnections,
  kMaxVerbosity,
  kTimeout,
  kSyslogFacility,
  kFakeSuper,
  kForwardLookup,
  kIgnoreErrors,
  kIgnoreNonreadable,
  kInsecureLinks,
  kList,
  kReadOnly,
  kReverseLookup,
  kStrictModes,
  kTransferLogging,
  kWriteOnly,
  kMungeSymlinks,
  kNumericIds,
  kOpenNoatime,
  kUseChroot,
  kCount
};

enum class ParamType : uint8_t { kString, kPath, kInteger, kBool, kBool3, kFacility };

struct ParamRow {
  Param param;
  const char* name;     // as it is written: small letters, single blanks
  const char* synonym;  // or null
  ParamType type;
  bool global;
  const char* initial;  // its default, as text
};
const std::array<ParamRow, static_cast<size_t>(Param::kCount)>& parameters();
// Case and blanks do not count. Null: nobody knows it.
const ParamRow* find_parameter(std::string_view name);

using LookUpVariable = std::function<std::optional<std::string>(const std::string& name)>;
std::optional<std::string> process_variable(const std::string& name);
// "%NAME%" (a capital letter first) becomes the variable's value; unknown names stay as they are.
std::string expand_variables(std::string_view text, const LookUpVariable& variable);
// The same for a text that a shell will read: values of RSYNC_* variables come from clients, so they are quoted for
// where they stand, and one that holds anything a shell could act upon is refused (kUnsupported).
Result<std::string> expand_for_shell(std::string_view text, const LookUpVariable& variable);

// One set of values.
class Settings {
 public:
  Settings();
  // With variables replaced. Paths have lost their trailing slashes.
  std::string text(Param param) const;
  // As it was written.
  const std::string& raw(Param param) const { return values_[static_cast<size_t>(param)]; }
  int number(Param param) const;  // as atoi() would have it
  bool flag(Param param) const { return state(param) > 0; }
  int state(Param param) const;  // 1, 0, or -1 for "unset"
  int facility() const;          // a LOG_* constant
  void set(Param param, std::string value) { values_[static_cast<size_t>(param)] = std::move(value); }

 private:
  std::array<std::string, static_cast<size_t>(Param::kCount)> values_;
};

struct Module : Settings {
  std::string name;
};

// Something worth telling the operator. Fatal ones end a start; a reload keeps the old settings then.
struct ConfigComplaint {
  std::string file;
  int line = 0;
  std::string text;
  bool fatal = false;
};

struct Config {
  Settings globals;
  std::vector<Module> modules;
  std::vector<ConfigComplaint> complaints;

  bool broken() const;
  // Exact spelling, the last one of that name.
  const Module* find(std::string_view name) const;
};

// What the parser needs from a disk.
struct ConfigFiles {
  std::function<Result<std::string>(const std::string& path)> read;
  // Names in a directory, in any order; ENOTDIR if it is none.
  std::function<Result<std::vector<std::string>>(const std::string& path)> list;
  // Follows symlinks of root and of the effective user only.
  static ConfigFiles trusted();
};

// `overrides`: --dparam, each NAME=VALUE; they end the global part. An unreadable first file is a fatal complaint.
Config read_config(const std::string& path, const std::vector<std::string>& overrides, const ConfigFiles& files,
                   const LookUpVariable& variable = process_variable);

// Values are lists of words: between blanks, or, if the text starts with a comma, between commas. `commas`: commas
// separate in any case.
std::vector<std::string> list_words(std::string_view text, bool commas);

}  // namespace ocsync::sync
