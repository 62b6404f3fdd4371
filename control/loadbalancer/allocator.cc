#include "control/loadbalancer/allocator.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <tuple>
#include <utility>

#include "control/compile/compiler.h"
#include "control/compile/frontends.h"
#include "lib/base/stable_hash.h"

namespace podlane::control {

namespace {

using Services = ObjectStore::Map<Service>;
using Nodes = ObjectStore::Map<Node>;

bool is_balanced(const std::optional<Object>& object) {
    return object && std::get<ObjectPtr<Service>>(*object)->type == ServiceType::kLoadBalancer;
}

bool touches_balanced(const ChangeSet& plan) {
    for (const auto* list : {&plan.added, &plan.changed, &plan.removed}) {
        for (const Change& change : *list) {
            if (change.key.kind != Kind::kService) continue;
            if (is_balanced(change.before) || is_balanced(change.after)) return true;
        }
    }
    return false;
}

/// The objects of a kind as they will be after the plan.
template <class T>
ObjectStore::Map<T> all_after(const ObjectStore& store, const ChangeSet& plan) {
    ObjectStore::Map<T> objects = store.all<T>();
    for (const auto* list : {&plan.added, &plan.changed, &plan.removed}) {
        for (const Change& change : *list) {
            if (change.key.kind != T::kKind) continue;
            const NamespacedName name{change.key.name_space, change.key.name};
            if (change.after) {
                objects[name] = std::get<ObjectPtr<T>>(*change.after);
            } else {
                objects.erase(name);
            }
        }
    }
    return objects;
}

/// The Service's families, starting with that of its first clusterIP.
std::vector<AddressFamily> families_of(const Service& service, AddressFamily default_family) {
    AddressFamily first = default_family;
    if (!service.cluster_ips.empty()) {
        first = service.cluster_ips.front().is_v4() ? AddressFamily::kIpv4 : AddressFamily::kIpv6;
    } else if (!service.ip_families.empty()) {
        first = service.ip_families.front();
    }
    const AddressFamily second =
        first == AddressFamily::kIpv4 ? AddressFamily::kIpv6 : AddressFamily::kIpv4;
    std::vector<AddressFamily> out;
    for (const AddressFamily family : {first, second}) {
        if (has_family(service, family, default_family)) out.push_back(family);
    }
    return out;
}

bool is_of(const IpAddress& address, AddressFamily family) noexcept {
    return address.is_v4() == (family == AddressFamily::kIpv4);
}

constexpr const char* name_of(AddressFamily family) noexcept {
    return family == AddressFamily::kIpv4 ? "IPv4" : "IPv6";
}

/// The first and the last address of an IPv4 subnet are not host addresses (RFC 1122 section
/// 3.2.1.3).
bool is_subnets_own(const NodeConfig& config, const IpAddress& address) {
    for (const UplinkConfig& uplink : config.uplinks) {
        for (const InterfaceAddress& own : uplink.addresses) {
            if (!own.address.is_v4() || own.length >= 31) continue;
            const AddressRange subnet = range_of(own.subnet());
            if (address == subnet.first || address == subnet.last) return true;
        }
    }
    return false;
}

/// None if two Services may share an address, by MetalLB's rules: the same key, no common port, and
/// the same pods if a policy is Local. Otherwise the reason, to follow "Service a/b's".
std::optional<std::string> why_not_shared(const Service& holder, const Service& other) {
    if (other.sharing_key.empty()) return "";
    if (holder.sharing_key != other.sharing_key) return ", which has not its allow-shared-ip key";
    for (const ServicePort& port : other.ports) {
        const bool is_both = std::ranges::any_of(holder.ports, [&](const ServicePort& its) {
            return its.port == port.port && its.protocol == port.protocol;
        });
        if (is_both) {
            return fmt::format(", which has port {}/{} too", port.port,
                               protocol_name(port.protocol));
        }
    }
    const bool is_local = holder.external_policy == TrafficPolicy::kLocal;
    if (is_local != (other.external_policy == TrafficPolicy::kLocal)) {
        return ", which has another externalTrafficPolicy";
    }
    const bool same_pods = holder.meta.name_space == other.meta.name_space &&
                           holder.selector.value_or(Labels()) == other.selector.value_or(Labels());
    if (is_local && !same_pods) return ", which selects other pods (externalTrafficPolicy Local)";
    return std::nullopt;
}

/// One allocation, from scratch: always the same result for the same Services, Nodes and memory.
class Allocation {
  public:
    Allocation(const NodeConfig& config, const AddressMemory& memory, const Services& services,
               const Nodes& nodes)
        : config_(config), memory_(memory) {
        reserve(services, nodes);
        for (const auto& each : memory.gone) {
            for (const IpAddress& address : each.addresses) gone_.insert(address);
        }
        for (const auto& [name, service] : services) {
            if (asks_pools(*service) && is_ours(*service)) claimants_.push_back({name, service});
        }
        // Older Services first, so that later ones displace none. Services without a creation time
        // come last.
        std::stable_sort(claimants_.begin(), claimants_.end(), [](const auto& a, const auto& b) {
            return std::tuple(a.service->meta.created == 0, a.service->meta.created) <
                   std::tuple(b.service->meta.created == 0, b.service->meta.created);
        });
        const AddressFamily usual = default_family(config);
        for (Claimant& claimant : claimants_) {
            claimant.families = families_of(*claimant.service, usual);
            read_requests(claimant);
        }
    }

