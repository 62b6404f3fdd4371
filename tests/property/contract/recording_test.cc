// Recordings of a real API server, event by event: for packets to their Services, Podlane must
// decide what the model expects. PODLANE_FIXTURES names the folder with kubernetes/ in it; skipped
// without it.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <random>

#include "control/compile/compiler.h"
#include "control/kube/parse.h"
#include "tests/property/contract/judge.h"
#include "tests/property/contract/options.h"

namespace podlane::contract {
namespace {

using control::ChangeSet;

IpAddress ip(const char* text) {
    return parse_ip(text).value();
}
IpPrefix prefix(const char* text) {
    return parse_prefix(text).value();
}

/// One line of a watch.
struct Event {
    bool is_removal = false;
    control::Object object;
};

class Recording : public testing::Test {
  protected:
    void SetUp() override {
        const char* given = std::getenv("PODLANE_FIXTURES");
        const char* source = std::getenv("PODLANE_SOURCE");
        folder_ =
            std::filesystem::path(given != nullptr ? given
                                                   : std::string(source != nullptr ? source : ".") +
                                                         "/../shared/fixtures") /
            "kubernetes";
        if (!std::filesystem::is_directory(folder_)) GTEST_SKIP() << "no " << folder_;
        for (const char* kind : {"nodes", "pods", "services", "endpoints", "endpointslices"}) {
            load(kind);
        }
        ASSERT_GT(events_.size(), 400u);
        plug_in();
    }

    void load(const std::string& kind) {
        std::ifstream in(folder_ / "watch" / (kind + ".jsonl"));
        for (std::string line; std::getline(in, line);) {
            const auto event = nlohmann::json::parse(line);
            if (event.at("type") == "BOOKMARK") continue;
            const auto& object = event.at("object");
            const auto parsed = control::parse_objects(object.dump(), kind);
            ASSERT_TRUE(parsed.ok()) << parsed.error().message;
            const auto& version = object.at("metadata").at("resourceVersion");
            // In the server's order. A change and its consequence can have one version.
            events_.emplace(std::stoul(version.get<std::string>()),
                            Event{event.at("type") == "DELETED", parsed->objects.at(0)});
        }
    }

    /// The recording's node-1.
    static control::NodeConfig node_1() {
        control::NodeConfig config;
        config.node = "node-1";
        control::UplinkConfig uplink;
        uplink.name = "uplink0";
        uplink.addresses = {*parse_interface_address("192.0.2.11/24"),
                            *parse_interface_address("fd00:2::11/64")};
        uplink.gateways = {ip("192.0.2.1")};
        config.uplinks = {uplink};
        config.host = control::HostConfig{};
        config.pods.cidrs = {prefix("10.244.1.0/24"), prefix("fd00:10:244:1::/64")};
        config.pods.mtu = 1450;
        config.cluster.pod_cidrs = {prefix("10.244.0.0/16"), prefix("fd00:10:244::/48")};
        config.cluster.service_cidrs = {prefix("10.96.0.0/12"), prefix("fd00:10:96::/112")};
        return config;
    }

    void plug_in() {
        cluster_.node = "node-1";
        cluster_.node_addresses = {ip("192.0.2.11"), ip("fd00:2::11")};
        cluster_.pod_cidrs = config_.cluster.pod_cidrs;
        cluster_.service_cidrs = config_.cluster.service_cidrs;
        control::TopologyInput input;
        const MacAddress mac{{2, 0, 0, 0, 0, 1}};
        input.ports = {{PortId{0}, "uplink0", PortKind::kUplink, "eth1", mac, 1500, {}},
                       {PortId{1}, "podlane0", PortKind::kHost, "podlane0", mac, 1500, {}}};
        ASSERT_TRUE(compiler_.next(store_, {.topology = &input}).ok());
    }

    void happen(const Event& event) {
        const ChangeSet changes = event.is_removal
                                      ? store_.plan_delete({control::key_of(event.object)})
                                      : store_.plan_apply({event.object});
        store_.commit(changes);
        const auto compiled = compiler_.next(store_, {.objects = &changes});
        ASSERT_TRUE(compiled.ok()) << compiled.error().message;
        take(cluster_.nodes);
        take(cluster_.pods);
        take(cluster_.services);
        take(cluster_.slices);
        take(cluster_.endpoints);
    }
    template <class T>
    void take(std::vector<control::ObjectPtr<T>>& list) {
        list.clear();
        for (const auto& [name, object] : store_.all<T>()) list.push_back(object);
    }

    template <class T>
    const T& one_of(const std::vector<T>& list) {
        return list[random_() % list.size()];
    }

    /// A packet from anywhere to one address of a Service; sometimes to another port.
    Packet packet() {
        const control::Service& service = *one_of(cluster_.services);
        std::vector<IpAddress> places = service.cluster_ips;
        places.insert(places.end(), service.external_ips.begin(), service.external_ips.end());
        for (const auto& ingress : service.load_balancer) {
            if (ingress.ip) places.push_back(*ingress.ip);
        }
        Packet made;
        if (service.ports.empty()) {
            made.dst = ip("10.96.255.254");  // no Service's
            made.dst_port = 80;
        } else {
            const control::ServicePort& port = one_of(service.ports);
            const bool by_node = places.empty() || (port.node_port != 0 && random_() % 3 == 0);
            made.protocol = static_cast<uint8_t>(port.protocol);
            made.dst = one_of(by_node ? cluster_.node_addresses : places);
            made.dst_port = by_node ? port.node_port : port.port;
        }
        if (random_() % 16 == 0) ++made.dst_port;
        made.from = static_cast<From>(random_() % 4);
        const bool v6 = made.dst.is_v6();
        const std::vector<IpAddress> sources[] = {
            {ip(v6 ? "fd00:10:244:1::7" : "10.244.1.7"),
             ip(v6 ? "fd00:10:244:1::2" : "10.244.1.2")},
            {cluster_.node_addresses[v6 ? 1 : 0]},
            {ip(v6 ? "2001:db8::9" : "203.0.113.9"), ip(v6 ? "fd00:2::12" : "192.0.2.12")},
            {ip(v6 ? "fd00:10:244:2::7" : "10.244.2.7")}};
        made.src = one_of(sources[static_cast<size_t>(made.from)]);
        made.src_port = static_cast<uint16_t>(1024 + random_() % 60000);
        return made;
    }

    std::filesystem::path folder_;
    std::multimap<uint64_t, Event> events_;
    const control::NodeConfig config_ = node_1();
    control::ObjectStore store_;
    control::Compiler compiler_{config_};
    Cluster cluster_;
    std::mt19937_64 random_{options.seed};
};

TEST_F(Recording, PodlaneDecidesAsTheModelExpectsAfterEachEvent) {
    Judge judge;
    std::map<What, unsigned> met;
    for (const auto& [version, event] : events_) {
        ASSERT_NO_FATAL_FAILURE(happen(event));
        for (unsigned i = 0; i < 50 && !cluster_.services.empty(); ++i) {
            const Packet sent = packet();
            ASSERT_EQ(judge.compare(cluster_, *compiler_.current(), sent, 1), "")
                << "--seed " << options.seed << ", after resourceVersion " << version;
            ++met[expect(cluster_, sent).what];
        }
    }
    EXPECT_EQ(met.size(), 4u) << "all that can happen is met";
    EXPECT_GT(met[What::kForward], 2000u);
}

}  // namespace
}  // namespace podlane::contract
