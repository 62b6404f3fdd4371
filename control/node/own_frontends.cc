#include "control/node/own_frontends.h"

#include <algorithm>

namespace podlane::control {

namespace {

template <Family F>
void collect(const ServiceCompiler& services, const Snapshot& snapshot, std::set<HostRule>& out) {
    const FamilyState<F>& state = snapshot.family<F>();
    const auto add = [&](const typename F::Address& address, const FrontendKey<F>& key) {
        const uint16_t port = key.port.host();
        out.insert({IpAddress(address), key.protocol, port, port});
    };
    for (const FrontendKey<F>& key : services.external_keys<F>()) {
        const Frontend<F>* frontend = state.frontends.find(key);
        if (frontend == nullptr) continue;
        const bool is_host_port = frontend->kind == FrontendKind::kHostPort;
        if (frontend->any_address) {
            for (const auto& own :
                 is_host_port ? state.node_addresses : state.node_port_addresses) {
                add(own, key);
            }
        } else if (std::ranges::find(state.node_addresses, key.address) !=
                       state.node_addresses.end() ||
                   (is_host_port && std::same_as<F, V4> && key.address.is_loopback())) {
            add(key.address, key);
        }
    }
}

}  // namespace

std::set<HostRule> own_frontends(const ServiceCompiler& services, const Snapshot& snapshot) {
    std::set<HostRule> out;
    collect<V4>(services, snapshot, out);
    collect<V6>(services, snapshot, out);
    return out;
}

}  // namespace podlane::control
