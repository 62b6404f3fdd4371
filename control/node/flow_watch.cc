#include "control/node/flow_watch.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <utility>

#include "control/show/text.h"
#include "lib/model/policy.h"

namespace podlane::control {

namespace {

/// The most taken at one tick; the rest waits in the workers' rings.
constexpr size_t kMostOfTick = 65'536;
/// Equal denials are reported once in this time.
constexpr uint64_t kDenialMs = 10'000;
constexpr size_t kMostDenials = 4096;
/// Names are rebuilt at each generation while that takes less than this fraction (1/N) of the time.
constexpr uint64_t kNamesPart = 20;
constexpr uint64_t kWindowMs = 1000;
/// If there is no request for this long, counting stops.
constexpr uint64_t kLookMs = 5000;
/// Records per window that are worth their cost.
constexpr uint64_t kEnough = 20'000;
constexpr uint32_t kMostSampling = 1024;

/// The names of the policies that select the pod at this port, in one direction.
std::vector<std::string> policies_at(const Snapshot& snapshot, PortId port, bool ingress) {
    std::vector<std::string> names;
    if (!snapshot.polices(port)) return names;
    const PodPolicies& policies = *snapshot.pod_policies[index_of(port)];
    for (const auto& policy : ingress ? policies.ingress : policies.egress) {
        names.push_back(policy->name);
    }
    return names;
}

template <Family F>
const std::string* frontend_at(const Snapshot& snapshot, const LoggedFlow& flow) {
    const auto* frontend =
        snapshot.family<F>().frontends.find({flow.dst.as<F>(), be16(flow.dst_port), flow.protocol});
    return frontend == nullptr ? nullptr : &frontend->service_name;
}

}  // namespace

FlowWatch::~FlowWatch() {
    if (asked_ != 0) dataplane_.record_flows(0);
}

void FlowWatch::ask() {
    const FlowSample wanted = std::max(log_.sample, sample_one_in(one_in_));
    if (wanted == asked_) return;
    asked_ = wanted;
    dataplane_.record_flows(wanted);
}

void FlowWatch::set_log(FlowLogPlan plan) {
    log_ = std::move(plan);
    ask();
}

std::optional<FlowLogStats> FlowWatch::stats() const {
    if (log_.sample == 0) return std::nullopt;
    FlowLogStats stats = log_.stats();
    // It is unknown which of the workers' lost records would have been logged.
    stats.lost += dataplane_.lost_flow_records() + lost_;
    return stats;
}

void FlowWatch::tick(const LiveView& live) {
    if (asked_ == 0) return;
    if (log_.sample != 0) follow_names(live);
    std::array<FlowRecord, 256> records;
    for (size_t taken = 0; taken < kMostOfTick;) {
        const size_t count = dataplane_.take_flow_records(records);
        for (size_t i = 0; i < count; ++i) take(live, records[i]);
        taken += count;
        if (count < records.size()) break;
    }
    tell_denials(live.now_ms);
    turn_window(live.now_ms);
}

void FlowWatch::take(const LiveView& live, const FlowRecord& record) {
    if (record.mark < log_.sample) log(live, record);
    if (one_in_ == 0 || record.kind == FlowRecordKind::kClosed ||
        record.mark >= sample_one_in(one_in_)) {
        return;
    }
    ++counted_;
    window_.add(record, one_in_);
}

void FlowWatch::log(const LiveView& live, const FlowRecord& record) {
    switch (record.kind) {
        case FlowRecordKind::kOpened:
            if (log_.starts) log_.write(named(live, record));
            return;
        case FlowRecordKind::kClosed:
            if (log_.ends) log_.write(named(live, record));
            return;
        case FlowRecordKind::kDenied:
            if (log_.denials) log_denial(record, named(live, record), live.now_ms);
            return;
    }
}

void FlowWatch::log_denial(const FlowRecord& record, LoggedFlow flow, uint64_t now_ms) {
    const DenialKey key{record.protocol, record.src, record.dst, record.dst_port, record.reason};
    const auto found = denials_.find(key);
    if (found != denials_.end()) {
        Denial& denial = found->second;
        ++denial.flow.packets;
        denial.flow.time_ms = denial.flow.end_ms = flow.time_ms;
        return;
    }
    if (denials_.size() == kMostDenials) {
        ++lost_;
        return;
    }
    flow.packets = 1;
    log_.write(flow);
    flow.packets = 0;  // counts the packets from here on
    denials_.emplace(key, Denial{std::move(flow), now_ms});
}

void FlowWatch::tell_denials(uint64_t now_ms) {
    for (auto at = denials_.begin(); at != denials_.end();) {
        Denial& denial = at->second;
        if (now_ms - denial.since_ms < kDenialMs) {
            ++at;
        } else if (denial.flow.packets == 0) {
            at = denials_.erase(at);
        } else {
            log_.write(denial.flow);
            denial.flow.packets = 0;
            denial.since_ms = now_ms;
            ++at;
        }
    }
}

void FlowWatch::follow_names(const LiveView& live) {
    const uint64_t generation = live.snapshot.generation;
    if (names_.generation == generation) return;
    if (live.now_ms - names_.made_ms < kNamesPart * names_.cost_ms) return;
    const auto began = std::chrono::steady_clock::now();
    names_ = {.generation = generation,
              .made_ms = live.now_ms,
              .cost_ms = 0,
              .services = service_names(live.snapshot),
              .pods = {},
              .ports = {}};
    for (const auto& [name, pod] : live.store.all<Pod>()) {
        if (pod->host_network || pod->is_finished()) continue;
        for (const IpAddress& address : pod->ips) names_.pods[address] = to_string(name);
    }
    for (const auto& [name, pod] : live.pods) {
        for (const IpAddress& address : pod.addresses) names_.pods[address] = pod.pod;
    }
    for (const PortInfo& port : live.dataplane.ports()) names_.ports[port.id] = port.name;
    const auto took = std::chrono::steady_clock::now() - began;
    names_.cost_ms =
        static_cast<uint64_t>(std::chrono::duration_cast<std::chrono::milliseconds>(took).count());
}

std::string FlowWatch::service_at(const LiveView& live, const LoggedFlow& flow) const {
    const std::string* name = flow.dst.is_v4() ? frontend_at<V4>(live.snapshot, flow)
                                               : frontend_at<V6>(live.snapshot, flow);
    return name == nullptr ? std::string() : *name;
}

LoggedFlow FlowWatch::named(const LiveView& live, const FlowRecord& record) const {
    LoggedFlow flow;
    flow.kind = record.kind;
    flow.protocol = record.protocol;
    flow.time_ms = record.time_ms;
    flow.start_ms = record.start_ms;
    flow.end_ms = record.last_ms;
    flow.src = record.src.to_ip();
    flow.dst = record.dst.to_ip();
    flow.src_port = record.src_port;
    flow.dst_port = record.dst_port;
    flow.translated_src = record.reply_dst.to_ip();
    flow.translated_dst = record.reply_src.to_ip();
    flow.translated_src_port = record.reply_dst_port;
    flow.translated_dst_port = record.reply_src_port;
    flow.end = record.end;
    flow.tcp_state = record.tcp_state;
    flow.replied = record.replied;
    if (record.is_counted) flow.traffic = record.traffic;
    flow.reason = record.reason;
    const auto name = [](const auto& names, const auto& of) {
        const auto at = names.find(of);
        return at == names.end() ? std::string() : at->second;
    };
    flow.from_pod = name(names_.pods, flow.src);
    flow.to_pod = name(names_.pods, flow.translated_dst);
    flow.in_port = name(names_.ports, record.in_port);
    if (record.service != kNoService) flow.service = name(names_.services, record.service);
    if (record.kind != FlowRecordKind::kDenied) return flow;
    if (flow.service.empty()) flow.service = service_at(live, flow);
    const bool ingress = record.reason == Drop::kPolicyIngress;
    if (ingress || record.reason == Drop::kPolicyEgress) {
        const AttachedPod* pod = live.ports.owner_of(ingress ? flow.translated_dst : flow.src);
        if (pod != nullptr) flow.policies = policies_at(live.snapshot, pod->port.id(), ingress);
    }
    return flow;
}

void FlowWatch::turn_window(uint64_t now_ms) {
    if (one_in_ == 0 || now_ms - window_ms_ < kWindowMs) return;
    last_ = std::exchange(window_, {});
    last_length_ms_ = now_ms - window_ms_;
    window_ms_ = now_ms;
    const uint64_t counted = std::exchange(counted_, 0);
    if (now_ms - looked_ms_ > kLookMs) {
        one_in_ = 0;
        last_ = {};
    } else if (counted > kEnough && one_in_ < kMostSampling) {
        one_in_ *= 2;
    } else if (counted < kEnough / 4 && one_in_ > 1) {
        one_in_ /= 2;
    }
    ask();
}

NewFlowReport FlowWatch::new_flows(const LiveView& live, size_t count) {
    looked_ms_ = live.now_ms;
    NewFlowReport report;
    if (one_in_ == 0) {
        one_in_ = 1;
        window_ms_ = live.now_ms;
        last_length_ms_ = 0;
        ask();
        return report;
    }
    // Before the first whole second there is only what has been counted so far.
    const bool is_first = last_length_ms_ == 0;
    const NewFlows& counted = is_first ? window_ : last_;
    report.milliseconds = is_first ? live.now_ms - window_ms_ : last_length_ms_;
    report.flows = counted.flows();
    report.most_error = counted.error();
    const PortNames ports(live.dataplane);
    for (const NewFlows::Source& source : counted.top(count)) {
        NewFlowSource row{.address = source.address.to_ip(),
                          .port = std::string(ports.name(source.in_port)),
                          .pod = {},
                          .flows = source.flows,
                          .denied = source.denied,
                          .last_to = endpoint_text(source.last_dst.to_ip(), source.last_port)};
        if (const AttachedPod* pod = live.ports.owner_of(row.address)) row.pod = pod->pod;
        report.sources.push_back(std::move(row));
    }
    return report;
}

}  // namespace podlane::control
