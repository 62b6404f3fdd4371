#include "control/cli/endpoints.h"

#include <fmt/format.h>

#include <map>
#include <set>
#include <string>
#include <utility>

#include "control/cli/cell.h"

namespace podlane::control {

namespace {

using Json = nlohmann::ordered_json;
constexpr const char* kServiceLabel = "/metadata/labels/kubernetes.io~1service-name";

/// A subset of a v1 Endpoints: a slice has one list of ports for all of its endpoints.
Json subset_of(const Json& slice) {
    Json subset = Json::object();
    for (const Json& endpoint : at(slice, "/endpoints")) {
        const bool is_ready = at(endpoint, "/conditions/ready") != false;
        for (const Json& address : at(endpoint, "/addresses")) {
            subset[is_ready ? "addresses" : "notReadyAddresses"].push_back({{"ip", address}});
        }
    }
    if (!subset.empty() && at(slice, "/ports").is_array()) subset["ports"] = slice.at("ports");
    return subset;
}

}  // namespace

void add_endpoints_of_slices(const Json& slices, std::string_view only, Json& items) {
    std::set<std::string> known;
    for (const Json& item : items) known.insert(object_name(item));
    std::map<std::string, Json> by_service;
    for (const Json& slice : slices) {
        const Json& service = at(slice, kServiceLabel);
        if (!service.is_string()) continue;
        const std::string name_space = cell(slice, "/metadata/namespace");
        const std::string name = fmt::format("{}/{}", name_space, cell_text(service));
        if (known.contains(name) || (!only.empty() && name != only)) continue;
        Json& made = by_service[name];
        if (made.is_null()) {
            made = {{"apiVersion", "v1"},
                    {"kind", "Endpoints"},
                    {"metadata", {{"name", service}, {"namespace", name_space}}},
                    {"subsets", Json::array()}};
        }
        if (Json subset = subset_of(slice); !subset.empty()) {
            made["subsets"].push_back(std::move(subset));
        }
    }
    for (auto& [name, made] : by_service) items.push_back(std::move(made));
}

}  // namespace podlane::control
