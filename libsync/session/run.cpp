#include "libsync/session/run.h"

#include "libsync/session/batch.h"
#include "libsync/session/ending.h"
#include "libsync/session/local.h"
#include "libsync/session/pull.h"
#include "libsync/session/push.h"
#include "libsync/session/serve.h"

namespace ocsync::sync {

int run_client(const Options& given, io::Stop& stop) {
  auto journey = plan_journey(given);
  // From here on the options know which role is ours.
  Options options = given;
  if (journey) options.sender = options.read_batch.empty() && journey->kind != Journey::Kind::kPull;
  Reporter reporter(options);
  if (!journey) {
    // By then it is known that the first operand is on another machine.
    const bool from_there =
        !given.read_batch.empty() ||
        (!given.operands.empty() && parse_operand(given.operands.front()).where != Operand::Where::kLocal);
    return Ending(reporter, from_there ? Role::kReceiverStart : Role::kSender).of(journey.error());
  }
  auto files = read_operator_files(options, reporter);
  if (!files) return Ending(reporter, Role::kClient).of(files.error());
  if (!options.read_batch.empty()) return run_replay(options, *journey, *files, reporter, stop);
  // Both files exist before anything is reached.
  auto batch = BatchWriter::open(options);
  if (!batch) return Ending(reporter, Role::kReceiverStart).of(batch.error());
  switch (journey->kind) {
    case Journey::Kind::kLocal: return run_local(options, *journey, *files, reporter, stop, batch->get());
    case Journey::Kind::kPush: return run_push(options, *journey, *files, reporter, stop, batch->get());
    case Journey::Kind::kPull: return run_pull(options, *journey, *files, reporter, stop, batch->get());
  }
  return kExitUsage;
}

}  // namespace ocsync::sync
