// What podlane-cni has added to a network: one file for each attachment, so that a DEL needs only
// its container's id, a GC knows what exists, and a repeated ADD returns the answer of the first.
//
// plugin.cc writes it before it changes anything, and again with the result. If podlaned was not
// there to remove an attachment's port, its file waits in a folder of its own; the next call that
// reaches podlaned removes the port.
#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "control/cni/folder.h"
#include "control/cni/request.h"

namespace podlane::cni {

struct Record {
    std::string pod;
    std::string netns;
    Json result;  ///< of the ADD; null while that has not ended

    friend bool operator==(const Record&, const Record&) = default;
};

class Attachments {
  public:
    /// `folder`: the network's; two more are made in it.
    Attachments(const std::string& folder, std::chrono::milliseconds wait);

    void keep(const Attachment& attachment, const Record& record) const;
    /// None if there is no such file, or if it cannot be read: then it counts as gone.
    [[nodiscard]] std::optional<Record> find(const Attachment& attachment) const;
    void forget(const Attachment& attachment) const;
    [[nodiscard]] std::vector<Attachment> all() const;

    /// Its port must be removed when podlaned is there again.
    void owe_removal(const Attachment& attachment) const;
    /// Calls `remove` for each pending one, in one process of podlane-cni at a time, so that none
    /// is removed that has been added again. If `remove` throws, the rest stays pending.
    void pay_removals(const std::function<void(const Attachment&)>& remove) const;

  private:
    Folder records_;
    Folder owed_;
    std::chrono::milliseconds wait_;
};

}  // namespace podlane::cni
