#include "lib/dpdk/eal.h"

#include <fmt/format.h>
#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_log.h>
#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <initializer_list>
#include <random>
#include <string_view>

namespace podlane {

/// Takes over DPDK's log stream for its lifetime.
class EalLog {
  public:
    explicit EalLog(LogReceiver sink) : sink_(std::move(sink)) {
        stream_ = ::fopencookie(this, "w", {nullptr, write, nullptr, nullptr});
        if (stream_ != nullptr) rte_openlog_stream(stream_);
    }
    ~EalLog() {
        if (stream_ == nullptr) return;
        rte_openlog_stream(nullptr);
        std::fclose(stream_);
    }
    EalLog(const EalLog&) = delete;
    EalLog& operator=(const EalLog&) = delete;

  private:
    static LogLevel level_of(int dpdk) noexcept {
        if (dpdk <= static_cast<int>(RTE_LOG_ERR)) return LogLevel::kError;
        if (dpdk <= static_cast<int>(RTE_LOG_WARNING)) return LogLevel::kWarning;
        return dpdk < static_cast<int>(RTE_LOG_DEBUG) ? LogLevel::kInfo : LogLevel::kDebug;
    }
    /// DPDK flushes after each message.
    static ssize_t write(void* self, const char* text, size_t bytes) {
        const std::string_view message(text, bytes);
        const LogLevel level = level_of(rte_log_cur_msg_loglevel());
        for (size_t at = 0; at < bytes;) {
            const size_t end = std::min(message.find('\n', at), bytes);
            if (end > at) static_cast<EalLog*>(self)->sink_(level, message.substr(at, end - at));
            at = end + 1;
        }
        return static_cast<ssize_t>(bytes);
    }

