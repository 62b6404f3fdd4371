// A worker's thread: named, pinned, and registered with the EAL so that mempool caches work.
//
// The dataplane starts one for each worker, on the control thread, after start_eal().
#pragma once

#include <functional>
#include <string>
#include <thread>

#include "lib/base/result.h"

namespace podlane {

struct WorkerThreadRequest {
    std::string name;  ///< at most 15 characters, as `top -H` shows it
    int cpu = -1;      ///< Linux CPU id to run on; -1: any that the process may use
    /// Called on the new thread before its work, to take privileges from it. May be empty; on an
    /// error the thread does not start.
    std::function<Result<void>()> confine = {};
};

/// A running worker thread. The destructor joins: make `body` return first.
class WorkerThread {
  public:
    WorkerThread(WorkerThread&&) noexcept = default;
    WorkerThread& operator=(WorkerThread&&) = delete;
    ~WorkerThread() { join(); }

    [[nodiscard]] int tid() const noexcept { return tid_; }  ///< Linux thread id
    [[nodiscard]] int cpu() const noexcept { return cpu_; }
    [[nodiscard]] unsigned lcore() const noexcept { return lcore_; }  ///< in DPDK's numbering
    /// Waits for `body` to return.
    void join() noexcept;

  private:
    friend Result<WorkerThread> start_worker_thread(const WorkerThreadRequest& request,
                                                    std::function<void()> body);
    WorkerThread() = default;

    std::thread thread_;
    int tid_ = 0;
    int cpu_ = -1;
    unsigned lcore_ = 0;
};

/// Starts `body`. Returns once the thread is pinned, registered and running, or an error if one of
/// these fails; then `body` is not called.
[[nodiscard]] Result<WorkerThread> start_worker_thread(const WorkerThreadRequest& request,
                                                       std::function<void()> body);

}  // namespace podlane
