// A node of one node on a dataplane and TAPs that are not real, with a clock set by hand.
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "control/node/kept_taps.h"
#include "control/node/node_model.h"
#include "control/node/tap_maker.h"
#include "control/show/outcome.h"
#include "control/show/render.h"
#include "control/show/views.h"
#include "tests/support/fake_dataplane.h"

namespace podlane::control {

/// TAPs that are nothing but descriptors.
class FakeTaps final : public TapMaker, public KeptTaps {
  public:
    std::vector<PodTapRequest> pods;
    std::vector<PodTapRequest> attached;  ///< of a process before this one
    std::vector<HostTapRequest> hosts;
    std::vector<ServerTapRequest> servers;
    std::vector<std::string> removed;      ///< interface names
    std::vector<std::string> uplink_taps;  ///< their NICs
    std::set<IpAddress> routed;            ///< by the host interface
    std::set<HostRule> rules;              ///< what leaves by it though it is for the node itself
    unsigned rule_changes = 0;
    std::string refuse_with;  ///< not empty: the next TAPs cannot be made
    bool leaves_all = false, leaves_former = false;

    Result<MadeTap> make_pod_tap(const PodTapRequest& request) override {
        pods.push_back(request);
        return make(request.ifname, request.queues);
    }
    std::vector<Result<MadeTap>> attach_pod_taps(
        const std::vector<PodTapRequest>& requests) override {
        attached = requests;
        std::vector<Result<MadeTap>> out;
        for (const PodTapRequest& request : requests) {
            out.push_back(make(request.ifname, request.queues));
        }
        return out;
    }
    void leave(bool former_ones_only) noexcept override {
        leaves_all = leaves_all || !former_ones_only;
        leaves_former = true;
    }
    NetnsId netns_id(const std::string& path) override { return control::netns_id(path); }
    Result<MadeTap> make_host_tap(const HostTapRequest& request) override {
        hosts.push_back(request);
        routed.clear();  // they went with the interface before
        auto tap = make(request.ifname, request.queues);
        if (!tap.ok()) return tap;
        tap->set_route = [this](const IpAddress& address, bool there) -> Result<void> {
            EXPECT_NE(routed.contains(address), there);
            if (there) {
                routed.insert(address);
            } else {
                routed.erase(address);
            }
            return {};
        };
        tap->set_rules = [this](const std::set<HostRule>& wanted) -> Result<void> {
            rules = wanted;
            ++rule_changes;
            return {};
        };
        return tap;
    }

    Result<MadeTap> make_uplink_tap(const std::string& nic, uint16_t, unsigned queues) override {
        uplink_taps.push_back(nic);
        return MadeTap{.queue_fds = std::vector<int>(queues, -1), .node_end = 77};
    }
    Result<MadeServerTap> make_server_tap(const ServerTapRequest& request) override {
        servers.push_back(request);
        auto made = make(request.ifname, request.queues);
        if (!made.ok()) return made.error();
        return MadeServerTap{std::move(*made), "/proc/self/fd/99"};
    }

  private:
    Result<MadeTap> make(const std::string& ifname, unsigned queues) {
        if (!refuse_with.empty()) return Error{refuse_with};
        MadeTap tap;
        for (unsigned i = 0; i < queues; ++i) tap.queue_fds.push_back(open("/dev/null", O_RDWR));
        const bool was_there = std::ranges::any_of(
            attached, [&](const PodTapRequest& each) { return each.ifname == ifname; });
        tap.remove = [this, ifname, was_there] {
            if (!leaves_all && !(leaves_former && was_there)) removed.push_back(ifname);
        };
        return tap;
    }
};

/// A DNS server that listens nowhere.
class FakeNameServer final : public NameServer {
  public:
    std::string netns_path;
    std::vector<IpAddress> addresses;
    std::vector<std::shared_ptr<const DnsZone>> zones;
    std::string refuse_with;  ///< not empty: it cannot be opened
    NameServerStats counted;

    Result<void> open(const std::string& path, const std::vector<IpAddress>& at) override {
        if (!refuse_with.empty()) return Error{refuse_with};
        netns_path = path;
        addresses = at;
        return {};
    }
    void set_zone(std::shared_ptr<const DnsZone> zone) override {
        zones.push_back(std::move(zone));
    }
    [[nodiscard]] NameServerStats stats() const override { return counted; }
};

inline InterfaceAddress interface_address(const std::string& text) {
    return *parse_interface_address(text);
}
inline IpPrefix prefix(const std::string& text) {
    return *parse_prefix(text);
}
inline IpAddress address(const std::string& text) {
    return *parse_ip(text);
}

inline constexpr MacAddress kUplinkMac{{0x02, 0xaa, 0, 0, 0, 1}};
inline constexpr MacAddress kPeerMac{{0x02, 0xbb, 0, 0, 0, 2}};

/// node-a: 192.168.50.1 and fd50::1 on uplink0, pods in 10.244.1.0/24 and fd00:10:244:1::/64.
inline NodeConfig node_a() {
    NodeConfig config;
    config.document = "node-a.yaml";
    config.node = "node-a";
    UplinkConfig uplink;
    uplink.name = "uplink0";
    uplink.device = *parse_device("net_null0");
    uplink.addresses = {interface_address("192.168.50.1/24"), interface_address("fd50::1/64")};
    uplink.gateways = {address("192.168.50.254")};
    config.uplinks.push_back(uplink);
    config.host = HostConfig{};
    config.pods.cidrs = {prefix("10.244.1.0/24"), prefix("fd00:10:244:1::/64")};
    config.pods.mtu = 1450;
    config.overlay.mac = MacAddress{{0x02, 0, 0, 0x76, 0x74, 0x01}};
    config.cluster.pod_cidrs = {prefix("10.244.0.0/16"), prefix("fd00:10:244::/56")};
    config.cluster.service_cidrs = {prefix("10.96.0.0/12"), prefix("fd00:10:96::/112")};
    return config;
}

class NodeFixture : public testing::Test {
  protected:
    explicit NodeFixture(unsigned workers = 1) : dataplane_(workers) {
        spdlog::set_level(spdlog::level::off);
        uplink_ = dataplane_.add_uplink("uplink0", kUplinkMac);
    }

