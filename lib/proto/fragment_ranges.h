// Which bytes of a fragmented packet have come, in whatever order, and whether they can belong to
// one packet.
//
// Nothing is reassembled here. It is for code that passes fragments on and must know when one is
// not what it seems (RFC 1858, RFC 3128, RFC 5722), and when all have passed. Any thread, one at a
// time.
#pragma once

#include <array>
#include <concepts>
#include <cstdint>

#include "lib/base/family.h"
#include "lib/proto/parse.h"

namespace podlane {

/// A fragment's place in its packet. Offsets count from the end of the headers that each fragment
/// repeats.
struct FragmentPart {
    uint32_t offset;  ///< a multiple of eight
    uint32_t bytes;
    uint32_t limit;  ///< where the longest packet with these headers would end
    bool more;       ///< not the last one

    [[nodiscard]] constexpr uint32_t end() const noexcept { return offset + bytes; }
    /// Whether a packet can have such a fragment: RFC 791 section 3.2, RFC 8200 section 4.5.
    [[nodiscard]] constexpr bool is_possible() const noexcept {
        return bytes > 0 && end() <= limit && (!more || bytes % 8 == 0);
    }
};

/// The part that a parsed fragment of family F is.
template <Family F>
[[nodiscard]] inline FragmentPart fragment_part(const uint8_t* frame,
                                                const Headers& headers) noexcept {
    const uint32_t repeated = headers.l4_offset - uint32_t{headers.l3_offset};
    FragmentPart part{};
    part.bytes = headers.l4_bytes();
    part.more = headers.has(Headers::kMoreFragments);
    if constexpr (std::same_as<F, V4>) {
        // The total length counts the header.
        part.limit = 65535 - repeated;
        part.offset = header_at<Ipv4Header>(frame, headers.l3_offset).fragment_offset_bytes();
    } else {
        // The payload length counts extension headers, but not the removed fragment header.
        constexpr uint32_t kGone = sizeof(Ipv6Header) + sizeof(Ipv6Fragment);
        part.limit = 65535 - (repeated - kGone);
        const auto at = headers.l4_offset - sizeof(Ipv6Fragment);
        part.offset = header_at<Ipv6Fragment>(frame, at).offset_bytes();
    }
    return part;
}

/// How a fragment fits the earlier ones.
enum class FragmentFit : uint8_t {
    kNew,       ///< all of it is new
    kRepeated,  ///< all of it had come before
    kOverlaps,  ///< some of it had come before, or it disagrees about the packet's end
    kTooMany,   ///< more gaps than can be tracked
};

/// The bytes of one packet that have come.
class FragmentRanges {
  public:
    /// A packet of 64 KiB in 45 fragments leaves about a dozen gaps if they come in random order.
    static constexpr unsigned kMaxRanges = 24;

    /// Adds a possible part, unless it does not fit.
    FragmentFit add(const FragmentPart& part) noexcept;
    /// Whether all has come, from the first byte to the last.
    [[nodiscard]] bool complete() const noexcept {
        return end_ != 0 && count_ == 1 && ranges_[0].begin == 0 && ranges_[0].end == end_;
    }

  private:
    struct Range {
        uint16_t begin, end;
    };
    /// Not touching each other, in ascending order.
    std::array<Range, kMaxRanges> ranges_{};
    uint8_t count_ = 0;
    uint16_t end_ = 0;  ///< of the packet; 0: the last fragment has not come
};

}  // namespace podlane
