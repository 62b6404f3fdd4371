#include "control/daemon/privileges.h"

#include <dirent.h>
#include <fmt/format.h>
#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <csignal>
#include <cstring>
#include <fstream>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace podlane::control {

namespace {

constexpr std::chrono::milliseconds kThreadWait{2000};
constexpr std::chrono::milliseconds kLookAgain{2};

constexpr std::array kAlways{
    CAP_NET_ADMIN,         // the host's interface, its addresses, routes and rules
    CAP_NET_BIND_SERVICE,  // health checks at low ports
};
constexpr std::array kForKernelInterfaces{
    CAP_NET_RAW,  // packet sockets
    CAP_BPF,      // the programs in front of them
};
constexpr std::array kForUio{
    CAP_SYS_ADMIN,  // physical addresses; the NIC's whole configuration space
};
constexpr std::array kAttaching{
    CAP_NET_ADMIN,        // interfaces, addresses, routes and settings of pods
    CAP_SYS_ADMIN,        // entering pods' network namespaces
    CAP_SYS_PTRACE,       // namespaces given as /proc/PID/ns/net
    CAP_DAC_READ_SEARCH,  // namespaces below other users' folders
};

template <size_t N>
constexpr uint64_t bits_of(const std::array<int, N>& numbers) {
    uint64_t bits = 0;
    for (const int number : numbers) bits |= uint64_t{1} << number;
    return bits;
}

/// All capabilities of a thread, as the system calls take them: 64 bits in two words since version
/// 3.
struct Sets {
    __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
    std::array<__user_cap_data_struct, 2> data{};
};

/// For a signal handler: only makes system calls. Returns 0 or an errno value.
int keep_only(uint64_t kept) noexcept {
    Sets sets;
    if (::syscall(SYS_capget, &sets.header, sets.data.data()) != 0) return errno;
    for (size_t word = 0; word < sets.data.size(); ++word) {
        const auto bits = static_cast<uint32_t>(kept >> (32 * word));
        sets.data[word].permitted &= bits;
        sets.data[word].effective &= bits;
        sets.data[word].inheritable = 0;
    }
    return ::syscall(SYS_capset, &sets.header, sets.data.data()) == 0 ? 0 : errno;
}

// What the signal tells a thread to keep, and a thread's error. One drop at a time.
std::atomic<uint64_t> wanted{0};
std::atomic<int> failed{0};

void on_signal(int) noexcept {
    const int before = errno;
    if (const int error = keep_only(wanted.load()); error != 0) failed.store(error);
    errno = before;
}

/// Whether a thread has capabilities beyond `kept`. A thread that drops all at its start may block
/// signals.
bool has_more(std::string_view tid, uint64_t kept) {
    std::ifstream file(fmt::format("/proc/self/task/{}/status", tid));
    constexpr std::string_view kField = "CapPrm:\t";
    for (std::string line; std::getline(file, line);) {
        if (!line.starts_with(kField)) continue;
        uint64_t bits = 0;
        std::from_chars(line.data() + kField.size(), line.data() + line.size(), bits, 16);
        return (bits & ~kept) != 0;
    }
    return false;
}

std::vector<pid_t> other_threads(uint64_t kept) {
    std::vector<pid_t> out;
    const pid_t self = ::gettid();
    const std::unique_ptr<DIR, int (*)(DIR*)> folder(::opendir("/proc/self/task"), ::closedir);
    if (!folder) return out;
    while (const dirent* entry = ::readdir(folder.get())) {
        const std::string_view name(entry->d_name);
        pid_t tid = 0;
        const auto parsed = std::from_chars(name.data(), name.data() + name.size(), tid);
        if (parsed.ec != std::errc{} || tid == self || !has_more(name, kept)) continue;
        out.push_back(tid);
    }
    return out;
}

/// Capabilities belong to a thread, and the system call changes only the calling thread's.
Result<void> tell_threads(uint64_t kept) {
    const int signal = SIGRTMIN + 5;
    struct sigaction action {};
    action.sa_handler = on_signal;
    action.sa_flags = SA_RESTART;
    wanted.store(kept);
    failed.store(0);
    if (::sigaction(signal, &action, nullptr) != 0) {
        return Error{fmt::format("signal handler: {}", std::strerror(errno))};
    }
    std::vector<pid_t> left = other_threads(kept);
    for (const pid_t tid : left) static_cast<void>(::syscall(SYS_tgkill, ::getpid(), tid, signal));
    // A worker that has just started drops all by itself, and takes no signals: so what counts is
    // what threads have, not who answered. The handler stays for signals that are still on their
    // way, also to threads that come to it later.
    const auto deadline = std::chrono::steady_clock::now() + kThreadWait;
    while (!left.empty() && failed.load() == 0 && std::chrono::steady_clock::now() < deadline) {
        std::this_thread::sleep_for(kLookAgain);
        left = other_threads(kept);
    }
    if (const int error = failed.load(); error != 0) {
        return Error{fmt::format("a thread cannot drop its own: {}", std::strerror(error))};
    }
    if (!left.empty()) {
        return Error{fmt::format("{} threads have not dropped theirs yet", left.size())};
    }
    return {};
}

}  // namespace

uint64_t kept_capability_bits(DeviceNeeds needs) noexcept {
    uint64_t bits = bits_of(kAlways);
    if (needs.kernel_interface) bits |= bits_of(kForKernelInterfaces);
    if (needs.uio_nic) bits |= bits_of(kForUio);
    return bits;
}

uint64_t attaching_capability_bits() noexcept {
    return bits_of(kAttaching);
}

Result<void> forbid_new_privileges() {
    if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0) return {};
    return Error{fmt::format("no_new_privs: {}", std::strerror(errno))};
}

Result<void> drop_capabilities(uint64_t kept) {
    for (int number = 0; ::prctl(PR_CAPBSET_READ, number, 0, 0, 0) >= 0; ++number) {
        if ((kept >> number & 1) != 0) continue;
        // Without CAP_SETPCAP, the bounding set stays as the service manager set it; no program is
        // executed.
        if (::prctl(PR_CAPBSET_DROP, number, 0, 0, 0) != 0) break;
    }
    static_cast<void>(::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0));
    auto told = tell_threads(kept);
    if (const int error = keep_only(kept); error != 0) {
        return Error{fmt::format("capset: {}", std::strerror(error))};
    }
    return told;
}

}  // namespace podlane::control
