// NetworkPolicies as they are written, and what is compiled of them.
#include "control/compile/policies.h"

#include <gmock/gmock.h>

#include "control/compile/policy_peers.h"
#include "lib/decide/policy.h"
#include "tests/unit/compile/world.h"

namespace podlane::control::test {
namespace {

constexpr PortId kDbPort{3};

std::string labelled_pod(std::string_view name, std::string_view address, std::string_view labels,
                         std::string_view more = "") {
    const size_t slash = name.find('/');
    return fmt::format(
        "---\napiVersion: v1\nkind: Pod\nmetadata: {{namespace: {}, name: {}, labels: {{{}}}}}\n"
        "spec: {{{}}}\nstatus: {{phase: Running, podIP: {}}}\n",
        name.substr(0, slash), name.substr(slash + 1), labels, more, address);
}
std::string policy(std::string_view name, std::string_view spec) {
    return fmt::format(
        "---\napiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {{name: {}}}\n"
        "spec: {}\n",
        name, spec);
}
constexpr const char* kDenyAll = "{podSelector: {}, policyTypes: [Ingress, Egress]}";

/// Pods default/web (10.244.1.10) and default/db (10.244.1.20) here, others elsewhere.
class Policies : public testing::Test {
  protected:
    Policies() : world(config()) {
        input = plugged_in();
        input.ports.push_back({kDbPort, "default/db", PortKind::kPod, "tap3", kPodMac, 1450, {}});
        input.pods.push_back({"default/db", kDbPort, kPodMac, {ip("10.244.1.20")}, 1450});
        world.plug(input);
        apply(labelled_pod(
                  "default/web", "10.244.1.10", "app: web",
                  "containers: [{name: a, image: b, ports: [{name: http, containerPort: 80}]}]") +
              labelled_pod("default/db", "10.244.1.20", "app: db") +
              labelled_pod(
                  "default/far", "10.244.2.5", "app: far",
                  "containers: [{name: a, image: b, ports: [{name: http, containerPort: 8080}]}]") +
              labelled_pod("ingress/nginx", "10.244.2.6", "app: nginx") +
              labelled_pod("ingress/other", "10.244.2.7", "app: other") +
              "---\napiVersion: v1\nkind: Namespace\nmetadata: {name: ingress, labels: {role: "
              "edge}}\n");
    }
    static NodeConfig config() {
        NodeConfig made = node_a();
        made.cluster.dns = {ip("10.96.0.10")};
        return made;
    }
    void apply(const std::string& yaml) { ASSERT_EQ(world.apply(yaml), ""); }
    void apply_policy(std::string_view spec) { apply(policy("p", spec)); }
    bool allows(std::string_view src, std::string_view dst, uint16_t port, uint8_t protocol = 6) {
        const FlowKey<V4> key{
            ip(src).as<V4>(), ip(dst).as<V4>(), be16(40000), be16(port), protocol, 0, 0};
        NoTrace none;
        return judge_policies(world.now(), policy_query_of<V4>(world.now(), key, PortKind::kPod),
                              none) == Drop::kNone;
    }
    size_t selected() { return world.compiler.policies().selected({"default", "p"}); }

