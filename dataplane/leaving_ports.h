// Ports that were taken out of service, and may be closed once no worker can be using them.
//
// A worker that stands still inside a device keeps that device open, and nothing else: control goes
// on, and the port is closed when the worker does. Control thread.
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

    /// No worker finds the port from here on. It is still somebody else's: only its device will be
    /// closed.
    void add(OpenPort& port);
    /// The same for a port that is nobody's any more: it is destroyed. If it is here already, its
    /// grace goes on.
    void add(std::unique_ptr<OpenPort> port);

    /// Closes those of which all workers have let go; returns what their devices have lost.
    DeviceLosses close_free();

    [[nodiscard]] bool empty() const noexcept { return ports_.empty(); }
    [[nodiscard]] bool has(PortId id) const noexcept;
    /// For the next wait: the grace periods that the newest port begun; nothing: there is none.
    [[nodiscard]] std::optional<uint64_t> token() const noexcept;

  private:
    struct Leaving {
        OpenPort* port;
        std::unique_ptr<OpenPort> owned;  // null: the caller's
        uint64_t token;
        // Two graces: a frame that was gathered for the port in the first is sent or dropped by the
        // end of the second.
        bool is_second = false;
    };

    QuiescentDomain& domain_;
    std::vector<Leaving> ports_;
};

}  // namespace podlane::dataplane
