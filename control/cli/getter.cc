#include "control/cli/getter.h"

#include <fmt/format.h>

#include <ostream>
#include <utility>
#include <variant>

#include "control/cli/endpoints.h"
#include "control/cli/flows.h"
#include "control/cli/habits.h"
#include "control/cli/table.h"

namespace podlane::control {

namespace {

using Json = nlohmann::ordered_json;

}  // namespace

Getter::Getter(const Invocation& call)
    : call_(call), targets_(std::get<std::vector<Target>>(targets_of(call, false))) {
    if (call.has("selector")) selector_ = parse_selector(call.text("selector")).value();
}

Result<Json> Getter::ask(RpcClient& client, Json params) const {
    auto reply = client.call("get", params);
    if (reply || client.last_code() != rpc_code::kNotFound || params.at("kind") != "ports" ||
        params.at("name").get<std::string>().find('/') != std::string::npos) {
        return reply;
    }
    params["name"] = whole_name(call_, params.at("name").get<std::string>());
    auto of_pod = client.call("get", params);
    return of_pod ? std::move(of_pod) : std::move(reply);
}

Result<Listed> Getter::list(RpcClient& client, const Target& target) const {
    const bool is_data = call_.format == OutputFormat::kJson || call_.format == OutputFormat::kYaml;
    if (target.kind->object == Kind::kEndpoints && !is_data && !selector_ &&
        !call_.has("refused")) {
        return list_endpoints(client, target);
    }
    Json params{{"kind", target.kind->plural}};
    if (!target.name.empty()) params["name"] = target.name;
    const auto limit = call_.options.number("limit");
    if (limit && !selector_) params["limit"] = *limit;
    if (call_.has("refused")) params["refused"] = true;
    add_flow_params(call_, params);
    auto reply = ask(client, std::move(params));
    if (!reply) return reply.error();
    Listed listed{target, std::move((*reply)["items"])};
    if (reply->contains("total")) listed.total = reply->at("total").get<size_t>();
    filter(listed);
    if (limit && *limit != 0 && selector_ && listed.items.size() > *limit) {
        listed.total = listed.items.size();
        listed.items.erase(listed.items.begin() + static_cast<std::ptrdiff_t>(*limit),
                           listed.items.end());
    }
    return listed;
}

// kubectl shows the endpoints of every Service by this word; API servers keep both forms, and
// feeders send the newer one.
Result<Listed> Getter::list_endpoints(RpcClient& client, const Target& target) const {
    Json params{{"kind", target.kind->plural}};
    if (!target.name.empty()) params["name"] = target.name;
    auto reply = client.call("get", params);
    if (!reply && client.last_code() != rpc_code::kNotFound) return reply.error();
    Listed listed{target};
    if (reply) listed.items = std::move((*reply)["items"]);
    Json slices{{"kind", "endpointslices"}};
    if (const size_t slash = target.name.find('/'); slash != std::string::npos) {
        slices["name"] = target.name.substr(0, slash + 1);
    }
    const auto there_are = client.call("get", slices);
    if (!there_are) return there_are.error();
    const size_t own = listed.items.size();
    add_endpoints_of_slices(there_are->at("items"), target.is_one() ? target.name : "",
                            listed.items);
    listed.from_slices = listed.items.size() > own;
    if (!reply && !listed.from_slices) return reply.error();
    const auto limit = call_.options.number("limit");
    if (limit && *limit != 0 && listed.items.size() > *limit) {
        listed.total = listed.items.size();
        listed.items.erase(listed.items.begin() + static_cast<std::ptrdiff_t>(*limit),
                           listed.items.end());
    }
    return listed;
}

void Getter::filter(Listed& listed) const {
    const std::string name_space = call_.has("all-namespaces") ? "" : call_.text("namespace");
    const LiveKind* live = listed.target.kind->live;
    const bool by_namespace = live != nullptr && !name_space.empty() && !listed.target.is_one();
    if (!by_namespace && !selector_) return;
    Json kept = Json::array();
    for (Json& item : listed.items) {
        if (by_namespace && !is_in_namespace(*live, item, name_space)) continue;
        if (selector_ && !is_selected(*selector_, item)) continue;
        kept.push_back(std::move(item));
    }
    listed.items = std::move(kept);
}

void show_none(const Invocation& call, const Target& target, CliEnvironment& environment) {
    environment.err << "no " << (call.has("refused") ? "refused " : "") << target.kind->plural;
    if (target.is_one()) environment.err << " of " << printable(target.name);
    if (call.has("namespace")) {
        environment.err << " in namespace " << printable(call.text("namespace"));
    }
    const std::string_view elsewhere = call.has("refused") ? "" : elsewhere_of(target.kind->plural);
    if (!elsewhere.empty()) environment.err << "; " << elsewhere;
    environment.err << '\n';
}

Error hinted(Error error, const Target& target) {
    const std::string_view elsewhere = elsewhere_of(target.kind->plural);
    if (target.is_one() && !elsewhere.empty() && error.message.ends_with("not found")) {
        error.message += fmt::format("; {}", elsewhere);
    }
    return error;
}

}  // namespace podlane::control
