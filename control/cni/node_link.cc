#include "control/cni/node_link.h"

#include <fmt/format.h>

#include <algorithm>
#include <thread>
#include <utility>

#include "control/cni/failure.h"

namespace podlane::cni {
namespace {

constexpr auto kNodeRetry = std::chrono::milliseconds(50);
// A change waits for those before it; 250 pods that start at once are 250 changes.
constexpr auto kCallLimit = std::chrono::seconds(60);

}  // namespace

NodeLink::NodeLink(std::string socket, std::chrono::milliseconds wait)
    : socket_(std::move(socket)), until_(Clock::now() + wait) {}

void NodeLink::wait_at_most(std::chrono::milliseconds wait) noexcept {
    until_ = Clock::now() + wait;
}

Answer NodeLink::call(const std::string& method, const Json& params) {
    while (true) {
        std::string why;
        if (!client_) {
            auto connected = control::RpcClient::connect(
                socket_, {.connect_timeout = std::chrono::seconds(5), .call_timeout = kCallLimit});
            if (connected.ok()) {
                client_.emplace(std::move(*connected));
            } else {
                why = connected.error().message;
            }
        }
        if (client_) {
            auto answer = client_->call(method, params);
            if (answer.ok()) return std::move(*answer);
            why = answer.error().message;
            if (client_->last_code() != 0) return Refusal{client_->last_code(), why};
            client_.reset();
        }
        if (Clock::now() + kNodeRetry > until_) {
            throw Failure(code::kTryAgainLater, "podlaned does not answer", why);
        }
        std::this_thread::sleep_for(kNodeRetry);
    }
}

Json NodeLink::ask(const std::string& method, const Json& params) {
    Answer answer = call(method, params);
    if (const auto* refusal = std::get_if<Refusal>(&answer)) refuse(method, *refusal);
    return std::get<Json>(std::move(answer));
}

void refuse(const std::string& what, const Refusal& refusal) {
    throw Failure(code::kRefused, fmt::format("podlaned refuses {}", what), refusal.message);
}

}  // namespace podlane::cni
