// What systemd, or a manager that speaks like it, and the daemon tell each other. Nothing happens without one.
#pragma once

#include <string_view>
#include <vector>

#include "libio/os/socket.h"

namespace ocsync::sync {

// "READY=1", "RELOADING=1", "STOPPING=1".
void notify_manager(std::string_view state);
// Sockets that the manager listens on for us; taken once, children of ours do not see the offer.
std::vector<io::Listener> passed_sockets();

}  // namespace ocsync::sync
