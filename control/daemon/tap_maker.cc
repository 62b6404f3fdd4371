#include "control/daemon/tap_maker.h"

#include <memory>
#include <utility>

namespace podlane::control {

namespace {

MadeTap taken_over(TapDevice device) {
    const auto shared = std::make_shared<TapDevice>(std::move(device));
    return {shared->release_queue_fds(), [shared] { shared->remove(); }};
}

}  // namespace

Result<MadeTap> KernelTapMaker::make_pod_tap(const PodTapRequest& request) {
    auto device = create_pod_tap(request);
    if (!device.ok()) return device.error();
    return taken_over(std::move(device).value());
}

Result<MadeTap> KernelTapMaker::make_host_tap(const HostTapRequest& request) {
    auto device = create_host_tap(request);
    if (!device.ok()) return device.error();
    return taken_over(std::move(device).value());
}

}  // namespace podlane::control
