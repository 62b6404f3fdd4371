// Ports of the node that a runtime asks for with a pod's port: CNI's portMappings.
//
// Pure; used by the node. What becomes of them is the compiler's (control/compile/services.h).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "control/kube/objects.h"
#include "lib/base/result.h"

namespace podlane::control {

/// A port of the node that leads to one of the pod's, as it is asked for.
struct PortMapping {
    uint16_t host_port = 0;
    uint16_t container_port = 0;
    std::string protocol = "TCP";
    std::string host_ip = {};  ///< empty, 0.0.0.0 or ::: every address of the node
};

/// The same as a Pod object says it in its hostPorts; an error names the key and its value. What is
/// asked for twice is there once.
[[nodiscard]] Result<std::vector<ContainerPort>> read_port_mappings(
    const std::vector<PortMapping>& mappings);

/// Whether both are one port of the node, at some address of it at least.
[[nodiscard]] bool do_overlap(const ContainerPort& a, const ContainerPort& b) noexcept;

/// "8080/TCP", "192.0.2.1:53/UDP".
[[nodiscard]] std::string host_port_text(const ContainerPort& port);

}  // namespace podlane::control
