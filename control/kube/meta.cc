#include "control/kube/meta.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <tuple>

#include "control/kube/kind_words.h"

namespace podlane::control {

namespace {

struct KindInfo {
    std::string_view name;
    std::string_view api_version;
    bool is_namespaced;
    std::string_view plural;
    std::array<std::string_view, 2> short_names;  // as kubectl api-resources has them
};

constexpr std::array<KindInfo, kKindCount> kKinds{{
#define PODLANE_INFO(type, name, version, is_namespaced, plural, ...) \
    {name, version, is_namespaced, plural, {__VA_ARGS__}},
    PODLANE_KINDS(PODLANE_INFO)
#undef PODLANE_INFO
}};

const KindInfo& info(Kind kind) noexcept {
    return kKinds[static_cast<size_t>(kind)];
}

constexpr std::array<std::pair<std::string_view, Protocol>, 3> kProtocols{
    {{"TCP", Protocol::kTcp}, {"UDP", Protocol::kUdp}, {"SCTP", Protocol::kSctp}}};

}  // namespace

std::string_view kind_name(Kind kind) noexcept {
    return info(kind).name;
}
std::string_view api_version(Kind kind) noexcept {
    return info(kind).api_version;
}
bool is_namespaced(Kind kind) noexcept {
    return info(kind).is_namespaced;
}

std::string_view kind_plural(Kind kind) noexcept {
    return info(kind).plural;
}
std::span<const std::string_view> kind_short_names(Kind kind) noexcept {
    return info(kind).short_names;
}

std::optional<Kind> kind_from_name(std::string_view name) noexcept {
    const auto it = std::ranges::find(kKinds, name, &KindInfo::name);
    if (it == kKinds.end()) return std::nullopt;
    return static_cast<Kind>(it - kKinds.begin());
}

std::optional<Kind> kind_from_word(std::string_view word) noexcept {
    std::string lower(word);
    std::ranges::transform(lower, lower.begin(), [](char c) {
        return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c;
    });
    for (size_t i = 0; i < kKinds.size(); ++i) {
        const KindInfo& kind = kKinds[i];
        std::string singular(kind.name);
        std::ranges::transform(singular, singular.begin(), [](char c) {
            return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c;
        });
        const bool is_short =
            !lower.empty() && std::ranges::find(kind.short_names, lower) != kind.short_names.end();
        if (lower == kind.plural || lower == singular || is_short) return static_cast<Kind>(i);
    }
    return std::nullopt;
}

std::string to_string(const ObjectKey& key) {
    if (key.name_space.empty()) return fmt::format("{} {}", kind_name(key.kind), key.name);
    return fmt::format("{} {}/{}", kind_name(key.kind), key.name_space, key.name);
}

std::string to_string(const NamespacedName& name) {
    return fmt::format("{}/{}", name.name_space, name.name);
}

bool LabelExpression::matches(const Labels& labels) const {
    const auto it = labels.find(key);
    const bool exists = it != labels.end();
    const auto is_in = [&] {
        return exists && std::ranges::find(values, it->second) != values.end();
    };
    switch (op) {
        case Operator::kIn:
            return is_in();
        case Operator::kNotIn:
            return !is_in();
        case Operator::kExists:
            return exists;
        case Operator::kDoesNotExist:
            return !exists;
    }
    return false;
}

bool LabelSelector::matches(const Labels& labels) const {
    return contains_labels(labels, match_labels) &&
           std::ranges::all_of(match_expressions,
                               [&](const LabelExpression& e) { return e.matches(labels); });
}

bool contains_labels(const Labels& labels, const Labels& wanted) {
    return std::ranges::all_of(wanted, [&](const auto& label) {
        const auto it = labels.find(label.first);
        return it != labels.end() && it->second == label.second;
    });
}

bool Meta::is_older(const Meta& other) const noexcept {
    const auto order = [](const Meta& meta) {
        return std::tuple(meta.created == 0, meta.created, std::string_view(meta.name_space),
                          std::string_view(meta.name));
    };
    return order(*this) < order(other);
}

std::string_view Meta::label(std::string_view key) const noexcept {
    const auto it = labels.find(key);
    return it == labels.end() ? std::string_view() : std::string_view(it->second);
}

std::string_view protocol_name(Protocol protocol) noexcept {
    const auto it =
        std::ranges::find(kProtocols, protocol, &std::pair<std::string_view, Protocol>::second);
    return it == kProtocols.end() ? "?" : it->first;
}

std::optional<Protocol> protocol_from_name(std::string_view name) noexcept {
    const auto it =
        std::ranges::find(kProtocols, name, &std::pair<std::string_view, Protocol>::first);
    return it == kProtocols.end() ? std::nullopt : std::optional(it->second);
}

}  // namespace podlane::control
