// The formats of an overlay's packets: rows against the bytes of their specifications.
#include "lib/proto/overlay.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <random>
#include <vector>

namespace podlane {
namespace {

using Bytes8 = std::array<uint8_t, 8>;

Bytes8 sent(OverlayFormat format, uint32_t vni) {
    const OverlayHeader header = overlay_header(format, vni);
    Bytes8 bytes;
    std::memcpy(bytes.data(), &header, sizeof header);
    return bytes;
}

std::optional<OverlayHeaderRead> read(OverlayFormat format, const std::vector<uint8_t>& bytes) {
    return read_overlay_header(format, bytes);
}

TEST(Overlay, EachRowIsItsEnumeratorsAndTheWordsDiffer) {
    for (size_t i = 0; i < kOverlayFormats.size(); ++i) {
        const OverlayFormatInfo& info = kOverlayFormats[i];
        EXPECT_EQ(static_cast<size_t>(info.format), i);
        EXPECT_EQ(&overlay_info(info.format), &info);
        for (const uint16_t port : info.ports) EXPECT_EQ(overlay_of_port(port), &info);
        for (size_t j = 0; j < i; ++j) EXPECT_NE(kOverlayFormats[j].word, info.word);
    }
    EXPECT_EQ(overlay_of_port(53), nullptr);
}

// RFC 7348 section 5.
TEST(Overlay, VxlanHasTheIBitAndTheVniInTheUpperBytes) {
    EXPECT_EQ(sent(OverlayFormat::kVxlan, 0x123456), (Bytes8{0x08, 0, 0, 0, 0x12, 0x34, 0x56, 0}));
    // The other bits are ignored on receipt, the I bit is not.
    const auto odd = read(OverlayFormat::kVxlan, {0xff, 0xff, 0xff, 0xff, 0, 0, 1, 0xff});
    ASSERT_TRUE(odd);
    EXPECT_EQ(odd->vni, 1u);
    EXPECT_EQ(odd->bytes, 8u);
    EXPECT_FALSE(read(OverlayFormat::kVxlan, {0xf7, 0xff, 0xff, 0xff, 0, 0, 1, 0}));
    EXPECT_FALSE(read(OverlayFormat::kVxlan, {0x08, 0, 0, 0, 0, 0, 1}));
}

// RFC 8926 section 3.4.
TEST(Overlay, GeneveHasItsProtocolAndTheVniInTheUpperBytes) {
    EXPECT_EQ(sent(OverlayFormat::kGeneve, 0x123456),
              (Bytes8{0x00, 0, 0x65, 0x58, 0x12, 0x34, 0x56, 0}));
    std::vector<uint8_t> bytes{0x02, 0x3f, 0x65, 0x58, 0, 0, 1, 0xff, 1, 2, 3, 4, 5, 6, 7, 8};
    const auto with_options = read(OverlayFormat::kGeneve, bytes);
    ASSERT_TRUE(with_options);
    EXPECT_EQ(with_options->vni, 1u);
    EXPECT_EQ(with_options->bytes, 16u);
    bytes[0] = 0x03;
    EXPECT_FALSE(read(OverlayFormat::kGeneve, bytes)) << "options beyond the end";
    for (const auto& [at, value] : {std::pair{0, 0x42}, {1, 0x80}, {1, 0x40}, {2, 0}, {3, 0}}) {
        std::vector<uint8_t> bad{0x02, 0, 0x65, 0x58, 0, 0, 1, 0, 1, 2, 3, 4, 5, 6, 7, 8};
        bad[static_cast<size_t>(at)] = static_cast<uint8_t>(value);
        EXPECT_FALSE(read(OverlayFormat::kGeneve, bad)) << at << " " << value;
    }
}

// What the short way takes is what the long way reads, without options, of that network.
TEST(Overlay, ThePatternMatchesWhatIsReadAndHasNoOptions) {
    std::mt19937 random(9);
    const auto any = [&random] { return static_cast<uint8_t>(random()); };
    for (const OverlayFormatInfo& info : kOverlayFormats) {
        const uint32_t vni = 0x00abcd;
        const OverlayPattern pattern(info.format, vni);
        EXPECT_TRUE(pattern.matches(sent(info.format, vni).data()));
        EXPECT_FALSE(pattern.matches(sent(info.format, vni + 1).data()));
        EXPECT_FALSE(OverlayPattern().matches(sent(info.format, 0).data()));
        unsigned matched = 0;
        for (int i = 0; i < 20000; ++i) {
            std::vector<uint8_t> bytes(8 + 4 * 64);
            std::ranges::generate(bytes, any);
            const Bytes8 good = sent(info.format, vni);
            std::ranges::copy(good, bytes.begin());
            for (int flips = i % 4; flips > 0; --flips) {
                bytes[random() % 8] ^= static_cast<uint8_t>(1u << random() % 8);
            }
            const auto said = read(info.format, bytes);
            const bool plain = said && said->vni == vni && said->bytes == sizeof(OverlayHeader);
            ASSERT_EQ(pattern.matches(bytes.data()), plain) << info.word << " " << i;
            matched += plain ? 1 : 0;
        }
        EXPECT_GT(matched, 5000u);
        EXPECT_LT(matched, 19000u);
    }
}

TEST(Overlay, ItTakes50BytesOverIpv4And70OverIpv6) {
    EXPECT_EQ(kOverlayOuterBytes<V4>, 50);
    EXPECT_EQ(kOverlayOuterBytes<V6>, 70);
    EXPECT_EQ(overlay_overhead(false), 50);
    EXPECT_EQ(overlay_overhead(true), 70);
}

}  // namespace
}  // namespace podlane
