// Connections as control sees them: the description of one, filters, and pages.
//
// Control asks, the dataplane filters and fills, both on the control thread while workers run.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lib/base/drop.h"
#include "lib/base/ip_address.h"
#include "lib/border/carried.h"
#include "lib/flow/traffic.h"
#include "lib/model/ids.h"

namespace podlane {

/// A connection's first packet as it came in. Ports in host order.
struct FlowTuple {
    uint8_t protocol = 0;
    IpAddress src, dst;  ///< of one family
    uint16_t src_port = 0, dst_port = 0;
};

/// The states of connections that are not TCP's.
inline constexpr std::string_view kFlowReplied = "REPLIED", kFlowUnreplied = "UNREPLIED";

/// One connection, for `get flows`. Ports in host order.
struct FlowInfo {
    FlowRef ref;
    uint8_t protocol = 0;
    IpAddress src, dst;  ///< as the first packet came
    uint16_t src_port = 0, dst_port = 0;
    IpAddress reply_src, reply_dst;  ///< as replies come
    uint16_t reply_src_port = 0, reply_dst_port = 0;
    std::string_view state;    ///< "ESTABLISHED", "UNREPLIED", ...; a literal
    uint32_t age_seconds = 0;  ///< since its first packet
    uint32_t idle_seconds = 0;
    uint32_t timeout_seconds = 0;  ///< until it is aged out
    ServiceId service = kNoService;
    unsigned worker = 0;
    /// The reason for which its packets are dropped now: present policies, or a next hop that does
    /// not answer.
    Drop blocked = Drop::kNone;
    std::optional<FlowTraffic> traffic;  ///< where that is counted
};

/// What a connection may concern: one of its ends, before or after translation, has one of these
/// addresses and, if set, the port; or it belongs to one of these services. Nothing set: every
/// connection.
struct FlowSubject {
    std::vector<IpAddress> addresses;
    std::optional<uint16_t> port;
    std::vector<ServiceId> services;

    [[nodiscard]] bool fits(const FlowInfo& flow) const noexcept {
        const bool by_end = !addresses.empty() || port.has_value();
        if (!by_end && services.empty()) return true;
        if (std::find(services.begin(), services.end(), flow.service) != services.end()) {
            return true;
        }
        return by_end && (is_end(flow.src, flow.src_port) || is_end(flow.dst, flow.dst_port) ||
                          is_end(flow.reply_src, flow.reply_src_port) ||
                          is_end(flow.reply_dst, flow.reply_dst_port));
    }

  private:
    [[nodiscard]] bool is_end(const IpAddress& address, uint16_t at) const noexcept {
        return (!port || *port == at) &&
               (addresses.empty() ||
                std::find(addresses.begin(), addresses.end(), address) != addresses.end());
    }
};

/// Which connections are wanted: those that match all that is set.
struct FlowFilter {
    std::optional<uint8_t> protocol;
    std::optional<IpAddress> src, dst;  ///< as the first packet came
    std::optional<uint16_t> dst_port;   ///< likewise
    std::vector<FlowSubject> subjects;  ///< all of them
    std::string state;                  ///< as in FlowInfo; empty: any
    std::optional<unsigned> worker;     ///< the worker that made it
    uint32_t least_age_s = 0, most_age_s = UINT32_MAX;
    uint32_t least_idle_s = 0;
    bool blocked = false;  ///< only with dropped packets; matches() ignores it

    [[nodiscard]] bool matches(const FlowInfo& flow) const noexcept {
        return (!protocol || *protocol == flow.protocol) && (!src || *src == flow.src) &&
               (!dst || *dst == flow.dst) && (!dst_port || *dst_port == flow.dst_port) &&
               (state.empty() || state == flow.state) && (!worker || *worker == flow.worker) &&
               flow.age_seconds >= least_age_s && flow.age_seconds <= most_age_s &&
               flow.idle_seconds >= least_idle_s &&
               std::all_of(subjects.begin(), subjects.end(),
                           [&flow](const FlowSubject& each) { return each.fits(flow); });
    }
};

/// Where the next page begins; 0: the beginning, or no further page.
using FlowCursor = uint64_t;

/// The outcome of one look. It can hold fewer connections than asked for, even none, although more
/// follow at `next`: a look is bounded by what it reads as well.
struct FlowPage {
    std::vector<FlowInfo> flows;
    FlowCursor next = 0;
};

}  // namespace podlane
