// Connections and session affinity over the end of the process: the flow tables' blocks, and the
// tables of affinity, in files beside the state that control keeps, and what has to be done so that
// the next process goes on with them.
//
// docs/decisions/restart.md says what is kept how. Control's thread; workers see memory alone.
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
/// Threads: one; grow() also while workers run. Must outlive the tables that have its memory.
class KeptFlows {
  public:
    /// `folder` is control's. The files lie in it if it is in memory (tmpfs), else below /dev/shm.
    /// `beside`: another process works with those; the files of this one lie beside them until
    /// take_place().
    KeptFlows(const std::string& folder, LogReceiver log, bool beside = false);
    KeptFlows(const KeptFlows&) = delete;
    KeptFlows& operator=(const KeptFlows&) = delete;
    ~KeptFlows();

    /// The memory for the blocks of a table with these options. Where there is none that outlives
    /// the process that is told, and the table gets memory as usual.
    template <Family F>
    [[nodiscard]] FlowMemory open(const FlowTableOptions& options);
    /// The same for a table of session affinity, which takes over what it finds there; null: none
    /// that outlives the process.
    template <Family F>
    [[nodiscard]] void* open_affinity(uint32_t clients);
    /// Before any worker runs: takes over what a process before this one has left. Where that is of
    /// another capacity or another number of workers, it is copied, one by one.
    template <Family F>
    void adopt(FlowTable<F>& table, AffinityTable<F>& affinity, uint32_t now_s);
    /// With `beside`, before any worker runs: copies what the other process has, which rests.
    template <Family F>
    void copy(FlowTable<F>& table, AffinityTable<F>& affinity, uint32_t now_s);
    /// With `beside`: the files are put in the place of the other process's.
    void take_place();
    /// Once, with the first generation and before any worker runs: whose adopted connections are,
    /// and from which ports answers to them come.
    template <Family F>
    void settle(FlowTable<F>& table, const Snapshot& snapshot, FlowTargets& targets);
    /// Some ten times a second: there is memory for those that come next.
    template <Family F>
    void grow(FlowTable<F>& table);

    /// A line for each thing that does not outlive the process, for health.
    [[nodiscard]] const std::vector<std::string>& problems() const noexcept { return problems_; }

    /// Removes what lies in, or for, this folder.
    static void remove(const std::string& folder) noexcept;

  private:
    struct File {
        std::optional<KeptMemory> memory;  ///< none: nothing is kept
        std::optional<KeptMemory> affinity;
        /// What a process before this one has left, to be copied: it is of another size.
        std::optional<LeftMemory> left, left_affinity;
        uint32_t adopted = 0;
        bool is_full = false;  ///< the file system is; the rest is memory of this process alone
    };
    /// One that has memory for `least` items; what is not so is told. `left`: what was there, if
    /// that is of another size.
    [[nodiscard]] std::optional<KeptMemory> open(const char* name, const MemoryLayout& layout,
                                                 uint64_t least, const char* what,
                                                 std::optional<LeftMemory>& left);
    template <Family F>
    void copy(const LeftMemory& left, FlowTable<F>& table, uint32_t now_s);
    /// Of a file, while it is this process's.
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

/// Makes the flow tables of `shared`, and those of session affinity for so many clients. With
/// Shared::kept_flows they have what another process left, and what is in them outlives this one.
[[nodiscard]] Result<void> create_flow_tables(Shared& shared, FlowTableOptions options,
                                              uint32_t clients);
/// KeptFlows::copy() for both.
void copy_kept_flows(Shared& shared);
/// KeptFlows::settle() for both, if they are kept.
void settle_kept_flows(Shared& shared, const Snapshot& first);
/// KeptFlows::grow() for both, if they are kept.
void grow_kept_flows(Shared& shared);

}  // namespace podlane::dataplane
