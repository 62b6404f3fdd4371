// One endpoint of a service port, as a connection is led to it: an address and a port.
#pragma once

#include <compare>

#include "lib/base/bytes.h"
#include "lib/base/family.h"

namespace podlane {

template <Family F>
struct Endpoint {
    typename F::Address address;
    be16 port;
    friend constexpr auto operator<=>(const Endpoint&, const Endpoint&) noexcept = default;
};

}  // namespace podlane
