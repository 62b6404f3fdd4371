// What podlane-cni has added to a network: one file an attachment, so that a DEL needs nothing but
// its container's id, a GC knows what there is, and a repeated ADD gets the answer of the first.
//
// plugin.cc writes one before it does anything, and again with the result. One that podlaned could
// not be told to remove, because it was not there, waits in a folder of its own; the next call that
// finds podlaned sees to it.
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
    /// Nothing when there is none, and when it cannot be read: then it is as good as gone.
    [[nodiscard]] std::optional<Record> find(const Attachment& attachment) const;
    void forget(const Attachment& attachment) const;
    [[nodiscard]] std::vector<Attachment> all() const;

    /// Its port is to be removed when podlaned is there again.
    void owe_removal(const Attachment& attachment) const;
    /// Calls `remove` for each that is owed, one call of podlane-cni at a time: none is removed
    /// that was added again meanwhile. What `remove` throws leaves the rest owed.
    void pay_removals(const std::function<void(const Attachment&)>& remove) const;

  private:
    Folder records_;
    Folder owed_;
    std::chrono::milliseconds wait_;
};

}  // namespace podlane::cni
