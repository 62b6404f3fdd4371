#include "tests/unit/dataplane/rig.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstring>

#include "dataplane/ports/tap_io.h"
#include "lib/proto/parse.h"

namespace podlane::dataplane {

namespace {

struct Pools {
    PacketPool usual, large;
};

const Pools& pools() {
    static const Eal eal = [] {
        EalRequest request;
        request.hugepages = HugepageUse::kOff;
        auto started = start_eal(request);
        if (!started) throw std::runtime_error(started.error().message);
        return std::move(started).value();
    }();
    const auto make = [](uint32_t mbufs, uint32_t mbuf_bytes) {
        PacketPoolRequest request;
        request.mbufs = mbufs;
        request.mbuf_bytes = mbuf_bytes;
        auto made = create_packet_pool(request);
        if (!made) throw std::runtime_error(made.error().message);
        return std::move(made).value();
    };
    static const Pools both{make(4096, 2176), make(64, kLargeBufferBytes)};
    return both;
}

/// A TAP's header for a frame with a partial checksum.
VirtioNetHeader partial_header(const Frame& frame) {
    Headers headers;
    EXPECT_EQ(parse_frame(frame, static_cast<uint32_t>(frame.size()), headers), Drop::kNone);
    VirtioNetHeader header{};
    header.flags = kVirtioNeedsChecksum;
    header.checksum_start = headers.l4_offset;
    header.checksum_offset =
        static_cast<uint16_t>(headers.protocol == kProtocolTcp ? offsetof(TcpHeader, checksum)
                                                               : offsetof(UdpHeader, checksum));
    return header;
}

}  // namespace

Rig::Rig(unsigned workers, uint32_t flow_capacity, bool shares, RigMemory memory)
    : memory_(std::move(memory)) {
    const Pools& packets = pools();  // first: the clock needs the EAL to know its rate
    shared_ = std::make_unique<Shared>(workers);
    shared_->pool = packets.usual.get();
    shared_->large_pool = packets.large.get();
    shared_->idle = IdleMode::kPoll;
    shared_->control_doorbell.sleeping = false;
    FlowTableOptions options;
    options.capacity = flow_capacity;
    options.shares = shares;
    options.traffic = options.carried = memory_.traffic;
    if (!memory_.kept_flows.empty()) {
        shared_->kept_flows = std::make_unique<KeptFlows>(
            memory_.kept_flows,
            [this](LogLevel, std::string_view line) { memory_.log.emplace_back(line); });
    }
    const auto made = create_flow_tables(*shared_, options, options.capacity);
    if (!made) throw std::runtime_error(made.error().message);
    shared_->recorder.attach(*shared_->flows_v4, *shared_->flows_v6, shared_->clock);
    for (unsigned i = 0; i < workers; ++i) {
        workers_.push_back(std::make_unique<Worker>(*shared_, i));
    }
    add_port(kPodA, PortKind::kPod, "default/a", 70000);
    add_port(kPodB, PortKind::kPod, "default/b", 70000);
    add_port(kUplink, PortKind::kUplink, "uplink0", 1514);
    add_port(kHost, PortKind::kHost, "podlane0", 70000);

    std::shared_ptr<const Snapshot> world = memory_.first;
    if (!world) world = make_world({port(kPodA), port(kPodB), port(kUplink), port(kHost)});
    settle_kept_flows(*shared_, *world);
    publish(std::move(world));
    for (unsigned i = 0; i < workers; ++i) shared_->domain.online(i);
}

Rig::~Rig() {
    for (auto& worker : workers_) worker->turn();
    for (unsigned i = 0; i < workers_.size(); ++i) shared_->domain.offline(i);
    workers_.clear();
    for (const auto& ends : far_ends_) {
        for (const int fd : ends) close(fd);
    }
}

void Rig::add_port(Who who, PortKind kind, const std::string& name, uint32_t max_frame) {
    std::vector<int> near, far;
    for (size_t i = 0; i < workers_.size(); ++i) {
        int ends[2];
        if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, ends) != 0) {
            throw std::runtime_error("socketpair");
        }
        near.push_back(ends[0]);
        far.push_back(ends[1]);
    }
    TapPortSpec spec;
    spec.name = name;
    spec.kind = kind;
    spec.mtu = 1500;
    spec.vnet_header_bytes = sizeof(VirtioNetHeader);
    spec.queue_fds = near;
    auto opened = open_tap_port(spec, static_cast<unsigned>(workers_.size())).value();
    opened->port.id = PortId{static_cast<uint16_t>(memory_.first_port + who)};
    // The uplink must behave like a network card without offloads.
    if (kind != PortKind::kUplink) {
        opened->port.caps.tx_tso = opened->port.takes_large_udp = true;
        opened->port.rx_frame_bytes = 70000;
    }
    opened->port.caps.max_frame_bytes = max_frame;
    opened->port.caps.tx_l4_checksum = kind != PortKind::kUplink;
    shared_->ports.set(opened->port.id, &opened->port);
    for (size_t i = 0; i < workers_.size(); ++i) {
        (void)workers_[i]->watch(near[i], opened->port.id);
    }
    ports_.push_back(std::move(opened));
    far_ends_.push_back(std::move(far));
}

