// Ports of the node that a runtime asks for with a pod's port: CNI's portMappings.
//
// Pure; used by the node. The compiler serves them (control/compile/services.h).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "control/kube/objects.h"
#include "lib/base/result.h"

namespace podlane::control {

/// A requested mapping of a host port to a port of the pod.
struct PortMapping {
    uint16_t host_port = 0;
    uint16_t container_port = 0;
    std::string protocol = "TCP";
    std::string host_ip = {};  ///< empty, 0.0.0.0 or ::: every address of the node
};

/// The same in the form of a Pod object's hostPorts; an error names the key and its value.
/// Duplicates are removed.
[[nodiscard]] Result<std::vector<ContainerPort>> read_port_mappings(
    const std::vector<PortMapping>& mappings);

/// Whether both are one port of the node, at some address of it at least.
[[nodiscard]] bool do_overlap(const ContainerPort& a, const ContainerPort& b) noexcept;

/// "8080/TCP", "192.0.2.1:53/UDP".
[[nodiscard]] std::string host_port_text(const ContainerPort& port);

}  // namespace podlane::control
