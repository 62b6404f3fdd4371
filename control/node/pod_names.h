// Names and MAC addresses of pods: validity checks, and generated values for a pod's port.
//
// Pure; used by the node.
#pragma once

#include <string>
#include <string_view>

#include "lib/base/mac.h"

namespace podlane::control {

/// NAMESPACE/NAME: an RFC 1123 label (63 characters) and an RFC 1123 subdomain, as the API server
/// demands of namespaces and pods: 253 characters in all, the parts between dots as long as they
/// like.
[[nodiscard]] bool is_pod_name(std::string_view text) noexcept;

/// What CNI (1.1.0, section 2, CNI_CONTAINERID) lets a container be called: letters, digits, and
/// after the first also '_', '.' and '-'. At most 253 here.
[[nodiscard]] bool is_container_id(std::string_view text) noexcept;

/// Whether the kernel accepts it as an interface's name: 1-15 bytes, no white space, no '/', not
/// "." and "..".
[[nodiscard]] bool is_interface_name(std::string_view text) noexcept;

/// A locally administered unicast address that looks random and is always the same for the same
/// arguments, so that a pod's retry and a restarted node produce the same one. `attempt` > 0: the
/// next one, if the first is taken.
[[nodiscard]] MacAddress derive_pod_mac(std::string_view node, std::string_view pod,
                                        unsigned attempt) noexcept;

}  // namespace podlane::control
