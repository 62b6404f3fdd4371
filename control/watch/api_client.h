// HTTP to the API server, on libcurl: TLS, client certificates, gzip, HTTP/2 where both ends have
// it. One client is one connection that is reused; each watcher thread has its own.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "control/watch/api_server.h"
#include "control/watch/reflector.h"

namespace podlane::control {

/// Threads: one for each client. Calls block; `stop` ends them within a second.
class ApiClient {
  public:
    /// Gets pieces of the body as they come, with the response's status; false ends the reading.
    using OnData = std::function<bool(unsigned status, std::string_view bytes)>;

    /// `server` and `stop` must outlive the client.
    ApiClient(const ApiServer& server, const std::atomic<bool>& stop);
    ~ApiClient();
    ApiClient(const ApiClient&) = delete;
    ApiClient& operator=(const ApiClient&) = delete;

    /// GET. A page of a list must come within a minute; a watch may be silent for its whole life,
    /// but a dead connection is noticed.
    ResponseEnd get(const std::string& target, bool is_watch, const OnData& on_data);

    struct Reply {
        ResponseEnd end;
        std::string body;
    };
    /// POST, PATCH or PUT of a small body, and the whole answer.
    Reply send(const char* method, const std::string& target, const char* content_type,
               const std::string& body);

  private:
    struct Handle;
    ResponseEnd perform(const std::string& target, const OnData& on_data);

    const ApiServer& server_;
    const std::atomic<bool>& stop_;
    std::unique_ptr<Handle> handle_;
};

}  // namespace podlane::control
