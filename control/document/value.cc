#include "control/document/value.h"

#include <algorithm>
#include <cstring>

namespace podlane::control {

namespace {

constexpr size_t kFirstBlockBytes = 16 << 10;
constexpr size_t kLargestBlockBytes = 1 << 20;

}  // namespace

void* Arena::allocate(size_t bytes) {
    bytes = (bytes + alignof(std::max_align_t) - 1) & ~(alignof(std::max_align_t) - 1);
    // Blocks after the current one are empty, kept from before a release().
    while (current_ < blocks_.size()) {
        if (blocks_[current_].size - used_ >= bytes) {
            std::byte* at = blocks_[current_].bytes.get() + used_;
            used_ += bytes;
            return at;
        }
        ++current_;
        used_ = 0;
    }
    const size_t usual =
        blocks_.empty() ? kFirstBlockBytes : std::min(kLargestBlockBytes, blocks_.back().size * 2);
    const size_t size = std::max(bytes, usual);
    blocks_.push_back({std::make_unique_for_overwrite<std::byte[]>(size), size});
    current_ = blocks_.size() - 1;
    used_ = bytes;
    return blocks_.back().bytes.get();
}

std::string_view Arena::copy(std::string_view text) {
    if (text.empty()) return {};
    char* to = static_cast<char*>(allocate(text.size()));
    std::memcpy(to, text.data(), text.size());
    return {to, text.size()};
}

size_t Arena::held_bytes() const noexcept {
    size_t total = 0;
    for (const Block& block : blocks_) total += block.size;
    return total;
}

}  // namespace podlane::control
