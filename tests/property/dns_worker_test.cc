// Random queries through one worker, frame in and frame out, against the plain model.
//
// 100,000 queries; PODLANE_DNS_QUERIES sets another number.
#include <gtest/gtest.h>

#include <cstdlib>

#include "control/compile/names.h"
#include "lib/dns/answer.h"
#include "tests/support/dns_model.h"
#include "tests/support/frames.h"
#include "tests/support/seed.h"
#include "tests/unit/dataplane/rig.h"

namespace podlane::dataplane {
namespace {

using control::ChangeSet;
using control::NodeConfig;
using control::ObjectPtr;
using control::ObjectStore;
using control::Service;
using test::DnsModel;

constexpr const char* kServer = "10.96.0.10";

uint64_t query_count() {
    const char* given = std::getenv("PODLANE_DNS_QUERIES");
    return given != nullptr ? std::strtoull(given, nullptr, 10) : 100'000;
}

NodeConfig node() {
    NodeConfig config;
    config.cluster.dns = {*parse_ip(kServer)};
    config.cluster.pod_cidrs = {*parse_prefix("10.244.0.0/16"), *parse_prefix("fd00:10::/32")};
    config.cluster.service_cidrs = {*parse_prefix("10.96.0.0/16")};
    return config;
}

/// Random objects, and a thousand plain Services.
void fill(ObjectStore& store, test::RandomNames& random) {
    std::vector<control::Object> objects;
    for (int i = 0; i < 400; ++i) objects.push_back(random.object());
    for (unsigned i = 0; i < 1000; ++i) {
        auto made = std::make_shared<Service>();
        made->meta.name_space = "big";
        made->meta.name = "web-" + std::to_string(i);
        made->cluster_ips = {address_plus(*parse_ip("10.96.4.0"), i)};
        made->ports = {{"http", control::Protocol::kTcp, 80, {}, 0, ""}};
        objects.emplace_back(ObjectPtr<Service>(made));
    }
    store.commit(store.plan_apply(objects));
}

class DnsWorker : public testing::Test {
  protected:
    DnsWorker() {
        fill(store_, random_);
        model_.add_all(store_);
        names_ = model_.names();
        compiler_.update(compiler_.affected(ObjectStore().plan_apply(all_objects()), store_),
                         store_, control::AddressFamily::kIpv4);
        rig_.change([this](Snapshot& snapshot) { snapshot.dns = compiler_.zone(); });
    }

    std::vector<control::Object> all_objects() const {
        return store_.list(control::Kind::kService);
    }
    /// The answer that pod A gets, if any.
    std::optional<test::DnsReply> ask(const std::vector<uint8_t>& query) {
        const auto port = static_cast<uint16_t>(1024 + random_.below(60'000));
        rig_.send(Rig::kPodA, test::frame()
                                  .eth(RigNames::kPodAMac, RigNames::kGatewayMac)
                                  .ip(World<V4>::kPodA, kServer)
                                  .udp(port, 53)
                                  .payload(query)
                                  .build());
        const auto frames = rig_.take(Rig::kPodA);
        if (frames.size() != 1) return std::nullopt;
        Headers headers;
        const Frame& frame = frames[0];
        EXPECT_EQ(parse_frame(frame, static_cast<uint32_t>(frame.size()), headers), Drop::kNone);
        return test::read_dns(std::span(frame).subspan(headers.payload_offset));
    }

    const uint64_t seed_ = test::test_seed();
    test::RandomNames random_{seed_};
    ObjectStore store_;
    DnsModel model_{"cluster.local",
                    {kServer},
                    {"244.10.in-addr.arpa", "0.1.0.0.0.0.d.f.ip6.arpa", "96.10.in-addr.arpa"}};
    std::vector<std::string> names_;
    NodeConfig config_ = node();
    control::NameCompiler compiler_{config_};
    Rig rig_;
};

TEST_F(DnsWorker, AnswersEveryQueryAsTheModelDoes) {
    SCOPED_TRACE("PODLANE_TEST_SEED=" + std::to_string(seed_));
    uint64_t existing = 0, elsewhere = 0;
    const uint64_t count = query_count();
    for (uint64_t i = 0; i < count; ++i) {
        const auto [plain, type] = random_.question(names_);
        const std::string name = random_.with_any_case(plain);
        test::DnsAsk how{.id = static_cast<uint16_t>(i)};
        if (random_.chance(50)) how.edns_bytes = static_cast<uint16_t>(random_.below(5000));
        const auto reply = ask(test::dns_query(name, type, how));
        const auto wanted = model_.ask(plain, type);
        if (wanted.kind == DnsModel::Kind::kElsewhere) {
            ASSERT_FALSE(reply) << name << " " << type;
            ++elsewhere;
            continue;
        }
        existing += wanted.kind == DnsModel::Kind::kNxDomain ? 0 : 1;
        ASSERT_TRUE(reply) << name << " " << type;
        ASSERT_EQ(model_.judge(name, type, *reply), "");
        ASSERT_EQ(reply->id, how.id);
    }
    EXPECT_GT(existing, count / 3) << "about half of the names are there";
    EXPECT_GT(count - existing - elsewhere, count / 5);
    EXPECT_EQ(rig_.shared().flows_v4->counters().created, 0u);
    const auto& counted = rig_.shared().counters[0]->dns;
    EXPECT_EQ(counted[static_cast<size_t>(DnsOutcome::kForward)].get(), elsewhere);
    std::printf("%llu queries, %llu of names that exist, %llu left to upstream\n",
                static_cast<unsigned long long>(count), static_cast<unsigned long long>(existing),
                static_cast<unsigned long long>(elsewhere));
}

}  // namespace
}  // namespace podlane::dataplane
