#include "control/cli/kinds.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <numeric>
#include <utility>

namespace podlane::control {
namespace {

constexpr auto kKinds = std::to_array<CliKind>({
    {"nodes", "node", "no", true, false},
    {"pods", "pod", "po", true, true},
    {"services", "service", "svc", true, true},
    {"endpointslices", "endpointslice", "", true, true},
    {"endpoints", "endpoint", "ep", true, true},
    {"networkpolicies", "networkpolicy", "netpol", true, true},
    {"namespaces", "namespace", "ns", true, false},
    {"ingresses", "ingress", "ing", true, true},
    {"ingressclasses", "ingressclass", "", true, false},
    {"secrets", "secret", "", true, true},
    {"ports", "port", "", false, false},
    {"neighbors", "neighbor", "neigh", false, false},
    {"fdb", "fdb", "", false, false},
    {"routes", "route", "", false, false},
    {"flows", "flow", "", false, false},
    {"workers", "worker", "", false, false},
    {"frontends", "frontend", "", false, false},
    {"addresses", "address", "", false, false},
});

std::string lower(std::string_view text) {
    std::string out(text);
    std::ranges::transform(out, out.begin(),
                           [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    return out;
}

// Levenshtein's distance.
size_t distance(std::string_view a, std::string_view b) {
    std::vector<size_t> row(b.size() + 1);
    std::iota(row.begin(), row.end(), size_t{0});
    for (size_t i = 1; i <= a.size(); ++i) {
        size_t diagonal = std::exchange(row[0], i);
        for (size_t j = 1; j <= b.size(); ++j) {
            const size_t changed = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
            diagonal = row[j];
            row[j] = std::min({changed, row[j] + 1, row[j - 1] + 1});
        }
    }
    return row.back();
}

}  // namespace

std::span<const CliKind> cli_kinds() noexcept {
    return kKinds;
}

const CliKind* find_kind(std::string_view word) {
    const std::string wanted = lower(word);
    const auto found = std::ranges::find_if(kKinds, [&](const CliKind& kind) {
        return wanted == kind.plural || wanted == kind.singular ||
               (!kind.brief.empty() && wanted == kind.brief);
    });
    return found == kKinds.end() ? nullptr : &*found;
}

std::optional<std::string> nearest(std::string_view word,
                                   const std::vector<std::string_view>& known) {
    const std::string wanted = lower(word.substr(0, 64));
    const std::string_view* best = nullptr;
    // Two letters of a word of three would fit anything.
    size_t best_distance = std::min<size_t>(2, wanted.size() / 2) + 1;
    for (const std::string_view& candidate : known) {
        const size_t d = distance(wanted, candidate);
        if (d >= best_distance) continue;
        best = &candidate;
        best_distance = d;
    }
    if (best == nullptr) return std::nullopt;
    return std::string(*best);
}

}  // namespace podlane::control
