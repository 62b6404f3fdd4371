// However a state was reached, the zone's answers are those of the plain model of the objects.
#include <gtest/gtest.h>

#include "control/compile/names.h"
#include "lib/dns/answer.h"
#include "tests/support/dns_model.h"
#include "tests/support/seed.h"

namespace podlane::control {
namespace {

NodeConfig node() {
    NodeConfig config;
    config.cluster.dns = {*parse_ip("10.96.0.10"), *parse_ip("fd00:96::a")};
    config.cluster.pod_cidrs = {*parse_prefix("10.244.0.0/16"), *parse_prefix("fd00:10::/32")};
    config.cluster.service_cidrs = {*parse_prefix("10.96.0.0/16"), *parse_prefix("fd00:96::/112")};
    return config;
}

test::DnsModel model_of(const ObjectStore& store) {
    test::DnsModel model("cluster.local", {"10.96.0.10", "fd00:96::a"},
                         {"244.10.in-addr.arpa", "0.1.0.0.0.0.d.f.ip6.arpa", "96.10.in-addr.arpa",
                          "0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.6.9.0.0.0.0.d.f.ip6.arpa"});
    model.add_all(store);
    return model;
}

/// Asks with the function that workers call.
test::DnsReply ask(const DnsZone& zone, const std::string& name, const std::string& type,
                   DnsOutcome& outcome) {
    DnsQuery query;
    EXPECT_EQ(parse_dns_query(test::dns_query(name, type, {.edns_bytes = 1232}), query),
              DnsParse::kOk);
    std::vector<uint8_t> out(1232);
    const DnsAnswer answer = answer_dns_query(zone, query, out, 3);
    outcome = answer.outcome;
    return answer.bytes > 0 ? test::read_dns(std::span(out).first(answer.bytes)) : test::DnsReply{};
}

TEST(DnsNames, AreWhatTheModelSaysAfterAnyChanges) {
    const uint64_t seed = test::test_seed();
    SCOPED_TRACE("PODLANE_TEST_SEED=" + std::to_string(seed));
    test::RandomNames random(seed);
    const NodeConfig config = node();
    for (int world = 0; world < 40; ++world) {
        ObjectStore store;
        NameCompiler names(config);
        for (int change = 0; change < 30; ++change) {
            ChangeSet changes;
            if (random.chance(75)) {
                std::vector<Object> some;
                for (unsigned i = 0; i <= random.below(8); ++i) some.push_back(random.object());
                changes = store.plan_apply(some);
            } else {
                changes = store.plan_delete({key_of(random.object()), key_of(random.object())});
            }
            store.commit(changes);
            names.update(names.affected(changes, store), store, AddressFamily::kIpv4);
        }
        const test::DnsModel model = model_of(store);
        const auto all = model.names();
        for (int question = 0; question < 400; ++question) {
            const auto [name, type] = random.question(all);
            const auto wanted = model.ask(name, type);
            DnsOutcome outcome{};
            const test::DnsReply reply =
                ask(*names.zone(), random.with_any_case(name), type, outcome);
            if (wanted.kind == test::DnsModel::Kind::kElsewhere) {
                ASSERT_EQ(outcome, DnsOutcome::kForward) << name << " " << type;
                continue;
            }
            ASSERT_TRUE(reply.readable) << name << " " << type << " " << to_string(outcome);
            std::string asked = reply.question.empty() ? "" : reply.question[0];
            ASSERT_EQ(model.judge(asked.substr(0, asked.find(". IN ")), type, reply), "");
        }
    }
}

TEST(DnsNames, AnUpdateOfNothingKeepsTheZone) {
    const NodeConfig config = node();
    test::RandomNames random(1);
    ObjectStore store;
    NameCompiler names(config);
    std::vector<Object> some;
    for (int i = 0; i < 50; ++i) some.push_back(random.object());
    const ChangeSet changes = store.plan_apply(some);
    store.commit(changes);
    const auto affected = names.affected(changes, store);
    names.update(affected, store, AddressFamily::kIpv4);
    const auto before = names.zone();
    names.update(affected, store, AddressFamily::kIpv4);
    EXPECT_EQ(names.zone(), before) << "no name changed, so that nothing is made anew";
}

}  // namespace
}  // namespace podlane::control
