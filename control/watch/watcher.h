// A thread that follows one resource of the API server and puts its objects into the Cluster.
#pragma once

#include <atomic>
#include <functional>
#include <string>
#include <thread>

#include "control/watch/api_server.h"
#include "control/watch/cluster.h"
#include "control/watch/resource.h"

namespace podlane::control {

/// Threads: one of its own from the constructor to the destructor, which waits for it: set `stop`
/// before. Everything must outlive it; `on_trouble` is called on its thread.
class Watcher {
  public:
    Watcher(const Resource& resource, const ApiServer& server, Cluster& cluster,
            std::function<void(const std::string&)> on_trouble, const std::atomic<bool>& stop);
    ~Watcher();
    Watcher(const Watcher&) = delete;
    Watcher& operator=(const Watcher&) = delete;

  private:
    void run(const Resource& resource, const ApiServer& server, Cluster& cluster,
             const std::function<void(const std::string&)>& on_trouble,
             const std::atomic<bool>& stop);
    std::thread thread_;
};

}  // namespace podlane::control
