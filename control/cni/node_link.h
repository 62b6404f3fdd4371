// podlane-cni's connection to podlaned: its config socket, which may be unavailable for a moment.
//
// plugin.cc has one for each call. All requests made here can be repeated. So if the connection
// breaks because podlaned was stopped or killed, it connects again until the time is over.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "control/cni/request.h"
#include "control/rpc/client.h"

namespace podlane::cni {

/// podlaned's refusal.
struct Refusal {
    int code = 0;  ///< as control/rpc/request.h numbers them
    std::string message;
};

using Answer = std::variant<Json, Refusal>;

class NodeLink {
  public:
    NodeLink(std::string socket, std::chrono::milliseconds wait);

    /// Throws Failure (kTryAgainLater) when podlaned does not answer in time.
    [[nodiscard]] Answer call(const std::string& method, const Json& params);
    /// The same for what podlaned has no reason to refuse: a refusal is a Failure, too.
    [[nodiscard]] Json ask(const std::string& method, const Json& params = Json::object());
    /// Sets the time limit, counted from now; none: only what answers at once.
    void wait_at_most(std::chrono::milliseconds wait) noexcept;

  private:
    using Clock = std::chrono::steady_clock;

    std::string socket_;
    Clock::time_point until_;
    std::optional<control::RpcClient> client_;
};

/// A Failure of code kRefused with podlaned's words.
[[noreturn]] void refuse(const std::string& what, const Refusal& refusal);

}  // namespace podlane::cni
