// What a port's device reports while it runs: its link, and the frames that it lost.
//
// Control asks the dataplane for it, on the control thread. Frames that workers lose are counted in
// lib/telemetry/counters.h.
#pragma once

#include <cstdint>
#include <string_view>

#include "lib/base/drop.h"
#include "lib/model/ids.h"

namespace podlane {

enum class LinkState : uint8_t {
    kUp,
    kDown,  ///< switched off, or without a carrier
    kGone,  ///< the device was unplugged or deleted; it does not come back by itself
};

[[nodiscard]] constexpr const char* to_string(LinkState state) noexcept {
    switch (state) {
        case LinkState::kUp:
            return "up";
        case LinkState::kDown:
            return "down";
        case LinkState::kGone:
            return "gone";
    }
    return "";
}

struct Link {
    LinkState state = LinkState::kUp;
    uint32_t mbit_per_second = 0;  ///< 0: unknown or without meaning
};

/// Frames that a device lost on receive before a worker saw them, or on send after a worker gave
/// them to it. The counts only grow.
struct DeviceLosses {
    uint64_t rx_missed = 0;     ///< no descriptor was free: workers were too slow
    uint64_t rx_errors = 0;     ///< bad on the wire
    uint64_t rx_no_buffer = 0;  ///< the packet pool was empty
    uint64_t tx_errors = 0;     ///< could not be sent

    friend bool operator==(const DeviceLosses&, const DeviceLosses&) = default;
    DeviceLosses& operator+=(const DeviceLosses& other) noexcept {
        rx_missed += other.rx_missed;
        rx_errors += other.rx_errors;
        rx_no_buffer += other.rx_no_buffer;
        tx_errors += other.tx_errors;
        return *this;
    }
    /// The losses since `before`; 0 for a counter that was reset.
    [[nodiscard]] DeviceLosses since(const DeviceLosses& before) const noexcept {
        const auto grown = [](uint64_t now, uint64_t then) { return now > then ? now - then : 0; };
        return {grown(rx_missed, before.rx_missed), grown(rx_errors, before.rx_errors),
                grown(rx_no_buffer, before.rx_no_buffer), grown(tx_errors, before.tx_errors)};
    }
    /// Calls `visit(Drop, uint64_t)` for each kind.
    template <class Visit>
    void for_each(Visit visit) const {
        visit(Drop::kDeviceMissed, rx_missed);
        visit(Drop::kDeviceRxError, rx_errors);
        visit(Drop::kDeviceNoBuffer, rx_no_buffer);
        visit(Drop::kDeviceTxError, tx_errors);
    }
};

/// A port's present state.
struct PortState {
    PortId id = kNoPort;
    Link link;
    DeviceLosses losses;  ///< since the port was opened
    /// The queueing discipline ("tbf") that shapes the kernel interface below the port and that the
    /// port's frames go past; empty if there is none.
    std::string_view bypassed_shaper{};
};

}  // namespace podlane
