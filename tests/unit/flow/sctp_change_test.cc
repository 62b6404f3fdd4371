#include "lib/flow/sctp_change.h"

#include <gtest/gtest.h>

#include <numeric>
#include <vector>

#include "lib/proto/checksum.h"
#include "lib/proto/sctp.h"
#include "lib/proto/wire.h"

namespace podlane {
namespace {

TEST(SctpChange, EqualsTheChecksumOfTheChangedPacket) {
    for (size_t bytes = sizeof(SctpHeader); bytes < 3000; bytes += 1 + bytes / 7) {
        std::vector<uint8_t> packet(bytes);
        std::iota(packet.begin(), packet.end(), uint8_t{1});
        const auto before = load<uint32_t>(packet.data());
        const be32 old_sum = sctp_checksum(packet);
        packet[0] = 0xab;
        packet[3] = 0xcd;
        const uint32_t change = sctp_checksum_change(before ^ load<uint32_t>(packet.data()),
                                                     static_cast<uint32_t>(bytes));
        EXPECT_EQ(old_sum.raw ^ change, sctp_checksum(packet).raw) << bytes;
    }
}

TEST(SctpChange, NoChangeChangesNothing) {
    EXPECT_EQ(sctp_checksum_change(0, 1000), 0u);
}

}  // namespace
}  // namespace podlane
