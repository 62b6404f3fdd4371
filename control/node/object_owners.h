// The owner of each object in the store: several feeders (an operator, a watcher of the API server)
// share one node, and the re-list of one must not affect objects of another.
//
// The node model asks it before a change and updates it afterwards; control thread only.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "control/kube/store.h"

namespace podlane::control {

/// The default owner of changes, and the owner of the configuration's objects.
inline constexpr std::string_view kOperator = "operator";

class ObjectOwners {
  public:
    /// The owner of an existing object.
    [[nodiscard]] std::string_view owner_of(const ObjectKey& key) const;
    /// After a commit of the plan: `owner` gets the added objects; removed ones have no owner.
    void follow(const ChangeSet& plan, std::string_view owner);

  private:
    std::map<ObjectKey, std::string> others_;  ///< objects that are not the operator's
};

/// 1-63 letters, digits, '-', '_' and '.', the first a letter or a digit.
[[nodiscard]] bool is_owner_name(std::string_view text) noexcept;

}  // namespace podlane::control
