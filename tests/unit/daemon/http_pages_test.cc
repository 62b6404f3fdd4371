#include "control/daemon/http_pages.h"

#include <arpa/inet.h>
#include <sys/socket.h>

#include "tests/unit/node/node_fixture.h"

namespace podlane::control {
namespace {

class HttpPages : public NodeFixture {
  protected:
    HttpPages() {
        start();
        add_http_pages(server_, *node_, "DPDK 1.2.3");
        server_.listen(*parse_ip("127.0.0.1"), 0);
    }
    std::string get(const std::string& path, const std::string& accept = "*/*") {
        const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        sockaddr_in at{};
        at.sin_family = AF_INET;
        at.sin_port = htons(server_.port());
        at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        std::string answer;
        if (::connect(fd, reinterpret_cast<const sockaddr*>(&at), sizeof at) == 0) {
            const std::string request =
                "GET " + path + " HTTP/1.1\r\nAccept: " + accept + "\r\nConnection: close\r\n\r\n";
            (void)::send(fd, request.data(), request.size(), MSG_NOSIGNAL);
            char buffer[4096];
            for (unsigned tries = 0; tries < 2000; ++tries) {
                io_.restart();
                io_.run_for(std::chrono::milliseconds(2));
                const ssize_t got = ::recv(fd, buffer, sizeof buffer, MSG_DONTWAIT);
                if (got > 0) answer.append(buffer, static_cast<size_t>(got));
                if (got == 0 || (got < 0 && errno != EAGAIN)) break;
            }
        }
        ::close(fd);
        return answer;
    }

    boost::asio::io_context io_;
    HttpServer server_{io_};
};

TEST_F(HttpPages, MetricsSpeakTheFormatThatIsAccepted) {
    const std::string plain = get("/metrics");
    EXPECT_NE(plain.find("Content-Type: text/plain; version=0.0.4"), std::string::npos) << plain;
    EXPECT_NE(plain.find("dpdk=\"DPDK 1.2.3\",node=\"node-a\"} 1\n"), std::string::npos) << plain;
    EXPECT_TRUE(get("/metrics", "application/openmetrics-text").ends_with("# EOF\n"));
}

TEST_F(HttpPages, LostUplinkIsNotReadyAndNamed) {
    EXPECT_NE(get("/readyz").find(" 200 OK\r\n"), std::string::npos);
    deliver(event(EventKind::kPortLost, "0.0.0.0", {}));
    const std::string answer = get("/readyz");
    EXPECT_NE(answer.find(" 503 "), std::string::npos) << answer;
    EXPECT_NE(answer.find("\r\n\r\nnot ok\nuplink0: its device is gone\n"), std::string::npos)
        << answer;
    EXPECT_NE(get("/healthz").find(" 200 OK\r\n"), std::string::npos);
}

}  // namespace
}  // namespace podlane::control
