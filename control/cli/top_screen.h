// What `podlanectl top` shows: rates between two answers of `stats`, who has the most connections,
// who opens the most, and which carry the most; and rates
// of other Nodes.
//
// Pure: answers in, text out; the terminal is top.cc's.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "control/cli/flow_holders.h"
#include "control/cli/flow_rates.h"
#include "control/cli/table.h"

namespace podlane::control {

/// The field that ports, Nodes and connections are ranked by.
enum class TopOrder : uint8_t { kPackets, kBytes, kDrops };

/// What keys have chosen.
struct TopView {
    TopOrder order = TopOrder::kPackets;
    std::string filter;  ///< rows have it somewhere; empty: all
};

/// One moment.
struct TopSample {
    nlohmann::ordered_json before, now;  ///< answers of stats
    double seconds = 1;                  ///< between them
    FlowHolders holders;
    uint64_t counted = 0;                        ///< of the table's connections, by the first pass
                                                 ///< over it so far; 0: `holders` has all of them
    FlowRates rates;                             ///< empty if packets are not counted
    nlohmann::ordered_json opened;               ///< the answer of newflows; null: there is none
    nlohmann::ordered_json peers_before, peers;  ///< answers of peers; null: there is none
};

/// Lines that are ended, as many as the screen has, none wider than it.
[[nodiscard]] std::string top_text(const TopSample& sample, const TopView& view,
                                   const Screen& screen);

/// "1.2k", "34.0M": digits and a letter.
[[nodiscard]] std::string short_number(double value);

}  // namespace podlane::control
