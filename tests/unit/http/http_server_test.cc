#include "control/http/http_server.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <spdlog/spdlog.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <string>
#include <vector>

#include "control/http/http_session.h"

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

/// A socket that is closed when it goes.
struct Client {
    explicit Client(uint16_t port) {
        const sockaddr_in address = loopback(port);
        connected = ::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
    }
    Client(const Client&) = delete;
    Client& operator=(const Client&) = delete;
    ~Client() { ::close(fd); }
    void send(const std::string& text) const {
        EXPECT_EQ(::send(fd, text.data(), text.size(), MSG_NOSIGNAL),
                  static_cast<ssize_t>(text.size()));
    }
    int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool connected = false;
};

class HttpServerTest : public testing::Test {
  protected:
    HttpServerTest() {
        server_.add("/echo", [](const HttpRequest& request) {
            return HttpAnswer{.body = std::string(request.path) + "|" +
                                      std::string(request.accept) + "\n"};
        });
        server_.add("/told", [](const HttpRequest& request) {
            if (request.if_none_match == "\"1\"") {
                return HttpAnswer{.status = 304, .headers = {{"ETag", "\"1\""}}};
            }
            return HttpAnswer{.body = std::string(request.host) + "|" + std::string(request.query),
                              .headers = {{"Cache-Control", "no-store"}}};
        });
        server_.listen(*parse_ip("127.0.0.1"), 0);
    }
    /// What comes until the other end closes, or `until` has come.
    std::string read(const Client& client, const std::string& until = {}) {
        std::string answer;
        char buffer[4096];
        for (unsigned tries = 0; tries < 2000; ++tries) {
            io_.restart();
            io_.run_for(milliseconds(2));
            const ssize_t got = ::recv(client.fd, buffer, sizeof buffer, MSG_DONTWAIT);
            if (got > 0) answer.append(buffer, static_cast<size_t>(got));
            if (got == 0 || (got < 0 && errno != EAGAIN)) break;
            if (!until.empty() && answer.find(until) != std::string::npos) break;
        }
        return answer;
    }
    std::string ask(const std::string& request) {
        const Client client(server_.port());
        client.send(request);
        return read(client);
    }
    static bool has(const std::string& text, const std::string& part) {
        return text.find(part) != std::string::npos;
    }

    boost::asio::io_context io_;
    HttpServer server_{io_};
};

TEST_F(HttpServerTest, PathGetsItsAnswerWithoutItsQuery) {
    const std::string answer = ask(
        "GET /echo?a=b HTTP/1.1\r\nHost: localhost\r\nAccept: text/x\r\nConnection: close\r\n\r\n");
    EXPECT_TRUE(answer.starts_with("HTTP/1.1 200 OK\r\n")) << answer;
    EXPECT_TRUE(answer.ends_with("\r\n\r\n/echo|text/x\n")) << answer;
}

TEST_F(HttpServerTest, HandlerIsToldHostAndQueryAndAddsHeaders) {
    const std::string answer =
        ask("GET /told?a=b%20c&d HTTP/1.1\r\nHost: localhost:9967\r\nConnection: close\r\n\r\n");
    EXPECT_TRUE(has(answer, "\r\nCache-Control: no-store\r\n")) << answer;
    EXPECT_TRUE(answer.ends_with("\r\n\r\nlocalhost:9967|a=b%20c&d")) << answer;
    EXPECT_TRUE(ask("GET /told HTTP/1.1\r\nHost: [::1]\r\nConnection: close\r\n\r\n")
                    .ends_with("\r\n\r\n[::1]|"));
}

TEST_F(HttpServerTest, WhatTheAskerHasIsNotSentAgain) {
    const std::string answer =
        ask("GET /told HTTP/1.1\r\nIf-None-Match: \"1\"\r\nConnection: close\r\n\r\n");
    EXPECT_TRUE(answer.starts_with("HTTP/1.1 304 Not Modified\r\n")) << answer;
    EXPECT_TRUE(has(answer, "\r\nETag: \"1\"\r\n")) << answer;
    EXPECT_TRUE(answer.ends_with("\r\n\r\n")) << answer;
}

