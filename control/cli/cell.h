// Turns pieces of JSON into the cells of podlanectl's tables.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

namespace podlane::control {

inline constexpr std::string_view kNoValue = "<none>";  ///< as kubectl shows absent values

/// A value for a cell: lists joined by commas, objects as k=v, kNoValue for what is empty or null.
[[nodiscard]] std::string cell_text(const nlohmann::ordered_json& value);

/// The same for the value at `pointer` (RFC 6901) in `item`; kNoValue if there is none.
[[nodiscard]] std::string cell(const nlohmann::ordered_json& item, const char* pointer);

/// What `pointer` names in `item`, or null.
[[nodiscard]] const nlohmann::ordered_json& at(const nlohmann::ordered_json& item,
                                               const char* pointer);

/// A whole number, 0 if it is absent or something else.
[[nodiscard]] double number_at(const nlohmann::ordered_json& item, const char* pointer);

/// "namespace/name", or "name" where there is no namespace.
[[nodiscard]] std::string object_name(const nlohmann::ordered_json& item);

/// Adds `part` to a list of words joined by commas.
void append_word(std::string& words, std::string_view part);

}  // namespace podlane::control
