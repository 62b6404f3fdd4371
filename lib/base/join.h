// Lists as text. fmt::join gives false warnings with g++ 12 at -O3 (-Wstringop-overflow).
#pragma once

#include <fmt/format.h>

#include <string>

namespace podlane {

/// "a, b, c".
template <class Range>
[[nodiscard]] std::string join(const Range& items) {
    std::string text;
    for (const auto& item : items) {
        if (!text.empty()) text += ", ";
        text += fmt::format("{}", item);
    }
    return text;
}

}  // namespace podlane
