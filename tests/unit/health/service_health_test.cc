#include "control/health/service_health.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <string>
#include <vector>

namespace podlane::control {
namespace {

using std::chrono::milliseconds;

sockaddr_in loopback(uint16_t port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return address;
}

/// Has a port that was free a moment ago, for as long as it lives.
struct Holder {
    Holder() {
        sockaddr_in address = loopback(0);
        socklen_t size = sizeof address;
        ::bind(fd, reinterpret_cast<sockaddr*>(&address), size);
        ::listen(fd, 1);
        ::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size);
        port = ntohs(address.sin_port);
    }
    ~Holder() { ::close(fd); }
    int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    uint16_t port = 0;
};

class ServiceHealthTest : public testing::Test {
  protected:
    void sync(std::optional<uint32_t> v4, std::optional<uint32_t> v6 = {}) {
        health_.sync({{{"shop", "web"}, {port_, v4, v6}}}, {*parse_ip("127.0.0.1")});
    }

    /// The whole answer to `request`; "" when nobody listens.
    std::string ask(const std::string& request = "GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n") {
        const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        const sockaddr_in address = loopback(port_);
        std::string answer;
        if (::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) {
            (void)::send(fd, request.data(), request.size(), MSG_NOSIGNAL);
            char buffer[4096];
            for (unsigned tries = 0; tries < 1000; ++tries) {
                io_.restart();
                io_.run_for(milliseconds(5));
                const ssize_t got = ::recv(fd, buffer, sizeof buffer, MSG_DONTWAIT);
                if (got > 0) answer.append(buffer, static_cast<size_t>(got));
                if (got == 0 || (got < 0 && errno != EAGAIN)) break;
            }
        }
        ::close(fd);
        return answer;
    }

    static bool has(const std::string& text, const std::string& part) {
        return text.find(part) != std::string::npos;
    }

    boost::asio::io_context io_;
    bool is_healthy_ = true;
    ServiceHealth health_{io_, [this] { return is_healthy_; }};
    uint16_t port_ = Holder().port;
};

TEST_F(ServiceHealthTest, ANodeWithEndpointsAnswersAsKubeProxyDoes) {
    sync(2);
    const std::string answer = ask();
    EXPECT_TRUE(answer.starts_with("HTTP/1.1 200 OK\r\n")) << answer;
    EXPECT_TRUE(has(answer, "Content-Type: application/json\r\n")) << answer;
    EXPECT_TRUE(has(answer, "X-Load-Balancing-Endpoint-Weight: 2\r\n")) << answer;
    EXPECT_TRUE(
        answer.ends_with("\r\n\r\n{\n"
                         "\t\"service\": {\n"
                         "\t\t\"namespace\": \"shop\",\n"
                         "\t\t\"name\": \"web\"\n"
                         "\t},\n"
                         "\t\"localEndpoints\": 2,\n"
                         "\t\"serviceProxyHealthy\": true\n"
                         "}"))
        << answer;
}

TEST_F(ServiceHealthTest, WithoutEndpointsHereItIsUnavailable) {
    sync(0);
    const std::string answer = ask();
    EXPECT_TRUE(answer.starts_with("HTTP/1.1 503 Service Unavailable\r\n")) << answer;
    EXPECT_TRUE(has(answer, "X-Load-Balancing-Endpoint-Weight: 0\r\n")) << answer;
    EXPECT_TRUE(has(answer, "\"localEndpoints\": 0")) << answer;
    sync(1);
    EXPECT_TRUE(ask().starts_with("HTTP/1.1 200")) << "it follows what it is told";
}

TEST_F(ServiceHealthTest, ANodeThatDoesNotServeIsUnavailable) {
    sync(2);
    is_healthy_ = false;
    const std::string answer = ask();
    EXPECT_TRUE(answer.starts_with("HTTP/1.1 503")) << answer;
    EXPECT_TRUE(has(answer, "\"localEndpoints\": 2")) << answer;
    EXPECT_TRUE(has(answer, "\"serviceProxyHealthy\": false")) << answer;
}

TEST_F(ServiceHealthTest, HeadGetsNoBody) {
    sync(2);
    const std::string answer = ask("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n");
    EXPECT_TRUE(answer.starts_with("HTTP/1.1 200")) << answer;
    EXPECT_TRUE(answer.ends_with("\r\n\r\n")) << answer;
}

TEST_F(ServiceHealthTest, WhatIsNoHttpIsClosedWithoutAnswer) {
    sync(2);
    EXPECT_EQ(ask(std::string(20'000, 'x')), "");
    EXPECT_TRUE(ask().starts_with("HTTP/1.1 200"));
}

TEST_F(ServiceHealthTest, ListensOnlyForServicesWithTheAddressFamily) {
    sync({}, 2);
    EXPECT_EQ(health_.listening(), 0u);
    EXPECT_EQ(ask(), "");
    sync(2);
    EXPECT_EQ(health_.listening(), 1u);
    health_.sync({}, {*parse_ip("127.0.0.1")});
    EXPECT_EQ(health_.listening(), 0u);
    EXPECT_EQ(ask(), "");
}

TEST_F(ServiceHealthTest, APortThatIsTakenIsTriedAgain) {
    {
        const Holder other;
        port_ = other.port;
        sync(1);
        EXPECT_EQ(health_.listening(), 0u);
    }
    sync(1);
    EXPECT_EQ(health_.listening(), 1u);
    EXPECT_TRUE(ask().starts_with("HTTP/1.1 200"));
}

TEST_F(ServiceHealthTest, IdleConnectionsOfOneClientLeaveRoomForAnother) {
    sync(1);
    std::vector<int> idle;
    for (unsigned i = 0; i < 300; ++i) {  // more than there are places
        idle.push_back(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
        sockaddr_in from = loopback(0);
        from.sin_addr.s_addr = htonl(INADDR_LOOPBACK + 1);
        const sockaddr_in to = loopback(port_);
        ASSERT_EQ(::bind(idle.back(), reinterpret_cast<const sockaddr*>(&from), sizeof from), 0);
        ASSERT_EQ(::connect(idle.back(), reinterpret_cast<const sockaddr*>(&to), sizeof to), 0);
        io_.restart();
        io_.poll();
    }
    EXPECT_TRUE(ask().starts_with("HTTP/1.1 200"));
    for (const int fd : idle) ::close(fd);
}

TEST_F(ServiceHealthTest, StoppedItListensNoMore) {
    sync(1);
    health_.stop();
    EXPECT_EQ(health_.listening(), 0u);
}

}  // namespace
}  // namespace podlane::control
