#include "control/dns/cache.h"

#include "tests/unit/name_server/support.h"

namespace podlane::control {
namespace {

std::shared_ptr<const DnsMessage> some() {
    return std::make_shared<const DnsMessage>(
        *DnsMessage::parse(answer_to(test::dns_query("a", "A"), 1)));
}

TEST(DnsCache, KeepsAnAnswerForItsTimeAndKnowsItsAge) {
    DnsCache cache;
    const auto answer = some();
    cache.insert(question("a"), answer, 10, 1000);
    EXPECT_EQ(cache.find(question("a"), 1000).message, answer);
    const auto later = cache.find(question("a"), 10'999);
    EXPECT_EQ(later.message, answer);
    EXPECT_EQ(later.age_s, 9u);
    EXPECT_EQ(cache.find(question("a"), 11'000).message, nullptr);
    EXPECT_EQ(cache.size(), 0u);
}

TEST(DnsCache, TellsQuestionsApart) {
    DnsCache cache;
    cache.insert(question("a"), some(), 10, 0);
    EXPECT_EQ(cache.find(question("b"), 0).message, nullptr);
    EXPECT_EQ(cache.find(question("a", kDnsAaaa), 0).message, nullptr);
    DnsQuestion dnssec = question("a");
    dnssec.dnssec_ok = true;
    EXPECT_EQ(cache.find(dnssec, 0).message, nullptr);
}

TEST(DnsCache, IsBoundedAndLosesTheLeastUsed) {
    DnsCache cache(2);
    cache.insert(question("a"), some(), 10, 0);
    cache.insert(question("b"), some(), 10, 0);
    EXPECT_NE(cache.find(question("a"), 0).message, nullptr);
    cache.insert(question("c"), some(), 10, 0);
    EXPECT_EQ(cache.size(), 2u);
    EXPECT_EQ(cache.find(question("b"), 0).message, nullptr);
    EXPECT_NE(cache.find(question("a"), 0).message, nullptr);
}

TEST(DnsCache, ANewAnswerReplacesTheOldOne) {
    DnsCache cache;
    const auto second = some();
    cache.insert(question("a"), some(), 10, 0);
    cache.insert(question("a"), second, 10, 5000);
    EXPECT_EQ(cache.size(), 1u);
    EXPECT_EQ(cache.find(question("a"), 12'000).message, second);
}

TEST(DnsCache, WhatMayNotBeKeptIsNot) {
    DnsCache cache;
    cache.insert(question("a"), some(), 0, 0);
    EXPECT_EQ(cache.size(), 0u);
}

}  // namespace
}  // namespace podlane::control
