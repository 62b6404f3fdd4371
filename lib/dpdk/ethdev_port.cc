#include "lib/dpdk/ethdev_port.h"

#include <fmt/format.h>
#include <net/if.h>
#include <rte_errno.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "lib/dpdk/device_limits.h"
#include "lib/dpdk/plug.h"
#include "lib/dpdk/wake_socket.h"

namespace podlane {

namespace {

constexpr uint32_t kEthernetBytes = 14;

constexpr uint64_t kRssFields =
    RTE_ETH_RSS_IP | RTE_ETH_RSS_TCP | RTE_ETH_RSS_UDP | RTE_ETH_RSS_SCTP;
constexpr uint64_t kRxChecksums =
    RTE_ETH_RX_OFFLOAD_IPV4_CKSUM | RTE_ETH_RX_OFFLOAD_TCP_CKSUM | RTE_ETH_RX_OFFLOAD_UDP_CKSUM;
constexpr uint64_t kTxL4Checksums = RTE_ETH_TX_OFFLOAD_TCP_CKSUM | RTE_ETH_TX_OFFLOAD_UDP_CKSUM;

Error dpdk_error(const std::string& what, int rc) {
    return Error{fmt::format("{}: {}", what, rte_strerror(rc < 0 ? -rc : rc))};
}

/// Whether frames come through a socket on a kernel interface.
bool is_on_socket(const Device& device) {
    return device.driver != "net_tap" && kernel_interface(device).has_value();
}

uint32_t interface_mtu(const std::string& ifname) {
    ifreq request{};
    ifname.copy(request.ifr_name, IFNAMSIZ - 1);
    const int fd = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    const bool known = fd >= 0 && ::ioctl(fd, SIOCGIFMTU, &request) == 0;
    if (fd >= 0) ::close(fd);
    return known ? static_cast<uint32_t>(request.ifr_mtu) : 0;
}

/// Whether the device has hardware for offloads. Offloads of virtual devices are not used: net_tap
/// computes them in software, and vhost would pass a guest's partial checksums to us.
bool has_engines(const Device& device) {
    return device.kind == DeviceKind::kPci;
}

/// A virtio device with receive offloads delivers partial checksums; without them, the host
/// completes the checksums.
bool rx_checksums_usable(const Device& device, const std::string& driver) {
    return has_engines(device) && driver.find("virtio") == driver.npos;
}

MacAddress from_dpdk(const rte_ether_addr& address) {
    MacAddress out{};
    std::memcpy(out.bytes.data(), address.addr_bytes, out.bytes.size());
    return out;
}

rte_ether_addr to_dpdk(const MacAddress& address) {
    rte_ether_addr out{};
    std::memcpy(out.addr_bytes, address.bytes.data(), address.bytes.size());
    return out;
}

uint16_t queue_count(unsigned workers, uint16_t maximum) {
    return static_cast<uint16_t>(std::min<unsigned>(workers, maximum));
}

/// The offloads to use out of those that the device has.
rte_eth_conf make_conf(const rte_eth_dev_info& info, const Device& device,
                       const std::string& driver, uint16_t rx_queues, bool scatter) {
    rte_eth_conf conf{};
    uint64_t rx = scatter ? RTE_ETH_RX_OFFLOAD_SCATTER : 0;
    uint64_t tx = RTE_ETH_TX_OFFLOAD_MULTI_SEGS;
    if (rx_checksums_usable(device, driver)) rx |= kRxChecksums;
    if (has_engines(device)) {
        tx |= kTxL4Checksums | RTE_ETH_TX_OFFLOAD_IPV4_CKSUM;
        conf.rx_adv_conf.rss_conf.rss_hf = kRssFields & info.flow_type_rss_offloads;
        if (rx_queues > 1 && conf.rx_adv_conf.rss_conf.rss_hf != 0) {
            conf.rxmode.mq_mode = RTE_ETH_MQ_RX_RSS;
        }
    }
    conf.rxmode.offloads = rx & info.rx_offload_capa;
    conf.txmode.offloads = tx & info.tx_offload_capa;
    return conf;
}

/// Whether the driver sends past the interface's queueing discipline.
bool bypasses_qdisc(const Device& device) {
    return device.driver == "net_af_xdp" ||
           (device.driver == "net_af_packet" && device.argument("qdisc_bypass") != "0");
}

PortCaps make_caps(const rte_eth_conf& conf, const Device& device, uint16_t mtu) {
    const uint64_t rx = conf.rxmode.offloads;
    const uint64_t tx = conf.txmode.offloads;
    PortCaps caps;
    if (is_on_socket(device)) {
        caps.rx_l4_checksum = RxChecksum::kMaybePartial;
    } else if ((rx & kRxChecksums) == kRxChecksums) {
        caps.rx_l4_checksum = RxChecksum::kVerified;
    }
    caps.tx_ipv4_checksum = (tx & RTE_ETH_TX_OFFLOAD_IPV4_CKSUM) != 0;
    caps.tx_l4_checksum = (tx & kTxL4Checksums) == kTxL4Checksums;
    caps.tx_multi_segment = (tx & RTE_ETH_TX_OFFLOAD_MULTI_SEGS) != 0;
    caps.rx_multi_segment = (rx & RTE_ETH_RX_OFFLOAD_SCATTER) != 0;
    caps.max_frame_bytes = mtu + kEthernetBytes;
    return caps;
}

/// Descriptors on their way into a port.
struct Bells {
    std::vector<int> fds;
    explicit Bells(const std::vector<int>& given) : fds(given) {}
    Bells(const Bells&) = delete;
    Bells& operator=(const Bells&) = delete;
    ~Bells() {
        for (const int fd : fds) ::close(fd);
    }
};

}  // namespace

EthdevPort::EthdevPort(EthdevPort&& other) noexcept
    : id_(std::exchange(other.id_, static_cast<uint16_t>(RTE_MAX_ETHPORTS))),
      mtu_(other.mtu_),
      mac_(other.mac_),
      caps_(other.caps_),
      device_(std::move(other.device_)),
      driver_(std::move(other.driver_)),
      notes_(std::move(other.notes_)),
      wakes_(std::exchange(other.wakes_, {})),
      removal_(std::move(other.removal_)),
      kernel_link_(other.kernel_link_),
      bypasses_qdisc_(other.bypasses_qdisc_),
      sockets_(std::exchange(other.sockets_, {})),
      losses_before_(other.losses_before_) {}

EthdevPort::~EthdevPort() {
    close();
}

void EthdevPort::close() noexcept {
    removal_.reset();
    for (const QueueWake& wake : wakes_) {
        const bool ours = wake.kind() == WakeKind::kPacketSocket || wake.kind() == WakeKind::kBell;
        if (ours) ::close(wake.fd());
    }
    wakes_.clear();
    sockets_.forget();
    if (id_ >= RTE_MAX_ETHPORTS) return;
    if (is_on_socket(device_)) static_cast<void>(rte_eth_promiscuous_disable(id_));
    static_cast<void>(rte_eth_dev_stop(id_));
    static_cast<void>(rte_eth_dev_close(id_));
    unplug(device_);
    id_ = RTE_MAX_ETHPORTS;
}

Result<void> EthdevPort::set_mtu(uint16_t mtu) {
    mtu_ = mtu;
    // These drivers refuse more than 1500, though their rings hold it: the operator sets the MTU.
    if (is_on_socket(device_)) {
        const std::string ifname = *kernel_interface(device_);
        const uint32_t now = interface_mtu(ifname);
        if (now == mtu) return {};
        if (now < mtu && mtu > RTE_ETHER_MTU) {
            notes_.push_back(
                fmt::format("{} has MTU {}: `ip link set {} mtu {}`", ifname, now, ifname, mtu));
            return {};
        }
    }
    const int rc = rte_eth_dev_set_mtu(id_, mtu);
    if (rc == 0 || rc == -ENOTSUP) return {};
    if (has_engines(device_)) {
        rte_eth_dev_info info{};
        static_cast<void>(rte_eth_dev_info_get(id_, &info));
        const MtuLimits limits = mtu_limits(info);
        return Error{fmt::format("MTU {} is refused: {}; the device allows {}-{}", mtu,
                                 rte_strerror(-rc), limits.min, limits.max)};
    }
    uint16_t current = 0;
    static_cast<void>(rte_eth_dev_get_mtu(id_, &current));
    if (current != mtu) {
        notes_.push_back(
            fmt::format("the driver cannot set MTU {}; set it on what is behind", mtu));
    }
    return {};
}

Result<void> EthdevPort::set_mac(const std::optional<MacAddress>& wanted) {
    rte_ether_addr own{};
    if (const int rc = rte_eth_macaddr_get(id_, &own); rc != 0) return dpdk_error("read MAC", rc);
    mac_ = wanted.value_or(from_dpdk(own));
    bool promiscuous = false;
    if (is_on_socket(device_)) {
        // The interface keeps the MAC that the operator gave it, and shows us all frames.
        promiscuous = true;
    } else if (mac_ != from_dpdk(own)) {
        rte_ether_addr address = to_dpdk(mac_);
        promiscuous = rte_eth_dev_default_mac_addr_set(id_, &address) != 0;
    }
    // Neighbour solicitations are multicast.
    const bool multicast = rte_eth_allmulticast_enable(id_) == 0;
    promiscuous = promiscuous || (!multicast && has_engines(device_));
    if (promiscuous && rte_eth_promiscuous_enable(id_) != 0 && has_engines(device_)) {
        return Error{fmt::format("the device can neither take the MAC {} nor be promiscuous",
                                 to_string(mac_))};
    }
    return {};
}

namespace {

/// What a driver writes into the buffer in front of the frame, beside the headroom.
uint32_t header_in_buffer(std::string_view driver) noexcept {
    constexpr uint32_t kVirtioNet = 12;  // with the number of merged buffers
    return driver == "net_virtio" ? kVirtioNet : 0;
}

}  // namespace

Result<void> EthdevPort::configure(const EthdevRequest& request) {
    rte_eth_dev_info info{};
    if (const int rc = rte_eth_dev_info_get(id_, &info); rc != 0) return dpdk_error("query", rc);
    driver_ = info.driver_name == nullptr ? device_.driver : info.driver_name;

    uint16_t rx_queues = queue_count(request.workers, info.max_rx_queues);
    uint16_t tx_queues = queue_count(request.workers, info.max_tx_queues);
    if (device_.driver == "net_tap") rx_queues = tx_queues = std::min(rx_queues, tx_queues);
    if (rx_queues == 0 || tx_queues == 0) return Error{"the device has no queues"};

    const MtuLimits limits = mtu_limits(info);
    if (has_engines(device_) && (request.mtu < limits.min || request.mtu > limits.max)) {
        return Error{fmt::format("MTU {} is not possible; the device allows {}-{}", request.mtu,
                                 limits.min, limits.max)};
    }
    const uint32_t whole = whole_frame_buffer(device_, request.mtu) + header_in_buffer(driver_);
    const bool scatter = rte_pktmbuf_data_room_size(request.pool) < whole;
    if (scatter && !chains_buffers(info, driver_)) {
        return Error{fmt::format(
            "a frame of MTU {} does not fit a packet buffer, and the device cannot chain them; "
            "memory.mbufBytes must be at least {}",
            request.mtu, whole)};
    }
    rte_eth_conf conf = make_conf(info, device_, driver_, rx_queues, scatter);
    // Drivers of real devices size their rings by it; those of virtual ones refuse a frame size
    // that they only pass on.
    if (has_engines(device_)) conf.rxmode.mtu = request.mtu;
    conf.intr_conf.rxq = has_engines(device_) || device_.driver == "net_tap";
    int rc = rte_eth_dev_configure(id_, rx_queues, tx_queues, &conf);
    if (rc != 0 && conf.intr_conf.rxq != 0) {
        conf.intr_conf.rxq = 0;
        rc = rte_eth_dev_configure(id_, rx_queues, tx_queues, &conf);
    }
    if (rc != 0) return dpdk_error("configure", rc);
    if (auto done = set_mtu(request.mtu); !done.ok()) return done;

    uint16_t rx_descriptors = request.rx_descriptors;
    uint16_t tx_descriptors = request.tx_descriptors;
    rc = rte_eth_dev_adjust_nb_rx_tx_desc(id_, &rx_descriptors, &tx_descriptors);
    if (rc != 0) return dpdk_error("ring sizes", rc);
    const auto socket = static_cast<unsigned>(rte_eth_dev_socket_id(id_));
    for (uint16_t queue = 0; queue < rx_queues; ++queue) {
        rte_eth_rxconf rx = info.default_rxconf;
        rx.offloads = conf.rxmode.offloads;
        rc = rte_eth_rx_queue_setup(id_, queue, rx_descriptors, socket, &rx, request.pool);
        if (rc != 0) return dpdk_error(fmt::format("receive queue {}", queue), rc);
    }
    for (uint16_t queue = 0; queue < tx_queues; ++queue) {
        rte_eth_txconf tx = info.default_txconf;
        tx.offloads = conf.txmode.offloads;
        rc = rte_eth_tx_queue_setup(id_, queue, tx_descriptors, socket, &tx);
        if (rc != 0) return dpdk_error(fmt::format("send queue {}", queue), rc);
    }
    if (rc = rte_eth_dev_start(id_); rc != 0) return dpdk_error("start", rc);
    if (auto done = set_mac(request.mac); !done.ok()) return done;

    caps_ = make_caps(conf, device_, request.mtu);
    caps_.rx_queues = rx_queues;
    caps_.tx_queues = tx_queues;
    // A packet socket's fan-out and the kernel's TAP queues also go by a flow's hash.
    caps_.rss = rx_queues > 1 && (conf.rxmode.mq_mode == RTE_ETH_MQ_RX_RSS ||
                                  device_.driver == "net_af_packet" || device_.driver == "net_tap");
    if (has_engines(device_) && rx_queues < request.workers) {
        notes_.push_back(
            fmt::format("{} receive queues for {} workers", rx_queues, request.workers));
    }
    if (is_on_socket(device_)) {
        // The driver's fan-out group is always made with the defragmentation flag.
        const bool joins = device_.driver == "net_af_packet";
        notes_.push_back(fmt::format(
            "{} copies each frame through the kernel{}; better with a PCI device", device_.driver,
            joins ? ", which joins IPv4 fragments and cuts off what its ring does not hold "
                    "(net_af_xdp does not)"
                  : ""));
    }
    return {};
}

void EthdevPort::set_up_wake(std::vector<int> bells) {
    const auto sleep_on = [&](WakeKind kind, const std::vector<int>& fds) {
        wakes_ = std::vector<QueueWake>(fds.size());
        for (size_t i = 0; i < fds.size(); ++i) wakes_[i].set(kind, fds[i], ::read);
    };
    if (!bells.empty()) {
        sleep_on(is_on_socket(device_) ? WakeKind::kPacketSocket : WakeKind::kBell, bells);
    } else if (has_engines(device_) || device_.driver == "net_tap") {
        std::vector<int> fds;
        for (uint16_t queue = 0; queue < caps_.rx_queues; ++queue) {
            const int fd = rte_eth_dev_rx_intr_ctl_q_get_fd(id_, queue);
            const bool can =
                fd >= 0 && (!has_engines(device_) || rte_eth_dev_rx_intr_enable(id_, queue) == 0);
            if (can) fds.push_back(fd);
        }
        if (fds.size() == caps_.rx_queues) {
            sleep_on(has_engines(device_) ? WakeKind::kInterrupt : WakeKind::kData, fds);
        }
    }
    caps_.rx_wake = !wakes_.empty();
}

int EthdevPort::wake_fd(uint16_t queue) const noexcept {
    return queue < wakes_.size() ? wakes_[queue].fd() : -1;
}

bool EthdevPort::wakes(uint16_t queue) const noexcept {
    return queue < wakes_.size() && wakes_[queue].is_kept();
}

bool EthdevPort::arm_wake(uint16_t queue) noexcept {
    if (queue >= wakes_.size() || !wakes_[queue].is_kept()) return true;
    QueueWake& wake = wakes_[queue];
    wake.arm();
    if (wake.kind() != WakeKind::kInterrupt || rte_eth_dev_rx_intr_enable(id_, queue) == 0) {
        return true;
    }
    wake.give_up();
    return false;
}

bool EthdevPort::disarm_wake(uint16_t queue, bool found) noexcept {
    if (queue >= wakes_.size() || !wakes_[queue].is_kept()) return true;
    QueueWake& wake = wakes_[queue];
    // First the verdict: a disabled interrupt does not ring any more.
    const bool kept = wake.disarm(found);
    if (wake.kind() == WakeKind::kInterrupt) {
        static_cast<void>(rte_eth_dev_rx_intr_disable(id_, queue));
    }
    return kept;
}

Link EthdevPort::link() const noexcept {
    if (kernel_link_) return {kernel_link_->state(), 0};
    if (rte_eth_dev_is_removed(id_) != 0) return {LinkState::kGone, 0};
    rte_eth_link raw{};
    if (rte_eth_link_get_nowait(id_, &raw) != 0 || raw.link_status != RTE_ETH_LINK_UP) {
        return {LinkState::kDown, 0};
    }
    // Virtual drivers report a made-up speed.
    const bool is_known = has_engines(device_) && raw.link_speed != RTE_ETH_SPEED_NUM_UNKNOWN;
    return {LinkState::kUp, is_known ? raw.link_speed : 0};
}

DeviceLosses EthdevPort::device_losses() const noexcept {
    rte_eth_stats raw{};
    if (rte_eth_stats_get(id_, &raw) != 0) return {};
    return {raw.imissed, raw.ierrors, raw.rx_nombuf, raw.oerrors};
}

DeviceLosses EthdevPort::losses() const noexcept {
    DeviceLosses out = device_losses().since(losses_before_);
    if (kernel_link_) out += kernel_link_->losses();
    out.rx_missed += sockets_.lost();
    return out;
}

std::string_view EthdevPort::bypassed_shaper() const noexcept {
    return kernel_link_ && bypasses_qdisc_ ? kernel_link_->shaper() : std::string_view();
}

void EthdevPort::drop_waiting() noexcept {
    constexpr unsigned kMostBursts = 4096;  // a ring that is filled faster than this is a flood
    std::array<rte_mbuf*, 32> frames{};
    for (uint16_t queue = 0; queue < caps_.rx_queues; ++queue) {
        for (unsigned i = 0; i < kMostBursts; ++i) {
            const uint16_t count = rte_eth_rx_burst(id_, queue, frames.data(), frames.size());
            if (count == 0) break;
            rte_pktmbuf_free_bulk(frames.data(), count);
        }
    }
}

Result<EthdevPort> open_ethdev(const EthdevRequest& request) {
    const auto failed = [&](const Error& error) {
        return Error{
            fmt::format("port {}: device {}: {}", request.name, request.device, error.message)};
    };
    auto device = parse_device(request.device);
    if (!device.ok())
        return Error{fmt::format("port {}: {}", request.name, device.error().message)};
    if (request.pool == nullptr || request.workers == 0) {
        return failed({"needs a packet pool and a worker"});
    }
    EthdevPort port;
    port.device_ = *device;
    Bells bells{request.bells};
    // Before the device, see wake_socket.h. XDP takes frames before a socket could see them.
    if (is_on_socket(*device) && device->driver != "net_af_xdp") {
        for (unsigned i = 0; i < request.workers; ++i) {
            auto bell = open_doorbell(*kernel_interface(*device));
            if (!bell.ok()) return failed(bell.error());
            bells.fds.push_back(*bell);
        }
    }
    const std::vector<int> sockets = packet_sockets();
    auto id = plug_in(*device, complete_arguments(*device, request.workers, request.mtu));
    if (!id.ok()) return failed(id.error());
    port.id_ = *id;
    if (auto done = port.configure(request); !done.ok()) return failed(done.error());
    port.set_up_wake(std::exchange(bells.fds, {}));
    if (request.on_removal) {
        port.removal_ = std::make_unique<RemovalWatch>(device->name, request.on_removal);
    }
    if (is_on_socket(*device)) port.sockets_ = DriverSockets(sockets);
    if (is_on_socket(*device)) port.kernel_link_.emplace(*kernel_interface(*device));
    port.bypasses_qdisc_ = bypasses_qdisc(*device);
    port.losses_before_ = port.device_losses();
    return port;
}

}  // namespace podlane
