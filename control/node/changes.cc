// Changes of objects: apply, delete, replace; also the read-only validate and diff.
#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <iterator>
#include <utility>

#include "control/node/node_model.h"

namespace podlane::control {

namespace {

std::vector<ObjectKey> keys_of(const std::vector<Change>& changes) {
    std::vector<ObjectKey> keys;
    for (const Change& change : changes) keys.push_back(change.key);
    return keys;
}

ChangeReport report_of(const ChangeSet& plan, uint64_t generation,
                       std::vector<std::string> notices) {
    return {generation,     keys_of(plan.added), keys_of(plan.changed), keys_of(plan.removed),
            plan.unchanged, std::move(notices)};
}

Refusal bad(std::string message) {
    return refusal(RefusalKind::kBadRequest, std::move(message));
}

std::vector<ObjectKey> keys_of(const std::vector<Object>& objects) {
    std::vector<ObjectKey> keys;
    keys.reserve(objects.size());
    for (const Object& object : objects) keys.push_back(key_of(object));
    return keys;
}

void append(std::vector<std::string>& to, std::vector<std::string> more) {
    std::move(more.begin(), more.end(), std::back_inserter(to));
}

/// The error without location and object, so that it is the same at every re-list.
std::string reason_of(const UnreadObject& object) {
    const std::string& message = object.error.message;
    const std::string subject = to_string(*object.key) + ": ";
    const size_t at = message.find(subject);
    return at == std::string::npos ? message : message.substr(at + subject.size());
}

/// "namespace/name", or "name" for cluster-scoped kinds; nothing if it is neither.
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

Result<ParsedObjects> NodeModel::parse(const std::vector<ObjectsText>& documents, bool each) const {
    ParsedObjects all;
    for (const ObjectsText& document : documents) {
        auto parsed = parse_objects(document.text, std::string(document.name), nullptr,
                                    each ? ParseMode::kEach : ParseMode::kAll);
        if (!parsed.ok()) return parsed.error();
        std::move(parsed->refused.begin(), parsed->refused.end(), std::back_inserter(all.refused));
        std::move(parsed->objects.begin(), parsed->objects.end(), std::back_inserter(all.objects));
        append(all.notices, std::move(parsed->notices));
    }
    return all;
}

void NodeModel::accept(AddressAllocator::Outcome outcome) {
    for (const std::string& notice : outcome.notices) {
        spdlog::warn("{}", notice);
        tell_event("addresses", "", notice);
    }
    const bool is_news = outcome.memory != addresses_.memory();
    addresses_.accept(std::move(outcome));
    if (!is_news) return;
    const auto saved = save_memory(config_.load_balancer.state, addresses_.memory());
    if (!saved.ok()) spdlog::error("loadBalancer.state: {}", saved.error().message);
}

void NodeModel::refuse_others(ParsedObjects& parsed, const ChangeScope& scope) const {
    std::erase_if(parsed.objects, [&](const Object& object) {
        const ObjectKey key = key_of(object);
        const auto other = check_keys({key}, scope);
        if (other) parsed.refused.push_back({key, other->error});
        return other.has_value();
    });
}

void NodeModel::close_refused_policies(ParsedObjects& parsed) const {
    for (UnreadObject& object : parsed.refused) {
        if (!object.closed || store_.find(*object.key)) continue;
        parsed.objects.push_back(std::move(*object.closed));
    }
}

void NodeModel::follow_refused(const ParsedObjects& parsed, const ChangeScope& scope) {
    std::set<ObjectKey> unread;
    for (const UnreadObject& object : parsed.refused) {
        if (object.key) unread.insert(*object.key);
    }
    for (const Object& object : parsed.objects) {
        if (!unread.contains(key_of(object))) refused_.forget(key_of(object));
    }
    for (const UnreadObject& object : parsed.refused) {
        if (object.key) refused_.refuse(*object.key, reason_of(object), scope.owner);
        if (!object.key) spdlog::warn("refused: {}", object.error.message);
    }
}

Outcome<ChangeReport> NodeModel::commit(ChangeSet plan, ParsedObjects parsed,
                                        const ChangeScope& scope) {
    const std::vector<RefusedObject> before = compiler_.refused();
    auto done = commit(std::move(plan), std::move(parsed.notices), scope);
    if (!done.ok()) return done;
    follow_refused(parsed, scope);
    for (const UnreadObject& object : parsed.refused) {
        done.value().refused.push_back({object.key, object.error.message});
    }
    for (const RefusedObject& object : compiler_.refused()) {
        if (std::ranges::find(before, object) != before.end()) continue;
        done.value().refused.push_back({object.key, object.message});
    }
    return done;
}

Outcome<ChangeReport> NodeModel::commit(ChangeSet plan, std::vector<std::string> notices,
                                        const ChangeScope& scope) {
    auto addresses = addresses_.complete(store_, plan);
    if (addresses) append(notices, addresses->notices);
    if (!plan.empty()) {
        store_.commit(plan);
        auto compiled =
            publish(&plan, false, scope.each ? OnConflict::kOlder : OnConflict::kRefuse);
        if (!compiled.ok()) {
            store_.revert(plan);
            return Refusal{RefusalKind::kInvalid, compiled.error()};
        }
        owners_.follow(plan, scope.owner);
        tell_objects(plan, scope.owner);
        last_refusal_.clear();
        if (keeper_ != nullptr) {
            keeper_->put_objects(plan,
                                 [this](const ObjectKey& key) { return owners_.owner_of(key); });
        }
        append(notices, std::move(compiled).value());
        spdlog::debug("generation {}: {} added, {} changed, {} removed",
                      compiler_.current()->generation, plan.added.size(), plan.changed.size(),
                      plan.removed.size());
    }
    if (addresses) accept(std::move(*addresses));
    for (const Change& change : plan.removed) refused_.forget(change.key);
    return report_of(plan, compiler_.current()->generation, std::move(notices));
}

std::optional<Refusal> NodeModel::check_owner(const ChangeScope& scope) {
    if (is_owner_name(scope.owner)) return std::nullopt;
    return bad(
        fmt::format("owner: {} is no name (1-63 letters, digits, and after the first also "
                    "_ . -)",
                    scope.owner));
}

std::optional<Refusal> NodeModel::check_keys(const std::vector<ObjectKey>& keys,
                                             const ChangeScope& scope) const {
    for (const ObjectKey& key : keys) {
        const std::string_view owner = owners_.owner_of(key);
        if (owner == scope.owner || !store_.find(key)) continue;
        return refusal(RefusalKind::kConflict,
                       fmt::format("{} belongs to {}, and this change is {}'s", to_string(key),
                                   owner, scope.owner));
    }
    return std::nullopt;
}

Outcome<ChangeReport> NodeModel::do_apply(const std::vector<ObjectsText>& documents,
                                          const ChangeScope& scope) {
    if (auto refused = check_owner(scope)) return std::move(*refused);
    auto parsed = parse(documents, scope.each);
    if (!parsed.ok()) return Refusal{RefusalKind::kInvalid, parsed.error()};
    if (scope.each) {
        refuse_others(*parsed, scope);
        close_refused_policies(*parsed);
    }
    if (auto refused = check_keys(keys_of(parsed->objects), scope)) return std::move(*refused);
    ChangeSet plan = store_.plan_apply(parsed->objects);
    return commit(std::move(plan), std::move(parsed).value(), scope);
}

Outcome<std::set<Kind>> NodeModel::kinds_of(const ChangeScope& scope) {
    std::set<Kind> kinds;
    for (const std::string& word : scope.kinds) {
        const auto kind = kind_from_word(word);
        if (!kind) {
            return bad(fmt::format("kinds: {} is no kind of object that podlane keeps", word));
        }
        kinds.insert(*kind);
    }
    return kinds;
}

std::optional<Refusal> NodeModel::check_replacement(const std::vector<ObjectKey>& wanted,
                                                    const ChangeSet& plan) {
    const auto is_node = [](const ObjectKey& key) { return key.kind == Kind::kNode; };
    if (wanted.empty()) {
        return refusal(RefusalKind::kInvalid,
                       "replace: the set has no object at all; allowEmpty (--allow-empty) says "
                       "that this is meant");
    }
    const bool had_one = std::ranges::any_of(plan.removed, is_node, &Change::key);
    if (had_one && std::ranges::none_of(wanted, is_node)) {
        return refusal(
            RefusalKind::kInvalid,
            "replace: the set has no Node, and there are some now; allowEmpty "
            "(--allow-empty) says that this is meant, kinds (--kinds) leaves them alone");
    }
    return std::nullopt;
}

Outcome<ChangeReport> NodeModel::do_replace(const std::vector<ObjectsText>& documents,
                                            const ChangeScope& scope) {
    if (auto refused = check_owner(scope)) return std::move(*refused);
    auto kinds = kinds_of(scope);
    if (!kinds.ok()) return kinds.refusal();
    auto parsed = parse(documents, scope.each);
    if (!parsed.ok()) return Refusal{RefusalKind::kInvalid, parsed.error()};
    if (scope.each) {
        refuse_others(*parsed, scope);
        close_refused_policies(*parsed);
    }
    // A refused object keeps its previous form.
    std::vector<ObjectKey> wanted = keys_of(parsed->objects);
    std::set<ObjectKey> refused_keys;
    for (const UnreadObject& object : parsed->refused) {
        if (object.key) refused_keys.insert(*object.key);
    }
    const auto in_scope = [&](const ObjectKey& key) {
        return kinds->empty() || kinds->contains(key.kind);
    };
    for (const ObjectKey& key : wanted) {
        if (in_scope(key)) continue;
        return bad(
            fmt::format("documents: {} is of none of the kinds that are replaced", to_string(key)));
    }
    if (auto refused = check_keys(wanted, scope)) return std::move(*refused);
    ChangeSet plan = store_.plan_replace(parsed->objects);
    std::erase_if(plan.removed, [&](const Change& change) {
        return !in_scope(change.key) || owners_.owner_of(change.key) != scope.owner ||
               refused_keys.contains(change.key);
    });
    wanted.insert(wanted.end(), refused_keys.begin(), refused_keys.end());
    if (!scope.allow_empty) {
        if (auto refused = check_replacement(wanted, plan)) return std::move(*refused);
    }
    auto done = commit(std::move(plan), std::move(parsed).value(), scope);
    if (done.ok()) refused_.keep_only(scope.owner, kinds.value(), refused_keys);
    return done;
}

Outcome<ChangeReport> NodeModel::do_remove(const std::vector<ObjectsText>& documents,
                                           const ChangeScope& scope) {
    if (auto refused = check_owner(scope)) return std::move(*refused);
    std::vector<ObjectKey> keys;
    for (const ObjectsText& document : documents) {
        auto parsed = parse_object_keys(document.text, std::string(document.name));
        if (!parsed.ok()) return Refusal{RefusalKind::kInvalid, parsed.error()};
        std::move(parsed->begin(), parsed->end(), std::back_inserter(keys));
    }
    const std::vector<ObjectKey> named = keys;
    if (scope.each) {
        std::erase_if(keys, [&](const ObjectKey& key) { return check_keys({key}, scope); });
    }
    if (auto refused = check_keys(keys, scope)) return std::move(*refused);
    auto done = commit(store_.plan_delete(keys), std::vector<std::string>{}, scope);
    if (done.ok()) {
        for (const ObjectKey& key : named) refused_.forget(key);
    }
    return done;
}

Outcome<ChangeReport> NodeModel::do_remove(std::string_view kind, std::string_view name,
                                           const ChangeScope& scope) {
    if (auto refused = check_owner(scope)) return std::move(*refused);
    const auto known = kind_from_word(kind);
    if (!known) {
        return bad(fmt::format("kind: {} is no kind of object that podlane keeps", kind));
    }
    const auto key = parse_key(*known, name);
    if (!key) {
        return bad(fmt::format("name: {} is not {}", name,
                               is_namespaced(*known) ? "NAMESPACE/NAME" : "a name"));
    }
    if (auto refused = check_keys({*key}, scope)) return std::move(*refused);
    ChangeSet plan = store_.plan_delete({*key});
    if (plan.empty() && !refused_.forget(*key)) {
        return refusal(RefusalKind::kNotFound, fmt::format("{} does not exist", to_string(*key)));
    }
    return commit(std::move(plan), std::vector<std::string>{}, scope);
}

Outcome<ChangeReport> NodeModel::told(Outcome<ChangeReport> done, std::string_view what,
                                      const ChangeScope& scope) {
    if (!done.ok()) tell_refusal(scope, what, done.refusal());
    return done;
}

Outcome<ChangeReport> NodeModel::apply(const std::vector<ObjectsText>& documents,
                                       const ChangeScope& scope) {
    return told(do_apply(documents, scope), "apply", scope);
}

Outcome<ChangeReport> NodeModel::replace(const std::vector<ObjectsText>& documents,
                                         const ChangeScope& scope) {
    auto done = do_replace(documents, scope);
    if (done.ok() && scope.connection) {
        feeder_watch_.replaced(scope.owner, *scope.connection, now_ms_());
    }
    return told(std::move(done), "replace", scope);
}

Outcome<ChangeReport> NodeModel::remove(const std::vector<ObjectsText>& documents,
                                        const ChangeScope& scope) {
    return told(do_remove(documents, scope), "delete", scope);
}

Outcome<ChangeReport> NodeModel::remove(std::string_view kind, std::string_view name,
                                        const ChangeScope& scope) {
    return told(do_remove(kind, name, scope), "delete", scope);
}

Outcome<ChangeReport> NodeModel::dry_run(const std::vector<ObjectsText>& documents,
                                         const ChangeScope& scope) {
    if (auto refused = check_owner(scope)) return std::move(*refused);
    auto parsed = parse(documents);
    if (!parsed.ok()) return Refusal{RefusalKind::kInvalid, parsed.error()};
    if (auto refused = check_keys(keys_of(parsed->objects), scope)) return std::move(*refused);
    ChangeSet plan = store_.plan_apply(parsed->objects);
    const auto addresses = addresses_.complete(store_, plan);
    // The compiler needs the store with the change applied; no other code sees it in the meantime.
    store_.commit(plan);
    auto checked = compiler_.check(store_, plan);
    store_.revert(plan);
    if (!checked.ok()) return Refusal{RefusalKind::kInvalid, checked.error()};
    std::vector<std::string> notices = std::move(parsed->notices);
    append(notices, std::move(checked).value());
    if (addresses) append(notices, addresses->notices);
    return report_of(plan, compiler_.current()->generation, std::move(notices));
}

Outcome<ChangeReport> NodeModel::validate(const std::vector<ObjectsText>& documents,
                                          const ChangeScope& scope) {
    return dry_run(documents, scope);
}

Outcome<ChangeReport> NodeModel::diff(const std::vector<ObjectsText>& documents,
                                      const ChangeScope& scope) {
    return dry_run(documents, scope);
}

}  // namespace podlane::control
