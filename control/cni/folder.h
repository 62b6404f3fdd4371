// Files that outlive a call of podlane-cni, so written that a kill at any moment leaves them whole.
//
// The allocator and the list of attachments keep theirs by it. Calls run side by side: each change
// is one system call that the kernel makes whole or not at all; what takes several is done under a
// lock, which ends with its process.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "control/netdev/unique_fd.h"

namespace podlane::cni {

class Folder {
  public:
    /// Makes the folder and those above it; throws Failure.
    explicit Folder(std::string path);

    [[nodiscard]] const std::string& path() const noexcept { return path_; }
    /// Held until the descriptor is closed. Throws Failure when others hold it for longer.
    [[nodiscard]] control::UniqueFd lock(std::chrono::milliseconds wait) const;

    /// Names in it, in no order, without those that begin with a dot or are folders' locks.
    [[nodiscard]] std::vector<std::string> names() const;
    /// Creates a symbolic link without a target: a name and a text, in one step. False: it exists
    /// already.
    [[nodiscard]] bool make_link(const std::string& name, const std::string& text) const;
    /// Its text; nothing when there is none.
    [[nodiscard]] std::optional<std::string> read_link(const std::string& name) const;
    /// Makes the link, or another text of it.
    void replace_link(const std::string& name, const std::string& text) const;
    /// Replaces a file atomically: a reader finds the new one or the old one.
    void write(const std::string& name, const std::string& text) const;
    [[nodiscard]] std::optional<std::string> read(const std::string& name) const;
    /// Does nothing if there is none.
    void remove(const std::string& name) const;

  private:
    [[nodiscard]] std::string at(const std::string& name) const { return path_ + '/' + name; }

    std::string path_;
};

}  // namespace podlane::cni
