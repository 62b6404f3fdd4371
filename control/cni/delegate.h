// The IPAM plugin that a network's configuration names, run as the CNI specification says.
//
// plugin.cc runs it for all commands but VERSION, specification section 4: found by CNI_PATH, with
// the environment and the configuration that podlane-cni got. No shell has a part in it.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "control/cni/request.h"

namespace podlane::cni {

class Delegate {
  public:
    /// Both must outlive it. Throws Failure when CNI_PATH has no such plugin.
    Delegate(const Request& request, const Environment& environment);

    /// What ADD answered. Throws Failure: the plugin's own, its name before it.
    [[nodiscard]] Json add();
    void del(const Attachment& attachment);
    void check();
    /// Harmless for a plugin that knows no CNI 1.1.0.
    void gc();
    void status();

  private:
    struct Ended {
        int status = 0;  ///< as waitpid() has it
        std::string output;
    };

    [[nodiscard]] Json run(const std::string& command, const Attachment& attachment);
    [[nodiscard]] Ended execute(const Environment& environment, const std::string& input) const;
    /// The newest version that the plugin has, and the configuration is not older than.
    [[nodiscard]] std::string common_version() const;
    void run_of_newest(const std::string& command);

    const Request& request_;
    const Environment& environment_;
    std::string path_;
    Json config_;  ///< as the plugin gets it
};

/// A program's standard output, given `input`; it is killed when it takes longer than `limit`.
/// Its standard error is ours. Throws Failure when it cannot be run.
[[nodiscard]] std::pair<int, std::string> run_program(const std::string& path,
                                                      const Environment& environment,
                                                      const std::string& input,
                                                      std::chrono::milliseconds limit);

}  // namespace podlane::cni
