#include <utility>  // Boost 1.74 uses std::exchange without it

#include "control/dns/exchange.h"

#include <net/if.h>

#include <boost/asio/post.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/write.hpp>
#include <random>

namespace podlane::control {

namespace {

using boost::asio::ip::tcp;
using boost::asio::ip::udp;
using boost::system::error_code;

/// The query allows 1232 bytes (EDNS0); if a server sends more, up to this much is accepted.
constexpr size_t kMostUdpAnswer = 4096;

uint16_t random_id() {
    std::random_device device;
    return static_cast<uint16_t>(device());
}

template <class AsioEndpoint>
AsioEndpoint endpoint_of(const UpstreamDns& server) {
    // An interface that does not exist (yet) has number 0, and the kernel refuses to connect.
    const unsigned scope =
        server.interface.empty() ? 0 : ::if_nametoindex(server.interface.c_str());
    return asio_endpoint<AsioEndpoint>(server.address, server.port, scope);
}

}  // namespace

void DnsExchange::start(boost::asio::io_context& io, const UpstreamDns& server,
                        const DnsQuestion& question, const Way& way, Done done) {
    std::make_shared<DnsExchange>(io, server, question, way, std::move(done))->ask_by_udp();
}

DnsExchange::DnsExchange(boost::asio::io_context& io, const UpstreamDns& server,
                         const DnsQuestion& question, const Way& way, Done done)
    : io_(io),
      server_(server),
      question_(question),
      way_(way),
      done_(std::move(done)),
      id_(random_id()),
      query_(make_upstream_query(id_, question, way.edns)),
      udp_(io),
      tcp_(io),
      timer_(io) {}

void DnsExchange::wait() {
    timer_.expires_after(way_.timeout);
    timer_.async_wait([self = shared_from_this()](const error_code& failed) {
        if (!failed) self->finish(std::nullopt);
    });
}

void DnsExchange::ask_by_udp() {
    wait();
    const auto endpoint = endpoint_of<udp::endpoint>(server_);
    error_code failed;
    udp_.open(endpoint.protocol(), failed);
    if (!failed) udp_.connect(endpoint, failed);
    if (!failed) udp_.send(boost::asio::buffer(query_), 0, failed);
    if (failed) {
        finish_later();
        return;
    }
    answer_.resize(kMostUdpAnswer);
    receive();
}

void DnsExchange::receive() {
    udp_.async_receive(boost::asio::buffer(answer_),
                       [self = shared_from_this()](const error_code& failed, size_t bytes) {
                           if (failed) {
                               self->finish(std::nullopt);
                           } else {
                               self->take(std::span(self->answer_).first(bytes));
                           }
                       });
}

void DnsExchange::take(std::span<const uint8_t> bytes) {
    if (way_.edns && refuses_edns(bytes, id_)) {
        ask_without_edns();
        return;
    }
    auto message = DnsMessage::parse(bytes);
    if (!message || !message->answers(id_, question_)) {
        receive();  // answers another query, or is too late
    } else if (message->is_truncated()) {
        ask_by_tcp();
    } else {
        finish(std::move(message));
    }
}

void DnsExchange::ask_without_edns() {
    way_.edns = false;
    was_refused_ = true;
    id_ = random_id();
    query_ = make_upstream_query(id_, question_, false);
    wait();
    error_code failed;
    udp_.send(boost::asio::buffer(query_), 0, failed);
    if (failed) {
        finish(std::nullopt);
    } else {
        receive();
    }
}

void DnsExchange::ask_by_tcp() {
    wait();
    length_ = {static_cast<uint8_t>(query_.size() >> 8), static_cast<uint8_t>(query_.size())};
    tcp_.async_connect(
        endpoint_of<tcp::endpoint>(server_), [self = shared_from_this()](const error_code& failed) {
            if (failed) {
                self->finish(std::nullopt);
                return;
            }
            const std::array<boost::asio::const_buffer, 2> whole{boost::asio::buffer(self->length_),
                                                                 boost::asio::buffer(self->query_)};
            boost::asio::async_write(self->tcp_, whole, [self](const error_code& lost, size_t) {
                if (lost) {
                    self->finish(std::nullopt);
                } else {
                    self->read_answer();
                }
            });
        });
}

void DnsExchange::read_answer() {
    boost::asio::async_read(
        tcp_, boost::asio::buffer(length_),
        [self = shared_from_this()](const error_code& failed, size_t) {
            if (failed) {
                self->finish(std::nullopt);
                return;
            }
            self->answer_.resize(size_t{self->length_[0]} << 8 | self->length_[1]);
            boost::asio::async_read(
                self->tcp_, boost::asio::buffer(self->answer_),
                [self](const error_code& lost, size_t) {
                    auto message = lost ? std::nullopt : DnsMessage::parse(self->answer_);
                    const bool is_ours = message && message->answers(self->id_, self->question_);
                    self->finish(is_ours ? std::move(message) : std::nullopt);
                });
        });
}

void DnsExchange::finish(std::optional<DnsMessage> answer) {
    if (!done_) return;
    const Done done = std::exchange(done_, nullptr);
    error_code ignored;
    udp_.close(ignored);
    tcp_.close(ignored);
    timer_.cancel();
    // A server lacks EDNS only if it answered the same question without it.
    const bool lacks_edns = was_refused_ && answer &&
                            answer->rcode() != static_cast<int>(DnsRcode::kFormErr) &&
                            answer->rcode() != static_cast<int>(DnsRcode::kNotImp);
    done({std::move(answer), lacks_edns});
}

void DnsExchange::finish_later() {
    boost::asio::post(io_, [self = shared_from_this()] { self->finish(std::nullopt); });
}

}  // namespace podlane::control
