// Which connections the node's kernel carries by itself, and that it does so no longer than workers
// would.
//
// Workers offer connections of pods that have pairs; this puts them into the kernel's maps,
// stops them when their epochs pass, and brings what the kernel has seen of them back into the flow
// table. See docs/decisions/shortcut.md. The node model owns it; control thread.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <unordered_map>
#include <utility>
#include <vector>

#include "control/shortcut/kernel_flows.h"
#include "lib/base/mac.h"
#include "lib/border/dataplane.h"

namespace podlane::control {

/// Why the kernel is to carry nothing at present; bits.
enum class ShortcutPause : uint32_t {
    kStarting = 1,  ///< also while another process may have taken over
    kProbing = 2,   ///< somebody looks at packets
};

class Shortcut {
  public:
    /// Without `kernel` nothing is carried, and all calls do nothing.
    Shortcut(Dataplane& dataplane, KernelFlows* kernel) noexcept
        : dataplane_(dataplane), kernel_(kernel) {
        services_.fill(1);  // 0 has another meaning in the maps
    }

    [[nodiscard]] bool is_on() const noexcept { return kernel_ != nullptr; }
    void add_port(PortId port, int node_end, const MacAddress& mac);
    /// An uplink whose NIC, of that index, has the program.
    void add_uplink(PortId port, int nic);
    /// The host interface, which has the program.
    void add_host(PortId port, int ifindex, const MacAddress& mac);
    /// Takes all connections of the port back. Before another pod can have its addresses.
    void remove_port(PortId port);

    /// A worker offers the connection (EventKind::kFlowProven), maybe again.
    void offered(FlowRef flow, uint64_t now_ms);
    /// Just before `next` is published: what it may forbid goes to workers from here on.
    void before(const Snapshot& next);
    /// After the first generation, or when it is certain that no other process has taken over:
    /// begins with nothing.
    void begin(uint64_t now_ms);
    /// Puts nothing into the maps from now on, which another process may use, until begin().
    void rest();
    void pause(ShortcutPause why, bool on);
    void tick(uint64_t now_ms);

    /// Whether the kernel can carry what these ports say to each other; one is a pod's.
    [[nodiscard]] bool joins(PortId one, PortId other) const;
    /// Whether the kernel carries the connection now.
    [[nodiscard]] bool carries(FlowRef flow) const;
    /// How many it has been given.
    [[nodiscard]] size_t flows() const noexcept { return carried_.size(); }
    /// Packets and bytes that the kernel has taken from the port's pod and given to it, since the
    /// port was added.
    struct PortTraffic {
        uint64_t from_packets = 0, from_bytes = 0, to_packets = 0, to_bytes = 0;
    };
    [[nodiscard]] PortTraffic traffic(PortId port) const;

  private:
    struct Way {
        shortcut_key key{};
        shortcut_rewrite rewrite{};
        uint32_t adjacency = 0;
        uint32_t slot = 0;
        PortId in = kNoPort, out = kNoPort;
        uint64_t packets = 0, bytes = 0;  ///< noted so far
    };
    struct Carried {
        std::array<Way, 2> ways;
        bool checks_service = false;
    };
    struct Port {
        PortKind kind = PortKind::kPod;
        uint32_t device = 0;  ///< a pod's node end, a NIC, or the host interface
        MacAddress mac{};     ///< of a pod or the node
        PortTraffic traffic = {};
    };
    using Flows = std::unordered_map<uint64_t, Carried>;
    using ServiceEpochs = decltype(Snapshot::service_epochs);

    [[nodiscard]] const Port* port_of(PortId port) const;
    [[nodiscard]] bool may_carry(const CarriedFlow& flow) const;
    void add(FlowRef flow, const CarriedFlow& now, uint64_t now_ms);
    [[nodiscard]] bool leads_as_before(const Carried& carried, const CarriedFlow& now) const;
    /// The direction's entry, with these slots.
    [[nodiscard]] shortcut_rewrite rewrite_of(const CarriedFlow& flow, size_t direction,
                                              uint32_t slot, uint32_t reverse_slot) const;
    /// What leads to next hops that `next` says something else about goes to workers.
    void follow_next_hops(const Snapshot& next);
    /// Marks the directions as valid that are, under the present epochs.
    void stamp(const Carried& carried, const CarriedFlow& now);
    void stop(const Carried& carried);
    void note_services(const ServiceEpochs& next);
    /// Out of the maps, and its slots to rest.
    void remove(Flows::iterator at, uint64_t now_ms);
    /// Brings counts to the flow table; false: the connection has ended there.
    bool note(FlowRef flow, Carried& carried);
    void sweep(uint64_t now_ms);
    [[nodiscard]] bool take_slots(std::array<uint32_t, 2>& slots, uint64_t now_ms);

    Dataplane& dataplane_;
    KernelFlows* const kernel_;
    Flows carried_;  ///< by FlowRef::packed()
    /// The next hops behind uplinks that entries lead to, or led to, as entries say them.
    std::unordered_map<uint32_t, Adjacency> next_hops_;
    std::map<PortId, Port> ports_;
    uint32_t next_slot_ = 0;  ///< never used so far
    /// Slots to use again, each once no program can be using it any more; with that time.
    std::deque<std::pair<uint64_t, uint32_t>> resting_;
    ServiceEpochs service_epochs_;
    /// Each rises with those of the Services that share it.
    std::array<uint32_t, PODLANE_SHORTCUT_SERVICES> services_{};
    uint64_t sweep_ms_ = 0;
    uint32_t paused_ = 0;  ///< bits of ShortcutPause
    bool rests_ = true;
};

}  // namespace podlane::control
