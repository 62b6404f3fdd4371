// A plan written down for nginx (1.19.4 or later): one whole configuration file.
//
// The only texts from objects in it are DNS names, addresses, and paths that the plan has found to
// be plain. Pure; any thread.
#pragma once

#include <cstdint>
#include <string>

#include "control/ingress/plan.h"

namespace podlane::control {

struct NginxOptions {
    std::string folder;  ///< absolute, of letters, digits and /-._ alone: holds tls/ and http.d/
    std::string class_name;
    std::string access_log = "off";  ///< "off", or a file as plain as `folder`
    uint16_t http_port = 80;
    uint16_t https_port = 443;
    bool ipv6 = true;  ///< listen to IPv6, too
};

/// True if a path may stand in a configuration as it is.
[[nodiscard]] bool is_plain_file_name(const std::string& path);

[[nodiscard]] std::string nginx_config(const IngressPlan& plan, const NginxOptions& options);

}  // namespace podlane::control
