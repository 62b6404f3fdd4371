// Whatever comes, goes and changes: compiled policies allow what the model allows, and the epochs
// rise when a permission is taken away.
#include <gtest/gtest.h>

#include <map>
#include <random>
#include <string>

#include "lib/decide/policy.h"
#include "tests/property/policy/model.h"
#include "tests/support/seed.h"
#include "tests/unit/compile/world.h"

namespace podlane::control::test {
namespace {

constexpr int kWorlds = 250, kSteps = 20, kQuestions = 20;
const std::string kNames[] = {"a", "b", "kube-system"};

/// Random objects, few enough to interact.
class Maker {
  public:
    explicit Maker(uint64_t seed) : random_(seed) {}

    unsigned below(unsigned n) { return static_cast<unsigned>(random_() % n); }
    bool one_in(unsigned n) { return below(n) == 0; }
    template <class T, size_t N>
    const T& of(const T (&list)[N]) {
        return list[below(N)];
    }

    Labels labels() {
        Labels made;
        if (!one_in(4)) made["app"] = std::string(1, static_cast<char>('x' + below(3)));
        if (one_in(2)) made["tier"] = std::to_string(below(2));
        if (one_in(9)) made["k8s-app"] = "kube-dns";
        return made;
    }
    LabelSelector selector() {
        LabelSelector made;
        if (one_in(4)) return made;
        if (one_in(2)) made.match_labels["app"] = std::string(1, static_cast<char>('x' + below(3)));
        if (one_in(6)) made.match_labels["k8s-app"] = "kube-dns";
        if (one_in(8)) made.match_labels["kubernetes.io/metadata.name"] = of(kNames);
        if (one_in(3)) {
            LabelExpression expression{
                "tier", static_cast<LabelExpression::Operator>(below(4)), {}};
            if (below(4) < 2) expression.values = {"0"};
            using Op = LabelExpression::Operator;
            if (expression.op == Op::kIn || expression.op == Op::kNotIn) expression.values = {"0"};
            if (expression.op == Op::kExists || expression.op == Op::kDoesNotExist) {
                expression.values = {};
            }
            made.match_expressions.push_back(expression);
        }
        return made;
    }
    uint16_t port() { return static_cast<uint16_t>(52 + below(4)); }
    Protocol protocol() {
        constexpr Protocol kAll[] = {Protocol::kTcp, Protocol::kUdp, Protocol::kSctp};
        return of(kAll);
    }
    std::string port_name() { return one_in(2) ? "dns" : "http"; }

    ObjectPtr<Pod> pod() {
        auto made = std::make_shared<Pod>();
        made->meta.name_space = of(kNames);
        made->meta.name = "p" + std::to_string(below(3));
        made->meta.labels = labels();
        made->meta.created = below(4);
        made->host_network = one_in(10);
        made->phase = one_in(10) ? PodPhase::kSucceeded : PodPhase::kRunning;
        made->ips = {ip("10.244.2." + std::to_string(10 + below(5)))};
        if (one_in(2)) made->ips.push_back(ip("fd00:10:2::" + std::to_string(10 + below(3))));
        for (unsigned i = below(3); i > 0; --i) {
            made->ports.push_back({.name = port_name(), .port = port(), .protocol = protocol()});
        }
        return made;
    }
    ObjectPtr<Namespace> name_space() {
        auto made = std::make_shared<Namespace>();
        made->meta.name = of(kNames);
        made->meta.labels = labels();
        return made;
    }
    IpBlock block() {
        if (one_in(3)) return {prefix("fd00:10:2::/64"), {prefix("fd00:10:2::10/124")}};
        if (one_in(2)) return {prefix("10.0.0.0/8"), {prefix("10.244.2.12/31")}};
        return {prefix("0.0.0.0/0"), {}};
    }
    std::vector<PolicyRule> rules() {
        std::vector<PolicyRule> made(below(3));
        for (PolicyRule& rule : made) {
            for (unsigned i = below(3); i > 0; --i) {
                PolicyPeer peer;
                const unsigned kind = below(4);
                if (kind == 3) peer.ip_block = block();
                if (kind == 0 || kind == 2) peer.pod_selector = selector();
                if (kind == 1 || kind == 2) peer.namespace_selector = selector();
                rule.peers.push_back(peer);
            }
            for (unsigned i = below(3); i > 0; --i) {
                PolicyPort each;
                each.protocol = protocol();
                const unsigned kind = below(4);
                if (kind == 1) each.port = PortRef{port(), ""};
                if (kind == 2) each.port = PortRef{0, port_name()};
                if (kind == 3) {
                    each.port = PortRef{port(), ""};
                    each.end_port = static_cast<uint16_t>(each.port->number + below(3));
                }
                rule.ports.push_back(each);
            }
        }
        return made;
    }
    ObjectPtr<NetworkPolicy> policy() {
        auto made = std::make_shared<NetworkPolicy>();
        made->meta.name_space = of(kNames);
        made->meta.name = "np" + std::to_string(below(3));
        made->pod_selector = selector();
        made->affects_ingress = !one_in(3);
        made->affects_egress = !made->affects_ingress || one_in(2);
        made->ingress = rules();
        made->egress = rules();
        return made;
    }
    Object object() {
        const unsigned kind = below(8);
        if (kind < 3) return pod();
        if (kind < 4) return name_space();
        return policy();
    }
    /// Ports of some pods, which may lack objects.
    TopologyInput plugged() {
        TopologyInput made = plugged_in();
        made.ports.pop_back();
        made.pods.clear();
        for (uint16_t i = 0; i < 4; ++i) {
            if (one_in(3)) continue;
            const PortId port{static_cast<uint16_t>(2 + i)};
            made.ports.push_back({port, "", PortKind::kPod, "tap", {}, 1450, {}});
            made.pods.push_back({kNames[i % 2] + "/p" + std::to_string(i / 2),
                                 port,
                                 kPodMac,
                                 {ip("10.244.1." + std::to_string(10 + i)),
                                  ip("fd00:10:1::" + std::to_string(10 + i))},
                                 0});
        }
        return made;
    }
    PolicyQuestion question() {
        static const std::vector<std::string> kV4 = {"10.244.1.10", "10.244.1.11", "10.244.1.12",
                                                     "10.244.1.13", "10.244.2.10", "10.244.2.11",
                                                     "10.244.2.12", "10.244.2.13", "10.244.2.14",
                                                     "10.96.0.10",  "203.0.113.9", "192.168.50.2"};
        static const std::vector<std::string> kV6 = {
            "fd00:10:1::10", "fd00:10:1::11", "fd00:10:1::12", "fd00:10:1::13", "fd00:10:2::10",
            "fd00:10:2::11", "fd00:10:2::12", "fd00:96::10",   "2001:db8::9"};
        constexpr uint8_t kProtocols[] = {6, 17, 132, 1};
        const auto& list = one_in(3) ? kV6 : kV4;
        const auto any = [&] { return ip(list[below(static_cast<unsigned>(list.size()))]); };
        // Usually one end is a local pod.
        const auto here = [&] { return ip(list[below(4)]); };
        PolicyQuestion made{any(), any(), of(kProtocols), port(), one_in(20)};
        (one_in(2) ? made.src : made.dst) = here();
        if (made.protocol == 1) made.dst_port = 0;
        return made;
    }