    void run() {
        for_each_lack([this](Claimant& c, AddressFamily family) { keep_held(c, family); });
        for_each_lack([this](Claimant& c, AddressFamily family) { take_requested(c, family); });
        for_each_lack([this](Claimant& c, AddressFamily family) { take_former(c, family); });
        for_each_lack([this](Claimant& c, AddressFamily family) { take_new(c, family); });
    }

    /// The Service with its new status.
    struct Completed {
        NamespacedName name;
        ObjectPtr<Service> before;
        ObjectPtr<Service> after;
    };
    [[nodiscard]] std::vector<Completed> completed() const {
        std::vector<Completed> out;
        for (const Claimant& claimant : claimants_) {
            auto service = std::make_shared<Service>(*claimant.service);
            service->load_balancer.clear();
            for (const AddressFamily family : claimant.families) {
                if (const auto at = claimant.given.find(family); at != claimant.given.end()) {
                    service->load_balancer.push_back({at->second, {}, false});
                }
            }
            service->from_pools = !service->load_balancer.empty();
            service->address_problem = claimant.problem;
            out.push_back({claimant.name, claimant.service, std::move(service)});
        }
        return out;
    }

    [[nodiscard]] AddressMemory remembered() const {
        AddressMemory out;
        for (const auto& [address, services] : holders_) {
            for (const auto& service : services) {
                out.held[service->meta.namespaced_name()].push_back(address);
            }
        }
        const auto add_gone = [&](const NamespacedName& name,
                                  const std::vector<IpAddress>& addresses) {
            AddressMemory::Gone gone{name, {}};
            for (const IpAddress& address : addresses) {
                if (!holders_.contains(address) && config_.load_balancer.contains(address)) {
                    gone.addresses.push_back(address);
                }
            }
            if (!gone.addresses.empty()) out.gone.push_back(std::move(gone));
        };
        for (const auto& each : memory_.gone) add_gone(each.service, each.addresses);
        for (const auto& [name, addresses] : memory_.held) add_gone(name, addresses);
        const size_t excess = out.gone.size() - std::min(out.gone.size(), AddressMemory::kMostGone);
        out.gone.erase(out.gone.begin(), out.gone.begin() + static_cast<std::ptrdiff_t>(excess));
        return out;
    }

  private:
    struct Claimant {
        NamespacedName name;
        ObjectPtr<Service> service;
        std::vector<AddressFamily> families{};
        std::map<AddressFamily, IpAddress> requested{};
        std::map<AddressFamily, IpAddress> given{};
        AddressProblem problem{};
    };

    /// Whether no other controller has set its status.
    static bool is_ours(const Service& service) noexcept {
        return service.from_pools || service.load_balancer.empty();
    }

    /// Reserves addresses that are already taken.
    void reserve(const Services& services, const Nodes& nodes) {
        for (const auto& [name, node] : nodes) {
            for (const auto* list : {&node->internal_ips, &node->external_ips}) {
                for (const IpAddress& address : *list) {
                    taken_.emplace(address, "Node " + node->meta.name);
                }
            }
        }
        for (const auto& [name, service] : services) {
            const std::string owner = "Service " + to_string(name);
            for (const IpAddress& address : service->external_ips) taken_.emplace(address, owner);
            if (service->type != ServiceType::kLoadBalancer || is_ours(*service)) continue;
            for (const LoadBalancerIngress& ingress : service->load_balancer) {
                if (!ingress.ip || !config_.load_balancer.contains(*ingress.ip)) continue;
                holders_[*ingress.ip].push_back(service);
            }
        }
    }

