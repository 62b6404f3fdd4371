// Keeps connections and session affinity beyond the end of the process. The flow tables' blocks and
// the affinity tables lie in files beside control's state, and the next process takes them over.
//
// docs/decisions/restart.md says what is kept, and how. Control thread; workers see only memory.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "dataplane/flow_targets.h"
#include "lib/base/result.h"
#include "lib/border/log_level.h"
#include "lib/flow/table.h"
#include "lib/lb/affinity.h"
#include "lib/model/snapshot.h"
#include "lib/persist/kept_memory.h"

namespace podlane::dataplane {

struct Shared;

/// The files of both tables, and how much of them is in use.
/// Threads: one; grow() also while workers run. Must outlive the tables that use its memory.
class KeptFlows {
  public:
    /// `folder` is control's state folder. The files lie in it if it is in memory (tmpfs), else
    /// below /dev/shm. `beside`: another process works with those; the files of this one lie beside
    /// them until take_place().
    KeptFlows(const std::string& folder, LogReceiver log, bool beside = false);
    KeptFlows(const KeptFlows&) = delete;
    KeptFlows& operator=(const KeptFlows&) = delete;
    ~KeptFlows();

    /// The memory for the blocks of a table with these options. If none can outlive the process, a
    /// line is logged and the table gets ordinary memory.
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
    /// Before any worker runs: takes over what an earlier process left. If that is of another
    /// capacity or another number of workers, it is copied, one by one, and its counts start anew.
    template <Family F>
    void adopt(FlowTable<F>& table, AffinityTable<F>& affinity, uint32_t now_s);
    /// With `beside`, before any worker runs: copies what the other process has, whose workers
    /// rest. Counts start anew.
    template <Family F>
    void copy(FlowTable<F>& table, AffinityTable<F>& affinity, uint32_t now_s);
    /// With `beside`: puts the files in the place of the other process's.
    void take_place();
    /// Once, with the first generation and before any worker runs: finds the Service of each
    /// adopted connection, and the ports that its replies come from.
    template <Family F>
    void settle(FlowTable<F>& table, const Snapshot& snapshot, FlowTargets& targets);
    /// Some ten times a second: keeps memory ready for the next blocks.
    template <Family F>
    void grow(FlowTable<F>& table);

    /// A line for each thing that does not outlive the process, for health.
    [[nodiscard]] const std::vector<std::string>& problems() const noexcept { return problems_; }

    /// Removes the files that belong to this folder.
    static void remove(const std::string& folder) noexcept;

  private:
    struct File {
        std::optional<KeptMemory> memory;  ///< none: nothing is kept
        std::optional<KeptMemory> traffic;
        std::optional<KeptMemory> affinity;
        /// What an earlier process has left, to be copied because it is of another size.
        std::optional<LeftMemory> left, left_affinity;
        uint32_t adopted = 0;
        bool is_full = false;  ///< the file system is full; what follows is not kept
    };
    /// Opens a file with memory for `least` items; warns if it cannot. `left`, if not null, gets
    /// what was there if that is of another size.
    [[nodiscard]] std::optional<KeptMemory> open(const char* name, const MemoryLayout& layout,
                                                 uint64_t least, const char* what,
                                                 std::optional<LeftMemory>* left);
    /// Memory for so many blocks and for their counts; false if the file system has no room.
    [[nodiscard]] static bool reserve(File& its, uint64_t blocks) noexcept;
    template <Family F>
    void copy(const LeftMemory& left, FlowTable<F>& table, uint32_t now_s);
    /// Where the file is while it is this process's.
    [[nodiscard]] std::string path_of(const char* name) const;
    void warn(std::string line);
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
    bool beside_;
    std::vector<std::string> problems_;
    File v4_, v6_;
};

/// Makes the flow tables and the session affinity tables of `shared`, the latter for `clients`.
/// With Shared::kept_flows they begin with what an earlier process left, and their content outlives
/// this one.
[[nodiscard]] Result<void> create_flow_tables(Shared& shared, FlowTableOptions options,
                                              uint32_t clients);
/// KeptFlows::copy() for both.
void copy_kept_flows(Shared& shared);
/// KeptFlows::settle() for both, if they are kept.
void settle_kept_flows(Shared& shared, const Snapshot& first);
/// KeptFlows::grow() for both, if they are kept.
void grow_kept_flows(Shared& shared);

}  // namespace podlane::dataplane
