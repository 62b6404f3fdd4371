#include "control/watch/cluster.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace podlane::control {

namespace {

constexpr std::string_view kListHead = R"({"apiVersion":"v1","kind":"List","items":[)";

/// Builds a `kind: List` from objects' texts.
class ListText {
  public:
    void add(std::string_view object) {
        text_ += count_++ == 0 ? kListHead : std::string_view(",\n");
        text_ += object;
    }
    [[nodiscard]] size_t count() const noexcept { return count_; }
    /// "" if nothing was added.
    [[nodiscard]] std::string take() {
        if (count_ != 0) text_ += "]}";
        return std::move(text_);
    }

  private:
    std::string text_;
    size_t count_ = 0;
};

/// Names contain no characters that JSON would escape (RFC 1123 labels and subdomains).
std::string reference(const Resource& resource, std::string_view name) {
    const size_t slash = name.find('/');
    if (slash == std::string_view::npos)
        return fmt::format(R"({{"apiVersion":"{}","kind":"{}","metadata":{{"name":"{}"}}}})",
                           resource.api_version, resource.kind, name);
    return fmt::format(
        R"({{"apiVersion":"{}","kind":"{}","metadata":{{"namespace":"{}","name":"{}"}}}})",
        resource.api_version, resource.kind, name.substr(0, slash), name.substr(slash + 1));
}

}  // namespace

Cluster::Cluster(std::span<const Resource> resources) {
    for (const Resource& each : resources) kinds_.push_back({&each, {}, {}, {}, false});
}

Cluster::Kind& Cluster::kind_of(const Resource& resource) {
    return *std::find_if(kinds_.begin(), kinds_.end(),
                         [&](const Kind& kind) { return kind.resource == &resource; });
}

void Cluster::note_news() {
    if (!has_news_) first_news_ = Clock::now();
    has_news_ = true;
    news_.notify_all();
}

void Cluster::change_locked(Kind& kind, WatchedObject object) {
    auto [at, is_new] = kind.objects.try_emplace(object.name);
    if (!is_new) {
        if (at->second.text == object.text) return;
        // Another object with the same name: nothing of the old one may carry over.
        if (at->second.uid != object.uid) kind.removed.insert(object.name);
        text_bytes_ -= at->second.text.size();
    }
    text_bytes_ += object.text.size();
    at->second = {std::move(object.uid), std::move(object.text)};
    kind.changed.insert(object.name);
    note_news();
}

void Cluster::remove_locked(Kind& kind, const std::string& name) {
    const auto at = kind.objects.find(name);
    if (at == kind.objects.end()) return;
    text_bytes_ -= at->second.text.size();
    kind.objects.erase(at);
    kind.changed.erase(name);
    kind.removed.insert(name);
    note_news();
}

void Cluster::replace(const Resource& resource, std::vector<WatchedObject> objects) {
    const std::lock_guard lock(mutex_);
    Kind& kind = kind_of(resource);
    std::set<std::string_view> listed;
    for (const WatchedObject& each : objects) listed.insert(each.name);
    std::vector<std::string> gone;
    for (const auto& [name, entry] : kind.objects)
        if (!listed.contains(name)) gone.push_back(name);
    for (const std::string& name : gone) remove_locked(kind, name);
    for (WatchedObject& each : objects) change_locked(kind, std::move(each));
    kind.has_synced = true;
    news_.notify_all();
}

void Cluster::change(const Resource& resource, WatchedObject object) {
    const std::lock_guard lock(mutex_);
    change_locked(kind_of(resource), std::move(object));
}

void Cluster::remove(const Resource& resource, const std::string& name) {
    const std::lock_guard lock(mutex_);
    remove_locked(kind_of(resource), name);
}

bool Cluster::is_complete() const {
    const std::lock_guard lock(mutex_);
    return std::all_of(kinds_.begin(), kinds_.end(), [](const Kind& k) { return k.has_synced; });
}

void Cluster::wait(Clock::time_point until, bool for_all) {
    std::unique_lock lock(mutex_);
    news_.wait_until(lock, until, [&] {
        if (is_woken_) return true;
        if (!for_all) return has_news_;
        return std::all_of(kinds_.begin(), kinds_.end(),
                           [](const Kind& k) { return k.has_synced; });
    });
    is_woken_ = false;
}

void Cluster::wake() {
    const std::lock_guard lock(mutex_);
    is_woken_ = true;
    news_.notify_all();
}

Batch Cluster::take_news() {
    const std::lock_guard lock(mutex_);
    Batch batch;
    batch.first_news = first_news_;
    ListText removals, changes;
    for (Kind& kind : kinds_) {
        for (const std::string& name : kind.removed) removals.add(reference(*kind.resource, name));
        for (const std::string& name : kind.changed)
            changes.add(kind.objects.find(name)->second.text);
        kind.removed.clear();
        kind.changed.clear();
    }
    batch.removed = removals.count();
    batch.changed = changes.count();
    batch.removals = removals.take();
    batch.changes = changes.take();
    has_news_ = false;
    return batch;
}

std::string Cluster::take_all() {
    const std::lock_guard lock(mutex_);
    ListText all;
    for (Kind& kind : kinds_) {
        for (const auto& [name, entry] : kind.objects) all.add(entry.text);
        kind.removed.clear();
        kind.changed.clear();
    }
    has_news_ = false;
    return all.count() == 0 ? std::string(kListHead) + "]}" : all.take();
}

size_t Cluster::objects() const {
    const std::lock_guard lock(mutex_);
    size_t count = 0;
    for (const Kind& kind : kinds_) count += kind.objects.size();
    return count;
}

size_t Cluster::text_bytes() const {
    const std::lock_guard lock(mutex_);
    return text_bytes_;
}

const Cluster::Kind* Cluster::find_kind(std::string_view kind) const {
    const auto found =
        std::ranges::find_if(kinds_, [&](const Kind& each) { return each.resource->kind == kind; });
    return found == kinds_.end() ? nullptr : &*found;
}

const Cluster::Entry* Cluster::find(std::string_view kind, const std::string& name) const {
    const Kind* const of_kind = find_kind(kind);
    if (of_kind == nullptr) return nullptr;
    const auto found = of_kind->objects.find(name);
    return found == of_kind->objects.end() ? nullptr : &found->second;
}

std::string Cluster::text_of(std::string_view kind, const std::string& name) const {
    const std::lock_guard lock(mutex_);
    const Entry* const entry = find(kind, name);
    return entry == nullptr ? std::string() : entry->text;
}

std::string Cluster::uid_of(std::string_view kind, const std::string& name) const {
    const std::lock_guard lock(mutex_);
    const Entry* const entry = find(kind, name);
    return entry == nullptr ? std::string() : entry->uid;
}

std::string Cluster::first_of(std::string_view kind,
                              const std::function<bool(const std::string&)>& is_it) const {
    const std::lock_guard lock(mutex_);
    const Kind* const of_kind = find_kind(kind);
    if (of_kind == nullptr) return {};
    const auto found = std::ranges::find_if(
        of_kind->objects, [&](const auto& each) { return is_it(each.second.text); });
    return found == of_kind->objects.end() ? std::string() : found->first;
}

}  // namespace podlane::control
