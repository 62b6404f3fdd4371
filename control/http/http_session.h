// One HTTP/1.1 connection: it reads requests, and a handler answers them.
//
// The owners of listening sockets call it: the server in this folder, health checks of Services
// (control/health) and of podlane-kube (control/watch). All of it runs on the thread that runs the
// socket's io_context.
#pragma once

#include <boost/asio/ip/address.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "lib/base/fair_shares.h"

namespace podlane::control {

/// The connections that a server may have, shared by its clients' addresses.
using HttpSessions = FairShares<boost::asio::ip::address>;

/// The request; views are valid during the call.
struct HttpRequest {
    std::string_view method = "GET";
    std::string_view path;         ///< "/metrics", without its query
    std::string_view query = {};   ///< behind the "?", as it came
    std::string_view accept = {};  ///< headers; empty without them
    std::string_view host = {};    ///< as is_local_host_header() takes it
    std::string_view if_none_match = {};
};

struct HttpAnswer {
    unsigned status = 200;
    std::string content_type = "text/plain; charset=utf-8";
    std::string body = {};
    std::vector<std::pair<std::string, std::string>> headers = {};  ///< in addition to the usual
                                                                    ///< ones
};

/// None: the connection is closed without an answer.
using HttpResponder = std::function<std::optional<HttpAnswer>(const HttpRequest&)>;

struct HttpSessionRules {
    std::chrono::seconds patience{5};  ///< for a request to come, and for its answer to leave
    bool keeps_alive = false;          ///< further requests, if the client wants to send them
};

/// Serves the connection until it ends. A request's body is not waited for; HEAD gets none.
/// A client that has its share of `sessions` is not served; `owner` keeps these alive.
void serve_http(boost::asio::ip::tcp::socket socket, HttpSessionRules rules, HttpSessions& sessions,
                std::shared_ptr<void> owner, HttpResponder respond);

}  // namespace podlane::control
