#include "control/cli/cell.h"

namespace podlane::control {

namespace {

using Json = nlohmann::ordered_json;

}  // namespace

void append_word(std::string& words, std::string_view part) {
    if (!words.empty()) words += ',';
    words += part;
}

std::string cell_text(const Json& value) {
    std::string text;
    if (value.is_string()) {
        text = value.get_ref<const std::string&>();
    } else if (value.is_array()) {
        for (const Json& element : value) append_word(text, cell_text(element));
    } else if (value.is_object()) {
        for (const auto& [key, member] : value.items()) {
            append_word(text, key + '=' + cell_text(member));
        }
    } else if (!value.is_null()) {
        text = value.dump();
    }
    return text.empty() ? std::string(kNoValue) : text;
}

const Json& at(const Json& item, const char* pointer) {
    static const Json kNull;
    const Json::json_pointer path(pointer);
    return item.contains(path) ? item.at(path) : kNull;
}

std::string cell(const Json& item, const char* pointer) {
    return cell_text(at(item, pointer));
}

double number_at(const Json& item, const char* pointer) {
    const Json& value = at(item, pointer);
    return value.is_number() ? value.get<double>() : 0;
}

std::string object_name(const Json& item) {
    const Json& name_space = at(item, "/metadata/namespace");
    const std::string name = cell(item, "/metadata/name");
    return name_space.is_string() ? name_space.get<std::string>() + '/' + name : name;
}

}  // namespace podlane::control
