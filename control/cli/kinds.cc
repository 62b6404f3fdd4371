#include "control/cli/kinds.h"

#include <fmt/format.h>

#include <algorithm>

#include "control/cli/habits.h"
#include "control/document/fields.h"

namespace podlane::control {
namespace {

std::string lower(std::string_view text) {
    std::string out(text);
    std::ranges::transform(out, out.begin(), [](char c) {
        return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c;
    });
    return out;
}

std::vector<CliKind> all_kinds() {
    std::vector<CliKind> kinds;
    for (size_t i = 0; i < kKindCount; ++i) {
        const auto kind = static_cast<Kind>(i);
        CliKind made{.plural = std::string(kind_plural(kind)),
                     .singular = lower(kind_name(kind)),
                     .object = kind};
        for (const std::string_view word : kind_short_names(kind)) {
            if (!word.empty()) made.brief.push_back(word);
        }
        const std::string_view version = api_version(kind);
        if (const size_t slash = version.find('/'); slash != std::string_view::npos) {
            made.group = version.substr(0, slash);
        }
        kinds.push_back(std::move(made));
    }
    for (const LiveKind& live : live_kinds()) {
        CliKind made{.plural = std::string(live.plural),
                     .singular = std::string(live.singular),
                     .live = &live};
        if (!live.brief.empty()) made.brief.push_back(live.brief);
        kinds.push_back(std::move(made));
    }
    return kinds;
}

}  // namespace

std::span<const CliKind> cli_kinds() {
    static const std::vector<CliKind> kKinds = all_kinds();
    return kKinds;
}

const CliKind* find_kind(std::string_view word) {
    const std::string whole = lower(word);
    const size_t dot = whole.find('.');
    std::string_view wanted = std::string_view(whole).substr(0, dot);
    if (wanted == "neighbour" || wanted == "neighbours") wanted = "neighbors";
    for (const CliKind& kind : cli_kinds()) {
        if (wanted != kind.plural && wanted != kind.singular &&
            std::ranges::find(kind.brief, wanted) == kind.brief.end()) {
            continue;
        }
        // kubectl: KIND.GROUP or KIND.VERSION.GROUP.
        const std::string_view rest =
            dot == std::string::npos ? std::string_view() : std::string_view(whole).substr(dot + 1);
        if (rest.empty() || rest == kind.group || rest == fmt::format("v1.{}", kind.group))
            return &kind;
    }
    return nullptr;
}

std::string unknown_kind(std::string_view word, bool objects_only) {
    if (const std::string use = kind_meant(lower(word)); !use.empty() && !objects_only) {
        return fmt::format("unknown kind {}; {}", in_quotes(word), use);
    }
    std::vector<std::string_view> words;
    std::vector<std::string_view> plurals;
    for (const CliKind& kind : cli_kinds()) {
        if (objects_only && !kind.object) continue;
        plurals.push_back(kind.plural);
        words.push_back(kind.plural);
        words.push_back(kind.singular);
    }
    const std::string_view meant = closest(lower(word), words);
    return fmt::format("unknown kind {}; {}", in_quotes(word),
                       meant.empty() ? fmt::format("there are {}", fmt::join(plurals, ", "))
                                     : fmt::format("did you mean {}?", in_quotes(meant)));
}

}  // namespace podlane::control
