// A descriptor that becomes readable when a frame arrives on a kernel interface.
//
// net_af_packet and net_pcap have nothing to sleep on. This is a packet socket of our own on the
// same interface. Its tiny queue is full after a frame or two, so the kernel makes no copies for it
// while the worker is awake. It is opened before the device and gets each frame after the device's
// own sockets (the kernel hands frames to the newest socket first), so a wake-up never comes too
// early. The port opens it; the worker of the queue clears it.
#pragma once

#include <string>

#include "lib/base/result.h"

namespace podlane {

/// The descriptor, non-blocking; the caller closes it.
[[nodiscard]] Result<int> open_doorbell(const std::string& ifname);

/// Reads all events so far; readable again when the next frame arrives.
void clear_doorbell(int fd) noexcept;

}  // namespace podlane
