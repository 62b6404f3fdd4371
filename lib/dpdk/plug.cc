#include "lib/dpdk/plug.h"

#include <fmt/format.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <rte_dev.h>
#include <rte_errno.h>
#include <rte_ethdev.h>

namespace podlane {

namespace {

constexpr uint32_t kAfPacketDefaultSlot = 2048;
constexpr unsigned kAfPacketFrames = 2048;
/// Ethernet header with a VLAN tag.
constexpr uint32_t kLinkBytes = 18;

bool is_af_packet(const Device& device) {
    return device.driver == "net_af_packet" || device.driver == "eth_af_packet";
}

const char* bus_of(const Device& device) {
    return device.kind == DeviceKind::kPci ? "pci" : "vdev";
}

}  // namespace

uint32_t af_packet_frame_room(uint32_t frame_slot) noexcept {
    const auto header = static_cast<uint32_t>(TPACKET2_HDRLEN - sizeof(sockaddr_ll));
    return frame_slot > header ? frame_slot - header : 0;
}

std::string complete_arguments(const Device& device, unsigned workers, uint16_t mtu) {
    std::string out = device.arguments;
    if (!is_af_packet(device)) return out;
    const auto add = [&](const std::string& key, uint64_t value) {
        if (!device.argument(key))
            out += fmt::format("{}{}={}", out.empty() ? "" : ",", key, value);
    };
    add("qpairs", workers);
    if (!device.argument("framesz") && !device.argument("blocksz") &&
        mtu + kLinkBytes > af_packet_frame_room(kAfPacketDefaultSlot)) {
        const uint32_t header = kAfPacketDefaultSlot - af_packet_frame_room(kAfPacketDefaultSlot);
        // Slots of whole KiB, four to a block: the block is then whole pages, without a gap.
        const uint32_t slot = (mtu + kLinkBytes + header + 1023) / 1024 * 1024;
        add("framesz", slot);
        add("blocksz", uint64_t{slot} * 4);
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
            return id;  // the EAL found it at start; nobody has configured it yet
        }
        return Error{fmt::format("another port uses {} already", device.name)};
    }
    const int rc = rte_eal_hotplug_add(bus_of(device), device.name.c_str(), arguments.c_str());
    if (rc != 0) {
        const bool pci = device.kind == DeviceKind::kPci;
        return Error{fmt::format("DPDK cannot use it: {}{}", rte_strerror(-rc),
                                 pci ? "; is it bound to vfio-pci?"
                                     : "; the driver is unknown or refuses its arguments")};
    }
    if (rte_eth_dev_get_port_by_name(device.name.c_str(), &id) != 0) {
        unplug(device);
        return Error{device.kind == DeviceKind::kPci
                         ? "no DPDK driver takes it; is it bound to vfio-pci?"
                         : "it is no network device"};
    }
    return id;
}

void unplug(const Device& device) noexcept {
    // Closing the port may have removed it already: nothing to do then.
    static_cast<void>(rte_eal_hotplug_remove(bus_of(device), device.name.c_str()));
}

}  // namespace podlane
