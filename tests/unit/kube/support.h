// What the tests of objects have in common.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "control/kube/parse.h"

namespace podlane::control {

namespace fs = std::filesystem;

inline fs::path source_root() {
    const char* root = std::getenv("PODLANE_SOURCE");
    return root == nullptr ? fs::current_path() : fs::path(root);
}

inline std::string contents(const fs::path& path) {
    std::ostringstream out;
    out << std::ifstream(path).rdbuf();
    return out.str();
}

inline std::vector<fs::path> files_in(const fs::path& folder, std::string_view extension) {
    std::vector<fs::path> files;
    std::error_code absent;
    for (const auto& entry : fs::directory_iterator(folder, absent)) {
        if (entry.path().extension() == extension) files.push_back(entry.path());
    }
    std::ranges::sort(files);
    return files;
}

/// The objects in a text, or a failure with the error.
inline ParsedObjects parse(std::string_view text) {
    auto parsed = parse_objects(text, "t");
    EXPECT_TRUE(parsed.ok()) << (parsed.ok() ? "" : parsed.error().message);
    return parsed.ok() ? std::move(parsed).value() : ParsedObjects();
}

/// The only object in a text.
template <class T>
ObjectPtr<T> parse_one(std::string_view text) {
    const ParsedObjects parsed = parse(text);
    EXPECT_EQ(parsed.objects.size(), 1U);
    if (parsed.objects.size() == 1 && std::holds_alternative<ObjectPtr<T>>(parsed.objects[0])) {
        return std::get<ObjectPtr<T>>(parsed.objects[0]);
    }
    ADD_FAILURE() << "not one object of the kind";
    return std::make_shared<const T>();
}

}  // namespace podlane::control
