// Logged connections for the flow log's tests.
#pragma once

#include "control/show/logged_flow.h"

namespace podlane::control {

/// From pod shop/a to Service shop/web, translated to its endpoint shop/web-0.
inline LoggedFlow flow_to_service(FlowRecordKind kind) {
    LoggedFlow flow;
    flow.kind = kind;
    flow.protocol = 6;
    flow.time_ms = 1'764'424'931'120;
    flow.start_ms = 1'764'424'920'000;
    flow.end_ms = 1'764'424'930'000;
    flow.src = flow.translated_src = *parse_ip("10.244.1.5");
    flow.src_port = flow.translated_src_port = 40000;
    flow.dst = *parse_ip("10.96.0.10");
    flow.dst_port = 80;
    flow.translated_dst = *parse_ip("10.244.2.7");
    flow.translated_dst_port = 8080;
    flow.service = "shop/web";
    flow.from_pod = flow.in_port = "shop/a";
    flow.to_pod = "shop/web-0";
    return flow;
}

/// Within IPv6, not translated, denied by a policy.
inline LoggedFlow denied_v6() {
    LoggedFlow flow = flow_to_service(FlowRecordKind::kDenied);
    flow.src = flow.translated_src = *parse_ip("fd00::5");
    flow.dst = flow.translated_dst = *parse_ip("fd00::7");
    flow.translated_dst_port = flow.dst_port;
    flow.service.clear();
    flow.reason = Drop::kPolicyIngress;
    flow.policies = {"shop/deny", "shop/web"};
    flow.packets = 17;
    return flow;
}

}  // namespace podlane::control