    void read_requests(Claimant& claimant) {
        for (const std::string& text : claimant.service->requested_addresses) {
            const auto address = parse_ip(text);
            if (!address) {
                claimant.problem = {"InvalidRequest", fmt::format("{} is no address", text)};
                continue;
            }
            claimant.requested.emplace(
                address->is_v4() ? AddressFamily::kIpv4 : AddressFamily::kIpv6, *address);
        }
    }

    template <class Visit>
    void for_each_lack(Visit visit) {
        for (Claimant& claimant : claimants_) {
            for (const AddressFamily family : claimant.families) {
                if (!claimant.given.contains(family)) visit(claimant, family);
            }
        }
    }

    /// The owner of an address that this Service may not share: "Service a/b", with the reason if
    /// that is not obvious; "" if there is none.
    std::string owner_of(const IpAddress& address, const Claimant& claimant) const {
        if (const auto at = taken_.find(address); at != taken_.end()) return at->second + "'s";
        const auto holders = holders_.find(address);
        if (holders == holders_.end()) return {};
        for (const auto& holder : holders->second) {
            const auto why = why_not_shared(*holder, *claimant.service);
            if (!why) continue;
            return fmt::format("Service {}'s{}", to_string(holder->meta.namespaced_name()), *why);
        }
        return {};
    }

    bool is_free(const IpAddress& address, const Claimant& claimant) const {
        return config_.load_balancer.contains(address) && owner_of(address, claimant).empty() &&
               !is_subnets_own(config_, address);
    }

    void give(Claimant& claimant, AddressFamily family, const IpAddress& address) {
        claimant.given.emplace(family, address);
        holders_[address].push_back(claimant.service);
    }

    /// Gives the first free one of `addresses` in the family; only the requested one if there is a
    /// request.
    void give_first(Claimant& claimant, AddressFamily family,
                    const std::vector<IpAddress>& addresses) {
        const auto wanted = claimant.requested.find(family);
        for (const IpAddress& address : addresses) {
            if (!is_of(address, family) || !is_free(address, claimant)) continue;
            if (wanted != claimant.requested.end() && wanted->second != address) continue;
            give(claimant, family, address);
            return;
        }
    }

    void keep_held(Claimant& claimant, AddressFamily family) {
        const auto at = memory_.held.find(claimant.name);
        if (at != memory_.held.end()) give_first(claimant, family, at->second);
    }

    void take_requested(Claimant& claimant, AddressFamily family) {
        const auto at = claimant.requested.find(family);
        if (at == claimant.requested.end()) return;
        const IpAddress& address = at->second;
        if (is_free(address, claimant)) {
            give(claimant, family, address);
        } else if (const std::string owner = owner_of(address, claimant); !owner.empty()) {
            claimant.problem = {"AddressInUse", fmt::format("{} is {}", to_string(address), owner)};
        } else {
            claimant.problem = {"OutsidePools", fmt::format("{} is not an address of "
                                                            "loadBalancer.pools",
                                                            to_string(address))};
        }
    }

    void take_former(Claimant& claimant, AddressFamily family) {
        if (claimant.requested.contains(family)) return;
        for (const auto& each : memory_.gone) {
            if (each.service != claimant.name || claimant.given.contains(family)) continue;
            give_first(claimant, family, each.addresses);
        }
    }