Result<std::unique_ptr<OpenPort>> Rig::open_device(const std::string& device, int bell) {
    DevicePortRequest request;
    request.name = "device";
    request.device = device;
    request.pool = shared_->pool;
    request.bells = {bell};
    auto opened = open_device_port(request);
    if (!opened) return opened;
    Port& port = (*opened)->port;
    port.id = PortId{static_cast<uint16_t>(ports_.size())};
    shared_->ports.set(port.id, &port);
    if (!watch_port(**opened, std::span(workers_))) return Error{"cannot be watched"};
    return opened;
}

void Rig::publish(std::shared_ptr<const Snapshot> next) {
    if (snapshot_) old_.push_back(snapshot_);
    snapshot_ = std::move(next);
    shared_->snapshot.store(snapshot_.get(), std::memory_order_release);
}

void Rig::turn() {
    for (int quiet = 0; quiet < 3;) {
        unsigned moved = 0;
        for (auto& worker : workers_) moved += worker->turn();
        quiet = moved == 0 ? quiet + 1 : 0;
    }
}

void Rig::arrive(Who from, const Frame& frame, const VirtioNetHeader& header, unsigned worker) {
    std::vector<uint8_t> bytes(sizeof(header));
    store(bytes.data(), header);
    bytes.insert(bytes.end(), frame.begin(), frame.end());
    ASSERT_EQ(write(far_ends_[from][worker], bytes.data(), bytes.size()),
              static_cast<ssize_t>(bytes.size()));
}

void Rig::send_with(Who from, const Frame& frame, const VirtioNetHeader& header) {
    arrive(from, frame, header, 0);
    turn();
}

void Rig::send_large(Who from, const Frame& frame, uint16_t segment_bytes) {
    VirtioNetHeader header = partial_header(frame);
    Headers headers;
    (void)parse_frame(frame, static_cast<uint32_t>(frame.size()), headers);
    const uint8_t tcp = headers.ip_version == 4 ? kVirtioGsoTcp4 : kVirtioGsoTcp6;
    header.gso_type = headers.protocol == kProtocolTcp ? tcp : kVirtioGsoUdpL4;
    header.gso_bytes = segment_bytes;
    header.header_bytes = headers.payload_offset;
    send_with(from, frame, header);
}

void Rig::send(Who from, const Frame& frame, bool partial, unsigned worker) {
    arrive(from, frame, partial ? partial_header(frame) : VirtioNetHeader{}, worker);
    turn();
}

void Rig::send_burst(Who from, const std::vector<Frame>& frames) {
    for (const Frame& frame : frames) arrive(from, frame, {}, 0);
    turn();
}

std::vector<Frame> Rig::take(Who from) {
    std::vector<Frame> out;
    for (const int fd : far_ends_[from]) {
        for (;;) {
            const ssize_t got = read(fd, buffer_.data(), buffer_.size());
            if (got < static_cast<ssize_t>(sizeof(VirtioNetHeader))) break;
            last_header_ = load<VirtioNetHeader>(buffer_.data());
            out.emplace_back(buffer_.begin() + sizeof(VirtioNetHeader), buffer_.begin() + got);
        }
    }
    return out;
}

Frame Rig::take_one(Who from) {
    const auto frames = take(from);
    EXPECT_EQ(frames.size(), 1u);
    return frames.empty() ? Frame{} : frames.front();
}

uint64_t Rig::drops(Drop reason) const {
    uint64_t sum = 0;
    for (const auto& counters : shared_->counters) {
        sum += counters->drops[static_cast<size_t>(reason)].get();
    }
    return sum;
}

uint64_t Rig::all_drops() const {
    uint64_t sum = 0;
    for (size_t i = 0; i < kDropCount; ++i) sum += drops(static_cast<Drop>(i));
    return sum;
}

std::vector<Event> Rig::events() {
    std::vector<Event> out;
    Event event;
    for (const auto& ring : shared_->events) {
        while (ring->pop(event)) out.push_back(event);
    }
    return out;
}

void Rig::command(const Command& command) {
    (void)shared_->commands.push(command);
    turn();
}

}  // namespace podlane::dataplane
