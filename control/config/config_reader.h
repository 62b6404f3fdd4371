// Reads a configuration's tree into a NodeConfig, section by section, each value checked where it
// is read and against those read before. Internal to control/config/.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "control/config/node_config.h"
#include "control/document/fields.h"

namespace podlane::control {

class ConfigReader {
  public:
    /// `root` and `problems` must outlive the reader; errors go to `problems`.
    ConfigReader(const Value& root, Problems& problems) : root_(root), problems_(problems) {}

    [[nodiscard]] NodeConfig read();

  private:
    /// A prefix of the file, to be compared with others.
    struct Claim {
        IpPrefix prefix;
        std::string owner;  ///< "pods.cidrs", "uplink uplink0"
    };

    void read_workers(const Value& value);
    void read_memory(Fields memory);
    void read_flows(Fields flows);
    void read_cluster(Fields cluster);
    void read_node_port_addresses(const Value& value);
    void read_pods(Fields pods);
    /// `text`: as it stands in the file.
    void add_pod_cidr(const Value& at, const IpPrefix& prefix, const std::string& text);
    /// `networks`: of the cluster's pods, where the file names none.
    void complete_cluster(const Value* pod_cidrs, const std::vector<IpPrefix>& networks);
    void read_dns(const Value* value);
    void add_dns_address(const Value& item);
    [[nodiscard]] std::vector<IpAddress> usual_dns_addresses() const;
    void read_upstream_dns(const Value* value);
    void read_uplinks(std::span<const Value> items);
    UplinkConfig read_uplink(const Value& item);
    void read_uplink_address(const Value& item, UplinkConfig& uplink);
    void read_gateway(const Value& item, UplinkConfig& uplink);
    void read_route(const Value& item, UplinkConfig& uplink);
    void read_neighbor(const Value& item, UplinkConfig& uplink);
    void read_overlay(Fields overlay);
    void read_load_balancer(Fields section);
    std::optional<AddressRange> read_pool(const Value& item);
    void read_pod_ports(std::span<const Value> items);
    PodPortConfig read_pod_port(const Value& item);
    [[nodiscard]] std::optional<IpPrefix> read_allowed(const Value& item);
    void read_pod_sockets(const Value* folder);
    void read_pod_address(const Value& item, PodPortConfig& port);
    void resolve_pod_mtu(const Value* value);
    void read_objects(std::span<const Value> items);

    /// A path of the file: a relative one begins at its folder.
    [[nodiscard]] std::string beside_document(std::string_view path) const;
    std::vector<IpPrefix> read_prefixes(const Value* list, std::string_view owner);
    std::optional<MacAddress> read_mac(Fields& fields, std::string_view key);
    std::optional<Device> read_device(const Value& value);
    std::string read_port_name(const Value& value);
    /// Reports an overlap with a prefix that another key has claimed, else claims it.
    void claim(const Value& value, const IpPrefix& prefix, const std::string& owner);
    /// An address that an interface of ours can have.
    bool check_own_address(const Value& value, const InterfaceAddress& address);

    const Value& root_;
    Problems& problems_;
    NodeConfig config_;
    std::optional<uint16_t> subnet_mtu_;  ///< of pods.subnetFile
    std::vector<Claim> claims_;
    std::vector<IpAddress> own_addresses_;
    std::vector<std::string> port_names_;
    std::vector<std::string> device_names_;
};

/// "90s", "1h", "1h30m" as seconds: 1 to a year of them.
[[nodiscard]] std::optional<uint32_t> parse_seconds(std::string_view text);
/// "192.0.2.1", "192.0.2.1:5353", "2001:db8::1" or "[2001:db8::1]:5353".
[[nodiscard]] std::optional<UpstreamDns> parse_upstream_dns(std::string_view text);
/// Inclusive: "30000-32767".
[[nodiscard]] std::optional<PortRange> parse_port_range(std::string_view text);

}  // namespace podlane::control
