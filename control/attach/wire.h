// What podlaned and the process that attaches pods say to each other: one request and one answer,
// of fixed sizes, each a packet of a Unix socket. Descriptors travel beside an answer (SCM_RIGHTS).
//
// Both are one program, forked, so that byte order and layout are the same. Lengths and words are
// checked all the same: the process with more rights does not trust the one with fewer.
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
    kRemove,   ///< one that was made or attached to, by its handle
    kNetnsId,  ///< what stands at a path
};

struct WireAddress {
    std::array<uint8_t, 16> bytes{};
    uint8_t is_v6 = 0;
    uint8_t length = 0;  ///< of the subnet's prefix
};

inline constexpr size_t kMostAddresses = 16;
inline constexpr size_t kMostGateways = 2;

struct AttachRequest {
    AttachWork work = AttachWork::kNetnsId;
    uint32_t id = 0;      ///< the answer has the same
    uint32_t handle = 0;  ///< of kRemove
    uint32_t queues = 0;
    uint32_t addresses = 0, gateways = 0;  ///< how many
    uint16_t mtu = 0;
    std::array<uint8_t, 6> mac{};
    uint8_t checksum = 0, tso4 = 0, tso6 = 0;
    std::array<char, 16> ifname{};  ///< ended by NUL, as all texts
    std::array<char, 4096> netns{};
    std::array<WireAddress, kMostAddresses> address{};
    std::array<WireAddress, kMostGateways> gateway{};
};

struct AttachAnswer {
    uint32_t id = 0;
    uint32_t is_done = 0;
    uint32_t was_there = 0;
    uint32_t handle = 0;
    NetnsId netns;
    std::array<char, 1024> error{};
};
static_assert(std::is_trivially_copyable_v<AttachRequest> &&
              std::is_trivially_copyable_v<AttachAnswer>);

/// An error for what has no room in a request.
[[nodiscard]] Result<AttachRequest> to_wire(AttachWork work, const PodTapRequest& pod);
/// None where something is said that cannot be.
[[nodiscard]] std::optional<PodTapRequest> from_wire(const AttachRequest& request);

}  // namespace podlane::control
