#include "control/netdev/xdp_pass.h"

#include <fmt/format.h>
#include <linux/bpf.h>
#include <linux/if_link.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <cstring>

namespace podlane::control {

namespace {

int bpf(bpf_cmd command, bpf_attr& attributes) {
    return static_cast<int>(::syscall(SYS_bpf, command, &attributes, sizeof(attributes)));
}

}  // namespace

Result<UniqueFd> attach_xdp_pass(int ifindex) {
    std::array<bpf_insn, 2> program{};
    program[0].code = BPF_ALU64 | BPF_MOV | BPF_K;  // r0 = XDP_PASS
    program[0].dst_reg = BPF_REG_0;
    program[0].imm = XDP_PASS;
    program[1].code = BPF_JMP | BPF_EXIT;
    static constexpr char kLicense[] = "Apache-2.0";

    bpf_attr load{};
    load.prog_type = BPF_PROG_TYPE_XDP;
    load.insn_cnt = program.size();
    load.insns = reinterpret_cast<uintptr_t>(program.data());
    load.license = reinterpret_cast<uintptr_t>(kLicense);
    load.prog_flags = BPF_F_XDP_HAS_FRAGS;  // otherwise an MTU larger than a page is refused
    UniqueFd loaded(bpf(BPF_PROG_LOAD, load));
    if (!loaded.valid() && errno == EINVAL) {
        load.prog_flags = 0;  // kernels before 5.18 do not have the flag
        loaded = UniqueFd(bpf(BPF_PROG_LOAD, load));
    }
    if (!loaded.valid()) return Error{fmt::format("load XDP program: {}", std::strerror(errno))};

    bpf_attr create{};
    create.link_create.prog_fd = static_cast<uint32_t>(loaded.get());
    create.link_create.target_ifindex = static_cast<uint32_t>(ifindex);
    create.link_create.attach_type = BPF_XDP;
    create.link_create.flags = XDP_FLAGS_DRV_MODE;
    UniqueFd link(bpf(BPF_LINK_CREATE, create));
    if (!link.valid()) return Error{fmt::format("attach XDP program: {}", std::strerror(errno))};
    return link;
}

}  // namespace podlane::control
