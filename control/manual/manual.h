// The man pages of the programs, made from the same tables as their command lines.
//
// A program of the build prints them, so that the installed pages always agree with the programs.
#pragma once

#include <string>
#include <string_view>

namespace podlane::control {

/// podlanectl(1).
[[nodiscard]] std::string podlanectl_manual(std::string_view version);
/// podlaned(8).
[[nodiscard]] std::string podlaned_manual(std::string_view version);
/// podlane-kube(8).
[[nodiscard]] std::string podlane_kube_manual(std::string_view version);
/// podlane-cni(8).
[[nodiscard]] std::string podlane_cni_manual(std::string_view version);

}  // namespace podlane::control
