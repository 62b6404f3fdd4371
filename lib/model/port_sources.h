// The addresses that a pod's port may send from: its MAC address and its IP addresses.
//
// Compiled by control, shared between snapshots, checked by workers for packets without a flow.
#pragma once

#include <concepts>
#include <cstdint>
#include <utility>
#include <vector>

#include "lib/base/family.h"
#include "lib/base/mac.h"
#include "lib/fib/lpm.h"

namespace podlane {

/// The addresses of one family that a port may send from.
template <Family F>
class FamilySources {
  public:
    /// Allows a prefix; call before the port's sources are published.
    void add(const Prefix<F>& prefix) {
        if (prefix.length == F::kAddressBits && first_.is_zero()) {
            first_ = prefix.address;
            return;
        }
        more_.emplace_back(prefix, uint8_t{1});
        table_ = Lpm<F, uint8_t>(more_);
    }
    /// Cost: one compare for most pods, which have one address; else one look-up.
    [[nodiscard]] bool allows(const typename F::Address& address) const noexcept {
        if (address == first_) [[likely]]
            return !address.is_zero();
        return table_.find(address) != nullptr;
    }
    /// The first of the addresses, which is all that most pods have; zero: none.
    [[nodiscard]] const typename F::Address& first() const noexcept { return first_; }
    friend bool operator==(const FamilySources& a, const FamilySources& b) {
        return a.first_ == b.first_ && a.more_ == b.more_;
    }

  private:
    typename F::Address first_{};  // compared first; zero: none
    std::vector<std::pair<Prefix<F>, uint8_t>> more_;
    Lpm<F, uint8_t> table_;  // of more_
};

/// A pod port's sources. Immutable once published.
struct PortSources {
    MacAddress mac{};  ///< zero: not known, so any is allowed
    FamilySources<V4> v4;
    FamilySources<V6> v6;  ///< with the link-local address made from its MAC address

    template <Family F>
    [[nodiscard]] bool allows(const typename F::Address& address) const noexcept {
        if constexpr (std::same_as<F, V4>) {
            return v4.allows(address);
        } else {
            return v6.allows(address);
        }
    }
    [[nodiscard]] bool allows_mac(const MacAddress& sender) const noexcept {
        return mac.is_zero() || sender == mac;
    }
    friend bool operator==(const PortSources&, const PortSources&) = default;
};

/// RFC 4291 appendix A: the modified EUI-64 of a MAC address below fe80::/64.
[[nodiscard]] constexpr Ipv6Address link_local_of(const MacAddress& mac) noexcept {
    const auto& m = mac.bytes;
    return {{0xfe, 0x80, 0, 0, 0, 0, 0, 0, static_cast<uint8_t>(m[0] ^ 0x02), m[1], m[2], 0xff,
             0xfe, m[3], m[4], m[5]}};
}

}  // namespace podlane
