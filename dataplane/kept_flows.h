// Connections and session affinity over the end of the process: the flow tables' blocks, and the
// tables of affinity, in files beside the state that control keeps, and what has to be done so that
// the next process goes on with them.
//
// docs/decisions/restart.md says what is kept how. Control's thread; workers see memory alone.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "dataplane/flow_targets.h"
#include "lib/base/result.h"
#include "lib/border/log_level.h"
#include "lib/flow/table.h"
#include "lib/model/snapshot.h"
#include "lib/persist/kept_memory.h"

namespace podlane::dataplane {

struct Shared;

/// The files of both tables, and how much of them is in use.
/// Threads: one; grow() also while workers run. Must outlive the tables that have its memory.
class KeptFlows {
  public:
    /// `folder` is control's. The files lie in it if it is in memory (tmpfs), else below /dev/shm.
    explicit KeptFlows(const std::string& folder, LogReceiver log);

    /// The memory for the blocks of a table with these options. Where there is none that outlives
    /// the process that is told, and the table gets memory as usual.
    template <Family F>
    [[nodiscard]] FlowMemory open(const FlowTableOptions& options);
    /// The same for the connections' counts, if the options ask for them; else there are none
    /// afterwards. After open() of the same family.
    template <Family F>
    [[nodiscard]] FlowMemory open_traffic(const FlowTableOptions& options);
    /// The same for a table of session affinity, which takes over what it finds there; null: none
    /// that outlives the process.
    template <Family F>
    [[nodiscard]] void* open_affinity(uint32_t clients);
    /// Before any worker runs: takes over what a process before this one has left.
    template <Family F>
    void adopt(FlowTable<F>& table, uint32_t now_s);
    /// Once, with the first generation and before any worker runs: whose adopted connections are,
    /// and from which ports answers to them come.
    template <Family F>
    void settle(FlowTable<F>& table, const Snapshot& snapshot, FlowTargets& targets);
    /// Some ten times a second: there is memory for those that come next.
    template <Family F>
    void grow(FlowTable<F>& table);

    /// Removes what lies in, or for, this folder.
    static void remove(const std::string& folder) noexcept;

  private:
    struct File {
        std::optional<KeptMemory> memory;  ///< none: nothing is kept
        std::optional<KeptMemory> traffic;
        std::optional<KeptMemory> affinity;
        uint32_t adopted = 0;
        bool is_full = false;  ///< the file system is; the rest is memory of this process alone
    };
    /// One that has memory for `least` items; what is not so is told.
    [[nodiscard]] std::optional<KeptMemory> open(const char* name, const MemoryLayout& layout,
                                                 uint64_t least, const char* what);
    template <Family F>
    [[nodiscard]] File& file() noexcept {
        if constexpr (std::same_as<F, V4>) {
            return v4_;
        } else {
            return v6_;
        }
    }

    const std::string folder_;
    const LogReceiver log_;
    File v4_, v6_;
};

/// Makes the flow tables of `shared`, and those of session affinity for so many clients; in a
/// `folder` they have what another process left, and what is in them outlives this one. Empty:
/// neither.
[[nodiscard]] Result<void> create_flow_tables(Shared& shared, FlowTableOptions options,
                                              uint32_t clients, const std::string& folder,
                                              const LogReceiver& log);
/// KeptFlows::settle() for both, if they are kept.
void settle_kept_flows(Shared& shared, const Snapshot& first);
/// KeptFlows::grow() for both, if they are kept.
void grow_kept_flows(Shared& shared);

}  // namespace podlane::dataplane
