// Tells the service manager (systemd) that the daemon is ready, or is ending.
#pragma once

#include <string_view>

namespace podlane::control {

/// Whether a service manager waits for messages.
[[nodiscard]] bool has_service_manager() noexcept;

/// Sends `state`, such as "READY=1", to the socket that NOTIFY_SOCKET names, a path or with '@'
/// first an abstract one (sd_notify(3)). False when the variable is not set or sending failed.
bool notify_service_manager(std::string_view state) noexcept;

}  // namespace podlane::control
