// What making a TAP (tap.cc) and having one again (kept_tap.cc) share. Internal to control/netdev.
#pragma once

#include <string>
#include <vector>

#include "control/netdev/rtnl.h"
#include "control/netdev/tap.h"
#include "control/netdev/unique_fd.h"
#include "lib/base/result.h"

namespace podlane::control {

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
/// "interface IFNAME in NETNS: what is wrong".
[[nodiscard]] Error tap_failure(const TapRequest& request, const Error& error);

/// What create_pod_tap() and create_host_tap() ask for.
[[nodiscard]] TapRequest tap_request_of(const PodTapRequest& request);
[[nodiscard]] TapRequest tap_request_of(const HostTapRequest& request);

}  // namespace podlane::control
