#include "control/loadbalancer/memory.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <set>

namespace podlane::control {

namespace {

using Json = nlohmann::ordered_json;

Json entry(const NamespacedName& service, const std::vector<IpAddress>& addresses) {
    Json texts = Json::array();
    for (const IpAddress& address : addresses) texts.push_back(to_string(address));
    return {{"service", to_string(service)}, {"addresses", std::move(texts)}};
}

/// Reads one list of entries. Several Services may have the same address.
Result<std::vector<AddressMemory::Gone>> read_entries(const Json& text, const char* key) {
    std::vector<AddressMemory::Gone> out;
    const auto list = text.find(key);
    if (list == text.end() || !list->is_array()) return Error{fmt::format("{}: no list", key)};
    for (const Json& item : *list) {
        const bool is_entry = item.is_object() && item.contains("service") &&
                              item["service"].is_string() && item.contains("addresses") &&
                              item["addresses"].is_array();
        const std::string name = is_entry ? item["service"].get<std::string>() : "";
        const size_t slash = name.find('/');
        if (slash == std::string::npos) return Error{fmt::format("{}: not a Service", key)};
        AddressMemory::Gone entry{{name.substr(0, slash), name.substr(slash + 1)}, {}};
        std::set<IpAddress> seen;
        for (const Json& word : item["addresses"]) {
            const auto address =
                word.is_string() ? parse_ip(word.get<std::string>()) : std::nullopt;
            if (!address || !seen.insert(*address).second) {
                return Error{fmt::format("{}: {}: {} is no address, or a second time", key, name,
                                         word.dump())};
            }
            entry.addresses.push_back(*address);
        }
        out.push_back(std::move(entry));
    }
    return out;
}

Error system_error(const std::string& path, const char* what) {
    return Error{fmt::format("{}: cannot {}: {}", path, what, std::strerror(errno)), path};
}

}  // namespace

std::string to_text(const AddressMemory& memory) {
    Json held = Json::array();
    for (const auto& [service, addresses] : memory.held) held.push_back(entry(service, addresses));
    Json gone = Json::array();
    for (const auto& each : memory.gone) gone.push_back(entry(each.service, each.addresses));
    return Json{{"held", std::move(held)}, {"gone", std::move(gone)}}.dump(1) + "\n";
}

Result<AddressMemory> memory_from_text(std::string_view text) {
    const Json json = Json::parse(text, nullptr, false);
    if (!json.is_object()) return Error{"not a JSON object"};
    auto held = read_entries(json, "held");
    if (!held.ok()) return held.error();
    auto gone = read_entries(json, "gone");
    if (!gone.ok()) return gone.error();
    AddressMemory memory;
    for (auto& each : *held) memory.held[each.service] = std::move(each.addresses);
    memory.gone = std::move(*gone);
    return memory;
}

Result<AddressMemory> load_memory(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    if (!file) {
        if (errno == ENOENT) return AddressMemory{};
        return system_error(path, "be read");
    }
    const std::string text{std::istreambuf_iterator<char>(file), {}};
    auto memory = memory_from_text(text);
    if (!memory.ok()) return Error{fmt::format("{}: {}", path, memory.error().message), path};
    return memory;
}

Result<void> save_memory(const std::string& path, const AddressMemory& memory) {
    const std::string beside = path + ".new";
    std::error_code failed;
    std::filesystem::create_directories(std::filesystem::path(path).parent_path(), failed);
    const std::string text = to_text(memory);
    const int fd = ::open(beside.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
    if (fd < 0) return system_error(beside, "be written");
    const bool whole = ::write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size());
    const bool safe = whole && ::fsync(fd) == 0;
    ::close(fd);
    if (safe && std::rename(beside.c_str(), path.c_str()) == 0) return {};
    const Error error = system_error(path, "be written");
    ::unlink(beside.c_str());
    return error;
}

}  // namespace podlane::control
