// Small strong identifiers that cross the border between control and workers.
#pragma once

#include <cstdint>

namespace podlane {

/// A port's index, stable while the port exists; reused once the port is gone and every worker
/// knows it.
enum class PortId : uint16_t {};
inline constexpr PortId kNoPort{0xffff};
/// The most ports of a node: uplinks, the host interface, 250 pods and some spare.
inline constexpr size_t kMaxPorts = 512;

[[nodiscard]] constexpr size_t index_of(PortId id) noexcept {
    return static_cast<size_t>(id);
}

/// An index into Snapshot::adjacencies. 0 is never a next hop: "not resolved yet".
enum class AdjacencyId : uint32_t {};
inline constexpr AdjacencyId kNoAdjacency{0};

[[nodiscard]] constexpr size_t index_of(AdjacencyId id) noexcept {
    return static_cast<size_t>(id);
}

/// A service port's index, into Snapshot::service_epochs and the service counters. 0: no service.
enum class ServiceId : uint32_t {};
inline constexpr ServiceId kNoService{0};

[[nodiscard]] constexpr size_t index_of(ServiceId id) noexcept {
    return static_cast<size_t>(id);
}

/// The most workers at once.
inline constexpr size_t kMaxWorkers = 64;

}  // namespace podlane
