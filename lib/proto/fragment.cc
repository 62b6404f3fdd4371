#include "lib/proto/fragment.h"

#include <algorithm>
#include <cstring>

#include "lib/proto/checksum.h"
#include "lib/proto/wire.h"

namespace podlane {
namespace {

using HeaderBytes = std::array<uint8_t, kIpv4MaxHeaderBytes>;

// Appends the options that every fragment repeats to the plain header in `out`, padded to a whole
// word. Returns the header's length, 0 if the options are malformed.
uint32_t copy_options(std::span<const uint8_t> options, HeaderBytes& out) noexcept {
    uint32_t at = sizeof(Ipv4Header);
    while (!options.empty() && options[0] != kIpv4OptionEnd) {
        size_t option_bytes = 1;
        if (options[0] != kIpv4OptionNop) {
            if (options.size() < 2 || options[1] < 2 || options[1] > options.size()) return 0;
            option_bytes = options[1];
        }
        if ((options[0] & kIpv4OptionCopied) != 0) {
            std::memcpy(out.data() + at, options.data(), option_bytes);
            at += static_cast<uint32_t>(option_bytes);
        }
        options = options.subspan(option_bytes);
    }
    while (at % 4 != 0) out[at++] = kIpv4OptionEnd;
    return at;
}

}  // namespace

std::optional<Ipv4Fragmenter> Ipv4Fragmenter::of(std::span<const uint8_t> packet,
                                                 uint32_t mtu) noexcept {
    if (!fits<Ipv4Header>(packet, 0)) return std::nullopt;
    const auto ip = header_at<Ipv4Header>(packet, 0);
    const uint32_t header_bytes = ip.header_bytes();
    if (header_bytes < sizeof ip || header_bytes > packet.size() ||
        ip.total_bytes.host() < header_bytes || mtu < header_bytes + 8 ||
        (ip.fragment.host() & kIpv4DontFragment) != 0) {
        return std::nullopt;
    }
    Ipv4Fragmenter out;
    out.first_header_bytes_ = header_bytes;
    std::memcpy(out.first_header_.data(), packet.data(), header_bytes);
    std::memcpy(out.later_header_.data(), packet.data(), sizeof ip);
    out.later_header_bytes_ =
        copy_options(packet.subspan(sizeof ip, header_bytes - sizeof ip), out.later_header_);
    if (out.later_header_bytes_ == 0) return std::nullopt;
    out.payload_bytes_ = ip.total_bytes.host() - header_bytes;
    out.mtu_ = mtu;
    return out;
}

bool Ipv4Fragmenter::next(Ipv4Fragment& out) noexcept {
    const bool first = done_bytes_ == 0;
    const uint32_t left = payload_bytes_ - done_bytes_;
    if (left == 0) return false;
    out.header = first ? first_header_ : later_header_;
    out.header_bytes = first ? first_header_bytes_ : later_header_bytes_;
    out.payload_offset = first_header_bytes_ + done_bytes_;
    const uint32_t room = mtu_ - out.header_bytes;
    // Only the last fragment may have a length that is not a multiple of eight.
    out.payload_bytes = left <= room ? left : room & ~7u;

    auto ip = header_at<Ipv4Header>(out.header, 0);
    const uint32_t offset = ip.fragment_offset_bytes() + done_bytes_;
    const bool more = out.payload_bytes < left || (ip.fragment.host() & kIpv4MoreFragments) != 0;
    ip.version_ihl = static_cast<uint8_t>(0x40 | (out.header_bytes / 4));
    ip.total_bytes = be16(static_cast<uint16_t>(out.header_bytes + out.payload_bytes));
    ip.fragment = be16(static_cast<uint16_t>((offset / 8) | (more ? kIpv4MoreFragments : 0)));
    ip.checksum = be16(0);
    put_header(out.header, 0, ip);
    ip.checksum = ipv4_header_checksum(std::span(out.header).first(out.header_bytes));
    put_header(out.header, 0, ip);
    done_bytes_ += out.payload_bytes;
    return true;
}

}  // namespace podlane
