#include "control/attach/wire.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <string>

namespace podlane::control {

namespace {

WireAddress wire_of(const IpAddress& address, uint8_t length) {
    WireAddress out{.bytes = {}, .is_v6 = address.is_v6(), .length = length};
    if (address.is_v6()) {
        out.bytes = address.as<V6>().bytes;
    } else {
        const auto value = address.as<V4>();
        std::memcpy(out.bytes.data(), &value, sizeof(value));
    }
    return out;
}

IpAddress address_of(const WireAddress& wire) {
    if (wire.is_v6 != 0) return Ipv6Address{wire.bytes};
    Ipv4Address value{};
    std::memcpy(&value, wire.bytes.data(), sizeof(value));
    return value;
}

template <size_t N>
bool is_ended(const std::array<char, N>& text) {
    return std::ranges::find(text, '\0') != text.end();
}

bool has_length(const WireAddress& wire) {
    return wire.length <= (wire.is_v6 != 0 ? 128 : 32);
}

}  // namespace

Result<AttachRequest> to_wire(AttachWork work, const PodTapRequest& pod, int ifindex) {
    AttachRequest out{};
    out.work = work;
    out.ifindex = ifindex;
    const auto no_room = [](const char* what, const std::string& shown, size_t most) {
        return Error{
            fmt::format("{} {}...: at most {} bytes", what, shown.substr(0, 64), most - 1)};
    };
    if (pod.netns_path.size() >= out.netns.size()) {
        return no_room("network namespace", pod.netns_path, out.netns.size());
    }
    if (pod.ifname.size() >= out.ifname.size()) {
        return no_room("interface name", pod.ifname, out.ifname.size());
    }
    if (pod.addresses.size() > kMostAddresses || pod.gateways.size() > kMostGateways) {
        return Error{fmt::format("{} addresses and {} gateways: at most {} and {}",
                                 pod.addresses.size(), pod.gateways.size(), kMostAddresses,
                                 kMostGateways)};
    }
    std::ranges::copy(pod.netns_path, out.netns.begin());
    std::ranges::copy(pod.ifname, out.ifname.begin());
    out.mac = pod.mac.bytes;
    out.mtu = pod.mtu;
    out.queues = pod.queues;
    for (const InterfaceAddress& each : pod.addresses) {
        out.address[out.addresses++] = wire_of(each.address, each.length);
    }
    for (const IpAddress& each : pod.gateways) out.gateway[out.gateways++] = wire_of(each, 0);
    out.checksum = pod.offloads.checksum;
    out.tso4 = pod.offloads.tso4;
    out.tso6 = pod.offloads.tso6;
    out.shortcut = pod.shortcut;
    return out;
}

std::optional<PodTapRequest> from_wire(const AttachRequest& request) {
    // An empty path would mean this process's own namespace.
    if (!is_ended(request.netns) || !is_ended(request.ifname) || request.netns[0] == '\0' ||
        request.queues > kMaxTapQueues || request.addresses > kMostAddresses ||
        request.gateways > kMostGateways) {
        return std::nullopt;
    }
    PodTapRequest out{.netns_path = request.netns.data(),
                      .ifname = request.ifname.data(),
                      .mac = {request.mac},
                      .mtu = request.mtu,
                      .queues = request.queues,
                      .addresses = {},
                      .gateways = {},
                      .offloads = {.checksum = request.checksum != 0,
                                   .tso4 = request.tso4 != 0,
                                   .tso6 = request.tso6 != 0},
                      .shortcut = request.shortcut != 0};
    for (uint32_t i = 0; i < request.addresses; ++i) {
        if (!has_length(request.address[i])) return std::nullopt;
        out.addresses.push_back({address_of(request.address[i]), request.address[i].length});
    }
    for (uint32_t i = 0; i < request.gateways; ++i) {
        out.gateways.push_back(address_of(request.gateway[i]));
    }
    return out;
}

}  // namespace podlane::control
