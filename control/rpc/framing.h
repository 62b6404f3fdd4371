// Splits a byte stream into the config socket's messages: one JSON text per line, bounded in size.
//
// Pure: no socket and no JSON here, so that tests and the fuzzer can drive it byte by byte. The
// server has one for each connection (control thread), the client one for its replies.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>

namespace podlane::control {

/// The longest message unless configured otherwise: a large cluster's objects in one text.
inline constexpr size_t kMaxMessageBytes = size_t{256} << 20;

/// Reassembles lines from whatever pieces a stream delivers.
///
/// Use: read into room(), call received(), take messages with next() until there are none. A large
/// message that is alone in the buffer is handed out without copying it.
class RpcFraming {
  public:
    explicit RpcFraming(size_t max_message_bytes = kMaxMessageBytes) noexcept
        : max_message_bytes_(max_message_bytes) {}

    /// Where the next bytes of the stream go; never empty. Valid until the next call of a member.
    [[nodiscard]] std::span<char> room();

    /// `bytes` of the last room() were filled; at most its size.
    void received(size_t bytes);

    /// The next whole message, without its line end; lines of white space alone are skipped.
    /// None if the rest is incomplete or is_over_limit().
    [[nodiscard]] std::optional<std::string> next();

    /// The stream has ended: returns the text after the last line end, if it is not just white
    /// space.
    [[nodiscard]] std::optional<std::string> rest();

    /// A message grew beyond the limit. No more messages come out and received bytes are discarded,
    /// because message boundaries in the stream can no longer be trusted.
    [[nodiscard]] bool is_over_limit() const noexcept { return is_over_limit_; }

    /// Bytes held that next() has not given out.
    [[nodiscard]] size_t held_bytes() const noexcept { return end_ - begin_; }

  private:
    [[nodiscard]] std::string take(size_t bytes, size_t with_line_end);

    size_t max_message_bytes_;
    std::string buffer_;  // [begin_, end_) holds bytes of the stream; the rest is room
    size_t begin_ = 0;
    size_t end_ = 0;
    size_t scanned_ = 0;  // [begin_, scanned_) has no line end
    bool is_over_limit_ = false;
};

}  // namespace podlane::control
