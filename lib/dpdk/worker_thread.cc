#include "lib/dpdk/worker_thread.h"

#include <fmt/format.h>
#include <pthread.h>
#include <rte_errno.h>
#include <rte_lcore.h>
#include <sched.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <future>
#include <system_error>

#include "lib/base/capabilities.h"

namespace podlane {

namespace {

struct Started {
    std::string error;  ///< empty: it runs
    int tid = 0;
    unsigned lcore = 0;
};

/// Runs on the new thread, before its work.
Started prepare(const WorkerThreadRequest& request) {
    Started out;
    out.tid = ::gettid();
    ::pthread_setname_np(::pthread_self(), request.name.substr(0, 15).c_str());
    if (request.cpu >= CPU_SETSIZE) {
        out.error = fmt::format("CPU {} does not exist", request.cpu);
        return out;
    }
    if (request.cpu >= 0) {
        cpu_set_t cpus;
        CPU_ZERO(&cpus);
        CPU_SET(static_cast<size_t>(request.cpu), &cpus);
        if (::sched_setaffinity(0, sizeof(cpus), &cpus) != 0) {
            out.error = fmt::format("cannot run on CPU {}: {}", request.cpu, std::strerror(errno));
            return out;
        }
    }
    if (rte_thread_register() != 0) {
        out.error =
            fmt::format("DPDK has no place for one more thread: {}", rte_strerror(rte_errno));
        return out;
    }
    out.lcore = rte_lcore_id();
    // A worker only reads and writes descriptors that others have opened.
    drop_thread_capabilities();
    if (request.confine) {
        if (auto confined = request.confine(); !confined.ok()) {
            out.error = confined.error().message;
            rte_thread_unregister();
        }
    }
    return out;
}

}  // namespace

void WorkerThread::join() noexcept {
    if (thread_.joinable()) thread_.join();
}

Result<WorkerThread> start_worker_thread(const WorkerThreadRequest& request,
                                         std::function<void()> body) {
    WorkerThread worker;
    Started started;
    try {
        std::promise<Started> promise;
        auto future = promise.get_future();
        worker.thread_ =
            std::thread([request, body = std::move(body), promise = std::move(promise)]() mutable {
                Started mine = prepare(request);
                const bool runs = mine.error.empty();
                promise.set_value(std::move(mine));
                if (!runs) return;
                body();
                rte_thread_unregister();
            });
        started = future.get();
    } catch (const std::system_error& e) {
        started.error = e.what();
    }
    if (!started.error.empty()) {
        worker.join();
        return Error{fmt::format("worker thread {}: {}", request.name, started.error)};
    }
    worker.tid_ = started.tid;
    worker.cpu_ = request.cpu;
    worker.lcore_ = started.lcore;
    return worker;
}

}  // namespace podlane
