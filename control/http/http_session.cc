#include "control/http/http_session.h"

#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/http/write.hpp>
#include <chrono>

namespace podlane::control {

namespace {

namespace beast = boost::beast;
namespace http = beast::http;
using boost::asio::ip::tcp;
using boost::system::error_code;

/// From the connection to the end of the answer.
constexpr std::chrono::seconds kPatience{5};
constexpr size_t kMostHeaderBytes = 8192;

/// Lives as long as one of its handlers waits.
class Session : public std::enable_shared_from_this<Session> {
  public:
    Session(tcp::socket socket, size_t& count, std::shared_ptr<void> owner, HttpChecker checker)
        : stream_(std::move(socket)),
          count_(count),
          owner_(std::move(owner)),
          checker_(std::move(checker)) {
        ++count_;
    }
    Session(const Session&) = delete;
    Session& operator=(const Session&) = delete;
    ~Session() { --count_; }

    void start() {
        stream_.expires_after(kPatience);
        http::async_read_header(stream_, buffer_, parser_,
                                [self = shared_from_this()](const error_code& failed, size_t) {
                                    if (!failed) self->answer();
                                });
    }

  private:
    void answer() {
        const auto target = parser_.get().target();
        auto reply = checker_({target.data(), target.size()});
        if (!reply) return;
        response_.result(reply->status);
        response_.version(11);
        response_.keep_alive(false);
        response_.set(http::field::content_type, "application/json");
        response_.set("X-Content-Type-Options", "nosniff");
        for (const auto& [name, value] : reply->headers) response_.set(name, value);
        response_.body() = std::move(reply->body);
        response_.prepare_payload();
        if (parser_.get().method() == http::verb::head) response_.body().clear();
        http::async_write(stream_, response_,
                          [self = shared_from_this()](const error_code&, size_t) {
                              error_code ignored;
                              self->stream_.socket().shutdown(tcp::socket::shutdown_send, ignored);
                          });
    }

    beast::tcp_stream stream_;
    beast::flat_buffer buffer_{kMostHeaderBytes};
    http::request_parser<http::empty_body> parser_;
    http::response<http::string_body> response_;
    size_t& count_;
    std::shared_ptr<void> owner_;  // of count_
    HttpChecker checker_;
};

}  // namespace

void answer_check(tcp::socket socket, size_t& sessions, std::shared_ptr<void> owner,
                  HttpChecker checker) {
    std::make_shared<Session>(std::move(socket), sessions, std::move(owner), std::move(checker))
        ->start();
}

}  // namespace podlane::control
