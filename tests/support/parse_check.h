// What must hold whenever the parser accepts a frame, for property tests and the fuzzer; and frames
// of every kind that it knows.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "tests/support/frames.h"

namespace podlane::test {

struct NamedFrame {
    std::string name;  ///< also the file's name in the fuzzer's corpus
    Bytes bytes;
};

/// At least one frame for each branch of the parser.
[[nodiscard]] std::vector<NamedFrame> sample_frames();

/// Parses `frame` and does everything with it that the packet path does: keys, quoted and tunnelled
/// packets, ARP and ND, replies, fragments. Returns in words what does not hold; empty if all is
/// well. Reads beyond `frame` are for a sanitizer to see.
[[nodiscard]] std::string check_parse(std::span<const uint8_t> frame);

}  // namespace podlane::test
