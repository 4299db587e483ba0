// The tables from faults to exit codes and from codes to their texts.
#include "libsync/report/exit_code.h"

#include <algorithm>

namespace ocsync::sync {
namespace {

struct CodeText {
  int code;
  std::string_view text;
};

constexpr CodeText kTexts[] = {
    {kExitUsage, "syntax or usage error"},
    {kExitProtocol, "protocol incompatibility"},
    {kExitSelect, "errors selecting input/output files, dirs"},
    {kExitUnsupported, "requested action not supported"},
    {kExitStartup, "error starting client-server protocol"},
    {kExitSocket, "error in socket IO"},
    {kExitFileIo, "error in file IO"},
    {kExitStream, "error in rsync protocol data stream"},
    {kExitDiagnostics, "errors with program diagnostics"},
    {kExitIpc, "error in IPC code"},
    {kExitCrashed, "sibling process crashed"},
    {kExitTerminated, "sibling process terminated abnormally"},
    {kExitUser1, "received SIGUSR1"},
    {kExitInterrupted, "received SIGINT, SIGTERM, or SIGHUP"},
    {kExitWait, "waitpid() failed"},
    {kExitMemory, "error allocating core memory buffers"},
    {kExitPartial, "some files/attrs were not transferred (see previous errors)"},
    {kExitVanished, "some files vanished before they could be transferred"},
    {kExitDeleteLimit, "the --max-delete limit stopped deletions"},
    {kExitTimeout, "timeout in data send/receive"},
    {kExitConnectTimeout, "timeout waiting for daemon connection"},
    {kExitCommandFailed, "remote shell failed"},
    {kExitCommandKilled, "remote shell killed"},
    {kExitCommandCannotRun, "remote command could not be run"},
    {kExitCommandNotFound, "remote command not found"},
};

int code_of_fault(Fault fault) {
  switch (fault) {
    case Fault::kSystem: return kExitFileIo;  // an errno that nobody on its way could place better
    case Fault::kUsage: return kExitUsage;
    case Fault::kProtocol: return kExitProtocol;
    case Fault::kSelect: return kExitSelect;
    case Fault::kUnsupported: return kExitUnsupported;
    case Fault::kStartup: return kExitStartup;
    case Fault::kSocket: return kExitSocket;
    case Fault::kFileIo: return kExitFileIo;
    case Fault::kStream: return kExitStream;
    case Fault::kDiagnostics: return kExitDiagnostics;
    case Fault::kIpc: return kExitIpc;
    case Fault::kInterrupted: return kExitInterrupted;
    case Fault::kUser1: return kExitUser1;
    case Fault::kWait: return kExitWait;
    case Fault::kMemory: return kExitMemory;
    case Fault::kPartial: return kExitPartial;
    case Fault::kVanished: return kExitVanished;
    case Fault::kDeleteLimit: return kExitDeleteLimit;
    case Fault::kTimeout: return kExitTimeout;
    case Fault::kConnectTimeout: return kExitConnectTimeout;
    case Fault::kClosed: return kExitStream;
    case Fault::kFarExit: return kExitStream;  // when it named no code of its own
  }
  return kExitStream;
}

}  // namespace

int exit_code_of(const Error& error) {
  if (error.fault == Fault::kFarExit && error.code > 0 && error.code <= 255) return error.code;
  return code_of_fault(error.fault);
}

std::string_view exit_text(int code) {
  if (code == kExitOk) return {};
  const CodeText* found = std::ranges::find(kTexts, code, &CodeText::code);
  return found == std::end(kTexts) ? "unexplained error" : found->text;
}

int final_exit_code(int own, int child, int io_error, bool transfer_error) {
  if (const int code = std::max(own, child); code != kExitOk) return code;
  if ((io_error & kIoErrorGeneral) != 0 || transfer_error) return kExitPartial;
  if ((io_error & kIoErrorVanished) != 0) return kExitVanished;
  if ((io_error & kIoErrorDeleteLimit) != 0) return kExitDeleteLimit;
  return kExitOk;
}

}  // namespace ocsync::sync
