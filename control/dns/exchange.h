// One query to one upstream resolver, over UDP and, if the answer was truncated, over TCP.
//
// Its own socket (and so its own random port) and a random id make forged answers hard: RFC 5452.
// Runs on the io_context's thread.
#pragma once

#include <array>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ip/udp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <functional>
#include <memory>
#include <optional>

#include "control/config/node_config.h"
#include "control/dns/message.h"

namespace podlane::control {

/// Lives as long as an operation of its is pending.
class DnsExchange : public std::enable_shared_from_this<DnsExchange> {
  public:
    struct Outcome {
        std::optional<DnsMessage> answer;  ///< none: no answer in time, or no server there
        bool lacks_edns = false;           ///< the server refused EDNS, and answered without
    };
    using Done = std::function<void(Outcome)>;

    /// How to ask.
    struct Way {
        std::chrono::milliseconds timeout;  ///< for each query, by UDP and by TCP
        bool edns = true;  ///< with an OPT record; if the server refuses that, again without
    };

    /// Asks, and waits; `done` is called once, but not from within this call.
    static void start(boost::asio::io_context& io, const UpstreamDns& server,
                      const DnsQuestion& question, const Way& way, Done done);

    DnsExchange(boost::asio::io_context& io, const UpstreamDns& server, const DnsQuestion& question,
                const Way& way, Done done);

  private:
    void ask_by_udp();
    void receive();
    void take(std::span<const uint8_t> bytes);
    void ask_without_edns();
    void wait();
    void ask_by_tcp();
    void read_answer();
    void finish(std::optional<DnsMessage> answer);
    void finish_later();

    boost::asio::io_context& io_;
    UpstreamDns server_;
    DnsQuestion question_;
    Way way_;
    bool was_refused_ = false;  ///< as it had EDNS
    Done done_;
    uint16_t id_;
    DnsBytes query_;
    DnsBytes answer_;
    std::array<uint8_t, 2> length_{};
    boost::asio::ip::udp::socket udp_;
    boost::asio::ip::tcp::socket tcp_;
    boost::asio::steady_timer timer_;
};

/// The address and port as Boost has them; `scope` is a link-local one's interface.
template <class AsioEndpoint>
[[nodiscard]] AsioEndpoint asio_endpoint(const IpAddress& address, uint16_t port,
                                         unsigned scope = 0) {
    if (address.is_v4()) {
        return {boost::asio::ip::address_v4(address.as<V4>().value.host()), port};
    }
    return {boost::asio::ip::address_v6(address.as<V6>().bytes, scope), port};
}

}  // namespace podlane::control
