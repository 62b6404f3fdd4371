// Messages between podlaned and the process that attaches pods: one request and one answer of fixed
// sizes, each one packet on a Unix socket. Descriptors are sent with an answer (SCM_RIGHTS).
//
// Both processes are one forked program, so byte order and layout are the same. Lengths, counts and
// texts are still checked: the process with more rights does not trust the one with fewer.
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
    kMake,      ///< a pod's interface that ends with podlaned
    kKeep,      ///< one that outlives podlaned
    kAttach,    ///< one that an earlier podlaned left
    kAdopt,     ///< one that another podlaned still has open, and whose queues it hands over
    kRemove,    ///< one of these, by its `ifindex`
    kShortcut,  ///< the kernel's shortcut, ready for pairs; its maps come with the answer
    kNetnsId,   ///< the network namespace at the path
    kSweep,     ///< away with pairs that nobody uses
    kHost,      ///< the shortcut's program on the host interface, or none there
    kUplink,    ///< a TAP beside a NIC of this namespace, with programs that pass frames on
};

struct WireAddress {
    std::array<uint8_t, 16> bytes;  ///< network byte order; IPv4 uses the first four
    uint8_t is_v6;
    uint8_t length;  ///< the subnet's prefix length
};

inline constexpr size_t kMostAddresses = 16;
inline constexpr size_t kMostGateways = 2;

struct AttachRequest {
    AttachWork work;
    uint32_t id;  ///< the same in the answer
    int32_t ifindex;
    uint32_t queues;
    uint32_t addresses, gateways;  ///< how many
    uint16_t mtu;
    std::array<uint8_t, 6> mac;
    uint8_t checksum, tso4, tso6;
    uint8_t shortcut;             ///< a pair; for kShortcut and kHost: whether it is wanted
    std::array<char, 16> ifname;  ///< NUL-terminated, like all texts here
    std::array<char, 4096> netns;
    std::array<WireAddress, kMostAddresses> address;
    std::array<WireAddress, kMostGateways> gateway;
};

struct AttachAnswer {
    uint32_t id;
    uint32_t is_done;
    uint32_t was_there;
    int32_t ifindex;
    int32_t node_end;  ///< of a pair; else 0
    int32_t unused;
    NetnsId netns;
    std::array<char, 1024> error;
};
// No padding, so that no other memory is sent.
static_assert(std::has_unique_object_representations_v<AttachRequest>);
static_assert(std::has_unique_object_representations_v<AttachAnswer>);

/// An error if something does not fit in a request. `ifindex`: for kRemove.
[[nodiscard]] Result<AttachRequest> to_wire(AttachWork work, const PodTapRequest& pod,
                                            int ifindex = 0);
/// None if the request is invalid.
[[nodiscard]] std::optional<PodTapRequest> from_wire(const AttachRequest& request);

}  // namespace podlane::control
