#include "dataplane/kept_flows.h"

#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <iterator>
#include <span>
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
constexpr std::array kAllNames{kName<V4>,        kName<V6>,         kTrafficName<V4>,
                               kTrafficName<V6>, kAffinityName<V4>, kAffinityName<V6>};
/// Behind the names of files that are not in their place yet.
constexpr const char* kBeside = ".next";

template <Family F>
MemoryLayout flows_layout(uint64_t blocks) {
    return {kKind<F>, kConnectionForm, sizeof(Connection<F>), blocks};
}
template <Family F>
MemoryLayout affinity_layout(uint64_t lines) {
    return {kAffinityKind<F>, kAffinityForm, kCacheLine, lines};
}

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

KeptFlows::KeptFlows(const std::string& folder, LogReceiver log, bool beside)
    : folder_(place_for(folder)), log_(std::move(log)), beside_(beside) {
    if (const auto own = make_own(folder_); !own.ok()) return;  // each open() says so
    // Of one that was killed before it had taken the place.
    std::error_code ignored;
    for (const char* name : kAllNames) fs::remove(folder_ + "/" + name + kBeside, ignored);
}

KeptFlows::~KeptFlows() {
    if (!beside_) return;
    for (File* file : {&v4_, &v6_}) {
        if (file->memory) file->memory->remove();
        if (file->traffic) file->traffic->remove();
        if (file->affinity) file->affinity->remove();
    }
}

std::string KeptFlows::path_of(const char* name) const {
    return folder_ + "/" + name + (beside_ ? kBeside : "");
}

void KeptFlows::warn(std::string line) {
    log_(LogLevel::kWarning, line);
    problems_.push_back(std::move(line));
}

std::optional<KeptMemory> KeptFlows::open(const char* name, const MemoryLayout& layout,
                                          uint64_t least, const char* what,
                                          std::optional<LeftMemory>* left) {
    const auto not_kept = [&](const std::string& why) {
        warn(std::string(what) + " will not outlive this process: " + why);
        return std::nullopt;
    };
    if (const auto own = make_own(folder_); !own.ok()) return not_kept(own.error().message);
    // Mapped before it is replaced.
    if (left != nullptr) {
        auto there = LeftMemory::open(folder_ + "/" + name, layout);
        if (there.ok() && (beside_ || there->items() != layout.items)) {
            least = std::max(least, there->used());
            if (!beside_) left->emplace(std::move(*there));
        }
    }
    auto memory = KeptMemory::open(path_of(name), layout);
    if (!memory.ok()) return not_kept(memory.error().message);
    if (!memory->note().empty() && (left == nullptr || !*left)) {
        log_(LogLevel::kWarning, memory->note() + "; " + what + " begin anew");
    }
    if (memory->reserve(std::max(memory->reserved(), least))) return std::move(memory).value();
    memory->remove();
    return not_kept(folder_ + ": the file system is full");
}

template <Family F>
FlowMemory KeptFlows::open(const FlowTableOptions& options) {
    File& its = file<F>();
    if (auto made = open(kName<F>, flows_layout<F>(FlowTable<F>::block_count(options)), kAhead,
                         "flows", &its.left)) {
        its.memory.emplace(std::move(*made));
    }
    return its.memory ? memory_of(*its.memory) : FlowMemory{};
}

template FlowMemory KeptFlows::open<V4>(const FlowTableOptions&);
template FlowMemory KeptFlows::open<V6>(const FlowTableOptions&);

template <Family F>
FlowMemory KeptFlows::open_traffic(const FlowTableOptions& options) {
    File& its = file<F>();
    if (!its.memory) return {};
    // Counts of other connections than those that are taken over, or of which somebody missed some.
    if (!options.traffic || !its.memory->was_there()) {
        std::error_code ignored;
        fs::remove(path_of(kTrafficName<F>), ignored);
    }
    if (!options.traffic) return {};
    const uint64_t groups = TrafficCounts::groups_for(FlowTable<F>::block_count(options));
    if (auto made = open(
            kTrafficName<F>,
            {kTrafficKind<F>, kTrafficForm, TrafficCounts::group_bytes(options.counting()), groups},
            std::min(groups, TrafficCounts::groups_for(its.memory->reserved())), "counts of flows",
            nullptr)) {
        its.traffic.emplace(std::move(*made));
    }
    return its.traffic ? memory_of(*its.traffic) : FlowMemory{};
}

