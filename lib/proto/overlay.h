// The formats of an overlay's packets: all that tells one from another, a row of one table each.
//
// Each is UDP over either family with eight bytes before the inner Ethernet frame: a first word,
// and a second with the network's id (VNI) in its upper 24 bits. The configuration, the compiler,
// the workers and whatever shows tunnels ask the row; no other file knows a format. Any thread.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <type_traits>

#include "lib/base/bytes.h"
#include "lib/base/family.h"
#include "lib/proto/ethernet.h"
#include "lib/proto/udp.h"
#include "lib/proto/wire.h"

namespace podlane {

/// What stands between the outer UDP header and the inner frame, or its options.
struct OverlayHeader {
    be32 first;        // of OverlayFormatInfo
    be32 vni_shifted;  // VNI in the upper 24 bits, zero in the lower 8

    [[nodiscard]] constexpr uint32_t vni() const noexcept { return vni_shifted.host() >> 8; }
};
static_assert(sizeof(OverlayHeader) == 8 &&
              std::has_unique_object_representations_v<OverlayHeader>);

inline constexpr uint32_t kMaxVni = 0xffffff;

enum class OverlayFormat : uint8_t { kVxlan, kGeneve };

/// A format. Bits are those of the header's first word in host order.
struct OverlayFormatInfo {
    OverlayFormat format;
    std::string_view word;          ///< in the configuration, in routes and by explain
    std::string_view name;          ///< in sentences
    std::array<uint16_t, 2> ports;  ///< UDP, host order: the default, and another that is usual
    uint32_t sent;                  ///< the first word of what we send
    uint32_t required;              ///< bits that must be as in `sent`; others mean nothing to us
    uint32_t option_words;  ///< adjacent bits that count words of four bytes behind the header
};

/// In the enumerators' order.
inline constexpr auto kOverlayFormats = std::to_array<OverlayFormatInfo>({
    // RFC 7348 section 5: without the I bit the VNI is not valid. flannel's port, and the IANA's.
    {OverlayFormat::kVxlan, "vxlan", "VXLAN", {8472, 4789}, 0x08000000, 0x08000000, 0},
    // RFC 8926 section 3.4: version 0, an Ethernet frame inside, not a control packet (O), no
    // critical options (C), as none is understood; others are passed over.
    {OverlayFormat::kGeneve, "geneve", "Geneve", {6081, 6081}, 0x00006558, 0xc0c0ffff, 0x3f000000},
});
static_assert(std::ranges::is_sorted(kOverlayFormats, {}, &OverlayFormatInfo::format));

[[nodiscard]] constexpr const OverlayFormatInfo& overlay_info(OverlayFormat format) noexcept {
    return kOverlayFormats[static_cast<size_t>(format)];
}

/// The format that usually has this UDP port; nullptr: none.
[[nodiscard]] constexpr const OverlayFormatInfo* overlay_of_port(uint16_t port) noexcept {
    for (const OverlayFormatInfo& info : kOverlayFormats) {
        if (port == info.ports[0] || port == info.ports[1]) return &info;
    }
    return nullptr;
}

/// The header of what we send, without options.
[[nodiscard]] constexpr OverlayHeader overlay_header(OverlayFormat format, uint32_t vni) noexcept {
    return {be32(overlay_info(format).sent), be32(vni << 8)};
}

/// Bytes of the headers before the inner frame, over family F: Ethernet, IP, UDP, the format's.
template <Family F>
inline constexpr uint16_t kOverlayOuterBytes = sizeof(EthernetHeader) + F::kMinHeaderBytes +
                                               sizeof(UdpHeader) + sizeof(OverlayHeader);

/// Bytes that the tunnel takes from the uplink's MTU: outer IP, UDP, the format's, inner Ethernet.
[[nodiscard]] constexpr uint16_t overlay_overhead(bool over_v6) noexcept {
    // The inner Ethernet header is as long as the outer one, which the MTU does not count.
    return over_v6 ? kOverlayOuterBytes<V6> : kOverlayOuterBytes<V4>;
}
static_assert(overlay_overhead(false) == 50 && overlay_overhead(true) == 70);

/// What a received header says.
struct OverlayHeaderRead {
    uint32_t vni;
    uint32_t bytes;  ///< before the inner frame, options included
};

/// Reads a header; `bytes` begin with it and end with the packet or with what can be read of it.
/// None: cut short, or what `required` refuses.
[[nodiscard]] inline std::optional<OverlayHeaderRead> read_overlay_header(
    OverlayFormat format, std::span<const uint8_t> bytes) noexcept {
    if (bytes.size() < sizeof(OverlayHeader)) return std::nullopt;
    const OverlayFormatInfo& info = overlay_info(format);
    const auto header = load<OverlayHeader>(bytes.data());
    const uint32_t first = header.first.host();
    if (((first ^ info.sent) & info.required) != 0) return std::nullopt;
    OverlayHeaderRead out{header.vni(), sizeof(OverlayHeader)};
    if (info.option_words != 0) {
        out.bytes += 4 * ((first & info.option_words) >> std::countr_zero(info.option_words));
    }
    if (out.bytes > bytes.size()) return std::nullopt;
    return out;
}

/// The headers without options that are to be taken, for one comparison.
class OverlayPattern {
  public:
    /// Matches nothing.
    constexpr OverlayPattern() noexcept = default;
    constexpr OverlayPattern(OverlayFormat format, uint32_t vni) noexcept {
        const OverlayFormatInfo& info = overlay_info(format);
        const uint64_t first = info.required | info.option_words;
        mask_ = be64(first << 32 | uint64_t{kMaxVni} << 8).raw;
        value_ = be64((info.sent & first) << 32 | uint64_t{vni} << 8).raw;
    }
    [[nodiscard, gnu::always_inline]] bool matches(const uint8_t* header) const noexcept {
        return (load<uint64_t>(header) & mask_) == value_;
    }

  private:
    uint64_t mask_ = 0;
    uint64_t value_ = 1;
};

}  // namespace podlane
