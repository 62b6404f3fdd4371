// What a runtime asks podlane-cni for: its environment variables and standard input, checked.
//
// plugin.cc reads one for each call. CNI specification 1.1.0 and back to 0.3.0, section 2; the
// capabilities are those of CNI's CONVENTIONS.md.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lib/base/ip_address.h"
#include "lib/base/mac.h"

namespace podlane::cni {

using Json = nlohmann::ordered_json;
using Environment = std::map<std::string, std::string>;

inline constexpr const char* kNewestVersion = "1.1.0";
inline constexpr const char* kDefaultSocket = "/run/podlane/podlane.sock";
inline constexpr const char* kDefaultStateDir = "/run/podlane-cni";

enum class CommandKind : uint8_t { kAdd, kDel, kCheck, kGc, kStatus, kVersion };

/// An interface of a container: what a runtime adds and deletes.
struct Attachment {
    std::string container;
    std::string ifname;

    friend auto operator<=>(const Attachment&, const Attachment&) = default;
    /// "CONTAINER:IFNAME", a file name: neither part has a colon or a slash.
    [[nodiscard]] std::string key() const { return container + ':' + ifname; }
    [[nodiscard]] static Attachment from_key(std::string_view key);
};

struct Request {
    CommandKind command = CommandKind::kVersion;
    std::string version;  ///< cniVersion of the configuration
    Json config;          ///< whole, as an IPAM plugin gets it
    std::string network;  ///< its `name`
    Attachment attachment;
    std::string netns;        ///< may be empty in a DEL, if the runtime no longer knows it
    std::string plugin_path;  ///< CNI_PATH
    std::string pod;          ///< "namespace/name"

    std::string socket;                     ///< podlaned's
    std::string state_dir;                  ///< of this network
    std::chrono::milliseconds wait{20000};  ///< for podlaned
    std::string ipam;  ///< type of the IPAM plugin; empty: addresses come from the pod CIDRs

    std::vector<IpAddress> ips;  ///< asked for
    std::optional<MacAddress> mac;
    Json port_mappings = Json::array();  ///< {hostPort, containerPort, protocol, [hostIP]}
    Json bandwidth = Json::object();     ///< {ingressRate, ingressBurst, ...}; without zeros
    Json device = Json::object();        ///< {interface, user, group}; empty: a kernel interface
    Json dns = Json::object();           ///< keys of a result's `dns`
    std::vector<Attachment> valid;       ///< GC: the attachments to keep
};

/// Reads and checks a call; throws Failure.
[[nodiscard]] Request read_request(const Environment& environment, std::string_view input);

/// The `cniVersion` in the text on standard input, for the answer to it; else the newest.
[[nodiscard]] std::string version_of(std::string_view input);

/// "0.3.0" ... "1.1.0", oldest first.
[[nodiscard]] const std::vector<std::string>& supported_versions();
/// Whether version `a` is `b` or newer; both of MAJOR.MINOR.PATCH.
[[nodiscard]] bool is_at_least(std::string_view a, std::string_view b);

}  // namespace podlane::cni