template <Family F>
void* KeptFlows::open_affinity(uint32_t clients) {
    File& its = file<F>();
    // Clients are spread over all of it, so all of it has memory from the start.
    const uint64_t lines = AffinityTable<F>::bytes_for(clients) / kCacheLine;
    if (auto made = open(kAffinityName<F>, affinity_layout<F>(lines), lines, "session affinity",
                         &its.left_affinity)) {
        its.affinity.emplace(std::move(*made));
    }
    return its.affinity ? its.affinity->data() : nullptr;
}

bool KeptFlows::reserve(File& its, uint64_t blocks) noexcept {
    // Counts first: a block is in use as soon as it has memory.
    return (!its.traffic || its.traffic->reserve(TrafficCounts::groups_for(blocks))) &&
           its.memory->reserve(blocks);
}

template <Family F>
void KeptFlows::copy(const LeftMemory& left, FlowTable<F>& table, uint32_t now_s) {
    File& its = file<F>();
    const auto blocks = static_cast<const Connection<F>*>(left.data());
    const std::span all(blocks, static_cast<size_t>(left.used()));
    const auto live = static_cast<uint64_t>(std::count_if(
        all.begin(), all.end(), [](const Connection<F>& each) { return each.state.is_live(); }));
    if (its.memory) {
        // With what is put aside for several workers.
        static_cast<void>(reserve(its, live + kAhead));
        table.allow_blocks(static_cast<uint32_t>(its.memory->reserved()));
    }
    its.adopted = table.copy_from(all, now_s);
    log_(LogLevel::kInfo, "flows: " + std::to_string(its.adopted) + " of " + std::to_string(live) +
                              " are copied from " + folder_ + "/" + kName<F>);
}

template <Family F>
void KeptFlows::adopt(FlowTable<F>& table, AffinityTable<F>& affinity, uint32_t now_s) {
    File& its = file<F>();
    if (its.left_affinity) {
        affinity.copy_from(its.left_affinity->data(), its.left_affinity->used() * kCacheLine,
                           now_s);
        its.left_affinity.reset();
    }
    if (its.left) {
        copy(*its.left, table, now_s);
        its.left.reset();
    }
    if (!its.memory) return;
    if (its.memory->was_there()) {
        its.adopted = table.adopt(static_cast<uint32_t>(its.memory->touched()), now_s);
        log_(LogLevel::kInfo, "flows: " + std::to_string(its.adopted) + " are taken over from " +
                                  folder_ + "/" + kName<F>);
    }
    table.allow_blocks(static_cast<uint32_t>(its.memory->reserved()));
    grow(table);
}

template <Family F>
void KeptFlows::copy(FlowTable<F>& table, AffinityTable<F>& affinity, uint32_t now_s) {
    if (auto left = LeftMemory::open(folder_ + "/" + kName<F>, flows_layout<F>(0)); left.ok()) {
        copy(*left, table, now_s);
    } else {
        log_(LogLevel::kWarning, left.error().message + "; flows begin anew");
    }
    const auto clients = LeftMemory::open(folder_ + "/" + kAffinityName<F>, affinity_layout<F>(0));
    if (clients.ok()) {
        affinity.copy_from(clients->data(), clients->used() * kCacheLine, now_s);
    } else {
        log_(LogLevel::kWarning, clients.error().message + "; session affinity begins anew");
    }
}