    World world;
    TopologyInput input;
    const std::string web = "10.244.1.10", db = "10.244.1.20", far = "10.244.2.5",
                      nginx = "10.244.2.6", other = "10.244.2.7", outside = "203.0.113.9";
};

TEST_F(Policies, OnlyTheIngressControllerOnOnePort) {
    apply_policy(
        "{podSelector: {matchLabels: {app: web}}, ingress: [{ports: [{port: 80}], from: "
        "[{namespaceSelector: {matchLabels: {role: edge}}, podSelector: {matchLabels: {app: "
        "nginx}}}]}]}");
    EXPECT_TRUE(allows(nginx, web, 80));
    EXPECT_FALSE(allows(nginx, web, 81));
    EXPECT_FALSE(allows(nginx, web, 80, 17)) << "the protocol is TCP where none is given";
    for (const auto& others : {other, db, far, outside}) EXPECT_FALSE(allows(others, web, 80));
    EXPECT_TRUE(allows(web, far, 5)) << "policyTypes is Ingress alone";
    EXPECT_TRUE(allows(other, db, 80)) << "not selected";
    EXPECT_EQ(selected(), 1u);
}

TEST_F(Policies, SelectorsOfPeers) {
    const auto from = [&](std::string_view peers) {
        apply_policy(fmt::format("{{podSelector: {{}}, ingress: [{{from: {}}}]}}", peers));
    };
    from("[{podSelector: {matchLabels: {app: far}}}]");
    EXPECT_TRUE(allows(far, web, 1));
    EXPECT_FALSE(allows(nginx, web, 1));
    from("[{podSelector: {}}]");
    EXPECT_TRUE(allows(db, web, 1));
    EXPECT_FALSE(allows(nginx, web, 1)) << "of its own namespace";
    from("[{namespaceSelector: {}}]");
    EXPECT_TRUE(allows(nginx, web, 1) && allows(far, web, 1));
    EXPECT_FALSE(allows(outside, web, 1));
    from("[{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: ingress}}}]");
    EXPECT_TRUE(allows(nginx, web, 1));
    EXPECT_FALSE(allows(far, web, 1));
    from("[{ipBlock: {cidr: 203.0.113.0/24, except: [203.0.113.8/31]}}]");
    EXPECT_FALSE(allows(outside, web, 1));
    EXPECT_TRUE(allows("203.0.113.10", web, 1));
    from("[]");
    EXPECT_TRUE(allows(outside, web, 1)) << "no peers are everybody";
    EXPECT_EQ(selected(), 2u);
}

TEST_F(Policies, AValueThatNoLabelCanHaveMatchesNothingAndIsNoOtherOne) {
    apply_policy(R"({podSelector: {}, ingress: [
        {ports: [{port: 1}], from: [{podSelector: {matchExpressions: [{key: app, operator: In, values: ["far,db"]}]}}]},
        {ports: [{port: 2}], from: [{podSelector: {matchExpressions: [{key: app, operator: In, values: [far, db]}]}}]}]})");
    EXPECT_FALSE(allows(far, web, 1));
    EXPECT_TRUE(allows(far, web, 2));
}

TEST_F(Policies, Ports) {
    const auto to = [&](std::string_view ports) {
        apply_policy(fmt::format(
            "{{podSelector: {{}}, policyTypes: [Egress], egress: [{{ports: {}}}]}}", ports));
    };
    to("[{port: 80, endPort: 90}]");
    EXPECT_TRUE(allows(web, outside, 80) && allows(web, outside, 90));
    EXPECT_FALSE(allows(web, outside, 79) || allows(web, outside, 91));
    EXPECT_FALSE(allows(web, outside, 0, 1)) << "ICMP has no ports";
    to("[{protocol: SCTP}]");
    EXPECT_TRUE(allows(web, outside, 7, 132));
    EXPECT_FALSE(allows(web, outside, 7));
    to("[{port: http}]");
    EXPECT_TRUE(allows(db, web, 80)) << "by the pod that is asked";
    EXPECT_TRUE(allows(db, far, 8080));
    EXPECT_FALSE(allows(db, far, 80) || allows(db, nginx, 80) || allows(db, outside, 80));
    to("[]");
    EXPECT_TRUE(allows(web, outside, 0, 1));
}

TEST_F(Policies, TheNodesDnsServerIsAPodOfKubeSystem) {
    const std::string dns = "10.96.0.10";
    apply_policy(kDenyAll);
    EXPECT_FALSE(allows(web, dns, 53, 17));
    const std::string start = "{podSelector: {}, policyTypes: [Egress], egress: [";
    apply_policy(start +
                 "{to: [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: "
                 "kube-system}}, podSelector: {matchLabels: {k8s-app: kube-dns}}}], ports: [{port: "
                 "53, protocol: UDP}, {port: dns-tcp}]}]}");
    EXPECT_TRUE(allows(web, dns, 53, 17) && allows(web, dns, 53));
    EXPECT_FALSE(allows(web, dns, 54, 17));
    EXPECT_FALSE(allows(web, outside, 53, 17));
    apply_policy(start + "{to: [{ipBlock: {cidr: 10.96.0.10/32}}]}]}");
    EXPECT_TRUE(allows(web, dns, 53, 17));
}

