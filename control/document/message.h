// One JSON text, decoded in place: the messages of the config socket.
//
// reader.h, by contrast, does not modify its text. A message holds manifests as strings with
// escaped line ends, and decoding hundreds of megabytes of them into another buffer would hold them
// twice. Called by control/rpc on the control thread; bounded for any input.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "control/document/value.h"

namespace podlane::control {

inline constexpr size_t kMaxMessageValues = 1'000'000;  ///< in one message; member names count
inline constexpr size_t kMaxMessageDepth = 64;          ///< of arrays and objects

enum class MessageFault : uint8_t { kNone, kNoJson, kOverLimit };

struct Message {
    Value root;  ///< its strings are views into the text, its children live in the arena
    MessageFault fault = MessageFault::kNone;
    std::string what;  ///< the error, in one line
};

/// Reads `text`, which is spoiled and must stay as long as the values. A column is the byte in the
/// text, from 1; the line is always 1.
[[nodiscard]] Message read_message(std::string& text, Arena& arena);

}  // namespace podlane::control
