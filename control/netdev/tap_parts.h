// What making a TAP (tap.cc) and having one again (kept_tap.cc) share. Internal to control/netdev.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "control/netdev/rtnl.h"
#include "control/netdev/tap.h"
#include "control/netdev/unique_fd.h"
#include "lib/base/result.h"

namespace podlane::control {

/// Frames that the kernel queues before it drops: enough for a fast sender's burst.
inline constexpr uint32_t kTxQueueLength = 2048;
/// How often to look whether a killed process's queues are closed, and the time between.
inline constexpr int kTries = 50;
inline constexpr std::chrono::milliseconds kBetweenTries{10};

/// Checks name, queues, MAC address and MTU; the error says what is not allowed.
[[nodiscard]] Result<void> check_tap(const TapRequest& request);
/// Opens the request's queues of the TAP of that name in the present namespace, which is made if
/// `is_new`.
[[nodiscard]] Result<std::vector<UniqueFd>> open_tap_queues(const std::string& ifname,
                                                            const TapRequest& request, bool is_new);
/// IPv6 on the interface: usable at once, configured only by us; or off, so that a pod without it
/// sends no multicast of its own accord.
[[nodiscard]] Result<void> configure_tap_ipv6(const TapRequest& request);
/// `there`: routes that the interface already has; the right ones among them stay.
[[nodiscard]] Result<void> add_tap_routes(Rtnl& rtnl, int ifindex, const TapRequest& request,
                                          const std::vector<KernelRoute>& there = {});
/// Everything that is done to a new interface in its namespace, which is the present one: from its
/// MAC address to its routes. Its index is put into `ifindex`.
[[nodiscard]] Result<void> configure_tap(Rtnl& rtnl, const TapRequest& request, int& ifindex);
/// The alias of all interfaces that belong to `owner`.
[[nodiscard]] std::string mark_of(const std::string& owner);
/// Removes a TAP in the present namespace that the owner has left and that is open nowhere.
[[nodiscard]] Result<void> remove_left(const std::string& ifname, const std::string& owner);
/// "interface IFNAME in NETNS: what is wrong".
[[nodiscard]] Error tap_failure(const TapRequest& request, const Error& error);

/// What create_pod_tap() and create_host_tap() ask for.
[[nodiscard]] TapRequest tap_request_of(const PodTapRequest& request);
[[nodiscard]] TapRequest tap_request_of(const HostTapRequest& request);

}  // namespace podlane::control
