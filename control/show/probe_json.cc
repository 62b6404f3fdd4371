#include "control/show/probe_json.h"

#include <string_view>

#include "control/kube/base64.h"

namespace podlane::control {

namespace {

using Json = nlohmann::ordered_json;

/// Leaves out empty text.
void put_text(Json& item, const char* key, std::string_view text) {
    if (!text.empty()) item[key] = std::string(text);
}

Json packet_json(const PacketView& packet) {
    const ProbeRecord& record = packet.record;
    Json out{{"packet", record.packet}, {"timeNs", record.time_ns}, {"worker", record.worker}};
    if (record.point != 0) put_text(out, "point", to_string(static_cast<ProbePoint>(record.point)));
    put_text(out, "stage", record.stage);
    put_text(out, "verdict", record.verdict);
    put_text(out, "slow", record.slow);
    if (record.reason != Drop::kNone) put_text(out, "reason", drop_info(record.reason).name);
    put_text(out, "inPort", packet.in_port);
    put_text(out, "outPort", packet.out_port);
    if (!record.stage.empty()) {
        out["cycles"] = record.stage_cycles;
        out["burst"] = record.burst;
    }
    put_text(out, "flow", packet.flow);
    put_text(out, "replies", packet.replies);
    put_text(out, "service", packet.service);
    out["wireBytes"] = record.wire_bytes;
    out["bytes"] =
        to_base64({reinterpret_cast<const char*>(record.bytes.data()), record.bytes.size()});
    return out;
}

}  // namespace

Json to_json(const ProbeStarted& started) {
    Json out{{"probe", started.probe}};
    if (!started.ports.empty()) out["ports"] = started.ports;
    return out;
}

Json to_json(const ProbeView& view) {
    Json packets = Json::array();
    for (const PacketView& packet : view.packets) packets.push_back(packet_json(packet));
    return {{"packets", std::move(packets)}, {"missed", view.missed}};
}

}  // namespace podlane::control
