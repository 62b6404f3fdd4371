#include "control/capture/filter.h"

#include <fmt/format.h>
#include <pcap/pcap.h>

#include <memory>

namespace podlane::control {

namespace {

constexpr int kSnapBytes = 65535;

struct Close {
    void operator()(pcap_t* handle) const noexcept { pcap_close(handle); }
};

}  // namespace

Result<std::vector<FilterInstruction>> compile_filter(const std::string& text) {
    std::vector<FilterInstruction> out;
    if (text.empty()) return out;
    const std::unique_ptr<pcap_t, Close> handle(pcap_open_dead(DLT_EN10MB, kSnapBytes));
    bpf_program program{};
    if (!handle || pcap_compile(handle.get(), &program, text.c_str(), 1, PCAP_NETMASK_UNKNOWN) != 0)
        return Error{fmt::format("filter \"{}\": {}", text,
                                 handle ? pcap_geterr(handle.get()) : "libpcap has no memory")};
    for (unsigned i = 0; i < program.bf_len; ++i) {
        const bpf_insn& each = program.bf_insns[i];
        out.push_back({each.code, each.jt, each.jf, each.k});
    }
    pcap_freecode(&program);
    return out;
}

}  // namespace podlane::control
