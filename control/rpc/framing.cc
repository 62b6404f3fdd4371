#include "control/rpc/framing.h"

#include <algorithm>
#include <cstring>
#include <string_view>
#include <utility>

namespace podlane::control {
namespace {

constexpr size_t kMinRoom = size_t{16} << 10;
constexpr size_t kWorthMoving = size_t{64} << 10;  // below this, copying is as cheap

bool is_blank(std::string_view text) {
    return text.find_first_not_of(" \t\r") == std::string_view::npos;
}

}  // namespace

std::span<char> RpcFraming::room() {
    if (begin_ == end_) begin_ = end_ = scanned_ = 0;
    if (buffer_.size() - end_ < kMinRoom && begin_ >= buffer_.size() / 2 && begin_ > 0) {
        std::memmove(buffer_.data(), buffer_.data() + begin_, end_ - begin_);
        end_ -= begin_;
        scanned_ -= begin_;
        begin_ = 0;
    }
    if (buffer_.size() - end_ < kMinRoom) {
        // Doubling keeps the cost of copies linear; the limit keeps the last doubling from being
        // wasted.
        const size_t needed = end_ + kMinRoom;
        const size_t doubled = buffer_.size() * 2;
        buffer_.resize(std::max(needed, std::min(doubled, begin_ + max_message_bytes_ + kMinRoom)));
    }
    return {buffer_.data() + end_, buffer_.size() - end_};
}

void RpcFraming::received(size_t bytes) {
    if (!is_over_limit_) end_ += bytes;
}

std::optional<std::string> RpcFraming::next() {
    while (!is_over_limit_ && scanned_ < end_) {
        const char* found =
            static_cast<const char*>(std::memchr(buffer_.data() + scanned_, '\n', end_ - scanned_));
        scanned_ = found != nullptr ? static_cast<size_t>(found - buffer_.data()) : end_;
        const size_t bytes = scanned_ - begin_;
        if (bytes > max_message_bytes_) {
            is_over_limit_ = true;
            begin_ = end_ = scanned_ = 0;
            buffer_ = std::string();
            return std::nullopt;
        }
        if (found == nullptr) return std::nullopt;
        if (!is_blank({buffer_.data() + begin_, bytes})) return take(bytes, bytes + 1);
        begin_ = ++scanned_;
    }
    return std::nullopt;
}

std::optional<std::string> RpcFraming::rest() {
    if (is_blank({buffer_.data() + begin_, end_ - begin_})) return std::nullopt;
    return take(end_ - begin_, end_ - begin_);
}

std::string RpcFraming::take(size_t bytes, size_t with_line_end) {
    const size_t after = begin_ + with_line_end;
    const size_t tail = end_ - after;
    std::string message;
    if (bytes >= kWorthMoving && tail <= bytes / 2) {
        message = std::exchange(buffer_, buffer_.substr(after, tail));
        message.resize(begin_ + bytes);
        message.erase(0, begin_);
        begin_ = 0;
        end_ = tail;
    } else {
        message.assign(buffer_, begin_, bytes);
        begin_ = after;
    }
    scanned_ = begin_;
    return message;
}

}  // namespace podlane::control
