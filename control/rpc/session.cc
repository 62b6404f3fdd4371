#include <utility>  // Boost 1.74 uses std::exchange without it

#include "control/rpc/session.h"

#include <boost/asio/buffer.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/write.hpp>

#include <fmt/format.h>
#include <chrono>

namespace podlane::control {
namespace {

using boost::system::error_code;

// How long a refused client may go on sending. If the socket were closed at once, its send would
// fail before it has read our reply.
constexpr auto kDrainTime = std::chrono::seconds(2);

}  // namespace

RpcSession::RpcSession(Socket socket, const RpcMethods& methods, RpcPeer peer,
                       size_t max_message_bytes, size_t max_unread_bytes,
                       std::function<void()> on_closed)
    : socket_(std::move(socket)),
      drain_timer_(socket_.get_executor()),
      methods_(methods),
      peer_(peer),
      framing_(max_message_bytes),
      max_unread_bytes_(max_unread_bytes),
      on_closed_(std::move(on_closed)) {}

void RpcSession::refuse(const RpcFailure& failure) {
    is_refused_ = true;
    reply(rpc_failure_text(failure));
    drain_timer_.expires_after(kDrainTime);
    drain_timer_.async_wait([self = shared_from_this()](const error_code& error) {
        if (!error) self->finish();
    });
    drain();
}

// Does one step: answers one message if there is one and its reply has room, else reads on. Only
// one step per turn, so that a client with many requests does not keep others waiting.
void RpcSession::pump() {
    if (is_closed_ || is_refused_ || is_answering_ || unread_bytes() > max_unread_bytes_) return;
    std::optional<std::string> message = framing_.next();
    if (framing_.is_over_limit()) {
        refuse(
            {rpc_code::kInvalidRequest, "the message is longer than this socket takes", nullptr});
        return;
    }
    if (!message && has_ended_) message = framing_.rest();
    if (message) {
        last_active_ = std::chrono::steady_clock::now();
        is_answering_ = true;
        methods_.answer(*message, peer_,
                        [weak = weak_from_this()](std::optional<std::string> text) {
                            const auto self = weak.lock();
                            if (!self) return;
                            self->is_answering_ = false;
                            if (text) self->reply(std::move(*text));
                            self->pump_later();
                        });
    } else if (!has_ended_) {
        read();
    } else if (in_flight_.empty()) {
        finish();
    }
}

void RpcSession::pump_later() {
    if (is_pump_due_) return;
    is_pump_due_ = true;
    boost::asio::post(socket_.get_executor(), [self = shared_from_this()] {
        self->is_pump_due_ = false;
        self->pump();
    });
}

void RpcSession::read() {
    if (is_reading_) return;
    is_reading_ = true;
    const auto room = framing_.room();
    socket_.async_read_some(boost::asio::buffer(room.data(), room.size()),
                            [self = shared_from_this()](const error_code& error, size_t bytes) {
                                self->is_reading_ = false;
                                if (error && error != boost::asio::error::eof) {
                                    self->finish();
                                    return;
                                }
                                self->framing_.received(bytes);
                                self->has_ended_ = bool(error);
                                if (self->is_refused_) {
                                    self->drain();
                                } else {
                                    self->pump();
                                }
                            });
}

// Discards what a refused client still sends, until it closes or the timer fires.
void RpcSession::drain() {
    if (is_closed_) return;
    while (framing_.next()) {
    }
    if (!has_ended_) {
        read();
    } else if (in_flight_.empty()) {
        finish();
    }
}

void RpcSession::reply(std::string text) {
    if (is_closed_) return;
    if (queued_.empty()) {
        queued_ = std::move(text);
    } else {
        queued_ += text;
    }
    queued_ += '\n';
    if (in_flight_.empty()) write();
}

void RpcSession::write() {
    in_flight_ = std::exchange(queued_, std::string());
    boost::asio::async_write(socket_, boost::asio::buffer(in_flight_),
                             [self = shared_from_this()](const error_code& error, size_t) {
                                 self->in_flight_.clear();
                                 if (error) {
                                     self->finish();
                                     return;
                                 }
                                 if (!self->queued_.empty()) self->write();
                                 if (!self->is_refused_) {
                                     self->pump();
                                 } else if (self->in_flight_.empty()) {
                                     error_code ignored;
                                     self->socket_.shutdown(Socket::shutdown_send, ignored);
                                     if (self->has_ended_) self->finish();
                                 }
                             });
}

void RpcSession::close() {
    if (is_closed_) return;
    is_closed_ = true;
    error_code ignored;
    socket_.close(ignored);
    drain_timer_.cancel();
}

void RpcSession::finish() {
    if (is_closed_) return;
    close();
    on_closed_();
}

}  // namespace podlane::control