    /// Starts at a place that depends on the name; addresses that other Services used to have come
    /// last.
    void take_new(Claimant& claimant, AddressFamily family) {
        if (claimant.requested.contains(family) || claimant.problem.reason == "InvalidRequest") {
            return;
        }
        uint64_t size = 0;
        for (const AddressRange& pool : config_.load_balancer.pools) {
            if (is_of(pool.first, family)) size += pool.count();
        }
        if (size == 0) {
            const bool needs_it =
                claimant.service->ip_family_policy == IpFamilyPolicy::kRequireDualStack;
            if (claimant.families.size() == 2 && !needs_it) return;
            claimant.problem = {
                "NoPool", fmt::format("loadBalancer.pools has no {} addresses", name_of(family))};
            return;
        }
        if (take_shared(claimant, family)) return;
        const uint64_t start = stable_hash(to_string(claimant.name)) % size;
        for (const bool also_gone : {false, true}) {
            for (uint64_t i = 0; i < size; ++i) {
                const IpAddress address = nth(family, (start + i) % size);
                if (!is_free(address, claimant) || (!also_gone && gone_.contains(address))) {
                    continue;
                }
                give(claimant, family, address);
                return;
            }
        }
        claimant.problem = {"PoolExhausted",
                            fmt::format("loadBalancer.pools: each of {} {} addresses is taken",
                                        size, name_of(family))};
    }

    /// Gives the lowest address that others have and are willing to share.
    bool take_shared(Claimant& claimant, AddressFamily family) {
        if (claimant.service->sharing_key.empty()) return false;
        for (const auto& [address, holders] : holders_) {
            if (!is_of(address, family) || !is_free(address, claimant)) continue;
            give(claimant, family, address);
            return true;
        }
        return false;
    }

    IpAddress nth(AddressFamily family, uint64_t index) const {
        for (const AddressRange& pool : config_.load_balancer.pools) {
            if (!is_of(pool.first, family)) continue;
            if (index < pool.count()) return address_plus(pool.first, index);
            index -= pool.count();
        }
        return {};
    }

    const NodeConfig& config_;
    const AddressMemory& memory_;
    std::vector<Claimant> claimants_;
    std::map<IpAddress, std::string> taken_;  // by Nodes, and as externalIPs
    std::map<IpAddress, std::vector<ObjectPtr<Service>>> holders_;
    std::set<IpAddress> gone_;
};

/// Puts a Service's new form into the plan; false if the plan does not have that key.
bool put(ChangeSet& plan, const ObjectKey& key, const ObjectPtr<Service>& after) {
    for (auto* list : {&plan.added, &plan.changed}) {
        const auto at = std::ranges::lower_bound(*list, key, {}, &Change::key);
        if (at == list->end() || at->key != key) continue;
        at->after = Object(after);
        return true;
    }
    return false;
}

}  // namespace

bool asks_pools(const Service& service) noexcept {
    return service.type == ServiceType::kLoadBalancer && service.load_balancer_class.empty() &&
           !is_unserved(service);
}

std::optional<AddressAllocator::Outcome> AddressAllocator::complete(const ObjectStore& store,
                                                                    ChangeSet& plan) const {
    if (config_.load_balancer.pools.empty() || !touches_balanced(plan)) return std::nullopt;
    Allocation allocation(config_, memory_, all_after<Service>(store, plan),
                          all_after<Node>(store, plan));
    allocation.run();
    Outcome out;
    out.memory = allocation.remembered();
    out.totals.refused = totals_.refused;
    std::vector<Change> waiting;  // had no address, and are not in the plan
    for (const auto& each : allocation.completed()) {
        const ObjectKey key{Kind::kService, each.name.name_space, each.name.name};
        const AddressProblem& problem = each.after->address_problem;
        ++(problem.reason.empty() ? out.totals.assigned : out.totals.pending);
        const auto stored = store.find<Service>(each.name);
        if (!problem.reason.empty() && (!stored || stored->address_problem != problem)) {
            ++out.totals.refused;
            const Origin& origin = each.after->meta.origin;
            out.notices.push_back(fmt::format("{}:{}: Service {}: no address ({}): {}",
                                              origin.document, origin.line, to_string(each.name),
                                              problem.reason, problem.message));
        }
        if (!put(plan, key, each.after) && *each.before != *each.after) {
            waiting.push_back({key, Object(each.before), Object(each.after)});
        }
    }
    // An object applied without its status may equal the stored one now that it has it.
    const auto is_same = [](const Change& change) {
        return equal_objects(*change.before, *change.after);
    };
    plan.unchanged += std::erase_if(plan.changed, is_same);
    std::ranges::move(waiting, std::back_inserter(plan.changed));
    std::ranges::sort(plan.changed, {}, &Change::key);
    return out;
}

void AddressAllocator::accept(Outcome outcome) {
    memory_ = std::move(outcome.memory);
    totals_ = outcome.totals;
}

}  // namespace podlane::control
