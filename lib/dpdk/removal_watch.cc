// DPDK 22.11 marks device events as experimental; later releases have them unchanged.
#define ALLOW_EXPERIMENTAL_API 1

#include "lib/dpdk/removal_watch.h"

#include <rte_dev.h>

#include <cerrno>
#include <thread>
#include <utility>

namespace podlane {

namespace {

void on_event(const char*, enum rte_dev_event_type type, void* watch) {
    if (type == RTE_DEV_EVENT_REMOVE) static_cast<const RemovalWatch*>(watch)->call();
}

}  // namespace

RemovalWatch::RemovalWatch(std::string device, std::function<void()> asked)
    : device_(std::move(device)), asked_(std::move(asked)) {
    static_cast<void>(rte_dev_event_callback_register(device_.c_str(), on_event, this));
}

RemovalWatch::~RemovalWatch() {
    // Refused while a call is under way, which is short.
    while (rte_dev_event_callback_unregister(device_.c_str(), on_event, this) == -EAGAIN) {
        std::this_thread::yield();
    }
}

}  // namespace podlane
