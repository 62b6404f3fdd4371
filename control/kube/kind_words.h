// The words of Kubernetes' kinds beyond their names: the table that podlanectl's words come from.
//
// meta.h has what most of control/ needs of a kind; the command line needs these as well.
#pragma once

#include <span>
#include <string_view>

#include "control/kube/meta.h"

namespace podlane::control {

/// "services".
[[nodiscard]] std::string_view kind_plural(Kind kind) noexcept;
/// As in `kubectl api-resources`: "svc"; "" if there is none.
[[nodiscard]] std::span<const std::string_view> kind_short_names(Kind kind) noexcept;

}  // namespace podlane::control