    LogReceiver sink_;
    FILE* stream_ = nullptr;
};

namespace {

/// DPDK's notices and lower levels are only for finding faults.
uint32_t dpdk_level(LogLevel level) noexcept {
    switch (level) {
        case LogLevel::kError:
            return RTE_LOG_ERR;
        case LogLevel::kWarning:
        case LogLevel::kInfo:
            return RTE_LOG_WARNING;
        case LogLevel::kDebug:
            return RTE_LOG_DEBUG;
    }
    return RTE_LOG_WARNING;
}

std::string_view dpdk_level_name(LogLevel level) noexcept {
    return level == LogLevel::kInfo ? to_string(LogLevel::kWarning) : to_string(level);
}

constexpr uint64_t kMegabyte = uint64_t{1} << 20;

/// True if one of the extra arguments is one of these options, with or without "=VALUE".
bool has_option(const EalRequest& request, std::initializer_list<std::string_view> options) {
    return std::any_of(
        request.extra_arguments.begin(), request.extra_arguments.end(), [&](const auto& given) {
            return std::any_of(options.begin(), options.end(), [&](std::string_view option) {
                return given == option || given.starts_with(std::string(option) + "=");
            });
        });
}

uint64_t megabytes(uint64_t bytes) {
    return (bytes + kMegabyte - 1) / kMegabyte;
}

/// The command that makes enough hugepages free.
std::string more_hugepages(const EalRequest& request, const Hugepages& now) {
    const uint64_t missing =
        request.memory_bytes > now.free_bytes ? request.memory_bytes - now.free_bytes : 0;
    return fmt::format("`sysctl vm.nr_hugepages={}`",
                       now.pages + (missing + 2 * kMegabyte - 1) / (2 * kMegabyte));
}

std::string unique_prefix() {
    std::random_device random;
    return fmt::format("podlane-{}-{:08x}", ::getpid(), random());
}

std::vector<std::string> speed_notes(const EalRequest& request, const Hugepages& before,
                                     bool hugepages) {
    std::vector<std::string> notes;
    if (!hugepages) {
        notes.push_back(
            fmt::format("no hugepages in use: packet buffers lie in 4 kB pages; faster with {}",
                        more_hugepages(request, before)));
    }
    return notes;
}

void remove_runtime_dir(const std::string& dir) {
    std::error_code ignored;
    if (!dir.empty()) std::filesystem::remove_all(dir, ignored);
}

}  // namespace

Hugepages read_hugepages(const std::string& sysfs) {
    Hugepages out;
    std::error_code error;
    for (const auto& entry : std::filesystem::directory_iterator(sysfs, error)) {
        // "hugepages-2048kB"
        const std::string name = entry.path().filename().string();
        const size_t dash = name.find('-');
        uint64_t kilobytes = 0;
        if (dash == name.npos) continue;
        std::from_chars(name.data() + dash + 1, name.data() + name.size(), kilobytes);
        const auto number = [&](const char* file) {
            uint64_t value = 0;
            std::ifstream(entry.path() / file) >> value;
            return value;
        };
        const uint64_t free = number("free_hugepages");
        // Reserved pages are mapped by other processes, which have not touched them yet.
        const uint64_t reserved = std::min(free, number("resv_hugepages"));
        out.free_bytes += (free - reserved) * kilobytes * 1024;
        if (kilobytes == 2048) out.pages = number("nr_hugepages");
    }
    return out;
}

bool uses_hugepages(const EalRequest& request, const Hugepages& now) {
    switch (request.hugepages) {
        case HugepageUse::kOn:
            return true;
        case HugepageUse::kOff:
            return false;
        case HugepageUse::kAuto:
            return now.free_bytes >= request.memory_bytes;
    }
    return false;
}

std::string memory_summary(const EalRequest& request, const Hugepages& now) {
    const uint64_t small = megabytes(std::max(request.memory_bytes, request.small_page_bytes));
    if (request.hugepages == HugepageUse::kOff) return fmt::format("{} MB in 4 kB pages", small);
    const std::string need = fmt::format("{} MB of hugepages", megabytes(request.memory_bytes));
    const uint64_t free = now.free_bytes / kMegabyte;
    if (now.free_bytes >= request.memory_bytes)
        return fmt::format("{}, {} MB are free", need, free);
    if (request.hugepages == HugepageUse::kOn) {
        return fmt::format("{} are needed, {} MB are free; {} makes enough, `auto` does without",
                           need, free, more_hugepages(request, now));
    }
    return fmt::format("{} MB in 4 kB pages; faster with {}, {} MB are free; {} makes enough",
                       small, need, free, more_hugepages(request, now));
}

std::vector<std::string> eal_arguments(const EalRequest& request, uint64_t free_hugepage_bytes,
                                       unsigned cpu, const std::string& prefix) {
    std::vector<std::string> out = {"podlaned", "--no-telemetry"};
    if (!has_option(request, {"--lcores", "-l", "-c", "-s", "-S"})) {
        out.push_back(fmt::format("--lcores=0@{}", cpu));
    }
    if (!has_option(request, {"--file-prefix"})) out.push_back("--file-prefix=" + prefix);
    if (!has_option(request, {"--log-level"})) {
        out.push_back(fmt::format("--log-level=*:{}", dpdk_level_name(request.log_level)));
    }
    if (!has_option(request, {"--in-memory", "--no-huge", "-m", "--socket-mem", "--legacy-mem",
                              "--huge-dir", "--no-shconf"})) {
        if (uses_hugepages(request, {free_hugepage_bytes, 0})) {
            out.push_back("--in-memory");
        } else {
            // In DPDK 22.11 --no-huge and --in-memory exclude each other.
            const uint64_t bytes = std::max(request.memory_bytes, request.small_page_bytes);
            out.insert(out.end(),
                       {"--no-huge", "--no-shconf", "-m", std::to_string(bytes / kMegabyte + 1)});
        }
    }
    if (!has_option(request, {"-a", "--allow", "-b", "--block", "--no-pci"})) {
        if (request.pci_devices.empty()) out.push_back("--no-pci");
        for (const auto& device : request.pci_devices) {
            out.insert(out.end(), {"-a", device});
        }
    }
    out.insert(out.end(), request.extra_arguments.begin(), request.extra_arguments.end());
    return out;
}

Result<Eal> start_eal(const EalRequest& request) {
    const Hugepages now = read_hugepages();
    if (request.hugepages == HugepageUse::kOn && now.free_bytes < request.memory_bytes) {
        return Error{"memory.hugepages: " + memory_summary(request, now)};
    }
    Eal eal;
    if (request.log) eal.log_ = std::make_unique<EalLog>(request.log);
    cpu_set_t before;
    CPU_ZERO(&before);
    if (::sched_getaffinity(0, sizeof(before), &before) != 0) return Error{"cannot read affinity"};
    unsigned cpu = 0;
    while (cpu + 1 < CPU_SETSIZE && !CPU_ISSET(cpu, &before)) ++cpu;

    eal.arguments_ = eal_arguments(request, now.free_bytes, cpu, unique_prefix());
    std::vector<std::string> storage = eal.arguments_;
    std::vector<char*> argv;
    for (auto& argument : storage) argv.push_back(argument.data());
    argv.push_back(nullptr);

    const int rc = rte_eal_init(static_cast<int>(storage.size()), argv.data());
    const int error = rte_errno;
    // The EAL has pinned this thread to its lcore's CPU; threads started later would inherit that.
    ::sched_setaffinity(0, sizeof(before), &before);
    const char* runtime_dir = rte_eal_get_runtime_dir();
    eal.runtime_dir_ = runtime_dir == nullptr ? "" : runtime_dir;
    if (rc < 0) {
        if (error != EALREADY) remove_runtime_dir(eal.runtime_dir_);
        std::string line;
        for (const auto& argument : eal.arguments_) line += " " + argument;
        return Error{fmt::format("DPDK does not start: {}; its arguments were:{}",
                                 rte_strerror(error), line)};
    }
    eal.running_ = true;
    eal.hugepages_ = rte_eal_has_hugepages() != 0;
    eal.notes_ = speed_notes(request, now, eal.hugepages_);
    return eal;
}

void set_eal_log_level(LogLevel level) noexcept {
    rte_log_set_global_level(dpdk_level(level));
    static_cast<void>(rte_log_set_level_pattern("*", dpdk_level(level)));
}

Eal::Eal() = default;

Eal::Eal(Eal&& other) noexcept
    : log_(std::move(other.log_)),
      running_(std::exchange(other.running_, false)),
      hugepages_(other.hugepages_),
      arguments_(std::move(other.arguments_)),
      notes_(std::move(other.notes_)),
      runtime_dir_(std::move(other.runtime_dir_)) {}

Eal::~Eal() {
    if (!running_) return;
    rte_eal_cleanup();
    remove_runtime_dir(runtime_dir_);
}

}  // namespace podlane
