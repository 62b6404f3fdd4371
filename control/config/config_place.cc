#include "control/config/config_place.h"

#include <fmt/format.h>

#include <charconv>
#include <fstream>
#include <iterator>
#include <optional>

#include "control/document/reader.h"

namespace podlane::control {

namespace {

/// The child named by the first word of `path`, which is removed; null if there is none.
const Value* step_into(const Value& value, std::string_view& path) {
    if (path.starts_with('[')) {
        size_t index = 0;
        const auto [end, failed] =
            std::from_chars(path.data() + 1, path.data() + path.size(), index);
        if (failed != std::errc() || index >= value.items().size()) return nullptr;
        path.remove_prefix(static_cast<size_t>(end - path.data()) + 1);
        return &value.items()[index];
    }
    if (path.starts_with('.')) path.remove_prefix(1);
    const std::string_view key = path.substr(0, path.find_first_of(".["));
    path.remove_prefix(key.size());
    return value.find(key);
}

}  // namespace

std::string config_place(const std::string& file, std::string_view path) {
    std::ifstream in(file, std::ios::binary);
    const std::string text((std::istreambuf_iterator<char>(in)), {});
    std::optional<std::string> place;
    DocumentHandler handler;
    handler.on_document = [&](const Document& document) {
        const Value* value = &document.root;
        for (std::string_view rest = path; value != nullptr && !rest.empty();) {
            value = step_into(*value, rest);
        }
        if (value != nullptr) {
            place = fmt::format("{}:{}:{}: {}", file, value->line(), value->column(), path);
        }
        return false;
    };
    if (!read_documents(text, file, handler).ok() || !place) {
        return fmt::format("{}: {}", file, path);
    }
    return *place;
}

std::string uplink_device_path(const NodeConfig& config, std::string_view name) {
    for (size_t i = 0; i < config.uplinks.size(); ++i) {
        if (config.uplinks[i].name == name) return fmt::format("uplinks[{}].device", i);
    }
    return "uplinks";
}

}  // namespace podlane::control
