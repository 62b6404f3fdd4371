// The node's links: its uplinks, the neighbours on them, and the MAC addresses behind its ports.
//
// The node model owns it and passes it the workers' reports and the time; it sends neighbour
// requests by itself. Its contents go into the next generation. Control thread.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "control/compile/topology.h"
#include "control/config/node_config.h"
#include "control/keep/keeper.h"
#include "control/kube/store.h"
#include "control/neighbour/mac_table.h"
#include "control/neighbour/neighbour_table.h"
#include "control/node/link_watch.h"
#include "control/show/news.h"
#include "lib/border/dataplane.h"

namespace podlane::control {

/// Threads: one. Times in milliseconds of one monotonic clock. What answers true has changed
/// something that workers must know: a generation is due.
class Links {
  public:
    /// Takes the configured neighbours of the dataplane's uplinks, and the gateway's MAC address,
    /// which no other port may have. Both must outlive it.
    Links(const NodeConfig& config, Dataplane& dataplane);

    using Uplinks = std::map<PortId, const UplinkConfig*>;
    [[nodiscard]] const Uplinks& uplinks() const noexcept { return uplinks_; }
    /// Null for other ports.
    [[nodiscard]] const UplinkConfig* uplink_at(PortId port) const;
    [[nodiscard]] const NeighbourTable& neighbours() const noexcept { return neighbours_; }
    [[nodiscard]] const MacTable& macs() const noexcept { return macs_; }

    /// The port's own MAC address, which is learned nowhere else while it has it.
    void add_mac(const MacAddress& mac, PortId port) { macs_.add_static(mac, port); }
    void remove_macs(PortId port) { macs_.remove_port(port); }
    /// A frame with this source came from the port of a pod.
    [[nodiscard]] bool learn(const MacAddress& mac, PortId port, uint64_t now_ms) {
        return macs_.learn(mac, port, now_ms);
    }

    /// Takes over what an earlier process had learned about ports that exist.
    void restore(const KeptLinks& kept, uint64_t now_ms);
    /// What the next process should know.
    [[nodiscard]] KeptLinks to_keep() const;

    /// A packet waits for the neighbour. Requests are sent only on uplinks.
    [[nodiscard]] bool needed(const NeighbourKey& key, uint64_t now_ms);
    /// A message on the link says which MAC has the address; `solicited`: in reply to us.
    [[nodiscard]] bool seen(const NeighbourKey& key, const MacAddress& mac, bool solicited,
                            uint64_t now_ms);
    /// The next hops that must stay resolved even if no packet needs them.
    [[nodiscard]] bool set_wanted(const std::vector<WantedNeighbour>& wanted, uint64_t now_ms);
    [[nodiscard]] bool tick(uint64_t now_ms);

    /// What has happened to the ports' links since the last call; checks once a second.
    [[nodiscard]] std::vector<LinkWatch::News> look(uint64_t now_ms);
    /// The device of the uplink or host interface `name` is gone; false: this was known.
    bool add_lost(std::string name);
    /// The uplink's port has been closed.
    void drop_uplink(PortId port);
    /// Its device has been opened again, as this port.
    void take_back_uplink(const UplinkConfig& uplink, PortId port);
    [[nodiscard]] bool has_lost() const noexcept { return !lost_.empty(); }
    /// There are uplinks, and the link of each is down.
    [[nodiscard]] bool has_no_way_out() const;
    /// The port's device does not wake workers; false: this was known.
    bool set_unwoken(PortId port) { return unwoken_.insert(port).second; }

    struct Troubles {
        std::vector<std::string> problems;   ///< of this node
        std::vector<std::string> elsewhere;  ///< of others, such as a Node that is gone
    };
    /// A line for each thing that is wrong: devices that are gone, next hops that do not answer,
    /// links that are down or lose frames. Next hops are named as the store's Nodes. The silence of
    /// a Node is its own trouble as long as another neighbour answers on that link.
    [[nodiscard]] Troubles troubles(const std::vector<WantedNeighbour>& wanted,
                                    const ObjectStore& store, uint64_t now_ms) const;
    struct NeighbourNews {
        NewsType type;
        IpAddress address;
        std::string text;  ///< empty: of no interest to a person, as that a live one is asked again
    };
    /// The neighbours whose state or MAC address has changed since the last call.
    [[nodiscard]] std::vector<NeighbourNews> neighbour_news();

  private:
    /// Sends due requests; returns whether something has changed.
    bool carry_out(const NeighbourOutcome& outcome);
    void solicit(const Solicitation& ask);
    /// The ports on which a neighbour answers now.
    [[nodiscard]] std::set<PortId> answered_ports() const;

    Dataplane& dataplane_;
    Uplinks uplinks_;
    NeighbourTable neighbours_;
    struct Told {
        NeighbourState state;
        MacAddress mac;  ///< that could be sent to; zero: none
        friend bool operator==(const Told&, const Told&) = default;
    };
    /// What of a neighbour has changed, in words.
    [[nodiscard]] static std::string text_of(const Told& before, const Told& now);
    std::map<IpAddress, Told> told_;
    MacTable macs_;
    LinkWatch watch_;
    std::vector<std::string> lost_;
    std::set<PortId> unwoken_;
};

}  // namespace podlane::control
