#include "libsync/session/run.h"

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
  if (journey) options.sender = journey->kind != Journey::Kind::kPull;
  Reporter reporter(options);
  Ending ending(reporter, Role::kSender);
  if (!journey) return ending.of(journey.error());
  switch (journey->kind) {
    case Journey::Kind::kLocal: return run_local(options, *journey, reporter, stop);
    case Journey::Kind::kPush: return run_push(options, *journey, reporter, stop);
    case Journey::Kind::kPull: return run_pull(options, *journey, reporter, stop);
  }
  return kExitUsage;
}

}  // namespace ocsync::sync
