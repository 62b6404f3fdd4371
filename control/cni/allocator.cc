#include "control/cni/allocator.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <optional>

#include "control/cni/failure.h"

namespace podlane::cni {
namespace {

constexpr uint64_t kFirst = 2;  ///< base + 0 is the network, base + 1 the gateway

/// Where the search continues: one file for each CIDR, so that CIDRs do not affect each other.
std::string last_name(const IpPrefix& cidr) {
    return fmt::format("last.{}-{}", to_string(cidr.address), cidr.length);
}

Failure exhausted(const IpPrefix& cidr) {
    return {
        code::kTryAgainLater, "no pod address is left",
        fmt::format("all {} addresses of {} are in use", pod_addresses_in(cidr), to_string(cidr))};
}

}  // namespace

uint64_t pod_addresses_in(const IpPrefix& cidr) noexcept {
    const unsigned bits = (cidr.address.is_v4() ? 32U : 128U) - cidr.length;
    const uint64_t all = uint64_t{1} << std::min(bits, 32U);
    const uint64_t edges = cidr.address.is_v4() && cidr.length <= 30 ? 3 : 2;
    return all > edges ? all - edges : 0;
}

Allocator::Allocator(std::string folder, std::chrono::milliseconds wait)
    : folder_(std::move(folder)), wait_(wait) {}

InterfaceAddress Allocator::next(const std::string& holder, const IpPrefix& cidr,
                                 const std::set<IpAddress>& avoid) const {
    const uint64_t count = pod_addresses_in(cidr);
    const std::string last = last_name(cidr);
    uint64_t offset = 0;
    if (const auto text = folder_.read_link(last)) {
        std::from_chars(text->data(), text->data() + text->size(), offset);
        offset = count == 0 ? 0 : (offset + 1) % count;
    }
    for (uint64_t tried = 0; tried < count; ++tried, offset = (offset + 1) % count) {
        const IpAddress address = address_plus(cidr.address, kFirst + offset);
        if (avoid.contains(address)) continue;
        if (!folder_.make_link(to_string(address), holder)) continue;
        folder_.replace_link(last, std::to_string(offset));
        return {address, cidr.length};
    }
    throw exhausted(cidr);
}

std::vector<InterfaceAddress> Allocator::take(const Attachment& holder,
                                              const std::vector<IpPrefix>& cidrs,
                                              const std::vector<IpAddress>& wanted,
                                              const std::set<IpAddress>& avoid) const {
    const auto lock = folder_.lock(wait_);
    const std::string key = holder.key();
    std::vector<IpAddress> held = held_by(holder);
    std::vector<InterfaceAddress> taken;
    const auto give_back = [&] {
        for (const InterfaceAddress& each : taken) folder_.remove(to_string(each.address));
    };
    for (const IpAddress& address : wanted) {
        if (std::none_of(cidrs.begin(), cidrs.end(),
                         [&](const IpPrefix& cidr) { return cidr.contains(address); })) {
            std::vector<std::string> texts;
            for (const IpPrefix& cidr : cidrs) texts.push_back(to_string(cidr));
            throw Failure(code::kBadConfig, "an address that was asked for is not this node's",
                          fmt::format("{} is in none of this node's pod CIDRs ({})",
                                      to_string(address), fmt::join(texts, ", ")));
        }
    }
    try {
        for (const IpPrefix& cidr : cidrs) {
            const auto is_here = [&](const IpAddress& each) { return cidr.contains(each); };
            const auto asked = std::find_if(wanted.begin(), wanted.end(), is_here);
            const auto had = std::find_if(held.begin(), held.end(), [&](const IpAddress& each) {
                return is_here(each) && !avoid.contains(each) &&
                       (asked == wanted.end() || each == *asked);
            });
            if (had != held.end()) {
                taken.push_back({*had, cidr.length});
            } else if (asked == wanted.end()) {
                taken.push_back(next(key, cidr, avoid));
            } else if (folder_.make_link(to_string(*asked), key)) {
                taken.push_back({*asked, cidr.length});
            } else {
                throw Failure(code::kTryAgainLater, "an address that was asked for is in use",
                              fmt::format("{} is held by {}", to_string(*asked),
                                          folder_.read_link(to_string(*asked)).value_or("nobody")));
            }
        }
    } catch (...) {
        give_back();
        throw;
    }
    // Addresses that it held before and no longer needs.
    for (const IpAddress& each : held) {
        if (std::none_of(taken.begin(), taken.end(),
                         [&](const InterfaceAddress& t) { return t.address == each; })) {
            folder_.remove(to_string(each));
        }
    }
    return taken;
}

std::vector<IpAddress> Allocator::held_by(const Attachment& holder) const {
    std::vector<IpAddress> held;
    const std::string key = holder.key();
    for (const std::string& name : folder_.names()) {
        const auto address = parse_ip(name);
        if (address && folder_.read_link(name) == key) held.push_back(*address);
    }
    std::sort(held.begin(), held.end());
    return held;
}

void Allocator::release(const Attachment& holder) const {
    const auto lock = folder_.lock(wait_);
    for (const IpAddress& address : held_by(holder)) folder_.remove(to_string(address));
}

std::set<Attachment> Allocator::holders() const {
    std::set<Attachment> found;
    for (const std::string& name : folder_.names()) {
        if (!parse_ip(name)) continue;
        if (const auto key = folder_.read_link(name)) found.insert(Attachment::from_key(*key));
    }
    return found;
}

void Allocator::check_room(const std::vector<IpPrefix>& cidrs) const {
    const std::vector<std::string> names = folder_.names();
    for (const IpPrefix& cidr : cidrs) {
        const auto used = std::count_if(names.begin(), names.end(), [&](const std::string& name) {
            const auto address = parse_ip(name);
            return address && cidr.contains(*address);
        });
        if (static_cast<uint64_t>(used) >= pod_addresses_in(cidr)) throw exhausted(cidr);
    }
}

}  // namespace podlane::cni
