#include "control/netdev/guard_memory.h"

#include <fmt/format.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <system_error>

namespace podlane::control {

namespace {

using Json = nlohmann::json;

constexpr int kVersion = 1;

Json to_json(const KernelRoute& route) {
    Json out{{"destination", to_string(route.destination)},
             {"onlink", route.onlink},
             {"metric", route.metric},
             {"protocol", route.protocol},
             {"table", route.table}};
    if (route.via) out["via"] = to_string(*route.via);
    if (route.preferred_source) out["source"] = to_string(*route.preferred_source);
    return out;
}

Json to_json(const GuardMemory& memory) {
    Json addresses = Json::array();
    for (const InterfaceAddress& each : memory.addresses) addresses.push_back(to_string(each));
    Json routes = Json::array();
    for (const KernelRoute& each : memory.routes) routes.push_back(to_json(each));
    return {{"version", kVersion},   {"ifindex", memory.ifindex}, {"addresses", addresses},
            {"routes", routes},      {"sysctls", memory.sysctls}, {"features", memory.features},
            {"setUp", memory.set_up}};
}

/// The file's content is only known when it is read: at() and get() throw on errors, and so does
/// this.
template <class T>
T whole(std::optional<T> value) {
    if (!value) throw std::invalid_argument("an address that is none");
    return *value;
}

std::optional<IpAddress> address_at(const Json& route, const char* key) {
    if (!route.contains(key)) return std::nullopt;
    return whole(parse_ip(route.at(key).get<std::string>()));
}

KernelRoute route_of(const Json& json) {
    KernelRoute route;
    route.destination = whole(parse_prefix(json.at("destination").get<std::string>()));
    route.via = address_at(json, "via");
    route.onlink = json.at("onlink").get<bool>();
    route.preferred_source = address_at(json, "source");
    route.metric = json.at("metric").get<uint32_t>();
    route.protocol = json.at("protocol").get<uint8_t>();
    route.table = json.at("table").get<uint32_t>();
    return route;
}

GuardMemory memory_of(const Json& json) {
    if (json.at("version").get<int>() != kVersion) throw std::invalid_argument("another version");
    GuardMemory memory;
    memory.ifindex = json.at("ifindex").get<int>();
    for (const Json& each : json.at("addresses")) {
        memory.addresses.push_back(whole(parse_interface_address(each.get<std::string>())));
    }
    for (const Json& each : json.at("routes")) memory.routes.push_back(route_of(each));
    json.at("sysctls").get_to(memory.sysctls);
    json.at("features").get_to(memory.features);
    memory.set_up = json.at("setUp").get<bool>();
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
        return std::optional(memory_of(Json::parse(text)));
    } catch (const std::exception& error) {
        return Error{fmt::format("{}: not what a podlaned has left: {}", path, error.what())};
    }
}

}  // namespace podlane::control