TEST_F(HttpServerTest, QueryValuesAreDecoded) {
    EXPECT_EQ(query_value("name=shop%2Fweb+1&x=2", "name"), "shop/web 1");
    EXPECT_EQ(query_value("xname=1&name=&name=2", "name"), "");
    EXPECT_EQ(query_value("", "name"), std::nullopt);
    EXPECT_EQ(query_value("name", "name"), std::nullopt);
    for (const char* wrong : {"name=%", "name=%1", "name=%zz", "name=%1z"}) {
        EXPECT_EQ(query_value(wrong, "name"), std::nullopt) << wrong;
    }
}

TEST_F(HttpServerTest, HeadHasTheLengthAndNoBody) {
    const std::string answer = ask("HEAD /echo HTTP/1.1\r\nConnection: close\r\n\r\n");
    EXPECT_TRUE(has(answer, "Content-Length: 7\r\n")) << answer;
    EXPECT_TRUE(answer.ends_with("\r\n\r\n")) << answer;
}

TEST_F(HttpServerTest, ConnectionServesOneRequestAfterTheOther) {
    const Client client(server_.port());
    client.send("GET /echo HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n");
    EXPECT_TRUE(has(read(client, "/echo|\n"), "200 OK"));
    client.send("GET /other HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n");
    EXPECT_TRUE(has(read(client, "/echo\n"), "404 Not Found"));
}

TEST_F(HttpServerTest, OtherMethodsAreRefused) {
    const std::string answer = ask("POST /echo HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc");
    EXPECT_TRUE(answer.starts_with("HTTP/1.1 405 ")) << answer;
    EXPECT_TRUE(has(answer, "Allow: GET, HEAD\r\n")) << answer;
}

TEST_F(HttpServerTest, NameOfAWebPageIsNoHostOnLoopback) {
    const std::string answer =
        ask("GET /echo HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n");
    EXPECT_TRUE(answer.starts_with("HTTP/1.1 403 ")) << answer;
}

TEST_F(HttpServerTest, LocalHostsAreAddressesAndLocalhost) {
    for (const char* host : {"", "localhost", "localhost:9967", "127.0.0.1", "127.0.0.1:9967",
                             "[::1]", "[::1]:9967"}) {
        EXPECT_TRUE(is_local_host_header(host)) << host;
    }
    for (const char* host :
         {"evil.example", "localhost.evil.example", "127.0.0.1.evil.example", "[evil]", "["}) {
        EXPECT_FALSE(is_local_host_header(host)) << host;
    }
}

TEST_F(HttpServerTest, HugeRequestEndsTheConnection) {
    EXPECT_FALSE(has(ask("GET /" + std::string(10'000, 'a') + " HTTP/1.1\r\n\r\n"), "200"));
}

TEST_F(HttpServerTest, SessionsAreBounded) {
    std::vector<std::unique_ptr<Client>> idle;
    for (size_t i = 0; i < HttpServer::kMostSessions; ++i) {
        idle.push_back(std::make_unique<Client>(server_.port()));
    }
    io_.run_for(milliseconds(20));
    const std::string request = "GET /echo HTTP/1.1\r\nConnection: close\r\n\r\n";
    EXPECT_EQ(ask(request), "");
    idle.clear();
    io_.restart();
    io_.run_for(milliseconds(20));
    EXPECT_TRUE(has(ask(request), "200 OK"));
}

TEST_F(HttpServerTest, PortThatIsTakenIsNoError) {
    spdlog::set_level(spdlog::level::off);
    HttpServer second(io_);
    second.listen(*parse_ip("127.0.0.1"), server_.port());
    EXPECT_EQ(second.port(), 0);
}

TEST_F(HttpServerTest, StoppedServerAnswersNobody) {
    const uint16_t port = server_.port();
    server_.stop();
    EXPECT_EQ(server_.port(), 0);
    EXPECT_FALSE(Client(port).connected);
}

}  // namespace
}  // namespace podlane::control
