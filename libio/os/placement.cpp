// Affinity and nodes.
#include "libio/os/placement.h"

#include <sched.h>

#include "libio/os/sys.h"

namespace ocsync::io {

unsigned node_count() {
  static const unsigned count = sys::node_count();
  return count;
}

unsigned current_node() { return node_count() == 1 ? 0 : std::min(sys::current_node(), node_count() - 1); }

std::vector<unsigned> allowed_cpus() {
  std::vector<unsigned> out;
  cpu_set_t set;
  CPU_ZERO(&set);
  if (::sched_getaffinity(0, sizeof set, &set) != 0) return out;
  for (unsigned cpu = 0; cpu < CPU_SETSIZE; ++cpu)
    if (CPU_ISSET(cpu, &set)) out.push_back(cpu);
  return out;
}

Status pin_to_one_of(const std::vector<unsigned>& cpus, unsigned index) {
  const std::vector<unsigned> choice = cpus.empty() ? allowed_cpus() : cpus;
  if (choice.empty()) return fail(Error(EINVAL));
  const unsigned cpu = choice[index % choice.size()];
  return sys::pin_thread({&cpu, 1});
}

}  // namespace ocsync::io
