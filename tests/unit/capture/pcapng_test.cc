#include "control/capture/pcapng.h"

#include <gtest/gtest.h>

#include <cstring>
#include <string>
#include <vector>

namespace podlane::control {
namespace {

/// A block of the file, its lengths checked.
struct ReadBlock {
    uint32_t type = 0;
    std::string body;
    [[nodiscard]] uint32_t word(size_t at) const {
        uint32_t value = 0;
        std::memcpy(&value, body.data() + at, 4);
        return value;
    }
};

std::vector<ReadBlock> blocks(const std::string& file) {
    std::vector<ReadBlock> out;
    for (size_t at = 0; at < file.size();) {
        uint32_t type = 0, length = 0, again = 0;
        std::memcpy(&type, &file[at], 4);
        std::memcpy(&length, &file[at + 4], 4);
        EXPECT_EQ(length % 4, 0u);
        EXPECT_LE(at + length, file.size());
        if (length < 12 || at + length > file.size()) break;
        std::memcpy(&again, &file[at + length - 4], 4);
        EXPECT_EQ(again, length);
        out.push_back({type, file.substr(at + 8, length - 12)});
        at += length;
    }
    return out;
}

PcapngPacket packet(std::string_view interface, std::span<const uint8_t> bytes) {
    return {.interface = interface,
            .time_ns = 0x0102030405060708,
            .is_outbound = true,
            .wire_bytes = 100,
            .bytes = bytes,
            .comment = "drop: no_route",
            .packet_id = 7};
}

TEST(Pcapng, InterfacesAreDescribedOnceBeforeTheirFirstPacket) {
    std::string file;
    PcapngWriter writer(file, "test 1");
    const uint8_t bytes[] = {1, 2, 3, 4, 5};
    writer.add(packet("uplink0", bytes));
    writer.add(packet("default/web", bytes));
    writer.add(packet("uplink0", bytes));
    writer.finish(3);
    const auto all = blocks(file);
    std::vector<uint32_t> types;
    for (const ReadBlock& block : all) types.push_back(block.type);
    EXPECT_EQ(types, (std::vector<uint32_t>{0x0a0d0d0a, 1, 6, 1, 6, 6, 5, 5}));
    EXPECT_NE(all[1].body.find("uplink0"), std::string::npos);
    EXPECT_EQ(all[2].word(0), 0u);
    EXPECT_EQ(all[4].word(0), 1u);
    EXPECT_EQ(all[5].word(0), 0u);
    // Interface, time in two words, captured and wire length, then the frame padded to whole words.
    EXPECT_EQ(all[2].word(4), 0x01020304u);
    EXPECT_EQ(all[2].word(8), 0x05060708u);
    EXPECT_EQ(all[2].word(12), 5u);
    EXPECT_EQ(all[2].word(16), 100u);
    EXPECT_EQ(all[2].body.substr(20, 8), std::string("\1\2\3\4\5\0\0\0", 8));
    EXPECT_NE(all[2].body.find("drop: no_route"), std::string::npos);
}

TEST(Pcapng, InterfacesWithoutPacketsAreDescribedOnce) {
    std::string file;
    PcapngWriter writer(file, "test 1");
    writer.describe("uplink0");
    writer.describe("uplink0");
    writer.add({.interface = "uplink0", .bytes = {}});
    EXPECT_EQ(blocks(file).size(), 3u);
}

TEST(Pcapng, LongCommentsAreCut) {
    std::string file;
    PcapngWriter writer(file, "test 1");
    const std::string comment(100'000, 'x');
    writer.add({.interface = "a", .bytes = {}, .comment = comment});
    EXPECT_LT(file.size(), 10'000u);
    EXPECT_EQ(blocks(file).size(), 3u);
}

}  // namespace
}  // namespace podlane::control
