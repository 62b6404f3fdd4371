// `metrics` of the node's configuration: where podlaned answers Prometheus, and with how much.
//
// Read by the composition root alone, beside the rest (node_config.h), which nothing of it
// concerns.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "lib/base/ip_address.h"
#include "lib/base/result.h"

namespace podlane::control {

struct ListenPlace {
    IpAddress address;
    uint16_t port = 0;  ///< host order
};

struct MetricsConfig {
    std::optional<ListenPlace> listen = ListenPlace{*parse_ip("127.0.0.1"), 9967};  ///< none: off
    uint32_t services = 1000;  ///< Services with series of their own, at most
};

/// Of a file that load_node_config() has taken. Errors as there.
[[nodiscard]] Result<MetricsConfig> load_metrics_config(const std::string& path);
/// The same from text; `name` stands for the file in errors.
[[nodiscard]] Result<MetricsConfig> load_metrics_config_from_text(std::string_view text,
                                                                  const std::string& name);

/// "127.0.0.1:9967" or "[::1]:9967".
[[nodiscard]] std::optional<ListenPlace> parse_listen_place(std::string_view text);

/// A line for `podlaned --check`.
[[nodiscard]] std::string describe(const MetricsConfig& metrics);

}  // namespace podlane::control
