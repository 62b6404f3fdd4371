// The configuration's section `metrics`: where podlaned answers Prometheus, how many series it has,
// and whether it serves its page there.
//
// The composition root alone reads it; load_node_config() has checked it with the rest. Control
// thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "control/document/fields.h"
#include "lib/base/ip_address.h"
#include "lib/base/result.h"

namespace podlane::control {

struct ListenPlace {
    IpAddress address;
    uint16_t port = 0;  ///< host order
};

/// Whether there is a page at that place as well.
enum class PageSwitch : uint8_t {
    kAuto,  ///< only if it listens at a loopback address
    kOn,
    kOff,
};

struct MetricsConfig {
    std::optional<ListenPlace> listen = ListenPlace{*parse_ip("127.0.0.1"), 9967};  ///< none: off
    uint32_t services = 1000;  ///< Services with series of their own, at most
    PageSwitch page = PageSwitch::kAuto;

    [[nodiscard]] bool shows_page() const noexcept;
};

/// Of the section, null where there is none.
[[nodiscard]] MetricsConfig read_metrics(const Value* section, Problems& problems);

/// From a configuration that load_node_config() has accepted.
[[nodiscard]] Result<MetricsConfig> load_metrics_config(const std::string& path);

/// "127.0.0.1:9967" or "[::1]:9967".
[[nodiscard]] std::optional<ListenPlace> parse_listen_place(std::string_view text);

/// A line for `podlaned --check`.
[[nodiscard]] std::string describe(const MetricsConfig& metrics);

}  // namespace podlane::control