    /// Starts the node; the configuration may have been changed before.
    void start() {
        make();
        const auto started = node_->start();
        ASSERT_TRUE(started.ok()) << started.error().message;
    }
    void make() {
        node_ = std::make_unique<NodeModel>(
            config_, NodeParts{dataplane_, taps_, [this] { return now_ms_; },
                               [this](const HealthChecks& checks, const auto& addresses) {
                                   health_checks_.push_back(checks);
                                   health_addresses_ = addresses;
                               },
                               &names_, keeper_.get(), &taps_});
    }

    using Json = nlohmann::ordered_json;

    /// The answer; a failure fails the test.
    static Json ok(RpcResult result) {
        if (const auto* failure = std::get_if<RpcFailure>(&result)) {
            ADD_FAILURE() << failure->code << ": " << failure->message;
            return nullptr;
        }
        return std::get<Json>(std::move(result));
    }
    template <class T>
    static Json ok(const Outcome<T>& outcome) {
        return ok(to_reply(outcome));
    }
    template <class T>
    static Json ok(const T& view) {
        return to_json(view);
    }
    template <class T>
    static RpcFailure failure(const Outcome<T>& outcome) {
        return failure(to_reply(outcome));
    }
    static RpcFailure failure(const RpcResult& result) {
        if (const auto* value = std::get_if<Json>(&result)) {
            ADD_FAILURE() << "unexpected success: " << value->dump();
            return {};
        }
        return std::get<RpcFailure>(result);
    }

    Json apply(const std::string& text) { return ok(node_->apply({{"test.yml", text}})); }
    Json add_pod(const std::string& pod, std::vector<std::string> addresses) {
        const std::string netns = "/run/netns/" + pod.substr(pod.find('/') + 1);
        return ok(node_->add_pod({pod, netns, std::move(addresses), "eth0"}));
    }
    PortId port_of(const std::string& name) const {
        for (const PortInfo& port : dataplane_.ports()) {
            if (port.name == name) return port.id;
        }
        return kNoPort;
    }
    const Snapshot& live() const { return *dataplane_.published.back(); }
    uint64_t generation() const { return live().generation; }

    Event event(EventKind kind, const std::string& about, const MacAddress& mac = {}) const {
        Event out;
        out.kind = kind;
        out.port = uplink_;
        out.mac = mac;
        out.address = RawAddress::from(address(about));
        return out;
    }
    /// Lets the node take the event and publish what came of it.
    void deliver(const Event& what) {
        dataplane_.inject(what);
        node_->handle_events();
        node_->publish_pending();
    }
    void pass(uint64_t ms) {
        for (const uint64_t end = now_ms_ + ms; now_ms_ < end;) {
            now_ms_ += 50;
            node_->tick();
        }
        node_->publish_pending();
    }

    uint64_t now_ms_ = 1'000'000;
    std::vector<HealthChecks> health_checks_;  ///< each that the node told of
    std::vector<IpAddress> health_addresses_;  ///< with the last one
    NodeConfig config_ = node_a();
    FakeDataplane dataplane_;
    FakeTaps taps_;
    FakeNameServer names_;
    std::unique_ptr<Keeper> keeper_;  ///< null unless a test wants one
    PortId uplink_ = kNoPort;
    std::unique_ptr<NodeModel> node_;
};

/// Objects that several tests apply.
inline constexpr const char* kWebService = R"(
apiVersion: v1
kind: Service
metadata: {name: web, namespace: default}
spec:
  type: NodePort
  clusterIP: 10.96.0.10
  selector: {app: web}
  ports:
    - {name: http, port: 80, targetPort: 8080, nodePort: 30080}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: web-1, namespace: default, labels: {kubernetes.io/service-name: web}}
addressType: IPv4
ports: [{name: http, port: 8080, protocol: TCP}]
endpoints:
  - {addresses: [10.244.1.10], conditions: {ready: true}, nodeName: node-a}
  - {addresses: [10.244.2.10], conditions: {ready: true}, nodeName: node-b}
)";

inline constexpr const char* kNodeB = R"(
apiVersion: v1
kind: Node
metadata:
  name: node-b
  annotations:
    flannel.alpha.coreos.com/backend-type: vxlan
    flannel.alpha.coreos.com/backend-data: '{"VNI":1,"VtepMAC":"02:00:00:76:74:02"}'
    flannel.alpha.coreos.com/public-ip: 192.168.50.2
spec: {podCIDR: 10.244.2.0/24, podCIDRs: [10.244.2.0/24]}
status: {addresses: [{type: InternalIP, address: 192.168.50.2}]}
)";

}  // namespace podlane::control
