// From a client's query to its answer, for UDP and TCP alike: the zone's names at once, others by
// way of the forwarder. Runs on the server's thread.
#pragma once

#include <functional>
#include <span>

#include "control/dns/forwarder.h"
#include "control/dns/name_server.h"
#include "control/dns/zone_holder.h"

namespace podlane::control {

enum class DnsTransport : uint8_t { kUdp, kTcp };

class DnsResponder {
  public:
    /// What to send back; empty: no answer. May be called after the responder's caller is gone.
    using Reply = std::function<void(DnsBytes)>;

    DnsResponder(const ZoneHolder& zone, DnsForwarder& forwarder)
        : zone_(zone), forwarder_(forwarder) {}

    /// Calls `reply` once, maybe from within this call.
    void handle(std::span<const uint8_t> message, DnsTransport transport, const IpAddress& client,
                Reply reply);

    /// The part of NameServerStats that is counted here.
    [[nodiscard]] const NameServerStats& counted() const noexcept { return counted_; }
    NameServerStats& counted() noexcept { return counted_; }

  private:
    void forward(const DnsQuery& query, const std::string& target, size_t limit,
                 const IpAddress& client, Reply reply);
    [[nodiscard]] DnsBytes error(const DnsQuery& query, DnsOutcome outcome, DnsRcode rcode);
    void count(DnsOutcome outcome) noexcept { ++counted_.outcomes[static_cast<size_t>(outcome)]; }

    const ZoneHolder& zone_;
    DnsForwarder& forwarder_;
    NameServerStats counted_;
    uint32_t turn_ = 0;
};

}  // namespace podlane::control