  private:
    std::mt19937_64 random_;
};

template <Family F>
bool compiled_allows(const Snapshot& snapshot, const PolicyQuestion& asked, bool& isolated) {
    const FlowKey<F> key{asked.src.as<F>(),
                         asked.dst.as<F>(),
                         be16(40000),
                         be16(asked.dst_port),
                         asked.protocol,
                         0,
                         0};
    const PolicyQuery<F> query =
        policy_query_of<F>(snapshot, key, asked.from_node ? PortKind::kHost : PortKind::kPod);
    isolated = snapshot.polices(query.from) || snapshot.polices(query.to);
    NoTrace none;
    StepTrace told;
    const Drop drop = judge_policies(snapshot, query, none);
    EXPECT_EQ(judge_policies(snapshot, query, told), drop);
    return drop == Drop::kNone;
}

std::string text(const PolicyQuestion& question) {
    return to_string(question.src) + " -> " + to_string(question.dst, question.dst_port) + " / " +
           std::to_string(question.protocol) + (question.from_node ? " from the node" : "");
}

/// What was once allowed, and under which epochs.
struct Given {
    uint32_t topology_epoch, isolated_epoch;
    bool isolated;
};

TEST(PolicyProperty, WhatIsCompiledAllowsWhatTheModelAllowsAndEpochsRiseWhenItIsTakenAway) {
    const uint64_t seed = podlane::test::test_seed();
    SCOPED_TRACE("PODLANE_TEST_SEED=" + std::to_string(seed));
    unsigned allowed = 0, denied = 0, taken = 0;
    for (int round = 0; round < kWorlds; ++round) {
        Maker maker(seed + static_cast<uint64_t>(round));
        NodeConfig config = node_a();
        config.cluster.dns = {ip("10.96.0.10"), ip("fd00:96::10")};
        World world(config);
        TopologyInput plugged = maker.plugged();
        world.plug(plugged);
        std::map<std::string, Given> given;
        for (int step = 0; step < kSteps; ++step) {
            const unsigned what = maker.below(8);
            if (what == 0) {
                // As the daemon does: a port that is removed leaves with a generation.
                plugged = maker.plugged();
                world.plug(plugged);
                given.clear();
            } else if (what < 3) {
                ASSERT_EQ(world.change(world.store.plan_delete({key_of(maker.object())})), "");
            } else {
                std::vector<Object> objects;
                for (unsigned i = step == 0 ? 8 : 1 + maker.below(3); i > 0; --i) {
                    objects.push_back(maker.object());
                }
                ASSERT_EQ(world.change(world.store.plan_apply(objects)), "");
            }
            const Snapshot& now = world.now();
            const PolicyWorld model{world.store, plugged.pods, config.cluster.dns};
            for (int i = 0; i < kQuestions; ++i) {
                const PolicyQuestion question = maker.question();
                const bool wanted = model_allows(model, question);
                bool isolated = false;
                const bool got = question.src.is_v4()
                                     ? compiled_allows<V4>(now, question, isolated)
                                     : compiled_allows<V6>(now, question, isolated);
                ASSERT_EQ(got, wanted)
                    << "world " << round << ", step " << step << ": " << text(question);
                ASSERT_EQ(isolated, (!question.from_node && model_polices(model, question.src)) ||
                                        model_polices(model, question.dst))
                    << text(question);
                ++(wanted ? allowed : denied);
                if (wanted) {
                    given[text(question)] = {now.topology_epoch, now.isolated_epoch, isolated};
                } else if (const auto at = given.find(text(question)); at != given.end()) {
                    ++taken;
                    const Given& then = at->second;
                    ASSERT_NE(then.isolated ? then.isolated_epoch : then.topology_epoch,
                              then.isolated ? now.isolated_epoch : now.topology_epoch)
                        << "world " << round << ", step " << step << ": " << text(question);
                    given.erase(at);
                }
            }
        }
    }
    EXPECT_GT(allowed, 10'000U);
    EXPECT_GT(denied, 10'000U);
    EXPECT_GT(taken, 200U) << "the test must be able to fail";
}

}  // namespace
}  // namespace podlane::control::test
