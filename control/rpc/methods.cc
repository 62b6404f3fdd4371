#include "control/rpc/methods.h"

#include <fmt/format.h>
#include <rapidjson/document.h>
#include <rapidjson/stringbuffer.h>
#include <rapidjson/writer.h>

#include <exception>
#include <utility>

#include "control/rpc/json_text.h"
#include "lib/base/printable.h"

namespace podlane::control {
namespace {

constexpr rapidjson::SizeType kMaxBatch = 1000;  // bounds the reply that must be held at once

std::string text_of(const nlohmann::ordered_json& value) {
    return value.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

std::string reply_text(std::string_view id, const RpcResult& result) {
    if (const auto* failure = std::get_if<RpcFailure>(&result)) {
        // Messages quote what came in; it must not leave its line.
        nlohmann::ordered_json error{{"code", failure->code},
                                     {"message", printable(failure->message)}};
        if (!failure->data.is_null()) error["data"] = failure->data;
        return fmt::format(R"({{"jsonrpc":"2.0","id":{},"error":{}}})", id, text_of(error));
    }
    return fmt::format(R"({{"jsonrpc":"2.0","id":{},"result":{}}})", id,
                       text_of(std::get<nlohmann::ordered_json>(result)));
}

std::string id_text(const rapidjson::Value& id) {
    rapidjson::StringBuffer buffer;
    rapidjson::Writer<rapidjson::StringBuffer> writer(buffer);
    id.Accept(writer);
    return {buffer.GetString(), buffer.GetSize()};
}

RpcFailure invalid(std::string what) {
    return {rpc_code::kInvalidRequest, "invalid request: " + std::move(what), nullptr};
}

const rapidjson::Value* member(const rapidjson::Value& object, const char* key) {
    const auto found = object.FindMember(key);
    return found == object.MemberEnd() ? nullptr : &found->value;
}

// What is wrong with a request's envelope; empty if nothing.
std::string fault_of(const rapidjson::Value& request) {
    if (!request.IsObject()) return "must be an object";
    const rapidjson::Value* version = member(request, "jsonrpc");
    const rapidjson::Value* method = member(request, "method");
    const rapidjson::Value* id = member(request, "id");
    if (version == nullptr || !version->IsString() || *version != "2.0") {
        return "jsonrpc must be \"2.0\"";
    }
    if (method == nullptr || !method->IsString()) return "method must be a string";
    if (id != nullptr && !id->IsString() && !id->IsNumber() && !id->IsNull()) {
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
    rapidjson::Document document;
    if (auto failure = parse_in_place(text, document)) return *std::move(failure);
    return invoke(method, &document, peer);
}

RpcResult RpcMethods::invoke(std::string_view method, const rapidjson::Value* params,
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
    if (params != nullptr && params->IsNull()) params = nullptr;
    if (params != nullptr && !params->IsObject()) {
        return RpcFailure{rpc_code::kBadParams, "params must be an object", nullptr};
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
    rapidjson::Document document;
    if (auto failure = parse_in_place(message, document)) return rpc_failure_text(*failure);
    return answer_all(document, peer);
}

void RpcMethods::answer(std::string& message, const RpcPeer& peer,
                        std::function<void(std::optional<std::string>)> reply) const {
    rapidjson::Document document;
    if (auto failure = parse_in_place(message, document)) {
        reply(rpc_failure_text(*failure));
        return;
    }
    const bool is_request = document.IsObject() && fault_of(document).empty();
    const auto found = is_request ? waiting_.find(document["method"].GetString()) : waiting_.end();
    const rapidjson::Value* params = is_request ? member(document, "params") : nullptr;
    if (params != nullptr && params->IsNull()) params = nullptr;
    if (found == waiting_.end() || (params != nullptr && !params->IsObject())) {
        reply(answer_all(document, peer));
        return;
    }
    const rapidjson::Value* id = member(document, "id");
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

std::optional<std::string> RpcMethods::answer_all(const rapidjson::Document& document,
                                                  const RpcPeer& peer) const {
    const auto answer_one = [&](const rapidjson::Value& request) -> std::optional<std::string> {
        if (std::string fault = fault_of(request); !fault.empty()) {
            return rpc_failure_text(invalid(std::move(fault)));
        }
        const rapidjson::Value& method = request["method"];
        RpcResult result =
            invoke({method.GetString(), method.GetStringLength()}, member(request, "params"), peer);
        const rapidjson::Value* id = member(request, "id");
        if (id == nullptr) return std::nullopt;
        return reply_text(id_text(*id), result);
    };
    if (!document.IsArray()) return answer_one(document);

    if (document.Empty()) return rpc_failure_text(invalid("an empty batch"));
    if (document.Size() > kMaxBatch) {
        return rpc_failure_text(invalid(fmt::format(
            "a batch of {} requests, at most {} are allowed", document.Size(), kMaxBatch)));
    }
    std::string replies;
    for (const rapidjson::Value& request : document.GetArray()) {
        if (auto reply = answer_one(request)) {
            replies += replies.empty() ? '[' : ',';
            replies += *reply;
        }
    }
    if (replies.empty()) return std::nullopt;
    return replies + ']';
}

}  // namespace podlane::control
