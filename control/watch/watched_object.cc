#include "control/watch/watched_object.h"

#include <fmt/format.h>

#include <charconv>
#include <initializer_list>
#include <nlohmann/json.hpp>

#include "control/watch/object_json.h"

namespace podlane::control {

namespace {

using Json = nlohmann::json;

/// Removes all members of an object except these.
void keep_only(Json& object, std::initializer_list<std::string_view> keys) {
    if (!object.is_object()) return;
    Json kept = Json::object();
    for (const std::string_view key : keys) {
        const auto found = object.find(std::string(key));
        if (found != object.end()) kept[std::string(key)] = std::move(*found);
    }
    object = std::move(kept);
}

Json* member(Json& object, const char* key) {
    if (!object.is_object()) return nullptr;
    const auto found = object.find(key);
    return found == object.end() ? nullptr : &*found;
}

void cut_down_containers(Json* containers) {
    if (containers == nullptr || !containers->is_array()) return;
    for (Json& each : *containers) keep_only(each, {"name", "ports", "restartPolicy"});
}

void cut_down_pod(Json& pod) {
    if (Json* spec = member(pod, "spec")) {
        keep_only(*spec, {"nodeName", "hostNetwork", "hostname", "subdomain", "setHostnameAsFQDN",
                          "containers", "initContainers", "readinessGates"});
        cut_down_containers(member(*spec, "containers"));
        cut_down_containers(member(*spec, "initContainers"));
    }
    if (Json* status = member(pod, "status")) {
        keep_only(*status, {"phase", "podIP", "podIPs", "hostIP", "hostIPs", "conditions"});
        if (Json* conditions = member(*status, "conditions"); conditions && conditions->is_array())
            for (Json& each : *conditions) keep_only(each, {"type", "status"});
    }
}

/// Keeps whether the node and its network are ready; a heartbeat is not a change.
void cut_down_conditions(Json& conditions) {
    Json kept = Json::array();
    for (Json& each : conditions) {
        const Json* const type = member(each, "type");
        if (type == nullptr || (*type != "Ready" && *type != "NetworkUnavailable")) continue;
        keep_only(each, {"type", "status", "reason"});
        if (each["type"] == "Ready") each.erase("reason");
        kept.push_back(std::move(each));
    }
    conditions = std::move(kept);
}

void cut_down_node(Json& node) {
    if (Json* status = member(node, "status")) {
        keep_only(*status, {"addresses", "conditions"});
        Json* const conditions = member(*status, "conditions");
        if (conditions != nullptr && conditions->is_array()) cut_down_conditions(*conditions);
    }
    if (Json* spec = member(node, "spec")) keep_only(*spec, {"podCIDR", "podCIDRs"});
}

}  // namespace

uint64_t version_number(std::string_view version) noexcept {
    uint64_t number = 0;
    const char* const end = version.data() + version.size();
    const auto [stopped, failed] = std::from_chars(version.data(), end, number);
    return failed == std::errc{} && stopped == end ? number : 0;
}

Json parse_server_json(std::string_view text) {
    const auto filter = [](int, Json::parse_event_t event, Json& parsed) {
        return event != Json::parse_event_t::key || parsed != "managedFields";
    };
    return Json::parse(text, filter, /*allow_exceptions=*/false);
}

Result<WatchedObject> cut_down(const Resource& resource, Json object) {
    Json* const metadata = member(object, "metadata");
    Json* const name = metadata == nullptr ? nullptr : member(*metadata, "name");
    if (name == nullptr || !name->is_string())
        return Error{fmt::format("a {} of the API server has no metadata.name", resource.kind)};
    const auto text_of = [&](const char* key) -> std::string {
        const Json* const value = member(*metadata, key);
        return value != nullptr && value->is_string() ? value->get<std::string>() : std::string();
    };
    WatchedObject out;
    const std::string name_space = text_of("namespace");
    out.name =
        name_space.empty() ? name->get<std::string>() : name_space + "/" + name->get<std::string>();
    out.uid = text_of("uid");
    out.version = version_number(text_of("resourceVersion"));

    if (Json* annotations = member(*metadata, "annotations");
        annotations != nullptr && annotations->is_object())
        annotations->erase("kubectl.kubernetes.io/last-applied-configuration");
    keep_only(*metadata, {"name", "namespace", "uid", "labels", "annotations", "creationTimestamp",
                          "deletionTimestamp"});
    if (resource.kind == "Pod") cut_down_pod(object);
    if (resource.kind == "Node") cut_down_node(object);
    // A list's items lack these two.
    object["apiVersion"] = resource.api_version;
    object["kind"] = resource.kind;
    out.text = object.dump(-1, ' ', false, Json::error_handler_t::replace);
    return out;
}

}  // namespace podlane::control
