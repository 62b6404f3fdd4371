// Every kind of answer, parsed by libldns. Section numbers are those of the Kubernetes DNS
// specification, version 1.1.0.
#include "lib/dns/answer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <memory>
#include <set>

#include "lib/dns/writer.h"
#include "tests/support/dns_messages.h"

namespace podlane {
namespace {

using test::dns_query;
using test::DnsAsk;
using test::DnsReply;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;
using testing::UnorderedElementsAre;

constexpr const char* kSoa =
    "cluster.local. 5 IN SOA ns.dns.cluster.local. hostmaster.cluster.local. 1 7200 1800 86400 5";

struct Answered {
    DnsAnswer answer;
    DnsReply reply;
    std::vector<uint8_t> bytes;
};

class DnsAnswerTest : public testing::Test {
  protected:
    /// Into memory of exactly `room` bytes, so that a sanitizer sees a write beyond it.
    Answered ask(std::string_view name, std::string_view type, const DnsAsk& how = {},
                 size_t room = 1232, uint32_t turn = 0, bool follow = true) const {
        DnsQuery query;
        EXPECT_EQ(parse_dns_query(dns_query(name, type, how), query), DnsParse::kOk);
        const auto out = std::make_unique<uint8_t[]>(room);
        Answered got;
        got.answer = answer_dns_query(*zone_, query, {out.get(), room}, turn, follow);
        got.bytes.assign(out.get(), out.get() + got.answer.bytes);
        if (got.answer.bytes > 0) got.reply = test::read_dns(got.bytes);
        return got;
    }
    DnsReply reply(std::string_view name, std::string_view type) const {
        const Answered got = ask(name, type);
        EXPECT_TRUE(got.reply.readable) << name;
        return got.reply;
    }
    void expect_none(std::string_view name, std::string_view type, DnsOutcome outcome) const {
        const Answered got = ask(name, type);
        EXPECT_EQ(got.answer.outcome, outcome) << name << " " << type;
        ASSERT_TRUE(got.reply.readable) << name;
        EXPECT_EQ(got.reply.rcode, outcome == DnsOutcome::kNxDomain ? 3 : 0) << name;
        EXPECT_TRUE(got.reply.authoritative);
        EXPECT_THAT(got.reply.answer, IsEmpty()) << name;
        EXPECT_THAT(got.reply.authority, ElementsAre(kSoa)) << name;
    }

