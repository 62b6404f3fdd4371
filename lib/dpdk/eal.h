// Starting DPDK's environment layer (EAL) with arguments derived from the node's configuration.
//
// The composition root starts it on the control thread, before any port is opened. A process can
// start it only once.
//
// Workers are our own threads, registered with the EAL (worker_thread.h), and not lcores of the
// EAL: they may share a CPU with control or each other on small machines, they can be joined, and
// the EAL pins none of them. The EAL itself gets one lcore, the calling thread. That thread's
// affinity is restored afterwards, since every thread started later inherits it.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "lib/base/result.h"
#include "lib/border/log_level.h"

namespace podlane {

enum class HugepageUse : uint8_t {
    kAuto,  ///< if the kernel has enough free ones
    kOn,    ///< an error if there are too few
    kOff,
};

struct EalRequest {
    HugepageUse hugepages = HugepageUse::kAuto;
    uint64_t memory_bytes = uint64_t{64} << 20;  ///< what pools and rings will need, room included
    uint64_t small_page_bytes = 0;               ///< the same without hugepages; 0: as memory_bytes
    std::vector<std::string> pci_devices;        ///< "0000:3b:00.0"; only these are probed
    LogLevel log_level = LogLevel::kInfo;
    LogReceiver log;  ///< gets DPDK's lines, on any thread; none: standard output
    std::vector<std::string> extra_arguments;  ///< appended, so that they win
};

class EalLog;

/// The running EAL; its destructor stops it. Close all ports and pools before.
class Eal {
  public:
    Eal(Eal&& other) noexcept;
    Eal& operator=(Eal&&) = delete;
    ~Eal();

    [[nodiscard]] const std::vector<std::string>& arguments() const noexcept { return arguments_; }
    /// One line for each thing that would make this node faster.
    [[nodiscard]] const std::vector<std::string>& notes() const noexcept { return notes_; }
    [[nodiscard]] bool uses_hugepages() const noexcept { return hugepages_; }

  private:
    friend Result<Eal> start_eal(const EalRequest& request);
    Eal();

    std::unique_ptr<EalLog> log_;  ///< null: DPDK's own
    bool running_ = false;
    bool hugepages_ = false;
    std::vector<std::string> arguments_;
    std::vector<std::string> notes_;
    std::string runtime_dir_;  ///< made by the EAL, removed by us
};

/// The arguments with which start_eal() would start the EAL, given this much free hugepage memory,
/// program name first. The EAL's lcore is on CPU `cpu`; `prefix` must be unique on the machine. Our
/// arguments give way to extra ones that exclude them.
[[nodiscard]] std::vector<std::string> eal_arguments(const EalRequest& request,
                                                     uint64_t free_hugepage_bytes, unsigned cpu,
                                                     const std::string& prefix);

/// The kernel's hugepages.
struct Hugepages {
    uint64_t free_bytes = 0;  ///< of all sizes, less what others have reserved
    uint64_t pages = 0;       ///< of 2 MB, free or not; usually equal to vm.nr_hugepages
};
[[nodiscard]] Hugepages read_hugepages(const std::string& sysfs = "/sys/kernel/mm/hugepages");

[[nodiscard]] bool uses_hugepages(const EalRequest& request, const Hugepages& now);

/// One line on the memory that start_eal() takes, and what would be better, for `podlaned --check`
/// and the log.
[[nodiscard]] std::string memory_summary(const EalRequest& request, const Hugepages& now);

/// Starts the EAL. Several processes may do so on one machine at the same time.
[[nodiscard]] Result<Eal> start_eal(const EalRequest& request);

/// Sets how much DPDK logs. Any thread.
void set_eal_log_level(LogLevel level) noexcept;

}  // namespace podlane
