// Facts that a device's description does not state plainly: its real MTU limits, and whether it can
// be trusted to chain buffers. For open_ethdev().
#pragma once

#include <rte_ethdev.h>

#include <algorithm>
#include <cstdint>
#include <string_view>

namespace podlane {

struct MtuLimits {
    uint32_t min = 0;
    uint32_t max = 0;
};

/// The limits by which rte_eth_dev_set_mtu() judges. Many drivers leave max_mtu open and only give
/// a frame's length, which includes the Ethernet header and the FCS.
[[nodiscard]] inline MtuLimits mtu_limits(const rte_eth_dev_info& info) noexcept {
    const bool is_told = info.max_mtu != UINT16_MAX && info.max_rx_pktlen > info.max_mtu;
    const uint32_t overhead =
        is_told ? info.max_rx_pktlen - info.max_mtu : RTE_ETHER_HDR_LEN + RTE_ETHER_CRC_LEN;
    const uint32_t by_length = info.max_rx_pktlen > overhead ? info.max_rx_pktlen - overhead : 0;
    return {info.min_mtu, std::min<uint32_t>(info.max_mtu, by_length)};
}

/// Whether a received frame may span several buffers. net_vmxnet3 claims so but tells its device of
/// one buffer a frame (maxNumRxSG stays 0): longer frames vanish uncounted.
[[nodiscard]] inline bool chains_buffers(const rte_eth_dev_info& info,
                                         std::string_view driver) noexcept {
    return (info.rx_offload_capa & RTE_ETH_RX_OFFLOAD_SCATTER) != 0 && driver != "net_vmxnet3";
}

}  // namespace podlane
