#include "control/node/object_files.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <system_error>
#include <utility>

namespace podlane::control {

namespace {

namespace fs = std::filesystem;

bool is_manifest(const fs::path& path) {
    return path.extension() == ".yaml" || path.extension() == ".yml" || path.extension() == ".json";
}

Result<std::vector<std::string>> files_of(const std::string& path) {
    std::error_code failed;
    if (!fs::is_directory(path, failed)) return std::vector<std::string>{path};
    std::vector<std::string> files;
    for (const fs::directory_entry& entry : fs::directory_iterator(path, failed)) {
        std::error_code ignored;
        if (entry.is_regular_file(ignored) && is_manifest(entry.path())) {
            files.push_back(entry.path().string());
        }
    }
    if (failed) return Error{fmt::format("{}: {}", path, failed.message()), path};
    std::sort(files.begin(), files.end());
    return files;
}

}  // namespace

Result<ParsedObjects> parse_object_files(const std::vector<std::string>& paths) {
    ParsedObjects all;
    for (const std::string& path : paths) {
        auto files = files_of(path);
        if (!files.ok()) return files.error();
        for (const std::string& file : *files) {
            std::ifstream in(file, std::ios::binary);
            const std::string text((std::istreambuf_iterator<char>(in)), {});
            if (!in) return Error{fmt::format("{}: the file cannot be read", file), file};
            auto parsed = parse_objects(text, file);
            if (!parsed.ok()) return parsed.error();
            std::move(parsed->objects.begin(), parsed->objects.end(),
                      std::back_inserter(all.objects));
            std::move(parsed->notices.begin(), parsed->notices.end(),
                      std::back_inserter(all.notices));
        }
    }
    return all;
}

}  // namespace podlane::control
