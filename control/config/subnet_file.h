// flannel's subnet file (/run/flannel/subnet.env): flannel's data about its own node, for clusters
// without an API server.
//
// Read for `pods.subnetFile`, so that a node keeps the subnet that flannel gave it; and written for
// flannel and its CNI plugin, which take the node's subnet from it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lib/base/ip_address.h"
#include "lib/base/result.h"

namespace podlane::control {

struct SubnetFile {
    std::vector<IpPrefix> networks;  ///< of all nodes' pods
    std::vector<IpPrefix> subnets;   ///< this node's, one of each family at most
    std::optional<uint16_t> mtu;     ///< of the pods, bytes
};

/// Lines of KEY=VALUE; those that do not concern us are passed over. Errors name file, line, key
/// and value.
[[nodiscard]] Result<SubnetFile> parse_subnet_file(std::string_view text, const std::string& name);
[[nodiscard]] Result<SubnetFile> load_subnet_file(const std::string& path);

/// The file as flannel writes it; masquerading is never left to its CNI plugin.
[[nodiscard]] std::string subnet_file_text(const SubnetFile& file);

}  // namespace podlane::control
