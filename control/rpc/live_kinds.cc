#include "control/rpc/live_kinds.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "control/document/fields.h"
#include "lib/base/ip_address.h"
#include "lib/base/mac.h"

namespace podlane::control {
namespace {

using enum LiveCell;
constexpr bool kWide = true;

constexpr auto kPortColumns = std::to_array<LiveColumn>({
    {"NAME", "/name"},
    {"STATE", "/state"},
    {"MAC", "/mac"},
    {"MTU", "/mtu", kNumber, false, 1},
    {"ADDRESSES", "/addresses", kList},
    {"KIND", "/kind", kText, kWide},
    {"ID", "/id", kNumber, kWide},
    {"DEVICE", "/device", kText, kWide},
    {"QUEUES", "/queues", kNumber, kWide},
    {"NETNS", "/netns", kText, kWide},
    {"IFNAME", "/ifname", kText, kWide},
});
constexpr auto kNeighborColumns = std::to_array<LiveColumn>({
    {"ADDRESS", "/address"},
    {"MAC", "/mac"},
    {"PORT", "/port"},
    {"STATE", "/state"},
    {"AGE", "/ageSeconds", kSeconds, false, 1},
});
constexpr auto kFdbColumns = std::to_array<LiveColumn>({
    {"MAC", "/mac"},
    {"PORT", "/port"},
    {"KIND", "/kind"},
    {"VTEP", "/vtep", kText, false, 2},
    {"AGE", "/ageSeconds", kSeconds, false, 1},
});
constexpr auto kRouteColumns = std::to_array<LiveColumn>({
    {"PREFIX", "/prefix"},
    {"KIND", "/kind"},
    {"VIA", "/via"},
    {"PORT", "/port"},
    {"NODE", "/node", kText, false, 1},
    {"OVERLAY", "/overlay", kText, kWide},
    {"MTU", "/mtu", kNumber, kWide},
});
constexpr auto kFlowColumns = std::to_array<LiveColumn>({
    {"PROTO", "/protocol"},
    {"FROM", "/from"},
    {"TO", "/to"},
    {"TRANSLATED-TO", "/translatedTo"},
    {"STATE", "/state", kText, false, 1},
    {"AGE", "/ageSeconds", kSeconds, false, 3},
    {"IDLE", "/idleSeconds", kSeconds, false, 2},
    {"TRANSLATED-FROM", "/translatedFrom", kText, kWide},
    {"EXPIRES", "/expiresSeconds", kSeconds, kWide},
    {"SERVICE", "/service", kText, kWide},
    {"IN-PORT", "/inPort", kText, kWide},
    {"OUT-PORT", "/outPort", kText, kWide},
    {"WORKER", "/worker", kNumber, kWide},
    {"CARRIER", "/carrier", kText, kWide},
    {"DROPPED-FOR", "/drop", kText, kWide},
    {"PACKETS", "/packets", kNumber, kWide},
    {"BYTES", "/bytes", kNumber, kWide},
    {"REPLY-PACKETS", "/replyPackets", kNumber, kWide},
    {"REPLY-BYTES", "/replyBytes", kNumber, kWide},
});
constexpr auto kWorkerColumns = std::to_array<LiveColumn>({
    {"ID", "/id", kNumber},
    {"CPU", "/cpu", kNumber},
    {"TID", "/tid", kNumber, false, 2},
    {"GENERATION", "/generation", kNumber, false, 1},
    {"RX-PACKETS", "/rxPackets", kNumber},
    {"BUSY", "", kBusyShare},
    {"QUEUES", "/queues", kList},
    {"NUMA", "/numaNode", kNumber, kWide},
});
constexpr auto kFrontendColumns = std::to_array<LiveColumn>({
    {"SERVICE", "/service"},
    {"KIND", "/kind", kText, false, 1},
    {"ADDRESS", "/address"},
    {"PORT", "", kPortProtocol},
    {"INSIDE", "/inside", kList},
    {"PORTNAME", "/portName", kText, kWide},
    {"OUTSIDE", "/outside", kList, kWide},
    {"WHEN-EMPTY", "/whenEmpty", kText, kWide},
    {"AFFINITY", "/affinitySeconds", kSeconds, kWide},
    {"SOURCE-RANGES", "/sourceRanges", kList, kWide},
});
constexpr auto kAddressColumns = std::to_array<LiveColumn>({
    {"ADDRESS", "/address"},
    {"SERVICE", "/service"},
    {"NODE", "/node"},
    {"CANDIDATES", "/candidates", kList, kWide},
});

constexpr size_t kFlowLimit = 10'000;

constexpr auto kLiveKinds = std::to_array<LiveKind>({
    {"ports", "port", "", LiveName::kText, 0, "/name", "uplinks, pods' ports, the host interface",
     kPortColumns},
    {"neighbors", "neighbor", "neigh", LiveName::kAddress, 0, nullptr,
     "ARP and neighbour discovery", kNeighborColumns},
    {"fdb", "fdb", "", LiveName::kMac, 0, nullptr, "which MAC address is at which port",
     kFdbColumns},
    {"routes", "route", "", LiveName::kPrefix, 0, nullptr, "where packets to a prefix go",
     kRouteColumns},
    {"flows", "flow", "", LiveName::kFlowEnd, kFlowLimit, "/service",
     "connections, by Service, pod or address", kFlowColumns, false},
    {"workers", "worker", "", LiveName::kNumber, 0, nullptr, "threads that move packets",
     kWorkerColumns, false},
    {"frontends", "frontend", "", LiveName::kService, 0, "/service",
     "addresses at which Services are served, with their endpoints", kFrontendColumns},
    {"addresses", "address", "", LiveName::kAddress, 0, "/service",
     "load balancer addresses in use", kAddressColumns},
});

bool is_object_name(std::string_view name) {
    const size_t slash = name.find('/');
    return slash != std::string_view::npos && slash > 0 && slash + 1 < name.size() &&
           name.find('/', slash + 1) == std::string_view::npos;
}

bool is_number(std::string_view text) {
    return !text.empty() && std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
}

/// "10.0.0.1:80", "[fd00::1]:80".
bool is_address_and_port(std::string_view text) {
    const size_t colon = text.rfind(':');
    if (colon == std::string_view::npos) return false;
    std::string_view host = text.substr(0, colon);
    const bool in_brackets = host.starts_with('[') && host.ends_with(']');
    if (in_brackets) host = host.substr(1, host.size() - 2);
    const auto address = parse_ip(host);
    return address && address->is_v6() == in_brackets && is_number(text.substr(colon + 1));
}

}  // namespace

std::span<const LiveKind> live_kinds() noexcept {
    return kLiveKinds;
}

const LiveKind* find_live_kind(std::string_view plural) noexcept {
    const auto found = std::ranges::find(kLiveKinds, plural, &LiveKind::plural);
    return found == kLiveKinds.end() ? nullptr : &*found;
}

std::string live_name_fault(const LiveKind& kind, std::string_view name) {
    const char* wanted = nullptr;
    switch (kind.name) {
        case LiveName::kText:
            break;
        case LiveName::kNumber:
            if (!is_number(name)) wanted = "a number";
            break;
        case LiveName::kAddress:
            if (!parse_ip(name)) wanted = "an IP address";
            break;
        case LiveName::kMac:
            if (!parse_mac(name)) wanted = "a MAC address such as 02:42:ac:11:00:02";
            break;
        case LiveName::kPrefix:
            if (!parse_prefix(name)) wanted = "a prefix such as 10.244.1.0/24";
            break;
        case LiveName::kService:
            if (!is_object_name(name)) wanted = "a Service's NAMESPACE/NAME";
            break;
        case LiveName::kFlowEnd:
            if (!is_object_name(name) && !parse_ip(name) && !is_address_and_port(name)) {
                wanted = "an IP address, or the NAMESPACE/NAME of a Service or pod";
            }
            break;
    }
    return wanted == nullptr ? std::string() : fmt::format("{} is not {}", in_quotes(name), wanted);
}

}  // namespace podlane::control
