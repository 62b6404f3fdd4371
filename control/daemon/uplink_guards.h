// The guards of all interfaces that uplinks share with the kernel: they keep the kernel from
// answering there.
//
// Used by the composition root. Control thread.
#pragma once

#include <list>
#include <map>
#include <string>
#include <vector>

#include "control/attach/pod_attacher.h"
#include "control/config/node_config.h"
#include "control/daemon/hand_over.h"
#include "control/daemon/privileges.h"
#include "control/daemon/take_over.h"
#include "control/netdev/kernel_guard.h"
#include "lib/base/result.h"
#include "lib/border/dataplane.h"

namespace podlane::control {

using Guards = std::list<KernelInterfaceGuard>;

/// Where a guard records what to restore: next to the socket, which no other podlaned uses.
[[nodiscard]] std::string guard_memory_of(const std::string& socket, const std::string& ifname);

/// Guards each shared interface. `former`, if not null: the podlaned that guards them now and hands
/// over its programs. Errors name the uplink's place in the configuration.
[[nodiscard]] Result<Guards> guard_interfaces(const NodeConfig& config, TakeOver* former);

/// For an uplink whose interface is no longer the one from the start.
[[nodiscard]] Result<void> guard_again(const UplinkConfig& uplink, const std::string& socket,
                                       Guards& guards);

/// What the guards have taken over, for the host interface.
[[nodiscard]] std::vector<TakenLink> taken_links(const Guards& guards);

/// The configuration with the gateways, routes and permanent neighbours that the kernel had on the
/// uplinks' interfaces, as far as it does not say otherwise. Workers then send packets to the same
/// next hops as the kernel did.
[[nodiscard]] NodeConfig with_taken_routes(NodeConfig config, const std::vector<TakenLink>& taken);

/// What workers do otherwise than the kernel did, a line for each route.
[[nodiscard]] std::vector<std::string> limits_of_taken_routes(const NodeConfig& config,
                                                              const std::vector<TakenLink>& taken);

/// Says what a podlaned would move from uplinks' interfaces to the host interface, and changes
/// nothing. Errors name the uplink's place in the configuration.
[[nodiscard]] Result<std::string> preview(const NodeConfig& config);

/// What `--give-back` does: puts back what a podlaned that was killed or stopped has left on the
/// uplinks' interfaces, whatever the configuration has become, and removes its host interface.
[[nodiscard]] GivenBack give_back(const std::string& socket);

/// The ports of uplinks on the kernel's NICs, by the uplink's name: TAPs beside those, with
/// programs that pass frames on. The interfaces must be guarded. Errors name the uplink's place in
/// the configuration.
[[nodiscard]] Result<std::map<std::string, TapPortSpec>> open_uplink_taps(const NodeConfig& config,
                                                                          PodAttacher& pods,
                                                                          size_t workers);

/// Call each second: makes sure that the interfaces are still guarded, and logs changes.
void look_at_guards(Guards& guards);

/// What the uplinks' devices require of this process while it runs.
[[nodiscard]] DeviceNeeds device_needs(const NodeConfig& config);

/// The programs to hand to a podlaned that takes over.
[[nodiscard]] std::vector<HandedProgram> programs_of(const Guards& guards);

/// If the start fails, interfaces that an earlier process had prepared are left as they were;
/// others are restored, and what cannot be is logged.
void restore_and_log(KernelInterfaceGuard& guard) noexcept;
class LeftAsTheyWere {
  public:
    explicit LeftAsTheyWere(Guards& guards) : guards_(guards) {}
    LeftAsTheyWere(const LeftAsTheyWere&) = delete;
    LeftAsTheyWere& operator=(const LeftAsTheyWere&) = delete;
    ~LeftAsTheyWere() {
        for (KernelInterfaceGuard& guard : guards_) {
            if (keep_ && guard.was_left()) guard.leave();
            restore_and_log(guard);
        }
    }
    /// Those interfaces are restored at the end after all.
    void release() noexcept { keep_ = false; }

  private:
    Guards& guards_;
    bool keep_ = true;
};

}  // namespace podlane::control
