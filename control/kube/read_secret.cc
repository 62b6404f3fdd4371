// Secret of type kubernetes.io/tls.
#include "control/kube/base64.h"
#include "control/kube/read.h"

namespace podlane::control {

namespace {

/// The value of `key` from stringData or data; errors do not show the value.
std::string read_data(Fields& root, const char* key, Problems& problems) {
    for (const char* where : {"stringData", "data"}) {
        const Value* data = root.get(where);
        if (data == nullptr) continue;
        if (!data->is(ValueType::kMapping)) {
            problems.add(*data, "must be a mapping");
            return {};
        }
        const Value* value = data->find(key);
        if (value == nullptr || value->is_null()) continue;
        const bool is_plain = std::string_view(where) == "stringData";
        std::optional<std::string> bytes;
        if (value->is(ValueType::kString)) {
            bytes = is_plain ? std::string(value->text()) : from_base64(value->text());
        }
        if (!bytes) problems.add(*value, is_plain ? "must be a string" : "must be base64");
        return std::move(bytes).value_or("");
    }
    problems.add(root.value(), std::string("data.") + key +
                                   ": missing: a Secret of type kubernetes.io/tls has it");
    return {};
}

}  // namespace

ObjectPtr<Secret> read_object(std::type_identity<Secret>, const Value& root, Meta meta,
                              Problems& problems) {
    auto secret = std::make_shared<Secret>();
    secret->meta = std::move(meta);
    Fields fields(&root, problems, Keys::kLax);
    secret->certificate = read_data(fields, "tls.crt", problems);
    secret->key = read_data(fields, "tls.key", problems);
    return secret;
}

}  // namespace podlane::control
