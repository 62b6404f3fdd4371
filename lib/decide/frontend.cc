// Finds the Service for a destination, and the endpoint for a connection.
#include <algorithm>

#include "lib/base/stable_hash.h"
#include "lib/decide/decide.h"
#include "lib/proto/ip_protocol.h"

namespace podlane {

namespace {

bool has_ports(uint8_t protocol) noexcept {
    return protocol == kProtocolTcp || protocol == kProtocolUdp || protocol == kProtocolSctp;
}

}  // namespace

template <Family F>
uint32_t service_hash(const FlowKey<F>& key) noexcept {
    // Fixed multipliers and no seed: every node must choose the same endpoint.
    uint64_t h = 0x9e3779b97f4a7c15u ^ key.protocol;
    const auto mix = [&h](uint64_t word) {
        h = (h ^ word) * 0xff51afd7ed558ccdu;
        h ^= h >> 32;
    };
    const auto mix_address = [&mix](const typename F::Address& address) {
        const auto* bytes = reinterpret_cast<const uint8_t*>(&address);
        for (size_t i = 0; i < sizeof(address); i += 4) {
            uint32_t word = 0;
            __builtin_memcpy(&word, bytes + i, 4);
            mix(word);
        }
    };
    mix_address(key.src);
    mix_address(key.dst);
    mix(uint64_t{key.src_port.raw} << 16 | key.dst_port.raw);
    return static_cast<uint32_t>(h >> 16);
}

template <Family F>
const Frontend<F>* find_frontend(const Snapshot& snapshot, const FlowKey<F>& key) noexcept {
    if (!has_ports(key.protocol)) return nullptr;
    const FamilyState<F>& state = snapshot.family<F>();
    const Frontend<F>* exact = state.frontends.find({key.dst, key.dst_port, key.protocol});
    if (exact != nullptr || !state.is_node_address(key.dst)) return exact;
    const Frontend<F>* any =
        state.frontends.find({typename F::Address{}, key.dst_port, key.protocol});
    const bool refused =
        any != nullptr && any->kind == FrontendKind::kNodePort &&
        std::find(state.node_port_addresses.begin(), state.node_port_addresses.end(), key.dst) ==
            state.node_port_addresses.end();
    return refused ? nullptr : any;
}

template <Family F>
uint32_t affinity_key(const Frontend<F>& frontend) noexcept {
    const uint64_t service = stable_hash(frontend.service_name, frontend.protocol);
    const auto key = static_cast<uint32_t>(stable_hash(frontend.port_name, service) >> 32);
    return key == 0 ? 1 : key;  // 0 means unused
}

template <Family F>
std::optional<ServiceId> service_that_keeps(const Snapshot& snapshot, const FlowKey<F>& original,
                                            ServiceId service,
                                            const Endpoint<F>& endpoint) noexcept {
    const Frontend<F>* frontend = find_frontend(snapshot, original);
    const bool keeps = frontend != nullptr ? frontend->may_keep(endpoint) : service == kNoService;
    if (!keeps) return std::nullopt;
    return frontend != nullptr ? frontend->service : kNoService;
}

#define PODLANE_INSTANTIATE(F)                                                                 \
    template uint32_t service_hash<F>(const FlowKey<F>&) noexcept;                             \
    template const Frontend<F>* find_frontend<F>(const Snapshot&, const FlowKey<F>&) noexcept; \
    template uint32_t affinity_key<F>(const Frontend<F>&) noexcept;                            \
    template std::optional<ServiceId> service_that_keeps<F>(                                   \
        const Snapshot&, const FlowKey<F>&, ServiceId, const Endpoint<F>&) noexcept;
PODLANE_INSTANTIATE(V4)
PODLANE_INSTANTIATE(V6)
#undef PODLANE_INSTANTIATE

}  // namespace podlane
