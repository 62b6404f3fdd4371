#include <utility>  // Boost 1.74 uses std::exchange without it

#include "control/dns/exchange.h"

#include <boost/asio/post.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/write.hpp>
#include <random>

namespace podlane::control {

namespace {

using boost::asio::ip::tcp;
using boost::asio::ip::udp;
using boost::system::error_code;

/// The query allows 1232 bytes (EDNS0); from a server that sends more, this much is taken.
constexpr size_t kMostUdpAnswer = 4096;

uint16_t random_id() {
    std::random_device device;
    return static_cast<uint16_t>(device());
}

}  // namespace

void DnsExchange::start(boost::asio::io_context& io, const UpstreamDns& server,
                        const DnsQuestion& question, std::chrono::milliseconds timeout, Done done) {
    std::make_shared<DnsExchange>(io, server, question, timeout, std::move(done))->ask_by_udp();
}

DnsExchange::DnsExchange(boost::asio::io_context& io, const UpstreamDns& server,
                         const DnsQuestion& question, std::chrono::milliseconds timeout, Done done)
    : io_(io),
      server_(server),
      question_(question),
      timeout_(timeout),
      done_(std::move(done)),
      id_(random_id()),
      query_(make_upstream_query(id_, question)),
      udp_(io),
      tcp_(io),
      timer_(io) {}

void DnsExchange::ask_by_udp() {
    timer_.expires_after(timeout_);
    timer_.async_wait([self = shared_from_this()](const error_code& failed) {
        if (!failed) self->finish(std::nullopt);
    });
    const auto endpoint = asio_endpoint<udp::endpoint>(server_.address, server_.port);
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
                               return;
                           }
                           auto message = DnsMessage::parse(std::span(self->answer_).first(bytes));
                           if (!message || !message->answers(self->id_, self->question_)) {
                               self->receive();  // somebody else's, or a late one's
                           } else if (message->is_truncated()) {
                               self->ask_by_tcp();
                           } else {
                               self->finish(std::move(message));
                           }
                       });
}

void DnsExchange::ask_by_tcp() {
    timer_.expires_after(timeout_);
    timer_.async_wait([self = shared_from_this()](const error_code& failed) {
        if (!failed) self->finish(std::nullopt);
    });
    length_ = {static_cast<uint8_t>(query_.size() >> 8), static_cast<uint8_t>(query_.size())};
    tcp_.async_connect(
        asio_endpoint<tcp::endpoint>(server_.address, server_.port),
        [self = shared_from_this()](const error_code& failed) {
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
    done(std::move(answer));
}

void DnsExchange::finish_later() {
    boost::asio::post(io_, [self = shared_from_this()] { self->finish(std::nullopt); });
}

}  // namespace podlane::control
