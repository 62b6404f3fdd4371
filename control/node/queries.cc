// Read-only requests: get, stats, drops, explain, health.
#include <fmt/format.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <algorithm>
#include <utility>
#include <variant>
#include <vector>

#include "control/kube/kind_words.h"
#include "control/node/counters.h"
#include "control/node/listings.h"
#include "control/node/log_level.h"
#include "control/node/node_model.h"
#include "control/rpc/live_kinds.h"
#include "lib/base/join.h"

namespace podlane::control {

namespace {

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

Refusal not_found(std::string_view kind, std::string_view name) {
    return refusal(RefusalKind::kNotFound, fmt::format("{} \"{}\" not found", kind, name));
}

/// With at most `limit` rows.
Listing listing(std::string_view kind, Rows rows, size_t limit) {
    Listing out{.kind = std::string(kind), .rows = std::move(rows), .total = {}, .next = 0};
    std::visit(
        [&out, limit](auto& all) {
            if (limit == 0 || all.size() <= limit) return;
            out.total = all.size();
            all.erase(all.begin() + static_cast<std::ptrdiff_t>(limit), all.end());
        },
        out.rows);
    return out;
}

ObjectRow row_of(const LiveView& live, const PolicyCompiler& policies, const Object& object) {
    ObjectRow row{object, std::string(live.owners.owner_of(key_of(object))), {}};
    if (kind_of(object) == Kind::kNetworkPolicy) {
        const Meta& meta = meta_of(object);
        row.pods_here = policies.selected({meta.name_space, meta.name});
    }
    return row;
}

/// The object with that name; with "namespace/" all in that namespace; or all of the kind.
Outcome<std::vector<ObjectRow>> list_objects(const LiveView& live, const PolicyCompiler& policies,
                                             Kind kind, std::string_view word,
                                             std::optional<std::string_view> name) {
    std::vector<ObjectRow> rows;
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
        rows.push_back(row_of(live, policies, *object));
        return rows;
    }
    for (const Object& object : live.store.list(kind)) {
        if (whole_namespace && meta_of(object).name_space != name->substr(0, name->size() - 1)) {
            continue;
        }
        rows.push_back(row_of(live, policies, object));
    }
    return rows;
}

/// A line for each DNS server outside that does not answer.
std::vector<std::string> silent_upstreams(const NameServer* server) {
    std::vector<std::string> lines;
    if (server == nullptr) return lines;
    const auto upstreams = server->stats().upstreams;
    for (const Upstream& one : upstreams) {
        if (one.is_healthy) continue;
        lines.push_back(fmt::format("DNS server {} does not answer",
                                    to_string(one.server.address, one.server.port)));
    }
    if (!lines.empty() && lines.size() == upstreams.size()) {
        lines.back() += ": names outside of the cluster are not found";
    }
    return lines;
}

bool is_empty(const Rows& rows) {
    return std::visit([](const auto& all) { return all.empty(); }, rows);
}

/// A Service may have no frontend, such as a headless one; any other name without rows is unknown.
bool is_name_without_rows(const LiveView& live, const LiveKind& kind, std::string_view name) {
    if (kind.name != LiveName::kService) return false;
    const size_t slash = name.find('/');
    return live.store.find<Service>({std::string(name.substr(0, slash)),
                                     std::string(name.substr(slash + 1))}) != nullptr;
}

}  // namespace

Outcome<Listing> NodeModel::get_flows(const FlowQuestion& question, std::optional<size_t> limit,
                                      FlowCursor from) const {
    if (question.name && !is_name_of_flows(live(), *question.name)) {
        return refusal(RefusalKind::kNotFound,
                       fmt::format("flows of \"{}\" not found: no Pod or Service has this name",
                                   *question.name));
    }
    auto list = list_flows(live(), question, limit.value_or(find_live_kind("flows")->limit), from);
    if (!list.ok()) return Refusal{RefusalKind::kBadRequest, list.error()};
    Listing out{.kind = "flows", .rows = std::move(list->rows), .total = {}, .next = list->next};
    if (list->next != 0 && question.is_plain()) out.total = dataplane_.flow_totals().active;
    return out;
}

Outcome<Listing> NodeModel::get(std::string_view kind, std::optional<std::string_view> name,
                                std::optional<size_t> limit) const {
    if (kind == "flows") {
        FlowQuestion question;
        if (name) question.name = *name;
        return get_flows(question, limit, 0);
    }
    const LiveKind* const live_kind = find_live_kind(kind);
    if (live_kind == nullptr) {
        const auto object_kind = kind_from_word(kind);
        if (!object_kind) {
            return refusal(RefusalKind::kBadRequest,
                           fmt::format("kind: {} is none of {}", kind, all_kinds()));
        }
        auto rows = list_objects(live(), compiler_.policies(), *object_kind, kind, name);
        if (!rows.ok()) return rows.refusal();
        return listing(kind, std::move(rows).value(), limit.value_or(0));
    }
    if (name) {
        if (const auto fault = live_name_fault(*live_kind, *name); !fault.empty()) {
            return refusal(RefusalKind::kBadRequest, "name: " + fault);
        }
    }
    Rows rows = list_live(live(), kind, name).value();
    if (name && is_empty(rows) && !is_name_without_rows(live(), *live_kind, *name)) {
        return not_found(kind, *name);
    }
    return listing(kind, std::move(rows), limit.value_or(0));
}

