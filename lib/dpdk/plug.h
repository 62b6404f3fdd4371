// Plugging devices into the EAL and out again, with arguments completed where a driver's defaults
// do not serve a router. For open_ethdev(); control thread.
#pragma once

#include <cstdint>
#include <string>

#include "lib/base/device.h"
#include "lib/base/result.h"

namespace podlane {

/// Ethernet header with a VLAN tag: what a frame has beyond the MTU.
inline constexpr uint32_t kLinkBytes = 18;
/// Bytes of memory.mbufBytes beyond the MTU for a frame in one buffer: these and the room before
/// it.
inline constexpr uint32_t kWholeFrameExtra = kLinkBytes + 128;

/// Size of the packet buffers, room before the frame included, with which the device takes frames
/// of `mtu` in one piece. net_af_packet compares a buffer with a whole slot of its ring.
[[nodiscard]] uint32_t whole_frame_buffer(const Device& device, uint32_t mtu) noexcept;

/// Bytes of the largest frame that net_af_packet's ring holds for a frame slot of `frame_slot`.
[[nodiscard]] uint32_t af_packet_frame_room(uint32_t frame_slot) noexcept;

/// The arguments with what the operator left open: net_af_packet gets as many queue pairs as
/// there are workers, a ring of 2048 frames, and slots that hold a frame of `mtu`. Other drivers'
/// stay as they are.
[[nodiscard]] std::string complete_arguments(const Device& device, unsigned workers, uint16_t mtu);

/// Makes the ethdev of the device and returns its id. A PCI device may be there already.
[[nodiscard]] Result<uint16_t> plug_in(const Device& device, const std::string& arguments);

/// Takes the device out; its port must have been closed.
void unplug(const Device& device) noexcept;

}  // namespace podlane
