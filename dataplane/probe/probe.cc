#include "dataplane/probe/probe.h"

#include <pcap/bpf.h>
#include <rte_cycles.h>

#include <ctime>
#include <utility>

namespace podlane::dataplane {

namespace {

static_assert(sizeof(FilterInstruction) == sizeof(bpf_insn) &&
              offsetof(FilterInstruction, code) == offsetof(bpf_insn, code) &&
              offsetof(FilterInstruction, jump_true) == offsetof(bpf_insn, jt) &&
              offsetof(FilterInstruction, jump_false) == offsetof(bpf_insn, jf) &&
              offsetof(FilterInstruction, value) == offsetof(bpf_insn, k));

/// The kernel's own bound (BPF_MAXINSNS).
constexpr size_t kMostInstructions = 4096;

const bpf_insn* program_of(const std::vector<FilterInstruction>& filter) noexcept {
    return reinterpret_cast<const bpf_insn*>(filter.data());
}

std::string_view verdict_text(Verdict verdict) noexcept {
    switch (verdict) {
        case Verdict::kLookUp:
            return "look up";
        case Verdict::kBridge:
            return "bridge";
        case Verdict::kSlow:
            return "slow path";
        case Verdict::kForward:
            return "forward";
        case Verdict::kRouted:
            return "route";
        case Verdict::kSend:
            return "send";
        case Verdict::kCut:
            return "send in pieces";
        case Verdict::kDrop:
            return "drop";
        case Verdict::kConsumed:
            return "taken";
    }
    return "";
}

std::string_view slow_text(SlowReason reason) noexcept {
    switch (reason) {
        case SlowReason::kNone:
            return "";
        case SlowReason::kArp:
            return "ARP";
        case SlowReason::kNd:
            return "neighbour discovery";
        case SlowReason::kMulticast:
            return "broadcast or multicast";
        case SlowReason::kNotIp:
            return "not IP";
        case SlowReason::kMiss:
            return "no flow yet";
        case SlowReason::kIcmpError:
            return "ICMP error";
        case SlowReason::kReroute:
            return "the way has changed";
        case SlowReason::kServiceChange:
            return "the Service has changed";
        case SlowReason::kUnresolved:
            return "next hop not resolved";
        case SlowReason::kTtl:
            return "TTL ends";
        case SlowReason::kTooBig:
            return "larger than the MTU";
        case SlowReason::kReplace:
            return "a new connection on an old one's ports";
        case SlowReason::kFragment:
            return "fragment";
    }
    return "";
}

FlowTuple tuple_of(const RecordedFlow& flow) {
    return {flow.protocol, flow.src.to_ip(), flow.dst.to_ip(), flow.src_port, flow.dst_port};
}

uint64_t wall_clock_ns() noexcept {
    timespec now{};
    clock_gettime(CLOCK_REALTIME, &now);
    return static_cast<uint64_t>(now.tv_sec) * 1'000'000'000 + static_cast<uint64_t>(now.tv_nsec);
}

}  // namespace

Result<std::shared_ptr<Probe>> Probe::create(ProbeRequest request, unsigned workers) {
    const size_t length = request.filter.size();
    if (length > kMostInstructions) {
        return Error{"filter: " + std::to_string(length) + " instructions, at most " +
                     std::to_string(kMostInstructions) + " are allowed"};
    }
    // Checked: jumps lead forward and stay inside, memory is in range, and the program ends.
    if (length != 0 && bpf_validate(program_of(request.filter), static_cast<int>(length)) == 0) {
        return Error{"filter: it is no valid program of classic BPF"};
    }
    return std::shared_ptr<Probe>(new Probe(std::move(request), workers));
}

Probe::Probe(ProbeRequest request, unsigned workers)
    : request_(std::move(request)),
      gist_(FilterGist::of(request_.filter)),
      per_second_(request_.packets_per_second == 0
                      ? 0
                      : std::max<uint32_t>(request_.packets_per_second / workers, 1)),
      begin_ns_(wall_clock_ns()),
      begin_tsc_(rte_rdtsc()) {
    for (unsigned i = 0; i < workers; ++i) {
        lanes_.push_back(std::make_unique<Lane>(request_.buffer_bytes));
    }
}

bool Probe::runs(std::span<const uint8_t> head, uint32_t wire_bytes) const noexcept {
    return bpf_filter(program_of(request_.filter), head.data(), wire_bytes,
                      static_cast<unsigned>(head.size())) != 0;
}

static_assert(kBurst <= 64);

uint64_t Probe::may_match(std::span<const Packet> burst) const noexcept {
    return gist_.may_pass_each(burst.size(), [&](size_t i) { return burst[i].head(); });
}

uint64_t Probe::may_match_ending(std::span<const Packet> burst) const noexcept {
    return gist_.may_pass_each(burst.size(), [&](size_t i) -> std::span<const uint8_t> {
        const Verdict verdict = burst[i].verdict;
        // Any other packet may have no frame any more.
        if (verdict != Verdict::kSend && verdict != Verdict::kDrop) [[unlikely]]
            return {};
        return burst[i].head();
    });
}

bool Probe::may_see(unsigned worker, uint64_t now_ms) noexcept {
    Lane& mine = *lanes_[worker];
    if (request_.one_in > 1) {
        if (++mine.fitting < request_.one_in) return false;
        mine.fitting = 0;
    }
    if (per_second_ == 0) return true;
    if (mine.second != now_ms / 1000) {
        mine.second = now_ms / 1000;
        mine.tokens = per_second_;
    }
    if (mine.tokens == 0) {
        mine.missed.add(1);
        return false;
    }
    --mine.tokens;
    return true;
}

void Probe::read(const Clock& clock, size_t most_bytes, ProbeBatch& out) {
    for (unsigned worker = 0; worker < lanes_.size(); ++worker) {
        lanes_[worker]->ring.take(
            most_bytes / lanes_.size() + 1,
            [&](const RecordHeader& header, const uint8_t* frame, size_t bytes) {
                if (header.is_void) return;
                ProbeRecord record;
                record.packet = header.packet;
                // In pieces of a second, since nanoseconds() holds for intervals of less than an
                // hour.
                const uint64_t per_second = clock.tsc_per_ms * 1000;
                const uint64_t passed = header.tsc > begin_tsc_ ? header.tsc - begin_tsc_ : 0;
                record.time_ns = begin_ns_ + passed / per_second * 1'000'000'000 +
                                 clock.nanoseconds(passed % per_second);
                record.worker = worker;
                record.point = header.point;
                if (header.stage != nullptr) record.stage = header.stage;
                record.verdict = verdict_text(header.verdict);
                record.slow = slow_text(header.slow);
                record.reason = header.reason;
                record.in_port = header.in_port;
                record.out_port = header.out_port;
                record.stage_cycles = header.stage_cycles;
                record.burst = header.burst;
                if (header.has_flow) {
                    record.flow = tuple_of(header.flow);
                    record.reply = tuple_of(header.reply);
                }
                record.wire_bytes = header.wire_bytes;
                record.bytes.assign(frame, frame + bytes);
                out.records.push_back(std::move(record));
            });
        out.missed += lanes_[worker]->missed.get();
    }
}

}  // namespace podlane::dataplane
