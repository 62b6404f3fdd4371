#include "control/cni/request.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>

#include "control/cni/failure.h"

namespace podlane::cni {
namespace {

bool is_alphanumeric(char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/// The specification's syntax for a container id and a network's name.
bool is_identifier(std::string_view text) {
    return !text.empty() && is_alphanumeric(text[0]) &&
           std::all_of(text.begin(), text.end(), [](char c) {
               return is_alphanumeric(c) || c == '_' || c == '.' || c == '-';
           });
}

bool is_interface(std::string_view text) {
    return !text.empty() && text.size() <= 15 && text != "." && text != ".." &&
           std::none_of(text.begin(), text.end(), [](char c) {
               return c == '/' || c == ':' || std::isspace(static_cast<unsigned char>(c)) != 0;
           });
}

std::string value_of(const Environment& environment, const char* name) {
    const auto found = environment.find(name);
    return found == environment.end() ? std::string() : found->second;
}

struct CommandRow {
    const char* name;
    CommandKind kind;
    const char* since;  ///< the first version that has it
    bool attachment;    ///< concerns one interface of one container
    bool netns;         ///< needs its namespace
};
constexpr std::array kCommands = {
    CommandRow{"ADD", CommandKind::kAdd, "0.3.0", true, true},
    CommandRow{"DEL", CommandKind::kDel, "0.3.0", true, false},
    CommandRow{"CHECK", CommandKind::kCheck, "0.4.0", true, true},
    CommandRow{"GC", CommandKind::kGc, "1.1.0", false, false},
    CommandRow{"STATUS", CommandKind::kStatus, "1.1.0", false, false},
    CommandRow{"VERSION", CommandKind::kVersion, "0.3.0", false, false},
};

const CommandRow& command_of(const Environment& environment) {
    const std::string name = value_of(environment, "CNI_COMMAND");
    for (const CommandRow& row : kCommands) {
        if (name == row.name) return row;
    }
    throw Failure(code::kBadEnvironment, "CNI_COMMAND is none of the specification's commands",
                  fmt::format("CNI_COMMAND={}; ADD, DEL, CHECK, GC, STATUS and VERSION are", name));
}

void read_environment(const Environment& environment, const CommandRow& command, Request& out) {
    out.plugin_path = value_of(environment, "CNI_PATH");
    if (!command.attachment) return;
    out.attachment = {value_of(environment, "CNI_CONTAINERID"),
                      value_of(environment, "CNI_IFNAME")};
    out.netns = value_of(environment, "CNI_NETNS");
    const std::string& container = out.attachment.container;
    // A file's name has at most 255 bytes, and includes the interface's name.
    if (!is_identifier(container) || container.size() > 200) {
        throw Failure(code::kBadEnvironment, "CNI_CONTAINERID is no container id",
                      fmt::format("CNI_CONTAINERID={}; letters, digits, '_', '.' and '-' are "
                                  "allowed, at most 200, a letter or digit first",
                                  container));
    }
    if (!is_interface(out.attachment.ifname)) {
        throw Failure(code::kBadEnvironment, "CNI_IFNAME is no interface name",
                      fmt::format("CNI_IFNAME={}; 1-15 characters without '/', ':' and white space",
                                  out.attachment.ifname));
    }
    if (command.netns && out.netns.empty()) {
        throw Failure(code::kBadEnvironment, "CNI_NETNS is missing",
                      fmt::format("{} needs the path of the network namespace", command.name));
    }
}

std::map<std::string, std::string> read_args(const std::string& text) {
    std::map<std::string, std::string> args;
    for (size_t at = 0; at < text.size();) {
        const size_t end = std::min(text.find(';', at), text.size());
        const std::string pair = text.substr(at, end - at);
        at = end + 1;
        if (pair.empty()) continue;
        const size_t equals = pair.find('=');
        if (equals == std::string::npos) {
            throw Failure(code::kBadEnvironment, "CNI_ARGS is no list of pairs",
                          fmt::format("CNI_ARGS={}; KEY=VALUE;KEY=VALUE is", text));
        }
        args[pair.substr(0, equals)] = pair.substr(equals + 1);
    }
    return args;
}

/// A container that is not a pod has a port too, with a name that Kubernetes could have given.
std::string pod_name_of(const std::map<std::string, std::string>& args,
                        const std::string& container) {
    const auto name = args.find("K8S_POD_NAME");
    const auto name_space = args.find("K8S_POD_NAMESPACE");
    if (name != args.end() && name_space != args.end() && !name->second.empty() &&
        !name_space->second.empty()) {
        return name_space->second + '/' + name->second;
    }
    std::string made;
    for (const char c : container.substr(0, 63)) {
        made += is_alphanumeric(c) ? static_cast<char>(std::tolower(c)) : '-';
    }
    while (!made.empty() && made.back() == '-') made.pop_back();
    return "default/" + made;
}

[[noreturn]] void wrong(std::string_view key, const Json& value, std::string_view allowed) {
    throw Failure(code::kBadConfig, fmt::format("the network configuration's {} is wrong", key),
                  fmt::format("{} is not {}", value.dump(), allowed));
}

/// A member of an object, or null.
const Json& member(const Json& object, const char* key) {
    static const Json kNull;
    if (!object.is_object()) return kNull;
    const auto found = object.find(key);
    return found == object.end() ? kNull : *found;
}

std::string text_or(const Json& config, const char* key, const char* otherwise) {
    const Json& value = member(config, key);
    if (value.is_null()) return otherwise;
    if (!value.is_string() || value.get_ref<const std::string&>().empty()) {
        wrong(key, value, "a path");
    }
    return value;
}

Json texts(const Json& value, const std::string& key) {
    if (!value.is_array() || !std::all_of(value.begin(), value.end(),
                                          [](const Json& each) { return each.is_string(); })) {
        wrong(key, value, "a list of texts");
    }
    return value;
}

/// `dns` in the configuration, and the capability of that name, which has other keys.
Json read_dns(const Json& config, const Json& runtime) {
    struct Row {
        const char* capability;
        const char* result;
    };
    constexpr std::array kRows = {Row{"servers", "nameservers"}, Row{"searches", "search"},
                                  Row{"options", "options"}};
    Json dns = Json::object();
    const Json& fixed = member(config, "dns");
    const Json& dynamic = member(runtime, "dns");
    for (const Row& row : kRows) {
        const Json& asked = member(dynamic, row.capability);
        const Json& given = member(fixed, row.result);
        if (!asked.is_null()) {
            dns[row.result] = texts(asked, fmt::format("runtimeConfig.dns.{}", row.capability));
        } else if (!given.is_null()) {
            dns[row.result] = texts(given, fmt::format("dns.{}", row.result));
        }
    }
    if (const Json& domain = member(fixed, "domain"); domain.is_string()) dns["domain"] = domain;
    return dns;
}

void add_ip(const Json& value, Request& out) {
    if (!value.is_string()) wrong("ips", value, "an IP address");
    const auto& text = value.get_ref<const std::string&>();
    std::optional<IpAddress> address = parse_ip(text);
    if (const auto with_length = parse_interface_address(text)) address = with_length->address;
    if (!address) wrong("ips", value, "an IP address, with a prefix length or without");
    out.ips.push_back(*address);
}

void read_mac(const Json& value, Request& out) {
    if (!value.is_string()) wrong("mac", value, "a MAC address");
    out.mac = parse_mac(value.get_ref<const std::string&>());
    if (!out.mac || out.mac->is_multicast() || out.mac->is_zero()) {
        wrong("mac", value, "a MAC address of one interface, as 02:42:ac:11:00:02");
    }
}

void read_port_mappings(const Json& list, Request& out) {
    if (list.is_null()) return;
    if (!list.is_array()) wrong("runtimeConfig.portMappings", list, "a list");
    const auto port = [](const Json& value, int least) {
        return value.is_number_integer() && value >= least && value <= 65535;
    };
    for (const Json& each : list) {
        const Json& host = member(each, "hostPort");
        if (host.is_null() || host == 0) continue;  // runtimes list a container's other ports, too
        if (!port(host, 1) || !port(member(each, "containerPort"), 1)) {
            wrong("runtimeConfig.portMappings", each, "of ports from 1 to 65535");
        }
        const Json& protocol = member(each, "protocol");
        std::string name = protocol.is_string() ? protocol.get<std::string>() : "tcp";
        std::transform(name.begin(), name.end(), name.begin(),
                       [](char c) { return static_cast<char>(std::toupper(c)); });
        if (name != "TCP" && name != "UDP" && name != "SCTP") {
            wrong("runtimeConfig.portMappings", each, "of protocol tcp, udp or sctp");
        }
        Json mapping = {{"hostPort", host},
                        {"containerPort", each["containerPort"]},
                        {"protocol", std::move(name)}};
        const Json& address = member(each, "hostIP");
        if (address.is_string() && address != "") {
            const auto ip = parse_ip(address.get_ref<const std::string&>());
            if (!ip) wrong("runtimeConfig.portMappings", each, "of an IP address as hostIP");
            const std::string text = to_string(*ip);
            if (text != "0.0.0.0" && text != "::") mapping["hostIP"] = text;
        }
        out.port_mappings.push_back(std::move(mapping));
    }
}

void read_bandwidth(const Json& limits, Request& out) {
    if (limits.is_null()) return;
    if (!limits.is_object()) wrong("runtimeConfig.bandwidth", limits, "an object");
    for (const char* way : {"ingress", "egress"}) {
        const std::string rate = fmt::format("{}Rate", way), burst = fmt::format("{}Burst", way);
        for (const std::string& key : {rate, burst}) {
            const Json& value = member(limits, key.c_str());
            if (value.is_null()) continue;
            if (!value.is_number_unsigned() || value > uint64_t{INT64_MAX}) {
                wrong(fmt::format("runtimeConfig.bandwidth.{}", key), value,
                      "a number of bits (0 is no limit)");
            }
            if (value != 0) out.bandwidth[key] = value;
        }
        if (out.bandwidth.contains(burst) && !out.bandwidth.contains(rate)) {
            wrong(fmt::format("runtimeConfig.bandwidth.{}", burst), out.bandwidth[burst],
                  fmt::format("of use without {}", rate));
        }
    }
}

/// A DPDK application's socket instead of an interface.
void read_interface(const Json& config, Request& out) {
    const Json& kind = member(config, "interface");
    if (kind.is_null() || kind == "tap") return;
    if (kind != "memif" && kind != "vhostUser") {
        wrong("interface", kind, "one of tap, memif and vhostUser");
    }
    out.device["interface"] = kind;
    for (const auto& [key, name] :
         {std::pair{"socketUser", "user"}, std::pair{"socketGroup", "group"}}) {
        const Json& id = member(config, key);
        if (id.is_null()) continue;
        if (!id.is_number_unsigned() || id > UINT32_MAX) wrong(key, id, "a number of an id");
        out.device[name] = id;
    }
}

void read_valid(const Json& config, Request& out) {
    // libcni writes both names: the specification's first version used the shorter one.
    const Json& named = member(config, "cni.dev/valid-attachments");
    const Json& list = named.is_null() ? member(config, "cni.dev/attachments") : named;
    if (!list.is_array()) {
        wrong("cni.dev/valid-attachments", list, "a list; GC needs the valid attachments");
    }
    for (const Json& each : list) {
        const Json& container = member(each, "containerID");
        const Json& ifname = member(each, "ifname");
        if (!container.is_string() || !ifname.is_string()) {
            wrong("cni.dev/valid-attachments", each, "of containerID and ifname");
        }
        out.valid.push_back({container, ifname});
    }
}

/// Where a setting can be asked for in several places, the newest form wins (CONVENTIONS.md).
void read_wishes(const Json& config, const std::map<std::string, std::string>& args, Request& out) {
    const Json& runtime = member(config, "runtimeConfig");
    const Json& labels = member(member(config, "args"), "cni");
    const Json* ips = &member(runtime, "ips");
    if (ips->is_null()) ips = &member(labels, "ips");
    if (ips->is_array()) {
        for (const Json& each : *ips) add_ip(each, out);
    } else if (!ips->is_null()) {
        wrong("ips", *ips, "a list");
    } else if (const auto ip = args.find("IP"); ip != args.end()) {
        add_ip(ip->second, out);
    }
    const Json* mac = &member(runtime, "mac");
    if (mac->is_null()) mac = &member(labels, "mac");
    if (!mac->is_null()) {
        read_mac(*mac, out);
    } else if (const auto at = args.find("MAC"); at != args.end()) {
        read_mac(at->second, out);
    }
    read_port_mappings(member(runtime, "portMappings"), out);
    read_bandwidth(member(runtime, "bandwidth"), out);
    read_interface(config, out);
    out.dns = read_dns(config, runtime);
}

void read_config(const CommandRow& command, Request& out) {
    const Json& name = member(out.config, "name");
    if (!name.is_string() || !is_identifier(name.get_ref<const std::string&>())) {
        wrong("name", name, "a network's name: letters, digits, '_', '.' and '-'");
    }
    out.network = name;
    out.socket = text_or(out.config, "socket", kDefaultSocket);
    out.state_dir = text_or(out.config, "stateDir", kDefaultStateDir) + '/' + out.network;
    if (const Json& wait = member(out.config, "waitSeconds"); !wait.is_null()) {
        if (!wait.is_number_integer() || wait < 0 || wait > 600) {
            wrong("waitSeconds", wait, "a number of seconds (0-600)");
        }
        out.wait = std::chrono::seconds(wait.get<int>());
    }
    if (const Json& ipam = member(out.config, "ipam"); !ipam.is_null()) {
        const Json& type = member(ipam, "type");
        if (!type.is_null() && !type.is_string()) wrong("ipam.type", type, "a plugin's name");
        if (type.is_string()) out.ipam = type;
        if (out.ipam.find('/') != std::string::npos) wrong("ipam.type", type, "a plugin's name");
        if (out.ipam == "podlane") out.ipam.clear();
    }
    if (command.kind == CommandKind::kGc) read_valid(out.config, out);
}

std::array<unsigned, 3> numbers_of(std::string_view version) {
    std::array<unsigned, 3> numbers{};
    const char* at = version.data();
    const char* const end = at + version.size();
    for (unsigned& number : numbers) {
        const auto [next, error] = std::from_chars(at, end, number);
        if (error != std::errc() || next == end) break;
        at = next + 1;
    }
    return numbers;
}

}  // namespace

Attachment Attachment::from_key(std::string_view key) {
    const size_t colon = std::min(key.find(':'), key.size());
    return {std::string(key.substr(0, colon)),
            std::string(colon < key.size() ? key.substr(colon + 1) : std::string_view())};
}

const std::vector<std::string>& supported_versions() {
    static const std::vector<std::string> kVersions = {"0.3.0", "0.3.1", "0.4.0", "1.0.0",
                                                       kNewestVersion};
    return kVersions;
}

bool is_at_least(std::string_view a, std::string_view b) {
    return numbers_of(a) >= numbers_of(b);
}

std::string version_of(std::string_view input) {
    const Json config = Json::parse(input, nullptr, false);
    const Json& version = member(config, "cniVersion");
    return version.is_string() ? version.get<std::string>() : kNewestVersion;
}

Request read_request(const Environment& environment, std::string_view input) {
    const CommandRow& command = command_of(environment);
    Request out;
    out.command = command.kind;
    if (command.kind == CommandKind::kVersion) {
        out.version = version_of(input);
        return out;
    }
    read_environment(environment, command, out);
    out.config = Json::parse(input, nullptr, false);
    if (!out.config.is_object()) {
        throw Failure(code::kUndecodable, "the network configuration is no JSON object",
                      fmt::format("standard input has {} bytes", input.size()));
    }
    const Json& version = member(out.config, "cniVersion");
    // A configuration without a version is 0.1.0, by the specification.
    out.version = version.is_string() ? version.get<std::string>() : "0.1.0";
    const auto& known = supported_versions();
    if (std::find(known.begin(), known.end(), out.version) == known.end()) {
        throw Failure(code::kIncompatibleVersion, "incompatible CNI versions",
                      fmt::format("the configuration is of {}, podlane-cni knows {}", out.version,
                                  fmt::join(known, ", ")));
    }
    if (!is_at_least(out.version, command.since)) {
        throw Failure(code::kIncompatibleVersion,
                      fmt::format("CNI {} has no {}", out.version, command.name),
                      fmt::format("cniVersion {} or newer has", command.since));
    }
    read_config(command, out);
    if (!command.attachment) return out;
    const auto args = read_args(value_of(environment, "CNI_ARGS"));
    out.pod = pod_name_of(args, out.attachment.container);
    // A DEL must succeed whatever has become of the configuration.
    if (command.kind != CommandKind::kDel) read_wishes(out.config, args, out);
    return out;
}

}  // namespace podlane::cni
