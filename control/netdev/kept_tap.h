// TAPs that outlive the process: marked, made persistent, and attached to again by name.
//
// The kernel keeps such a TAP, with its addresses and routes, until somebody removes it. To open
// its queues again the namespace must be entered, and they then do keep it alive: who attaches to
// one watches what stands at the namespace's path (netns_id()). Control thread, or several threads
// for several interfaces; root is needed.
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
};

/// Makes a pod's interface. One of the same owner that nobody has open is removed where it is in
/// the way. `owner`: a name that all processes of this node have in common.
[[nodiscard]] Result<KeptTap> keep_pod_tap(const PodTapRequest& request, const std::string& owner);

/// Opens the queues of the interface that the owner made for the same request, whose process has
/// ended. Its MAC address and MTU become those asked for; addresses and routes stay as they are.
/// Made again if it is gone. An error if it is not ours, or somebody has it open. `queues`, if not
/// empty, are those of the process that has it open still, which are used instead.
[[nodiscard]] Result<KeptTap> attach_pod_tap(const PodTapRequest& request, const std::string& owner,
                                             std::vector<UniqueFd> queues = {});

/// The host's interface: the one that the owner has left, with what the request asks for and
/// without what it does not; else a new one. `queues` as for attach_pod_tap().
[[nodiscard]] Result<KeptTap> keep_host_tap(const HostTapRequest& request, const std::string& owner,
                                            std::vector<UniqueFd> queues = {});

/// Removes an interface of our own namespace that the owner has left, if nobody has it open.
void remove_left_tap(const std::string& ifname, const std::string& owner) noexcept;

}  // namespace podlane::control
