// TAPs that survive the process: marked, made persistent, and attached to again by name.
//
// The kernel keeps such a TAP, with its addresses and routes, until it is removed. Opening its
// queues again requires entering the namespace, and the queues then keep the namespace alive: so
// code that attaches must watch the namespace's path (netns_id()). Control thread, or several
// threads for several interfaces; root is needed.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "control/netdev/tap.h"
#include "control/netdev/unique_fd.h"
#include "lib/base/result.h"

namespace podlane::control {

struct KeptTap {
    std::vector<int> queue_fds;    ///< the receiver's
    std::function<void()> remove;  ///< deletes the interface; harmless when it is gone
    bool was_there = false;        ///< a process before this one made it
    int ifindex = 0;               ///< in its namespace; of a pair that of its node end
    int node_end = 0;              ///< of a pair (pod_pair.h): the veth's end here; 0: a plain TAP
};

/// Creates a pod's interface. Removes one of the same owner that is in the way, if it is not open
/// anywhere. `owner`: a name that all processes of this node have in common.
[[nodiscard]] Result<KeptTap> keep_pod_tap(const PodTapRequest& request, const std::string& owner);

/// Opens the queues of the interface that an ended process of the owner created for the same
/// request. Sets its MAC address and MTU to the requested ones; addresses and routes stay
/// unchanged. Creates it again if it is gone. An error if it is not ours, or is open in another
/// process. `in_use`: that process still runs and hands its queues over by itself; none are opened
/// here, and KeptTap::queue_fds is empty.
[[nodiscard]] Result<KeptTap> attach_pod_tap(const PodTapRequest& request, const std::string& owner,
                                             bool in_use = false);

/// Deletes exactly the interface that was made or attached to for the request; does nothing if it
/// is gone, or another one has its name.
void remove_pod_tap(const PodTapRequest& request, int ifindex) noexcept;

/// The host's interface: the one that the owner has left, changed to match the request exactly;
/// else a new one. `queues`, if not empty, are those of the process that still has it open; they
/// are used, and no others are opened.
[[nodiscard]] Result<KeptTap> keep_host_tap(const HostTapRequest& request, const std::string& owner,
                                            std::vector<UniqueFd> queues = {});

/// Removes an interface in our own namespace that the owner has left, if it is not open anywhere.
void remove_left_tap(const std::string& ifname, const std::string& owner) noexcept;

}  // namespace podlane::control
