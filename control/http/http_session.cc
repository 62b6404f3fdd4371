#include "control/http/http_session.h"

#include <algorithm>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/http/write.hpp>

namespace podlane::control {

namespace {

namespace beast = boost::beast;
namespace http = beast::http;
using boost::asio::ip::tcp;
using boost::system::error_code;

constexpr size_t kMostRequestBytes = 8192;

std::string_view view(beast::string_view text) {
    return {text.data(), text.size()};
}

HttpRequest read_request(const http::request<http::empty_body>& request) {
    const std::string_view target = view(request.target());
    const std::string_view path = target.substr(0, target.find('?'));
    return {.method = view(request.method_string()),
            .path = path,
            .query = target.substr(std::min(path.size() + 1, target.size())),
            .accept = view(request[http::field::accept]),
            .host = view(request[http::field::host]),
            .if_none_match = view(request[http::field::if_none_match])};
}

/// Lives as long as one of its handlers is waiting.
class Session : public std::enable_shared_from_this<Session> {
  public:
    /// `client` has a place in `sessions`.
    Session(tcp::socket socket, HttpSessionRules rules, HttpSessions& sessions,
            boost::asio::ip::address client, std::shared_ptr<void> owner, HttpResponder respond)
        : stream_(std::move(socket)),
          rules_(rules),
          sessions_(sessions),
          client_(std::move(client)),
          owner_(std::move(owner)),
          respond_(std::move(respond)) {}
    Session(const Session&) = delete;
    Session& operator=(const Session&) = delete;
    ~Session() { sessions_.release(client_); }

    void read() {
        parser_.emplace();
        parser_->header_limit(kMostRequestBytes);
        stream_.expires_after(rules_.patience);
        http::async_read_header(stream_, buffer_, *parser_,
                                [self = shared_from_this()](const error_code& failed, size_t) {
                                    if (!failed) self->reply();
                                });
    }

  private:
    void reply() {
        const auto& request = parser_->get();
        auto answer = respond_(read_request(request));
        if (!answer) return;
        response_ = {};
        response_.result(answer->status);
        response_.version(11);
        // An unread body would be taken for the next request.
        response_.keep_alive(rules_.keeps_alive && request.keep_alive() && parser_->is_done());
        response_.set(http::field::content_type, answer->content_type);
        response_.set("X-Content-Type-Options", "nosniff");
        for (const auto& [name, value] : answer->headers) response_.set(name, value);
        response_.body() = std::move(answer->body);
        response_.prepare_payload();
        if (request.method() == http::verb::head) response_.body().clear();
        stream_.expires_after(rules_.patience);
        http::async_write(stream_, response_,
                          [self = shared_from_this()](const error_code& failed, size_t) {
                              if (failed) return;
                              if (self->response_.keep_alive()) return self->read();
                              error_code ignored;
                              self->stream_.socket().shutdown(tcp::socket::shutdown_send, ignored);
                          });
    }

    beast::tcp_stream stream_;
    const HttpSessionRules rules_;
    beast::flat_buffer buffer_{kMostRequestBytes};
    std::optional<http::request_parser<http::empty_body>> parser_;
    http::response<http::string_body> response_;
    HttpSessions& sessions_;
    const boost::asio::ip::address client_;
    std::shared_ptr<void> owner_;  // of sessions_
    HttpResponder respond_;
};

}  // namespace

void serve_http(tcp::socket socket, HttpSessionRules rules, HttpSessions& sessions,
                std::shared_ptr<void> owner, HttpResponder respond) {
    error_code gone;
    const auto client = socket.remote_endpoint(gone).address();
    if (gone || !sessions.take(client)) return;
    std::make_shared<Session>(std::move(socket), rules, sessions, client, std::move(owner),
                              std::move(respond))
        ->read();
}

}  // namespace podlane::control
