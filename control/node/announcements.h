// Announces this node's addresses: its own, its pods' and load balancer addresses on the links;
// load balancer addresses, and the ports that it serves at its own addresses, to its kernel.
//
// The node model owns it, and calls it after each generation and as time passes. Control thread.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "control/compile/announcer.h"
#include "control/compile/services.h"
#include "control/netdev/host_rules.h"
#include "control/node/links.h"
#include "lib/base/result.h"
#include "lib/border/dataplane.h"

namespace podlane::control {

/// Threads: one. Times in milliseconds of one monotonic clock.
class Announcements {
  public:
    using SetRoute = std::function<Result<void>(const IpAddress& address, bool there)>;
    using SetRules = std::function<Result<void>(const std::set<HostRule>& wanted)>;

    /// Both must outlive it.
    Announcements(Dataplane& dataplane, const Links& links)
        : dataplane_(dataplane), links_(links) {}

    /// How the kernel is informed; unused without a host interface.
    void set_kernel(SetRoute set_route, SetRules set_rules);

    /// Announces the node's own addresses, now and once more when that is due by tick().
    void announce_own(uint64_t now_ms);
    /// Announces the MAC address of the pod's addresses to the other pods of this node. False: one
    /// of them could not be reached.
    bool announce_pod(PortId port, const MacAddress& mac,
                      const std::vector<IpAddress>& addresses) const;
    /// Sends repetitions that are due.
    void tick(uint64_t now_ms);

    /// An address that came here or went.
    struct Moved {
        IpAddress address;
        std::string service;  ///< "namespace/name"
        std::string text;     ///< who answers for it now
    };
    /// After a generation: announces the load balancer addresses that are here now, and gives the
    /// kernel routes for those that this node can serve.
    [[nodiscard]] std::vector<Moved> follow(const Announcer& announcer, uint64_t now_ms);
    /// After a generation: informs the kernel which ports podlane serves at the node's own
    /// addresses.
    void follow_own_frontends(const ServiceCompiler& services, const Snapshot& live);

  private:
    void announce(PortId port, const IpAddress& address) const;
    void announce_load_balancer(const IpAddress& address) const;
    void follow_routes(const std::set<IpAddress>& wanted);

    Dataplane& dataplane_;
    const Links& links_;
    SetRoute set_route_;
    SetRules set_rules_;
    unsigned own_announced_ = 0;  ///< times, each of all addresses; 0: not begun
    uint64_t own_again_ms_ = 0;
    uint64_t announcer_version_ = 0;
    std::set<IpAddress> here_;             ///< load balancer addresses
    std::map<IpAddress, uint64_t> again_;  ///< of here_, when to announce it again
    std::set<IpAddress> routed_;           ///< have a route of the kernel
    uint64_t external_epoch_ = 0;          ///< of the rules that the kernel has
};

}  // namespace podlane::control
