// What `podlaned --check` prints.
#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "control/config/node_config.h"

namespace podlane::control {

namespace {

constexpr uint64_t kCountBytesPerConnection = 32;  // per worker, see lib/flow/traffic.h
constexpr uint64_t kBytesPerConnection = 244;      // in the flow table, see lib/flow/table.h

class Text {
  public:
    template <class... Args>
    void line(std::string_view name, fmt::format_string<Args...> format, Args&&... args) {
        fmt::format_to(std::back_inserter(text_), "{:<10} ", name);
        fmt::format_to(std::back_inserter(text_), format, std::forward<Args>(args)...);
        text_ += '\n';
    }
    [[nodiscard]] std::string take() { return std::move(text_); }

  private:
    std::string text_;
};

std::string megabytes(uint64_t bytes) {
    return fmt::format("{} MB", (bytes + 999'999) / 1'000'000);
}

template <class T>
std::string joined(const std::vector<T>& values) {
    std::string out;
    for (const T& value : values) out += (out.empty() ? "" : ", ") + to_string(value);
    return out;
}

std::string device_text(const Device& device) {
    return (device.kind == DeviceKind::kPci ? "PCI " : "") + device.text();
}

void describe_workers(const NodeConfig& config, Text& text) {
    std::string cpus;
    for (const unsigned cpu : config.workers.cpus) {
        cpus += (cpus.empty() ? " on CPU " : ", ") + std::to_string(cpu);
    }
    const bool is_poll = config.idle == IdleMode::kPoll;
    text.line("workers", "{}{}, {}", config.workers.count, cpus,
              is_poll ? "always polling" : "sleeping when idle");
}

void describe_memory(const NodeConfig& config, std::string_view packets, Text& text) {
    text.line("buffers", "{} of {} bytes", config.memory.mbufs, config.memory.mbuf_bytes);
    if (!packets.empty()) text.line("memory", "{}", packets);
    text.line("flows", "{} connections of each family, {} when all are used", config.flows.capacity,
              megabytes(config.flows.capacity * kBytesPerConnection * 2));
    std::string given;
    for (const FlowTimeoutKey& key : flow_timeout_keys()) {
        const uint32_t seconds = config.flows.timeouts.*key.member;
        if (seconds == FlowTimeouts{}.*key.member) continue;
        given += fmt::format("{}{} {} s", given.empty() ? "" : ", ", key.name, seconds);
    }
    text.line("", "timeouts as with kube-proxy{}{}", given.empty() ? "" : ", but ", given);
    if (config.flows.counters) {
        text.line(
            "", "packets and bytes of each are counted, {} more",
            megabytes(config.flows.capacity * kCountBytesPerConnection * 2 * config.workers.count));
    }
}

void describe_uplink(const UplinkConfig& uplink, Text& text) {
    text.line("uplink", "{}: {}, MTU {}, MAC {}", uplink.name, device_text(uplink.device),
              uplink.mtu, uplink.mac ? to_string(*uplink.mac) : "of the port");
    if (!uplink.addresses.empty()) text.line("", "addresses {}", joined(uplink.addresses));
    if (!uplink.gateways.empty()) text.line("", "default route over {}", joined(uplink.gateways));
    for (const UplinkRoute& route : uplink.routes) {
        text.line("", "route {} over {}", to_string(route.destination), to_string(route.via));
    }
    for (const NeighborConfig& neighbor : uplink.neighbors) {
        text.line("", "neighbour {} at {}", to_string(neighbor.address), to_string(neighbor.mac));
    }
}

void describe_pods(const NodeConfig& config, Text& text) {
    const PodsConfig& pods = config.pods;
    const auto gateways = pods.gateways();
    for (size_t i = 0; i < pods.cidrs.size(); ++i) {
        text.line("pods", "{}, gateway {}", to_string(pods.cidrs[i]), to_string(gateways[i]));
    }
    text.line("", "MTU {}{}, gateway MAC {}", pods.mtu, pods.mtu_is_auto ? " (auto)" : "",
              pods.gateway_mac ? to_string(*pods.gateway_mac) : "of the bridge");
    for (const UplinkConfig& uplink : config.uplinks) {
        const int room = uplink.mtu - config.overlay.overhead_bytes;
        if (pods.mtu <= room) continue;
        text.line("", "note: pods' packets larger than {} do not fit {}", room, uplink.name);
    }
    for (const PodPortConfig& port : pods.ports) {
        text.line("pod port", "{}: {}, MAC {}, addresses {}", port.key(), device_text(port.device),
                  to_string(port.mac), joined(port.addresses));
    }
}

void describe_overlay(const NodeConfig& config, Text& text) {
    const OverlayConfig& overlay = config.overlay;
    if (!overlay.format) {
        text.line("overlay", "none: routes to other nodes over the same L2");
        return;
    }
    const auto has_address = [](const UplinkConfig& uplink) { return !uplink.addresses.empty(); };
    if (std::ranges::none_of(config.uplinks, has_address)) {
        text.line("overlay", "none: no uplink has an address for it");
        return;
    }
    text.line("overlay", "{}, VNI {}, UDP port {}, over IPv{}, {} bytes a packet, MAC {}",
              overlay_info(*overlay.format).name, overlay.vni, overlay.port,
              overlay.over_v6 ? 6 : 4, overlay.overhead_bytes,
              overlay.mac ? to_string(*overlay.mac) : "derived from the node's address");
}

std::string upstream_text(const ClusterConfig& cluster) {
    if (!cluster.upstream_dns) return "asks the servers of /etc/resolv.conf for other names";
    if (cluster.upstream_dns->empty()) return "refuses other names";
    std::string servers;
    for (const UpstreamDns& server : *cluster.upstream_dns) {
        servers += (servers.empty() ? "" : ", ") + to_string(server);
    }
    return "asks " + servers + " for other names";
}

void describe_cluster(const ClusterConfig& cluster, Text& text) {
    text.line("cluster", "pods {}", joined(cluster.pod_cidrs));
    text.line("", "services {}, node ports {}-{}, domain {}", joined(cluster.service_cidrs),
              cluster.node_ports.first, cluster.node_ports.last, cluster.domain);
    if (cluster.node_ports_on_primary) {
        text.line("", "node ports on the first address of each family alone");
    } else if (!cluster.node_port_addresses.empty()) {
        text.line("", "node ports on addresses in {}", joined(cluster.node_port_addresses));
    }
    if (cluster.dns.empty()) {
        text.line("dns", "off: the cluster's DNS Service is just a Service");
        return;
    }
    text.line("dns", "answers at {}, {}", joined(cluster.dns), upstream_text(cluster));
}

void describe_load_balancer(const LoadBalancerConfig& load_balancer, Text& text) {
    if (load_balancer.pools.empty()) return;
    text.line("addresses", "for LoadBalancer Services: {}", joined(load_balancer.pools));
    text.line("", "kept in {}", load_balancer.state);
}

}  // namespace

std::string describe(const NodeConfig& config, std::string_view memory) {
    Text text;
    text.line("node", "{}", config.node);
    text.line("socket", "{}", config.socket);
    if (!config.read_only_socket.empty()) text.line("", "{}: to read", config.read_only_socket);
    describe_workers(config, text);
    describe_memory(config, memory, text);
    for (const UplinkConfig& uplink : config.uplinks) describe_uplink(uplink, text);
    if (config.uplinks.empty()) text.line("uplink", "none: this node talks to no other");
    text.line("host", "{}", config.host ? config.host->interface : "none: no way to the kernel");
    describe_pods(config, text);
    describe_overlay(config, text);
    describe_cluster(config.cluster, text);
    describe_load_balancer(config.load_balancer, text);
    for (const std::string& path : config.objects) text.line("objects", "{}", path);
    return text.take();
}

}  // namespace podlane::control
