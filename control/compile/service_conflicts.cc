// The part of ServiceCompiler that decides who wins if several want one address or port.
#include <fmt/format.h>

#include <algorithm>

#include "control/compile/services.h"

namespace podlane::control {

namespace {

Error conflict(const Origin& origin, const NamespacedName& name, const char* path,
               const std::string& value, const NamespacedName& other) {
    const std::string where =
        origin.document.empty() ? "" : fmt::format("{}:{}: ", origin.document, origin.line);
    return {fmt::format("{}Service {}: {}: {} is already taken by Service {}", where,
                        to_string(name), path, value, to_string(other)),
            origin.document, static_cast<int>(origin.line), path};
}

template <Family F>
std::string describe(const FrontendKey<F>& key, const Frontend<F>& frontend) {
    const std::string protocol(protocol_name(static_cast<Protocol>(key.protocol)));
    return frontend.any_address
               ? fmt::format("port {}/{} of the node", key.port.host(), protocol)
               : fmt::format("{}/{}", to_string(IpAddress(key.address), key.port.host()), protocol);
}

template <Family F>
std::string owner_text(const Frontend<F>& frontend) {
    return fmt::format("{} {}", frontend.kind == FrontendKind::kHostPort ? "Pod" : "Service",
                       frontend.service_name);
}

const char* path_of(FrontendKind kind) noexcept {
    switch (kind) {
        case FrontendKind::kClusterIp:
            return "spec.clusterIP";
        case FrontendKind::kNodePort:
            return "spec.ports.nodePort";
        case FrontendKind::kLoadBalancer:
            return "status.loadBalancer.ingress";
        case FrontendKind::kExternalIp:
            return "spec.externalIPs";
        case FrontendKind::kHostPort:
            break;
    }
    return "spec.containers.ports.hostPort";
}

}  // namespace

template <Family F>
Result<void> ServiceCompiler::check_claims(const std::vector<Plan>& plans,
                                           const ServiceDelta& delta) const {
    const Book<F>& book = books_.get<F>();
    // For Services in the delta, what they will have counts, not what they have now.
    const auto stays = [&](const NamespacedName& name) { return !delta.services.contains(name); };
    const auto holds = [&](const typename F::Address& address, const NamespacedName& name) {
        const auto at = book.cluster_ips.find(address);
        return at != book.cluster_ips.end() &&
               std::ranges::any_of(at->second, [&](const Holder& h) { return h.name == name; });
    };
    const auto claims = [&](const FrontendKey<F>& key, const NamespacedName& name) {
        const auto at = book.claims.find(key);
        return at != book.claims.end() && std::ranges::any_of(at->second, [&](const auto& claim) {
                   return claim.frontend->kind == FrontendKind::kNodePort &&
                          claim.owner.name == name;
               });
    };
    std::map<typename F::Address, NamespacedName> addresses;
    std::map<FrontendKey<F>, NamespacedName> node_ports;
    for (const Plan& plan : plans) {
        const Planned<F>& planned = plan.planned.get<F>();
        const NamespacedName& name = plan.owner.name;
        for (const auto& address : planned.cluster_ips) {
            const auto [first, fresh] = addresses.emplace(address, name);
            std::optional<NamespacedName> other;
            if (!fresh && first->second != name) other = first->second;
            if (const auto at = book.cluster_ips.find(address); at != book.cluster_ips.end()) {
                for (const Holder& holder : at->second) {
                    if (stays(holder.name)) other = holder.name;
                }
            }
            if (!other || (holds(address, name) && holds(address, *other))) continue;
            return conflict(plan.origin, name, "spec.clusterIP", to_string(IpAddress(address)),
                            *other);
        }
        for (const Frontend<F>& frontend : planned.frontends) {
            if (frontend.kind != FrontendKind::kNodePort) continue;
            const FrontendKey<F> key = key_of(frontend);
            const auto [first, fresh] = node_ports.emplace(key, name);
            std::optional<NamespacedName> other;
            if (!fresh && first->second != name) other = first->second;
            if (const auto at = book.claims.find(key); at != book.claims.end()) {
                for (const Claim<F>& claim : at->second) {
                    if (claim.frontend->kind == FrontendKind::kNodePort && stays(claim.owner.name))
                        other = claim.owner.name;
                }
            }
            if (!other || (claims(key, name) && claims(key, *other))) continue;
            const auto protocol = static_cast<Protocol>(key.protocol);
            return conflict(plan.origin, name, "spec.ports.nodePort",
                            fmt::format("{}/{}", key.port.host(), protocol_name(protocol)), *other);
        }
    }
    return {};
}

template <Family F>
const ServiceCompiler::Claim<F>* ServiceCompiler::winner_of(const FrontendKey<F>& key) const {
    const Book<F>& book = books_.get<F>();
    const auto at = book.claims.find(key);
    if (at == book.claims.end()) return nullptr;
    const auto holder = book.cluster_ips.find(key.address);
    const Claim<F>* winner = nullptr;
    for (const Claim<F>& claim : at->second) {
        const bool is_cluster_ip = claim.frontend->kind == FrontendKind::kClusterIp;
        if (is_cluster_ip && holder != book.cluster_ips.end() &&
            holder->second.begin()->name != claim.owner.name) {
            continue;
        }
        if (winner == nullptr || claim < *winner) winner = &claim;
    }
    return winner;
}

template <Family F>
void ServiceCompiler::hold_addresses(const Plan& plan, Record& record,
                                     std::set<FrontendKey<F>>& touched) {
    Book<F>& book = books_.get<F>();
    Owned<F>& owned = record.owned.get<F>();
    const std::vector<typename F::Address>& wanted = plan.planned.get<F>().cluster_ips;
    if (wanted == owned.cluster_ips && plan.age == record.age) return;
    std::set<typename F::Address> addresses(wanted.begin(), wanted.end());
    addresses.insert(owned.cluster_ips.begin(), owned.cluster_ips.end());
    for (const auto& address : addresses) {
        std::set<Holder>& holders = book.cluster_ips[address];
        const size_t before = holders.size();
        holders.erase({record.age, plan.owner.name});
        if (std::ranges::find(wanted, address) != wanted.end()) {
            holders.insert({plan.age, plan.owner.name});
        }
        if (before > 1 || holders.size() > 1) {
            for (auto at = book.claims.lower_bound({address, be16(0), 0});
                 at != book.claims.end() && at->first.address == address; ++at) {
                touched.insert(at->first);
            }
        }
        if (holders.size() > 1) {
            book.contested_ips.insert(address);
        } else {
            book.contested_ips.erase(address);
        }
        if (holders.empty()) book.cluster_ips.erase(address);
    }
    owned.cluster_ips = wanted;
}

template <Family F>
void ServiceCompiler::list_refused(std::vector<RefusedObject>& out) const {
    const Book<F>& book = books_.get<F>();
    for (const auto& address : book.contested_ips) {
        const std::set<Holder>& holders = book.cluster_ips.at(address);
        for (auto loser = std::next(holders.begin()); loser != holders.end(); ++loser) {
            out.push_back(
                {{Kind::kService, loser->name.name_space, loser->name.name},
                 fmt::format("spec.clusterIP: {} is served for Service {}, which is older",
                             to_string(IpAddress(address)), to_string(holders.begin()->name))});
        }
    }
    for (const FrontendKey<F>& key : book.contested) {
        const Claim<F>* winner = winner_of<F>(key);
        for (const Claim<F>& claim : book.claims.at(key)) {
            const bool by_address = claim.frontend->kind == FrontendKind::kClusterIp &&
                                    book.contested_ips.contains(key.address);
            if (winner == nullptr || claim.owner == winner->owner || by_address) continue;
            const Kind kind = claim.owner.is_pod ? Kind::kPod : Kind::kService;
            out.push_back(
                {{kind, claim.owner.name.name_space, claim.owner.name.name},
                 fmt::format(
                     "{}: {} is served for {}{}", path_of(claim.frontend->kind),
                     describe(key, *claim.frontend), owner_text(*winner->frontend),
                     claim.frontend->kind == winner->frontend->kind ? ", which is older" : "")});
        }
    }
}

std::vector<RefusedObject> ServiceCompiler::refused() const {
    std::vector<RefusedObject> out;
    list_refused<V4>(out);
    list_refused<V6>(out);
    std::ranges::sort(out);
    // A nodePort applies to both families and is reported by each.
    out.erase(std::unique(out.begin(), out.end()), out.end());
    return out;
}

template <Family F>
void ServiceCompiler::note_conflicts(const Owner& owner, std::vector<std::string>& notices) const {
    const auto record = records_.find(owner);
    if (record == records_.end()) return;
    for (const auto& frontend : record->second.owned.get<F>().frontends) {
        const FrontendKey<F> key = key_of(*frontend);
        const auto& claims = books_.get<F>().claims.at(key);
        const Claim<F>* winner = winner_of<F>(key);
        if (winner == nullptr) continue;
        for (const Claim<F>& other : claims) {
            if (other.owner == owner) continue;
            notices.push_back(fmt::format("{} and {} both want {}; it is served for {}",
                                          owner_text(*frontend), owner_text(*other.frontend),
                                          describe(key, *frontend), owner_text(*winner->frontend)));
            break;
        }
    }
}

template Result<void> ServiceCompiler::check_claims<V4>(const std::vector<Plan>&,
                                                        const ServiceDelta&) const;
template Result<void> ServiceCompiler::check_claims<V6>(const std::vector<Plan>&,
                                                        const ServiceDelta&) const;
template const ServiceCompiler::Claim<V4>* ServiceCompiler::winner_of<V4>(
    const FrontendKey<V4>&) const;
template const ServiceCompiler::Claim<V6>* ServiceCompiler::winner_of<V6>(
    const FrontendKey<V6>&) const;
template void ServiceCompiler::hold_addresses<V4>(const Plan&, Record&, std::set<FrontendKey<V4>>&);
template void ServiceCompiler::hold_addresses<V6>(const Plan&, Record&, std::set<FrontendKey<V6>>&);
template void ServiceCompiler::note_conflicts<V4>(const Owner&, std::vector<std::string>&) const;
template void ServiceCompiler::note_conflicts<V6>(const Owner&, std::vector<std::string>&) const;

}  // namespace podlane::control
