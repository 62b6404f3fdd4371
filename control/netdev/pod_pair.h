// A pod's interface as a pair: a veth whose one end is the pod's, and a TAP beside its other end.
//
// The workers read and write the TAP as that of any pod. Programs on both devices pass frames
// between them, and may carry some from pod to pod by themselves (docs/decisions/shortcut.md). Both
// devices are in the namespace of this process: they are called plvN and pltN, with N the index of
// the veth's end. They have no addresses, and the node's own kernel sees nothing of them. The
// process that attaches pods calls this, several threads for several pods.
#pragma once

#include <functional>
#include <string>

#include "control/netdev/kept_tap.h"
#include "control/netdev/tap.h"
#include "lib/base/mac.h"
#include "lib/base/result.h"

namespace podlane::control {

/// Puts the programs on both devices, which are down; called again for devices of before. May be
/// empty: they have them.
using ConnectPair = std::function<Result<void>(int veth, int tap, const MacAddress& pod)>;

inline constexpr const char* kVethPrefix = "plv";

/// Makes a pair. Removes what the same owner has left in its place, if it is open nowhere. `keep`:
/// it outlives this process; otherwise its TAP ends with its queues.
[[nodiscard]] Result<KeptTap> make_pod_pair(const PodTapRequest& request, const std::string& owner,
                                            bool keep, const ConnectPair& connect);

/// Whether the pod's interface is the end of a veth of the owner's.
[[nodiscard]] bool is_pod_pair(const PodTapRequest& request, const std::string& owner);

/// attach_pod_tap() for a pair.
[[nodiscard]] Result<KeptTap> attach_pod_pair(const PodTapRequest& request,
                                              const std::string& owner, bool in_use,
                                              const ConnectPair& connect);

/// Deletes the pair with that node end; does nothing if it is gone.
void remove_pod_pair(int node_end, const std::string& owner) noexcept;

/// Deletes the owner's pairs whose TAPs nobody has open, and halves of pairs: those that were being
/// made when podlaned was killed. Once the process has all the pairs that it takes over.
void remove_left_pairs(const std::string& owner) noexcept;

}  // namespace podlane::control
