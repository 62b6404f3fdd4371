#include "control/cni/plugin.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <ostream>
#include <set>

#include "control/cni/allocator.h"
#include "control/cni/attachments.h"
#include "control/cni/delegate.h"
#include "control/cni/failure.h"
#include "control/cni/inspect.h"
#include "control/cni/node_link.h"
#include "control/cni/result.h"
#include "control/rpc/request.h"
#include "lib/base/printable.h"

namespace podlane::cni {
namespace {

namespace rpc_code = control::rpc_code;

// A DEL that podlaned does not accept within this time is stored for later.
constexpr auto kDelWait = std::chrono::seconds(2);
// How often ADD tries to make the port, with other addresses if the first ones are in use.
constexpr unsigned kAddressAttempts = 3;

/// Whether `object` has all members of `wanted`.
bool has_all_of(const Json& object, const Json& wanted) {
    for (const auto& [key, value] : wanted.items()) {
        if (object.value(key, Json()) != value) return false;
    }
    return true;
}

[[noreturn]] void fail_check(const std::string& why) {
    throw Failure(code::kCheckFailed, "the container's port is not as it was made", why);
}

class Call {
  public:
    Call(const Request& request, const Environment& environment)
        : request_(request),
          allocator_(request.state_dir + "/addresses", request.wait),
          attachments_(request.state_dir, request.wait),
          node_(request.socket, request.wait) {
        if (request.ipam.empty()) return;
        delegate_.emplace(request, environment);
    }

    Json add();
    void del();
    void check();
    void gc();
    void status();

  private:
    GivenAddresses take_addresses(const std::set<IpAddress>& avoid);
    void release_addresses(const Attachment& attachment);
    Json add_port(GivenAddresses& given);
    bool make_way(const std::vector<GivenAddress>& ips, std::set<IpAddress>& taken);
    void remove_port(const Attachment& attachment);
    void give_up_port();
    void pay_removals();
    void undo() noexcept;
    std::vector<IpPrefix> pod_cidrs();
    Json port_params(const GivenAddresses& given) const;
    void check_port(const ListedInterface& wanted);
    /// For a port with a socket instead of an interface: checks what can be seen of it.
    static void check_socket(const Json& port, const ListedInterface& wanted);