    std::shared_ptr<DnsZone> zone_ = test::dns_world();
};

TEST_F(DnsAnswerTest, AClusterIpHasAddresses) {  // 2.3.1
    EXPECT_THAT(reply("web.default.svc.cluster.local", "A").answer,
                ElementsAre("web.default.svc.cluster.local. 5 IN A 10.96.0.20"));
    EXPECT_THAT(reply("web.default.svc.cluster.local", "AAAA").answer,
                ElementsAre("web.default.svc.cluster.local. 5 IN AAAA fd96::20"));
}

TEST_F(DnsAnswerTest, TheHeaderAnswersTheQuestion) {
    const DnsReply got = ask("web.default.svc.cluster.local", "A",
                             {.id = 0xfeed, .recursion = true, .checking_disabled = true})
                             .reply;
    EXPECT_EQ(got.id, 0xfeed);
    EXPECT_EQ(got.rcode, 0);
    EXPECT_TRUE(got.authoritative);
    EXPECT_TRUE(got.recursion_desired);
    EXPECT_TRUE(got.recursion_available);
    EXPECT_TRUE(got.checking_disabled);
    EXPECT_FALSE(got.truncated);
    EXPECT_FALSE(got.has_edns);
    EXPECT_THAT(got.question, ElementsAre("web.default.svc.cluster.local. IN A"));
    const DnsReply plain = ask("web.default.svc.cluster.local", "A", {.recursion = false}).reply;
    EXPECT_FALSE(plain.recursion_desired);
    EXPECT_FALSE(plain.checking_disabled);
}

TEST_F(DnsAnswerTest, CaseDoesNotCountAndIsKept) {
    const DnsReply got = reply("wEb.DeFault.SVC.cluster.LOCAL", "A");
    EXPECT_THAT(got.question, ElementsAre("wEb.DeFault.SVC.cluster.LOCAL. IN A"));
    EXPECT_THAT(got.answer, ElementsAre("wEb.DeFault.SVC.cluster.LOCAL. 5 IN A 10.96.0.20"));
}

TEST_F(DnsAnswerTest, ANamedPortHasAService) {  // 2.3.2
    const DnsReply got = reply("_http._tcp.web.default.svc.cluster.local", "SRV");
    EXPECT_THAT(got.answer, ElementsAre("_http._tcp.web.default.svc.cluster.local. 5 IN SRV 0 100 "
                                        "80 web.default.svc.cluster.local."));
    EXPECT_THAT(got.additional,
                UnorderedElementsAre("web.default.svc.cluster.local. 5 IN A 10.96.0.20",
                                     "web.default.svc.cluster.local. 5 IN AAAA fd96::20"));
    EXPECT_THAT(reply("_dns._udp.web.default.svc.cluster.local", "SRV").answer, SizeIs(1));
    expect_none("_http._udp.web.default.svc.cluster.local", "SRV", DnsOutcome::kNxDomain);
    expect_none("_http._tcp.web.default.svc.cluster.local", "A", DnsOutcome::kNoData);
    expect_none("_tcp.web.default.svc.cluster.local", "SRV", DnsOutcome::kNoData);
    expect_none("_sctp.web.default.svc.cluster.local", "SRV", DnsOutcome::kNxDomain);
    expect_none("http._tcp.web.default.svc.cluster.local", "SRV", DnsOutcome::kNxDomain);
}

TEST_F(DnsAnswerTest, AClusterIpHasAPointer) {  // 2.3.3
    EXPECT_THAT(reply("20.0.96.10.in-addr.arpa", "PTR").answer,
                ElementsAre("20.0.96.10.in-addr.arpa. 5 IN PTR web.default.svc.cluster.local."));
    EXPECT_THAT(
        reply("0.2.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.6.9.d.f.ip6.arpa", "PTR")
            .answer,
        SizeIs(1));
}

TEST_F(DnsAnswerTest, AHeadlessServiceHasTheAddressesOfItsEndpoints) {  // 2.4.1
    EXPECT_THAT(reply("db.default.svc.cluster.local", "A").answer,
                ElementsAre("db.default.svc.cluster.local. 5 IN A 10.244.1.5",
                            "db.default.svc.cluster.local. 5 IN A 10.244.2.6",
                            "db.default.svc.cluster.local. 5 IN A 10.244.3.7"));
    EXPECT_THAT(reply("db-0.db.default.svc.cluster.local", "A").answer,
                ElementsAre("db-0.db.default.svc.cluster.local. 5 IN A 10.244.1.5"));
    EXPECT_THAT(reply("DB-0.db.default.svc.cluster.local", "AAAA").answer, SizeIs(1));
    EXPECT_THAT(reply("10-244-3-7.db.default.svc.cluster.local", "A").answer, SizeIs(1));
    expect_none("db-1.db.default.svc.cluster.local", "AAAA", DnsOutcome::kNoData);
    expect_none("db-2.db.default.svc.cluster.local", "A", DnsOutcome::kNxDomain);
    expect_none("x.db-0.db.default.svc.cluster.local", "A", DnsOutcome::kNxDomain);
}

TEST_F(DnsAnswerTest, EachAnswerBeginsElsewhere) {
    std::set<std::string> first;
    for (uint32_t turn = 0; turn < 3; ++turn) {
        const DnsReply got = ask("db.default.svc.cluster.local", "A", {}, 1232, turn).reply;
        ASSERT_THAT(got.answer, SizeIs(3));
        EXPECT_EQ(std::set<std::string>(got.answer.begin(), got.answer.end()).size(), 3u);
        first.insert(got.answer.front());
    }
    EXPECT_EQ(first.size(), 3u);
    EXPECT_THAT(ask("db.default.svc.cluster.local", "A", {}, 1232, ~uint32_t{0}).reply.answer,
                SizeIs(3));
}

TEST_F(DnsAnswerTest, AHeadlessPortHasAServiceForEachEndpoint) {  // 2.4.2
    const DnsReply got = reply("_sql._tcp.db.default.svc.cluster.local", "SRV");
    EXPECT_THAT(got.answer,
                UnorderedElementsAre("_sql._tcp.db.default.svc.cluster.local. 5 IN SRV 0 100 3306 "
                                     "10-244-3-7.db.default.svc.cluster.local.",
                                     "_sql._tcp.db.default.svc.cluster.local. 5 IN SRV 0 100 3306 "
                                     "db-0.db.default.svc.cluster.local.",
                                     "_sql._tcp.db.default.svc.cluster.local. 5 IN SRV 0 100 3306 "
                                     "db-1.db.default.svc.cluster.local."));
    EXPECT_THAT(got.additional,
                UnorderedElementsAre("10-244-3-7.db.default.svc.cluster.local. 5 IN A 10.244.3.7",
                                     "db-0.db.default.svc.cluster.local. 5 IN A 10.244.1.5",
                                     "db-0.db.default.svc.cluster.local. 5 IN AAAA fd00::5",
                                     "db-1.db.default.svc.cluster.local. 5 IN A 10.244.2.6"));
}

TEST_F(DnsAnswerTest, AnEndpointHasAPointer) {  // 2.4.3
    EXPECT_THAT(
        reply("5.1.244.10.in-addr.arpa", "PTR").answer,
        ElementsAre("5.1.244.10.in-addr.arpa. 5 IN PTR db-0.db.default.svc.cluster.local."));
}

TEST_F(DnsAnswerTest, AnExternalNameIsAnAliasToBeFollowed) {  // 2.5
    const Answered got = ask("outside.shop.svc.cluster.local", "A");
    EXPECT_EQ(got.answer.outcome, DnsOutcome::kForward);
    EXPECT_EQ(dns_name_text(got.answer.target), "www.example.com");
    const std::string alias = "outside.shop.svc.cluster.local. 5 IN CNAME www.example.com.";
    EXPECT_THAT(ask("outside.shop.svc.cluster.local", "A", {.recursion = false}).reply.answer,
                ElementsAre(alias))
        << "not followed when nobody asks for it";
    EXPECT_THAT(ask("outside.shop.svc.cluster.local", "A", {}, 1232, 0, false).reply.answer,
                ElementsAre(alias));
    EXPECT_THAT(reply("outside.shop.svc.cluster.local", "CNAME").answer, ElementsAre(alias));
    expect_none("x.outside.shop.svc.cluster.local", "A", DnsOutcome::kNxDomain);
}

TEST_F(DnsAnswerTest, AnAliasWithinTheClusterIsFollowedHere) {
    const DnsReply got = reply("Alias.shop.svc.cluster.local", "A");
    EXPECT_THAT(got.answer, ElementsAre("Alias.shop.svc.cluster.local. 5 IN CNAME "
                                        "web.default.svc.cluster.local.",
                                        "web.default.svc.cluster.local. 5 IN A 10.96.0.20"));
    const Answered none = ask("alias.shop.svc.cluster.local", "TXT");
    EXPECT_EQ(none.reply.rcode, 0);
    EXPECT_THAT(none.reply.answer, SizeIs(1));
    EXPECT_THAT(none.reply.authority, ElementsAre(kSoa));
    const DnsReply gone = reply("gone.shop.svc.cluster.local", "A");  // RFC 6604
    EXPECT_EQ(gone.rcode, 3);
    EXPECT_THAT(gone.answer, SizeIs(1));
    EXPECT_THAT(gone.authority, ElementsAre(kSoa));
    const Answered circle = ask("circle.shop.svc.cluster.local", "A");
    EXPECT_EQ(circle.answer.outcome, DnsOutcome::kServFail);
    EXPECT_EQ(circle.reply.rcode, 2);
}

TEST_F(DnsAnswerTest, PodsHaveNamesMadeOfTheirAddresses) {  // 2.6
    EXPECT_THAT(reply("10-244-1-5.default.pod.cluster.local", "A").answer,
                ElementsAre("10-244-1-5.default.pod.cluster.local. 5 IN A 10.244.1.5"));
    EXPECT_THAT(reply("fd00--5.default.pod.cluster.local", "AAAA").answer, SizeIs(1));
    expect_none("10-244-1-5.default.pod.cluster.local", "AAAA", DnsOutcome::kNoData);
    expect_none("fd00--5.default.pod.cluster.local", "A", DnsOutcome::kNoData);
    expect_none("default.pod.cluster.local", "A", DnsOutcome::kNoData);
    expect_none("10-244-1.default.pod.cluster.local", "A", DnsOutcome::kNxDomain);
    expect_none("x.10-244-1-5.default.pod.cluster.local", "A", DnsOutcome::kNxDomain);
}

TEST_F(DnsAnswerTest, TheSchemasVersionIsAText) {  // 2.2
    EXPECT_THAT(reply("dns-version.cluster.local", "TXT").answer,
                ElementsAre("dns-version.cluster.local. 5 IN TXT \"1.1.0\""));
    expect_none("dns-version.cluster.local", "A", DnsOutcome::kNoData);
    expect_none("x.dns-version.cluster.local", "TXT", DnsOutcome::kNxDomain);
}

TEST_F(DnsAnswerTest, TheZoneHasAServerAndAnAuthority) {
    EXPECT_THAT(reply("cluster.local", "SOA").answer, ElementsAre(kSoa));
    EXPECT_THAT(reply("cluster.local", "NS").answer,
                ElementsAre("cluster.local. 5 IN NS ns.dns.cluster.local."));
    EXPECT_THAT(reply("ns.dns.cluster.local", "A").answer,
                ElementsAre("ns.dns.cluster.local. 5 IN A 10.96.0.10"));
    EXPECT_THAT(reply("ns.dns.cluster.local", "AAAA").answer,
                ElementsAre("ns.dns.cluster.local. 5 IN AAAA fd96::a"));
    zone_->raise_serial();
    EXPECT_THAT(reply("cluster.local", "SOA").answer.front(), testing::HasSubstr(" 2 7200 "));
}

TEST_F(DnsAnswerTest, NamesWithNothingButNamesBelowThemExist) {  // RFC 8020
    for (const char* name : {"cluster.local", "svc.cluster.local", "default.svc.cluster.local",
                             "pod.cluster.local", "dns.cluster.local"}) {
        expect_none(name, "A", DnsOutcome::kNoData);
    }
}

TEST_F(DnsAnswerTest, WhatIsNotThereDoesNotExist) {
    for (const char* name :
         {"nothing.default.svc.cluster.local", "nowhere.svc.cluster.local", "x.cluster.local",
          "web.nowhere.svc.cluster.local", "www.google.com.default.svc.cluster.local",
          "www.google.com.svc.cluster.local", "www.google.com.cluster.local", "x.dns.cluster.local",
          "a.b.c.d.e.web.default.svc.cluster.local"}) {
        expect_none(name, "A", DnsOutcome::kNxDomain);
        expect_none(name, "AAAA", DnsOutcome::kNxDomain);
    }
    expect_none("web.default.svc.cluster.local", "MX", DnsOutcome::kNoData);
}

TEST_F(DnsAnswerTest, OtherDomainsAreLeftToOthers) {
    for (const char* name :
         {"www.google.com", "local", "xcluster.local", "", "8.8.8.8.in-addr.arpa", "in-addr.arpa",
          "10.in-addr.arpa", "web.default.svc.cluster.local.x"}) {
        const Answered got = ask(name, "A");
        EXPECT_EQ(got.answer.outcome, DnsOutcome::kForward) << name;
        EXPECT_EQ(got.answer.bytes, 0u);
        EXPECT_TRUE(got.answer.target.empty());
    }
}

TEST_F(DnsAnswerTest, ReverseZonesOfTheClusterAreItsOwn) {
    const Answered got = ask("99.9.244.10.in-addr.arpa", "A");
    EXPECT_EQ(got.answer.outcome, DnsOutcome::kNoData) << "it has a pointer";
    const Answered none = ask("1.2.250.10.in-addr.arpa", "PTR");
    EXPECT_EQ(none.answer.outcome, DnsOutcome::kForward) << "of no prefix of the cluster";
    const DnsReply gone = reply("9.9.96.10.in-addr.arpa", "PTR");
    EXPECT_EQ(gone.rcode, 3);
    EXPECT_THAT(gone.authority, ElementsAre("96.10.in-addr.arpa. 5 IN SOA ns.dns.cluster.local. "
                                            "hostmaster.cluster.local. 1 7200 1800 86400 5"));
    EXPECT_EQ(ask("244.10.in-addr.arpa", "PTR").answer.outcome, DnsOutcome::kNoData);
    EXPECT_THAT(reply("244.10.in-addr.arpa", "SOA").answer, SizeIs(1));
    EXPECT_EQ(ask("x.9.9.244.10.in-addr.arpa", "PTR").answer.outcome, DnsOutcome::kNxDomain);
    EXPECT_EQ(ask("0.0.d.f.ip6.arpa", "PTR").answer.outcome, DnsOutcome::kNoData);
    EXPECT_EQ(ask("0.d.f.ip6.arpa", "PTR").answer.outcome, DnsOutcome::kForward);
}

TEST_F(DnsAnswerTest, EdnsIsAnsweredWithEdns) {  // RFC 6891
    const DnsReply got =
        ask("web.default.svc.cluster.local", "A", {.edns_bytes = 4096, .dnssec_ok = true}).reply;
    EXPECT_TRUE(got.has_edns);
    EXPECT_TRUE(got.dnssec_ok);
    EXPECT_EQ(got.edns_bytes, 1232);
    const Answered later =
        ask("web.default.svc.cluster.local", "A", {.edns_bytes = 1232, .edns_version = 1});
    EXPECT_EQ(later.answer.outcome, DnsOutcome::kBadVersion);
    EXPECT_EQ(later.reply.rcode, 16);
    EXPECT_THAT(later.reply.answer, IsEmpty());
}

TEST_F(DnsAnswerTest, ALargeAnswerIsCutAtAWholeRecord) {
    for (size_t room = kMinDnsUdpBytes; room <= kMaxDnsUdpBytes; ++room) {
        const Answered got = ask("many.shop.svc.cluster.local", "A", {.edns_bytes = 4096}, room, 7);
        ASSERT_TRUE(got.reply.readable) << room;
        EXPECT_TRUE(got.reply.truncated);
        EXPECT_TRUE(got.answer.truncated);
        EXPECT_TRUE(got.reply.has_edns);
        EXPECT_LE(got.answer.bytes, room);
        EXPECT_EQ(got.reply.answer.size(), (room - 11 - 12 - 33) / 16) << room;
    }
    const Answered whole = ask("many.shop.svc.cluster.local", "A", {}, kMaxDnsMessage);
    EXPECT_FALSE(whole.reply.truncated);
    EXPECT_THAT(whole.reply.answer, SizeIs(200));
}

TEST_F(DnsAnswerTest, AnAnswerWithoutRoomForAdditionalRecordsIsWhole) {
    const Answered got = ask("_sql._tcp.db.default.svc.cluster.local", "SRV", {}, 512);
    EXPECT_FALSE(got.reply.truncated);
    EXPECT_THAT(got.reply.answer, SizeIs(3));
    const Answered many = ask("_x._tcp.many.shop.svc.cluster.local", "SRV", {}, kMaxDnsMessage);
    EXPECT_FALSE(many.reply.truncated);
    EXPECT_THAT(many.reply.answer, SizeIs(200));
    EXPECT_THAT(many.reply.additional, SizeIs(64));
    const Answered cut = ask("_x._tcp.many.shop.svc.cluster.local", "SRV", {}, 1232);
    EXPECT_TRUE(cut.reply.truncated);
    EXPECT_FALSE(cut.reply.answer.empty());
    EXPECT_THAT(cut.reply.additional, IsEmpty());
}

TEST_F(DnsAnswerTest, AnyGivesAllOfAName) {
    EXPECT_THAT(reply("web.default.svc.cluster.local", "ANY").answer, SizeIs(2));
    EXPECT_THAT(reply("outside.shop.svc.cluster.local", "ANY").answer, SizeIs(1));
    EXPECT_THAT(reply("_http._tcp.web.default.svc.cluster.local", "ANY").answer, SizeIs(1));
}

TEST_F(DnsAnswerTest, TransfersAndOtherClassesAreRefused) {
    for (const char* type : {"AXFR", "IXFR"}) {
        const Answered got = ask("cluster.local", type);
        EXPECT_EQ(got.answer.outcome, DnsOutcome::kRefused);
        EXPECT_EQ(got.reply.rcode, 5);
    }
    const Answered chaos = ask("version.bind", "TXT", {.class_ = 3});
    EXPECT_EQ(chaos.answer.outcome, DnsOutcome::kRefused);
    EXPECT_EQ(chaos.reply.rcode, 5);
}

TEST_F(DnsAnswerTest, TheLongestNameFitsTheSmallestAnswer) {
    std::string name;
    for (int i = 0; i < 120; ++i) name += "a.";
    name += "cluster.local";
    ASSERT_EQ(dns_name_from_text(name)->size(), 255u);
    const Answered got = ask(name, "A", {.edns_bytes = 512}, 512);
    ASSERT_TRUE(got.reply.readable);
    EXPECT_EQ(got.reply.rcode, 3);
    EXPECT_THAT(got.reply.authority, SizeIs(1));
}

TEST(DnsError, SaysItsCodeAloneForWhatCouldNotBeRead) {
    DnsQuery query;
    query.id = be16(0x1234);
    query.flags = 0x2900;  // opcode 5, recursion desired
    std::array<uint8_t, 512> out{};
    ASSERT_EQ(write_dns_error(query, rcode_of(DnsParse::kNotImp), out), 12u);
    EXPECT_EQ(out[2] & 0x78, 0x28) << "the opcode is repeated";
    const DnsReply reply = test::read_dns(std::span(out).first(12));
    ASSERT_TRUE(reply.readable);
    EXPECT_EQ(reply.rcode, 4);
    EXPECT_EQ(reply.id, 0x1234);
    EXPECT_EQ(rcode_of(DnsParse::kFormErr), DnsRcode::kFormErr);
    EXPECT_EQ(outcome_of(DnsParse::kFormErr), DnsOutcome::kFormErr);
    EXPECT_EQ(outcome_of(DnsParse::kNotImp), DnsOutcome::kNotImp);
    EXPECT_STREQ(to_string(DnsOutcome::kForward), "forward");
}

TEST(DnsWriter, WhatDoesNotFitLeavesNoTrace) {
    std::array<uint8_t, 8> room{};
    DnsWriter writer(room);
    writer.u32(0x01020304);
    const size_t data = writer.begin_data();
    writer.u8(9);
    writer.end_data(data);
    EXPECT_TRUE(writer.ok());
    EXPECT_EQ(room[5], 1);
    writer.u16(5);
    EXPECT_FALSE(writer.ok());
    writer.u8(5);
    EXPECT_FALSE(writer.ok()) << "nothing after what did not fit";
    EXPECT_EQ(room[7], 0);
    writer.rewind(7);
    writer.u8(5);
    EXPECT_TRUE(writer.ok());
    EXPECT_EQ(writer.size(), 8u);
    writer.skip(1);
    EXPECT_FALSE(writer.ok());
}

}  // namespace
}  // namespace podlane
