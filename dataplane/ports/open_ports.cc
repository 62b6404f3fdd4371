#include "dataplane/ports/open_ports.h"

#include <linux/if_tun.h>
#include <poll.h>
#include <rte_cycles.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>

namespace podlane::dataplane {

namespace {

/// Ethernet header with a VLAN tag.
constexpr uint32_t kLinkBytes = 18;
/// IPv6's length field does not count the header.
constexpr uint32_t kTapMaxFrameBytes = kLinkBytes + V6::kMinHeaderBytes + 65535;

/// Asks the kernel for frames of several segments, as far as it knows them: USO since Linux 6.2. A
/// port that is no TAP, or a TAP that refuses, stays with single packets.
void agree_on_large_frames(Port& port) noexcept {
    constexpr unsigned long kTso = TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6;
    constexpr unsigned long kUso = 0x20 | 0x40;  // TUN_F_USO4 and 6, not in all headers yet
    const int fd = port.tap_fds[0];              // offloads are per interface
    port.takes_large_udp = ioctl(fd, TUNSETOFFLOAD, kTso | kUso) == 0;
    port.caps.tx_tso = port.takes_large_udp || ioctl(fd, TUNSETOFFLOAD, kTso) == 0;
    port.caps.rx_large = port.caps.tx_tso;
    port.rx_frame_bytes = port.caps.tx_tso ? kTapMaxFrameBytes : port.mtu + kLinkBytes;
}

}  // namespace

OpenPort::~OpenPort() {
    if (port.backend != PortBackend::kTap) return;
    for (const int fd : port.tap_fds) {
        if (fd >= 0) close(fd);
    }
}

void OpenPort::limit(const Bandwidth& bandwidth) {
    if (!bandwidth.is_limited()) return;
    meters = std::make_unique<PortMeters>(bandwidth, rte_get_tsc_hz());
    if (meters->to_port.is_limited()) port.to_limit = &meters->to_port;
    if (meters->from_port.is_limited()) port.from_limit = &meters->from_port;
}

Result<std::unique_ptr<OpenPort>> open_device_port(const DevicePortRequest& request) {
    EthdevRequest ethdev_request;
    ethdev_request.name = request.name;
    ethdev_request.device = request.device;
    ethdev_request.workers = request.workers;
    ethdev_request.mtu = request.mtu;
    ethdev_request.mac = request.mac;
    ethdev_request.pool = request.pool;
    ethdev_request.bells = request.bells;
    auto out = std::make_unique<OpenPort>();
    ethdev_request.on_removal = [&leaves = out->device_leaves, notify = request.on_leave] {
        leaves.store(true, std::memory_order_release);  // pairs with Runtime::take_events()
        if (notify) notify();
    };
    auto opened = open_ethdev(ethdev_request);
    if (!opened) return opened.error();
    out->ethdev.emplace(std::move(opened).value());
    Port& port = out->port;
    port.backend = PortBackend::kEthdev;
    port.kind = request.kind;
    port.caps = out->ethdev->caps();
    port.mtu = request.mtu;
    port.ethdev = out->ethdev->ethdev_id();
    port.device_port = &*out->ethdev;
    port.mac = out->ethdev->mac();
    port.name = request.name;
    port.device = request.device;
    out->limit(request.bandwidth);
    port.tap_fds.fill(-1);
    const uint16_t tx_queues = std::max<uint16_t>(port.caps.tx_queues, 1);
    for (size_t i = 0; i < kMaxWorkers; ++i) {
        const auto worker = static_cast<uint16_t>(i);
        const bool exists = i < request.workers;
        port.rx_queue[i] = exists && worker < port.caps.rx_queues ? worker : kNoQueue;
        port.tx_queue[i] = exists && worker < tx_queues ? worker : kNoQueue;
        port.tx_owner[i] = static_cast<uint8_t>(worker % tx_queues);
    }
    return out;
}

Result<std::unique_ptr<OpenPort>> open_tap_port(TapPortSpec spec, unsigned workers) {
    auto out = std::make_unique<OpenPort>();
    Port& port = out->port;
    port.backend = PortBackend::kTap;
    port.tap_fds.fill(-1);
    std::copy_n(spec.queue_fds.begin(), std::min(spec.queue_fds.size(), port.tap_fds.size()),
                port.tap_fds.begin());
    if (spec.queue_fds.size() != workers) {
        return Error{"port " + spec.name + ": has " + std::to_string(spec.queue_fds.size()) +
                     " queues for " + std::to_string(workers) + " workers"};
    }
    port.kind = spec.kind;
    port.mtu = spec.mtu;
    port.vnet_header_bytes = spec.vnet_header_bytes;
    out->limit(spec.bandwidth);
    agree_on_large_frames(port);
    port.mac = spec.mac;
    port.name = spec.name;
    port.device = spec.ifname;
    port.rx_queue.fill(kNoQueue);
    port.tx_queue.fill(kNoQueue);
    port.caps.rx_l4_checksum = RxChecksum::kMarked;
    port.caps.tx_l4_checksum = true;
    port.caps.tx_multi_segment = true;
    port.caps.rx_multi_segment = true;
    port.caps.rx_wake = true;
    port.caps.rx_queues = port.caps.tx_queues = static_cast<uint16_t>(workers);
    port.caps.max_frame_bytes = kTapMaxFrameBytes;
    out->tap_link.emplace(port.tap_fds[0]);
    if (!spec.nic.empty()) out->nic_link.emplace(spec.nic);
    return out;
}

std::vector<PortState> states_of(std::span<const OpenPort* const> ports) {
    // A TAP is writable while its interface is up, and in error once the interface is deleted
    // (tun_chr_poll() in the kernel). Its descriptor shows this whatever network namespace the
    // interface is in.
    std::vector<pollfd> taps;
    for (const OpenPort* each : ports) {
        const bool is_tap = each->port.backend == PortBackend::kTap;
        taps.push_back({is_tap ? each->port.tap_fds[0] : -1, POLLOUT, 0});
    }
    poll(taps.data(), taps.size(), 0);
    std::vector<PortState> out;
    for (size_t i = 0; i < ports.size(); ++i) {
        const short events = taps[i].revents;
        const auto& ethdev = ports[i]->ethdev;
        PortState state{ports[i]->port.id, {}, {}};
        if (ports[i]->tap_link) state.losses = ports[i]->tap_link->last_losses();
        if (const auto& nic = ports[i]->nic_link) {
            state.link.state = nic->state();
            state.losses = losses_of(*ports[i]);
            out.push_back(state);
            continue;
        }
        if (ethdev) {
            state.link = ethdev->link();
            state.losses = ethdev->losses();
            state.bypassed_shaper = ethdev->bypassed_shaper();
        } else if ((events & (POLLERR | POLLHUP | POLLNVAL)) != 0) {
            state.link.state = LinkState::kGone;
        } else if ((events & POLLOUT) == 0) {
            state.link.state = LinkState::kDown;
        }
        out.push_back(state);
    }
    return out;
}

DeviceLosses losses_of(const OpenPort& port) noexcept {
    if (port.tap_link) {
        DeviceLosses out = port.tap_link->losses();
        if (port.nic_link) out += port.nic_link->losses();
        return out;
    }
    return port.ethdev ? port.ethdev->losses() : DeviceLosses{};
}

bool watch_port(const OpenPort& port, std::span<const std::unique_ptr<Worker>> workers) {
    bool all = true;
    for (size_t i = 0; i < workers.size(); ++i) {
        if (port.port.backend == PortBackend::kTap) {
            all = workers[i]->watch(port.port.tap_fds[i], port.port.id) && all;
        } else if (port.port.rx_queue[i] != kNoQueue) {
            const int fd = port.ethdev->wake_fd(port.port.rx_queue[i]);
            // The descriptor only wakes the worker, which then polls the device.
            if (fd >= 0) all = workers[i]->watch(fd, kNoPort) && all;
        }
    }
    return all;
}

void unwatch_port(const OpenPort& port, std::span<const std::unique_ptr<Worker>> workers) {
    for (size_t i = 0; i < workers.size(); ++i) {
        if (port.port.backend == PortBackend::kTap) {
            workers[i]->unwatch(port.port.tap_fds[i]);
        } else if (port.port.rx_queue[i] != kNoQueue) {
            const int fd = port.ethdev->wake_fd(port.port.rx_queue[i]);
            if (fd >= 0) workers[i]->unwatch(fd);
        }
    }
}

}  // namespace podlane::dataplane
