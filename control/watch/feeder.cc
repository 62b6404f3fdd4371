#include "control/watch/feeder.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <string_view>
#include <thread>
#include <utility>

namespace podlane::control {

namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

/// How soon a lost podlaned is noticed if there are no changes.
constexpr milliseconds kLook{100};
constexpr milliseconds kFirstRetry{50};
constexpr milliseconds kLongestRetry{1000};
constexpr const char* kDocumentName = "api-server";

int64_t wall_seconds() {
    const auto since = std::chrono::system_clock::now().time_since_epoch();
    return std::chrono::duration_cast<std::chrono::seconds>(since).count();
}

std::string text_at(const nlohmann::ordered_json& object, const char* key) {
    const auto found = object.find(key);
    return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

NodeAnnotations annotations_of(RpcClient& client) {
    NodeAnnotations out;
    const auto facts = client.call("flannel");
    if (!facts || !facts->contains("annotations")) return out;
    for (const auto& [key, value] : facts->at("annotations").items()) {
        if (value.is_string()) out.emplace(key, value.get<std::string>());
    }
    return out;
}

}  // namespace

Feeder::Feeder(Cluster& cluster, FeederOptions options, FeederHandlers handlers,
               const std::atomic<bool>& stop)
    : cluster_(cluster),
      options_(std::move(options)),
      handlers_(std::move(handlers)),
      stop_(stop) {}

void Feeder::pause(milliseconds time) {
    const auto until = Clock::now() + time;
    while (!stops() && Clock::now() < until) std::this_thread::sleep_for(std::min(kLook, time));
}

void Feeder::run() {
    while (!stops() && !cluster_.is_complete()) cluster_.wait(Clock::now() + kLook, true);
    milliseconds retry = kFirstRetry;
    std::string told;
    while (!stops()) {
        auto client = RpcClient::connect(options_.socket);
        Error why = client ? feed(*client) : client.error();
        if (stops()) return;
        const bool was_ready = status_.is_ready.exchange(false);
        if (was_ready) retry = kFirstRetry;
        // Once per reason: podlaned may be away for a long time.
        if (was_ready || why.message != told) handlers_.on_log(why.message);
        told = why.message;
        pause(retry);
        retry = std::min(retry * 2, kLongestRetry);
    }
}

Error Feeder::feed(RpcClient& client) {
    if (auto done = tell_all(client); !done) return done.error();
    status_.is_ready = true;
    handlers_.on_ready(annotations_of(client));
    while (!stops()) {
        cluster_.wait(Clock::now() + kLook, false);
        if (client.is_closed()) return Error{"podlaned closed the connection"};
        std::this_thread::sleep_for(options_.gather);
        Batch batch = cluster_.take_news();
        if (batch.is_empty()) continue;
        if (auto done = tell(client, std::move(batch)); !done) return done.error();
    }
    return Error{"told to end"};
}

Result<void> Feeder::tell_all(RpcClient& client) {
    const auto begin = Clock::now();
    std::string all = cluster_.take_all();
    const size_t bytes = all.size();
    if (auto done = call(client, "replace", std::move(all)); !done) return done;
    handlers_.on_log(fmt::format(
        "podlaned has all {} objects ({} KiB), after {} ms", cluster_.objects(), bytes >> 10,
        std::chrono::duration_cast<milliseconds>(Clock::now() - begin).count()));
    return {};
}

Result<void> Feeder::tell(RpcClient& client, Batch batch) {
    if (batch.removed != 0) {
        auto done = call(client, "delete", std::move(batch.removals));
        if (!done) return done;
    }
    if (batch.changed != 0) {
        auto done = call(client, "apply", std::move(batch.changes));
        if (!done) return done;
    }
    const auto took =
        std::chrono::duration_cast<std::chrono::microseconds>(Clock::now() - batch.first_news);
    const auto us = static_cast<uint64_t>(took.count());
    if (us > status_.slowest_us) status_.slowest_us = us;
    ++status_.changes;
    return {};
}

Result<void> Feeder::call(RpcClient& client, const char* method, std::string documents) {
    nlohmann::ordered_json params;
    params["documents"] = std::move(documents);
    params["name"] = kDocumentName;
    params["owner"] = options_.owner;
    // If podlaned refuses one object, the others are still applied.
    params["each"] = true;
    // An empty answer from an API server is valid: the list was complete.
    if (std::string_view(method) == "replace") params["allowEmpty"] = true;
    auto reply = client.call(method, params);
    if (!reply) return reply.error();
    take_reply(*reply);
    return {};
}

void Feeder::take_reply(const nlohmann::ordered_json& reply) {
    status_.last_reply_s = wall_seconds();
    const auto refused = reply.find("refused");
    if (refused == reply.end() || !refused->is_array()) return;
    for (const auto& each : *refused) {
        if (!each.is_object()) continue;
        RefusedObject object{text_at(each, "kind"), text_at(each, "name"),
                             text_at(each, "message")};
        if (const std::string space = text_at(each, "namespace"); !space.empty())
            object.name = space + "/" + object.name;
        ++status_.refused;
        handlers_.on_refused(object);
    }
}

}  // namespace podlane::control
