// News for watchers: how each change of the node's state is named, and who may ask.
#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <array>
#include <utility>

#include "control/kube/kind_words.h"
#include "control/node/change_text.h"
#include "control/node/node_model.h"
#include "control/rpc/live_kinds.h"

namespace podlane::control {

namespace {

constexpr size_t kMostNews = 500;
constexpr std::string_view kEvents = "events";

bool is_watched(std::string_view word) {
    const LiveKind* kind = find_live_kind(word);
    return word == kEvents || (kind != nullptr && kind->is_watched);
}

/// "ports, neighbors, ..., events".
std::string live_words() {
    std::string words;
    for (const LiveKind& kind : live_kinds()) {
        if (kind.is_watched) words += std::string(kind.plural) + ", ";
    }
    return words + std::string(kEvents);
}

/// The Service that a change concerns; empty if it does not name one.
std::string service_of(const Change& change) {
    if (change.key.kind == Kind::kService) return change.key.name_space + "/" + change.key.name;
    return endpoints_service(change);
}

std::string name_of(const ObjectKey& key) {
    return is_namespaced(key.kind) ? key.name_space + "/" + key.name : key.name;
}

}  // namespace

void NodeModel::tell(News news) {
    if (!is_started_) return;
    news.time_ms = microseconds_since_1970() / 1000;
    news.generation = compiler_.current()->generation;
    if (news.kind != kEventNews && !news.text.empty()) {
        spdlog::debug("{} {}: {}, by {}", news.kind, news.name, news.text, news.by);
    }
    journal_.add(std::move(news));
    if (news_) news_();
}

void NodeModel::tell_event(std::string_view topic, std::string_view name, std::string_view text) {
    tell({.kind = kEventNews,
          .type = NewsType::kAdded,
          .name = std::string(name),
          .text = std::string(text),
          .topic = topic});
}

void NodeModel::tell_objects(const ChangeSet& objects, const std::string& owner) {
    bool moves_endpoints = false, moves_routes = false;
    const auto tell_all = [&](const std::vector<Change>& changes, NewsType type) {
        for (const Change& change : changes) {
            std::string text = change_text(change);
            if (change.key.kind == Kind::kNetworkPolicy && type != NewsType::kDeleted) {
                const size_t pods =
                    compiler_.policies().selected({change.key.name_space, change.key.name});
                text += fmt::format("; it selects {} pod{} here", pods, pods == 1 ? "" : "s");
            }
            tell({.kind = kind_plural(change.key.kind),
                  .type = type,
                  .name = name_of(change.key),
                  .text = std::move(text),
                  .about = endpoints_service(change),
                  .by = owner});
            moves_endpoints |= change.key.kind == Kind::kPod || change.key.kind == Kind::kNode;
            moves_routes |= change.key.kind == Kind::kNode;
            const std::string service = service_of(change);
            if (!service.empty()) tell_programs("frontends", service);
        }
    };
    tell_all(objects.added, NewsType::kAdded);
    tell_all(objects.changed, NewsType::kModified);
    tell_all(objects.removed, NewsType::kDeleted);
    // Only the compiler knows which Services have a Pod or a Node as an endpoint.
    if (moves_endpoints) tell_programs("frontends", "");
    if (moves_routes) tell_programs("routes", "");
}

void NodeModel::tell_topology() {
    tell_programs("routes", "");
    tell_programs("fdb", "");
    for (Links::NeighbourNews& news : links_.neighbour_news()) {
        tell({.kind = "neighbors",
              .type = news.type,
              .name = to_string(news.address),
              .text = std::move(news.text)});
    }
}

void NodeModel::tell_refusal(const ChangeScope& scope, std::string_view what,
                             const Refusal& refusal) {
    const bool is_question =
        refusal.kind == RefusalKind::kBadRequest || refusal.kind == RefusalKind::kNotFound;
    std::string text = fmt::format("{} refused: {}", what, refusal.error.message);
    // A feeder that repeats a refused change is reported once.
    if (is_question || text == last_refusal_) return;
    last_refusal_ = text;
    spdlog::info("{}: {}", scope.owner, text);
    tell({.kind = kEventNews,
          .type = NewsType::kAdded,
          .text = std::move(text),
          .topic = "refusals",
          .by = scope.owner});
}

Outcome<WatchReport> NodeModel::watch(const WatchRequest& request) const {
    WatchReport report;
    report.cursor = journal_.cursor();
    report.generation = compiler_.current()->generation;
    std::set<std::string> kinds;
    for (const std::string& word : request.kinds) {
        if (const auto kind = kind_from_word(word)) {
            kinds.emplace(kind_plural(*kind));
        } else if (is_watched(word)) {
            kinds.insert(word);
        } else {
            return refusal(RefusalKind::kBadRequest,
                           fmt::format("kinds: {} cannot be watched; objects can, and {}", word,
                                       live_words()));
        }
    }
    if (kinds.empty())
        return refusal(RefusalKind::kBadRequest, "kinds: must name at least one kind");
    if (!request.since) return report;
    if (!journal_.reaches(*request.since)) {
        report.relist = true;
        return report;
    }
    Journal::Page page = journal_.after(*request.since, kinds, kMostNews);
    report.news = std::move(page.news);
    report.cursor = page.cursor;
    return report;
}

}  // namespace podlane::control
