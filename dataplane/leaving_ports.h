// Ports that were taken out of service. They are closed once no worker can be using them.
//
// A worker that is stuck inside a device keeps that device open, and nothing else: control goes on,
// and the port is closed once the worker goes on. Control thread.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "dataplane/ports/open_ports.h"
#include "lib/base/quiescent.h"

namespace podlane::dataplane {

class LeavingPorts {
  public:
    explicit LeavingPorts(QuiescentDomain& domain) noexcept : domain_(domain) {}

    /// The port has been taken out of service. The caller still owns it: only its device is closed.
    void add(OpenPort& port);
    /// The same for a port that is handed over: it is destroyed as well. If it is here already, its
    /// grace period goes on.
    void add(std::unique_ptr<OpenPort> port);

    /// Closes the ports that no worker uses any more; returns what their devices have lost.
    DeviceLosses close_free();

    [[nodiscard]] bool empty() const noexcept { return ports_.empty(); }
    [[nodiscard]] bool has(PortId id) const noexcept;
    /// The token of the newest port's grace period, to wait for; none without ports.
    [[nodiscard]] std::optional<uint64_t> token() const noexcept;

  private:
    struct Leaving {
        OpenPort* port;
        std::unique_ptr<OpenPort> owned;  // null: the caller owns it
        uint64_t token;
        // Two grace periods: a frame that was queued for the port in the first is sent or dropped
        // by the end of the second.
        bool is_second = false;
    };

    QuiescentDomain& domain_;
    std::vector<Leaving> ports_;
};

}  // namespace podlane::dataplane
