// The result of TopologyBuilder for one node's input, before it becomes part of a Snapshot; the
// TopologyCompiler keeps it to find what the next one changes. Control thread.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <utility>
#include <vector>

#include "control/compile/refused.h"
#include "lib/base/ip_address.h"
#include "lib/base/mac.h"
#include "lib/model/snapshot.h"

namespace podlane::control {

/// A neighbour that is to be resolved before any packet needs it.
struct WantedNeighbour {
    PortId port = kNoPort;
    IpAddress address;
    friend auto operator<=>(const WantedNeighbour&, const WantedNeighbour&) = default;
};

/// What an adjacency is for. An id belongs to one key while the key is in use.
struct AdjacencyKey {
    enum class Purpose : uint8_t { kHost, kPod, kNeighbour, kTunnel, kDns };
    Purpose purpose = Purpose::kNeighbour;
    PortId port = kNoPort;
    IpAddress address;  ///< the pod's, the neighbour's, or the other end of the tunnel
    friend auto operator<=>(const AdjacencyKey&, const AdjacencyKey&) = default;
};

/// Values of FamilyState::keep_source; decide() knows the first.
enum class KeepSource : uint8_t { kPodCidr = 1, kServiceCidr = 2, kNode = 3 };

template <Family F>
struct FamilyTables {
    std::map<Prefix<F>, Route<F>> routes;
    std::map<Prefix<F>, uint8_t> keep_source;
    std::vector<Prefix<F>> pod_cidrs;
    std::vector<typename F::Address> gateways;
    std::vector<typename F::Address> node_addresses;
    std::vector<typename F::Address> node_port_addresses;
    bool has_uplink_source = false;
    typename F::Address uplink_source{};
    bool has_vtep = false;
    typename F::Address vtep{};
    std::map<Prefix<F>, NodeNumber> tunnel_peers;
    std::map<Prefix<F>, NodeNumber> node_prefixes;
};

struct TopologyTables {
    FamilyTables<V4> v4;
    FamilyTables<V6> v6;
    PortViews ports{};
    std::vector<std::pair<MacAddress, uint16_t>> fdb;  ///< MAC address and port's index, sorted
    std::vector<PortId> bridge_ports;
    PortId host_port = kNoPort;
    PortId host_uplink = kNoPort;
    OverlayView overlay;
    MacAddress gateway_mac{};
    std::map<AdjacencyId, Adjacency> adjacencies;
    std::vector<WantedNeighbour> wanted;  ///< sorted, no duplicates
    std::vector<RefusedObject> refused;   ///< Nodes whose podCIDR belongs to another Node

    template <Family F>
    [[nodiscard]] FamilyTables<F>& family() noexcept {
        if constexpr (std::same_as<F, V4>) {
            return v4;
        } else {
            return v6;
        }
    }
};

}  // namespace podlane::control
