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
        return is_for_program(head.data(), head.size()) || fits_any(head.data());
    }
    /// The same for each of a burst's packets: a bit for each that may pass. `head_of(i)` returns
    /// the packet's first buffer; an empty one does not pass. Branches, since nearly none passes.
    template <class HeadOf>
    [[nodiscard]] uint64_t may_pass_each(size_t count, HeadOf head_of) const noexcept {
        const auto judge = [&](auto fits) {
            uint64_t found = 0;
            for (size_t i = 0; i < count; ++i) {
                const std::span<const uint8_t> head = head_of(i);
                const uint8_t* const frame = head.data();
                if (is_for_program(frame, head.size()) || fits(frame)) [[unlikely]]
                    found |= uint64_t{!head.empty()} << i;
            }
            return found;
        };
        if (everything_ || count_ != 1) {
            return judge([this](const uint8_t* frame) { return fits_any(frame); });
        }
        // Mostly there is just one pattern, which stays in registers.
        return judge([one = patterns_[0]](const uint8_t* frame) { return one.fits(frame); });
    }

    /// Comparisons for a frame; 0 if all frames may pass, or none.
    [[nodiscard]] size_t patterns() const noexcept { return count_; }

  private:
    /// Whether it is an IPv4 header of another length than 20 bytes, as with options: the upper
    /// layer's header is at another offset then. One load: EtherType, then length.
    [[nodiscard, gnu::always_inline]] static bool has_options(const uint8_t* frame) noexcept {
        constexpr uint32_t kIpv4 = 0x0008, kTypeMask = 0xffff;        // little endian
        constexpr uint32_t kPlain = 0x5'0008, kPlainMask = 0xf'ffff;  // five words
        uint32_t word = 0;
        std::memcpy(&word, frame + 12, sizeof(word));
        return (word & kPlainMask) != kPlain && (word & kTypeMask) == kIpv4;
    }
    /// Whether only the program can tell; a frame shorter than any on a wire is left to it, too.
    [[nodiscard, gnu::always_inline]] bool is_for_program(const uint8_t* frame,
                                                          size_t bytes) const noexcept {
        return bytes < kWindowEnd || (at_ports_ && has_options(frame));
    }
    [[nodiscard, gnu::always_inline]] bool fits_any(const uint8_t* frame) const noexcept {
        bool fits = everything_;
        for (size_t i = 0; i < count_; ++i) fits |= patterns_[i].fits(frame);
        return fits;
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
