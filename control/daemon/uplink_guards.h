// The guards of all interfaces that uplinks share with the kernel: the kernel must not answer
// beside us there.
//
// Used by the composition root. Control thread.
#pragma once

#include <list>
#include <string>
#include <vector>

#include "control/config/node_config.h"
#include "control/daemon/hand_over.h"
#include "control/daemon/take_over.h"
#include "control/netdev/kernel_guard.h"
#include "lib/base/result.h"

namespace podlane::control {

using Guards = std::list<KernelInterfaceGuard>;

/// Where a guard keeps what it has to put back: beside the socket, which is this podlaned's alone.
[[nodiscard]] std::string guard_memory_of(const std::string& socket, const std::string& ifname);

/// Guards each shared interface. `former`, if not null: the podlaned that guards them now and hands
/// its programs over. Errors name the uplink's place in the configuration.
[[nodiscard]] Result<Guards> guard_interfaces(const NodeConfig& config, TakeOver* former);

/// For an uplink whose interface is another one than at the start.
[[nodiscard]] Result<void> guard_again(const UplinkConfig& uplink, const std::string& socket,
                                       Guards& guards);

/// Each second: sees to it that the interfaces are still guarded, and logs what has changed.
void look_at_guards(Guards& guards);

/// What a podlaned that takes over gets.
[[nodiscard]] std::vector<HandedProgram> programs_of(const Guards& guards);

/// A start that fails leaves those interfaces alone that an earlier process had prepared.
class LeftAsTheyWere {
  public:
    explicit LeftAsTheyWere(Guards& guards) : guards_(guards) {}
    LeftAsTheyWere(const LeftAsTheyWere&) = delete;
    LeftAsTheyWere& operator=(const LeftAsTheyWere&) = delete;
    ~LeftAsTheyWere() {
        for (KernelInterfaceGuard& guard : guards_) {
            if (keep_ && guard.was_left()) guard.leave();
        }
    }
    /// They are given back all the same.
    void release() noexcept { keep_ = false; }

  private:
    Guards& guards_;
    bool keep_ = true;
};

}  // namespace podlane::control
