// A blocking client of the config socket: used by podlanectl, by tests and by anything that has a
// thread to wait on. Not for the control thread, which must never wait for a socket.
#pragma once

#include <chrono>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "control/rpc/framing.h"
#include "control/rpc/request.h"
#include "lib/base/result.h"

namespace podlane::control {

struct RpcClientOptions {
    std::chrono::milliseconds connect_timeout{5000};
    std::chrono::milliseconds call_timeout{300000};  ///< for a whole call, sending included
    size_t max_message_bytes = kMaxMessageBytes;     ///< longest request; replies may be longer
};

/// One connection. Not safe for several threads at once. Movable; closes its socket.
class RpcClient {
  public:
    /// Connects; an Error names the path and what to do (not running, no permission).
    [[nodiscard]] static Result<RpcClient> connect(const std::string& path,
                                                   RpcClientOptions options = {});
    RpcClient(RpcClient&& other) noexcept;
    RpcClient& operator=(RpcClient&& other) noexcept;
    ~RpcClient();

    /// Calls a method and waits for its reply. `params` is an object, or null for none. The
    /// server's `error` becomes an Error with its message, document, line and path; last_code()
    /// returns its code.
    [[nodiscard]] Result<nlohmann::ordered_json> call(
        std::string_view method, const nlohmann::ordered_json& params = nullptr);

    /// The code of the error that the last call() ended with; 0 if it was none of the server's.
    [[nodiscard]] int last_code() const noexcept { return last_code_; }

    /// Sends a line as it is, without waiting; a line end is added. For pipelining and for tests.
    [[nodiscard]] Result<void> send_line(std::string_view line);
    /// The same without a line end.
    [[nodiscard]] Result<void> send_bytes(std::string_view bytes);
    /// The next line from the server.
    [[nodiscard]] Result<std::string> receive_line();
    /// The server has closed the connection; never waits.
    [[nodiscard]] bool is_closed() const noexcept;
    /// Tells the server that there are no more requests; replies can still be received.
    void finish_sending();

  private:
    using Clock = std::chrono::steady_clock;
    RpcClient(int fd, RpcClientOptions options);

    [[nodiscard]] Result<void> wait(short events, Clock::time_point until);
    [[nodiscard]] Result<void> send(std::string_view bytes, Clock::time_point until);
    [[nodiscard]] Result<std::string> receive(Clock::time_point until);

    int fd_ = -1;
    int last_code_ = 0;
    int64_t next_id_ = 1;
    RpcClientOptions options_;
    RpcFraming replies_;
};

}  // namespace podlane::control
