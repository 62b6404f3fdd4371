// A node of tests/unit/node with an HTTP server beside it, and a client of one request.
#pragma once

#include <arpa/inet.h>
#include <sys/socket.h>

#include <string>

#include "control/http/http_server.h"
#include "tests/unit/node/node_fixture.h"

namespace podlane::control {

class HttpFixture : public NodeFixture {
  protected:
    void listen() { server_.listen(*parse_ip("127.0.0.1"), 0); }
    /// The whole answer to a request of these lines; of another server at its `port`.
    std::string ask(const std::string& lines, uint16_t port = 0) {
        const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        sockaddr_in at{};
        at.sin_family = AF_INET;
        at.sin_port = htons(port != 0 ? port : server_.port());
        at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        std::string answer;
        if (::connect(fd, reinterpret_cast<const sockaddr*>(&at), sizeof at) == 0) {
            const std::string request = lines + "Connection: close\r\n\r\n";
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
    std::string get(const std::string& path, const std::string& headers = {}, uint16_t port = 0) {
        return ask("GET " + path + " HTTP/1.1\r\n" + headers, port);
    }

    boost::asio::io_context io_;
    HttpServer server_{io_};
};

}  // namespace podlane::control
