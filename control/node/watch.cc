// News for those who watch: what each change of the node's state is called, and who may ask.
#include <fmt/format.h>

#include "control/kube/kind_words.h"
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

/// The Service that a change concerns; empty where that is not said.
std::string service_of(const Change& change) {
    const std::string name_space = change.key.name_space + "/";
    if (change.key.kind == Kind::kService || change.key.kind == Kind::kEndpoints) {
        return name_space + change.key.name;
    }
    if (change.key.kind != Kind::kEndpointSlice) return {};
    const Object& object = change.after ? *change.after : *change.before;
    const auto* slice = std::get_if<ObjectPtr<EndpointSlice>>(&object);
    return slice != nullptr && !(*slice)->service.empty() ? name_space + (*slice)->service
                                                          : std::string();
}

std::string name_of(const ObjectKey& key) {
    return is_namespaced(key.kind) ? key.name_space + "/" + key.name : key.name;
}

}  // namespace

void NodeModel::tell(std::string_view kind, NewsType type, std::string_view name,
                     std::string_view text) {
    if (!is_started_) return;
    journal_.add(kind, type, name, text);
    if (news_) news_();
}

void NodeModel::tell_objects(const ChangeSet& objects) {
    bool moves_endpoints = false, moves_routes = false;
    const auto tell_all = [&](const std::vector<Change>& changes, NewsType type) {
        for (const Change& change : changes) {
            tell(kind_plural(change.key.kind), type, name_of(change.key));
            moves_endpoints |= change.key.kind == Kind::kPod || change.key.kind == Kind::kNode;
            moves_routes |= change.key.kind == Kind::kNode;
            const std::string service = service_of(change);
            if (!service.empty()) tell("frontends", NewsType::kModified, service);
        }
    };
    tell_all(objects.added, NewsType::kAdded);
    tell_all(objects.changed, NewsType::kModified);
    tell_all(objects.removed, NewsType::kDeleted);
    // Which Services a Pod or a Node is an endpoint of is known to the compiler alone.
    if (moves_endpoints) tell("frontends", NewsType::kModified, "");
    if (moves_routes) tell("routes", NewsType::kModified, "");
}

void NodeModel::tell_topology() {
    tell("routes", NewsType::kModified, "");
    tell("fdb", NewsType::kModified, "");
    for (const auto& [type, address] : links_.neighbour_news()) {
        tell("neighbors", type, to_string(address));
    }
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
    if (kinds.empty()) return refusal(RefusalKind::kBadRequest, "kinds: none is named");
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
