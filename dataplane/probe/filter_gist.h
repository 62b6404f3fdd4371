// What a frame must have at least to pass a filter: a few masked words, compared before the
// filter's program is run.
//
// A classic BPF program costs 10 to 30 ns a frame, as much as all else that a worker does with it.
// Nearly all frames do not match, and an address or a port tells most of these: four comparisons or
// fewer. Made with a probe on the control thread, used by workers.
#pragma once

#include <smmintrin.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

#include "lib/border/probe.h"

namespace podlane::dataplane {

/// Threads: constant once made.
class FilterGist {
  public:
    /// `program` has passed bpf_validate(). If it tests nothing that can be compared here, every
    /// frame may pass.
    [[nodiscard]] static FilterGist of(std::span<const FilterInstruction> program);

    /// False: the program would not accept the frame. Looks at the first buffer only.
    [[nodiscard]] bool may_pass(std::span<const uint8_t> head) const noexcept {
        // Shorter than any frame on a wire: left to the program.
        if (head.size() < kWindowEnd) return true;
        // After IPv4 options, the upper layer's header is at another offset.
        if (at_ports_ && has_options(head.data())) return true;
        // Mostly there is just one.
        bool passes = everything_ || (count_ != 0 && patterns_[0].fits(head.data()));
        for (size_t i = 1; i < count_; ++i) passes |= patterns_[i].fits(head.data());
        return passes;
    }

    /// Comparisons for a frame; 0 if all frames may pass, or none.
    [[nodiscard]] size_t patterns() const noexcept { return count_; }

  private:
    /// Whether it is an IPv4 header, and longer than 20 bytes. One load: EtherType, then length.
    [[nodiscard]] static bool has_options(const uint8_t* frame) noexcept {
        constexpr uint32_t kIpv4 = 0x0008, kIpv4Mask = 0xffff;         // little endian
        constexpr uint32_t kPlain = 0x5'0000, kLengthMask = 0xf'0000;  // five words
        uint32_t word = 0;
        std::memcpy(&word, frame + 12, sizeof(word));
        return (word & kIpv4Mask) == kIpv4 && (word & kLengthMask) != kPlain;
    }

    /// A little behind the ports of an IPv6 packet.
    static constexpr size_t kWindowEnd = 60;
    static constexpr size_t kMostPatterns = 4;

    struct alignas(16) Pattern {
        std::array<uint8_t, 16> mask{}, value{};
        size_t at = 0;

        [[nodiscard]] bool fits(const uint8_t* frame) const noexcept {
            const auto load = [](const void* from) {
                return _mm_loadu_si128(static_cast<const __m128i*>(from));
            };
            const __m128i differs = _mm_xor_si128(load(frame + at), load(value.data()));
            return _mm_testz_si128(differs, load(mask.data())) != 0;
        }
    };
    friend class GistMaker;

    std::array<Pattern, kMostPatterns> patterns_{};
    size_t count_ = 0;
    bool everything_ = true;
    bool at_ports_ = false;  ///< compares bytes behind an IPv4 header without options
};

}  // namespace podlane::dataplane
