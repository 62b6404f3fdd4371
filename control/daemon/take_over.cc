#include "control/daemon/take_over.h"

#include <fmt/format.h>
#include <unistd.h>

#include <chrono>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

#include "control/daemon/hand_over.h"
#include "control/rpc/client.h"

namespace podlane::control {

namespace {

using Json = nlohmann::ordered_json;

constexpr std::chrono::seconds kAnswer{5};

/// Messages come from another podlaned, but they are checked all the same.
std::optional<Json> read(const std::string& text) {
    Json json = Json::parse(text, nullptr, false);
    return json.is_object() ? std::optional(std::move(json)) : std::nullopt;
}

std::string text_in(const Json& json, const char* key) {
    return json.is_object() && json.contains(key) && json[key].is_string()
               ? json[key].get<std::string>()
               : std::string();
}

}  // namespace

Result<TakeOver> TakeOver::begin(const std::string& socket, unsigned workers) {
    const std::string path = socket + ".next";
    auto listener = FdListener::open(path);
    if (!listener.ok()) return listener.error();
    auto client = RpcClient::connect(socket);
    if (!client.ok()) return client.error();
    auto agreed = client->call("handover", {{"path", path}, {"form", kHandOverForm}});
    if (!agreed.ok()) {
        return Error{"the podlaned that runs does not hand over: " + agreed.error().message};
    }
    auto channel = listener->accept(kAnswer);
    if (!channel.ok()) return channel.error();
    const auto theirs = agreed->value("workers", 0U);
    if (theirs != workers) {
        return Error{
            fmt::format("workers: {}, and the podlaned that runs has {}, by which its "
                        "interfaces' queues were made; restart it instead",
                        workers, theirs)};
    }
    TakeOver out(std::move(channel).value());
    out.version_ = text_in(*agreed, "version");
    if (auto received = out.receive_all(); !received.ok()) return received.error();
    return out;
}

Result<void> TakeOver::receive_all() {
    for (;;) {
        auto message = channel_.receive(kAnswer);
        if (!message.ok()) return message.error();
        if (!message->has_value()) return Error{"the podlaned that runs has ended"};
        FdMessage& said = **message;
        if (said.text == kSayComplete) return {};
        const auto json = read(said.text);
        if (!json) return Error{"the podlaned that runs says what is not understood"};
        if (json->contains("tap")) {
            const Json& tap = (*json)["tap"];
            taps_[{text_in(tap, "netns"), text_in(tap, "ifname")}] = std::move(said.fds);
        } else if (said.fds.size() == 1 && json->contains("program")) {
            programs_[text_in(*json, "program")] = std::move(said.fds.front());
        } else if (said.fds.size() == 1 && json->contains("log")) {
            log_ = std::move(said.fds.front());
        }
    }
}

UniqueFd TakeOver::take_program(const std::string& ifname) {
    auto found = programs_.extract(ifname);
    return found.empty() ? UniqueFd() : std::move(found.mapped());
}

Result<void> TakeOver::rest() {
    rests_ = forwards_ = Clock::now();  // from here on neither process may forward
    if (auto sent = channel_.send(kAskToRest); !sent.ok()) return sent;
    const auto answer = channel_.receive(kAnswer);
    if (!answer.ok()) return answer.error();
    if (!answer->has_value()) return Error{"the podlaned that ran has ended"};
    if ((*answer)->text != kSayRests) return Error{(*answer)->text};
    return {};
}

Result<void> TakeOver::done() {
    return channel_.send(kSayDone);
}

void TakeOver::take_log() noexcept {
    if (!log_.valid()) return;
    static_cast<void>(::dup2(log_.get(), STDOUT_FILENO));
    static_cast<void>(::dup2(log_.get(), STDERR_FILENO));
    log_.reset();
}

}  // namespace podlane::control
