#include "control/rpc/methods.h"

#include <fmt/format.h>

#include <exception>
#include <utility>

#include "control/document/message.h"
#include "lib/base/printable.h"

namespace podlane::control {
namespace {

constexpr size_t kMaxBatch = 1000;  // bounds the size of the reply in memory

std::string text_of(const nlohmann::ordered_json& value) {
    return value.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

std::string reply_text(std::string_view id, const RpcResult& result) {
    if (const auto* failure = std::get_if<RpcFailure>(&result)) {
        // Messages quote their input, which must stay on one line.
        nlohmann::ordered_json error{{"code", failure->code},
                                     {"message", printable(failure->message)}};
        if (!failure->data.is_null()) error["data"] = failure->data;
        return fmt::format(R"({{"jsonrpc":"2.0","id":{},"error":{}}})", id, text_of(error));
    }
    return fmt::format(R"({{"jsonrpc":"2.0","id":{},"result":{}}})", id,
                       text_of(std::get<nlohmann::ordered_json>(result)));
}

// As received, except that a string's escapes are decoded.
std::string id_text(const Value& id) {
    if (id.is_null()) return "null";
    if (!id.is(ValueType::kString)) return std::string(id.text());
    return text_of(nlohmann::ordered_json(id.text()));
}

RpcFailure invalid(std::string what) {
    return {rpc_code::kInvalidRequest, "invalid request: " + std::move(what), nullptr};
}

RpcFailure failure_of(const Message& message) {
    return {message.fault == MessageFault::kOverLimit ? rpc_code::kInvalidRequest
                                                      : rpc_code::kParseError,
            message.what, nullptr};
}

// Returns what is wrong with a request's envelope; empty if it is valid.
std::string fault_of(const Value& request) {
    if (!request.is(ValueType::kMapping)) return "must be an object";
    const Value* version = request.find("jsonrpc");
    const Value* method = request.find("method");
    const Value* id = request.find("id");
    if (version == nullptr || !version->is(ValueType::kString) || version->text() != "2.0") {
        return "jsonrpc must be \"2.0\"";
    }
    if (method == nullptr || !method->is(ValueType::kString)) return "method must be a string";
    if (id != nullptr && !id->is(ValueType::kString) && !id->is(ValueType::kInteger) &&
        !id->is(ValueType::kNumber) && !id->is_null()) {
        return "id must be a string or a number";
    }
    return {};
}

}  // namespace

std::string rpc_failure_text(const RpcFailure& failure) {
    return reply_text("null", failure);
}

void RpcMethods::add(std::string name, Method method) {
    methods_.insert_or_assign(std::move(name), std::move(method));
}

void RpcMethods::add_waiting(std::string name, WaitingMethod method) {
    waiting_.insert_or_assign(std::move(name), std::move(method));
}

RpcResult RpcMethods::call(std::string_view method, const nlohmann::ordered_json& params,
                           const RpcPeer& peer) const {
    std::string text = text_of(params);
    Arena arena;
    const Message read = read_message(text, arena);
    if (read.fault != MessageFault::kNone) return failure_of(read);
    return invoke(method, &read.root, peer);
}

RpcResult RpcMethods::invoke(std::string_view method, const Value* params,
                             const RpcPeer& peer) const {
    const auto found = methods_.find(method);
    if (found == methods_.end() && waiting_.contains(method)) {
        return invalid(fmt::format("{} cannot stand in a batch", method));
    }
    if (found == methods_.end()) {
        return RpcFailure{rpc_code::kUnknownMethod,
                          fmt::format("no method {:?}", std::string(method.substr(0, 64))),
                          nullptr};
    }
    if (params != nullptr && params->is_null()) params = nullptr;
    if (params != nullptr && !params->is(ValueType::kMapping)) {
        return RpcFailure{rpc_code::kBadParams, "params must be an object", nullptr};
    }
    if (gate_) {
        if (auto closed = gate_(method)) return std::move(*closed);
    }
    RpcRequest request{method, RpcParams(params), peer};
    try {
        return found->second(request);
    } catch (const std::exception& error) {
        return RpcFailure{rpc_code::kInternal,
                          fmt::format("{}: internal error: {}", method, error.what()), nullptr};
    }
}

std::optional<std::string> RpcMethods::answer(std::string& message, const RpcPeer& peer) const {
    Arena arena;
    const Message read = read_message(message, arena);
    if (read.fault != MessageFault::kNone) return rpc_failure_text(failure_of(read));
    return answer_all(read.root, peer);
}

void RpcMethods::answer(std::string& message, const RpcPeer& peer,
                        std::function<void(std::optional<std::string>)> reply) const {
    Arena arena;
    const Message read = read_message(message, arena);
    if (read.fault != MessageFault::kNone) {
        reply(rpc_failure_text(failure_of(read)));
        return;
    }
    const Value& root = read.root;
    const bool is_request = fault_of(root).empty();
    const auto found = is_request ? waiting_.find(root.find("method")->text()) : waiting_.end();
    const Value* params = is_request ? root.find("params") : nullptr;
    if (params != nullptr && params->is_null()) params = nullptr;
    if (found == waiting_.end() || (params != nullptr && !params->is(ValueType::kMapping))) {
        reply(answer_all(root, peer));
        return;
    }
    const Value* id = root.find("id");
    const auto done = [reply = std::move(reply),
                       id = id != nullptr ? id_text(*id) : std::string()](const RpcResult& result) {
        reply(id.empty() ? std::nullopt : std::optional(reply_text(id, result)));
    };
    RpcRequest request{found->first, RpcParams(params), peer};
    try {
        found->second(request, done);
    } catch (const std::exception& error) {
        done(RpcFailure{rpc_code::kInternal,
                        fmt::format("{}: internal error: {}", found->first, error.what()),
                        nullptr});
    }
}

std::optional<std::string> RpcMethods::answer_all(const Value& root, const RpcPeer& peer) const {
    const auto answer_one = [&](const Value& request) -> std::optional<std::string> {
        if (std::string fault = fault_of(request); !fault.empty()) {
            return rpc_failure_text(invalid(std::move(fault)));
        }
        RpcResult result = invoke(request.find("method")->text(), request.find("params"), peer);
        const Value* id = request.find("id");
        if (id == nullptr) return std::nullopt;
        return reply_text(id_text(*id), result);
    };
    if (!root.is(ValueType::kSequence)) return answer_one(root);

    const auto requests = root.items();
    if (requests.empty()) return rpc_failure_text(invalid("an empty batch"));
    if (requests.size() > kMaxBatch) {
        return rpc_failure_text(invalid(fmt::format(
            "a batch of {} requests, at most {} are allowed", requests.size(), kMaxBatch)));
    }
    std::string replies;
    for (const Value& request : requests) {
        if (auto reply = answer_one(request)) {
            replies += replies.empty() ? '[' : ',';
            replies += *reply;
        }
    }
    if (replies.empty()) return std::nullopt;
    return replies + ']';
}

}  // namespace podlane::control
