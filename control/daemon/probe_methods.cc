#include "control/daemon/probe_methods.h"

#include <utility>
#include <vector>

#include "control/show/probe_json.h"
#include "control/show/render.h"

namespace podlane::control {

namespace {

constexpr int64_t kMostSnapBytes = 65535;

std::vector<std::string> list(RpcParams& params, const char* key) {
    std::vector<std::string> out;
    if (!params.has(key)) return out;
    for (const std::string_view each : params.texts(key)) out.emplace_back(each);
    return out;
}

RpcResult start(NodeModel& node, RpcRequest& request) {
    ProbeQuestion question;
    question.points = list(request.params, "points");
    question.filter = list(request.params, "filter");
    question.port = request.params.text_if_any("port").value_or("");
    question.reason = request.params.text_if_any("reason").value_or("");
    if (const auto snap = request.params.number_if_any("snapBytes", 1, kMostSnapBytes)) {
        question.snap_bytes = static_cast<uint32_t>(*snap);
    }
    if (const auto rate = request.params.number_if_any("packetsPerSecond", 0, UINT32_MAX)) {
        question.packets_per_second = static_cast<uint32_t>(*rate);
    }
    if (const auto one_in = request.params.number_if_any("oneIn", 1, UINT32_MAX)) {
        question.one_in = static_cast<uint32_t>(*one_in);
    }
    if (auto failure = request.params.failure()) return std::move(*failure);
    return to_reply(node.start_probe(question));
}

/// The probe that a request is about.
ProbeId probe_of(RpcParams& params) {
    const auto probe = params.number_if_any("probe", 1, UINT32_MAX);
    return static_cast<ProbeId>(probe.value_or(0));
}

RpcResult read(NodeModel& node, RpcRequest& request) {
    const ProbeId probe = probe_of(request.params);
    if (auto failure = request.params.failure()) return std::move(*failure);
    return to_reply(node.read_probe(probe));
}

RpcResult stop(NodeModel& node, RpcRequest& request) {
    const ProbeId probe = probe_of(request.params);
    if (auto failure = request.params.failure()) return std::move(*failure);
    return to_reply(node.stop_probe(probe));
}

RpcResult events(NodeModel& node, RpcRequest& request) {
    const auto after = request.params.number_if_any("after", 0, INT64_MAX);
    const auto since = request.params.number_if_any("sinceMs", 0, INT64_MAX);
    const auto limit = request.params.number_if_any("limit", 0, INT64_MAX);
    if (auto failure = request.params.failure()) return std::move(*failure);
    return to_json(node.events(static_cast<uint64_t>(after.value_or(0)),
                               static_cast<uint64_t>(since.value_or(0)),
                               static_cast<size_t>(limit.value_or(0))));
}

}  // namespace

void register_probe_methods(RpcMethods& methods, NodeModel& node) {
    methods.add("probe.start", [&node](RpcRequest& request) { return start(node, request); });
    methods.add("probe.read", [&node](RpcRequest& request) { return read(node, request); });
    methods.add("events", [&node](RpcRequest& request) { return events(node, request); });
    methods.add("probe.stop", [&node](RpcRequest& request) { return stop(node, request); });
}

}  // namespace podlane::control
