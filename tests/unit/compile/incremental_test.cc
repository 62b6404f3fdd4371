// However a state was reached, the frontends are what compiling it at once would give.
#include <gtest/gtest.h>

#include <random>
#include <set>

#include "tests/unit/compile/world.h"

namespace podlane::control::test {
namespace {

constexpr const char* kNodes[] = {"node-a", "node-b", ""};

/// Random objects out of few names, so that they meet, clash and come back.
class RandomObjects {
  public:
    explicit RandomObjects(unsigned seed) : random_(seed) {}

    unsigned below(unsigned n) { return static_cast<unsigned>(random_() % n); }
    bool chance(unsigned percent) { return below(100) < percent; }

    NamespacedName service_name() {
        return {below(2) == 0 ? "default" : "shop", "svc" + std::to_string(below(6))};
    }
    IpAddress pod_ip(bool v6) {
        const unsigned node = below(2) + 1, pod = below(8) + 2;
        return ip(v6 ? fmt::format("fd00:10:{}::{}", node, pod)
                     : fmt::format("10.244.{}.{}", node, pod));
    }

    Object service() {
        auto made = std::make_shared<Service>();
        const NamespacedName name = service_name();
        made->meta.name_space = name.name_space;
        made->meta.name = name.name;
        made->type = static_cast<ServiceType>(below(3));
        made->headless = chance(5);
        const unsigned which = below(chance(90) ? 40 : 3);
        if (!made->headless && chance(90)) {
            made->cluster_ips.push_back(ip(fmt::format("10.96.0.{}", which + 1)));
            if (chance(40)) made->cluster_ips.push_back(ip(fmt::format("fd00:96::{}", which + 1)));
        }
        for (unsigned i = 0; i <= below(2); ++i) {
            ServicePort port;
            port.name = "p" + std::to_string(i);
            port.protocol = chance(70) ? Protocol::kTcp : Protocol::kUdp;
            port.port = static_cast<uint16_t>(80 + i);
            port.target_port = chance(50) ? PortRef{0, port.name} : PortRef{8080, ""};
            if (made->type != ServiceType::kClusterIp && chance(80)) {
                port.node_port = static_cast<uint16_t>(30000 + below(60));
            }
            made->ports.push_back(port);
        }
        if (chance(70)) made->selector = Labels{{"app", "a" + std::to_string(below(3))}};
        if (chance(30)) made->external_ips.push_back(ip("198.51.100.7"));
        if (chance(30)) {
            made->load_balancer.push_back(
                {ip(chance(50) ? "192.0.2.80" : "10.96.0.1"), "", chance(20)});
        }
        if (chance(30)) made->source_ranges.push_back(prefix("203.0.113.0/24"));
        if (chance(30)) made->external_policy = TrafficPolicy::kLocal;
        if (chance(20)) made->internal_policy = TrafficPolicy::kLocal;
        made->publish_not_ready = chance(10);
        return ObjectPtr<Service>(made);
    }

    Object slice() {
        auto made = std::make_shared<EndpointSlice>();
        const NamespacedName name = service_name();
        const bool v6 = chance(30);
        made->meta.name_space = name.name_space;
        made->meta.name = "slice" + std::to_string(below(6)) + (v6 ? "-v6" : "");
        made->service = name.name;
        made->address_type = v6 ? AddressType::kIpv6 : AddressType::kIpv4;
        made->ports = ports();
        made->endpoints = endpoints(v6);
        return ObjectPtr<EndpointSlice>(made);
    }

    Object endpoints_object() {
        auto made = std::make_shared<Endpoints>();
        const NamespacedName name = service_name();
        made->meta.name_space = name.name_space;
        made->meta.name = name.name;
        made->subsets.push_back({endpoints(false), ports()});
        return ObjectPtr<Endpoints>(made);
    }

    Object pod() {
        auto made = std::make_shared<Pod>();
        made->meta.name_space = below(2) == 0 ? "default" : "shop";
        made->meta.name = "pod" + std::to_string(below(8));
        made->meta.labels = {{"app", "a" + std::to_string(below(3))}};
        made->node_name = kNodes[below(3)];
        made->ips = {pod_ip(false)};
        if (chance(50)) made->ips.push_back(pod_ip(true));
        made->phase = chance(90) ? PodPhase::kRunning : PodPhase::kFailed;
        made->ready = chance(70);
        made->terminating = chance(20);
        ContainerPort port;
        port.name = "p0";
        port.port = 8080;
        if (chance(30)) port.host_port = static_cast<uint16_t>(30000 + below(60));
        made->ports = {port};
        return ObjectPtr<Pod>(made);
    }

    Object object() {
        switch (below(4)) {
            case 0:
                return service();
            case 1:
                return slice();
            case 2:
                return chance(20) ? endpoints_object() : slice();
            default:
                return pod();
        }
    }

  private:
    std::vector<EndpointPort> ports() {
        std::vector<EndpointPort> made;
        for (unsigned i = 0; i < 2; ++i) {
            EndpointPort port;
            port.name = "p" + std::to_string(i);
            port.port = static_cast<uint16_t>(8080 + below(2));
            made.push_back(port);
        }
        return made;
    }
    std::vector<Endpoint> endpoints(bool v6) {
        std::vector<Endpoint> made(below(5));
        for (Endpoint& endpoint : made) {
            endpoint.address = pod_ip(v6);
            endpoint.ready = chance(60);
            endpoint.serving = endpoint.ready || chance(60);
            endpoint.terminating = !endpoint.ready && chance(60);
            endpoint.node_name = kNodes[below(3)];
        }
        return made;
    }

