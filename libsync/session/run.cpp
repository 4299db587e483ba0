#include "libsync/session/run.h"

#include "libsync/session/ending.h"
#include "libsync/session/local.h"
#include "libsync/session/pull.h"
#include "libsync/session/push.h"
#include "libsync/session/serve.h"

namespace ocsync::sync {

int run_client(const Options& options, io::Stop& stop) {
  Reporter reporter(options);
  Ending ending(reporter, Role::kClient);
  auto journey = plan_journey(options);
  ending.speak_as(Role::kSender);
  if (!journey) return ending.of(journey.error());
  switch (journey->kind) {
    case Journey::Kind::kLocal: return run_local(options, *journey, reporter, stop);
    case Journey::Kind::kPush: return run_push(options, *journey, reporter, stop);
    case Journey::Kind::kPull: return run_pull(options, *journey, reporter, stop);
  }
  return 1;
}

}  // namespace ocsync::sync
