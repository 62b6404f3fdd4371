#include "control/dns/message.h"

#include <gmock/gmock.h>

#include "lib/dns/answer.h"
#include "tests/unit/name_server/support.h"

namespace podlane::control {
namespace {

using test::dns_query;
using test::DnsReply;
using test::read_dns;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

DnsMessage message(const DnsBytes& bytes) {
    auto made = DnsMessage::parse(bytes);
    EXPECT_TRUE(made.has_value());
    return std::move(*made);
}

/// An answer without records but for an SOA with this TTL and minimum, and data if it has any.
DnsMessage nothing(uint32_t ttl, uint32_t minimum, unsigned flags = 0x8183, bool has_data = true) {
    DnsBytes bytes = answer_to(dns_query("www.example.com", "A"), 0, 0, flags);
    bytes[9] = 1;
    put_u16(bytes, 0xc00c);
    put_u16(bytes, 6);
    put_u16(bytes, 1);
    put_u16(bytes, ttl >> 16);
    put_u16(bytes, ttl & 0xffff);
    put_u16(bytes, has_data ? 22 : 0);
    if (!has_data) return message(bytes);
    put_u16(bytes, 0);  // two roots
    for (const uint32_t value : {1u, 2u, 3u, 4u, minimum}) {
        put_u16(bytes, value >> 16);
        put_u16(bytes, value & 0xffff);
    }
    return message(bytes);
}

TEST(DnsMessage, IsWellFormedOrNothing) {
    const DnsBytes good = answer_to(dns_query("www.example.com", "A"), 2);
    EXPECT_TRUE(DnsMessage::parse(good));
    for (size_t size = 0; size < good.size(); ++size) {
        EXPECT_FALSE(DnsMessage::parse(std::span(good).first(size))) << size;
    }
}

TEST(DnsMessage, AnswersItsOwnQueryAlone) {
    const DnsMessage answer = message(answer_to(dns_query("WWW.example.com", "A", {.id = 7}), 1));
    EXPECT_TRUE(answer.answers(7, question("www.example.com")));
    EXPECT_FALSE(answer.answers(8, question("www.example.com")));
    EXPECT_FALSE(answer.answers(7, question("example.com")));
    EXPECT_FALSE(answer.answers(7, question("www.example.com", kDnsAaaa)));
    const DnsMessage query = message(dns_query("www.example.com", "A", {.id = 7}));
    EXPECT_FALSE(query.answers(7, question("www.example.com"))) << "a query is no answer";
}

TEST(DnsMessage, IsKeptForItsLeastTtl) {
    EXPECT_EQ(message(answer_to(dns_query("a", "A"), 2, 60)).seconds_to_keep(), 60u);
    EXPECT_EQ(message(answer_to(dns_query("a", "A"), 2, 1'000'000)).seconds_to_keep(), 3600u);
    EXPECT_EQ(message(answer_to(dns_query("a", "A"), 2, 0)).seconds_to_keep(), 0u);
    EXPECT_EQ(message(answer_to(dns_query("a", "A"), 1, 60, 0x8380)).seconds_to_keep(), 0u)
        << "cut";
    EXPECT_EQ(message(answer_to(dns_query("a", "A"), 0, 0, 0x8182)).seconds_to_keep(), 0u);
}

TEST(DnsMessage, WhatIsNotThereIsKeptAsItsAuthoritySays) {  // RFC 2308 section 5
    EXPECT_EQ(nothing(20, 10).seconds_to_keep(), 10u);
    EXPECT_EQ(nothing(5, 10).seconds_to_keep(), 5u);
    EXPECT_EQ(nothing(900, 900).seconds_to_keep(), 30u);
    EXPECT_EQ(nothing(20, 10, 0x8180).seconds_to_keep(), 10u) << "the type, not the name";
    EXPECT_EQ(message(answer_to(dns_query("a", "A"), 0, 0, 0x8183)).seconds_to_keep(), 0u);
    EXPECT_EQ(nothing(20, 10, 0x8183, false).seconds_to_keep(), 0u) << "an SOA without data";
}

TEST(UpstreamQuery, AsksWhatTheClientAsks) {
    DnsQuestion asked = question("www.example.com", kDnsAaaa);
    asked.dnssec_ok = true;
    asked.checking_disabled = true;
    const DnsReply query = read_dns(make_upstream_query(0xabcd, asked, true));
    EXPECT_EQ(query.id, 0xabcd);
    EXPECT_THAT(query.question, ElementsAre("www.example.com. IN AAAA"));
    EXPECT_TRUE(query.recursion_desired);
    EXPECT_TRUE(query.checking_disabled);
    EXPECT_TRUE(query.dnssec_ok);
    EXPECT_EQ(query.edns_bytes, kMaxDnsUdpBytes);
}

TEST(UpstreamQuery, WithoutEdnsHasNoRecordBehindItsQuestion) {
    const DnsQuestion asked = question("www.example.com", kDnsAaaa);
    const DnsBytes query = make_upstream_query(0xabcd, asked, false);
    EXPECT_THAT(read_dns(query).question, ElementsAre("www.example.com. IN AAAA"));
    EXPECT_EQ(query.size(), sizeof(DnsHeader) + asked.name.size() + 4);
}

TEST(UpstreamQuery, IsRefusedForItsEdnsByFormerrOrNotimpWithOrWithoutQuestion) {
    const DnsBytes query = make_upstream_query(0xabcd, question("a"), true);
    for (const unsigned flags : {0x8181u, 0x8184u, 0x8001u, 0x8004u}) {
        DnsBytes answer = answer_to(query, 0, 0, flags);
        EXPECT_TRUE(refuses_edns(answer, 0xabcd));
        EXPECT_FALSE(refuses_edns(answer, 0xabce)) << "an answer to another query";
        answer.resize(sizeof(DnsHeader));
        EXPECT_TRUE(refuses_edns(answer, 0xabcd)) << "a header, whatever its counts";
        answer.pop_back();
        EXPECT_FALSE(refuses_edns(answer, 0xabcd));
    }
    for (const unsigned flags : {0x8180u, 0x8182u, 0x8183u, 0x8185u, 0x0181u}) {
        EXPECT_FALSE(refuses_edns(answer_to(query, 0, 0, flags), 0xabcd)) << flags;
    }
}

TEST(ClientAnswer, HasTheClientsIdAndCaseAndOlderRecords) {
    const DnsQuery query =
        parsed(dns_query("WwW.example.com", "A", {.id = 0x77, .edns_bytes = 900}));
    const DnsMessage upstream = message(answer_to(dns_query("www.example.com", "A"), 1, 60));
    const DnsReply reply = read_dns(make_client_answer(query, nullptr, upstream, 25, 900));
    EXPECT_EQ(reply.id, 0x77);
    EXPECT_THAT(reply.question, ElementsAre("WwW.example.com. IN A"));
    ASSERT_THAT(reply.answer, SizeIs(1));
    EXPECT_NE(reply.answer[0].find(" 35 IN A 192.0.2.0"), std::string::npos) << reply.answer[0];
    EXPECT_TRUE(reply.recursion_available);
    EXPECT_TRUE(reply.has_edns);
    EXPECT_FALSE(reply.authoritative);
    const DnsReply old = read_dns(make_client_answer(query, nullptr, upstream, 100, 900));
    EXPECT_NE(old.answer[0].find(" 0 IN A"), std::string::npos) << "never below zero";
}

TEST(ClientAnswer, WithoutEdnsHasNone) {
    const DnsMessage upstream = message(answer_to(dns_query("www.example.com", "A"), 1));
    const auto query = parsed(dns_query("www.example.com", "A"));
    EXPECT_FALSE(read_dns(make_client_answer(query, nullptr, upstream, 0, 512)).has_edns);
}

TEST(ClientAnswer, IsCutToWhatTheClientTakes) {
    const DnsMessage upstream = message(answer_to(dns_query("www.example.com", "A"), 200));
    const DnsQuery query = parsed(dns_query("www.example.com", "A"));
    const DnsBytes cut = make_client_answer(query, nullptr, upstream, 0, 512);
    EXPECT_LE(cut.size(), 512u);
    const DnsReply reply = read_dns(cut);
    ASSERT_TRUE(reply.readable);
    EXPECT_TRUE(reply.truncated);
    EXPECT_GT(reply.answer.size(), 20u);
    const DnsReply whole = read_dns(make_client_answer(query, nullptr, upstream, 0, 65535));
    EXPECT_FALSE(whole.truncated);
    EXPECT_THAT(whole.answer, SizeIs(200));
}

TEST(ClientAnswer, AliasesOfTheClusterStandFirst) {
    const DnsQuery query = parsed(dns_query("mirror.shop.svc.cluster.local", "A"));
    DnsBytes chain(512);
    DnsQuery plain = parsed(dns_query("outside.shop.svc.cluster.local", "A"));
    chain.resize(answer_dns_query(*test::dns_world(), plain, chain, 0, false).bytes);
    const DnsMessage aliases = message(chain);
    const DnsMessage upstream = message(answer_to(dns_query("www.example.com", "A"), 1));
    const DnsReply reply = read_dns(make_client_answer(query, &aliases, upstream, 0, 512));
    ASSERT_THAT(reply.answer, SizeIs(2));
    EXPECT_NE(reply.answer[0].find("CNAME www.example.com."), std::string::npos);
    EXPECT_NE(reply.answer[1].find("www.example.com. 60 IN A"), std::string::npos);
    EXPECT_THAT(aliases.lines(), SizeIs(1));
    EXPECT_THAT(nothing(1, 1).lines(), SizeIs(1));
}

TEST(DnsQuestion, OfAnAliasIsAboutItsTarget) {
    const DnsQuery query =
        parsed(dns_query("Web.example.com", "AAAA", {.checking_disabled = true}));
    const DnsQuestion own = DnsQuestion::of(query);
    EXPECT_EQ(own.name, *dns_name_from_text("web.example.com"));
    EXPECT_TRUE(own.checking_disabled);
    EXPECT_EQ(own.about(*dns_name_from_text("x.y")).name, *dns_name_from_text("x.y"));
    EXPECT_EQ(own.about("x").type, kDnsAaaa);
}

}  // namespace
}  // namespace podlane::control
