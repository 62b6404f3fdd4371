// What `get` and `describe` ask podlaned for: the items of the targets that a command line names.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "control/cli/command.h"
#include "control/cli/run.h"
#include "control/cli/selector.h"
#include "control/cli/target.h"
#include "control/rpc/client.h"
#include "lib/base/result.h"

namespace podlane::control {

/// The items of one target, and whether there are more.
struct Listed {
    Target target;
    nlohmann::ordered_json items = nlohmann::ordered_json::array();
    size_t total = 0;          ///< where the list was cut; else 0
    bool from_slices = false;  ///< some Endpoints are made of EndpointSlices
};

/// One round of questions: everything that the command line names, which must be valid.
class Getter {
  public:
    explicit Getter(const Invocation& call);

    [[nodiscard]] const std::vector<Target>& targets() const noexcept { return targets_; }

    /// Lists a target; an error for one name does not hide the others.
    [[nodiscard]] Result<Listed> list(RpcClient& client, const Target& target) const;

    /// -o name shows namespaces unless the command line fixes one.
    [[nodiscard]] bool shows_namespaces() const { return !call_.has("namespace"); }

  private:
    /// The item of that name; a port may be named as its pod is in kubectl.
    [[nodiscard]] Result<nlohmann::ordered_json> ask(RpcClient& client,
                                                     nlohmann::ordered_json params) const;
    [[nodiscard]] Result<Listed> list_endpoints(RpcClient& client, const Target& target) const;
    void filter(Listed& listed) const;

    const Invocation& call_;
    std::vector<Target> targets_;
    std::optional<LabelSelector> selector_;
};

/// Says on stderr that there are no items of a target: "no pods in namespace shop", and where to
/// look if its kind is easily taken for another.
void show_none(const Invocation& call, const Target& target, CliEnvironment& environment);

/// The error for a name, with where else to look.
[[nodiscard]] Error hinted(Error error, const Target& target);

}  // namespace podlane::control
