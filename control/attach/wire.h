// What podlaned and the process that attaches pods say to each other: one request and one answer,
// of fixed sizes, each a packet of a Unix socket. Descriptors travel beside an answer (SCM_RIGHTS).
//
// Both are one program, forked, so byte order and layout are the same. Lengths, counts and words
// are checked all the same: the process with more rights does not trust the one with fewer.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <type_traits>

#include "control/netdev/netns.h"
#include "control/netdev/tap.h"
#include "lib/base/result.h"

namespace podlane::control {

enum class AttachWork : uint32_t {
    kMake,     ///< a pod's interface that ends with podlaned
    kKeep,     ///< one that outlives it
    kAttach,   ///< one that a podlaned before this one has left
    kAdopt,    ///< one that another podlaned still has open, whose queues podlaned gets from it
    kRemove,   ///< one of these, by its `ifindex`
    kNetnsId,  ///< which network namespace stands at the path
};

struct WireAddress {
    std::array<uint8_t, 16> bytes;  ///< network order; of IPv4 the first four
    uint8_t is_v6;
    uint8_t length;  ///< of the subnet's prefix
};

inline constexpr size_t kMostAddresses = 16;
inline constexpr size_t kMostGateways = 2;

struct AttachRequest {
    AttachWork work;
    uint32_t id;  ///< the answer has the same
    int32_t ifindex;
    uint32_t queues;
    uint32_t addresses, gateways;  ///< how many
    uint16_t mtu;
    std::array<uint8_t, 6> mac;
    uint8_t checksum, tso4, tso6, unused;
    std::array<char, 16> ifname;  ///< ended by NUL, as all texts
    std::array<char, 4096> netns;
    std::array<WireAddress, kMostAddresses> address;
    std::array<WireAddress, kMostGateways> gateway;
};

struct AttachAnswer {
    uint32_t id;
    uint32_t is_done;
    uint32_t was_there;
    int32_t ifindex;
    NetnsId netns;
    std::array<char, 1024> error;
};
// Without gaps: what else is in memory stays there.
static_assert(std::has_unique_object_representations_v<AttachRequest>);
static_assert(std::has_unique_object_representations_v<AttachAnswer>);

/// An error for what has no room in a request. `ifindex`: of kRemove.
[[nodiscard]] Result<AttachRequest> to_wire(AttachWork work, const PodTapRequest& pod,
                                            int ifindex = 0);
/// None where something is said that cannot be.
[[nodiscard]] std::optional<PodTapRequest> from_wire(const AttachRequest& request);

}  // namespace podlane::control
