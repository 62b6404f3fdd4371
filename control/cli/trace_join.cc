#include "control/cli/trace_join.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "control/capture/packet_text.h"
#include "control/cli/cell.h"
#include "control/cli/table.h"
#include "control/kube/base64.h"

namespace podlane::control {

namespace {

using Json = nlohmann::ordered_json;

std::string identity_of(const Json& record) {
    const std::string bytes = from_base64(text_in(record, "bytes")).value_or("");
    const auto wire_bytes = static_cast<uint32_t>(number_at(record, "/wireBytes"));
    return packet_identity(
        {{reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()}, wire_bytes});
}

/// The identity of the frame as it left; empty if none did.
std::string left_as(const TracedPacket& packet) {
    const bool is_sent = std::ranges::any_of(
        packet, [](const Json& record) { return text_in(record, "verdict") == "send"; });
    if (!is_sent) return {};
    for (auto record = packet.rbegin(); record != packet.rend(); ++record) {
        if (!text_in(*record, "bytes").empty()) return identity_of(*record);
    }
    return {};
}

}  // namespace

void TraceJoiner::add(NodeTrace trace, Clock::time_point now) {
    std::string came = identity_of(trace.packet.front());
    std::string left = left_as(trace.packet);
    waiting_.push_back({std::move(trace), std::move(came), std::move(left), now});
}

TraceJoiner::Place TraceJoiner::before(const Waiting& packet) {
    return std::ranges::find_if(waiting_, [&](const Waiting& other) {
        return !packet.came.empty() && other.left == packet.came &&
               other.trace.node != packet.trace.node;
    });
}

TraceJoiner::Place TraceJoiner::behind(const Waiting& packet) {
    return std::ranges::find_if(waiting_, [&](const Waiting& other) {
        return !packet.left.empty() && other.came == packet.left &&
               other.trace.node != packet.trace.node;
    });
}

std::vector<TracedWay> TraceJoiner::take(Clock::time_point now, bool all) {
    std::vector<TracedWay> ways;
    while (!waiting_.empty()) {
        const bool is_due = all || waiting_.size() > kMost || now - waiting_.front().since >= kWait;
        if (!is_due) break;
        // Start at the packet's first node. A path cannot be longer than the number of packets,
        // even if it is a loop.
        Place at = waiting_.begin();
        for (size_t steps = waiting_.size(); steps > 0; --steps) {
            const Place earlier = before(*at);
            if (earlier == waiting_.end()) break;
            at = earlier;
        }
        TracedWay way;
        while (at != waiting_.end()) {
            const Waiting packet = std::move(*at);
            waiting_.erase(at);
            at = behind(packet);
            way.push_back(packet.trace);
        }
        ways.push_back(std::move(way));
    }
    return ways;
}

Json way_json(const TracedWay& way) {
    Json nodes = Json::array();
    for (const NodeTrace& each : way) {
        Json item{{"node", each.node}};
        item.update(trace_json(each.packet));
        nodes.push_back(std::move(item));
    }
    return {{"way", std::move(nodes)}};
}

std::string way_text(const TracedWay& way, uint64_t number) {
    std::string out;
    for (const NodeTrace& each : way) {
        out += fmt::format("{}node {}  {}", out.empty() ? "" : "then ", printable(each.node),
                           trace_text(each.packet, number));
    }
    return out;
}

}  // namespace podlane::control
