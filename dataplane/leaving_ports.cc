#include "dataplane/leaving_ports.h"

#include <algorithm>
#include <utility>

namespace podlane::dataplane {

void LeavingPorts::add(OpenPort& port) {
    if (!has(port.port.id)) ports_.push_back({&port, nullptr, domain_.start_grace()});
}

void LeavingPorts::add(std::unique_ptr<OpenPort> port) {
    for (Leaving& leaving : ports_) {
        if (leaving.port != port.get()) continue;
        leaving.owned = std::move(port);
        return;
    }
    OpenPort* const raw = port.get();
    ports_.push_back({raw, std::move(port), domain_.start_grace()});
}

DeviceLosses LeavingPorts::close_free() {
    DeviceLosses losses;
    for (Leaving& leaving : ports_) {
        if (!domain_.passed(leaving.token)) continue;
        if (!std::exchange(leaving.is_second, true)) {
            leaving.token = domain_.start_grace();
            continue;
        }
        if (leaving.owned) {
            losses += losses_of(*leaving.owned);
            leaving.owned.reset();
        } else if (leaving.port->ethdev) {
            leaving.port->ethdev->close();
        }
        leaving.port = nullptr;
    }
    std::erase_if(ports_, [](const Leaving& leaving) { return leaving.port == nullptr; });
    return losses;
}

bool LeavingPorts::has(PortId id) const noexcept {
    return std::any_of(ports_.begin(), ports_.end(),
                       [id](const Leaving& leaving) { return leaving.port->port.id == id; });
}

std::optional<uint64_t> LeavingPorts::token() const noexcept {
    if (ports_.empty()) return std::nullopt;
    return ports_.back().token;
}

}  // namespace podlane::dataplane
