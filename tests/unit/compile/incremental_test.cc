// However a state was reached, the frontends are what compiling it at once would give.
#include <gtest/gtest.h>

#include <set>

#include "tests/support/random_objects.h"
#include "tests/unit/compile/world.h"

namespace podlane::control::test {
namespace {

/// All that the table holds, ServiceIds and epochs apart.
template <Family F>
void describe_table(const Snapshot& snapshot, const ServiceCompiler& services,
                    std::multiset<std::string>& out) {
    const auto& table = snapshot.family<F>().frontends;
    size_t frontends = 0;
    table.for_each([&](const Frontend<F>& frontend) {
        ++frontends;
        const ServicePortName* name = services.find(frontend.service);
        std::string serving;
        for (size_t i = 0; frontend.serving && i < frontend.serving->size(); ++i) {
            serving += to_string(IpAddress((*frontend.serving)[i].address)) + " ";
        }
        out.insert(fmt::format("{} {} {} masquerade={} drop={} serving={}id={}/{}",
                               to_string(frontend.kind), frontend.service_name,
                               to_string(IpAddress(frontend.address), frontend.port.host()),
                               frontend.masquerade_outside, frontend.drop_when_empty, serving,
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
        const auto add = [&](const char* side, const EndpointSet<V4>& set) {
            for (const auto& endpoint : set.endpoints) {
                out[frontend.service].insert(fmt::format(
                    "{} {} {}", to_string(IpAddress(frontend.address), frontend.port.host()), side,
                    to_string(IpAddress(endpoint.address), endpoint.port.host())));
            }
        };
        add("inside", *frontend.inside);
        add("outside", *frontend.outside);
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
            const auto how = random.chance(30) ? OnConflict::kOlder : OnConflict::kRefuse;
            const bool allowed = world.compiler.check(copy, changes, how).ok();
            const std::string error = world.change(changes, how);
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
             {Kind::kNode, Kind::kService, Kind::kEndpointSlice, Kind::kEndpoints, Kind::kPod}) {
            for (const Object& object : world.store.list(kind)) all.push_back(object);
        }
        ASSERT_EQ(fresh.change(fresh.store.plan_replace(all), OnConflict::kOlder), "");
        ASSERT_EQ(world.compiler.refused(), fresh.compiler.refused()) << "step " << step;
        ASSERT_TRUE(frontend_rows(world.now()) == frontend_rows(fresh.now())) << "step " << step;
        ASSERT_EQ(describe(world.compiler), describe(fresh.compiler)) << "step " << step;
    }
    EXPECT_GT(refused, 0) << "the test is to meet conflicts too";
}

INSTANTIATE_TEST_SUITE_P(Seeds, Incremental, ::testing::Range(1u, 9u));

}  // namespace
}  // namespace podlane::control::test
