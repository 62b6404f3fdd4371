#include "lib/dns/query.h"

#include <gtest/gtest.h>

#include <cstring>
#include <memory>

#include "tests/support/dns_messages.h"

namespace podlane {
namespace {

using test::dns_query;
using test::DnsAsk;
using Bytes = std::vector<uint8_t>;

// From memory of the exact size, so that a sanitizer sees a read beyond it.
DnsParse parse(const Bytes& message, DnsQuery& query) {
    const auto exact = std::make_unique<uint8_t[]>(message.size());
    std::copy(message.begin(), message.end(), exact.get());
    return parse_dns_query({exact.get(), message.size()}, query);
}

DnsParse parse(const Bytes& message) {
    DnsQuery query;
    return parse(message, query);
}

TEST(DnsQuery, SaysWhatIsAsked) {
    DnsQuery query;
    const DnsAsk ask{.id = 0xbeef, .recursion = true, .checking_disabled = true};
    ASSERT_EQ(parse(dns_query("Web.Default", "SRV", ask), query), DnsParse::kOk);
    EXPECT_EQ(query.id.host(), 0xbeef);
    EXPECT_TRUE(query.recursion_desired());
    EXPECT_TRUE(query.flags & kDnsCheckingDisabled);
    EXPECT_EQ(dns_name_text(query.name.wire()), "web.default");
    EXPECT_EQ(std::memcmp(query.asked.data(), "\3Web\7Default", 13), 0);
    EXPECT_EQ(query.type, kDnsSrv);
    EXPECT_EQ(query.class_, kDnsClassIn);
    EXPECT_FALSE(query.has_edns);
    EXPECT_EQ(query.udp_limit(), 512u);
}

TEST(DnsQuery, EdnsSaysHowMuchTheClientTakes) {
    DnsQuery query;
    ASSERT_EQ(parse(dns_query("a", "A", {.edns_bytes = 800, .dnssec_ok = true}), query),
              DnsParse::kOk);
    EXPECT_TRUE(query.has_edns);
    EXPECT_TRUE(query.dnssec_ok);
    EXPECT_EQ(query.udp_limit(), 800u);
    DnsQuery large;
    ASSERT_EQ(parse(dns_query("a", "A", {.edns_bytes = 4096}), large), DnsParse::kOk);
    EXPECT_EQ(large.udp_limit(), kMaxDnsUdpBytes);
    DnsQuery small;
    ASSERT_EQ(parse(dns_query("a", "A", {.edns_bytes = 100}), small), DnsParse::kOk);
    EXPECT_EQ(small.udp_limit(), 512u);
    DnsQuery later;
    ASSERT_EQ(parse(dns_query("a", "A", {.edns_bytes = 1232, .edns_version = 3}), later),
              DnsParse::kOk);
    EXPECT_EQ(later.edns_version, 3);
}

TEST(DnsQuery, CutOffAtAnyByteItIsRefusedAndNeverReadBeyond) {
    const Bytes whole = dns_query("web.default.svc.cluster.local", "A", {.edns_bytes = 1232});
    for (size_t bytes = 0; bytes < whole.size(); ++bytes) {
        const DnsParse wanted = bytes < sizeof(DnsHeader) ? DnsParse::kIgnore : DnsParse::kFormErr;
        EXPECT_EQ(parse(Bytes(whole.begin(), whole.begin() + static_cast<ptrdiff_t>(bytes))),
                  wanted)
            << bytes;
    }
    EXPECT_EQ(parse(whole), DnsParse::kOk);
}

TEST(DnsQuery, WhatStandsBehindIsNotLookedAt) {
    Bytes message = dns_query("web", "A");
    message.insert(message.end(), {1, 2, 3});
    EXPECT_EQ(parse(message), DnsParse::kOk);
}

TEST(DnsQuery, AnAnswerIsIgnored) {
    Bytes message = dns_query("web", "A");
    message[2] |= 0x80;
    EXPECT_EQ(parse(message), DnsParse::kIgnore);
}

TEST(DnsQuery, OtherOpcodesAreNotImplemented) {
    for (unsigned opcode = 1; opcode < 16; ++opcode) {
        Bytes message = dns_query("web", "A");
        message[2] = static_cast<uint8_t>(message[2] | opcode << 3);
        DnsQuery query;
        EXPECT_EQ(parse(message, query), DnsParse::kNotImp);
        EXPECT_EQ(query.id.host(), 0x1234);
    }
}

TEST(DnsQuery, HasOneQuestionAndNoAnswers) {
    for (const size_t count_at : {5u, 7u, 9u}) {
        Bytes message = dns_query("web", "A");
        message[count_at] = 2;
        EXPECT_EQ(parse(message), DnsParse::kFormErr) << count_at;
    }
    Bytes none = dns_query("web", "A");
    none[5] = 0;
    EXPECT_EQ(parse(none), DnsParse::kFormErr);
}

TEST(DnsQuery, ACompressedNameIsAFormatError) {
    Bytes message = dns_query("web", "A");
    message[12] = 0xc0;
    EXPECT_EQ(parse(message), DnsParse::kFormErr);
}

TEST(DnsQuery, OneOptRecordWithTheRootsName) {
    const Bytes once = dns_query("web", "A", {.edns_bytes = 1232});
    Bytes twice = once;
    twice.insert(twice.end(), once.end() - 11, once.end());
    twice[11] = 2;
    EXPECT_EQ(parse(twice), DnsParse::kFormErr);
    Bytes named = dns_query("web", "A");
    named[11] = 1;
    const Bytes record{1, 'x', 0, 0, 41, 4, 208, 0, 0, 0, 0, 0, 0};
    named.insert(named.end(), record.begin(), record.end());
    EXPECT_EQ(parse(named), DnsParse::kFormErr);
}

TEST(DnsQuery, OptionsAndOtherAdditionalRecordsAreSkipped) {
    Bytes message = dns_query("web", "A", {.edns_bytes = 1232});
    // A COOKIE option of eight bytes (RFC 7873).
    message[message.size() - 1] = 12;
    message.insert(message.end(), {0, 10, 0, 8, 1, 2, 3, 4, 5, 6, 7, 8});
    // A record of another type, its name compressed.
    message[11] = 2;
    message.insert(message.end(), {0xc0, 12, 0, 16, 0, 1, 0, 0, 0, 0, 0, 2, 1, 'x'});
    DnsQuery query;
    ASSERT_EQ(parse(message, query), DnsParse::kOk);
    EXPECT_EQ(query.udp_limit(), 1232u);
    message[11] = 200;
    EXPECT_EQ(parse(message), DnsParse::kFormErr) << "more additional records than anybody sends";
}

}  // namespace
}  // namespace podlane
