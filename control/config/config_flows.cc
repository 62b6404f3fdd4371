// The part of ConfigReader about connections: how many, and how long they may be idle.
#include <fmt/format.h>

#include <array>
#include <charconv>

#include "control/config/config_reader.h"
#include "control/config/section.h"

namespace podlane::control {

namespace {

constexpr uint32_t kMostSeconds = 365 * 24 * 3600;

/// Seconds for a duration's unit letter; 0 for other letters.
constexpr uint64_t seconds_of(char unit) noexcept {
    switch (unit) {
        case 'h':
            return 3600;
        case 'm':
            return 60;
        case 's':
            return 1;
        default:
            return 0;
    }
}

std::optional<uint32_t> in_range(uint64_t seconds) {
    if (seconds == 0 || seconds > kMostSeconds) return std::nullopt;
    return static_cast<uint32_t>(seconds);
}

std::optional<uint32_t> parse_timeout(const Value& value) {
    if (value.is(ValueType::kString)) return parse_seconds(value.text());
    if (!value.is(ValueType::kInteger)) return std::nullopt;
    uint64_t seconds = 0;
    const std::string_view text = value.text();
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), seconds);
    if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
    return in_range(seconds);
}

}  // namespace

std::span<const FlowTimeoutKey> flow_timeout_keys() noexcept {
    static constexpr auto kKeys = std::to_array<FlowTimeoutKey>({
        {"tcpSynSent", &FlowTimeouts::tcp_syn_sent},
        {"tcpSynReceived", &FlowTimeouts::tcp_syn_received},
        {"tcpEstablished", &FlowTimeouts::tcp_established},
        {"tcpUnacknowledged", &FlowTimeouts::tcp_unacknowledged},
        {"tcpFinWait", &FlowTimeouts::tcp_fin_wait},
        {"tcpCloseWait", &FlowTimeouts::tcp_close_wait},
        {"tcpLastAck", &FlowTimeouts::tcp_last_ack},
        {"tcpTimeWait", &FlowTimeouts::tcp_time_wait},
        {"tcpClose", &FlowTimeouts::tcp_close},
        {"tcpReset", &FlowTimeouts::tcp_reset},
        {"udp", &FlowTimeouts::udp},
        {"udpStream", &FlowTimeouts::udp_stream},
        {"icmp", &FlowTimeouts::icmp},
        {"sctp", &FlowTimeouts::sctp},
        {"sctpEstablished", &FlowTimeouts::sctp_established},
        {"other", &FlowTimeouts::other},
    });
    return kKeys;
}

std::optional<uint32_t> parse_seconds(std::string_view text) {
    uint64_t seconds = 0;
    uint64_t last_unit = ~uint64_t{0};
    while (!text.empty()) {
        uint32_t number = 0;
        const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
        if (error != std::errc{} || end == text.data() + text.size()) return std::nullopt;
        const uint64_t unit = seconds_of(*end);
        if (unit == 0 || unit >= last_unit) return std::nullopt;
        last_unit = unit;
        seconds += number * unit;
        text.remove_prefix(static_cast<size_t>(end - text.data()) + 1);
    }
    return in_range(seconds);
}

void ConfigReader::read_flows(Fields flows) {
    config_.flows.capacity = flows.integer<uint32_t>(
        "capacity", {1024, 1 << 28, "a number of connections"}, config_.flows.capacity);
    Fields timeouts = flows.fields("timeouts");
    for (const FlowTimeoutKey& key : flow_timeout_keys()) {
        const Value* value = timeouts.get(key.name);
        if (value == nullptr) continue;
        if (const auto seconds = parse_timeout(*value)) {
            config_.flows.timeouts.*key.member = *seconds;
        } else {
            problems_.add(*value, fmt::format("{} is not a time such as 90, 90s, 1h or 1h30m "
                                              "(1-{} seconds)",
                                              shown(*value), kMostSeconds));
        }
    }
    timeouts.finish();
    config_.flows.counters = read_switch(flows, "counters", problems_, config_.flows.counters);
    flows.finish();
}

}  // namespace podlane::control
