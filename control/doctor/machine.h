// The machine as files tell of it: /proc, /sys and /dev, below a root that tests can choose; and
// its network interfaces, as the kernel tells of them.
//
// Read by doctor's checks. Any thread; what cannot be read is empty.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "control/doctor/link_facts.h"

namespace podlane::control {

class Machine {
  public:
    using AskLink = std::function<std::optional<LinkFacts>(const std::string& ifname)>;

    /// `root`: "" for this machine.
    explicit Machine(std::string root = {}, AskLink ask_link = link_facts)
        : root_(std::move(root)), ask_link_(std::move(ask_link)) {}

    /// A file's contents without the final line end; none if it cannot be read.
    [[nodiscard]] std::optional<std::string> text(const std::string& path) const;
    /// A file that holds one number.
    [[nodiscard]] std::optional<long> number(const std::string& path) const;
    /// Names in a folder, sorted.
    [[nodiscard]] std::vector<std::string> names(const std::string& path) const;
    [[nodiscard]] bool exists(const std::string& path) const;
    /// The last component of a link's target; empty if it is not a link.
    [[nodiscard]] std::string link_name(const std::string& path) const;
    /// Names of the programs that run: /proc/*/comm.
    [[nodiscard]] std::vector<std::string> programs() const;
    /// See link_facts().
    [[nodiscard]] std::optional<LinkFacts> link(const std::string& ifname) const {
        return ask_link_(ifname);
    }

  private:
    std::string root_;
    AskLink ask_link_;
};

}  // namespace podlane::control
