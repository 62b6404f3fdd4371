#include "control/daemon/syscall_filter.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/bpf.h>
#include <linux/if_tun.h>
#include <linux/nsfs.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <initializer_list>
#include <memory>
#include <string>
#include <utility>

#include "control/daemon/syscall_list.h"
#include "control/netdev/unique_fd.h"

namespace podlane::control {

namespace {

constexpr uint64_t kNamespaces = CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC |
                                 CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET;
/// 32-bit arguments: the kernel ignores the upper half.
constexpr uint64_t kInt = 0xffffffff;
/// VFIO's ioctls, which some drivers use to re-enable a queue's interrupt (linux/vfio.h).
constexpr uint64_t kIoctlType = 0xff00, kVfioType = ';' << 8;
constexpr uint64_t kOpening = O_ACCMODE | O_CREAT | O_TRUNC;
/// The ioctls on a TAP's queues and on a namespace's file.
constexpr std::array<uint64_t, 5> kAttachersIoctls{TUNSETIFF, TUNSETPERSIST, TUNSETVNETHDRSZ,
                                                   TUNSETOFFLOAD, NS_GET_NSTYPE};
/// What loads the shortcut's program with its maps, finds those of before, and notes devices.
constexpr std::array<uint64_t, 9> kAttachersBpf{
    BPF_MAP_CREATE,        BPF_MAP_LOOKUP_ELEM,  BPF_MAP_UPDATE_ELEM,
    BPF_PROG_LOAD,         BPF_PROG_BIND_MAP,    BPF_BTF_LOAD,
    BPF_PROG_GET_FD_BY_ID, BPF_MAP_GET_FD_BY_ID, BPF_OBJ_GET_INFO_BY_FD};

/// "Argument `number` and `mask` is `value`."
struct Condition {
    unsigned number;
    uint64_t mask;
    uint64_t value;
};

/// A filter being built; remembers the first error.
class Rules {
  public:
    explicit Rules(uint32_t otherwise) : filter_(::seccomp_init(otherwise), ::seccomp_release) {
        if (!filter_) {
            failed_ = ENOMEM;
            return;
        }
        note(::seccomp_attr_set(filter_.get(), SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS));
        // Build a binary search: kernels before 5.11 run the filter at each call.
        note(::seccomp_attr_set(filter_.get(), SCMP_FLTATR_CTL_OPTIMIZE, 2));
    }

    void add(uint32_t action, std::string_view name,
             std::initializer_list<Condition> conditions = {}) {
        const int number = ::seccomp_syscall_resolve_name(std::string(name).c_str());
        // Not on this architecture, or unknown to the library.
        if (failed_ != 0 || number < 0) return;
        std::vector<scmp_arg_cmp> compared;
        for (const Condition& each : conditions) {
            compared.push_back({each.number, SCMP_CMP_MASKED_EQ, each.mask, each.value});
        }
        note(::seccomp_rule_add_array(filter_.get(), action, number,
                                      static_cast<unsigned>(compared.size()), compared.data()));
    }
    void allow(std::string_view name, std::initializer_list<Condition> conditions = {}) {
        add(SCMP_ACT_ALLOW, name, conditions);
    }

    [[nodiscard]] Result<std::vector<sock_filter>> compiled() {
        const UniqueFd file(::memfd_create("podlane-filter", MFD_CLOEXEC));
        if (failed_ == 0 && !file.valid()) failed_ = errno;
        if (failed_ == 0) note(::seccomp_export_bpf(filter_.get(), file.get()));
        if (failed_ != 0) return Error{fmt::format("seccomp: {}", std::strerror(failed_))};
        const off_t size = ::lseek(file.get(), 0, SEEK_END);
        std::vector<sock_filter> code(static_cast<size_t>(size) / sizeof(sock_filter));
        const ssize_t got = ::pread(file.get(), code.data(), code.size() * sizeof(sock_filter), 0);
        if (size <= 0 || got != size) return Error{"seccomp: the filter cannot be read back"};
        return code;
    }

  private:
    void note(int result) noexcept {
        if (failed_ == 0 && result < 0) failed_ = -result;
    }

