#include <utility>  // Boost 1.74 uses std::exchange without it

#include "control/daemon/watchers.h"

#include <boost/asio/post.hpp>
#include <optional>

#include "control/kube/meta.h"
#include "control/show/render.h"

namespace podlane::control {

namespace {

using Json = nlohmann::ordered_json;

/// The item's current state, as in `get`; none if it is gone.
std::optional<Json> item_of(NodeModel& node, const News& news) {
    RpcResult got = to_reply(node.get(news.kind, news.name, 1));
    auto* json = std::get_if<Json>(&got);
    if (json == nullptr || json->at("items").empty()) return std::nullopt;
    return std::move(json->at("items")[0]);
}

Json event_json(NodeModel& node, const News& news) {
    if (news.kind == kEventNews) return {{"kind", news.kind}, {"text", news.text}};
    Json event = {{"kind", news.kind}, {"type", word_of(news.type)}};
    if (news.name.empty()) return event;
    event["name"] = news.name;
    // Live state is listed as a whole, and one item costs as much as all: the reader asks once.
    if (news.type == NewsType::kDeleted || !kind_from_word(news.kind)) return event;
    auto item = item_of(node, news);
    if (item) {
        event["item"] = std::move(*item);
    } else {
        event["type"] = word_of(NewsType::kDeleted);
    }
    return event;
}

RpcResult reply_to(NodeModel& node, const Outcome<WatchReport>& outcome) {
    if (!outcome.ok()) return to_failure(outcome.refusal());
    Json events = Json::array();
    for (const News& news : outcome->news) events.push_back(event_json(node, news));
    return Json{{"cursor", outcome->cursor},
                {"generation", outcome->generation},
                {"relist", outcome->relist},
                {"events", std::move(events)}};
}

}  // namespace

void Watchers::add(WatchRequest request, std::chrono::seconds wait, RpcDone done) {
    const auto ask =
        [this, request = std::move(request)](bool is_last) mutable -> std::optional<RpcResult> {
        const Outcome<WatchReport> outcome = node_.watch(request);
        if (!is_last && outcome.ok() && request.since && !outcome->relist &&
            outcome->news.empty()) {
            // The cursor is now past the news of other kinds, which can no longer push it out of
            // the journal.
            request.since = outcome->cursor;
            return std::nullopt;
        }
        return reply_to(node_, outcome);
    };
    add(Question(ask), wait, std::move(done));
}

void Watchers::add(HistoryRequest request, std::chrono::seconds wait, RpcDone done) {
    const auto ask =
        [this, request = std::move(request)](bool is_last) mutable -> std::optional<RpcResult> {
        const Outcome<History> outcome = node_.history(request);
        if (!is_last && outcome.ok() && request.after && !outcome->is_torn &&
            outcome->events.empty()) {
            request.after = outcome->cursor;
            return std::nullopt;
        }
        return to_reply(outcome);
    };
    add(Question(ask), wait, std::move(done));
}

void Watchers::add(Question ask, std::chrono::seconds wait, RpcDone done) {
    if (auto reply = ask(wait.count() == 0)) {
        done(*std::move(reply));
        return;
    }
    const auto at = waiting_.emplace(waiting_.end(), io_, std::move(ask), std::move(done));
    at->timer.expires_after(wait);
    at->timer.async_wait([this, at](const boost::system::error_code& cancelled) {
        if (cancelled) return;
        const RpcDone answer = std::move(at->done);
        RpcResult reply = at->ask(true).value();
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
        auto reply = at->ask(false);
        if (!reply) {
            ++at;
            continue;
        }
        const RpcDone answer = std::move(at->done);
        at = waiting_.erase(at);
        answer(*std::move(reply));
    }
}

}  // namespace podlane::control
