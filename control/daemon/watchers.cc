#include <utility>  // Boost 1.74 uses std::exchange without it

#include "control/daemon/watchers.h"

#include <boost/asio/post.hpp>
#include <optional>

#include "control/kube/meta.h"
#include "control/show/render.h"

namespace podlane::control {

namespace {

using Json = nlohmann::ordered_json;

const char* word_of(NewsType type) {
    switch (type) {
        case NewsType::kAdded:
            return "ADDED";
        case NewsType::kModified:
            break;
        case NewsType::kDeleted:
            return "DELETED";
    }
    return "MODIFIED";
}

/// What the item is now, as `get` has it; nothing when it is gone meanwhile.
std::optional<Json> item_of(NodeModel& node, const News& news) {
    RpcResult got = to_reply(node.get(news.kind, news.name, 1));
    auto* json = std::get_if<Json>(&got);
    if (json == nullptr || json->at("items").empty()) return std::nullopt;
    return std::move(json->at("items")[0]);
}

Json event_json(NodeModel& node, const News& news) {
    if (!news.text.empty()) return {{"kind", news.kind}, {"text", news.text}};
    Json event = {{"kind", news.kind}, {"type", word_of(news.type)}};
    if (news.name.empty()) return event;
    event["name"] = news.name;
    // What is live is made of lists, of which one item costs as much as all: the reader asks once.
    if (news.type == NewsType::kDeleted || !kind_from_word(news.kind)) return event;
    auto item = item_of(node, news);
    if (item) {
        event["item"] = std::move(*item);
    } else {
        event["type"] = word_of(NewsType::kDeleted);
    }
    return event;
}

}  // namespace

RpcResult Watchers::reply_to(const WatchRequest& request) {
    const Outcome<WatchReport> outcome = node_.watch(request);
    if (!outcome.ok()) return to_failure(outcome.refusal());
    Json events = Json::array();
    for (const News& news : outcome->news) events.push_back(event_json(node_, news));
    return Json{{"cursor", outcome->cursor},
                {"generation", outcome->generation},
                {"relist", outcome->relist},
                {"events", std::move(events)}};
}

void Watchers::add(WatchRequest request, std::chrono::seconds wait, RpcDone done) {
    const Outcome<WatchReport> outcome = node_.watch(request);
    const bool has_nothing =
        outcome.ok() && request.since && !outcome->relist && outcome->news.empty();
    if (!has_nothing || wait.count() == 0) {
        done(reply_to(request));
        return;
    }
    const auto at = waiting_.emplace(waiting_.end(), io_, std::move(request), std::move(done));
    at->timer.expires_after(wait);
    at->timer.async_wait([this, at](const boost::system::error_code& cancelled) {
        if (cancelled) return;
        const RpcDone answer = std::move(at->done);
        RpcResult reply = reply_to(at->request);
        waiting_.erase(at);
        answer(std::move(reply));
    });
}

void Watchers::wake() {
    if (look_due_ || waiting_.empty()) return;
    look_due_ = true;
    boost::asio::post(io_, [this] {
        look_due_ = false;
        look();
    });
}

void Watchers::look() {
    for (auto at = waiting_.begin(); at != waiting_.end();) {
        const Outcome<WatchReport> outcome = node_.watch(at->request);
        if (outcome.ok() && !outcome->relist && outcome->news.empty()) {
            // News of other kinds is behind it now, and cannot push it out of the journal.
            at->request.since = outcome->cursor;
            ++at;
            continue;
        }
        const RpcDone answer = std::move(at->done);
        RpcResult reply = reply_to(at->request);
        at = waiting_.erase(at);
        answer(std::move(reply));
    }
}

}  // namespace podlane::control