Outcome<Listing> NodeModel::get_refused(std::string_view kind,
                                        std::optional<std::string_view> name) const {
    const auto known = kind_from_word(kind);
    if (!known) {
        return refusal(RefusalKind::kBadRequest,
                       fmt::format("kind: {} is no kind of object that podlane keeps", kind));
    }
    std::vector<RefusedView> rows;
    for (const RefusedObject& object : refused_.list()) {
        if (object.key.kind != *known) continue;
        const std::string own =
            is_namespaced(*known) ? object.key.name_space + "/" + object.key.name : object.key.name;
        const bool whole_namespace = name && name->ends_with('/') && own.starts_with(*name);
        if (name && own != *name && !whole_namespace) continue;
        rows.push_back({object.key, object.message});
    }
    return listing(kind, std::move(rows), 0);
}

NodeStats NodeModel::stats() const {
    NodeStats stats = node_stats(live());
    stats.objects = {refused_.size(), refused_.total()};
    stats.flow_log = flow_watch_.stats();
    if (!config_.cluster.dns.empty()) stats.dns = dns_stats(dataplane_, name_server_);
    return stats;
}

DropStats NodeModel::drops() const {
    return drop_stats(dataplane_);
}

Outcome<Explanation> NodeModel::explain(const ExplainRequest& request) const {
    auto answered = control::explain(live(), request);
    if (!answered.ok()) return Refusal{RefusalKind::kBadRequest, answered.error()};
    return std::move(answered).value();
}

bool NodeModel::is_serving() const {
    const auto workers = dataplane_.workers();
    return !links_.has_lost() && !links_.has_no_way_out() && !standstill_.any() &&
           std::all_of(workers.begin(), workers.end(), is_alive);
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
        tell_event("podlaned", config_.node, fmt::format("the log's level is {}", *level));
    }
    return LogLevelView{log_level_of(spdlog::get_level())};
}

Outcome<HealthReport> NodeModel::health(std::optional<std::string_view> probe) const {
    if (probe && *probe != "live" && *probe != "ready") {
        return refusal(RefusalKind::kBadRequest,
                       fmt::format("probe: {} is not live or ready", *probe));
    }
    HealthReport report{.generation = compiler_.current()->generation,
                        .uptime_seconds = (now_ms_() - started_ms_) / 1000,
                        .node = config_.node,
                        .workers = {},
                        .problems = standstill_.problems(),
                        .elsewhere = silent_upstreams(name_server_)};
    std::vector<std::string>& problems = report.problems;
    auto of_links = links_.troubles(compiler_.wanted_neighbours(), store_, now_ms_());
    std::ranges::move(of_links.problems, std::back_inserter(problems));
    std::ranges::move(of_links.elsewhere, std::back_inserter(report.elsewhere));
    const FlowTotals flows = dataplane_.flow_totals();
    if (flows.capacity != 0 && flows.active >= flows.capacity / 100 * 95) {
        problems.push_back(fmt::format("flow table: {} of {} connections; raise flows.capacity",
                                       flows.active, flows.capacity));
    }
    for (const std::string& line : snat_watch_.problems(now_ms_())) problems.push_back(line);
    for (const std::string& line : feeder_watch_.problems(now_ms_())) problems.push_back(line);
    if (keeper_ != nullptr) {
        for (const std::string& line : keeper_->problems()) problems.push_back(line);
    }
    for (std::string& line : dataplane_.problems()) problems.push_back(std::move(line));
    if (const uint64_t pending = addresses_.totals().pending; pending != 0) {
        problems.push_back(
            fmt::format("{} LoadBalancer Service{} without the address it asks for; "
                        "podlanectl -o wide get services says why",
                        pending, pending == 1 ? "" : "s"));
    }
    if (const size_t count = refused_.size(); count != 0) {
        const RefusedObject first = refused_.list().front();
        problems.push_back(
            fmt::format("{} object{} refused, the first: {}: {}; podlanectl get KIND "
                        "--refused names all of a kind",
                        count, count == 1 ? " is" : "s are", to_string(first.key), first.message));
    }
    for (const WorkerInfo& worker : dataplane_.workers()) {
        report.workers.push_back(
            {worker.id, is_alive(worker), standstill_.still_ms(worker.id) / 1000});
        if (!report.workers.back().is_alive) {
            problems.push_back(fmt::format("worker {} does not run", worker.id));
        }
    }
    report.is_live = is_live();
    report.is_ready = is_serving();
    report.is_well = !probe ? problems.empty() : *probe == "live" ? is_live() : report.is_ready;
    return report;
}

}  // namespace podlane::control
