// Longest-prefix match for the slow path and explain: an immutable table of a few hundred routes.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <cstring>
#include <iterator>
#include <utility>
#include <vector>

#include "lib/base/family.h"

namespace podlane {

/// Longest-prefix match from prefixes of family F to a Value. Built once, then only read: any
/// number of threads may look up. Cost: for each prefix length in use, longest first, a
/// multiplication and usually one cache line.
template <Family F, class Value>
class Lpm {
  public:
    using Address = typename F::Address;

    Lpm() = default;
    /// Later entries win over earlier ones with the same prefix.
    explicit Lpm(const std::vector<std::pair<Prefix<F>, Value>>& routes) {
        std::array<size_t, F::kAddressBits + 1> count{};
        for (const auto& route : routes) ++count[route.first.length];
        std::array<size_t, F::kAddressBits + 1> level_of{};
        for (size_t length = count.size(); length-- > 0;) {
            if (count[length] == 0) continue;
            level_of[length] = levels_.size();
            levels_.emplace_back(static_cast<uint8_t>(length), count[length]);
        }
        values_.reserve(routes.size());
        for (const auto& [prefix, value] : routes) {
            Level& level = levels_[level_of[prefix.length]];
            Slot& slot = level.slot_of(prefix.address.masked(prefix.length));
            if (slot.value == kNone) {
                slot = {prefix.address.masked(prefix.length),
                        static_cast<uint32_t>(values_.size())};
                values_.push_back(value);
            } else {
                values_[slot.value] = value;
            }
        }
    }

    /// The value of the longest prefix that contains `address`, or nullptr.
    [[nodiscard]] const Value* find(const Address& address) const noexcept {
        for (const Level& level : levels_) {
            const uint32_t value = level.slot_of(address.masked(level.length)).value;
            if (value != kNone) return &values_[value];
        }
        return nullptr;
    }
    /// The longest matching prefix itself; nullptr when there is none.
    [[nodiscard]] bool find_prefix(const Address& address, Prefix<F>& out) const noexcept {
        for (const Level& level : levels_) {
            const Address masked = address.masked(level.length);
            if (level.slot_of(masked).value != kNone) {
                out = {masked, level.length};
                return true;
            }
        }
        return false;
    }
    [[nodiscard]] size_t size() const noexcept { return values_.size(); }
    /// Calls `visit(Prefix<F>, const Value&)`, longest prefixes first, then by address.
    template <class Visit>
    void for_each(Visit visit) const {
        for (const Level& level : levels_) {
            std::vector<Slot> taken;
            std::copy_if(level.slots.begin(), level.slots.end(), std::back_inserter(taken),
                         [](const Slot& slot) { return slot.value != kNone; });
            std::sort(taken.begin(), taken.end(),
                      [](const Slot& a, const Slot& b) { return a.address < b.address; });
            for (const Slot& slot : taken) {
                visit(Prefix<F>{slot.address, level.length}, values_[slot.value]);
            }
        }
    }

  private:
    static constexpr uint32_t kNone = ~uint32_t{0};

    struct Slot {
        Address address{};
        uint32_t value = kNone;  ///< index into values_
    };
    /// The prefixes of one length: open addressing, at most half full.
    struct Level {
        Level(uint8_t prefix_length, size_t count)
            : length(prefix_length),
              slots(std::bit_ceil(2 * count)),
              shift(64 - std::countr_zero(slots.size())) {}

        /// The slot where `address` is, or would be.
        [[nodiscard]] const Slot& slot_of(const Address& address) const noexcept {
            for (size_t at = hash(address) >> shift;; at = (at + 1) & (slots.size() - 1)) {
                const Slot& slot = slots[at];
                if (slot.value == kNone || slot.address == address) return slot;
            }
        }
        [[nodiscard]] Slot& slot_of(const Address& address) noexcept {
            return const_cast<Slot&>(std::as_const(*this).slot_of(address));
        }

        uint8_t length;
        std::vector<Slot> slots;
        int shift;
    };

    /// The upper bits depend on every byte.
    [[nodiscard]] static uint64_t hash(const Address& address) noexcept {
        uint64_t sum = 0;
        uint64_t factor = 0x9e3779b97f4a7c15u;
        for (size_t at = 0; at < sizeof address; at += 4) {
            uint32_t word = 0;
            std::memcpy(&word, reinterpret_cast<const char*>(&address) + at, sizeof word);
            sum += word * factor;
            factor = factor * factor;  // odd, as it was
        }
        return sum;
    }

    std::vector<Level> levels_;  // longest prefix first
    std::vector<Value> values_;
};

}  // namespace podlane
