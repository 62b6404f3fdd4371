// Works out one node's topology from scratch. Used by TopologyCompiler alone, control thread.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "control/compile/topology.h"

namespace podlane::control {

/// One build. Sources are added in order of rising precedence: a route that is added later
/// replaces one to the same prefix.
class TopologyBuilder {
  public:
    /// Where ids come from. `known`: whether the key had one before this build.
    struct Ids {
        std::function<AdjacencyId(const AdjacencyKey&)> id_of;
        std::function<bool(const AdjacencyKey&)> known;
        std::function<NodeNumber(const std::string&)> number_of;
    };

    TopologyBuilder(const NodeConfig& config, const TopologyInput& input, const ObjectStore& store,
                    Ids ids, std::vector<std::string>& notices);

    [[nodiscard]] TopologyTables build();

  private:
    struct Uplink {
        const UplinkConfig* config;
        PortId port;
        MacAddress mac;
    };
    struct NextHop {
        const Uplink* uplink;
        IpAddress address;  // on the uplink's link
    };
    /// The far end of the tunnel that leads to a node.
    struct Peer {
        IpAddress address;
        MacAddress vtep;
    };

    void find_ports();
    void add_cluster();
    void add_uplinks();
    void add_nodes();
    void add_node(const Node& node);
    void add_node_route(const Node& node, const IpPrefix& cidr);
    void check_own_node(const Node& node);
    void add_own_pod_cidrs();
    void add_pods();
    void add_pod_sources(const PodPort& pod);
    [[nodiscard]] bool may_be_allowed(const PodPort& pod, const IpPrefix& more);
    /// Numbers the Node's addresses; with a tunnel, packets from them are accepted.
    void add_node_addresses(const Node& node);
    void add_neighbours();
    void add_own_addresses();
    void add_dns();
    void add_overlay();
    [[nodiscard]] bool serves_node_ports(const IpAddress& address, bool is_primary) const;
    void add_fdb();

    [[nodiscard]] std::optional<NextHop> next_hop_to(const IpAddress& address) const;
    [[nodiscard]] NeighbourView neighbour(PortId port, const IpAddress& address) const;
    [[nodiscard]] std::optional<Peer> peer_of(const Node& node, bool inner_v6) const;
    void want(const NextHop& hop);
    void route_by(const IpPrefix& prefix, const NextHop& hop, const std::string& origin);
    void route_by_tunnel(const IpPrefix& prefix, const Peer& peer, const NextHop& hop,
                         const std::string& origin);
    [[nodiscard]] AdjacencyId add_adjacency(const AdjacencyKey& key, const Adjacency& content);

    /// Calls `visit(tables, prefix)` with the tables of the prefix's family.
    template <class Visit>
    void with_prefix(const IpPrefix& prefix, Visit visit) {
        if (prefix.address.is_v4()) {
            visit(out_.v4, prefix.as<V4>());
        } else {
            visit(out_.v6, prefix.as<V6>());
        }
    }
    void set_route(const IpPrefix& prefix, RouteKind kind, PortId port, AdjacencyId adjacency,
                   const std::string& origin, const IpAddress* via = nullptr);
    void keep_source(const IpPrefix& prefix, KeepSource why);
    /// The Node to whose pods a part of `cidr` leads; null: none.
    [[nodiscard]] const std::string* overlapping_node(const IpPrefix& cidr) const;
    void refuse(const Node& node, std::string why);
    void note(std::string text) { notices_.push_back(std::move(text)); }

    const NodeConfig& config_;
    const TopologyInput& input_;
    const ObjectStore& store_;
    Ids ids_;
    std::vector<std::string>& notices_;

    TopologyTables out_;
    std::vector<Uplink> uplinks_;
    std::map<std::pair<PortId, IpAddress>, NeighbourView> neighbours_;
    std::map<IpPrefix, std::string> node_cidrs_;  // and their owners
    MacAddress host_mac_{};
    uint16_t host_mtu_ = 0;
    const PortInfo* dns_ = nullptr;
};

/// Whether one contains the other.
[[nodiscard]] bool overlap(const IpPrefix& a, const IpPrefix& b) noexcept;
/// The prefix that holds this address alone.
[[nodiscard]] IpPrefix host_prefix(const IpAddress& address) noexcept;

}  // namespace podlane::control
