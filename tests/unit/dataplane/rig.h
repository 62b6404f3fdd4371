// A worker in a test: real EAL without hugepages, real stages, and ports on socket pairs.
//
// A TAP queue and a datagram socket are read and written alike, so that frames take the very path
// that they take from a pod. The test turns the worker by hand, on its own thread.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "dataplane/ports/open_ports.h"
#include "dataplane/shared.h"
#include "dataplane/worker.h"
#include "lib/dpdk/eal.h"
#include "lib/dpdk/mempool.h"

namespace podlane::dataplane {

using Frame = std::vector<uint8_t>;

/// Addresses that the rig's snapshot knows; see Rig.
struct RigNames {
    static constexpr MacAddress kGatewayMac{{2, 0, 0, 0, 0, 1}};
    static constexpr MacAddress kPodAMac{{2, 0, 0, 0, 0, 0xa}};
    static constexpr MacAddress kPodBMac{{2, 0, 0, 0, 0, 0xb}};
    static constexpr MacAddress kUplinkMac{{2, 0, 0, 0, 1, 1}};
    static constexpr MacAddress kPeerMac{{2, 0, 0, 0, 1, 2}};  ///< on-link neighbour, resolved
    static constexpr MacAddress kVtepMac{{2, 0, 0, 0, 2, 1}};
    static constexpr MacAddress kPeerVtepMac{{2, 0, 0, 0, 2, 2}};
};

/// One worker with these ports and this world, in both families (IPv4 shown):
///   pod A 10.244.1.10, pod B 10.244.1.11, gateway 10.244.1.1, pod CIDR 10.244.1.0/24
///   uplink 192.168.50.1/24, neighbour 192.168.50.2 resolved, the rest of the subnet not,
///   default route by 192.168.50.254 (unresolved), host port with the uplink's MAC
///   remote node 192.168.50.2 with pods 10.244.2.0/24 behind VXLAN, VNI 1
///   Service 10.96.0.10:80 -> pod B :8080 (TCP, UDP), NodePort 30080 the same, masqueraded
///   Service 10.96.0.11:80 without endpoints; service CIDR 10.96.0.0/16
class Rig {
  public:
    Rig();
    ~Rig();

    enum Who { kPodA, kPodB, kUplink, kHost };

    /// The frame arrives at the port; the worker turns until nothing moves.
    /// `partial`: the TAP says that the L4 checksum is partial.
    void send(Who from, const Frame& frame, bool partial = false);
    /// What left by the port since the last call, without virtio headers.
    std::vector<Frame> take(Who from);
    /// Exactly one frame must have left by the port, and is returned.
    Frame take_one(Who from);
    /// Whether the last frame taken said that its checksum is partial.
    [[nodiscard]] bool last_was_partial() const { return last_partial_; }

    /// From now on the port's checksums may be partial without saying so, like af_packet's on veth.
    void deliver_unmarked_partials(Who who) {
        ports_[who]->port.caps.rx_l4_checksum = RxChecksum::kMaybePartial;
    }

    [[nodiscard]] uint64_t drops(Drop reason) const;
    [[nodiscard]] uint64_t all_drops() const;
    [[nodiscard]] std::vector<Event> events();
    void command(const Command& command);
    void turn();

    /// Changes the live snapshot.
    template <class Change>
    void change(Change change_it) {
        auto next = std::make_shared<Snapshot>(*snapshot_);
        change_it(*next);
        publish(std::move(next));
    }
    [[nodiscard]] const Snapshot& snapshot() const { return *snapshot_; }
    [[nodiscard]] Shared& shared() { return *shared_; }
    [[nodiscard]] PortId port(Who who) const { return ports_[who]->port.id; }
    /// The adjacency of the pod, the peer node, the remote pods (tunnel) or the host.
    enum Adjacent : uint32_t { kToPodA = 1, kToPodB, kToHost, kToPeer, kToRemotePods };

  private:
    void publish(std::shared_ptr<const Snapshot> next);
    void add_port(Who who, PortKind kind, const std::string& name, uint32_t max_frame);

    std::unique_ptr<Shared> shared_;
    std::vector<std::unique_ptr<OpenPort>> ports_;
    std::vector<int> far_ends_;
    std::unique_ptr<Worker> worker_;
    std::shared_ptr<const Snapshot> snapshot_;
    std::vector<std::shared_ptr<const Snapshot>> old_;
    bool last_partial_ = false;
};

/// The rig's addresses in family F.
template <Family F>
struct World;
template <>
struct World<V4> {
    static constexpr const char* kPodA = "10.244.1.10";
    static constexpr const char* kPodB = "10.244.1.11";
    static constexpr const char* kGateway = "10.244.1.1";
    static constexpr const char* kNode = "192.168.50.1";
    static constexpr const char* kPeer = "192.168.50.2";
    static constexpr const char* kStranger = "192.168.50.77";
    static constexpr const char* kRouter = "192.168.50.254";
    static constexpr const char* kOutside = "203.0.113.9";
    static constexpr const char* kRemotePod = "10.244.2.20";
    static constexpr const char* kService = "10.96.0.10";
    static constexpr const char* kEmptyService = "10.96.0.11";
    static constexpr const char* kUnallocated = "10.96.0.99";
    static constexpr const char* kPodCidr = "10.244.1.0/24";
    static constexpr const char* kRemoteCidr = "10.244.2.0/24";
    static constexpr const char* kServiceCidr = "10.96.0.0/16";
    static constexpr const char* kUplinkCidr = "192.168.50.0/24";
    static constexpr const char* kClusterCidr = "10.244.0.0/16";
};
template <>
struct World<V6> {
    static constexpr const char* kPodA = "fd00:1::10";
    static constexpr const char* kPodB = "fd00:1::11";
    static constexpr const char* kGateway = "fd00:1::1";
    static constexpr const char* kNode = "fd50::1";
    static constexpr const char* kPeer = "fd50::2";
    static constexpr const char* kStranger = "fd50::77";
    static constexpr const char* kRouter = "fd50::fe";
    static constexpr const char* kOutside = "2001:db8::9";
    static constexpr const char* kRemotePod = "fd00:2::20";
    static constexpr const char* kService = "fd96::10";
    static constexpr const char* kEmptyService = "fd96::11";
    static constexpr const char* kUnallocated = "fd96::99";
    static constexpr const char* kPodCidr = "fd00:1::/64";
    static constexpr const char* kRemoteCidr = "fd00:2::/64";
    static constexpr const char* kServiceCidr = "fd96::/112";
    static constexpr const char* kUplinkCidr = "fd50::/64";
    static constexpr const char* kClusterCidr = "fd00::/16";
};

template <Family F>
[[nodiscard]] typename F::Address ip(const char* text) {
    return parse_ip(text).value().as<F>();
}

}  // namespace podlane::dataplane
