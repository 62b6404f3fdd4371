// What `explain` adds to a decision from Kubernetes' objects and the devices: what a worker does
// not know, and an operator asks next.
//
// For explain.cc. Each adds a step or none. Control thread.
#pragma once

#include <fmt/format.h>

#include <string>
#include <string_view>

#include "control/kube/store.h"
#include "control/node/live_view.h"
#include "lib/decide/decide.h"
#include "lib/decide/trace.h"

namespace podlane::control {

/// The endpoints that the objects give a port of a Service, and which of them are not ready, or why
/// there are none; for one without a usable endpoint. `service_name`: "namespace/name".
void remark_endpoints(const ObjectStore& store, std::string_view service_name,
                      std::string_view port_name, StepTrace& trace);

/// The ports of the Service with this address, if it is one's; for one that lacks the port asked
/// for.
void remark_ports(const ObjectStore& store, const IpAddress& address, StepTrace& trace);

/// The Node that enforces the ingress policies of a pod that is not here, if there are any
/// policies.
void remark_other_node(const ObjectStore& store, std::string_view own_node,
                       const IpAddress& destination, StepTrace& trace);

/// Whether the port's link is down; says so.
[[nodiscard]] bool remark_link(const Dataplane& dataplane, const PortNames& names, PortId port,
                               StepTrace& trace);

/// That the node's kernel carries such connections between the two ports, if it does.
void remark_carrier(const Shortcut& shortcut, uint8_t protocol, PortId in, PortId out,
                    StepTrace& trace);

/// The other endpoints of a frontend that this sender's packets would not get through to: another
/// source port may lead there. Looks at 100 at most.
template <Family F>
void remark_other_endpoints(const Snapshot& snapshot, const Frontend<F>& frontend,
                            const PathQuery<F>& query, StepTrace& trace) {
    constexpr size_t kMost = 100;
    constexpr size_t kMostNamed = 4;
    // As decide() does.
    const bool is_inside = !query.overlay && query.from != PortKind::kUplink;
    const auto& endpoints = is_inside ? frontend.inside->endpoints : frontend.outside->endpoints;
    if (endpoints.size() < 2) return;
    std::string named;
    size_t closed = 0, looked = 0;
    for (const Endpoint<F>& endpoint : endpoints) {
        if (looked++ == kMost) break;
        PathQuery<F> direct = query;
        direct.key.dst = endpoint.address;
        direct.key.dst_port = endpoint.port;
        NoTrace silent;
        const PathDecision<F> decision = decide(snapshot, direct, silent);
        if (decision.reason == Drop::kNone) continue;
        if (++closed > kMostNamed) continue;
        named += fmt::format("{}{}:{} ({})", named.empty() ? "" : ", ",
                             to_string(IpAddress(endpoint.address)), endpoint.port.host(),
                             drop_info(decision.reason).name);
    }
    if (closed == 0) return;
    if (closed > kMostNamed) named += fmt::format(" and {} more", closed - kMostNamed);
    trace.step("endpoints", fmt::format("{} of {} cannot be reached", closed, endpoints.size()),
               named + "; the source port chooses, see --sport");
}

}  // namespace podlane::control
