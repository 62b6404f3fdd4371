// Making a Runtime of what the composition root asks for.
#include <utility>

#include "dataplane/memory_plan.h"
#include "dataplane/runtime_impl.h"
#include "lib/base/device.h"
#include "lib/dpdk/pci_device.h"

namespace podlane::dataplane {

bool can_be_shared(const std::string& device) {
    return device.starts_with("net_af_packet") || device.starts_with("eth_af_packet");
}

bool copies_packets(const std::string& device) {
    for (const char* driver : {"af_packet", "null", "pcap", "tap", "tc"}) {
        const auto with = [driver](const char* before) { return std::string(before) + driver; };
        if (device.starts_with(with("net_")) || device.starts_with(with("eth_"))) return true;
    }
    return false;
}

std::string memory_summary(const RuntimeConfig& config) {
    return podlane::memory_summary(eal_request(config), read_hugepages());
}

Result<Started> start(const RuntimeConfig& config) {
    const auto workers = static_cast<unsigned>(config.worker_cpus.size());
    if (workers == 0 || workers > kMaxWorkers) {
        return Error{"workers: " + std::to_string(workers) + " is not allowed (1-" +
                     std::to_string(kMaxWorkers) + ")"};
    }
    EalRequest request = eal_request(config);
    request.log_level = config.log_level;
    request.log = config.log;
    const Hugepages hugepages = read_hugepages();
    for (const UplinkRequest& uplink : config.uplinks) {
        if (uplink.tap) continue;
        const auto device = parse_device(uplink.device);
        if (!device) return device.error();
        if (device->kind != DeviceKind::kPci) continue;
        const std::string obstacle = pci_obstacle(device->name, uses_hugepages(request, hugepages));
        if (!obstacle.empty()) {
            return Error{"port " + uplink.name + ": device " + uplink.device + ": " + obstacle};
        }
        request.pci_devices.push_back(device->name);
    }
    Started started;
    started.memory = podlane::memory_summary(request, hugepages);
    auto eal = start_eal(request);
    if (!eal) return eal.error();
    started.hints = eal->notes();
    PacketPoolRequest usual = pool_request(config), large = large_pool_request(config);
    usual.own_memory = large.own_memory = config.has_own_buffers && !eal->uses_hugepages();
    auto pool = create_packet_pool(usual);
    if (!pool) return pool.error();
    auto large_pool = create_packet_pool(large);
    if (!large_pool) return large_pool.error();
    auto runtime = std::make_unique<Runtime>(std::move(eal).value(), std::move(pool).value(),
                                             std::move(large_pool).value(), workers);
    runtime->set_idle(config.idle);
    if (auto made = runtime->create_tables(config); !made) return made.error();
    if (auto opened = runtime->open_uplinks(config, started.hints); !opened) {
        return opened.error();
    }
    if (auto running = runtime->run_workers(config); !running) return running.error();
    started.probes = &runtime->probes();
    started.take_flows = [taking = runtime.get()] { taking->take_flows(); };
    started.keep_flows = [taking = runtime.get()] { taking->keep_flows(); };
    started.dataplane = std::move(runtime);
    return started;
}

}  // namespace podlane::dataplane
