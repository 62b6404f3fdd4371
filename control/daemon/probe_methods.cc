#include "control/daemon/probe_methods.h"

#include <utility>
#include <vector>

#include "control/show/probe_json.h"
#include "control/show/render.h"

namespace podlane::control {

namespace {

constexpr int64_t kMostSnapBytes = 262'144;

std::vector<std::string> list(RpcParams& params, const char* key) {
    std::vector<std::string> out;
    if (!params.has(key)) return out;
    for (const std::string_view each : params.texts(key)) out.emplace_back(each);
    return out;
}

RpcResult start(ProbeSessions& sessions, uint64_t now_ms, RpcRequest& request) {
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
    question.user = request.peer.uid;
    question.connection = request.peer.connection;
    return to_reply(sessions.start(question, now_ms));
}

/// The id of the probe in a request.
ProbeId probe_of(RpcParams& params) {
    const auto probe = params.number_if_any("probe", 1, UINT32_MAX);
    return static_cast<ProbeId>(probe.value_or(0));
}

RpcResult read(ProbeSessions& sessions, uint64_t now_ms, RpcRequest& request) {
    const ProbeId probe = probe_of(request.params);
    if (auto failure = request.params.failure()) return std::move(*failure);
    return to_reply(sessions.read(probe, now_ms));
}

RpcResult stop(ProbeSessions& sessions, RpcRequest& request) {
    const ProbeId probe = probe_of(request.params);
    if (auto failure = request.params.failure()) return std::move(*failure);
    return to_reply(sessions.stop(probe));
}

}  // namespace

void register_probe_methods(RpcMethods& methods, ProbeSessions& sessions,
                            const std::function<uint64_t()>& now_ms) {
    methods.add("probe.start", [&sessions, now_ms](RpcRequest& request) {
        return start(sessions, now_ms(), request);
    });
    methods.add("probe.read", [&sessions, now_ms](RpcRequest& request) {
        return read(sessions, now_ms(), request);
    });
    methods.add("probe.stop", [&sessions](RpcRequest& request) { return stop(sessions, request); });
}

void refuse_probe_methods(RpcMethods& methods) {
    for (const char* name : {"probe.start", "probe.read", "probe.stop"}) {
        methods.add(name, [](RpcRequest&) -> RpcResult {
            return RpcFailure{rpc_code::kNotAllowed,
                              "this socket shows no packets: what they carry is its users' own",
                              nullptr};
        });
    }
}

}  // namespace podlane::control