    const Request& request_;
    const Allocator allocator_;
    const Attachments attachments_;
    NodeLink node_;
    std::optional<Delegate> delegate_;
};

std::vector<IpPrefix> Call::pod_cidrs() {
    std::vector<IpPrefix> cidrs;
    const Json node = node_.ask("node");
    for (const Json& text : node.at("podCidrs")) {
        if (const auto cidr = parse_prefix(text.get<std::string>())) cidrs.push_back(*cidr);
    }
    return cidrs;
}

GivenAddresses Call::take_addresses(const std::set<IpAddress>& avoid) {
    if (delegate_) {
        try {
            return read_ipam_answer(delegate_->add());
        } catch (const Failure& failure) {
            // Undo what it began. The first error is the one to report.
            try {
                delegate_->del(request_.attachment);
            } catch (const Failure&) {
            }
            throw;
        }
    }
    GivenAddresses given;
    for (const InterfaceAddress& each :
         allocator_.take(request_.attachment, pod_cidrs(), request_.ips, avoid)) {
        given.ips.push_back({each, address_plus(each.subnet().address, 1)});
    }
    return given;
}

void Call::release_addresses(const Attachment& attachment) {
    if (delegate_) {
        delegate_->del(attachment);
    } else {
        allocator_.release(attachment);
    }
}

void Call::remove_port(const Attachment& attachment) {
    Answer answer =
        node_.call("pod.del", {{"container", attachment.container}, {"ifname", attachment.ifname}});
    if (const auto* refusal = std::get_if<Refusal>(&answer)) refuse("pod.del", *refusal);
}

/// Removes the port, now or when podlaned is back.
void Call::give_up_port() {
    node_.wait_at_most(std::min<std::chrono::milliseconds>(kDelWait, request_.wait));
    try {
        pay_removals();
        remove_port(request_.attachment);
    } catch (const Failure& failure) {
        if (failure.code() != code::kTryAgainLater) throw;
        attachments_.owe_removal(request_.attachment);
    }
}

void Call::pay_removals() {
    attachments_.pay_removals([this](const Attachment& each) { remove_port(each); });
}

Json Call::port_params(const GivenAddresses& given) const {
    Json addresses = Json::array();
    for (const GivenAddress& each : given.ips) addresses.push_back(to_string(each.address.address));
    Json params = {{"pod", request_.pod},
                   {"container", request_.attachment.container},
                   {"ifname", request_.attachment.ifname},
                   {"netns", request_.netns},
                   {"addresses", std::move(addresses)}};
    if (request_.mac) params["mac"] = to_string(*request_.mac);
    if (!request_.port_mappings.empty()) params["portMappings"] = request_.port_mappings;
    if (!request_.bandwidth.empty()) params["bandwidth"] = request_.bandwidth;
    params.update(request_.device);
    return params;
}

/// After a conflict: removes conflicting ports of containers that no longer exist. Returns whether
/// there were any; `taken` gets the addresses of the live ones.
bool Call::make_way(const std::vector<GivenAddress>& ips, std::set<IpAddress>& taken) {
    bool made = false;
    const Json ports = node_.ask("get", {{"kind", "ports"}});
    for (const Json& port : ports.at("items")) {
        const Attachment owner{port.value("container", ""), port.value("ifname", "")};
        std::vector<IpAddress> addresses;
        for (const Json& text : port.value("addresses", Json::array())) {
            if (const auto address = parse_ip(text.get<std::string>())) {
                addresses.push_back(*address);
            }
        }
        const bool collides = std::any_of(ips.begin(), ips.end(), [&](const GivenAddress& each) {
            return std::find(addresses.begin(), addresses.end(), each.address.address) !=
                   addresses.end();
        });
        struct stat there {};
        const std::string netns = port.value("netns", "");
        const bool is_dead =
            !netns.empty() && ::stat(netns.c_str(), &there) != 0 && errno == ENOENT;
        if (owner == request_.attachment || (collides && is_dead && !owner.container.empty())) {
            remove_port(owner);
            made = true;
        } else {
            taken.insert(addresses.begin(), addresses.end());
        }
    }
    return made;
}

Json Call::add_port(GivenAddresses& given) {
    for (unsigned attempt = 1;; ++attempt) {
        Answer answer = node_.call("pod.add", port_params(given));
        if (auto* json = std::get_if<Json>(&answer)) return json->at("port");
        const Refusal& refusal = std::get<Refusal>(answer);
        std::set<IpAddress> taken;
        const bool can_retry = refusal.code == rpc_code::kConflict && attempt < kAddressAttempts;
        if (can_retry && make_way(given.ips, taken)) continue;
        const bool is_by_address = std::any_of(
            given.ips.begin(), given.ips.end(),
            [&](const GivenAddress& each) { return taken.contains(each.address.address); });
        // The conflicting port may be gone by now; other addresses would not help.
        if (can_retry && !is_by_address) continue;
        if (!can_retry || delegate_ || !request_.ips.empty()) refuse("the pod's port", refusal);
        given = take_addresses(taken);
    }
}

/// After a failed ADD, for which podlaned may have done its part.
void Call::undo() noexcept {
    try {
        give_up_port();
        release_addresses(request_.attachment);
        attachments_.forget(request_.attachment);
    } catch (...) {  // the runtime's DEL repeats it; the error to report is ADD's
    }
}

Json Call::add() {
    if (auto foreign = check_foreign_namespace(request_.netns); !foreign.ok()) {
        throw Failure(code::kUnknownContainer, "the container's network namespace cannot be used",
                      foreign.error().message);
    }
    pay_removals();
    if (const auto before = attachments_.find(request_.attachment)) {
        const auto had = find_interface(before->result, request_.attachment.ifname);
        if (had && before->netns == request_.netns && before->pod == request_.pod) {
            try {
                check_port(*had);
                return before->result;
            } catch (const Failure&) {  // then it is made again
            }
        }
        remove_port(request_.attachment);
        release_addresses(request_.attachment);
    }
    attachments_.keep(request_.attachment, {request_.pod, request_.netns, nullptr});
    Json result;
    try {
        GivenAddresses given = take_addresses({});
        const Json port = add_port(given);
        result = make_result(request_, given, port);
    } catch (...) {
        undo();
        throw;
    }
    attachments_.keep(request_.attachment, {request_.pod, request_.netns, result});
    return result;
}

void Call::del() {
    give_up_port();
    release_addresses(request_.attachment);
    attachments_.forget(request_.attachment);
}

void Call::check_port(const ListedInterface& wanted) {
    const Json answer = node_.ask("get", {{"kind", "ports"}});
    const Json& ports = answer.at("items");
    const auto port = std::find_if(ports.begin(), ports.end(), [&](const Json& each) {
        return each.value("container", "") == request_.attachment.container &&
               each.value("ifname", "") == request_.attachment.ifname;
    });
    if (port == ports.end()) {
        fail_check(fmt::format("podlaned has no port {} of container {}",
                               request_.attachment.ifname, request_.attachment.container));
    }
    if (port->value("netns", "") != request_.netns) {
        fail_check(fmt::format("podlaned's port is in {}", port->value("netns", "")));
    }
    const Json mapped = port->value("portMappings", Json::array());
    for (const Json& wish : request_.port_mappings) {
        if (std::none_of(mapped.begin(), mapped.end(),
                         [&](const Json& each) { return has_all_of(each, wish); })) {
            fail_check(fmt::format("podlaned's port lacks the mapping {}", wish.dump()));
        }
    }
    if (const Json limits = port->value("bandwidth", Json::object());
        limits != request_.bandwidth) {
        fail_check(fmt::format("podlaned's port has the limits {}, not {}", limits.dump(),
                               request_.bandwidth.dump()));
    }
    if (port->value("interface", "tap") != request_.device.value("interface", "tap")) {
        fail_check(fmt::format("podlaned's port is a {}", port->value("interface", "tap")));
    }
    if (!request_.device.empty()) {
        check_socket(*port, wanted);
        return;
    }
    const auto seen = inspect_interface(request_.netns, request_.attachment.ifname);
    if (!seen.ok()) fail_check(seen.error().message);
    if (!seen->up) fail_check(fmt::format("{} is down", request_.attachment.ifname));
    if (!wanted.mac.empty() && parse_mac(wanted.mac) != seen->mac) {
        fail_check(fmt::format("{} has MAC {}, not {}", request_.attachment.ifname,
                               to_string(seen->mac), wanted.mac));
    }
    const Json has = port->value("addresses", Json::array());
    for (const std::string& text : wanted.addresses) {
        const auto address = parse_interface_address(text);
        if (!address) fail_check(fmt::format("{} is no address with a prefix length", text));
        const std::string plain = to_string(address->address);
        if (std::find(has.begin(), has.end(), plain) == has.end()) {
            fail_check(fmt::format("podlaned's port lacks {}", plain));
        }
        if (!seen->addresses.contains(address->address)) {
            fail_check(fmt::format("{} lacks {}", request_.attachment.ifname, plain));
        }
        const bool is_v4 = address->address.is_v4();
        if (std::none_of(seen->default_gateways.begin(), seen->default_gateways.end(),
                         [&](const IpAddress& via) { return via.is_v4() == is_v4; })) {
            fail_check(fmt::format("{} has no default route of IPv{}", request_.attachment.ifname,
                                   is_v4 ? 4 : 6));
        }
    }
}

void Call::check_socket(const Json& port, const ListedInterface& wanted) {
    const std::string path = port.value("socketPath", "");
    struct stat there {};
    if (::lstat(path.c_str(), &there) != 0 || !S_ISSOCK(there.st_mode)) {
        fail_check(fmt::format("{} is no socket", path));
    }
    const Json has = port.value("addresses", Json::array());
    for (const std::string& text : wanted.addresses) {
        const auto address = parse_interface_address(text);
        const std::string plain = address ? to_string(address->address) : text;
        if (std::find(has.begin(), has.end(), plain) == has.end()) {
            fail_check(fmt::format("podlaned's port lacks {}", plain));
        }
    }
}

void Call::check() {
    const auto previous = request_.config.find("prevResult");
    if (previous == request_.config.end() || !previous->is_object()) {
        throw Failure(code::kBadConfig, "CHECK needs the result of ADD", "prevResult is missing");
    }
    const auto wanted = find_interface(*previous, request_.attachment.ifname);
    if (!wanted) {
        throw Failure(code::kBadConfig, "the result of ADD has no such interface",
                      fmt::format("prevResult.interfaces lacks {} with a sandbox",
                                  request_.attachment.ifname));
    }
    if (delegate_) {
        delegate_->check();
    } else {
        const std::vector<IpAddress> held = allocator_.held_by(request_.attachment);
        for (const std::string& text : wanted->addresses) {
            const auto address = parse_interface_address(text);
            if (address && std::find(held.begin(), held.end(), address->address) == held.end()) {
                throw Failure(code::kCheckFailed, "the container's address is not its own",
                              fmt::format("{} is not held by {}", text, request_.attachment.key()));
            }
        }
    }
    check_port(*wanted);
}

void Call::gc() {
    std::string problems;
    const auto attempt = [&](const auto& work) {
        try {
            work();
        } catch (const Failure& failure) {
            if (!problems.empty()) problems += "; ";
            problems += failure.message() + ": " + failure.details();
        }
    };
    attempt([&] { pay_removals(); });
    const std::set<Attachment> valid(request_.valid.begin(), request_.valid.end());
    std::set<Attachment> known = allocator_.holders();
    for (const Attachment& each : attachments_.all()) known.insert(each);
    for (const Attachment& each : known) {
        if (valid.contains(each)) continue;
        attempt([&] {
            remove_port(each);
            release_addresses(each);
            attachments_.forget(each);
        });
    }
    if (delegate_) attempt([&] { delegate_->gc(); });
    if (!problems.empty()) {
        throw Failure(code::kTryAgainLater, "not all that is stale could be removed", problems);
    }
}

void Call::status() {
    node_.wait_at_most(std::chrono::milliseconds(0));
    Json health;
    try {
        health = node_.ask("health");
    } catch (const Failure& failure) {
        // Without podlaned, the packets of existing pods are not forwarded.
        throw Failure(code::kLimitedConnectivity, failure.message(), failure.details());
    }
    for (const Json& worker : health.value("workers", Json::array())) {
        if (worker.value("alive", true)) continue;
        throw Failure(code::kLimitedConnectivity, "podlaned has lost a worker",
                      health.value("problems", Json::array()).dump());
    }
    pay_removals();
    if (delegate_) {
        delegate_->status();
        return;
    }
    try {
        allocator_.check_room(pod_cidrs());
    } catch (const Failure& failure) {
        throw Failure(code::kNotAvailable, failure.message(), failure.details());
    }
}

/// The text for standard output; null for none.
Json answer(const Request& request, const Environment& environment) {
    if (request.command == CommandKind::kVersion) {
        return {{"cniVersion", request.version}, {"supportedVersions", supported_versions()}};
    }
    Call call(request, environment);
    switch (request.command) {
        case CommandKind::kAdd:
            return call.add();
        case CommandKind::kDel:
            call.del();
            break;
        case CommandKind::kCheck:
            call.check();
            break;
        case CommandKind::kGc:
            call.gc();
            break;
        case CommandKind::kStatus:
            call.status();
            break;
        case CommandKind::kVersion:
            break;
    }
    return nullptr;
}

}  // namespace

int run(const Environment& environment, std::string_view input, std::ostream& out) {
    const auto tell = [&](const Failure& failure) {
        out << printable_json(failure.to_json(version_of(input))
                                  .dump(4, ' ', false, Json::error_handler_t::replace))
            << '\n';
        return 1;
    };
    try {
        const Json said = answer(read_request(environment, input), environment);
        if (!said.is_null())
            out << said.dump(4, ' ', false, Json::error_handler_t::replace) << '\n';
        return 0;
    } catch (const Failure& failure) {
        return tell(failure);
    } catch (const std::exception& error) {
        return tell({code::kRefused, "podlane-cni failed", error.what()});
    }
}

}  // namespace podlane::cni
