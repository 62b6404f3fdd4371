#include "control/watch/watcher.h"

#include <algorithm>
#include <chrono>
#include <random>
#include <string_view>
#include <utility>

#include "control/watch/api_client.h"
#include "control/watch/reflector.h"

namespace podlane::control {

Watcher::Watcher(const Resource& resource, const ApiServer& server, Cluster& cluster,
                 std::function<void(const std::string&)> on_trouble, const std::atomic<bool>& stop)
    : thread_([this, &resource, &server, &cluster, on_trouble = std::move(on_trouble), &stop] {
          run(resource, server, cluster, on_trouble, stop);
      }) {}

Watcher::~Watcher() {
    thread_.join();
}

void Watcher::run(const Resource& resource, const ApiServer& server, Cluster& cluster,
                  const std::function<void(const std::string&)>& on_trouble,
                  const std::atomic<bool>& stop) {
    using std::chrono::milliseconds;
    ApiClient client(server, stop);
    Reflector reflector(
        resource,
        {.on_list = [&](auto objects) { cluster.replace(resource, std::move(objects)); },
         .on_change = [&](WatchedObject object) { cluster.change(resource, std::move(object)); },
         .on_delete = [&](const WatchedObject& object) { cluster.remove(resource, object.name); },
         .on_trouble = on_trouble},
        std::random_device{}());
    while (!stop.load(std::memory_order_relaxed)) {
        const ResponseEnd end = client.get(reflector.next_target(), reflector.next_is_watch(),
                                           [&](unsigned status, std::string_view bytes) {
                                               return reflector.on_data(status, bytes);
                                           });
        if (stop.load(std::memory_order_relaxed)) return;
        for (milliseconds left = reflector.on_end(end); left.count() > 0 && !stop;) {
            const milliseconds nap = std::min(left, milliseconds(100));
            std::this_thread::sleep_for(nap);
            left -= nap;
        }
    }
}

}  // namespace podlane::control
