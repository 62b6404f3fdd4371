#include "control/kube/base64.h"

#include <cstdint>

namespace podlane::control {

namespace {

constexpr std::string_view kAlphabet =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

}  // namespace

std::string to_base64(std::string_view bytes) {
    std::string out;
    out.reserve((bytes.size() + 2) / 3 * 4);
    for (size_t at = 0; at < bytes.size(); at += 3) {
        const std::string_view group = bytes.substr(at, 3);
        uint32_t bits = 0;
        for (size_t i = 0; i < 3; ++i) {
            bits = bits << 8 | (i < group.size() ? static_cast<uint8_t>(group[i]) : 0U);
        }
        for (size_t i = 0; i < 4; ++i) {
            out += i <= group.size() ? kAlphabet[bits >> (18 - 6 * i) & 63] : '=';
        }
    }
    return out;
}

std::optional<std::string> from_base64(std::string_view text) {
    std::string out;
    out.reserve(text.size() / 4 * 3);
    uint32_t bits = 0;
    size_t digits = 0;   // in the current group of four
    size_t padding = 0;  // '=' seen; no more groups may follow
    for (const char c : text) {
        if (c == '\n' || c == '\r') continue;
        if (c == '=') {
            if (++padding + digits > 4 || digits < 2) return std::nullopt;
            continue;
        }
        const size_t value = kAlphabet.find(c);
        if (value == std::string_view::npos || padding != 0) return std::nullopt;
        bits = bits << 6 | static_cast<uint32_t>(value);
        if (++digits < 4) continue;
        for (const int shift : {16, 8, 0}) out += static_cast<char>(bits >> shift & 0xff);
        bits = 0;
        digits = 0;
    }
    if (digits == 0) return padding == 0 ? std::optional(out) : std::nullopt;
    if (digits + padding != 4) return std::nullopt;
    bits <<= 6 * padding;
    for (size_t i = 0; i + 1 < digits; ++i) out += static_cast<char>(bits >> (16 - 8 * i) & 0xff);
    return out;
}

}  // namespace podlane::control
