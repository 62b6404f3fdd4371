// Shared parts of the printers of the kinds. Internal to control/kube/.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "control/kube/objects.h"

namespace podlane::control {

/// apiVersion, kind and metadata.
[[nodiscard]] nlohmann::ordered_json object_head(Kind kind, const Meta& meta);
/// RFC 3339 in UTC, of seconds since 1970.
[[nodiscard]] std::string time_text(int64_t seconds);
[[nodiscard]] nlohmann::ordered_json to_json(const Labels& labels);
[[nodiscard]] nlohmann::ordered_json to_json(const LabelSelector& selector);
/// A number or a name.
[[nodiscard]] nlohmann::ordered_json to_json(const PortRef& port);

/// Sets the member if the value is not empty.
inline void set_text(nlohmann::ordered_json& out, const char* key, const std::string& text) {
    if (!text.empty()) out[key] = text;
}
/// Sets the member if the value is not zero.
inline void set_number(nlohmann::ordered_json& out, const char* key, uint32_t number) {
    if (number != 0) out[key] = number;
}

template <class T, class Print>
[[nodiscard]] nlohmann::ordered_json list_of(const std::vector<T>& items, const Print& print) {
    auto out = nlohmann::ordered_json::array();
    for (const T& item : items) out.push_back(print(item));
    return out;
}
/// Addresses or prefixes as text.
template <class T>
[[nodiscard]] nlohmann::ordered_json texts_of(const std::vector<T>& items) {
    return list_of(items, [](const T& item) { return to_string(item); });
}

}  // namespace podlane::control
