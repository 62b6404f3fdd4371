// `podlanectl describe`: objects in full, with what this node made of them.
#include <fmt/format.h>

#include <ostream>
#include <utility>

#include "control/cli/cell.h"
#include "control/cli/get.h"
#include "control/cli/getter.h"
#include "control/cli/listing.h"
#include "control/cli/yaml.h"

namespace podlane::control {
namespace {

using Json = nlohmann::ordered_json;

/// Connections that are shown of one object, and how many of them are counted.
constexpr uint64_t kShown = 20;
constexpr uint64_t kCounted = 1000;

/// A kind of live state, by name, that is shown below an object because it concerns it.
struct Related {
    std::string_view kind;
    std::string heading;
    std::string name;
};

std::vector<Related> related_to(const CliKind& kind, const Json& item) {
    if (kind.object == Kind::kService) {
        return {{"frontends", "Frontends", object_name(item)},
                {"flows", "Flows", object_name(item)}};
    }
    if (kind.object == Kind::kPod) {
        return {{"ports", "Port", object_name(item)}, {"flows", "Flows", object_name(item)}};
    }
    return {};
}

/// The first kCounted items, and whether there are more.
struct Found {
    Json items = Json::array();
    bool has_more = false;
};

/// For connections, each call covers only a part of podlaned's table.
Found find_items(RpcClient& client, Json params) {
    Found found;
    do {
        params["limit"] = kCounted - found.items.size();
        auto reply = client.call("get", params);
        if (!reply) break;
        for (Json& item : (*reply)["items"]) found.items.push_back(std::move(item));
        params["from"] = reply->value("next", uint64_t{0});
        found.has_more = params["from"] != 0 || reply->contains("total");
    } while (params["from"] != 0 && found.items.size() < kCounted);
    return found;
}

/// "Flows (20 of 312; all: podlanectl get flows shop/web):".
std::string heading_of(const Related& related, const Found& found) {
    if (found.items.size() <= kShown) return related.heading + ':';
    return fmt::format("{} ({} of {}{}; all: podlanectl get {} {}):", related.heading, kShown,
                       found.has_more ? "more than " : "", found.items.size(), related.kind,
                       printable(related.name));
}

void describe(const Invocation& call, const Listed& listed, RpcClient& client,
              CliEnvironment& environment) {
    for (const Json& item : listed.items) {
        environment.out << to_yaml(item);
        for (const Related& related : related_to(*listed.target.kind, item)) {
            const CliKind* kind = find_kind(related.kind);
            Found found = find_items(client, {{"kind", kind->plural}, {"name", related.name}});
            environment.out << heading_of(related, found);
            if (found.items.empty()) {
                environment.out << " <none>\n";
                continue;
            }
            if (found.items.size() > kShown) {
                found.items.erase(found.items.begin() + kShown, found.items.end());
            }
            environment.out << '\n' << list_text(*kind, found.items, screen_of(call, environment));
        }
        environment.out << '\n';
    }
}

}  // namespace

std::string describe_fault(Invocation& call) {
    auto targets = targets_of(call, false);
    auto* wrong = std::get_if<std::string>(&targets);
    return wrong == nullptr ? std::string() : std::move(*wrong);
}

int run_describe(const Invocation& call, CliEnvironment& environment) {
    const Getter getter(call);
    auto client = connect(call);
    if (!client) return fail(environment, client.error());
    for (const Target& target : getter.targets()) {
        const auto listed = getter.list(client.value(), target);
        if (!listed) return fail(environment, hinted(listed.error(), target));
        if (listed->items.empty()) show_none(call, target, environment);
        describe(call, listed.value(), client.value(), environment);
    }
    return finish(environment);
}

}  // namespace podlane::control
