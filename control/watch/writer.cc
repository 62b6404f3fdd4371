#include "control/watch/writer.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <nlohmann/json.hpp>

namespace podlane::control {

namespace {

using Json = nlohmann::ordered_json;

constexpr const char* kComponent = "podlane-kube";
/// The API server refuses longer messages (ValidateEvent: 1024 for a note).
constexpr size_t kMostMessageBytes = 1000;
/// Objects and reasons that are remembered as reported.
constexpr size_t kMostTold = 10'000;

std::pair<std::string, std::string> split_name(const std::string& name) {
    const size_t slash = name.find('/');
    if (slash == std::string::npos) return {"", name};
    return {name.substr(0, slash), name.substr(slash + 1)};
}

}  // namespace

std::string rfc3339_now() {
    const auto now =
        std::chrono::time_point_cast<std::chrono::seconds>(std::chrono::system_clock::now());
    return fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(now));
}

std::string refusal_event(const RefusedObject& object, const std::string& uid,
                          const std::string& node, const std::string& now, uint64_t serial) {
    const auto [name_space, name] = split_name(object.name);
    // Events about objects without a namespace go to "default", as with the kubelet.
    const std::string home = name_space.empty() ? "default" : name_space;
    Json involved{{"kind", object.kind}, {"name", name}};
    if (!name_space.empty()) involved["namespace"] = name_space;
    if (!uid.empty()) involved["uid"] = uid;
    return Json{
        {"apiVersion", "v1"},
        {"kind", "Event"},
        {"metadata",
         {{"name", fmt::format("{:.200}.{}.{:x}", name, kComponent, serial)}, {"namespace", home}}},
        {"involvedObject", involved},
        {"reason", "NotServed"},
        {"message", object.why.substr(0, kMostMessageBytes)},
        {"type", "Warning"},
        {"source", {{"component", kComponent}, {"host", node}}},
        {"firstTimestamp", now},
        {"lastTimestamp", now},
        {"count", 1}}
        .dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::string node_patch(const NodeAnnotations& annotations, const std::string& now) {
    return Json{{"metadata", {{"annotations", annotations}}},
                {"status",
                 {{"conditions", Json::array({{{"type", "NetworkUnavailable"},
                                               {"status", "False"},
                                               {"reason", "PodlaneIsUp"},
                                               {"message", "Podlane is running on this node"},
                                               {"lastHeartbeatTime", now},
                                               {"lastTransitionTime", now}}})}}}}
        .dump();
}

bool node_lacks(const std::string& node, const NodeAnnotations& annotations) {
    const Json object = Json::parse(node, nullptr, /*allow_exceptions=*/false);
    if (!object.is_object()) return false;
    static const Json kNone = Json::object();
    const auto at = [&](const char* pointer) -> const Json& {
        const Json::json_pointer place(pointer);
        return object.contains(place) ? object.at(place) : kNone;
    };
    const Json& have = at("/metadata/annotations");
    for (const auto& [key, value] : annotations) {
        const auto found = have.find(key);
        if (found == have.end() || *found != value) return true;
    }
    const Json& conditions = at("/status/conditions");
    return std::ranges::none_of(conditions, [](const Json& each) {
        return each.is_object() && each.value("type", "") == "NetworkUnavailable" &&
               each.value("status", "") == "False";
    });
}

Writer::Writer(ApiClient& client, const Cluster& cluster, std::string node)
    : client_(client), cluster_(cluster), node_(std::move(node)) {}

Result<void> Writer::tell_refusal(const RefusedObject& object) {
    if (told_.size() >= kMostTold) told_.clear();
    const std::string uid = cluster_.uid_of(object.kind, object.name);
    if (!told_.emplace(object.kind + " " + object.name + " " + uid, object.why).second) return {};
    const std::string now = rfc3339_now();
    const auto since = std::chrono::system_clock::now().time_since_epoch().count();
    const std::string name_space = split_name(object.name).first;
    const auto reply = client_.send(
        "POST",
        fmt::format("/api/v1/namespaces/{}/events", name_space.empty() ? "default" : name_space),
        "application/json",
        refusal_event(object, uid, node_, now, static_cast<uint64_t>(since) + serial_++));
    if (reply.end.status / 100 == 2) return {};
    return Error{fmt::format("event on {} {}: HTTP {} {}", object.kind, object.name,
                             reply.end.status, reply.end.error)};
}

Result<void> Writer::patch(const std::string& target, const char* content_type,
                           const std::string& body) {
    const auto reply = client_.send("PATCH", target, content_type, body);
    if (reply.end.status / 100 == 2) return {};
    return Error{fmt::format("PATCH {}: HTTP {} {}", target, reply.end.status, reply.end.error)};
}

Result<void> Writer::tell_node(const NodeAnnotations& annotations) {
    if (!node_lacks(cluster_.text_of("Node", node_), annotations)) return {};
    // In its status, as flannel does: the right to patch nodes/status is enough for both.
    return patch("/api/v1/nodes/" + node_ + "/status", "application/strategic-merge-patch+json",
                 node_patch(annotations, rfc3339_now()));
}

Result<void> Writer::tell_status(const StatusPatch& status) {
    return patch(status.target, "application/merge-patch+json", status.body);
}

}  // namespace podlane::control
