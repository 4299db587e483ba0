// Which failure ends the program with which code, and what that code is called. The only table of this kind.
#pragma once

#include <string_view>

#include "libio/base/result.h"

namespace ocsync::sync {

// The codes as rsync's users and scripts know them.
enum ExitCode : int {
  kExitOk = 0,
  kExitUsage = 1,
  kExitProtocol = 2,
  kExitSelect = 3,
  kExitUnsupported = 4,
  kExitStartup = 5,
  kExitSocket = 10,
  kExitFileIo = 11,
  kExitStream = 12,
  kExitDiagnostics = 13,
  kExitIpc = 14,
  kExitCrashed = 15,
  kExitTerminated = 16,
  kExitUser1 = 19,
  kExitInterrupted = 20,
  kExitWait = 21,
  kExitMemory = 22,
  kExitPartial = 23,
  kExitVanished = 24,
  kExitDeleteLimit = 25,
  kExitTimeout = 30,
  kExitConnectTimeout = 35,
  kExitCommandFailed = 124,
  kExitCommandKilled = 125,
  kExitCommandCannotRun = 126,
  kExitCommandNotFound = 127,
};

// The code an error ends the run with; never 0. kFarExit: the far side's own code.
int exit_code_of(const Error& error);

// "error in file IO"; "unexplained error" for a code nobody knows; empty for 0.
std::string_view exit_text(int code);

// Bits of RunState::io_error, as they travel.
inline constexpr int kIoErrorGeneral = 1;
inline constexpr int kIoErrorVanished = 2;
inline constexpr int kIoErrorDeleteLimit = 4;

// What a run ends with: the larger of its own code and the code a child (the remote shell) ended with; if both are 0,
// 23 for a general or transfer error, else 24 for vanished files, else 25 for the limit of deletions, else 0.
int final_exit_code(int own, int child, int io_error, bool transfer_error);

}  // namespace ocsync::sync
