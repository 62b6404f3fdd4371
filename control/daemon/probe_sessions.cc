#include "control/daemon/probe_sessions.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <array>
#include <memory>
#include <sstream>
#include <utility>

#include "control/node/live_view.h"
#include "control/show/text.h"

namespace podlane::control {

namespace {

constexpr std::array kPoints = {kProbeIn, kProbeInside, kProbeOut, kProbeDrop};

Refusal bad(std::string text) {
    return refusal(RefusalKind::kBadRequest, std::move(text));
}

std::optional<uint8_t> points_of(const std::vector<std::string>& words, std::string& unknown) {
    uint8_t points = 0;
    for (const std::string& word : words) {
        const auto at = std::ranges::find(kPoints, word, [](ProbePoint p) { return to_string(p); });
        if (at == kPoints.end()) {
            unknown = word;
            return std::nullopt;
        }
        points |= *at;
    }
    return points;
}

std::optional<Drop> drop_named(std::string_view name) {
    for (size_t i = 1; i < kDropCount; ++i) {
        if (kDropInfo[i].name == name) return static_cast<Drop>(i);
    }
    return std::nullopt;
}

std::optional<FilterInstruction> parse_instruction(const std::string& line) {
    std::istringstream words(line);
    uint64_t code = 0, jump_true = 0, jump_false = 0, value = 0;
    std::string more;
    if (!(words >> code >> jump_true >> jump_false >> value) || words >> more ||
        code > UINT16_MAX || jump_true > UINT8_MAX || jump_false > UINT8_MAX ||
        value > UINT32_MAX) {
        return std::nullopt;
    }
    return FilterInstruction{static_cast<uint16_t>(code), static_cast<uint8_t>(jump_true),
                             static_cast<uint8_t>(jump_false), static_cast<uint32_t>(value)};
}

std::string port_name(const PortNames& names, PortId id) {
    if (id == kNoPort) return {};
    const std::string_view name = names.name(id);
    return name.empty() ? fmt::format("port {}", index_of(id)) : std::string(name);
}

std::string flow_text(const FlowTuple& flow) {
    return fmt::format("{} {} > {}", protocol_text(flow.protocol),
                       endpoint_text(flow.src, flow.src_port),
                       endpoint_text(flow.dst, flow.dst_port));
}

template <Family F>
std::string service_in(const FamilyState<F>& state, const FlowTuple& flow) {
    const auto at = [&](typename F::Address address) -> const Frontend<F>* {
        return state.frontends.find({address, be16(flow.dst_port), flow.protocol});
    };
    const Frontend<F>* found = at(flow.dst.as<F>());
    if (found == nullptr && state.is_node_address(flow.dst.as<F>())) found = at({});
    return found == nullptr ? std::string() : found->service_name;
}

std::string service_of(const Snapshot& snapshot, const FlowTuple& flow) {
    return flow.dst.is_v4() ? service_in(snapshot.v4, flow) : service_in(snapshot.v6, flow);
}

}  // namespace

Outcome<ProbeStarted> ProbeSessions::start(const ProbeQuestion& question, uint64_t now_ms) {
    if (probes_ == nullptr) return bad("this dataplane shows no packets");
    ProbeRequest request;
    std::string unknown;
    const auto points = points_of(question.points, unknown);
    if (!points) {
        return bad(fmt::format("points: {} is none of in, inside, out, drop", unknown));
    }
    request.points = *points;
    const PortNames names(dataplane_);
    if (!question.port.empty()) {
        const PortInfo* port = names.find(std::string_view(question.port));
        if (port == nullptr) {
            return refusal(RefusalKind::kNotFound,
                           fmt::format("port: there is no {}; podlanectl get ports lists them",
                                       question.port));
        }
        request.port = port->id;
    }
    if (!question.reason.empty()) {
        request.reason = drop_named(question.reason);
        if (!request.reason) {
            return bad(
                fmt::format("reason: {} is no drop reason; podlanectl -o wide drops lists "
                            "them",
                            question.reason));
        }
    }
    for (const std::string& line : question.filter) {
        const auto instruction = parse_instruction(line);
        if (!instruction) {
            return bad(fmt::format("filter: \"{}\" is no instruction: CODE JT JF K", line));
        }
        request.filter.push_back(*instruction);
    }
    if (question.snap_bytes) request.snap_bytes = *question.snap_bytes;
    if (question.packets_per_second) request.packets_per_second = *question.packets_per_second;
    if (question.one_in) request.one_in = *question.one_in;
    const auto id = probes_->start_probe(std::move(request));
    if (!id.ok()) return Refusal{RefusalKind::kInvalid, id.error()};
    sessions_[*id] = {now_ms, question.connection};
    tell_looking();
    spdlog::info(
        "probe {}: user {} looks at packets ({})", *id, question.user,
        question.points.empty() ? "trace" : fmt::format("{}", fmt::join(question.points, ", ")));
    ProbeStarted started{*id, {}};
    for (const auto& [port, info] : names.all()) started.ports.push_back(info.name);
    return started;
}

void ProbeSessions::tell_looking() {
    const bool looks = !sessions_.empty();
    if (std::exchange(is_looking_, looks) != looks && looking_) looking_(looks);
}

Outcome<ProbeView> ProbeSessions::read(ProbeId id, uint64_t now_ms) {
    const auto found = sessions_.find(id);
    if (found == sessions_.end()) {
        return refusal(RefusalKind::kNotFound,
                       fmt::format("probe: there is no {}; one that is not read for {} s is ended",
                                   id, kPatienceMs / 1000));
    }
    found->second.read_at_ms = now_ms;
    ProbeBatch batch = probes_->read_probe(id);
    const PortNames names(dataplane_);
    const std::shared_ptr<const Snapshot> snapshot = dataplane_.current();
    ProbeView view;
    view.missed = batch.missed;
    for (ProbeRecord& record : batch.records) {
        PacketView packet;
        packet.in_port = port_name(names, record.in_port);
        packet.out_port = port_name(names, record.out_port);
        if (record.flow) {
            packet.flow = flow_text(*record.flow);
            packet.replies = flow_text(*record.reply);
            packet.service = service_of(*snapshot, *record.flow);
        }
        packet.record = std::move(record);
        view.packets.push_back(std::move(packet));
    }
    return view;
}

Outcome<ProbeStarted> ProbeSessions::stop(ProbeId id) {
    if (sessions_.erase(id) == 0) {
        return refusal(RefusalKind::kNotFound, fmt::format("probe: there is no {}", id));
    }
    probes_->stop_probe(id);
    tell_looking();
    spdlog::info("probe {}: ended", id);
    return ProbeStarted{id, {}};
}

void ProbeSessions::tick(uint64_t now_ms) {
    if (probes_ == nullptr) return;
    probes_->free_stopped_probes();
    std::erase_if(sessions_, [&](const auto& entry) {
        const Session& session = entry.second;
        const bool is_left = session.connection && session.connection->expired();
        if (!is_left && now_ms - session.read_at_ms < kPatienceMs) return false;
        spdlog::info("probe {}: {}; ended", entry.first,
                     is_left ? "its connection is gone" : "no longer read");
        probes_->stop_probe(entry.first);
        return true;
    });
    tell_looking();
}

}  // namespace podlane::control
