// One HTTP request and its answer, for the checks of kubelets and load balancers.
//
// Who accepts the connections calls it (control/health, control/watch); all of it runs on the
// thread that runs the socket's io_context.
#pragma once

#include <boost/asio/ip/tcp.hpp>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace podlane::control {

/// A check's answer, in JSON.
struct HttpReply {
    unsigned status = 200;
    std::string body;
    std::vector<std::pair<std::string, std::string>> headers = {};  ///< beside the usual ones
};

/// Makes the answer for a path; none: the connection is closed without one.
using HttpChecker = std::function<std::optional<HttpReply>(std::string_view target)>;

/// Reads a request of any method, whose body is not waited for, answers it and closes; to HEAD
/// without the body. Ends after 5 seconds. `sessions`, which `owner` keeps alive, counts those that
/// there are.
void answer_check(boost::asio::ip::tcp::socket socket, size_t& sessions,
                  std::shared_ptr<void> owner, HttpChecker checker);

}  // namespace podlane::control
