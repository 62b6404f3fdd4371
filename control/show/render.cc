#include "control/show/render.h"

#include <string>
#include <utility>

namespace podlane::control {

namespace {

using Json = nlohmann::ordered_json;

Json key_json(const ObjectKey& key) {
    Json item = {{"kind", std::string(kind_name(key.kind))}};
    if (is_namespaced(key.kind)) item["namespace"] = key.name_space;
    item["name"] = key.name;
    return item;
}

Json keys_json(const std::vector<ObjectKey>& keys) {
    Json list = Json::array();
    for (const ObjectKey& key : keys) list.push_back(key_json(key));
    return list;
}

template <class Value>
Json texts(const std::vector<Value>& values) {
    Json list = Json::array();
    for (const Value& value : values) list.push_back(to_string(value));
    return list;
}

int code_of(RefusalKind kind) {
    switch (kind) {
        case RefusalKind::kBadRequest:
            return rpc_code::kBadParams;
        case RefusalKind::kInvalid:
            return rpc_code::kRefused;
        case RefusalKind::kNotFound:
            return rpc_code::kNotFound;
        case RefusalKind::kConflict:
            return rpc_code::kConflict;
        case RefusalKind::kFailed:
            break;
    }
    return rpc_code::kFailed;
}

}  // namespace

Json to_json(const RefusedView& refused) {
    Json out = refused.key ? key_json(*refused.key) : Json::object();
    out["message"] = refused.message;
    return out;
}

Json to_json(const ChangeReport& report) {
    Json refused = Json::array();
    for (const RefusedView& each : report.refused) refused.push_back(to_json(each));
    return {{"generation", report.generation},      {"added", keys_json(report.added)},
            {"changed", keys_json(report.changed)}, {"removed", keys_json(report.removed)},
            {"unchanged", report.unchanged},        {"notices", report.notices},
            {"refused", std::move(refused)}};
}

Json to_json(const PodPortView& port) {
    Json out = {{"name", port.name}, {"id", port.id}, {"pod", port.pod}};
    if (!port.container.empty()) out["container"] = port.container;
    out["mac"] = to_string(port.mac);
    out["addresses"] = texts(port.addresses);
    out["gateways"] = texts(port.gateways);
    out["mtu"] = port.mtu;
    out["netns"] = port.netns;
    out["ifname"] = port.ifname;
    if (!port.socket_path.empty()) out["socketPath"] = port.socket_path;
    if (port.dns) {
        out["dns"] = {{"nameservers", texts(port.dns->servers)},
                      {"search", port.dns->search},
                      {"options", port.dns->options}};
    }
    return {{"port", std::move(out)}};
}

Json to_json(const PodRemoval& removal) {
    return {{"removed", removal.removed}};
}

Json to_json(const HealthReport& report) {
    Json workers = Json::array();
    for (const WorkerHealth& worker : report.workers) {
        workers.push_back({{"id", worker.id},
                           {"alive", worker.is_alive},
                           {"generation", report.generation},
                           {"stillSeconds", worker.still_seconds}});
    }
    return {{"status", report.is_well ? "ok" : "degraded"},
            {"live", report.is_live},
            {"ready", report.is_ready},
            {"generation", report.generation},
            {"uptimeSeconds", report.uptime_seconds},
            {"node", report.node},
            {"workers", std::move(workers)},
            {"problems", report.problems},
            {"elsewhere", report.elsewhere}};
}

Json to_json(const AttachFacts& facts) {
    return {{"node", facts.node},
            {"podCidrs", texts(facts.pod_cidrs)},
            {"gateways", texts(facts.gateways)},
            {"mtu", facts.mtu}};
}

Json to_json(const LogLevelView& view) {
    return {{"level", to_string(view.level)}};
}

RpcFailure to_failure(const Refusal& refusal) {
    return rpc_failure(refusal.error, code_of(refusal.kind));
}

}  // namespace podlane::control
