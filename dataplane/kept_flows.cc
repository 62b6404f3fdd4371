#include "dataplane/kept_flows.h"

#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <iterator>
#include <system_error>
#include <utility>

#include "dataplane/runtime.h"
#include "dataplane/shared.h"
#include "lib/base/stable_hash.h"
#include "lib/decide/decide.h"

namespace podlane::dataplane {

namespace {

namespace fs = std::filesystem;

/// Blocks that have memory in advance: enough for 200,000 new connections a second while control is
/// busy elsewhere for a third of a second.
constexpr uint32_t kAhead = 65536;
constexpr long kTmpfsMagic = 0x01021994;  // linux/magic.h
constexpr const char* kMemoryFolder = "/dev/shm";

template <Family F>
constexpr const char* kName = std::same_as<F, V4> ? "flows.v4" : "flows.v6";
template <Family F>
constexpr const char* kTrafficName = std::same_as<F, V4> ? "traffic.v4" : "traffic.v6";
template <Family F>
constexpr std::string_view kTrafficKind =
    std::same_as<F, V4> ? "counts of flows, IPv4" : "counts of flows, IPv6";
template <Family F>
constexpr const char* kAffinityName = std::same_as<F, V4> ? "affinity.v4" : "affinity.v6";
template <Family F>
constexpr std::string_view kAffinityKind =
    std::same_as<F, V4> ? "session affinity, IPv4" : "session affinity, IPv6";
template <Family F>
constexpr std::string_view kKind = std::same_as<F, V4> ? "flows, IPv4" : "flows, IPv6";

bool is_in_memory(const std::string& folder) {
    struct statfs info {};
    return ::statfs(folder.c_str(), &info) == 0 && info.f_type == kTmpfsMagic;
}

/// The folder for the files of a node with its state in `folder`. On a disk, dirty pages would be
/// written back every few seconds.
std::string place_for(const std::string& folder) {
    if (is_in_memory(folder)) return folder;
    std::error_code ignored;
    const fs::path whole = fs::absolute(folder, ignored).lexically_normal();
    static constexpr char kDigits[] = "0123456789abcdef";
    std::string name = std::string(kMemoryFolder) + "/podlane-";
    for (uint64_t hash = stable_hash(whole.string()), i = 0; i < 16; ++i, hash <<= 4) {
        name += kDigits[hash >> 60];
    }
    return name;
}

/// /dev/shm is open to all users, so another one may have made this folder before us.
Result<void> make_own(const std::string& folder) {
    struct stat info {};
    if (!folder.starts_with(kMemoryFolder)) return {};
    (void)::mkdir(folder.c_str(), 0700);
    if (::lstat(folder.c_str(), &info) != 0 || !S_ISDIR(info.st_mode)) {
        return Error{folder + ": cannot be made"};
    }
    if (info.st_uid != ::geteuid() || (info.st_mode & 077) != 0) {
        return Error{folder + ": others may write it; remove it"};
    }
    return {};
}

FlowMemory memory_of(KeptMemory& memory) {
    const auto data = [](size_t, void* of) { return static_cast<KeptMemory*>(of)->data(); };
    return {data, nullptr, &memory};
}

template <Family F>
PortId port_towards(const Snapshot& snapshot, const typename F::Address& address) {
    const AdjacencyId adjacency = adjacency_towards<F>(snapshot, address);
    return adjacency == kNoAdjacency ? kNoPort : snapshot.adjacencies[index_of(adjacency)].port;
}

}  // namespace

KeptFlows::KeptFlows(const std::string& folder, LogReceiver log)
    : folder_(place_for(folder)), log_(std::move(log)) {}

std::optional<KeptMemory> KeptFlows::open(const char* name, const MemoryLayout& layout,
                                          uint64_t least, const char* what) {
    const auto not_kept = [&](const std::string& why) {
        log_(LogLevel::kWarning, std::string(what) + " will not outlive this process: " + why);
        return std::nullopt;
    };
    if (const auto own = make_own(folder_); !own.ok()) return not_kept(own.error().message);
    auto memory = KeptMemory::open(folder_ + "/" + name, layout);
    if (!memory.ok()) return not_kept(memory.error().message);
    if (!memory->note().empty()) {
        log_(LogLevel::kWarning, memory->note() + "; " + what + " begin anew");
    }
    if (memory->reserve(std::max(memory->reserved(), least))) return std::move(memory).value();
    memory->remove();
    return not_kept(folder_ + ": the file system is full");
}

template <Family F>
FlowMemory KeptFlows::open(const FlowTableOptions& options) {
    std::optional<KeptMemory>& memory = file<F>().memory;
    if (auto made = open(
            kName<F>,
            {kKind<F>, kConnectionForm, sizeof(Connection<F>), FlowTable<F>::block_count(options)},
            kAhead, "flows")) {
        memory.emplace(std::move(*made));
    }
    return memory ? memory_of(*memory) : FlowMemory{};
}

template <Family F>
FlowMemory KeptFlows::open_traffic(const FlowTableOptions& options) {
    File& its = file<F>();
    if (!its.memory) return {};
    // Counts of other connections than those that are taken over, or of which somebody missed some.
    if (!options.traffic || !its.memory->was_there()) {
        std::error_code ignored;
        fs::remove(folder_ + "/" + kTrafficName<F>, ignored);
    }
    if (!options.traffic) return {};
    const uint64_t groups = TrafficCounts::groups_for(FlowTable<F>::block_count(options));
    if (auto made = open(
            kTrafficName<F>,
            {kTrafficKind<F>, kTrafficForm, TrafficCounts::group_bytes(options.workers), groups},
            std::min(groups, TrafficCounts::groups_for(its.memory->reserved())),
            "counts of flows")) {
        its.traffic.emplace(std::move(*made));
    }
    return its.traffic ? memory_of(*its.traffic) : FlowMemory{};
}

template <Family F>
void* KeptFlows::open_affinity(uint32_t clients) {
    std::optional<KeptMemory>& memory = file<F>().affinity;
    constexpr uint32_t kLine = kCacheLine;
    // Clients are spread over all of it, so all of it has memory from the start.
    const uint64_t lines = AffinityTable<F>::bytes_for(clients) / kLine;
    if (auto made = open(kAffinityName<F>, {kAffinityKind<F>, kAffinityForm, kLine, lines}, lines,
                         "session affinity")) {
        memory.emplace(std::move(*made));
    }
    return memory ? memory->data() : nullptr;
}

template <Family F>
void KeptFlows::adopt(FlowTable<F>& table, uint32_t now_s) {
    File& its = file<F>();
    if (!its.memory) return;
    if (its.memory->was_there()) {
        its.adopted = table.adopt(static_cast<uint32_t>(its.memory->reserved()), now_s);
        log_(LogLevel::kInfo, "flows: " + std::to_string(its.adopted) + " are taken over from " +
                                  folder_ + "/" + kName<F>);
    }
    table.allow_blocks(static_cast<uint32_t>(its.memory->reserved()));
    grow(table);
}

template <Family F>
void KeptFlows::settle(FlowTable<F>& table, const Snapshot& snapshot, FlowTargets& targets) {
    if (file<F>().adopted == 0) return;
    const auto settle_one = [&](Connection<F>& connection) {
        const FlowKey<F>& first = connection.original().key;
        const FlowKey<F>& reply = connection.reply().key;
        const bool is_translated = first.dst != reply.src || first.dst_port != reply.src_port;
        const Frontend<F>* const frontend =
            is_translated ? find_frontend<F>(snapshot, first) : nullptr;
        const bool follows = (connection.original().flags & kEntryCheckService) != 0;
        if (is_translated && frontend == nullptr && follows) {
            // The Service has gone. TCP goes on while the endpoint answers.
            table.remove(0, connection);
            return;
        }
        const auto service =
            static_cast<uint32_t>(index_of(frontend == nullptr ? kNoService : frontend->service));
        for (FlowEntry<F>& entry : connection.entry) {
            entry.service_id.store(service, std::memory_order_relaxed);
        }
        // As mark_ports() in slowpath/first_packet.cc.
        const PortId from = port_towards<F>(snapshot, first.src);
        const PortId to = port_towards<F>(snapshot, reply.src);
        targets.add(to);
        if (is_translated && from != kNoPort && to != kNoPort &&
            snapshot.port(from).kind == PortKind::kPod &&
            snapshot.port(to).kind == PortKind::kPod) {
            targets.add(from);
        }
        table.hold(
            connection,
            from == kNoPort ? kNoHolder : static_cast<uint16_t>(index_of(from) % kPortHolders),
            service == 0 ? kNoHolder
                         : static_cast<uint16_t>(kPortHolders + service % kServiceHolders));
    };
    table.for_each(settle_one, 0, UINT32_MAX);
}

template <Family F>
void KeptFlows::grow(FlowTable<F>& table) {
    File& its = file<F>();
    if (!its.memory || its.is_full) return;
    KeptMemory& memory = *its.memory;
    const auto reserve = [&](uint64_t blocks) {
        return memory.reserve(blocks) &&
               (!its.traffic || its.traffic->reserve(TrafficCounts::groups_for(blocks)));
    };
    const uint64_t wanted = uint64_t{table.used_blocks()} + kAhead;
    if (wanted <= memory.reserved()) return;
    if (reserve(wanted + kAhead)) {
        table.allow_blocks(static_cast<uint32_t>(memory.reserved()));
        return;
    }
    its.is_full = true;
    if (memory.give_up_rest() && (!its.traffic || its.traffic->give_up_rest())) {
        table.allow_blocks(UINT32_MAX);
    }
    log_(LogLevel::kWarning, folder_ + ": the file system is full: of the flows " +
                                 std::to_string(memory.reserved()) +
                                 " at most will outlive this process");
}

void KeptFlows::remove(const std::string& folder) noexcept {
    std::error_code ignored;
    const std::string place = place_for(folder);
    for (const char* name : {kName<V4>, kName<V6>, kTrafficName<V4>, kTrafficName<V6>,
                             kAffinityName<V4>, kAffinityName<V6>}) {
        fs::remove(place + "/" + name, ignored);
    }
    if (place != folder) fs::remove(place, ignored);
}

Result<void> create_flow_tables(Shared& shared, FlowTableOptions options, uint32_t clients,
                                const std::string& folder, const LogReceiver& log) {
    options.workers = shared.workers;
    void *affinity_v4 = nullptr, *affinity_v6 = nullptr;
    if (!folder.empty()) {
        shared.kept_flows = std::make_unique<KeptFlows>(folder, log);
        affinity_v4 = shared.kept_flows->open_affinity<V4>(clients);
        affinity_v6 = shared.kept_flows->open_affinity<V6>(clients);
    }
    shared.affinity = std::make_unique<AffinityTables>(clients, affinity_v4, affinity_v6);
    const auto create = [&]<Family F>(std::unique_ptr<FlowTable<F>>& out) -> Result<void> {
        if (shared.kept_flows) {
            options.block_memory = shared.kept_flows->open<F>(options);
            options.traffic_memory = shared.kept_flows->open_traffic<F>(options);
        }
        auto made = FlowTable<F>::create(options, shared.domain);
        if (!made) return made.error();
        out = std::move(made).value();
        if (shared.kept_flows) {
            shared.kept_flows->adopt(*out, shared.clock.seconds(rte_rdtsc()));
        }
        return {};
    };
    if (auto made = create(shared.flows_v4); !made) return made;
    return create(shared.flows_v6);
}

void settle_kept_flows(Shared& shared, const Snapshot& first) {
    if (!shared.kept_flows) return;
    shared.kept_flows->settle(*shared.flows_v4, first, shared.flow_targets);
    shared.kept_flows->settle(*shared.flows_v6, first, shared.flow_targets);
}

void grow_kept_flows(Shared& shared) {
    if (!shared.kept_flows) return;
    shared.kept_flows->grow(*shared.flows_v4);
    shared.kept_flows->grow(*shared.flows_v6);
}

void forget_flows(const std::string& kept_flows) {
    KeptFlows::remove(kept_flows);
}

}  // namespace podlane::dataplane
