// The DNS server behind the workers, for queries that they cannot answer from the snapshot.
//
// The node model opens it in the network namespace of the server's port and hands it each new zone.
// docs/decisions/dns.md says how queries come to it.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "control/dns/forwarder.h"
#include "lib/base/result.h"
#include "lib/dns/answer.h"
#include "lib/dns/zone.h"

namespace podlane::control {

/// What the server did; numbers only grow, except sizes and states.
struct NameServerStats {
    uint64_t udp_queries = 0;
    uint64_t tcp_queries = 0;
    uint64_t tcp_connections = 0;
    std::array<uint64_t, kDnsOutcomes> outcomes{};  ///< of its own answers; kForward: went upstream
    ForwarderCounters forwarder;
    size_t cached = 0;
    std::vector<Upstream> upstreams;
};

/// Threads: every call on the control thread.
class NameServer {
  public:
    virtual ~NameServer() = default;
    /// Listens at `addresses`, port 53, inside the network namespace at `netns_path`. Once.
    virtual Result<void> open(const std::string& netns_path,
                              const std::vector<IpAddress>& addresses) = 0;
    /// Answers from `zone` from now on.
    virtual void set_zone(std::shared_ptr<const DnsZone> zone) = 0;
    [[nodiscard]] virtual NameServerStats stats() const = 0;
};

}  // namespace podlane::control
