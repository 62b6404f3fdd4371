#include "control/node/host_ports.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <utility>

namespace podlane::control {

namespace {

bool is_any(const IpAddress& address) {
    return address.is_v4() ? address.as<V4>().is_zero() : address.as<V6>().is_zero();
}

Result<ContainerPort> read_port_mapping(const PortMapping& mapping) {
    ContainerPort port;
    port.port = mapping.container_port;
    port.host_port = mapping.host_port;
    if (port.host_port == 0 || port.port == 0) {
        return Error{"portMappings: hostPort and containerPort are needed (1-65535)"};
    }
    const auto protocol = protocol_from_name(mapping.protocol);
    if (!protocol) {
        return Error{fmt::format("portMappings: protocol: {} is none of TCP, UDP and SCTP",
                                 mapping.protocol)};
    }
    port.protocol = *protocol;
    if (mapping.host_ip.empty()) return port;
    port.host_ip = parse_ip(mapping.host_ip);
    if (!port.host_ip) {
        return Error{fmt::format("portMappings: hostIP: {} is no IP address", mapping.host_ip)};
    }
    if (is_any(*port.host_ip)) port.host_ip.reset();
    return port;
}

}  // namespace

Result<std::vector<ContainerPort>> read_port_mappings(const std::vector<PortMapping>& mappings) {
    std::vector<ContainerPort> ports;
    for (const PortMapping& mapping : mappings) {
        auto read = read_port_mapping(mapping);
        if (!read.ok()) return read.error();
        const auto same = std::ranges::find_if(ports, [&](const ContainerPort& other) {
            return other.host_port == read->host_port && other.protocol == read->protocol &&
                   other.host_ip == read->host_ip;
        });
        if (same == ports.end()) {
            ports.push_back(std::move(read).value());
        } else if (*same != *read) {
            return Error{
                fmt::format("portMappings: port {} of the node is to lead to both {} and "
                            "{} of the pod",
                            host_port_text(*same), same->port, read->port)};
        }
    }
    return ports;
}

bool do_overlap(const ContainerPort& a, const ContainerPort& b) noexcept {
    return a.host_port == b.host_port && a.protocol == b.protocol &&
           (!a.host_ip || !b.host_ip || *a.host_ip == *b.host_ip);
}

std::string host_port_text(const ContainerPort& port) {
    const auto protocol = protocol_name(port.protocol);
    return port.host_ip ? fmt::format("{}/{}", to_string(*port.host_ip, port.host_port), protocol)
                        : fmt::format("{}/{}", port.host_port, protocol);
}

}  // namespace podlane::control
