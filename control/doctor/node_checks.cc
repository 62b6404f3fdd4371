// Checks of the running node through its socket.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <functional>
#include <string>
#include <vector>

#include "control/doctor/findings.h"
#include "lib/base/device.h"

namespace podlane::control {

namespace {

using Json = nlohmann::ordered_json;

std::string text_in(const Json& item, const char* key) {
    const auto found = item.find(key);
    return found != item.end() && found->is_string() ? found->get<std::string>() : std::string();
}
uint64_t number_in(const Json& item, const char* key) {
    const auto found = item.find(key);
    return found != item.end() && found->is_number_unsigned() ? found->get<uint64_t>() : 0;
}

void look_at_daemon(Examination& at) {
    if (at.node.version.is_null()) {
        at.note("podlaned does not answer: " + at.node.error,
                "before it is installed that is as it should be; else systemctl status podlaned");
        return;
    }
    const std::string version = text_in(at.node.version, "version");
    if (version != at.asker.version) {
        at.warn(fmt::format("podlaned is {}, podlanectl {}", version, at.asker.version),
                "install both from one version");
        return;
    }
    at.ok(fmt::format("podlaned {} answers ({})", version, text_in(at.node.version, "dpdk")));
}

void look_at_health(Examination& at) {
    if (!at.node.health.is_object()) return;
    const auto lines = [&at](const char* key) {
        std::vector<std::string> out;
        const auto found = at.node.health.find(key);
        if (found == at.node.health.end() || !found->is_array()) return out;
        for (const Json& line : *found) {
            out.push_back(line.is_string() ? line.get<std::string>() : line.dump());
        }
        return out;
    };
    const std::vector<std::string> problems = lines("problems");
    if (problems.empty()) at.ok("the node is healthy");
    for (const std::string& line : problems) {
        at.warn(line, "podlanectl health, podlanectl events");
    }
    for (const std::string& line : lines("elsewhere")) {
        const bool is_dns = line.starts_with("DNS server ");
        at.note(line, is_dns ? "look at that server, and cluster.upstreamDns"
                             : "look at that machine; podlanectl get neighbors");
    }
}

void look_at_seccomp(Examination& at) {
    const std::string state = at.node.health.is_object() ? text_in(at.node.health, "seccomp") : "";
    if (state == "off") {
        at.note("podlaned's system calls are not filtered",
                "a fault in it could be used for more; security.seccomp: on");
    } else if (state == "on") {
        at.ok("podlaned's system calls are filtered");
    } else if (at.machine.exists("/proc/sys/kernel/seccomp/actions_avail")) {
        at.ok("the kernel has seccomp");
    } else {
        at.warn("the kernel has no seccomp",
                "podlaned's system calls cannot be filtered; a kernel with CONFIG_SECCOMP_FILTER, "
                "or security.seccomp: off");
    }
}

void look_at_shortcut(Examination& at) {
    const std::string state = at.node.health.is_object() ? text_in(at.node.health, "shortcut") : "";
    if (state == "on") {
        at.ok("the kernel carries what pods of this node say to each other and to the node");
    } else if (state == "off") {
        at.ok("podlaned carries what pods of this node say to each other and to the node");
    } else if (!state.empty()) {
        constexpr std::string_view kSubject = "shortcut: ";
        at.note(state.starts_with(kSubject) ? state.substr(kSubject.size()) : state,
                "podlaned carries what pods say to each other, more slowly; the kernel needs "
                "CONFIG_BPF_SYSCALL and CONFIG_NET_CLS_BPF, Linux 5.10 or later");
    }
}

void look_at_losses(Examination& at) {
    if (!at.node.stats.is_object() || !at.node.stats.contains("ports")) return;
    bool loses = false;
    for (const Json& port : at.node.stats.at("ports")) {
        const auto losses = port.find("deviceLosses");
        if (losses == port.end()) continue;
        const std::string name = text_in(port, "name");
        const uint64_t missed = number_in(*losses, "rxMissed");
        if (missed > 0 && text_in(port, "kind") == "pod") {
            loses = true;
            at.note(
                fmt::format("{}: the pod sent {} frames faster than they were taken", name, missed),
                "if it goes on: podlanectl top shows whether it floods, or workers are busy");
        } else if (missed > 0) {
            loses = true;
            at.warn(fmt::format("{}: {} frames lost by the device without a free descriptor", name,
                                missed),
                    "workers are too slow: more of them, or CPUs of their own");
        }
        if (const uint64_t none = number_in(*losses, "rxNoBuffer"); none > 0) {
            loses = true;
            at.warn(fmt::format("{}: {} frames lost for want of a packet buffer", name, none),
                    "raise memory.mbufs");
        }
        if (const uint64_t bad = number_in(*losses, "rxErrors"); bad > 0) {
            loses = true;
            at.warn(fmt::format("{}: {} frames came damaged", name, bad),
                    "cable, transceiver, switch port");
        }
    }
    if (!loses) at.ok("no device has lost a frame");
}

void look_at_flows(Examination& at) {
    if (!at.node.stats.is_object() || !at.node.stats.contains("flows")) return;
    const Json& flows = at.node.stats.at("flows");
    const uint64_t active = number_in(flows, "active"), capacity = number_in(flows, "capacity");
    const std::string use = fmt::format("{} of {} connections", active, capacity);
    if (number_in(flows, "refused") > 0) {
        at.warn(fmt::format("{} new connections found no room", number_in(flows, "refused")),
                "raise flows.capacity; podlanectl top shows who fills the table");
    } else if (capacity != 0 && active > capacity / 10 * 9) {
        at.warn("the flow table is nearly full: " + use, "raise flows.capacity");
    } else {
        at.ok("flow table: " + use);
    }
}

/// The kernel interface that a device names; empty: it names none.
std::string interface_of(const std::string& device) {
    const size_t named = device.find("iface=");
    if (named == std::string::npos) return {};
    return device.substr(named + 6, device.find(',', named) - named - 6);
}

/// An uplink whose NIC stays with the kernel: frames pass between it and podlaned by programs.
void look_at_kernel_uplink(Examination& at, const std::string& name, const std::string& interface) {
    const auto link = at.machine.link(interface);
    if (!link) {
        at.warn(fmt::format("{}: there is no interface {}", name, interface),
                "podlaned takes it back once it is there again");
        return;
    }
    const auto is_ours = [](const std::string& program) { return program.starts_with("from_nic"); };
    const auto others = std::ranges::count_if(link->ingress, std::not_fn(is_ours));
    bool is_well = true;
    if (std::ranges::none_of(link->ingress, is_ours)) {
        is_well = false;
        at.warn(fmt::format("{}: podlane's program is not at the ingress of {}", name, interface),
                "no frame comes to podlaned, and the node's own stack sees them; restart podlaned");
    } else if (others != 0) {
        is_well = false;
        at.warn(fmt::format("{}: other programs are at the ingress of {}: {}", name, interface,
                            fmt::join(link->ingress, ", ")),
                "they take frames away from podlaned; what must see them there cannot share it");
    }
    if (!link->has_gro) {
        is_well = false;
        at.note(fmt::format("{}: {} does not join frames", name, interface),
                fmt::format("pods get a stream frame by frame; ethtool -K {} gro on", interface));
    }
    if (!link->has_tso) {
        is_well = false;
        at.note(
            fmt::format("{}: {} does not segment frames", name, interface),
            fmt::format("the CPU cuts large ones; ethtool -K {} sg on tx on tso on", interface));
    }
    if (is_well) {
        at.ok(fmt::format("{}: {} has podlane's program, joins and segments frames", name,
                          interface));
    }
}

void look_at_uplinks(Examination& at) {
    if (!at.node.ports.is_array()) return;
    for (const Json& port : at.node.ports) {
        const std::string device = text_in(port, "device");
        if (text_in(port, "kind") != "uplink" || !device.starts_with(kTcDriver)) continue;
        look_at_kernel_uplink(at, text_in(port, "name"), interface_of(device));
    }
}

void look_at_mtus(Examination& at) {
    if (!at.node.ports.is_array()) return;
    uint64_t smallest_uplink = 0, largest_pod = 0;
    for (const Json& port : at.node.ports) {
        const uint64_t mtu = number_in(port, "mtu");
        const std::string kind = text_in(port, "kind");
        if (kind == "pod") largest_pod = std::max(largest_pod, mtu);
        if (kind != "uplink") continue;
        smallest_uplink = smallest_uplink == 0 ? mtu : std::min(smallest_uplink, mtu);
        const std::string interface = interface_of(text_in(port, "device"));
        if (interface.empty()) continue;
        const auto own = at.machine.number("/sys/class/net/" + interface + "/mtu");
        if (own && static_cast<uint64_t>(*own) < mtu) {
            at.warn(
                fmt::format("{}: MTU {}, and its interface {} has {}", text_in(port, "name"), mtu,
                            interface, *own),
                fmt::format("ip link set {} mtu {}, or a smaller uplinks[].mtu", interface, mtu));
        }
    }
    if (smallest_uplink == 0 || largest_pod == 0) return;
    if (largest_pod > smallest_uplink) {
        at.warn(fmt::format("pods' MTU {} is above the uplink's {}", largest_pod, smallest_uplink),
                "pods.mtu: auto leaves room for the overlay");
    } else {
        at.ok(fmt::format("MTU: pods {}, uplinks {}", largest_pod, smallest_uplink));
    }
}

constexpr std::array kNodeChecks{
    DoctorCheck{"podlaned", look_at_daemon},   DoctorCheck{"health", look_at_health},
    DoctorCheck{"seccomp", look_at_seccomp},   DoctorCheck{"losses", look_at_losses},
    DoctorCheck{"flows", look_at_flows},       DoctorCheck{"mtu", look_at_mtus},
    DoctorCheck{"shortcut", look_at_shortcut}, DoctorCheck{"uplinks", look_at_uplinks},
};

}  // namespace

std::span<const DoctorCheck> node_checks() noexcept {
    return kNodeChecks;
}

}  // namespace podlane::control
