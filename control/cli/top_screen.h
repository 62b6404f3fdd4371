// What `podlanectl top` shows: rates between two answers of `stats`, and the heaviest senders.
//
// Pure: answers and samples in, text out; the terminal is top_commands.cc's.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "control/cli/table.h"
#include "control/cli/talkers.h"

namespace podlane::control {

/// What keys have chosen.
struct TopView {
    TalkerOrder order = TalkerOrder::kPackets;
    std::string filter;  ///< rows have it somewhere; empty: all
};

/// One moment.
struct TopSample {
    nlohmann::ordered_json before, now;  ///< answers of stats
    double seconds = 1;                  ///< between them
    Talkers talkers;                     ///< of packets in that time
};

/// Lines that are ended, as many as the screen has, none wider than it.
[[nodiscard]] std::string top_text(const TopSample& sample, const TopView& view,
                                   const Screen& screen);

/// "1.2k", "34M": at most four characters and a letter.
[[nodiscard]] std::string short_number(double value);

}  // namespace podlane::control
