// The BPF program of the shortcut: loads it, keeps its maps, puts it on devices of pods and node.
//
// The process that attaches pods has it, since it alone has the rights; podlaned gets the maps'
// descriptors (kernel_flows.h). Maps live as long as a device has the program, so a later process
// finds them there.
#pragma once

#include <array>
#include <memory>
#include <string>

#include "control/netdev/unique_fd.h"
#include "lib/base/mac.h"
#include "lib/base/result.h"

namespace podlane::control {

/// The maps that podlaned works with; each its own descriptor.
struct ShortcutMaps {
    UniqueFd flows, states, epochs;
};

/// Threads: any, several at once.
class ShortcutProgram {
  public:
    /// Loads it. Uses the maps that the owner's devices have, if they have the same form. An error
    /// where the kernel refuses it.
    [[nodiscard]] static Result<std::unique_ptr<ShortcutProgram>> load(const std::string& owner);
    ~ShortcutProgram();
    ShortcutProgram(const ShortcutProgram&) = delete;
    ShortcutProgram& operator=(const ShortcutProgram&) = delete;

    /// Puts it on both devices of a pair (control/netdev/pod_pair.h), in place of what is there.
    [[nodiscard]] Result<void> connect(int veth, int tap, const MacAddress& pod) const;
    /// Puts it on an uplink's NIC, whose ingress is ours alone, and on the TAP beside it.
    [[nodiscard]] Result<void> connect_nic(int nic, int tap, const MacAddress& mac) const;
    /// Puts it on the host interface, in place of what is there.
    [[nodiscard]] Result<void> connect_host(int host) const;
    [[nodiscard]] Result<ShortcutMaps> maps() const;
    /// Of the programs, for tests: from_pod, to_pod, from_nic, to_nic, from_host.
    [[nodiscard]] std::array<int, 5> programs() const noexcept;

  private:
    /// Puts a program at the device's ingress, and notes which device belongs to it.
    [[nodiscard]] Result<void> put(int device, int other, const MacAddress& mac, int program) const;
    struct Object;
    explicit ShortcutProgram(std::unique_ptr<Object> object) noexcept;
    std::unique_ptr<Object> object_;
};

/// Makes the kernel carry nothing any more: whatever a former process has left in its maps goes to
/// podlaned. Does nothing where there are none.
[[nodiscard]] Result<void> pause_left_shortcut(const std::string& owner);

/// Whether it is on this host interface.
[[nodiscard]] bool has_shortcut(int host);

}  // namespace podlane::control
