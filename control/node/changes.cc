// Changes of objects: apply, delete, replace, and what only looks: validate, diff.
#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <iterator>
#include <utility>

#include "control/node/node_model.h"

namespace podlane::control {

namespace {

using Json = nlohmann::ordered_json;

Json keys_json(const std::vector<Change>& changes) {
    Json list = Json::array();
    for (const Change& change : changes) {
        Json item = {{"kind", std::string(kind_name(change.key.kind))}};
        if (is_namespaced(change.key.kind)) item["namespace"] = change.key.name_space;
        item["name"] = change.key.name;
        list.push_back(std::move(item));
    }
    return list;
}

Json change_json(const ChangeSet& plan, uint64_t generation, std::vector<std::string> notices) {
    return {{"generation", generation},           {"added", keys_json(plan.added)},
            {"changed", keys_json(plan.changed)}, {"removed", keys_json(plan.removed)},
            {"unchanged", plan.unchanged},        {"notices", std::move(notices)}};
}

void append(std::vector<std::string>& to, std::vector<std::string> more) {
    std::move(more.begin(), more.end(), std::back_inserter(to));
}

/// "namespace/name", or "name" for a cluster's own kinds; nothing when it is neither.
std::optional<ObjectKey> parse_key(Kind kind, std::string_view name) {
    const size_t slash = name.find('/');
    if (!is_namespaced(kind)) {
        if (name.empty() || slash != std::string_view::npos) return std::nullopt;
        return ObjectKey{kind, "", std::string(name)};
    }
    if (slash == std::string_view::npos || slash == 0 || slash + 1 == name.size()) {
        return std::nullopt;
    }
    return ObjectKey{kind, std::string(name.substr(0, slash)), std::string(name.substr(slash + 1))};
}

}  // namespace

Result<ParsedObjects> NodeModel::parse(const std::vector<NamedText>& documents) const {
    ParsedObjects all;
    for (const NamedText& document : documents) {
        auto parsed = parse_objects(document.text, std::string(document.name));
        if (!parsed.ok()) return parsed.error();
        std::move(parsed->objects.begin(), parsed->objects.end(), std::back_inserter(all.objects));
        append(all.notices, std::move(parsed->notices));
    }
    return all;
}

void NodeModel::accept(AddressAllocator::Outcome outcome) {
    for (const std::string& notice : outcome.notices) spdlog::warn("{}", notice);
    const bool is_news = outcome.memory != addresses_.memory();
    addresses_.accept(std::move(outcome));
    if (!is_news) return;
    const auto saved = save_memory(config_.load_balancer.state, addresses_.memory());
    if (!saved.ok()) spdlog::error("loadBalancer.state: {}", saved.error().message);
}

RpcResult NodeModel::commit(ChangeSet plan, std::vector<std::string> notices) {
    auto addresses = addresses_.complete(store_, plan);
    if (addresses) append(notices, addresses->notices);
    if (!plan.empty()) {
        store_.commit(plan);
        auto compiled = publish(&plan, false);
        if (!compiled.ok()) {
            store_.revert(plan);
            return rpc_failure(compiled.error(), rpc_code::kRefused);
        }
        append(notices, std::move(compiled).value());
        spdlog::debug("generation {}: {} added, {} changed, {} removed",
                      compiler_.current()->generation, plan.added.size(), plan.changed.size(),
                      plan.removed.size());
    }
    if (addresses) accept(std::move(*addresses));
    return change_json(plan, compiler_.current()->generation, std::move(notices));
}

RpcResult NodeModel::change(const std::vector<NamedText>& documents, ObjectChange how) {
    auto parsed = parse(documents);
    if (!parsed.ok()) return rpc_failure(parsed.error(), rpc_code::kRefused);
    return commit(how == ObjectChange::kApply ? store_.plan_apply(parsed->objects)
                                              : store_.plan_replace(parsed->objects),
                  std::move(parsed->notices));
}

RpcResult NodeModel::apply(const std::vector<NamedText>& documents) {
    return change(documents, ObjectChange::kApply);
}

RpcResult NodeModel::replace(const std::vector<NamedText>& documents) {
    return change(documents, ObjectChange::kReplace);
}

RpcResult NodeModel::remove(const std::vector<NamedText>& documents) {
    std::vector<ObjectKey> keys;
    for (const NamedText& document : documents) {
        auto parsed = parse_object_keys(document.text, std::string(document.name));
        if (!parsed.ok()) return rpc_failure(parsed.error(), rpc_code::kRefused);
        std::move(parsed->begin(), parsed->end(), std::back_inserter(keys));
    }
    return commit(store_.plan_delete(keys), {});
}

RpcResult NodeModel::remove(std::string_view kind, std::string_view name) {
    const auto known = kind_from_word(kind);
    if (!known) {
        return RpcFailure{rpc_code::kBadParams,
                          fmt::format("kind: {} is no kind of object that podlane keeps", kind)};
    }
    const auto key = parse_key(*known, name);
    if (!key) {
        return RpcFailure{rpc_code::kBadParams,
                          fmt::format("name: {} is not {}", name,
                                      is_namespaced(*known) ? "NAMESPACE/NAME" : "a name")};
    }
    ChangeSet plan = store_.plan_delete({*key});
    if (plan.empty()) {
        return RpcFailure{rpc_code::kNotFound, fmt::format("{} does not exist", to_string(*key))};
    }
    return commit(std::move(plan), {});
}

RpcResult NodeModel::dry_run(const std::vector<NamedText>& documents) {
    auto parsed = parse(documents);
    if (!parsed.ok()) return rpc_failure(parsed.error(), rpc_code::kRefused);
    ChangeSet plan = store_.plan_apply(parsed->objects);
    const auto addresses = addresses_.complete(store_, plan);
    // The compiler wants to see the store as it would be; nobody else sees it meanwhile.
    store_.commit(plan);
    auto checked = compiler_.check(store_, plan);
    store_.revert(plan);
    if (!checked.ok()) return rpc_failure(checked.error(), rpc_code::kRefused);
    std::vector<std::string> notices = std::move(parsed->notices);
    append(notices, std::move(checked).value());
    if (addresses) append(notices, addresses->notices);
    return change_json(plan, compiler_.current()->generation, std::move(notices));
}

RpcResult NodeModel::validate(const std::vector<NamedText>& documents) {
    return dry_run(documents);
}

RpcResult NodeModel::diff(const std::vector<NamedText>& documents) {
    return dry_run(documents);
}

}  // namespace podlane::control
