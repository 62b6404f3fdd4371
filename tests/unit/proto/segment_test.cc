#include "lib/proto/segment.h"

#include <gtest/gtest.h>

#include "lib/proto/parse.h"
#include "tests/support/frames.h"

namespace podlane {
namespace {

constexpr const char* kSource[] = {"10.244.1.10", "fd00:1::10"};
constexpr const char* kDestination[] = {"10.244.2.20", "fd00:2::20"};

template <class F>
class SegmentTest : public testing::Test {
  protected:
    static constexpr bool kIsV4 = std::same_as<F, V4>;

    static test::Frame start() {
        return test::frame().eth().ip(kSource[!kIsV4], kDestination[!kIsV4]);
    }

    static test::Bytes payload(size_t bytes) {
        test::Bytes out(bytes);
        for (size_t i = 0; i < bytes; ++i) out[i] = static_cast<uint8_t>(i * 7 + i / 251);
        return out;
    }

    /// All pieces of a frame as they would be sent, with their checksums left to a device.
    static std::vector<test::Bytes> cut(const test::Bytes& frame, uint32_t segment_bytes) {
        Headers headers;
        EXPECT_EQ(parse_frame(frame, static_cast<uint32_t>(frame.size()), headers), Drop::kNone);
        const SegmentPlan plan = plan_segments(headers, segment_bytes);
        std::vector<test::Bytes> out;
        for (uint32_t i = 0; i < plan.count(); ++i) {
            test::Bytes piece(plan.header_bytes);
            Headers found;
            write_segment_headers<F>(frame, headers, plan, i, piece, found);
            const auto from = frame.begin() + plan.header_bytes + plan.at(i);
            piece.insert(piece.end(), from, from + plan.bytes(i));
            Headers parsed;
            EXPECT_EQ(parse_frame(piece, static_cast<uint32_t>(piece.size()), parsed), Drop::kNone);
            EXPECT_EQ(std::memcmp(&found, &parsed, sizeof(parsed)), 0) << "piece " << i;
            out.push_back(std::move(piece));
        }
        return out;
    }

    /// The bytes from `at` on.
    static test::Bytes part(const test::Bytes& all, size_t at, size_t bytes) {
        const auto from = all.begin() + static_cast<long>(at);
        return {from, from + static_cast<long>(std::min(bytes, all.size() - at))};
    }
};
using Families = testing::Types<V4, V6>;
TYPED_TEST_SUITE(SegmentTest, Families);

TYPED_TEST(SegmentTest, EachPieceIsTheFrameThatASenderWouldHaveMade) {
    const auto payload = this->payload(5000);
    for (const uint32_t size : {1u, 7u, 536u, 1398u, 1448u, 2500u, 4999u}) {
        const auto frame = [&](size_t index, uint8_t flags, const test::Bytes& bytes) {
            return this->start()
                .df()
                .ip_id(static_cast<uint32_t>(0xfff0 + index) & 0xffff)
                .tos(2)
                .tcp(40000, 80, flags, static_cast<uint32_t>(0xfffff000 + index * size), 77)
                .data_offset(8)
                .payload(bytes)
                .partial_checksum()
                .build();
        };
        const auto pieces =
            this->cut(frame(0, kTcpAck | kTcpPsh | kTcpFin | kTcpCwr, payload), size);
        ASSERT_EQ(pieces.size(), (payload.size() + size - 1) / size);
        for (size_t i = 0; i < pieces.size(); ++i) {
            const auto last = static_cast<uint8_t>(i + 1 == pieces.size() ? kTcpPsh | kTcpFin : 0);
            const auto first = static_cast<uint8_t>(i == 0 ? kTcpCwr : 0);
            const auto flags = static_cast<uint8_t>(kTcpAck | last | first);
            EXPECT_EQ(pieces[i], frame(i, flags, this->part(payload, i * size, size)))
                << "piece " << i << " of " << size << " bytes";
        }
    }
}

TYPED_TEST(SegmentTest, DatagramsGetTheirOwnLengths) {
    const auto payload = this->payload(3001);
    const auto frame = [&](size_t index, const test::Bytes& bytes) {
        return this->start()
            .ip_id(static_cast<uint32_t>(7 + index))
            .udp(40000, 443)
            .payload(bytes)
            .partial_checksum()
            .build();
    };
    const auto pieces = this->cut(frame(0, payload), 1000);
    ASSERT_EQ(pieces.size(), 4u);
    for (size_t i = 0; i < pieces.size(); ++i) {
        EXPECT_EQ(pieces[i], frame(i, this->part(payload, i * 1000, 1000)));
    }
}

TEST(Segment, HeadersBeforeAndBehindTheAddressesStay) {
    const auto frame = [](uint32_t id, uint32_t sequence, const test::Bytes& bytes) {
        return test::frame()
            .eth()
            .vlan(0x6000)
            .ip("10.244.1.10", "10.244.2.20")
            .options(8)
            .ip_id(id)
            .tcp(1, 2, kTcpAck, sequence)
            .payload(bytes)
            .partial_checksum()
            .build();
    };
    const test::Bytes whole = frame(1, 100, test::Bytes(30, 5));
    Headers headers;
    ASSERT_EQ(parse_frame(whole, static_cast<uint32_t>(whole.size()), headers), Drop::kNone);
    const SegmentPlan plan = plan_segments(headers, 20);
    ASSERT_EQ(plan.count(), 2u);
    test::Bytes second(plan.header_bytes);
    Headers found;
    write_segment_headers<V4>(whole, headers, plan, 1, second, found);
    second.insert(second.end(), 10, 5);
    EXPECT_EQ(second, frame(2, 120, test::Bytes(10, 5)));
}

}  // namespace
}  // namespace podlane
