// Whose each object of the store is: several feeders (an operator, a watcher of the API server)
// share one node, and the re-list of one must not touch what another has given.
//
// The node model asks before a change and tells it after; control thread only.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "control/kube/store.h"

namespace podlane::control {

/// Who changes objects without saying so, and whose the configuration's objects are.
inline constexpr std::string_view kOperator = "operator";

class ObjectOwners {
  public:
    /// Of an object that is there.
    [[nodiscard]] std::string_view owner_of(const ObjectKey& key) const;
    /// After a commit of the plan: what it adds is `owner`'s, what it removes nobody's.
    void follow(const ChangeSet& plan, std::string_view owner);

  private:
    std::map<ObjectKey, std::string> others_;  ///< objects that are not the operator's
};

/// 1-63 letters, digits, '-', '_' and '.', the first a letter or a digit.
[[nodiscard]] bool is_owner_name(std::string_view text) noexcept;

}  // namespace podlane::control
