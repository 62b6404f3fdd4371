// Whatever comes, goes and comes back: a flow that looks for its route only when the topology's
// epoch has risen, or its adjacency is not in use, always has its route's adjacency.
#include <gtest/gtest.h>

#include <map>
#include <random>
#include <set>

#include "tests/unit/compile/world.h"

namespace podlane::control::test {
namespace {

class Epoch : public testing::TestWithParam<unsigned> {
  protected:
    unsigned below(unsigned n) { return static_cast<unsigned>(random_() % n); }

    /// Another random set of ports, pods and neighbours, few enough to meet again.
    TopologyInput input() {
        TopologyInput made = plugged_in();
        made.pods.clear();
        for (uint16_t port = 2; port < 6; ++port) {
            if (below(3) == 0) continue;
            made.ports.push_back({PortId{port}, "", PortKind::kPod, "tap", {}, 1450, {}});
            made.pods.push_back({fmt::format("default/p{}", port),
                                 PortId{port},
                                 kPodMac,
                                 {ip(fmt::format("10.244.1.{}", 10 + below(4)))},
                                 0});
        }
        for (const char* address : {"192.168.50.2", "192.168.50.77", "192.168.50.254"}) {
            const auto status = static_cast<NeighbourStatus>(below(3));
            if (below(3) == 0) continue;
            made.neighbours.push_back({kUplink, ip(address), kNodeBMac, status});
        }
        return made;
    }
    /// Nodes with prefixes inside and outside of cluster.podCidrs, and one within another's.
    std::string nodes() {
        constexpr const char* kCidrs[] = {"10.244.2.0/24", "10.200.0.0/16", "10.200.7.0/24"};
        std::string text = "apiVersion: v1\nkind: Namespace\nmetadata: {name: x}\n";
        for (int i = 0; i < 3; ++i) {
            if (below(3) == 0) continue;
            text += fmt::format(
                "---\napiVersion: v1\nkind: Node\nmetadata: {{name: n{}}}\n"
                "spec: {{podCIDRs: ['{}']}}\n"
                "status: {{addresses: [{{type: InternalIP, address: 192.168.50.{}}}]}}\n",
                i, kCidrs[i], 2 + below(3));
        }
        return text;
    }

    std::mt19937 random_{GetParam()};
};

TEST_P(Epoch, NoFlowIsMisled) {
    struct Flow {
        uint32_t epoch = 0;
        AdjacencyId adjacency = kNoAdjacency;
    };
    std::map<std::string, Flow> flows;
    for (const char* to :
         {"10.244.1.10", "10.244.1.11", "10.244.1.13", "192.168.50.2", "192.168.50.77",
          "192.168.50.1", "10.244.2.9", "10.200.1.1", "10.200.7.1", "8.8.8.8", "192.168.50.254"}) {
        flows[to] = {};
    }
    NodeConfig config = node_a();
    if (GetParam() % 2 == 1) config.overlay.format = std::nullopt;
    World world(config);
    unsigned trusted = 0;
    for (int step = 0; step < 300; ++step) {
        if (below(2) == 0) {
            world.plug(input());
        } else {
            ASSERT_EQ(world.replace(nodes()), "");
        }
        const Snapshot& now = world.now();
        for (auto& [to, flow] : flows) {
            // Most flows are silent most of the time.
            if (below(3) != 0) continue;
            const auto* route = now.v4.routes->find(ip(to).as<V4>());
            const AdjacencyId right = route != nullptr ? route->adjacency : kNoAdjacency;
            const bool trusts =
                flow.epoch == now.topology_epoch && flow.adjacency != kNoAdjacency &&
                now.adjacencies[index_of(flow.adjacency)].kind != AdjacencyKind::kNone;
            if (trusts) {
                ASSERT_EQ(flow.adjacency, right) << to << ", step " << step;
                ++trusted;
            } else {
                flow = {now.topology_epoch, right};
            }
        }
    }
    EXPECT_GT(trusted, 50U) << "the test must be able to fail";
}

TEST(EpochOfIds, AFreedOneIsUsedAgainOnlyUnderANewEpoch) {
    World world;
    TopologyInput input = plugged_in();
    // Resolves one neighbour alone, and gives its adjacency.
    const auto only = [&](int host) {
        const IpAddress address = ip(fmt::format("192.168.50.{}", host));
        input.neighbours = {{kUplink, address, kNodeBMac, NeighbourStatus::kResolved}};
        world.plug(input);
        return world.now().v4.routes->find(address.as<V4>())->adjacency;
    };
    std::set<AdjacencyId> under_the_first = {only(99)};
    const uint32_t epoch = world.now().topology_epoch;
    for (int i = 0; i < 5000 && world.now().topology_epoch == epoch; ++i) {
        EXPECT_TRUE(under_the_first.insert(only(100 + i % 100)).second);
    }
    EXPECT_EQ(world.now().topology_epoch, epoch + 1) << "ids do not grow without end";
    EXPECT_TRUE(under_the_first.contains(only(99)));
    EXPECT_EQ(world.now().topology_epoch, epoch + 1);
}

INSTANTIATE_TEST_SUITE_P(Seeds, Epoch, testing::Range(0U, 8U));

}  // namespace
}  // namespace podlane::control::test
