#include "control/rpc/request.h"

#include "lib/base/printable.h"

namespace podlane::control {

RpcFailure rpc_failure(const Error& error, int code) {
    RpcFailure failure{code, error.message, nullptr};
    if (!error.document.empty()) failure.data["document"] = printable(error.document);
    if (error.line > 0) failure.data["line"] = error.line;
    if (!error.path.empty()) failure.data["path"] = printable(error.path);
    return failure;
}

RpcParams::RpcParams(const Value* object)
    : envelope_{Member{Value::scalar(ValueType::kString, "params", 1, 1),
                       object == nullptr ? Value::mapping({}, 1, 1) : *object}},
      root_(Value::mapping(envelope_, 1, 1)),
      problems_(""),
      fields_(&envelope_[0].value, problems_, Keys::kStrict) {
    problems_.enter(root_);
}

std::string_view RpcParams::text(std::string_view key) {
    const Value* value = fields_.require(key, "a string");
    if (value == nullptr) return {};
    return as_string(*value, problems_).value_or(std::string_view{});
}

std::optional<std::string_view> RpcParams::text_if_any(std::string_view key) {
    const Value* value = fields_.get(key);
    return value == nullptr ? std::nullopt : as_string(*value, problems_);
}

std::vector<std::string_view> RpcParams::texts(std::string_view key) {
    const Value* list = fields_.require(key, "a list of strings");
    std::vector<std::string_view> found;
    if (list == nullptr) return found;
    for (const Value& item : as_list(*list, problems_)) {
        if (const auto text = as_string(item, problems_)) found.push_back(*text);
    }
    return found;
}

std::optional<int64_t> RpcParams::number_if_any(std::string_view key, int64_t least, int64_t most) {
    const Value* value = fields_.get(key);
    if (value == nullptr) return std::nullopt;
    return as_integer(*value, {least, most, "a whole number in range"}, problems_);
}

void RpcParams::each(std::string_view key, const std::function<void(Fields&)>& read) {
    for (const Value& item : fields_.list(key)) {
        Fields element(&item, problems_, Keys::kStrict);
        if (!element) return;
        read(element);
        element.finish();
    }
}

void RpcParams::within(std::string_view key, const std::function<void(Fields&)>& read) {
    if (!fields_.has(key)) return;
    Fields object = fields_.fields(key);
    if (!object) return;
    read(object);
    object.finish();
}

std::vector<NamedText> RpcParams::documents() {
    const Value* text = fields_.get("documents");
    const Value* name = fields_.get("name");
    const Value* files = fields_.get("files");
    std::vector<NamedText> found;
    if (text != nullptr) {
        if (files != nullptr) problems_.add(*files, "either documents or files, not both");
        const auto name_text = name == nullptr ? std::nullopt : as_string(*name, problems_);
        const auto document = as_string(*text, problems_);
        if (document) found.push_back({name_text.value_or("documents"), *document});
        return found;
    }
    if (name != nullptr) {
        problems_.add(*name, "goes with documents; each of files has a name of its own");
    }
    if (files == nullptr) {
        problems_.add_missing(fields_.value(), "documents",
                              "missing: a string; or files, a list of {name, text}");
        return found;
    }
    for (const Value& item : as_list(*files, problems_)) {
        Fields file(&item, problems_, Keys::kStrict);
        const Value* file_name = file.require("name", "what errors call it");
        const Value* file_text = file.require("text", "YAML or JSON");
        file.finish();
        if (file_name == nullptr || file_text == nullptr) break;
        const auto named = as_string(*file_name, problems_);
        const auto content = as_string(*file_text, problems_);
        if (!named || !content) break;
        found.push_back({*named, *content});
    }
    return found;
}

std::optional<RpcFailure> RpcParams::failure() {
    fields_.finish();
    if (problems_.empty()) return std::nullopt;
    return rpc_failure(Error{problems_.errors().front().message}, rpc_code::kBadParams);
}

}  // namespace podlane::control