    std::unique_ptr<void, void (*)(scmp_filter_ctx)> filter_;
    int failed_ = 0;
};

void allow_sockets(Rules& rules, std::initializer_list<int> families) {
    for (const int family : families) {
        rules.allow("socket", {{0, kInt, static_cast<uint64_t>(family)}});
    }
}

/// Memory that is not executable and does not become so.
void allow_data(Rules& rules) {
    rules.allow("mmap", {{2, PROT_EXEC, 0}});
    rules.allow("mprotect", {{2, PROT_EXEC, 0}});
}

/// New threads of this process, in its namespaces.
void allow_threads(Rules& rules) {
    rules.allow("clone", {{0, kNamespaces | CLONE_THREAD, CLONE_THREAD}});
}

void add_conditions(Rules& rules, ThreadKind kind) {
    allow_data(rules);
    switch (kind) {
        case ThreadKind::kWorker:
            rules.allow("ioctl", {{1, kIoctlType, kVfioType}});
            return;
        case ThreadKind::kNameServer:
            allow_sockets(rules, {AF_INET, AF_INET6});
            rules.allow("open", {{1, kOpening, O_RDONLY}});
            rules.allow("openat", {{2, kOpening, O_RDONLY}});
            rules.allow("ioctl", {{1, kInt, FIONBIO}});
            return;
        case ThreadKind::kAttacher:
            allow_threads(rules);
            rules.allow("setns", {{1, kInt, CLONE_NEWNET}});
            allow_sockets(rules, {AF_NETLINK});
            // Opens only existing files: namespaces, sysctls and /dev/net/tun.
            rules.allow("openat", {{2, O_CREAT | O_TRUNC, 0}});
            for (const uint64_t request : kAttachersIoctls) {
                rules.allow("ioctl", {{1, kInt, request}});
            }
            for (const uint64_t command : kAttachersBpf) {
                rules.allow("bpf", {{0, kInt, command}});
            }
            return;
        case ThreadKind::kProcess:
            break;
    }
    allow_threads(rules);
    rules.allow("setns", {{1, kInt, CLONE_NEWNET}});
    // Loading libraries maps code, but never as writable.
    rules.allow("mmap", {{2, PROT_EXEC | PROT_WRITE, PROT_EXEC}});
    rules.allow("unshare", {{0, kInt, CLONE_NEWNET}});
    allow_sockets(rules, {AF_UNIX, AF_INET, AF_INET6, AF_NETLINK, AF_PACKET, AF_XDP});
    rules.allow("socketpair", {{0, kInt, AF_UNIX}});
}

/// Calls refused without a log entry, before the list applies.
Result<std::vector<sock_filter>> refused_quietly() {
    Rules rules(SCMP_ACT_ALLOW);
    // clone3's flags are in memory, where no filter sees them; glibc then falls back to clone().
    rules.add(SCMP_ACT_ERRNO(ENOSYS), "clone3");
    // ioctls that put input into a terminal.
    rules.add(SCMP_ACT_ERRNO(EPERM), "ioctl", {{1, kInt, TIOCSTI}});
    rules.add(SCMP_ACT_ERRNO(EPERM), "ioctl", {{1, kInt, TIOCLINUX}});
    return rules.compiled();
}

}  // namespace

bool kernel_has_seccomp() noexcept {
    const uint32_t action = SECCOMP_RET_ERRNO;
    return ::syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action) == 0;
}

Result<SyscallFilter> SyscallFilter::of(ThreadKind kind) {
    SyscallFilter out;
    Rules rules(SCMP_ACT_ERRNO(EPERM));
    for (const std::string_view name : allowed_syscalls(kind)) rules.allow(name);
    add_conditions(rules, kind);
    auto code = rules.compiled();
    if (!code.ok()) return code.error();
    // Without SPEC_ALLOW, kernels before 5.16 make each memory access wait for the ones before it.
    out.programs_.push_back(
        {std::move(*code), SECCOMP_FILTER_FLAG_LOG | SECCOMP_FILTER_FLAG_SPEC_ALLOW});
    const bool narrows = kind == ThreadKind::kWorker || kind == ThreadKind::kNameServer;
    if (narrows) return out;
    code = refused_quietly();
    if (!code.ok()) return code.error();
    // If two filters refuse, the kernel takes the action of the later one.
    out.programs_.push_back({std::move(*code), SECCOMP_FILTER_FLAG_SPEC_ALLOW});
    return out;
}

Result<void> SyscallFilter::install() const {
    for (const Program& program : programs_) {
        // The kernel copies it.
        sock_fprog given{static_cast<unsigned short>(program.code.size()),
                         const_cast<sock_filter*>(program.code.data())};
        if (::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, program.flags, &given) != 0) {
            return Error{fmt::format("seccomp: {}", std::strerror(errno))};
        }
    }
    return {};
}

}  // namespace podlane::control
