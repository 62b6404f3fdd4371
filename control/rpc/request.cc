#include "control/rpc/request.h"

#include <rapidjson/document.h>

#include <fmt/format.h>
#include <algorithm>

#include "lib/base/printable.h"

namespace podlane::control {
namespace {

std::string_view view(const rapidjson::Value& string) {
    return {string.GetString(), string.GetStringLength()};
}

const rapidjson::Value* member(const rapidjson::Value& object, std::string_view key) {
    for (const auto& [name, value] : object.GetObject()) {
        if (view(name) == key) return &value;
    }
    return nullptr;
}

}  // namespace

RpcFailure rpc_failure(const Error& error, int code) {
    RpcFailure failure{code, error.message, nullptr};
    if (!error.document.empty()) failure.data["document"] = printable(error.document);
    if (error.line > 0) failure.data["line"] = error.line;
    if (!error.path.empty()) failure.data["path"] = printable(error.path);
    return failure;
}

const rapidjson::Value* RpcParams::find(std::string_view key) {
    asked_.push_back(key);
    if (object_ == nullptr) return nullptr;
    const rapidjson::Value* value = member(*object_, key);
    return value != nullptr && value->IsNull() ? nullptr : value;
}

void RpcParams::wrong(std::string_view key, std::string_view what) {
    if (wrong_.empty()) wrong_ = fmt::format("params.{}: {}", key, what);
}

bool RpcParams::has(std::string_view key) const {
    const rapidjson::Value* value = object_ == nullptr ? nullptr : member(*object_, key);
    return value != nullptr && !value->IsNull();
}

std::string_view RpcParams::text(std::string_view key) {
    const auto found = text_if_any(key);
    if (!found) wrong(key, "is required, a string");
    return found.value_or(std::string_view{});
}

std::optional<std::string_view> RpcParams::text_if_any(std::string_view key) {
    const rapidjson::Value* value = find(key);
    if (value == nullptr) return std::nullopt;
    if (value->IsString()) return view(*value);
    wrong(key, "must be a string");
    return std::nullopt;
}

std::vector<std::string_view> RpcParams::texts(std::string_view key) {
    const rapidjson::Value* value = find(key);
    std::vector<std::string_view> found;
    if (value != nullptr && value->IsArray()) {
        for (const rapidjson::Value& element : value->GetArray()) {
            if (element.IsString()) {
                found.push_back(view(element));
            } else {
                wrong(key, "must be a list of strings");
            }
        }
    } else {
        wrong(key, "is required, a list of strings");
    }
    return found;
}

std::optional<int64_t> RpcParams::number_if_any(std::string_view key, int64_t least, int64_t most) {
    const rapidjson::Value* value = find(key);
    if (value == nullptr) return std::nullopt;
    if (value->IsInt64() && value->GetInt64() >= least && value->GetInt64() <= most) {
        return value->GetInt64();
    }
    wrong(key, fmt::format("must be a whole number from {} to {}", least, most));
    return std::nullopt;
}

bool RpcParams::flag(std::string_view key) {
    const rapidjson::Value* value = find(key);
    if (value != nullptr && !value->IsBool()) wrong(key, "must be true or false");
    return value != nullptr && value->IsTrue();
}

std::vector<NamedText> RpcParams::documents() {
    const auto text = text_if_any("documents");
    const auto name = text_if_any("name");
    const rapidjson::Value* files = find("files");
    if (text) {
        if (files != nullptr) wrong("files", "either documents or files, not both");
        return {{name.value_or("documents"), *text}};
    }
    std::vector<NamedText> found;
    if (name) wrong("name", "goes with documents; each of files has its own");
    if (files == nullptr || !files->IsArray()) {
        wrong("documents", "is required, a string; or files, a list of {name, text}");
        return found;
    }
    for (const rapidjson::Value& file : files->GetArray()) {
        const rapidjson::Value* file_name = file.IsObject() ? member(file, "name") : nullptr;
        const rapidjson::Value* file_text = file.IsObject() ? member(file, "text") : nullptr;
        if (file_name != nullptr && file_name->IsString() && file_text != nullptr &&
            file_text->IsString()) {
            found.push_back({view(*file_name), view(*file_text)});
        } else {
            wrong(fmt::format("files[{}]", found.size()), "must be {name, text}, both strings");
            break;
        }
    }
    return found;
}

std::optional<RpcFailure> RpcParams::failure() const {
    if (!wrong_.empty()) return RpcFailure{rpc_code::kBadParams, wrong_, nullptr};
    if (object_ == nullptr) return std::nullopt;
    for (const auto& [name, value] : object_->GetObject()) {
        if (std::ranges::find(asked_, view(name)) != asked_.end()) continue;
        std::string known;
        for (const std::string_view key : asked_) {
            if (!known.empty()) known += ", ";
            known += key;
        }
        return RpcFailure{rpc_code::kBadParams,
                          fmt::format("params.{}: unknown; this method takes {}",
                                      view(name).substr(0, 64), known.empty() ? "none" : known),
                          nullptr};
    }
    return std::nullopt;
}

}  // namespace podlane::control
