// What only reads: get, stats, drops, explain, health.
#include <fmt/format.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "control/kube/json.h"
#include "control/kube/kind_words.h"
#include "control/node/counters.h"
#include "control/node/listings.h"
#include "control/node/log_level.h"
#include "control/node/node_model.h"
#include "control/rpc/live_kinds.h"
#include "lib/base/join.h"

namespace podlane::control {

namespace {

using Json = nlohmann::ordered_json;

/// Every kind that `get` knows: "nodes, pods, ... ports, ...".
std::string all_kinds() {
    std::vector<std::string_view> kinds;
    for (size_t i = 0; i < kKindCount; ++i) kinds.push_back(kind_plural(static_cast<Kind>(i)));
    for (const LiveKind& kind : live_kinds()) kinds.push_back(kind.plural);
    return fmt::format("{}", fmt::join(kinds, ", "));
}

bool is_alive(const WorkerInfo& worker) {
    return ::access(fmt::format("/proc/self/task/{}", worker.tid).c_str(), F_OK) == 0;
}

RpcFailure not_found(std::string_view kind, std::string_view name) {
    return {rpc_code::kNotFound, fmt::format("{} \"{}\" not found", kind, name)};
}

/// {kind, items[, total]}, with at most `limit` items.
Json answer(std::string_view kind, Json items, size_t limit) {
    Json out = {{"kind", kind}};
    const size_t total = items.size();
    if (limit != 0 && total > limit) {
        items.erase(items.begin() + static_cast<std::ptrdiff_t>(limit), items.end());
    }
    const bool cut = items.size() != total;
    out["items"] = std::move(items);
    if (cut) out["total"] = total;
    return out;
}

/// An object with its owner.
Json owned_json(const Object& object, const ObjectOwners& owners) {
    Json item = to_json(object);
    item["metadata"]["annotations"]["podlane.io/owner"] =
        std::string(owners.owner_of(key_of(object)));
    return item;
}

RpcResult get_objects(const LiveView& live, std::string_view word, Kind kind,
                      std::optional<std::string_view> name, size_t limit) {
    Json items = Json::array();
    const bool whole_namespace = name && is_namespaced(kind) && name->ends_with('/');
    if (name && !whole_namespace) {
        const size_t slash = name->find('/');
        ObjectKey key{kind, "", std::string(*name)};
        if (is_namespaced(kind) && slash != std::string_view::npos) {
            key.name_space = std::string(name->substr(0, slash));
            key.name = std::string(name->substr(slash + 1));
        }
        const auto object = live.store.find(key);
        if (!object) return not_found(word, *name);
        items.push_back(owned_json(*object, live.owners));
        return answer(word, std::move(items), limit);
    }
    for (const Object& object : live.store.list(kind)) {
        if (whole_namespace && meta_of(object).name_space != name->substr(0, name->size() - 1)) {
            continue;
        }
        items.push_back(owned_json(object, live.owners));
    }
    return answer(word, std::move(items), limit);
}

/// Says of each policy how many pods of this node it selects.
void add_selected(const PolicyCompiler& policies, Json& items) {
    for (Json& item : items) {
        const Json& meta = item.at("metadata");
        const NamespacedName name{meta.at("namespace"), meta.at("name")};
        item["status"] = {{"podsHere", policies.selected(name)}};
    }
}

}  // namespace

RpcResult NodeModel::get_flows(std::optional<std::string_view> name, std::optional<size_t> limit,
                               FlowCursor from) {
    FlowList list = list_flows(live(), name, limit.value_or(find_live_kind("flows")->limit), from);
    Json out = {{"kind", "flows"}, {"items", std::move(list.items)}};
    if (list.next == 0) return out;
    out["next"] = list.next;
    if (!name) out["total"] = dataplane_.flow_totals().active;
    return out;
}

RpcResult NodeModel::get(std::string_view kind, std::optional<std::string_view> name,
                         std::optional<size_t> limit, FlowCursor from) {
    if (kind == "flows") return get_flows(name, limit, from);
    const size_t shown = limit.value_or(0);
    const LiveView view = live();
    auto items = list_live(view, kind);
    if (!items) {
        const auto object_kind = kind_from_word(kind);
        if (!object_kind) {
            return RpcFailure{rpc_code::kBadParams,
                              fmt::format("kind: {} is none of {}", kind, all_kinds())};
        }
        RpcResult found = get_objects(view, kind, *object_kind, name, shown);
        if (auto* listed = std::get_if<Json>(&found);
            listed != nullptr && *object_kind == Kind::kNetworkPolicy) {
            add_selected(compiler_.policies(), listed->at("items"));
        }
        return found;
    }
    if (name) {
        if (const auto fault = live_name_fault(*find_live_kind(kind), *name); !fault.empty()) {
            return RpcFailure{rpc_code::kBadParams, "name: " + fault};
        }
        Json named = Json::array();
        for (Json& item : *items) {
            if (is_named(kind, item, *name)) named.push_back(std::move(item));
        }
        if (named.empty() && find_live_kind(kind)->has_unique_names) return not_found(kind, *name);
        return answer(kind, std::move(named), shown);
    }
    return answer(kind, std::move(*items), shown);
}

NodeStats NodeModel::stats() const {
    NodeStats stats = node_stats(live());
    if (!config_.cluster.dns.empty()) stats.dns = dns_stats(dataplane_, name_server_);
    return stats;
}

DropStats NodeModel::drops() const {
    return drop_stats(dataplane_);
}

RpcResult NodeModel::explain(const ExplainRequest& request) {
    auto answered = control::explain(live(), request);
    if (!answered.ok()) return rpc_failure(answered.error(), rpc_code::kBadParams);
    return std::move(answered).value();
}

bool NodeModel::is_serving() const {
    const auto workers = dataplane_.workers();
    return lost_ports_.empty() && std::all_of(workers.begin(), workers.end(), is_alive);
}

AttachFacts NodeModel::node() const {
    return {config_.node, config_.pods.cidrs, config_.pods.gateways(), config_.pods.mtu};
}

Outcome<LogLevelView> NodeModel::log_level(std::optional<std::string_view> level) {
    if (level) {
        const auto parsed = parse_log_level(*level);
        if (!parsed) {
            return refusal(RefusalKind::kBadRequest,
                           fmt::format("level: {} is none of {}", *level, join(kLogLevelNames)));
        }
        spdlog::set_level(spdlog_level(*parsed));
        dataplane_.set_log_level(*parsed);
    }
    return LogLevelView{log_level_of(spdlog::get_level())};
}

HealthReport NodeModel::health() const {
    HealthReport report{.generation = compiler_.current()->generation,
                        .uptime_seconds = (now_ms_() - started_ms_) / 1000,
                        .node = config_.node,
                        .workers = {},
                        .problems = {}};
    std::vector<std::string>& problems = report.problems;
    for (const std::string& lost : lost_ports_) problems.push_back(lost + ": its device is gone");
    const PortNames names(dataplane_);
    for (const WantedNeighbour& wanted : compiler_.wanted_neighbours()) {
        const Neighbour* neighbour = neighbours_.find({wanted.port, wanted.address});
        if (neighbour == nullptr || neighbour->state != NeighbourState::kFailed) continue;
        problems.push_back(fmt::format("{}: next hop {} does not answer", names.name(wanted.port),
                                       to_string(wanted.address)));
    }
    const FlowTotals flows = dataplane_.flow_totals();
    if (flows.capacity != 0 && flows.active >= flows.capacity / 100 * 95) {
        problems.push_back(fmt::format("flow table: {} of {} connections; raise flows.capacity",
                                       flows.active, flows.capacity));
    }
    for (const std::string& line : link_watch_.problems(now_ms_())) problems.push_back(line);
    for (const std::string& line : snat_watch_.problems(now_ms_())) problems.push_back(line);
    if (const uint64_t pending = addresses_.totals().pending; pending != 0) {
        problems.push_back(
            fmt::format("{} LoadBalancer Service{} without the address it asks for; "
                        "podlanectl -o wide get services says why",
                        pending, pending == 1 ? "" : "s"));
    }
    for (const WorkerInfo& worker : dataplane_.workers()) {
        report.workers.push_back({worker.id, is_alive(worker)});
        if (!report.workers.back().is_alive) {
            problems.push_back(fmt::format("worker {} does not run", worker.id));
        }
    }
    return report;
}

}  // namespace podlane::control
