#include <utility>  // Boost 1.74 uses std::exchange without it

#include "control/dns/listeners.h"

#include <boost/asio/read.hpp>
#include <boost/asio/write.hpp>

namespace podlane::control {

namespace {

using boost::asio::ip::tcp;
using boost::asio::ip::udp;
using boost::system::error_code;

IpAddress address_of(const boost::asio::ip::address& address) {
    if (address.is_v4()) return Ipv4Address{be32(address.to_v4().to_uint())};
    return Ipv6Address{address.to_v6().to_bytes()};
}

constexpr auto kAcceptRetry = std::chrono::milliseconds(100);  // after EMFILE and the like

}  // namespace

DnsUdpListener::DnsUdpListener(boost::asio::io_context& io, int fd, bool is_v6,
                               DnsResponder& responder)
    : socket_(io, is_v6 ? udp::v6() : udp::v4(), fd),
      responder_(responder),
      buffer_(kMaxDnsMessage) {
    socket_.non_blocking(true);
}

void DnsUdpListener::receive() {
    socket_.async_receive_from(boost::asio::buffer(buffer_), from_,
                               [this](const error_code& failed, size_t bytes) {
                                   if (failed == boost::asio::error::operation_aborted) return;
                                   if (!failed) take(bytes);
                                   receive();
                               });
}

void DnsUdpListener::take(size_t bytes) {
    responder_.handle(std::span(buffer_).first(bytes), DnsTransport::kUdp,
                      address_of(from_.address()), [this, to = from_](const DnsBytes& answer) {
                          if (answer.empty()) return;
                          // If the socket is full, the answer is lost, as it might be on the wire;
                          // the client asks again.
                          error_code ignored;
                          socket_.send_to(boost::asio::buffer(answer), to, 0, ignored);
                      });
}

DnsTcpListener::DnsTcpListener(boost::asio::io_context& io, int fd, bool is_v6,
                               DnsResponder& responder)
    : io_(io),
      acceptor_(io, is_v6 ? tcp::v6() : tcp::v4(), fd),
      retry_(io),
      responder_(responder) {}

void DnsTcpListener::accept() {
    acceptor_.async_accept(io_, [this](const error_code& failed, tcp::socket socket) {
        if (failed == boost::asio::error::operation_aborted) return;
        if (failed) {
            retry_.expires_after(kAcceptRetry);
            retry_.async_wait([this](const error_code& cancelled) {
                if (!cancelled) accept();
            });
            return;
        }
        error_code gone;
        const auto client = socket.remote_endpoint(gone).address();
        if (!gone && connections_->take(client)) {
            ++responder_.counted().tcp_connections;
            std::make_shared<DnsTcpSession>(std::move(socket), responder_, client, connections_)
                ->start();
        }
        accept();
    });
}

DnsTcpSession::DnsTcpSession(tcp::socket socket, DnsResponder& responder,
                             boost::asio::ip::address client,
                             std::shared_ptr<DnsConnections> connections)
    : socket_(std::move(socket)),
      idle_(socket_.get_executor()),
      responder_(responder),
      client_(std::move(client)),
      connections_(std::move(connections)) {}

void DnsTcpSession::read() {
    is_reading_ = true;
    wait_for_next();
    boost::asio::async_read(
        socket_, boost::asio::buffer(length_),
        [self = shared_from_this()](const error_code& failed, size_t) {
            if (failed) {
                self->stop_reading(failed);
                return;
            }
            self->message_.resize(size_t{self->length_[0]} << 8 | self->length_[1]);
            boost::asio::async_read(self->socket_, boost::asio::buffer(self->message_),
                                    [self](const error_code& cut, size_t) {
                                        if (cut) {
                                            self->close();
                                        } else {
                                            self->take();
                                        }
                                    });
        });
}

void DnsTcpSession::stop_reading(const error_code& why) {
    has_ended_ = true;
    // RFC 7766 section 6.2.3: queries received before the FIN are answered.
    if (why != boost::asio::error::eof || pending_ == 0) close();
}

void DnsTcpSession::take() {
    is_reading_ = false;
    ++pending_;
    error_code gone;
    const auto peer = socket_.remote_endpoint(gone);
    if (gone) {
        close();
        return;
    }
    responder_.handle(
        message_, DnsTransport::kTcp, address_of(peer.address()),
        [self = shared_from_this()](DnsBytes answer) { self->reply(std::move(answer)); });
    if (!is_reading_ && socket_.is_open() && pending_ < kMostPending) read();
}

void DnsTcpSession::reply(DnsBytes answer) {
    if (answer.empty()) {
        // Not a query: this is not a DNS client.
        close();
        return;
    }
    const auto size = static_cast<uint16_t>(answer.size());
    answer.insert(answer.begin(), {static_cast<uint8_t>(size >> 8), static_cast<uint8_t>(size)});
    answers_.push_back(std::move(answer));
    if (answers_.size() == 1) write();
}

void DnsTcpSession::write() {
    wait_for_next();
    boost::asio::async_write(
        socket_, boost::asio::buffer(answers_.front()),
        [self = shared_from_this()](const error_code& failed, size_t) {
            if (failed) {
                self->close();
                return;
            }
            --self->pending_;
            self->answers_.pop_front();
            if (!self->answers_.empty()) self->write();
            if (self->has_ended_ && self->pending_ == 0) self->close();
            if (!self->is_reading_ && !self->has_ended_ && self->pending_ < kMostPending) {
                self->read();
            }
        });
}

void DnsTcpSession::wait_for_next() {
    idle_.expires_after(kIdle);
    idle_.async_wait([weak = weak_from_this()](const error_code& cancelled) {
        const auto self = weak.lock();
        if (!cancelled && self) self->close();
    });
}

void DnsTcpSession::close() {
    error_code ignored;
    idle_.cancel();
    socket_.close(ignored);
}

}  // namespace podlane::control
