#include "lib/dpdk/plug.h"

#include <fmt/format.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <rte_dev.h>
#include <rte_errno.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>

#include <algorithm>
#include <charconv>

#include "lib/dpdk/pci_device.h"

namespace podlane {

namespace {

constexpr uint32_t kAfPacketDefaultSlot = 2048;
constexpr unsigned kAfPacketFrames = 2048;
/// The driver treats a ring as one piece of memory, so a block must hold whole slots, and the
/// kernel wants it to be whole pages. So slots are multiples of this size, and a block holds as
/// many as follows.
constexpr uint32_t kSlotStep = 256;
constexpr uint32_t kSlotsOfBlock = 4096 / kSlotStep;
/// Offset at which the kernel puts a frame in its slot (tpacket_rcv() in net/packet/af_packet.c):
/// behind the header, so that the network header is aligned to 16.
constexpr uint32_t kFrameOffset = TPACKET_ALIGN(TPACKET2_HDRLEN + 16) - 14;
/// What the driver subtracts from a slot before it compares it with a packet buffer.
constexpr uint32_t kDriverOffset = TPACKET2_HDRLEN - sizeof(sockaddr_ll);

/// The slot size of net_af_packet's ring for frames of `mtu`, or the operator's.
uint32_t af_packet_slot(const Device& device, uint32_t mtu) noexcept {
    uint32_t given = 0;
    if (const auto text = device.argument("framesz")) {
        std::from_chars(text->data(), text->data() + text->size(), given);
        return given;
    }
    const uint32_t slot = (mtu + kLinkBytes + kFrameOffset + kSlotStep - 1) / kSlotStep * kSlotStep;
    return std::max(slot, kAfPacketDefaultSlot);
}

bool is_af_packet(const Device& device) {
    return device.driver == "net_af_packet" || device.driver == "eth_af_packet";
}

const char* bus_of(const Device& device) {
    return device.kind == DeviceKind::kPci ? "pci" : "vdev";
}

}  // namespace

uint32_t af_packet_frame_room(uint32_t frame_slot) noexcept {
    return frame_slot > kFrameOffset ? frame_slot - kFrameOffset : 0;
}

uint32_t whole_frame_buffer(const Device& device, uint32_t mtu) noexcept {
    const uint32_t plain = mtu + kWholeFrameExtra;
    if (!is_af_packet(device)) return plain;
    const uint32_t slot = af_packet_slot(device, mtu);
    const uint32_t room = slot > kDriverOffset ? slot - kDriverOffset : 0;
    return std::max(plain, room + RTE_PKTMBUF_HEADROOM);
}

std::string complete_arguments(const Device& device, unsigned workers, uint16_t mtu) {
    std::string out = device.arguments;
    if (!is_af_packet(device)) return out;
    const auto add = [&](const std::string& key, uint64_t value) {
        if (!device.argument(key))
            out += fmt::format("{}{}={}", out.empty() ? "" : ",", key, value);
    };
    add("qpairs", workers);
    const uint32_t slot = af_packet_slot(device, mtu);
    if (!device.argument("framesz") && !device.argument("blocksz") && slot > kAfPacketDefaultSlot) {
        add("framesz", slot);
        add("blocksz", uint64_t{slot} * kSlotsOfBlock);
    }
    add("framecnt", kAfPacketFrames);
    return out;
}

Result<uint16_t> plug_in(const Device& device, const std::string& arguments) {
    if (const auto ifname = kernel_interface(device)) {
        if (::if_nametoindex(ifname->c_str()) == 0) {
            return Error{fmt::format("there is no network interface {}", *ifname)};
        }
    }
    uint16_t id = RTE_MAX_ETHPORTS;
    if (rte_eth_dev_get_port_by_name(device.name.c_str(), &id) == 0) {
        rte_eth_dev_info info{};
        if (device.kind == DeviceKind::kPci && rte_eth_dev_info_get(id, &info) == 0 &&
            info.nb_rx_queues == 0) {
            return id;  // the EAL found it at start; it is not configured yet
        }
        return Error{fmt::format("another port uses {} already", device.name)};
    }
    const int rc = rte_eal_hotplug_add(bus_of(device), device.name.c_str(), arguments.c_str());
    if (rc != 0) {
        const bool pci = device.kind == DeviceKind::kPci;
        return Error{fmt::format("DPDK cannot use it: {}{}", rte_strerror(-rc),
                                 pci ? "; " + pci_advice(device.name)
                                     : "; the driver is unknown or refuses its arguments")};
    }
    if (rte_eth_dev_get_port_by_name(device.name.c_str(), &id) != 0) {
        unplug(device);
        return Error{device.kind == DeviceKind::kPci
                         ? "no DPDK driver takes it; " + pci_advice(device.name)
                         : std::string("it is no network device")};
    }
    return id;
}

void unplug(const Device& device) noexcept {
    // Closing the port may have removed it already; then this does nothing.
    static_cast<void>(rte_eal_hotplug_remove(bus_of(device), device.name.c_str()));
}

}  // namespace podlane
