#include "dataplane/probe/filter_gist.h"

#include <pcap/bpf.h>

#include <algorithm>
#include <bit>
#include <limits>
#include <optional>
#include <vector>

namespace podlane::dataplane {

namespace {

/// Longest program that is analysed, longer than any filter in words becomes; and the steps on all
/// its paths together.
constexpr size_t kMostGistInstructions = 512;
constexpr unsigned kMostSteps = 20'000;
/// The most paths that accept the frame.
constexpr size_t kMostWays = 64;
/// The bytes of the frame that are analysed, and the length of an IPv4 header without options.
constexpr size_t kBytes = 60;
constexpr uint32_t kPlainIpBytes = 20;

/// What is known of a frame: which bits, and their values.
struct Known {
    std::array<uint8_t, kBytes> mask{}, value{};

    [[nodiscard]] int bits() const {
        int out = 0;
        for (const uint8_t byte : mask) out += std::popcount(byte);
        return out;
    }
};

/// A part of the frame that the accumulator holds: `bytes` at `at`, less the bits not in `mask`.
struct Field {
    uint32_t at = 0;
    uint32_t bytes = 0;
    uint32_t mask = 0;
    bool is_behind_ip = false;  ///< if the IPv4 header has no options
};

constexpr Field kEtherType{12, 2, 0xffff, false};
constexpr uint32_t kIpv4 = 0x0800;

/// Whether the field equals `value`; none if that is not known.
std::optional<bool> is_known(const Known& known, const Field& field, uint32_t value) {
    bool is_sure = true;
    for (uint32_t i = 0; i < field.bytes; ++i) {
        const unsigned shift = 8 * (field.bytes - 1 - i);
        const auto wanted_mask = static_cast<uint8_t>(field.mask >> shift);
        const auto wanted = static_cast<uint8_t>(value >> shift);
        const auto common = static_cast<uint8_t>(wanted_mask & known.mask[field.at + i]);
        if (((known.value[field.at + i] ^ wanted) & common) != 0) return false;
        is_sure = is_sure && common == wanted_mask;
    }
    if (is_sure) return true;
    return std::nullopt;
}

void learn(Known& known, const Field& field, uint32_t value) {
    for (uint32_t i = 0; i < field.bytes; ++i) {
        const unsigned shift = 8 * (field.bytes - 1 - i);
        const auto mask = static_cast<uint8_t>(field.mask >> shift);
        known.mask[field.at + i] |= mask;
        known.value[field.at + i] =
            static_cast<uint8_t>((known.value[field.at + i] & ~mask) | (value >> shift & mask));
    }
}

/// What holds for a frame that fits `a` or `b`.
Known common(const Known& a, const Known& b) {
    Known out;
    for (size_t i = 0; i < kBytes; ++i) {
        out.mask[i] = static_cast<uint8_t>(a.mask[i] & b.mask[i] & ~(a.value[i] ^ b.value[i]));
        out.value[i] = a.value[i] & out.mask[i];
    }
    return out;
}

/// How well the sixteen bytes at `at` tell frames apart. Bytes that most frames have in common,
/// such as the EtherType and the protocol, count little.
int worth(const Known& known, size_t at) {
    int out = 0;
    for (size_t i = at; i < at + 16; ++i) {
        const bool tells_little = (i >= 12 && i < 18) || (i >= 20 && i < 22) || i == 23;
        out += std::popcount(known.mask[i]) * (tells_little ? 1 : 8);
    }
    return out;
}

/// worth() of an address, or of a port and what else tells as much.
constexpr int kTellsMost = 32 * 8;

/// Where the sixteen bytes begin that tell frames apart best.
size_t best_place(const Known& known) {
    size_t best = 0;
    for (size_t at = 0; at + 16 <= kBytes; ++at) {
        if (worth(known, at) > worth(known, best)) best = at;
    }
    return best;
}

}  // namespace

/// Follows all paths through a program and gathers what each accepting path knows of the frame.
class GistMaker {
  public:
    explicit GistMaker(std::span<const FilterInstruction> program) : program_(program) {}

    FilterGist make() {
        FilterGist gist;
        walk(0, {});
        if (has_given_up_) return gist;
        while (ways_.size() > FilterGist::kMostPatterns) join_two();
        join_all();
        for (const Known& known : ways_) {
            if (known.bits() == 0) return FilterGist();
            const size_t best = best_place(known);
            FilterGist::Pattern& pattern = gist.patterns_[gist.count_++];
            pattern.at = best;
            std::copy_n(known.mask.begin() + static_cast<ptrdiff_t>(best), 16,
                        pattern.mask.begin());
            std::copy_n(known.value.begin() + static_cast<ptrdiff_t>(best), 16,
                        pattern.value.begin());
        }
        gist.everything_ = false;
        gist.at_ports_ = looks_behind_ip_;
        return gist;
    }

  private:
    /// A place in the program, and what its registers hold there.
    struct State {
        Known known;
        std::optional<Field> field;  ///< in the accumulator
        bool x_is_ip_bytes = false;  ///< the length of the IPv4 header
    };

