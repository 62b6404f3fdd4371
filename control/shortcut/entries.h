// A direction of a connection in the form of the kernel's maps. Any thread.
#pragma once

#include <cstdint>

#include "control/shortcut/layout.h"
#include "lib/base/mac.h"
#include "lib/border/carried.h"

namespace podlane::control {

/// `node_end`: of the pod that sends it, or the NIC that it comes from.
[[nodiscard]] shortcut_key shortcut_key_of(const CarriedWay& way, uint8_t protocol,
                                           uint32_t node_end);
/// `back`: the other direction; `from`: the MAC address of the pod that sends it; `target`: the
/// node end of the one that gets it, or a NIC; the slots of its state and of the other direction's.
[[nodiscard]] shortcut_rewrite shortcut_rewrite_of(const CarriedWay& way, const CarriedWay& back,
                                                   const MacAddress& from, uint32_t target,
                                                   uint32_t slot, uint32_t reverse_slot);

}  // namespace podlane::control
