#include "lib/dpdk/plug.h"

#include <gtest/gtest.h>

#include "lib/base/device.h"

namespace podlane {
namespace {

TEST(Device, PacketSocketsGetAQueueForEachWorkerAndALongerRing) {
    const auto complete = [](const char* text, unsigned workers, uint16_t mtu) {
        return complete_arguments(*parse_device(text), workers, mtu);
    };
    EXPECT_EQ(complete("net_af_packet0,iface=eth1", 2, 1500), "iface=eth1,qpairs=2,framecnt=2048");
    EXPECT_EQ(complete("net_af_packet0,iface=eth1,qpairs=1,framecnt=64", 2, 1500),
              "iface=eth1,qpairs=1,framecnt=64");
    EXPECT_EQ(complete("net_tap0,iface=tap0", 2, 1500), "iface=tap0");
}

TEST(Device, PacketSocketsGetSlotsThatHoldTheMtu) {
    for (const uint16_t mtu : {uint16_t{1998}, uint16_t{1999}, uint16_t{9000}, uint16_t{65000}}) {
        Device device = *parse_device("net_af_packet0,iface=eth1");
        device.arguments = complete_arguments(device, 1, mtu);
        const uint32_t slot = device.argument("framesz")
                                  ? std::stoul(*device.argument("framesz")) & 0xffffffff
                                  : 2048;
        EXPECT_GE(af_packet_frame_room(slot), mtu + 18U);
        if (device.argument("blocksz")) {
            const uint32_t block = std::stoul(*device.argument("blocksz")) & 0xffffffff;
            EXPECT_EQ(block % 4096, 0U) << "not whole pages";
            EXPECT_EQ(block % slot, 0U) << "frames would not lie one after the other";
        }
    }
}

}  // namespace
}  // namespace podlane
