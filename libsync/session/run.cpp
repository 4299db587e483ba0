#include "libsync/session/run.h"

#include "libsync/list/charset.h"
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
  // A client takes itself for a receiver until it sees a source of its own.
  const bool starts_here = given.read_batch.empty() && !given.operands.empty() && parse_operand(given.operands.front()).where == Operand::Where::kLocal;
  Ending ending(reporter, starts_here ? Role::kSender : Role::kReceiverStart);
  if (!journey) return ending.of(journey.error());
  if (const Status known = check_charset(options); !known) return ending.of(known.error());
  if (auto convert = names_from_wire(options); convert && *convert)
    reporter.set_text_conversion({}, [text = std::make_shared<TextConversion>(std::move(*convert))](std::string_view heard) { return (*text)(heard); });
  if (!options.read_batch.empty()) return run_replay(options, *journey, reporter, stop);
  // Both files exist before anything is reached.
  auto batch = BatchWriter::open(options);
  if (!batch) {
    ending.speak_as(Role::kReceiverStart);
    return ending.of(batch.error());
  }
  switch (journey->kind) {
    case Journey::Kind::kLocal: return run_local(options, *journey, reporter, stop, batch->get());
    case Journey::Kind::kPush: return run_push(options, *journey, reporter, stop, batch->get());
    case Journey::Kind::kPull: return run_pull(options, *journey, reporter, stop, batch->get());
  }
  return kExitUsage;
}

}  // namespace ocsync::sync
