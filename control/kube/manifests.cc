#include "control/kube/manifests.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <system_error>

#include "control/document/reader.h"

namespace podlane::control {

namespace fs = std::filesystem;

Result<std::vector<std::string>> manifests_in(const std::string& folder) {
    std::vector<std::string> names;
    std::error_code error;
    for (fs::directory_iterator at(folder, error), end; !error && at != end; at.increment(error)) {
        const std::string extension = at->path().extension();
        std::error_code unknown;
        if ((extension == ".yaml" || extension == ".yml" || extension == ".json") &&
            at->is_regular_file(unknown)) {
            names.push_back(at->path());
        }
    }
    if (error) return Error{fmt::format("{}: {}", folder, error.message()), folder};
    std::ranges::sort(names);
    return names;
}

bool holds_objects(std::string_view text, std::string_view name) {
    bool has_documents = false;
    bool has_objects = false;
    DocumentHandler handler;
    handler.on_document = [&](const Document& document) {
        has_documents = true;
        const Value& root = document.root;
        // The object has a kind, or should have one. Other files, such as a chart's, have an
        // apiVersion as well.
        has_objects = root.find("kind") != nullptr ||
                      (root.find("apiVersion") != nullptr && root.find("metadata") != nullptr);
        return !has_objects;
    };
    // A list's items are objects; knowing that does not require keeping any.
    handler.on_item = [&](const Value&, const Value&) {
        has_objects = true;
        return true;
    };
    const auto read = read_documents(text, name, handler);
    return has_objects || !read.ok() || !has_documents;
}

std::string no_objects_notice(std::string_view name) {
    return fmt::format("{}: skipped, it holds no Kubernetes object (no kind)", name);
}

}  // namespace podlane::control
