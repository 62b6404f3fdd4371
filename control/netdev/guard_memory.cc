#include "control/netdev/guard_memory.h"

#include <fmt/format.h>

#include <cerrno>
#include <charconv>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <system_error>

#include "control/netdev/sysctl.h"

namespace podlane::control {

namespace {

using Json = nlohmann::json;

constexpr int kVersion = 2;

std::string boot_id() {
    return read_sysctl("/proc/sys/kernel/random/boot_id").ok()
               ? *read_sysctl("/proc/sys/kernel/random/boot_id")
               : std::string();
}

std::string to_hex(const std::vector<uint8_t>& bytes) {
    return fmt::format("{:02x}", fmt::join(bytes, ""));
}

/// The file's content is only known when it is read: at() and get() throw on errors, and so does
/// this.
std::vector<uint8_t> bytes_of(const std::string& hex) {
    std::vector<uint8_t> out(hex.size() / 2);
    for (size_t i = 0; i < out.size(); ++i) {
        const char* at = hex.data() + 2 * i;
        if (std::from_chars(at, at + 2, out[i], 16).ptr != at + 2) {
            throw std::invalid_argument("a message that is none");
        }
    }
    return out;
}

Json to_json(const std::vector<LinkRecord>& records) {
    Json out = Json::array();
    for (const LinkRecord& each : records) {
        // The text is for people who look into the file.
        out.push_back({{"type", each.type},
                       {"taken", each.taken_s},
                       {"message", to_hex(each.body)},
                       {"text", to_text(each)}});
    }
    return out;
}

std::vector<LinkRecord> records_of(const Json& json) {
    std::vector<LinkRecord> out;
    for (const Json& each : json) {
        out.push_back({each.at("type").get<uint16_t>(), each.at("taken").get<uint64_t>(),
                       bytes_of(each.at("message").get<std::string>())});
    }
    return out;
}

Json to_json(const GuardMemory& memory) {
    return {{"version", kVersion},
            {"boot", boot_id()},
            {"interface", memory.ifname},
            {"ifindex", memory.ifindex},
            {"mac", to_string(memory.mac)},
            {"addresses", to_json(memory.objects.addresses)},
            {"neighbours", to_json(memory.objects.neighbours)},
            {"routes", to_json(memory.objects.routes)},
            {"rules", to_json(memory.objects.rules)},
            {"host", memory.host},
            {"owner", memory.owner},
            {"sysctls", memory.sysctls},
            {"features", memory.features},
            {"setUp", memory.set_up},
            {"promiscuous", memory.promiscuous},
            {"programs", memory.programs}};
}

std::optional<GuardMemory> memory_of(const Json& json) {
    if (json.at("version").get<int>() != kVersion) throw std::invalid_argument("another version");
    if (json.at("boot").get<std::string>() != boot_id()) return std::nullopt;
    GuardMemory memory;
    memory.ifname = json.at("interface").get<std::string>();
    memory.ifindex = json.at("ifindex").get<int>();
    const auto mac = parse_mac(json.at("mac").get<std::string>());
    if (!mac) throw std::invalid_argument("a MAC address that is none");
    memory.mac = *mac;
    memory.objects = {records_of(json.at("addresses")), records_of(json.at("neighbours")),
                      records_of(json.at("routes")), records_of(json.at("rules"))};
    memory.host = json.at("host").get<std::string>();
    memory.owner = json.at("owner").get<std::string>();
    json.at("sysctls").get_to(memory.sysctls);
    json.at("features").get_to(memory.features);
    memory.set_up = json.at("setUp").get<bool>();
    memory.promiscuous = json.at("promiscuous").get<bool>();
    memory.programs = json.value("programs", false);
    return memory;
}

}  // namespace

Result<void> save_guard_memory(const std::string& path, const GuardMemory& memory) {
    std::error_code ignored;
    std::filesystem::create_directories(std::filesystem::path(path).parent_path(), ignored);
    const std::string beside = path + ".new";
    std::ofstream file(beside, std::ios::binary | std::ios::trunc);
    file << to_json(memory).dump() << '\n';
    file.close();
    if (!file || std::rename(beside.c_str(), path.c_str()) != 0) {
        const Error error{fmt::format("{} cannot be written: {}", path, std::strerror(errno))};
        std::remove(beside.c_str());
        return error;
    }
    return {};
}

Result<std::optional<GuardMemory>> load_guard_memory(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    if (!file) return std::optional<GuardMemory>{};
    const std::string text((std::istreambuf_iterator<char>(file)), {});
    try {
        return memory_of(Json::parse(text));
    } catch (const std::exception& error) {
        return Error{fmt::format("{}: not what a podlaned has left: {}", path, error.what())};
    }
}

}  // namespace podlane::control