TEST_F(Policies, PoliciesAddUp) {
    apply_policy(kDenyAll);
    EXPECT_FALSE(allows(far, web, 80) || allows(web, far, 80));
    apply(policy("q", "{podSelector: {}, ingress: [{}], egress: [{}]}"));
    EXPECT_TRUE(allows(far, web, 80) && allows(web, far, 80));
    ASSERT_EQ(world.remove(Kind::kNetworkPolicy, "default", "q"), "");
    EXPECT_FALSE(allows(far, web, 80));
    ASSERT_EQ(world.remove(Kind::kNetworkPolicy, "default", "p"), "");
    EXPECT_TRUE(allows(far, web, 80));
    EXPECT_EQ(selected(), 0u);
}

TEST_F(Policies, ALocalPodIsSelectedByItsNamespaceBeforeItHasAnObject) {
    ASSERT_EQ(world.remove(Kind::kPod, "default", "web"), "");
    apply_policy(kDenyAll);
    EXPECT_FALSE(allows(far, web, 80));
    apply_policy("{podSelector: {matchLabels: {app: web}}}");
    EXPECT_TRUE(allows(far, web, 80));
    apply(labelled_pod("default/web", "10.244.1.10", "app: web"));
    EXPECT_FALSE(allows(far, web, 80));
}

TEST_F(Policies, AnAddressThatTwoPodsSayIsTheNewerRunningOnes) {
    const auto aged = [](std::string_view name, int day, std::string_view labels,
                         std::string_view phase = "Running") {
        return fmt::format(
            "---\napiVersion: v1\nkind: Pod\nmetadata: {{name: {}, creationTimestamp: "
            "\"2026-01-{:02}T00:00:00Z\", labels: {{{}}}}}\nstatus: {{phase: {}, podIP: "
            "10.244.2.30}}\n",
            name, day, labels, phase);
    };
    const std::string both = "10.244.2.30";
    apply_policy(
        "{podSelector: {matchLabels: {app: web}}, ingress: [{from: [{podSelector: "
        "{matchLabels: {app: trusted}}}]}]}");
    apply(aged("former", 1, "app: trusted"));
    EXPECT_TRUE(allows(both, web, 80));
    const uint32_t epoch = world.now().isolated_epoch;
    apply(aged("present", 2, "app: stranger"));
    EXPECT_FALSE(allows(both, web, 80)) << "its labels count, not those of who had it";
    EXPECT_NE(world.now().isolated_epoch, epoch) << "connections are asked about again";
    apply(aged("former", 1, "app: trusted, tier: any"));
    EXPECT_FALSE(allows(both, web, 80)) << "whoever is told of last";
    apply(aged("present", 2, "app: stranger", "Failed"));
    EXPECT_TRUE(allows(both, web, 80)) << "a pod that has ended has given it up";
    apply(aged("present", 2, "app: stranger"));
    ASSERT_EQ(world.remove(Kind::kPod, "default", "present"), "");
    EXPECT_TRUE(allows(both, web, 80));
    apply(aged("former", 1, "app: trusted", "Succeeded"));
    EXPECT_FALSE(allows(both, web, 80));
}

TEST_F(Policies, AnAddressIsThePodsThatHasItHereWhateverOthersSay) {
    apply_policy(
        "{podSelector: {matchLabels: {app: web}}, ingress: [{from: [{podSelector: "
        "{matchLabels: {app: db}}}], ports: [{port: 5, protocol: TCP}]}]}");
    EXPECT_TRUE(allows(db, web, 5));
    apply(
        "---\napiVersion: v1\nkind: Pod\nmetadata: {name: later, creationTimestamp: "
        "\"2026-01-05T00:00:00Z\", labels: {app: other}}\nstatus: {phase: Running, podIP: "
        "10.244.1.20}\n");
    EXPECT_TRUE(allows(db, web, 5));
    input.pods.pop_back();
    world.plug(input);
    EXPECT_FALSE(allows(db, web, 5)) << "the object of the pod that was here is the older one";
}

