#include "control/flowlog/flow_line.h"

#include <nlohmann/json.hpp>

#include "control/show/news_json.h"
#include "control/show/rows_json.h"
#include "control/show/text.h"
#include "lib/proto/ip_protocol.h"

namespace podlane::control {

namespace {

using Json = nlohmann::ordered_json;

const char* word_of(FlowRecordKind kind) {
    switch (kind) {
        case FlowRecordKind::kOpened:
            return "start";
        case FlowRecordKind::kClosed:
            return "end";
        case FlowRecordKind::kDenied:
            break;
    }
    return "denied";
}

}  // namespace

std::string flow_line(const LoggedFlow& flow) {
    Json line = {{"time", time_text(flow.time_ms)},
                 {"event", word_of(flow.kind)},
                 {"protocol", protocol_text(flow.protocol)},
                 {"from", endpoint_text(flow.src, flow.src_port)},
                 {"to", endpoint_text(flow.dst, flow.dst_port)}};
    const auto set = [&line](const char* key, const std::string& text) {
        if (!text.empty()) line[key] = text;
    };
    if (flow.is_translated()) {
        line["translatedFrom"] = endpoint_text(flow.translated_src, flow.translated_src_port);
        line["translatedTo"] = endpoint_text(flow.translated_dst, flow.translated_dst_port);
    }
    set("service", flow.service);
    set("fromPod", flow.from_pod);
    set("toPod", flow.to_pod);
    set("inPort", flow.in_port);
    line["verdict"] = flow.kind == FlowRecordKind::kDenied ? "denied" : "forwarded";
    if (flow.kind == FlowRecordKind::kClosed) {
        line["start"] = time_text(flow.start_ms);
        line["lastPacket"] = time_text(flow.end_ms);
        if (flow.protocol == kProtocolTcp) line["state"] = to_string(flow.tcp_state);
        line["replied"] = flow.replied;
        line["reason"] = to_string(flow.end);
        if (flow.traffic) add_traffic(line, *flow.traffic);
    }
    if (flow.kind == FlowRecordKind::kDenied) {
        line["reason"] = drop_info(flow.reason).name;
        if (!flow.policies.empty()) line["policies"] = flow.policies;
        line["packets"] = flow.packets;
    }
    return line.dump(-1, ' ', false, Json::error_handler_t::replace) + '\n';
}

}  // namespace podlane::control
