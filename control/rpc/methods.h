// The table of the config socket's methods, and the dispatch of one message to them.
//
// Filled by the composition root before the server starts; called by the server (control thread),
// by tests and by the fuzzer without any socket.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "control/rpc/request.h"

namespace podlane::control {

/// Takes the outcome of a call that had to wait; once, on the control thread.
using RpcDone = std::function<void(RpcResult)>;

/// Methods by name. Not safe for several threads at once.
class RpcMethods {
  public:
    using Method = std::function<RpcResult(RpcRequest&)>;

    /// Adds or replaces a method. A method that throws answers kInternal with the exception's text.
    void add(std::string name, Method method);

    /// A method whose outcome may come after it returns. It must copy what it needs from the
    /// request. It cannot be part of a batch.
    using WaitingMethod = std::function<void(RpcRequest&, RpcDone)>;
    void add_waiting(std::string name, WaitingMethod method);

    /// Called before each call; a failure it returns is the answer. None by default.
    using Gate = std::function<std::optional<RpcFailure>(std::string_view method)>;
    void set_gate(Gate gate) { gate_ = std::move(gate); }

    /// Calls one method with `params` (an object, or null for none): for callers within the
    /// process.
    [[nodiscard]] RpcResult call(std::string_view method, const nlohmann::ordered_json& params,
                                 const RpcPeer& peer = {}) const;

    /// Answers one message: a request, a notification or a batch, per JSON-RPC 2.0. Returns the
    /// reply without a line end, or none if none is due. `message` is decoded in place and must not
    /// be used afterwards.
    [[nodiscard]] std::optional<std::string> answer(std::string& message,
                                                    const RpcPeer& peer) const;
    /// The same for who can wait: `reply` is called once, now or later.
    void answer(std::string& message, const RpcPeer& peer,
                std::function<void(std::optional<std::string>)> reply) const;

  private:
    [[nodiscard]] std::optional<std::string> answer_all(const Value& root,
                                                        const RpcPeer& peer) const;
    [[nodiscard]] RpcResult invoke(std::string_view method, const Value* params,
                                   const RpcPeer& peer) const;

    Gate gate_;
    std::map<std::string, Method, std::less<>> methods_;
    std::map<std::string, WaitingMethod, std::less<>> waiting_;
};

/// The text of a reply without `result`, for failures that concern no request: `id` is null.
[[nodiscard]] std::string rpc_failure_text(const RpcFailure& failure);

}  // namespace podlane::control