TEST_F(Policies, AnEpochRisesWhenSomethingIsTakenAwayAndNotElse) {
    const auto epochs = [&] {
        return std::pair(world.now().topology_epoch, world.now().isolated_epoch);
    };
    const auto at_first = epochs();
    apply_policy(
        "{podSelector: {matchLabels: {app: web}}, ingress: [{from: [{podSelector: "
        "{matchLabels: {app: far}}}]}]}");
    const auto isolated = epochs();
    EXPECT_NE(isolated.first, at_first.first) << "flows of a pod that no policy selected";
    apply(labelled_pod("default/more", "10.244.2.8", "app: far"));
    apply(labelled_pod("ingress/more", "10.244.2.9", "app: far"));
    apply(policy("q", "{podSelector: {matchLabels: {app: web}}, ingress: [{}]}"));
    EXPECT_EQ(epochs(), isolated) << "more is allowed";
    apply(labelled_pod("default/more", "10.244.2.8", "app: far", "nodeName: b"));
    EXPECT_EQ(epochs(), isolated) << "nothing that concerns anybody";
    ASSERT_EQ(world.remove(Kind::kPod, "ingress", "more"), "");
    EXPECT_EQ(epochs(), isolated) << "nobody's peer";
    ASSERT_EQ(world.remove(Kind::kPod, "default", "more"), "");
    const auto lost = epochs();
    EXPECT_NE(lost.second, isolated.second);
    EXPECT_EQ(lost.first, isolated.first) << "only isolated flows are asked about";
    ASSERT_EQ(world.remove(Kind::kNetworkPolicy, "default", "q"), "");
    EXPECT_NE(epochs().second, lost.second);
    const auto again = epochs();
    ASSERT_EQ(world.remove(Kind::kNetworkPolicy, "default", "p"), "");
    EXPECT_EQ(epochs(), again) << "all is open now";
}

TEST_F(Policies, AChangeElsewhereLeavesThePodsPoliciesAndSharesTheirSets) {
    apply_policy(
        "{podSelector: {matchLabels: {app: web}}, ingress: [{from: [{podSelector: {}}, "
        "{namespaceSelector: {matchLabels: {role: edge}}}]}]}");
    const auto before = std::make_shared<Snapshot>(world.now());
    apply(labelled_pod("ingress/more", "10.244.2.9", "app: far"));
    const auto& port = index_of(kPodPort);
    EXPECT_EQ(world.now().pod_policies[port], before->pod_policies[port]);
    const auto& peers = world.now().pod_policies[port]->ingress[0]->ingress[0].peers;
    ASSERT_EQ(peers.size(), 2u);
    const auto set = [&](const Snapshot& snapshot, size_t i) {
        return snapshot.v4.policy_sets.pods[index_of(peers[i])];
    };
    EXPECT_EQ(set(world.now(), 0), set(*before, 0));
    EXPECT_NE(set(world.now(), 1), set(*before, 1));
    EXPECT_EQ(set(world.now(), 1)->size(), 3u);
}

TEST(PolicyPeers, EqualSelectorsShareASetWhichGoesWithItsLastUser) {
    ObjectStore store;
    const auto pod = std::make_shared<Pod>();
    pod->meta = {"a", "p", {{"app", "x"}}, {}};
    pod->ips = {ip("10.244.2.9")};
    store.commit(store.plan_apply({ObjectPtr<Pod>(pod)}));
    PolicyPeers peers({});
    const LocalAddresses local;
    peers.refresh({{"a", "p"}}, local, store);
    PolicyPeer peer;
    peer.pod_selector = LabelSelector{{{"app", "x"}}, {}};
    const PolicySetId set = peers.take_pods(peer, "a", store);
    EXPECT_EQ(peers.take_pods(peer, "a", store), set);
    EXPECT_NE(peers.take_pods(peer, "b", store), set) << "another namespace's pods";
    const auto snapshot = make_empty_snapshot();
    EXPECT_FALSE(peers.apply(*snapshot));
    EXPECT_TRUE(snapshot->v4.policy_sets.has_pod(set, ip("10.244.2.9").as<V4>()));
    peers.give_back_pods(set);
    EXPECT_FALSE(peers.apply(*snapshot));
    EXPECT_TRUE(snapshot->v4.policy_sets.has_pod(set, ip("10.244.2.9").as<V4>()));
    peers.give_back_pods(set);
    (void)peers.apply(*snapshot);
    EXPECT_FALSE(snapshot->v4.policy_sets.has_pod(set, ip("10.244.2.9").as<V4>()));
    const PolicySetId port = peers.take_port("http", Protocol::kTcp);
    EXPECT_EQ(peers.take_port("http", Protocol::kTcp), port);
    EXPECT_NE(peers.take_port("http", Protocol::kUdp), port);
    peers.give_back_port(port);
}

}  // namespace
}  // namespace podlane::control::test