    std::mt19937 random_;
};

/// All that the table holds, ServiceIds and epochs apart.
template <Family F>
void describe_table(const Snapshot& snapshot, const ServiceCompiler& services,
                    std::multiset<std::string>& out) {
    const auto& table = snapshot.family<F>().frontends;
    size_t frontends = 0;
    table.for_each([&](const Frontend<F>& frontend) {
        ++frontends;
        const ServicePortName* name = services.find(frontend.service);
        out.insert(fmt::format("{} {} {} masquerade={} drop={} id={}/{}", to_string(frontend.kind),
                               frontend.service_name,
                               to_string(IpAddress(frontend.address), frontend.port.host()),
                               frontend.masquerade_outside, frontend.drop_when_empty,
                               name != nullptr ? to_string(name->name) : "none",
                               name != nullptr ? name->port_name : "none"));
    });
    out.insert(fmt::format("marks {}", table.size() - frontends));
}

std::multiset<std::string> describe(const Compiler& compiler) {
    std::multiset<std::string> out;
    describe_table<V4>(*compiler.current(), compiler.services(), out);
    describe_table<V6>(*compiler.current(), compiler.services(), out);
    return out;
}

/// Endpoints by ServiceId: what epochs are about.
std::map<ServiceId, std::set<std::string>> endpoints_by_id(const Snapshot& snapshot) {
    std::map<ServiceId, std::set<std::string>> out;
    snapshot.v4.frontends.for_each([&](const Frontend<V4>& frontend) {
        for (const auto* set : {frontend.inside.get(), frontend.outside.get()}) {
            for (const auto& endpoint : set->endpoints) {
                out[frontend.service].insert(fmt::format(
                    "{} {} {}", to_string(IpAddress(frontend.address), frontend.port.host()),
                    set == frontend.inside.get(),
                    to_string(IpAddress(endpoint.address), endpoint.port.host())));
            }
        }
    });
    return out;
}

class Incremental : public ::testing::TestWithParam<unsigned> {};

TEST_P(Incremental, EqualsCompilingAllAtOnce) {
    const unsigned seed = GetParam();
    SCOPED_TRACE(fmt::format("seed {}", seed));
    RandomObjects random(seed);
    World world;
    TopologyInput input;
    int refused = 0;
    for (int step = 0; step < 150; ++step) {
        const auto before = endpoints_by_id(world.now());
        const auto live = world.compiler.current();
        if (random.chance(10)) {
            input.pods.clear();
            if (random.chance(80)) {
                input.pods.push_back({"default/x",
                                      PortId{4},
                                      kPodMac,
                                      {random.pod_ip(false), random.pod_ip(true)},
                                      0});
            }
            world.plug(input);
        } else if (random.chance(20)) {
            std::vector<ObjectKey> keys;
            for (unsigned i = 0; i <= random.below(2); ++i) keys.push_back(key_of(random.object()));
            ASSERT_EQ(world.change(world.store.plan_delete(keys)), "");
        } else {
            std::vector<Object> objects;
            for (unsigned i = 0; i <= random.below(3); ++i) objects.push_back(random.object());
            const ChangeSet changes = world.store.plan_apply(objects);
            ObjectStore copy = world.store;
            copy.commit(changes);
            const bool allowed = world.compiler.check(copy, changes).ok();
            const std::string error = world.change(changes);
            ASSERT_EQ(allowed, error.empty()) << "check() and next() agree: " << error;
            if (!error.empty()) {
                ++refused;
                ASSERT_EQ(world.compiler.current(), live);
            }
        }
        const auto now = endpoints_by_id(world.now());
        for (const auto& [id, endpoints] : before) {
            const auto at = now.find(id);
            const bool all_there =
                at != now.end() && std::includes(at->second.begin(), at->second.end(),
                                                 endpoints.begin(), endpoints.end());
            if (all_there) continue;
            ASSERT_GT(world.now().service_epochs[index_of(id)], live->service_epochs[index_of(id)])
                << "an endpoint went in step " << step;
        }

        World fresh;
        fresh.plug(input);
        std::vector<Object> all;
        for (const Kind kind :
             {Kind::kService, Kind::kEndpointSlice, Kind::kEndpoints, Kind::kPod}) {
            for (const Object& object : world.store.list(kind)) all.push_back(object);
        }
        ASSERT_EQ(fresh.change(fresh.store.plan_replace(all)), "");
        ASSERT_EQ(frontends_json(world.now()), frontends_json(fresh.now())) << "step " << step;
        ASSERT_EQ(describe(world.compiler), describe(fresh.compiler)) << "step " << step;
    }
    EXPECT_GT(refused, 0) << "the test is to meet conflicts too";
}

INSTANTIATE_TEST_SUITE_P(Seeds, Incremental, ::testing::Range(1u, 9u));

}  // namespace
}  // namespace podlane::control::test
