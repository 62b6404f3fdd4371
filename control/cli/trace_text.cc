#include "control/cli/trace_text.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <chrono>

#include "control/capture/packet_text.h"
#include "control/kube/base64.h"

namespace podlane::control {

namespace {

using Json = nlohmann::ordered_json;

constexpr const char* kLastStage = "tx";

uint64_t number_in(const Json& item, const char* key) {
    const auto found = item.find(key);
    return found != item.end() && found->is_number_unsigned() ? found->get<uint64_t>() : 0;
}

/// A record's frame; empty if the packet no longer existed.
struct Frame {
    std::string bytes;
    uint32_t wire_bytes = 0;

    explicit Frame(const Json& record)
        : bytes(from_base64(text_in(record, "bytes")).value_or("")),
          wire_bytes(static_cast<uint32_t>(number_in(record, "wireBytes"))) {}
    [[nodiscard]] FrameView view() const {
        return {{reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()}, wire_bytes};
    }
};

std::string time_text(uint64_t ns) {
    using namespace std::chrono;
    const auto at = sys_time<nanoseconds>(nanoseconds(ns));
    const auto second = time_point_cast<seconds>(at);
    return fmt::format("{:%H:%M:%S}.{:06}", fmt::gmtime(second), ns % 1'000'000'000 / 1000);
}

/// What the stage decided: "slow path: no flow yet", "drop: policy_ingress".
std::string decided(const Json& record) {
    std::string out = text_in(record, "verdict");
    if (out == "slow path") out += ": " + text_in(record, "slow");
    const std::string reason = text_in(record, "reason");
    if (!reason.empty()) out += ": " + reason;
    const std::string port = text_in(record, "outPort");
    if (!port.empty()) out += " by " + port;
    return out;
}

}  // namespace

std::string text_in(const Json& item, const char* key) {
    const auto found = item.find(key);
    return found != item.end() && found->is_string() ? found->get<std::string>() : std::string();
}

std::optional<TracedPacket> TraceAssembler::add(const Json& record) {
    const uint64_t number = number_in(record, "packet");
    TracedPacket& packet = open_[number];
    packet.push_back(record);
    const std::string verdict = text_in(record, "verdict");
    if (text_in(record, "stage") == kLastStage || verdict == "drop" || verdict == "taken") {
        TracedPacket whole = std::move(packet);
        open_.erase(number);
        return whole;
    }
    if (open_.size() > kMostOpen) open_.erase(open_.begin());
    return std::nullopt;
}

Json trace_json(const TracedPacket& packet) {
    const Json& first = packet.front();
    Frame before(first);
    Json out{{"packet", number_in(first, "packet")},     {"timeNs", number_in(first, "timeNs")},
             {"worker", number_in(first, "worker")},     {"inPort", text_in(first, "inPort")},
             {"summary", packet_summary(before.view())}, {"stages", Json::array()}};
    for (size_t i = 1; i < packet.size(); ++i) {
        const Json& record = packet[i];
        Json stage{{"stage", text_in(record, "stage")},
                   {"decided", decided(record)},
                   {"cycles", number_in(record, "cycles")},
                   {"burst", number_in(record, "burst")}};
        Frame after(record);
        if (!after.bytes.empty()) {
            stage["changes"] = packet_changes(before.view(), after.view());
            before = std::move(after);
        }
        if (!text_in(record, "flow").empty()) out["flow"] = text_in(record, "flow");
        if (!text_in(record, "replies").empty()) out["replies"] = text_in(record, "replies");
        if (!text_in(record, "service").empty()) out["service"] = text_in(record, "service");
        out["stages"].push_back(std::move(stage));
    }
    return out;
}

std::string trace_text(const TracedPacket& packet, uint64_t number) {
    const Json trace = trace_json(packet);
    std::string out = fmt::format("packet {}  {}  worker {}  in by {}\n  {}\n", number,
                                  time_text(number_in(trace, "timeNs")), number_in(trace, "worker"),
                                  text_in(trace, "inPort"), text_in(trace, "summary"));
    for (const Json& stage : trace.at("stages")) {
        out += fmt::format("  {:<10} {:<36} {:>6} cycles for {}\n", text_in(stage, "stage"),
                           text_in(stage, "decided"), number_in(stage, "cycles"),
                           number_in(stage, "burst"));
        if (!stage.contains("changes")) continue;
        for (const Json& change : stage.at("changes")) {
            out += fmt::format("             {}\n", change.get<std::string>());
        }
    }
    const std::string service = text_in(trace, "service");
    if (!text_in(trace, "flow").empty()) {
        out += fmt::format("  flow {}{}\n  its replies {}\n", text_in(trace, "flow"),
                           service.empty() ? "" : " (" + service + ")", text_in(trace, "replies"));
    }
    return out;
}

}  // namespace podlane::control
