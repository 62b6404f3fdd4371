// The addresses that open the most connections, counted in bounded memory.
//
// The node model counts the workers' records while a client asks for them (`podlanectl top`). Misra
// and Gries (1982), with many counters lowered at once: every address with more than one in kMost
// connections is listed, and no number is too low by more than error(). Control thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <unordered_map>
#include <vector>

#include "lib/base/raw_address.h"
#include "lib/border/flow_records.h"

namespace podlane::control {

class NewFlows {
  public:
    static constexpr size_t kMost = 1024;

    struct Source {
        RawAddress address;
        uint64_t flows = 0, denied = 0;
        RawAddress last_dst{};
        uint16_t last_port = 0;
        PortId in_port = kNoPort;  ///< the port where its last one came in

        [[nodiscard]] uint64_t all() const noexcept { return flows + denied; }
    };

    /// Adds a sampled record that counts as `weight`. Not for the end of a connection.
    void add(const FlowRecord& record, uint64_t weight);
    /// Those with most connections and denials, at most `count`.
    [[nodiscard]] std::vector<Source> top(size_t count) const;
    [[nodiscard]] uint64_t flows() const noexcept { return flows_; }
    [[nodiscard]] uint64_t error() const noexcept { return error_; }
    [[nodiscard]] size_t size() const noexcept { return sources_.size(); }

  private:
    struct Hash {
        size_t operator()(const RawAddress& address) const noexcept;
    };
    void lower();

    std::unordered_map<RawAddress, Source, Hash> sources_;
    uint64_t flows_ = 0;
    uint64_t error_ = 0;
};

}  // namespace podlane::control
