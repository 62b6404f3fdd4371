// A port as workers use it: a DPDK device or a TAP, behind one pair of burst calls.
//
// The port table hangs off the runtime; control adds and removes entries, workers read them.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <string>

#include "lib/base/mac.h"
#include "lib/border/port_caps.h"
#include "lib/dpdk/ethdev_port.h"
#include "lib/model/ids.h"
#include "lib/model/snapshot.h"

namespace podlane::dataplane {

class RateMeter;

enum class PortBackend : uint8_t { kEthdev, kTap };

/// For a worker that owns no queue of a port: it hands frames to the one that does.
inline constexpr uint16_t kNoQueue = 0xffff;

/// One port. Immutable once it is in the table.
struct Port {
    PortId id = kNoPort;
    PortBackend backend = PortBackend::kEthdev;
    PortKind kind = PortKind::kNone;
    PortCaps caps{};
    uint16_t mtu = 0;                   ///< bytes, of an IP packet
    uint16_t ethdev = 0;                ///< DPDK's port number
    EthdevPort* device_port = nullptr;  ///< ethdev: for its wake-ups; null for a TAP
    RateMeter* to_limit = nullptr;      ///< of what is sent to it; null: none
    RateMeter* from_limit = nullptr;    ///< of what comes from it; null: none
    uint8_t vnet_header_bytes = 0;      ///< TAP: before each frame
    bool takes_large_udp = false;       ///< TAP: datagrams of one flow in one frame (USO)
    uint32_t rx_frame_bytes = 0;        ///< TAP: the longest received frame
    MacAddress mac{};
    std::string name;
    std::string device;
    /// By worker: the queue to receive from and to send to (ethdev); kNoQueue: none.
    std::array<uint16_t, kMaxWorkers> rx_queue{};
    std::array<uint16_t, kMaxWorkers> tx_queue{};
    std::array<uint8_t, kMaxWorkers> tx_owner{};  ///< by worker: the worker that sends for it
    std::array<int, kMaxWorkers> tap_fds{};       ///< by worker (TAP)
};

/// All ports by PortId.
/// Threads: control stores, workers load; a removed Port is freed after a grace period.
class PortTable {
  public:
    [[nodiscard]] const Port* get(PortId id) const noexcept {
        // Pairs with the release in set(): the Port is whole.
        return index_of(id) < kMaxPorts ? ports_[index_of(id)].load(std::memory_order_acquire)
                                        : nullptr;
    }
    /// Control only.
    void set(PortId id, const Port* port) noexcept {
        ports_[index_of(id)].store(port, std::memory_order_release);  // pairs with get()
        version_.fetch_add(1, std::memory_order_release);             // pairs with version()
    }
    /// Rises with each change; a worker that sees a new version works out again what it has to
    /// poll.
    [[nodiscard]] uint32_t version() const noexcept {
        return version_.load(std::memory_order_acquire);
    }

  private:
    std::array<std::atomic<const Port*>, kMaxPorts> ports_{};
    std::atomic<uint32_t> version_{1};
};

}  // namespace podlane::dataplane