    void walk(size_t at, State state) {
        while (!has_given_up_) {
            if (++steps_ > kMostSteps || at >= program_.size()) {
                has_given_up_ = true;
                return;
            }
            const FilterInstruction& each = program_[at++];
            switch (BPF_CLASS(each.code)) {
                case BPF_RET:
                    if (BPF_RVAL(each.code) == BPF_K && each.value == 0) return;
                    ways_.push_back(state.known);
                    has_given_up_ = ways_.size() > kMostWays;
                    return;
                case BPF_JMP:
                    if (BPF_OP(each.code) == BPF_JA) {
                        at += each.value;
                        break;
                    }
                    branch(at, each, state);
                    return;
                case BPF_LD:
                    state.field = loaded(each, state);
                    break;
                case BPF_LDX:
                    state.x_is_ip_bytes = BPF_MODE(each.code) == BPF_MSH && each.value == 14;
                    break;
                case BPF_ALU:
                    if (each.code == (BPF_ALU | BPF_AND | BPF_K) && state.field) {
                        state.field->mask &= each.value;
                    } else {
                        state.field.reset();
                    }
                    break;
                case BPF_MISC:
                    if (BPF_MISCOP(each.code) == BPF_TAX) {
                        state.x_is_ip_bytes = false;
                    } else {
                        state.field.reset();
                    }
                    break;
                default:  // stores
                    break;
            }
        }
    }

    std::optional<Field> loaded(const FilterInstruction& each, const State& state) {
        const uint32_t bytes = BPF_SIZE(each.code) == BPF_W   ? 4
                               : BPF_SIZE(each.code) == BPF_H ? 2
                                                              : 1;
        Field field{each.value, bytes, static_cast<uint32_t>((uint64_t{1} << 8 * bytes) - 1),
                    BPF_MODE(each.code) == BPF_IND};
        if (field.is_behind_ip) {
            if (!state.x_is_ip_bytes || field.at > kBytes) return std::nullopt;
            field.at += kPlainIpBytes;
        } else if (BPF_MODE(each.code) != BPF_ABS) {
            return std::nullopt;
        }
        if (field.at > kBytes - bytes) return std::nullopt;
        return field;
    }

    void branch(size_t next, const FilterInstruction& each, const State& state) {
        const bool is_constant = BPF_SRC(each.code) == BPF_K && state.field;
        const uint32_t value = each.value;
        State yes = state, no = state;
        bool may_be = true, may_not_be = true;
        if (is_constant && BPF_OP(each.code) == BPF_JEQ) {
            const auto known = is_known(state.known, *state.field, value);
            may_be = (value & ~state.field->mask) == 0 && known.value_or(true);
            may_not_be = !known.value_or(false);
            if (may_be) note(yes, *state.field, value);
        } else if (is_constant && BPF_OP(each.code) == BPF_JSET) {
            Field bits = *state.field;
            bits.mask &= value;
            const auto is_clear = is_known(state.known, bits, 0);
            may_be = !is_clear.value_or(false);
            may_not_be = is_clear.value_or(true);
            if (may_not_be) note(no, bits, 0);
        }
        if (may_be) walk(next + each.jump_true, yes);
        if (may_not_be) walk(next + each.jump_false, no);
    }

    void note(State& state, const Field& field, uint32_t value) {
        if (field.is_behind_ip) {
            // may_pass() leaves IPv4 headers with options to the program, and nothing else.
            if (is_known(state.known, kEtherType, kIpv4) != true) return;
            looks_behind_ip_ = true;
        }
        learn(state.known, field, value);
    }

    /// Merges all paths, if what they have in common tells most other frames apart: one comparison
    /// is faster than several.
    void join_all() {
        if (ways_.empty()) return;
        Known all = ways_.front();
        for (const Known& known : ways_) all = common(all, known);
        if (worth(all, best_place(all)) >= kTellsMost) ways_ = {all};
    }

    /// Merges the two paths that lose least by it.
    void join_two() {
        size_t first = 0, second = 1;
        int least = std::numeric_limits<int>::max();
        for (size_t i = 0; i < ways_.size(); ++i) {
            for (size_t k = i + 1; k < ways_.size(); ++k) {
                const Known both = common(ways_[i], ways_[k]);
                const int lost = ways_[i].bits() + ways_[k].bits() - 2 * both.bits();
                if (lost >= least) continue;
                least = lost;
                first = i;
                second = k;
            }
        }
        ways_[first] = common(ways_[first], ways_[second]);
        ways_.erase(ways_.begin() + static_cast<ptrdiff_t>(second));
    }

    const std::span<const FilterInstruction> program_;
    std::vector<Known> ways_;
    unsigned steps_ = 0;
    bool has_given_up_ = false;
    bool looks_behind_ip_ = false;
};

FilterGist FilterGist::of(std::span<const FilterInstruction> program) {
    if (program.empty() || program.size() > kMostGistInstructions) return {};
    return GistMaker(program).make();
}

}  // namespace podlane::dataplane
