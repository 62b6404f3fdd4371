#include "tests/support/mutate.h"

#include <algorithm>
#include <array>

namespace podlane::test {
namespace {

// Limits of length fields, version nibbles, and protocols that lead to further headers.
constexpr auto kTelling = std::to_array<uint8_t>(
    {0x00, 0x01, 0x04, 0x05, 0x06, 0x07, 0x08, 0x0f, 0x11, 0x14, 0x1f, 0x20, 0x2b, 0x2c, 0x33,
     0x3a, 0x3c, 0x40, 0x44, 0x45, 0x46, 0x4f, 0x60, 0x7f, 0x80, 0x81, 0x84, 0x86, 0xdd, 0xff});

size_t below(size_t bound, Random& random) {
    return static_cast<size_t>(random() % bound);
}

void change_once(std::vector<uint8_t>& bytes, std::span<const uint8_t> other, Random& random) {
    if (bytes.empty()) {
        bytes.push_back(static_cast<uint8_t>(random()));
        return;
    }
    const size_t at = below(bytes.size(), random);
    const size_t span = 1 + below(std::min<size_t>(16, bytes.size() - at), random);
    const auto begin = bytes.begin() + static_cast<std::ptrdiff_t>(at);
    const auto end = begin + static_cast<std::ptrdiff_t>(span);
    switch (random() % 8) {
        case 0:
            *begin = static_cast<uint8_t>(*begin ^ (1u << (random() % 8)));
            break;
        case 1:
            *begin = static_cast<uint8_t>(random());
            break;
        case 2:
            *begin = kTelling[below(kTelling.size(), random)];
            break;
        case 3: {
            const uint8_t value = random() % 2 == 0 ? 0x00 : 0xff;
            std::fill(begin, begin + static_cast<std::ptrdiff_t>(std::min<size_t>(2, span)), value);
            break;
        }
        case 4:
            bytes.erase(begin, end);
            break;
        case 5: {
            const std::vector<uint8_t> piece(begin, end);
            bytes.insert(begin, piece.begin(), piece.end());
            break;
        }
        case 6:
            for (size_t i = 0; i < span && at + i < other.size(); ++i)
                bytes[at + i] = other[at + i];
            break;
        default:
            bytes.resize(at);
            break;
    }
}

}  // namespace

std::vector<uint8_t> mutated(std::span<const uint8_t> input, std::span<const uint8_t> other,
                             Random& random) {
    std::vector<uint8_t> bytes(input.begin(), input.end());
    const size_t most = input.size() * 2 + 64;
    for (size_t changes = 1 + below(8, random); changes > 0; --changes) {
        change_once(bytes, other, random);
    }
    if (bytes.size() > most) bytes.resize(most);
    return bytes;
}

}  // namespace podlane::test
