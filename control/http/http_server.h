// A small HTTP/1.1 server for podlaned's own data: each path has a function that makes its answer.
//
// The daemon registers the paths and opens it; all of it runs on the control thread. It only serves
// reads: GET and HEAD, without bodies, and bounded in sessions, sizes and time, so that a client
// cannot hold control up.
#pragma once

#include <boost/asio/io_context.hpp>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "control/http/http_session.h"
#include "lib/base/ip_address.h"

namespace podlane::control {

using HttpHandler = std::function<HttpAnswer(const HttpRequest&)>;

/// Threads: all members, and the handlers, on the thread that runs the io_context.
class HttpServer {
  public:
    /// More sessions at once are closed again; readers ask every few seconds.
    static constexpr size_t kMostSessions = 64;

    explicit HttpServer(boost::asio::io_context& io);
    HttpServer(const HttpServer&) = delete;
    HttpServer& operator=(const HttpServer&) = delete;
    ~HttpServer();

    /// Before listen(). A path is matched whole.
    void add(std::string path, HttpHandler handler);
    /// Listens there from now on; port 0: any. If the port cannot be opened, that is logged, and
    /// tried again every few seconds.
    void listen(const IpAddress& address, uint16_t port);
    void stop();

    /// The port that it listens on now; 0: none.
    [[nodiscard]] uint16_t port() const noexcept;

  private:
    class Core;
    std::shared_ptr<Core> core_;
};

/// Whether a request with this Host header may be answered at a loopback address: an address or
/// localhost, so that no web page reaches it by a name of its own (DNS rebinding).
[[nodiscard]] bool is_local_host_header(std::string_view host);

/// The percent-decoded value of `key` in "a=1&b=%2F"; none if it is absent or wrongly encoded.
[[nodiscard]] std::optional<std::string> query_value(std::string_view query, std::string_view key);

}  // namespace podlane::control
