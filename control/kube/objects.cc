#include "control/kube/objects.h"

#include <algorithm>

namespace podlane::control {

std::string_view Node::zone() const noexcept {
    return meta.label("topology.kubernetes.io/zone");
}

uint16_t Pod::resolve_port(const PortRef& ref, Protocol protocol) const noexcept {
    if (!ref.is_name()) return ref.number;
    const auto it = std::ranges::find_if(ports, [&](const ContainerPort& port) {
        return port.name == ref.name && port.protocol == protocol;
    });
    return it == ports.end() ? uint16_t{0} : it->port;
}

const Meta& meta_of(const Object& object) noexcept {
    return std::visit([](const auto& ptr) -> const Meta& { return ptr->meta; }, object);
}

ObjectKey key_of(const Object& object) {
    const Meta& meta = meta_of(object);
    return {kind_of(object), meta.name_space, meta.name};
}

bool equal_objects(const Object& a, const Object& b) {
    if (a.index() != b.index()) return false;
    return std::visit(
        [&](const auto& ptr) { return *ptr == *std::get<std::decay_t<decltype(ptr)>>(b); }, a);
}

}  // namespace podlane::control
