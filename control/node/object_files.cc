#include "control/node/object_files.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <system_error>
#include <utility>

#include "control/compile/compiler.h"
#include "control/kube/manifests.h"
#include "control/kube/store.h"

namespace podlane::control {

namespace {

Result<std::string> text_of(const std::string& file) {
    std::ifstream in(file, std::ios::binary);
    std::string text((std::istreambuf_iterator<char>(in)), {});
    if (!in) return Error{fmt::format("{}: the file cannot be read", file), file};
    return text;
}

Result<void> parse_into(ParsedObjects& all, const std::string& text, const std::string& file) {
    auto parsed = parse_objects(text, file);
    if (!parsed.ok()) return parsed.error();
    std::ranges::move(parsed->objects, std::back_inserter(all.objects));
    std::ranges::move(parsed->notices, std::back_inserter(all.notices));
    return {};
}

}  // namespace

Result<ParsedObjects> parse_object_files(const std::vector<std::string>& paths) {
    ParsedObjects all;
    for (const std::string& path : paths) {
        std::error_code unknown;
        const bool is_folder = std::filesystem::is_directory(path, unknown);
        auto files = is_folder ? manifests_in(path) : std::vector<std::string>{path};
        if (!files.ok()) return files.error();
        for (const std::string& file : *files) {
            auto text = text_of(file);
            if (!text.ok()) return text.error();
            if (is_folder && !holds_objects(*text, file)) {
                all.notices.push_back(no_objects_notice(file));
                continue;
            }
            if (auto done = parse_into(all, *text, file); !done.ok()) return done.error();
        }
    }
    return all;
}

Result<CheckedObjects> check_object_files(const NodeConfig& config) {
    auto parsed = parse_object_files(config.objects);
    if (!parsed.ok()) return parsed.error();
    CheckedObjects checked{parsed->objects.size(), std::move(parsed->notices)};
    ObjectStore store;
    const ChangeSet plan = store.plan_apply(parsed->objects);
    store.commit(plan);
    const TopologyInput no_ports;
    auto compiled = Compiler(config).next(store, {.objects = &plan, .topology = &no_ports});
    if (!compiled.ok()) return compiled.error();
    std::ranges::move(compiled->notices, std::back_inserter(checked.notices));
    return checked;
}

}  // namespace podlane::control
