// The shortcut's maps as podlaned uses them: connections by system call, epochs and counts in
// mapped memory.
//
// control/node/shortcut.h decides what is in them; tests replace this. Control thread.
#pragma once

#include <cstdint>
#include <memory>

#include "control/shortcut/layout.h"
#include "control/shortcut/program.h"
#include "lib/base/result.h"

namespace podlane::control {

class KernelFlows {
  public:
    virtual ~KernelFlows() = default;
    /// False: the kernel has no room.
    [[nodiscard]] virtual bool put(const shortcut_key& key, const shortcut_rewrite& rewrite) = 0;
    /// If it has this slot: a later connection may be at its place.
    virtual void erase(const shortcut_key& key, uint32_t slot) = 0;
    /// Erases all, whoever has put it.
    virtual void clear() = 0;
    /// Memory that the kernel's program reads and writes meanwhile: by std::atomic_ref.
    [[nodiscard]] virtual shortcut_state& state(uint32_t slot) = 0;
    [[nodiscard]] virtual shortcut_epochs& epochs() = 0;
    [[nodiscard]] virtual uint32_t slots() const = 0;
};

/// The kernel's. An error where the maps cannot be mapped.
[[nodiscard]] Result<std::unique_ptr<KernelFlows>> open_kernel_flows(ShortcutMaps maps);

}  // namespace podlane::control
