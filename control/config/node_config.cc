#include "control/config/node_config.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "control/config/config_reader.h"
#include "control/document/reader.h"

namespace podlane::control {

std::vector<IpAddress> PodsConfig::gateways() const {
    std::vector<IpAddress> out;
    for (const IpPrefix& cidr : cidrs) out.push_back(address_plus(cidr.address, 1));
    return out;
}

bool PodsConfig::contains(const IpAddress& address) const noexcept {
    return std::ranges::any_of(cidrs, [&](const IpPrefix& cidr) { return cidr.contains(address); });
}

bool LoadBalancerConfig::contains(const IpAddress& address) const noexcept {
    return std::ranges::any_of(pools,
                               [&](const AddressRange& pool) { return pool.contains(address); });
}

Result<NodeConfig> load_node_config(const std::string& path) {
    std::error_code ignored;
    if (std::filesystem::is_directory(path, ignored)) {
        return Error{fmt::format("{}: cannot be read: it is a folder", path), path};
    }
    std::ifstream file(path, std::ios::binary);
    if (!file) {
        return Error{fmt::format("{}: cannot be read: {}", path, std::strerror(errno)), path};
    }
    std::ostringstream text;
    text << file.rdbuf();
    return load_node_config_from_text(text.view(), path);
}

Result<NodeConfig> load_node_config_from_text(std::string_view text, const std::string& name) {
    Problems problems(name);
    std::optional<NodeConfig> config;
    const DocumentHandler handler{[&](const Document& document) {
                                      problems.enter(document.root);
                                      if (config) {
                                          problems.add(document.root,
                                                       "a second document; one is expected");
                                          return false;
                                      }
                                      config = ConfigReader(document.root, problems).read();
                                      return true;
                                  },
                                  nullptr};
    const auto read = read_documents(text, name, handler);
    if (!problems.empty()) return problems.errors().front();
    if (!read.ok()) return read.error();
    if (!config)
        return Error{fmt::format("{}:1:1: node: missing: the file is empty", name), name, 1};
    return std::move(*config);
}

}  // namespace podlane::control
