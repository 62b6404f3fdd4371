// The whole server on loopback: UDP, TCP, names of the zone and of an upstream.
#include "control/dns/dns_server.h"

#include <gmock/gmock.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <set>

#include "control/dns/listeners.h"
#include "control/dns/name_server.h"
#include "control/dns/responder.h"
#include "control/dns/zone_holder.h"
#include "control/netdev/unique_fd.h"
#include "tests/unit/name_server/support.h"

namespace podlane::control {
namespace {

using test::dns_query;
using test::DnsReply;
using test::read_dns;
using testing::SizeIs;

constexpr const char* kWeb = "web.default.svc.cluster.local";

/// A port of 127.0.0.1 that is free for UDP and TCP a moment ago.
uint16_t free_port() {
    return TestUpstream([](std::span<const uint8_t>, bool) { return DnsBytes{}; }).server().port;
}

class Server : public testing::Test {
  protected:
    void open(std::optional<std::vector<UpstreamDns>> upstreams,
              const std::string& resolv_conf = "/nonexistent") {
        port_ = free_port();
        server_.emplace(DnsServerOptions{std::move(upstreams), resolv_conf, port_});
        const auto opened = server_->open("", {*parse_ip("127.0.0.1")});
        ASSERT_TRUE(opened.ok()) << opened.error().message;
        server_->set_zone(test::dns_world());
    }
    int connected(int type, const char* from = "127.0.0.1") const {
        const int fd = ::socket(AF_INET, type | SOCK_CLOEXEC, 0);
        const timeval patience{10, 0};
        (void)::setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
        const auto source =
            asio_endpoint<boost::asio::ip::udp::endpoint>(*parse_ip(from), uint16_t{0});
        EXPECT_EQ(::bind(fd, source.data(), static_cast<socklen_t>(source.size())), 0);
        const auto to =
            asio_endpoint<boost::asio::ip::udp::endpoint>(*parse_ip("127.0.0.1"), port_);
        EXPECT_EQ(::connect(fd, to.data(), static_cast<socklen_t>(to.size())), 0);
        return fd;
    }
    DnsReply ask_udp(const DnsBytes& query) const {
        const UniqueFd fd(connected(SOCK_DGRAM));
        (void)::send(fd.get(), query.data(), query.size(), 0);
        DnsBytes answer(65535);
        const ssize_t got = ::recv(fd.get(), answer.data(), answer.size(), 0);
        return got > 0 ? read_dns(std::span(answer).first(static_cast<size_t>(got))) : DnsReply{};
    }
    static DnsBytes framed(const DnsBytes& query) {
        DnsBytes out;
        put_u16(out, static_cast<unsigned>(query.size()));
        out.insert(out.end(), query.begin(), query.end());
        return out;
    }
    static DnsReply read_tcp(int fd) {
        std::array<uint8_t, 2> length{};
        if (::recv(fd, length.data(), 2, MSG_WAITALL) != 2) return {};
        DnsBytes answer(size_t{length[0]} << 8 | length[1]);
        (void)::recv(fd, answer.data(), answer.size(), MSG_WAITALL);
        return read_dns(answer);
    }
    DnsReply ask_tcp(const DnsBytes& query) const {
        const UniqueFd fd(connected(SOCK_STREAM));
        const DnsBytes bytes = framed(query);
        (void)::send(fd.get(), bytes.data(), bytes.size(), 0);
        return read_tcp(fd.get());
    }
    /// Until the statistics, which lag behind, say so; ten seconds at most.
    template <class Condition>
    bool soon(Condition condition) const {
        for (int i = 0; i < 1000; ++i) {
            if (condition(server_->stats())) return true;
            ::usleep(10'000);
        }
        return false;
    }

    uint16_t port_ = 0;
    std::optional<DnsServer> server_;
};

TEST_F(Server, AnswersNamesOfTheZoneOverUdpAndTcp) {
    open(std::vector<UpstreamDns>{});
    EXPECT_THAT(ask_udp(dns_query(kWeb, "A")).answer, SizeIs(1));
    EXPECT_THAT(ask_tcp(dns_query(kWeb, "AAAA")).answer, SizeIs(1));
    EXPECT_EQ(ask_tcp(dns_query("x.cluster.local", "A")).rcode, 3);
    EXPECT_TRUE(soon([](const NameServerStats& stats) {
        return stats.udp_queries == 1 && stats.tcp_queries == 2 && stats.tcp_connections == 2 &&
               stats.outcomes[static_cast<size_t>(DnsOutcome::kAnswer)] == 2;
    }));
}

TEST_F(Server, AnswersWholeOverTcpWhatIsCutOverUdp) {
    open(std::vector<UpstreamDns>{});
    EXPECT_TRUE(ask_udp(dns_query("many.shop.svc.cluster.local", "A")).truncated);
    const DnsReply whole = ask_tcp(dns_query("many.shop.svc.cluster.local", "A"));
    EXPECT_FALSE(whole.truncated);
    EXPECT_THAT(whole.answer, SizeIs(200));
}

TEST_F(Server, AnswersManyQueriesOfOneConnection) {  // RFC 7766 section 6.2.1.1
    open(std::vector<UpstreamDns>{});
    const UniqueFd fd(connected(SOCK_STREAM));
    DnsBytes all;
    constexpr uint16_t kQueries = 100;
    for (uint16_t id = 0; id < kQueries; ++id) {
        const DnsBytes one = framed(dns_query(kWeb, "A", {.id = id}));
        all.insert(all.end(), one.begin(), one.end());
    }
    // A byte at first, so that the length comes in two parts.
    (void)::send(fd.get(), all.data(), 1, 0);
    ::usleep(10'000);
    (void)::send(fd.get(), all.data() + 1, all.size() - 1, 0);
    std::set<uint16_t> ids;
    for (int i = 0; i < kQueries; ++i) ids.insert(read_tcp(fd.get()).id);
    EXPECT_THAT(ids, SizeIs(kQueries));
}

TEST_F(Server, IdleConnectionsOfOneClientLeaveRoomForAnother) {
    open(std::vector<UpstreamDns>{});
    std::vector<UniqueFd> idle;
    for (size_t i = 0; i < DnsTcpListener::kMostConnections + 50; ++i) {
        idle.emplace_back(connected(SOCK_STREAM, "127.0.0.2"));
    }
    EXPECT_THAT(ask_tcp(dns_query(kWeb, "A")).answer, SizeIs(1));
    EXPECT_TRUE(soon([](const NameServerStats& stats) {
        return stats.tcp_connections == DnsTcpListener::kMostConnections / 2 + 1;
    })) << "one client has half of them at most";
}

TEST_F(Server, BrokenQueriesAreAnsweredAndNoQueriesEndTheConnection) {
    open(std::vector<UpstreamDns>{});
    DnsBytes cut = dns_query(kWeb, "A");
    cut.resize(20);
    EXPECT_EQ(ask_udp(cut).rcode, 1);
    DnsBytes update = dns_query(kWeb, "A");
    update[2] |= 0x28;
    EXPECT_EQ(ask_tcp(update).rcode, 4);
    DnsBytes answer = dns_query(kWeb, "A");
    answer[2] |= 0x80;
    EXPECT_FALSE(ask_tcp(answer).readable);
    EXPECT_EQ(ask_udp(dns_query(kWeb, "A")).rcode, 0) << "the server goes on";
}

TEST_F(Server, OtherNamesComeFromUpstreamAndAliasesAreFollowed) {
    TestUpstream upstream([](std::span<const uint8_t> query, bool) { return answer_to(query, 1); });
    open(std::vector<UpstreamDns>{upstream.server()});
    EXPECT_THAT(ask_udp(dns_query("www.example.org", "A")).answer, SizeIs(1));
    const DnsReply alias = ask_tcp(dns_query("Outside.shop.svc.cluster.local", "A"));
    ASSERT_THAT(alias.answer, SizeIs(2));
    EXPECT_NE(alias.answer[0].find("CNAME www.example.com."), std::string::npos);
    EXPECT_TRUE(soon([](const NameServerStats& stats) {
        return stats.forwarder.asked == 2 && stats.upstreams.size() == 1 &&
               stats.upstreams[0].asked == 2 && stats.cached == 2;
    }));
}

TEST_F(Server, AClientThatHasClosedItsHalfGetsWhatItAsked) {
    TestUpstream slow([](std::span<const uint8_t> query, bool) {
        ::usleep(300'000);
        return answer_to(query, 1);
    });
    open(std::vector<UpstreamDns>{slow.server()});
    const UniqueFd fd(connected(SOCK_STREAM));
    DnsBytes both = framed(dns_query("www.example.org", "A"));
    const DnsBytes own = framed(dns_query(kWeb, "A"));
    both.insert(both.end(), own.begin(), own.end());
    (void)::send(fd.get(), both.data(), both.size(), 0);
    EXPECT_EQ(::shutdown(fd.get(), SHUT_WR), 0);
    std::set<std::string> asked;
    for (int i = 0; i < 2; ++i) {
        const DnsReply reply = read_tcp(fd.get());
        ASSERT_THAT(reply.answer, SizeIs(1));
        asked.insert(reply.question.at(0));
    }
    EXPECT_THAT(asked, SizeIs(2));
    uint8_t more = 0;
    EXPECT_EQ(::recv(fd.get(), &more, 1, 0), 0) << "then the server closes, too";
}

TEST_F(Server, WithoutUpstreamOtherNamesAreRefusedAndAliasesStandAlone) {
    open(std::vector<UpstreamDns>{});
    EXPECT_EQ(ask_udp(dns_query("www.example.org", "A")).rcode, 5);
    const DnsReply alias = ask_udp(dns_query("outside.shop.svc.cluster.local", "A"));
    EXPECT_EQ(alias.rcode, 0);
    EXPECT_THAT(alias.answer, SizeIs(1));
}

TEST_F(Server, SilenceUpstreamIsAServerFailure) {
    UpstreamDns nobody;
    nobody.address = *parse_ip("127.0.0.1");
    nobody.port = free_port();
    open(std::vector<UpstreamDns>{nobody});
    EXPECT_EQ(ask_udp(dns_query("www.example.org", "A")).rcode, 2);
}

TEST_F(Server, ResolvConfIsReadAgainWhenItChanges) {
    const auto path =
        std::filesystem::temp_directory_path() / ("podlane-resolv-" + std::to_string(::getpid()));
    std::ofstream(path) << "nameserver 192.0.2.1\nnameserver 127.0.0.1\n";
    open(std::nullopt, path);
    ASSERT_EQ(server_->stats().upstreams.size(), 1u) << "nobody asks himself";
    EXPECT_EQ(to_string(server_->stats().upstreams[0].server.address), "192.0.2.1");
    std::ofstream(path) << "nameserver 192.0.2.1\nnameserver 192.0.2.2\n";
    std::filesystem::last_write_time(
        path, std::filesystem::last_write_time(path) + std::chrono::seconds(5));
    EXPECT_TRUE(soon([](const NameServerStats& stats) { return stats.upstreams.size() == 2; }));
    std::filesystem::remove(path);
    EXPECT_TRUE(soon([](const NameServerStats& stats) { return stats.upstreams.empty(); }));
}

TEST_F(Server, AnAddressInUseIsNamed) {
    open(std::vector<UpstreamDns>{});
    DnsServer second(DnsServerOptions{std::vector<UpstreamDns>{}, "", port_});
    const auto opened = second.open("", {*parse_ip("127.0.0.1")});
    ASSERT_FALSE(opened.ok());
    EXPECT_EQ(opened.error().message,
              "127.0.0.1:" + std::to_string(port_) + ": bind: Address already in use");
}

TEST(ZoneHolder, LendsTheZoneThatItHas) {
    ZoneHolder holder;
    const auto serial = [](const DnsZone& zone) { return zone.serial(); };
    EXPECT_EQ(holder.with(serial), 0u) << "none yet";
    const auto zone = test::dns_world();
    zone->raise_serial();
    holder.set(zone);
    EXPECT_EQ(holder.with(serial), 2u);
}

}  // namespace
}  // namespace podlane::control
