// Longest-prefix match for the slow path and explain: an immutable table of some hundred routes.
#pragma once

#include <algorithm>
#include <cstdint>
#include <unordered_map>
#include <utility>
#include <vector>

#include "lib/base/family.h"

namespace podlane {

/// Longest-prefix match from prefixes of family F to a Value. Built once, then only read: any
/// number of threads may look up. Cost: one hash lookup for each prefix length in use.
template <Family F, class Value>
class Lpm {
  public:
    using Address = typename F::Address;

    Lpm() = default;
    /// Later entries win over earlier ones with the same prefix.
    explicit Lpm(const std::vector<std::pair<Prefix<F>, Value>>& routes) {
        for (const auto& [prefix, value] : routes) insert(prefix, value);
    }

    /// The value of the longest prefix that contains `address`, or nullptr.
    [[nodiscard]] const Value* find(const Address& address) const noexcept {
        for (const Level& level : levels_) {
            const auto at = level.values.find(address.masked(level.length));
            if (at != level.values.end()) return &at->second;
        }
        return nullptr;
    }
    /// The longest matching prefix itself; nullptr when there is none.
    [[nodiscard]] bool find_prefix(const Address& address, Prefix<F>& out) const noexcept {
        for (const Level& level : levels_) {
            const Address masked = address.masked(level.length);
            if (level.values.contains(masked)) {
                out = {masked, level.length};
                return true;
            }
        }
        return false;
    }
    [[nodiscard]] size_t size() const noexcept {
        size_t count = 0;
        for (const Level& level : levels_) count += level.values.size();
        return count;
    }
    /// Calls `visit(Prefix<F>, const Value&)`, longest prefixes first, then by address.
    template <class Visit>
    void for_each(Visit visit) const {
        for (const Level& level : levels_) {
            std::vector<Address> keys;
            keys.reserve(level.values.size());
            for (const auto& [key, value] : level.values) keys.push_back(key);
            std::sort(keys.begin(), keys.end());
            for (const Address& key : keys)
                visit(Prefix<F>{key, level.length}, level.values.at(key));
        }
    }

  private:
    struct Hash {
        size_t operator()(const Address& address) const noexcept {
            uint64_t h = 0x9e3779b97f4a7c15u;
            const auto* bytes = reinterpret_cast<const uint8_t*>(&address);
            for (size_t i = 0; i < sizeof(Address); i += 4) {
                uint32_t word = 0;
                __builtin_memcpy(&word, bytes + i, 4);
                h = (h ^ word) * 0xff51afd7ed558ccdu;
                h ^= h >> 29;
            }
            return static_cast<size_t>(h);
        }
    };
    struct Level {
        uint8_t length;
        std::unordered_map<Address, Value, Hash> values;
    };

    void insert(const Prefix<F>& prefix, const Value& value) {
        auto at = std::find_if(levels_.begin(), levels_.end(),
                               [&](const Level& level) { return level.length <= prefix.length; });
        if (at == levels_.end() || at->length != prefix.length) {
            at = levels_.insert(at, Level{prefix.length, {}});
        }
        at->values[prefix.address.masked(prefix.length)] = value;
    }

    std::vector<Level> levels_;  // longest prefix first
};

}  // namespace podlane
