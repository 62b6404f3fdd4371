// One client of the config socket: reads messages, has them answered, writes replies in order.
// Made by the server for each connection; everything on the control thread.
#pragma once

#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>

#include "control/rpc/framing.h"
#include "control/rpc/methods.h"

namespace podlane::control {

/// Lives as long as an operation of its is pending, or its owner holds it.
class RpcSession : public std::enable_shared_from_this<RpcSession> {
  public:
    using Socket = boost::asio::local::stream_protocol::socket;

    /// `on_closed` is called once, when the connection is gone, but not from within close().
    RpcSession(Socket socket, const RpcMethods& methods, RpcPeer peer, size_t max_message_bytes,
               size_t max_unread_bytes, std::function<void()> on_closed);

    void start() {
        peer_.connection = weak_from_this();
        pump();
    }
    /// Sends the reason, reads no more requests and closes.
    void refuse(const RpcFailure& failure);
    void close();

    /// No request and no reply is pending: the client is idle.
    [[nodiscard]] bool is_idle() const noexcept {
        return !is_pump_due_ && !is_answering_ && in_flight_.empty() && queued_.empty();
    }
    /// When the last message was answered, or the client came.
    [[nodiscard]] std::chrono::steady_clock::time_point last_active() const noexcept {
        return last_active_;
    }
    /// Bytes held for this client: of requests that are not whole yet, and of unread replies.
    [[nodiscard]] size_t held_bytes() const noexcept {
        return framing_.held_bytes() + unread_bytes();
    }

  private:
    void pump();
    void pump_later();
    void read();
    void reply(std::string text);
    void write();
    void drain();
    void finish();
    [[nodiscard]] size_t unread_bytes() const { return queued_.size() + in_flight_.size(); }

    Socket socket_;
    boost::asio::steady_timer drain_timer_;
    const RpcMethods& methods_;
    RpcPeer peer_;
    RpcFraming framing_;
    size_t max_unread_bytes_;
    std::function<void()> on_closed_;
    std::string queued_;     // replies behind those in flight
    std::string in_flight_;  // being written; not empty while a write is pending
    std::chrono::steady_clock::time_point last_active_ = std::chrono::steady_clock::now();
    bool is_reading_ = false;
    bool is_answering_ = false;  // a method waits before it answers
    bool is_pump_due_ = false;
    bool has_ended_ = false;   // the client sends no more
    bool is_refused_ = false;  // we read no more
    bool is_closed_ = false;
};

}  // namespace podlane::control
