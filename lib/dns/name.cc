#include "lib/dns/name.h"

#include <cstring>

namespace podlane {

namespace {

/// The two high bits of a label's length byte: 00 a label, 11 a pointer, others reserved.
constexpr uint8_t kPointerBits = 0xc0;

}  // namespace

bool DnsName::parse(std::span<const uint8_t> message, size_t& at) noexcept {
    if (read(message, at)) return true;
    clear();
    return false;
}

bool DnsName::read(std::span<const uint8_t> message, size_t& at) noexcept {
    size_t from = at;
    size_t size = 0;
    unsigned labels = 0;
    for (;;) {
        if (from >= message.size()) return false;
        const uint8_t length = message[from];
        if (length == 0) break;
        // The label must fit, with the root's zero behind it.
        if (length > kMaxDnsLabel || size + length + 2 > kMaxDnsName) return false;
        if (message.size() - from <= length) return false;
        label_at_[labels++] = static_cast<uint8_t>(size);
        bytes_[size++] = length;
        for (size_t i = 1; i <= length; ++i) bytes_[size++] = dns_lower(message[from + i]);
        from += length + 1u;
    }
    bytes_[size++] = 0;
    size_ = static_cast<uint8_t>(size);
    labels_ = static_cast<uint8_t>(labels);
    at = from + 1;
    return true;
}

void DnsName::assign(std::string_view wire) noexcept {
    std::memcpy(bytes_.data(), wire.data(), wire.size());
    size_ = static_cast<uint8_t>(wire.size());
    labels_ = 0;
    for (size_t at = 0; bytes_[at] != 0; at += bytes_[at] + 1u) {
        label_at_[labels_++] = static_cast<uint8_t>(at);
    }
}

std::optional<unsigned> DnsName::labels_before(std::string_view suffix) const noexcept {
    if (suffix.size() > size_) return std::nullopt;
    const size_t at = size_ - suffix.size();
    if (std::memcmp(bytes_.data() + at, suffix.data(), suffix.size()) != 0) return std::nullopt;
    // The bytes are equal; they are a suffix if a label begins there.
    for (unsigned i = 0; i <= labels_; ++i) {
        if (offset(i) == at) return i;
    }
    return std::nullopt;
}

bool skip_dns_name(std::span<const uint8_t> message, size_t& at) noexcept {
    for (size_t from = at; from < message.size();) {
        const uint8_t length = message[from];
        if (length == 0) {
            at = from + 1;
            return true;
        }
        if ((length & kPointerBits) == kPointerBits) {
            at = from + 2;
            return at <= message.size();
        }
        if (length > kMaxDnsLabel) return false;
        from += length + 1u;
    }
    return false;
}

std::optional<std::string> dns_label_from_text(std::string_view text) {
    if (text.empty() || text.size() > kMaxDnsLabel) return std::nullopt;
    std::string wire(1, static_cast<char>(text.size()));
    for (const char c : text) wire += static_cast<char>(dns_lower(static_cast<uint8_t>(c)));
    return wire;
}

std::optional<std::string> dns_name_from_text(std::string_view text) {
    if (text.ends_with('.')) text.remove_suffix(1);
    std::string wire;
    while (!text.empty()) {
        const size_t dot = text.find('.');
        const auto label = dns_label_from_text(text.substr(0, dot));
        if (!label) return std::nullopt;
        wire += *label;
        if (dot == std::string_view::npos) break;
        text.remove_prefix(dot + 1);
        if (text.empty()) return std::nullopt;
    }
    wire += '\0';
    if (wire.size() > kMaxDnsName) return std::nullopt;
    return wire;
}

std::string dns_name_text(std::string_view wire) {
    std::string text;
    for (size_t at = 0; at < wire.size() && wire[at] != 0;) {
        const auto length = static_cast<uint8_t>(wire[at]);
        if (!text.empty()) text += '.';
        for (const char c : wire.substr(at + 1, length)) {
            const auto byte = static_cast<uint8_t>(c);
            if (byte == '.' || byte == '\\') {
                text += '\\';
                text += c;
            } else if (byte > ' ' && byte < 0x7f) {
                text += c;
            } else {
                text += '\\';
                for (const unsigned unit : {100u, 10u, 1u}) {
                    text += static_cast<char>('0' + byte / unit % 10);
                }
            }
        }
        at += length + 1u;
    }
    return text.empty() ? "." : text;
}

}  // namespace podlane