void KeptFlows::take_place() {
    const auto put = [this](std::optional<KeptMemory>& memory, const char* name) {
        if (!memory || memory->move_to(folder_ + "/" + name)) return;
        warn(folder_ + "/" + name + ": cannot be replaced: what it holds will be lost");
    };
    const auto put_counts = [&](std::optional<KeptMemory>& memory, const char* name) {
        // Those of the other process's blocks are of no use beside this one's.
        std::error_code ignored;
        fs::remove(folder_ + "/" + name, ignored);
        put(memory, name);
    };
    beside_ = false;
    put(v4_.memory, kName<V4>);
    put(v6_.memory, kName<V6>);
    put_counts(v4_.traffic, kTrafficName<V4>);
    put_counts(v6_.traffic, kTrafficName<V6>);
    put(v4_.affinity, kAffinityName<V4>);
    put(v6_.affinity, kAffinityName<V6>);
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
    const uint64_t wanted = uint64_t{table.used_blocks()} + kAhead;
    if (wanted <= memory.reserved()) return;
    if (reserve(its, wanted + kAhead)) {
        table.allow_blocks(static_cast<uint32_t>(memory.reserved()));
        return;
    }
    its.is_full = true;
    if (memory.give_up_rest() && (!its.traffic || its.traffic->give_up_rest())) {
        table.allow_blocks(UINT32_MAX);
    }
    warn(folder_ + ": the file system is full: of the flows " + std::to_string(memory.reserved()) +
         " at most will outlive this process");
}

void KeptFlows::remove(const std::string& folder) noexcept {
    std::error_code ignored;
    const std::string place = place_for(folder);
    for (const char* name : kAllNames) fs::remove(place + "/" + name, ignored);
    if (place != folder) fs::remove(place, ignored);
}

Result<void> create_flow_tables(Shared& shared, FlowTableOptions options, uint32_t clients) {
    options.workers = shared.workers;
    KeptFlows* const kept = shared.kept_flows.get();
    void *affinity_v4 = nullptr, *affinity_v6 = nullptr;
    if (kept != nullptr) {
        affinity_v4 = kept->open_affinity<V4>(clients);
        affinity_v6 = kept->open_affinity<V6>(clients);
    }
    shared.affinity = std::make_unique<AffinityTables>(clients, affinity_v4, affinity_v6);
    const auto create = [&]<Family F>(std::unique_ptr<FlowTable<F>>& out) -> Result<void> {
        if (kept != nullptr) {
            options.block_memory = kept->open<F>(options);
            options.traffic_memory = kept->open_traffic<F>(options);
        }
        auto made = FlowTable<F>::create(options, shared.domain);
        if (!made) return made.error();
        out = std::move(made).value();
        if (kept != nullptr) {
            kept->adopt(*out, shared.affinity->of<F>(), shared.clock.seconds(rte_rdtsc()));
        }
        return {};
    };
    if (auto made = create(shared.flows_v4); !made) return made;
    return create(shared.flows_v6);
}

void copy_kept_flows(Shared& shared) {
    if (!shared.kept_flows) return;
    const uint32_t now_s = shared.clock.seconds(rte_rdtsc());
    shared.kept_flows->copy(*shared.flows_v4, shared.affinity->v4, now_s);
    shared.kept_flows->copy(*shared.flows_v6, shared.affinity->v6, now_s);
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

Result<std::vector<std::string>> look_at_kept_flows(const std::string& kept_flows) {
    const std::string folder = place_for(kept_flows);
    std::vector<std::string> out;
    const auto look = [&]<Family F>(const char* name, const MemoryLayout& layout,
                                    auto count) -> Result<void> {
        const std::string path = folder + "/" + name;
        std::error_code ignored;
        if (!fs::exists(path, ignored)) return {};
        const auto left = LeftMemory::open(path, layout);
        if (!left.ok()) return left.error();
        out.push_back(std::string(name) + ": " + count(*left));
        return {};
    };
    const auto family = [&]<Family F>() -> Result<void> {
        auto done =
            look.template operator()<F>(kName<F>, flows_layout<F>(0), [](const LeftMemory& left) {
                const auto blocks = static_cast<const Connection<F>*>(left.data());
                const std::span all(blocks, static_cast<size_t>(left.used()));
                return std::to_string(std::count_if(
                           all.begin(), all.end(),
                           [](const Connection<F>& each) { return each.state.is_live(); })) +
                       " connections";
            });
        if (!done.ok()) return done;
        return look.template operator()<F>(
            kAffinityName<F>, affinity_layout<F>(0),
            [](const LeftMemory&) { return std::string("clients of Services"); });
    };
    if (auto done = family.template operator()<V4>(); !done.ok()) return done.error();
    if (auto done = family.template operator()<V6>(); !done.ok()) return done.error();
    return out;
}

void forget_flows(const std::string& kept_flows) {
    KeptFlows::remove(kept_flows);
}

}  // namespace podlane::dataplane
