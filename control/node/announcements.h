// What this node tells others of itself: its own addresses, its pods', and the load balancer's, to
// the links; the latter, and what it serves at its own addresses, to its kernel.
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

    /// How the kernel is told; without a host interface it is not.
    void set_kernel(SetRoute set_route, SetRules set_rules);

    /// Announces the node's own addresses, now and once more when that is due by tick().
    void announce_own(uint64_t now_ms);
    /// Tells the other pods of this node which MAC address the pod's have. False: one of them could
    /// not be told.
    bool announce_pod(PortId port, const MacAddress& mac,
                      const std::vector<IpAddress>& addresses) const;
    /// Repeats what is due.
    void tick(uint64_t now_ms);

    /// An address that came here or went.
    struct Moved {
        IpAddress address;
        std::string service;  ///< "namespace/name"
        std::string text;     ///< who answers for it now
    };
    /// After a generation: announces the load balancer addresses that are here now, and tells the
    /// kernel which ones may be.
    [[nodiscard]] std::vector<Moved> follow(const Announcer& announcer, uint64_t now_ms);
    /// After a generation: tells the kernel at which of its own addresses podlane serves.
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
