// A resolver of the outside world inside the test, and messages by hand.
#pragma once

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <functional>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "control/dns/exchange.h"
#include "control/dns/message.h"
#include "tests/support/dns_messages.h"

namespace podlane::control {

inline void put_u16(DnsBytes& to, unsigned value) {
    to.push_back(static_cast<uint8_t>(value >> 8));
    to.push_back(static_cast<uint8_t>(value));
}

/// The answer to `query` with so many A records 192.0.2.0 ..., or none and this rcode.
inline DnsBytes answer_to(std::span<const uint8_t> query, unsigned addresses, uint32_t ttl = 60,
                          unsigned flags = 0x8180) {
    // Up to the question's end.
    size_t at = sizeof(DnsHeader);
    (void)skip_dns_name(query, at);
    DnsBytes out(query.begin(), query.begin() + static_cast<ptrdiff_t>(at + 4));
    out[2] = static_cast<uint8_t>(flags >> 8);
    out[3] = static_cast<uint8_t>(flags);
    out[6] = static_cast<uint8_t>(addresses >> 8);
    out[7] = static_cast<uint8_t>(addresses);
    out[10] = out[11] = 0;
    for (unsigned i = 0; i < addresses; ++i) {
        put_u16(out, 0xc00c);
        put_u16(out, 1);
        put_u16(out, 1);
        put_u16(out, ttl >> 16);
        put_u16(out, ttl & 0xffff);
        put_u16(out, 4);
        out.insert(out.end(), {192, 0, 2, static_cast<uint8_t>(i)});
    }
    return out;
}

inline DnsQuestion question(std::string_view name, uint16_t type = kDnsA) {
    return {*dns_name_from_text(name), type, false, false};
}

inline DnsQuery parsed(const std::vector<uint8_t>& bytes) {
    DnsQuery query;
    EXPECT_EQ(parse_dns_query(bytes, query), DnsParse::kOk);
    return query;
}

/// Answers on 127.0.0.1, UDP and TCP, on a thread of its own; silent where `answer` gives nothing.
class TestUpstream {
  public:
    using Answer = std::function<DnsBytes(std::span<const uint8_t> query, bool is_tcp)>;

    explicit TestUpstream(Answer answer) : answer_(std::move(answer)) {
        udp_ = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        tcp_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        // A port that is free for both.
        for (int tries = 0; tries < 50; ++tries) {
            sockaddr_in address{};
            address.sin_family = AF_INET;
            address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
            socklen_t size = sizeof(address);
            ::close(udp_);
            udp_ = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
            EXPECT_EQ(::bind(udp_, reinterpret_cast<sockaddr*>(&address), size), 0);
            EXPECT_EQ(::getsockname(udp_, reinterpret_cast<sockaddr*>(&address), &size), 0);
            port_ = ntohs(address.sin_port);
            if (::bind(tcp_, reinterpret_cast<sockaddr*>(&address), size) == 0) break;
        }
        EXPECT_EQ(::listen(tcp_, 8), 0);
        thread_ = std::thread([this] { serve(); });
    }
    ~TestUpstream() {
        stop_ = true;
        thread_.join();
        ::close(udp_);
        ::close(tcp_);
    }
    [[nodiscard]] UpstreamDns server() const { return {*parse_ip("127.0.0.1"), port_}; }
    [[nodiscard]] unsigned asked() const { return asked_; }

  private:
    void serve() {
        DnsBytes buffer(65535);
        while (!stop_) {
            std::array<pollfd, 2> ready{{{udp_, POLLIN, 0}, {tcp_, POLLIN, 0}}};
            if (::poll(ready.data(), ready.size(), 20) <= 0) continue;
            if ((ready[0].revents & POLLIN) != 0) {
                sockaddr_in from{};
                socklen_t size = sizeof(from);
                auto* address = reinterpret_cast<sockaddr*>(&from);
                const ssize_t got =
                    ::recvfrom(udp_, buffer.data(), buffer.size(), 0, address, &size);
                if (got <= 0) continue;
                ++asked_;
                const DnsBytes out =
                    answer_(std::span(buffer).first(static_cast<size_t>(got)), false);
                if (!out.empty()) (void)::sendto(udp_, out.data(), out.size(), 0, address, size);
            }
            if ((ready[1].revents & POLLIN) != 0)
                serve_connection(::accept(tcp_, nullptr, nullptr));
        }
    }
    void serve_connection(int fd) {
        std::array<uint8_t, 2> length{};
        if (::recv(fd, length.data(), 2, MSG_WAITALL) == 2) {
            DnsBytes query(size_t{length[0]} << 8 | length[1]);
            (void)::recv(fd, query.data(), query.size(), MSG_WAITALL);
            ++asked_;
            DnsBytes out = answer_(query, true);
            out.insert(out.begin(),
                       {static_cast<uint8_t>(out.size() >> 8), static_cast<uint8_t>(out.size())});
            (void)::send(fd, out.data(), out.size(), MSG_NOSIGNAL);
        }
        ::close(fd);
    }

    Answer answer_;
    int udp_ = -1, tcp_ = -1;
    uint16_t port_ = 0;
    std::atomic<bool> stop_{false};
    std::atomic<unsigned> asked_{0};
    std::thread thread_;
};

}  // namespace podlane::control
