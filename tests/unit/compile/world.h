// A node, its objects and its compiler for tests, in words.
#pragma once

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

#include "control/compile/compiler.h"
#include "control/compile/frontend_list.h"
#include "control/kube/parse.h"

namespace podlane::control::test {

inline IpAddress ip(std::string_view text) {
    return parse_ip(text).value();
}
inline IpPrefix prefix(std::string_view text) {
    return parse_prefix(text).value();
}
inline MacAddress mac(std::string_view text) {
    return parse_mac(text).value();
}

inline constexpr PortId kUplink{0};
inline constexpr PortId kHost{1};
inline constexpr PortId kPodPort{2};
inline const MacAddress kUplinkMac = mac("02:00:00:00:00:01");
inline const MacAddress kPodMac = mac("02:00:0a:f4:01:0a");
inline const MacAddress kNodeBMac = mac("02:00:00:00:00:02");

/// node-a: 192.168.50.1/24 and fd00:50::1/64, gateways .254 and ::fe, pods 10.244.1.0/24 and
/// fd00:10:1::/64.
inline NodeConfig node_a() {
    NodeConfig config;
    config.node = "node-a";
    UplinkConfig uplink;
    uplink.name = "uplink0";
    uplink.addresses = {*parse_interface_address("192.168.50.1/24"),
                        *parse_interface_address("fd00:50::1/64")};
    uplink.gateways = {ip("192.168.50.254"), ip("fd00:50::fe")};
    config.uplinks = {uplink};
    config.host = HostConfig{};
    config.pods.cidrs = {prefix("10.244.1.0/24"), prefix("fd00:10:1::/64")};
    config.pods.mtu = 1450;
    config.cluster.pod_cidrs = {prefix("10.244.0.0/16"), prefix("fd00:10::/32")};
    config.cluster.service_cidrs = {prefix("10.96.0.0/12"), prefix("fd00:96::/108")};
    return config;
}

/// What is plugged in: uplink0, the host interface, and one pod.
inline TopologyInput plugged_in() {
    TopologyInput input;
    input.ports = {{kUplink, "uplink0", PortKind::kUplink, "eth1", kUplinkMac, 1500, {}},
                   {kHost, "podlane0", PortKind::kHost, "podlane0", kUplinkMac, 1500, {}},
                   {kPodPort, "default/web", PortKind::kPod, "tap2", kPodMac, 1450, {}}};
    input.pods = {
        {"default/web", kPodPort, kPodMac, {ip("10.244.1.10"), ip("fd00:10:1::10")}, 1450}};
    return input;
}

/// Objects and the compiler that follows them.
class World {
  public:
    explicit World(NodeConfig node = node_a()) : config(std::move(node)), compiler(config) {}

    /// Applies YAML; the error's text, or "".
    std::string apply(std::string_view yaml) { return change(store.plan_apply(parse(yaml))); }
    /// As a feeder does with `each`.
    std::string apply_each(std::string_view yaml) {
        return change(store.plan_apply(parse(yaml)), OnConflict::kOlder);
    }
    std::string replace(std::string_view yaml) { return change(store.plan_replace(parse(yaml))); }
    std::string remove(Kind kind, const std::string& name_space, const std::string& name) {
        return change(store.plan_delete({{kind, name_space, name}}));
    }
    std::string change(const ChangeSet& changes, OnConflict on_conflict = OnConflict::kRefuse) {
        store.commit(changes);
        const auto compiled =
            compiler.next(store, {.objects = &changes, .on_conflict = on_conflict});
        if (!compiled.ok()) {
            store.revert(changes);
            return compiled.error().message;
        }
        notices = compiled->notices;
        return {};
    }
    void plug(const TopologyInput& input) {
        const auto compiled = compiler.next(store, {.topology = &input});
        ASSERT_TRUE(compiled.ok());
        notices = compiled->notices;
    }
    /// "Service default/b: why", each.
    [[nodiscard]] std::vector<std::string> refused() const {
        std::vector<std::string> lines;
        for (const RefusedObject& object : compiler.refused()) {
            lines.push_back(to_string(object.key) + ": " + object.message);
        }
        return lines;
    }
    [[nodiscard]] const Snapshot& now() const { return *compiler.current(); }

    /// One line for each frontend: "default/web ClusterIP 10.96.0.1:80/TCP in=a,b out=a,b reject".
    [[nodiscard]] std::vector<std::string> frontends(std::string_view service = {}) const {
        std::vector<std::string> lines;
        const auto list = [](const std::vector<ServedEndpoint>& endpoints) {
            std::string text;
            for (const ServedEndpoint& one : endpoints) {
                text += (text.empty() ? "" : ",") + to_string(one.address, one.port);
            }
            return text;
        };
        for (const FrontendRow& row : frontend_rows(now(), service)) {
            lines.push_back(fmt::format(
                "{} {} {}/{} in={} out={} {}", row.service, to_string(row.kind),
                row.address ? to_string(*row.address, row.port) : fmt::format("*:{}", row.port),
                protocol_name(static_cast<Protocol>(row.protocol)), list(row.inside),
                list(row.outside), row.drop_when_empty ? "drop" : "reject"));
        }
        return lines;
    }

    static std::vector<Object> parse(std::string_view yaml) {
        auto parsed = parse_objects(yaml, "test.yml");
        EXPECT_TRUE(parsed.ok()) << (parsed.ok() ? "" : parsed.error().message);
        return parsed.ok() ? parsed->objects : std::vector<Object>{};
    }

    NodeConfig config;
    ObjectStore store;
    Compiler compiler;
    std::vector<std::string> notices;
};

/// A Service; `spec` is YAML in braces.
inline std::string service(std::string_view name, std::string_view spec) {
    return fmt::format("---\napiVersion: v1\nkind: Service\nmetadata: {{name: {}}}\nspec: {}\n",
                       name, spec);
}

/// An EndpointSlice of one port; each endpoint is "ADDRESS [@NODE] [notready|terminating|gone]".
inline std::string slice(std::string_view service, const std::vector<std::string>& endpoints,
                         std::string_view port = "{name: http, protocol: TCP, port: 8080}",
                         std::string_view suffix = "1") {
    std::string text = fmt::format(
        "---\napiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\n"
        "metadata: {{name: {0}-{1}, labels: {{kubernetes.io/service-name: {0}}}}}\n"
        "addressType: {2}\nports: [{3}]\nendpoints:\n",
        service, suffix,
        !endpoints.empty() && endpoints[0].find("::") != std::string::npos ? "IPv6" : "IPv4", port);
    if (endpoints.empty()) text.insert(text.size() - 1, " []");
    for (const std::string& endpoint : endpoints) {
        const std::string address = endpoint.substr(0, endpoint.find(' '));
        const auto has = [&](const char* word) { return endpoint.find(word) != std::string::npos; };
        std::string node;
        if (const auto at = endpoint.find('@'); at != std::string::npos) {
            node = endpoint.substr(at + 1, endpoint.find(' ', at) - at - 1);
        }
        text += fmt::format(
            "- {{addresses: ['{}'], {}conditions: {{ready: {}, serving: {}, "
            "terminating: {}}}}}\n",
            address, node.empty() ? "" : "nodeName: " + node + ", ",
            !has("notready") && !has("terminating") && !has("gone"),
            !has("notready") && !has("gone"), has("terminating") || has("gone"));
    }
    return text;
}

}  // namespace podlane::control::test
