// The server's sockets: datagrams, and TCP connections with queries one behind the other (RFC
// 7766). Runs on the io_context's thread.
#pragma once

#include <array>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/address.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ip/udp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <deque>
#include <memory>

#include "control/dns/responder.h"
#include "lib/base/fair_shares.h"

namespace podlane::control {

/// One UDP socket, bound.
class DnsUdpListener {
  public:
    DnsUdpListener(boost::asio::io_context& io, int fd, bool is_v6, DnsResponder& responder);
    void start() { receive(); }

  private:
    void receive();
    void take(size_t bytes);

    boost::asio::ip::udp::socket socket_;
    DnsResponder& responder_;
    boost::asio::ip::udp::endpoint from_;
    DnsBytes buffer_;
};

/// The connections that a listening socket may have, shared by its clients' addresses.
using DnsConnections = FairShares<boost::asio::ip::address>;

/// One TCP socket, listening, and its connections.
class DnsTcpListener {
  public:
    /// More are closed at once, as are those of a client that has its share.
    static constexpr size_t kMostConnections = 256;

    DnsTcpListener(boost::asio::io_context& io, int fd, bool is_v6, DnsResponder& responder);
    void start() { accept(); }

  private:
    void accept();

    boost::asio::io_context& io_;
    boost::asio::ip::tcp::acceptor acceptor_;
    boost::asio::steady_timer retry_;
    DnsResponder& responder_;
    std::shared_ptr<DnsConnections> connections_ =
        std::make_shared<DnsConnections>(kMostConnections);
};

/// A client's connection. Lives as long as an operation of its, or an answer, is pending.
class DnsTcpSession : public std::enable_shared_from_this<DnsTcpSession> {
  public:
    /// An idle connection is closed after this.
    static constexpr std::chrono::seconds kIdle{10};
    /// Pending queries of one client; at this number no more are read from it.
    static constexpr size_t kMostPending = 32;

    /// `client` has a place in `connections`.
    DnsTcpSession(boost::asio::ip::tcp::socket socket, DnsResponder& responder,
                  boost::asio::ip::address client, std::shared_ptr<DnsConnections> connections);
    ~DnsTcpSession() { connections_->release(client_); }
    void start() { read(); }

  private:
    void read();
    void stop_reading(const boost::system::error_code& why);
    void take();
    void reply(DnsBytes answer);
    void write();
    void wait_for_next();
    void close();

    boost::asio::ip::tcp::socket socket_;
    boost::asio::steady_timer idle_;
    DnsResponder& responder_;
    const boost::asio::ip::address client_;
    std::shared_ptr<DnsConnections> connections_;
    std::array<uint8_t, 2> length_{};
    DnsBytes message_;
    std::deque<DnsBytes> answers_;  ///< with their lengths; the first is being written
    size_t pending_ = 0;
    bool is_reading_ = false;
    bool has_ended_ = false;  ///< the client has closed its half: it gets the pending answers and
                              ///< no more
};

}  // namespace podlane::control
