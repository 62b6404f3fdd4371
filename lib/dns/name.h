// Domain names in DNS form: labels, each after its length, with the root's zero at the end.
//
// On the packet path a question's name is parsed into a DnsName, without allocation. Names in the
// zone are std::strings of the same bytes, made from text by control. Comparisons are
// case-insensitive (RFC 1035 section 2.3.3): ASCII letters are lower-cased when a name is made.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "lib/dns/wire.h"

namespace podlane {

/// ASCII only: other bytes are unchanged.
[[nodiscard]] constexpr uint8_t dns_lower(uint8_t byte) noexcept {
    return byte >= 'A' && byte <= 'Z' ? static_cast<uint8_t>(byte | 0x20) : byte;
}

/// A lower-case name, split into labels.
class DnsName {
  public:
    DnsName() noexcept { clear(); }
    /// Sets the name to the root.
    void clear() noexcept {
        bytes_[0] = 0;
        size_ = 1;
        labels_ = 0;
    }
    /// Reads an uncompressed name at `at` in `message` and moves `at` behind it. False if it is cut
    /// off, compressed or too long; the name is the root then.
    [[nodiscard]] bool parse(std::span<const uint8_t> message, size_t& at) noexcept;
    /// Takes a name that is known to be well-formed and lower-case, such as one from the zone.
    void assign(std::string_view wire) noexcept;

    /// The wire form, with the root's zero.
    [[nodiscard]] std::string_view wire() const noexcept { return view(0, size_); }
    [[nodiscard]] size_t size() const noexcept { return size_; }
    [[nodiscard]] unsigned labels() const noexcept { return labels_; }
    /// The text of a label, 0 being the leftmost; index < labels().
    [[nodiscard]] std::string_view label(unsigned index) const noexcept {
        const size_t at = label_at_[index];
        return view(at + 1, bytes_[at]);
    }
    /// Where label `index` begins in wire(); for index labels(), where the root's zero is.
    [[nodiscard]] size_t offset(unsigned index) const noexcept {
        return index < labels_ ? label_at_[index] : size_ - 1u;
    }
    /// Labels `first` to `last` (exclusive) in wire form, without a root.
    [[nodiscard]] std::string_view slice(unsigned first, unsigned last) const noexcept {
        return view(offset(first), offset(last) - offset(first));
    }
    /// The number of labels before `suffix` (wire form, with root); none if it is not a suffix.
    [[nodiscard]] std::optional<unsigned> labels_before(std::string_view suffix) const noexcept;

  private:
    [[nodiscard]] bool read(std::span<const uint8_t> message, size_t& at) noexcept;
    [[nodiscard]] std::string_view view(size_t at, size_t bytes) const noexcept {
        return {reinterpret_cast<const char*>(bytes_.data()) + at, bytes};
    }

    std::array<uint8_t, kMaxDnsName> bytes_;
    std::array<uint8_t, kMaxDnsName / 2 + 1> label_at_;
    uint8_t size_;
    uint8_t labels_;
};

/// Moves `at` behind a name that may end in a compression pointer (RFC 1035 section 4.1.4); the
/// pointer is not followed. False when it is cut off or malformed.
[[nodiscard]] bool skip_dns_name(std::span<const uint8_t> message, size_t& at) noexcept;

/// The wire form, in lower case, of a name such as "web.default.svc.cluster.local", with or without
/// a final dot. None if a label or the name is too long, or a label is empty. Not for the packet
/// path.
[[nodiscard]] std::optional<std::string> dns_name_from_text(std::string_view text);
/// One label in wire form and lower case; none if it is empty or too long.
[[nodiscard]] std::optional<std::string> dns_label_from_text(std::string_view text);
/// The name as text, without a final dot ("." for the root); unusual bytes as \DDD.
[[nodiscard]] std::string dns_name_text(std::string_view wire);

}  // namespace podlane
