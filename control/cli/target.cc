#include "control/cli/target.h"

#include <fmt/format.h>

#include "control/cli/cell.h"
#include "control/document/fields.h"

namespace podlane::control {
namespace {

/// Joins a kind and a word that names one of its items; returns what is wrong.
std::string set_name(Target& target, const std::string& word, const std::string& name_space) {
    const CliKind& kind = *target.kind;
    const bool has_slash = word.find('/') != std::string::npos;
    const bool wants_namespace =
        kind.is_namespaced() ||
        (kind.live != nullptr && (kind.live->name == LiveName::kService ||
                                  (kind.live->name == LiveName::kFlowEnd &&
                                   word.find(':') == std::string::npos && !parse_ip(word))));
    target.name = word;
    if (wants_namespace && !has_slash) {
        target.name = fmt::format("{}/{}", name_space.empty() ? "default" : name_space, word);
    } else if (wants_namespace && !name_space.empty() && !word.starts_with(name_space + '/')) {
        return fmt::format("{} is not in namespace {} (-n)", in_quotes(word), name_space);
    }
    if (kind.object && !kind.is_namespaced() && has_slash) {
        return fmt::format("{}: {} have no namespace", word, kind.plural);
    }
    return kind.live == nullptr ? std::string() : live_name_fault(*kind.live, target.name);
}

/// The kinds of "svc,ep"; returns what is wrong.
std::string add_kinds(std::string_view words, bool objects_only, std::vector<Target>& to) {
    while (true) {
        const size_t comma = words.find(',');
        const std::string_view word = words.substr(0, comma);
        const CliKind* kind = find_kind(word);
        if (kind == nullptr || (objects_only && !kind->object)) {
            return unknown_kind(word, objects_only);
        }
        to.push_back({kind, ""});
        if (comma == std::string_view::npos) return {};
        words.remove_prefix(comma + 1);
    }
}

std::string namespace_fault(const CliKind& kind) {
    if (kind.live != nullptr && kind.live->namespaced == nullptr) {
        return fmt::format("-n: {} have no namespace", kind.plural);
    }
    return {};
}

}  // namespace

std::string whole_name(const Invocation& call, std::string name) {
    if (name.find('/') != std::string::npos) return name;
    const std::string name_space = call.text("namespace");
    return fmt::format("{}/{}", name_space.empty() ? "default" : name_space, name);
}

std::variant<std::vector<Target>, std::string> targets_of(const Invocation& call,
                                                          bool objects_only) {
    const std::string name_space = call.has("all-namespaces") ? "" : call.text("namespace");
    std::vector<Target> targets;
    // Either each word is KIND/NAME, or the first word lists kinds and the rest are names.
    const std::string& first = call.words.front();
    const size_t slash = first.find('/');
    if (slash != std::string::npos) {
        for (const std::string& word : call.words) {
            const size_t at = word.find('/');
            if (at == std::string::npos) {
                return fmt::format("{} is not KIND/NAME, as {} is", in_quotes(word), first);
            }
            Target target{find_kind(word.substr(0, at)), ""};
            if (target.kind == nullptr || (objects_only && !target.kind->object)) {
                return unknown_kind(word.substr(0, at), objects_only);
            }
            if (auto wrong = set_name(target, word.substr(at + 1), name_space); !wrong.empty()) {
                return wrong;
            }
            targets.push_back(std::move(target));
        }
        return targets;
    }
    std::vector<Target> kinds;
    if (auto wrong = add_kinds(first, objects_only, kinds); !wrong.empty()) return wrong;
    for (const Target& kind : kinds) {
        if (!name_space.empty()) {
            if (auto wrong = namespace_fault(*kind.kind); !wrong.empty()) return wrong;
        }
        if (call.words.size() == 1) {
            targets.push_back(kind);
            if (!name_space.empty() && kind.kind->is_namespaced()) {
                targets.back().name = name_space + '/';
            }
        }
        for (size_t i = 1; i < call.words.size(); ++i) {
            Target target = kind;
            if (auto wrong = set_name(target, call.words[i], name_space); !wrong.empty()) {
                return wrong;
            }
            targets.push_back(std::move(target));
        }
    }
    return targets;
}

bool is_in_namespace(const LiveKind& kind, const nlohmann::ordered_json& item,
                     std::string_view name_space) {
    return kind.namespaced != nullptr &&
           cell(item, kind.namespaced).starts_with(fmt::format("{}/", name_space));
}

}  // namespace podlane::control
