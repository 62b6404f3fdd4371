// The machine as files tell of it: /proc, /sys and /dev, below a root that tests can choose.
//
// Read by doctor's checks. Any thread; what cannot be read is empty.
#pragma once

#include <optional>
#include <string>
#include <vector>

namespace podlane::control {

class Machine {
  public:
    /// `root`: "" for this machine.
    explicit Machine(std::string root = {}) : root_(std::move(root)) {}

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

  private:
    std::string root_;
};

}  // namespace podlane::control
