#include "control/page/page_json.h"

#include <algorithm>
#include <functional>
#include <set>
#include <utility>
#include <variant>

#include "control/page/way.h"
#include "control/show/render.h"
#include "control/show/rows_json.h"
#include "control/show/stats_json.h"

namespace podlane::control {

namespace {

using Json = nlohmann::ordered_json;

std::vector<std::string> names_of(const PodPolicies::List& policies) {
    std::set<std::string> names;
    for (const auto& policy : policies) names.insert(policy->name);
    return {names.begin(), names.end()};
}

Json policies_json(const std::map<std::string, PolicyNames>& policies) {
    Json out = Json::object();
    for (const auto& [port, names] : policies) {
        out[port] = {{"ingress", names.ingress}, {"egress", names.egress}};
    }
    return out;
}

Json way_json() {
    Json stages = Json::array();
    for (const WayStage& stage : way_stages()) {
        Json counts = Json::array();
        for (const WayCount& count : stage.counts) {
            counts.push_back(
                {{"what", count.what}, {"where", count.where}, {"grows", count.grows}});
        }
        stages.push_back({{"stage", stage.name},
                          {"does", stage.does},
                          {"counts", std::move(counts)},
                          {"reasons", Json::array()}});
    }
    for (size_t i = 1; i < kDropCount; ++i) {
        const DropInfo& info = kDropInfo[i];
        stages[stage_of(static_cast<Drop>(i))]["reasons"].push_back(
            {{"reason", info.name}, {"help", info.help}});
    }
    return stages;
}

}  // namespace

std::map<std::string, PolicyNames> policies_by_port(const Snapshot& snapshot,
                                                    const std::vector<PortRow>& ports) {
    std::map<std::string, PolicyNames> out;
    for (const PortRow& port : ports) {
        if (port.id >= snapshot.pod_policies.size()) continue;
        const auto& policies = snapshot.pod_policies[port.id];
        if (!policies) continue;
        out[port.name] = {names_of(policies->ingress), names_of(policies->egress)};
    }
    return out;
}

size_t keep_busiest_services(NodeStats& stats, size_t most) {
    const size_t count = stats.services.size();
    if (count <= most) return count;
    auto& services = stats.services;
    std::stable_sort(services.begin(), services.end(), [](const auto& one, const auto& other) {
        return one.created > other.created;
    });
    services.resize(most);
    std::sort(services.begin(), services.end(),
              [](const auto& one, const auto& other) { return one.service < other.service; });
    return count;
}

void keep_busiest_peers(PeerReport& report, size_t most) {
    auto& peers = report.peers;
    const auto packets = [](const PeerStats& peer) {
        return peer.traffic.rx_packets + peer.traffic.tx_packets;
    };
    std::erase_if(peers, [&](const PeerStats& peer) { return packets(peer) == 0; });
    std::ranges::stable_sort(peers, std::ranges::greater{}, packets);
    if (peers.size() > most) peers.resize(most);
}

void cut_rows(Listing& listing, size_t most) {
    std::visit(
        [&](auto& rows) {
            if (rows.size() <= most) return;
            listing.total = rows.size();
            rows.resize(most);
        },
        listing.rows);
}

Json to_json(const PageNode& node) {
    return {{"health", to_json(node.health)},
            {"ports", to_json(node.ports)},
            {"neighbors", to_json(node.neighbours)},
            {"routes", to_json(node.routes)},
            {"frontends", to_json(node.frontends)},
            {"policies", policies_json(node.policies)},
            {"way", way_json()}};
}

Json to_json(const PageNumbers& numbers) {
    return {{"atMs", numbers.at_ms},
            {"services", numbers.services},
            {"peers", to_json(numbers.peers)},
            {"stats", to_json(numbers.stats)}};
}

Json to_json(const PageThing& thing) {
    return {{"flows", to_json(thing.flows)}, {"frontends", to_json(thing.frontends)}};
}

}  // namespace podlane::control
