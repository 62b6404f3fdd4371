// Plugs devices into the EAL and out again, and completes arguments for which a driver's defaults
// do not suit a router. For open_ethdev(); control thread.
#pragma once

#include <cstdint>
#include <string>

#include "lib/base/device.h"
#include "lib/base/result.h"

namespace podlane {

/// Ethernet header with a VLAN tag: the part of a frame that the MTU does not count.
inline constexpr uint32_t kLinkBytes = 18;
/// How much memory.mbufBytes must exceed the MTU for a frame to fit into one buffer: the link
/// header and the room before it.
inline constexpr uint32_t kWholeFrameExtra = kLinkBytes + 128;

/// Size of the packet buffers, headroom included, with which the device receives frames of `mtu` in
/// one piece. net_af_packet compares a buffer with a whole slot of its ring.
[[nodiscard]] uint32_t whole_frame_buffer(const Device& device, uint32_t mtu) noexcept;

/// Bytes of the largest frame that net_af_packet's ring holds for a frame slot of `frame_slot`.
[[nodiscard]] uint32_t af_packet_frame_room(uint32_t frame_slot) noexcept;

/// The arguments, completed where the operator left them open: net_af_packet gets as many queue
/// pairs as there are workers, a ring of 2048 frames, and slots that hold a frame of `mtu`.
/// Arguments of other drivers are unchanged.
[[nodiscard]] std::string complete_arguments(const Device& device, unsigned workers, uint16_t mtu);

/// Makes the device's ethdev and returns its id. A PCI device may exist already.
[[nodiscard]] Result<uint16_t> plug_in(const Device& device, const std::string& arguments);

/// Removes the device; its port must have been closed.
void unplug(const Device& device) noexcept;

}  // namespace podlane
