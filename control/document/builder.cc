#include "control/document/builder.h"

#include <fmt/format.h>

#include <algorithm>
#include <unordered_set>
#include <utility>

namespace podlane::control {

namespace {

// Up to this many, comparing all pairs of keys is cheaper than sorting.
constexpr size_t kFewMembers = 16;

}  // namespace

Error document_error(std::string_view name, DocumentBuilder::Position at, std::string_view what) {
    return {fmt::format("{}:{}:{}: {}", name, at.line, at.column, what), std::string(name),
            static_cast<int>(at.line)};
}

bool DocumentBuilder::fail(Position at, std::string what) {
    if (!failed()) error_ = document_error(name_, at, what);
    return false;
}

void DocumentBuilder::begin_document() {
    frames_.clear();
    values_.clear();
    members_.clear();
    anchors_.clear();
    arena_.release({});
    root_ = Value();
    nodes_ = 0;
    aliased_nodes_ = 0;
    taken_ = 0;
    to_skip_ = 0;
}

void DocumentBuilder::begin_document_again() {
    const size_t taken = taken_;
    begin_document();
    to_skip_ = taken;
}

bool DocumentBuilder::end_document() {
    if (failed()) return false;
    if (root_.is_null()) return true;
    stopped_ = !handler_.on_document({root_, name_, root_.line()});
    return !stopped_;
}

bool DocumentBuilder::expects_key() const noexcept {
    return !frames_.empty() && frames_.back().is_mapping && !frames_.back().has_key;
}

bool DocumentBuilder::scalar(ValueType type, std::string_view text, Position at, Anchor anchor) {
    return add(Value::scalar(type, text, at.line, at.column), anchor, nodes_);
}

bool DocumentBuilder::begin_sequence(Position at, Anchor anchor) {
    return begin_container(false, at, anchor);
}

bool DocumentBuilder::begin_mapping(Position at, Anchor anchor) {
    return begin_container(true, at, anchor);
}

bool DocumentBuilder::begin_container(bool is_mapping, Position at, Anchor anchor) {
    if (expects_key()) return fail(at, "a mapping's key must be a string");
    if (frames_.size() == kMaxDocumentDepth) {
        return fail(at, fmt::format("nested deeper than {} levels", kMaxDocumentDepth));
    }
    const bool is_items = !is_mapping && handler_.on_item && frames_.size() == 1 &&
                          frames_.front().is_mapping && frames_.front().key.text() == "items";
    Frame frame;
    frame.is_mapping = is_mapping;
    frame.is_items = is_items;
    frame.at = at;
    frame.anchor = anchor;
    frame.first = is_mapping ? members_.size() : values_.size();
    frame.nodes_before = nodes_;
    frame.mark = arena_.mark();
    frames_.push_back(frame);
    if (anchor != 0) anchors_[anchor] = {};
    return true;
}

bool DocumentBuilder::end_container() {
    const Frame frame = std::move(frames_.back());
    Value value;
    if (frame.is_mapping) {
        if (!keys_are_unique(std::span<const Member>(members_).subspan(frame.first))) return false;
        if (!frame.merges.empty() && !merge(frame)) return false;
        const auto members = std::span<const Member>(members_).subspan(frame.first);
        value = Value::mapping(arena_.copy(members), frame.at.line, frame.at.column);
        members_.resize(frame.first);
    } else {
        const auto items = std::span<const Value>(values_).subspan(frame.first);
        value = Value::sequence(arena_.copy(items), frame.at.line, frame.at.column);
        values_.resize(frame.first);
    }
    frames_.pop_back();
    return add(value, frame.anchor, frame.nodes_before);
}

bool DocumentBuilder::alias(Position at, Anchor anchor) {
    const auto it = anchors_.find(anchor);
    if (it == anchors_.end()) return fail(at, "an alias of an anchor that does not exist");
    if (it->second.nodes == 0) return fail(at, "an alias of what it stands in");
    aliased_nodes_ += it->second.nodes;
    if (aliased_nodes_ > kMaxAliasedValues) {
        return fail(at, fmt::format("aliases stand for more than {} values", kMaxAliasedValues));
    }
    const size_t nodes_before = nodes_;
    nodes_ += it->second.nodes - 1;
    return add(it->second.value, 0, nodes_before);
}

bool DocumentBuilder::add(const Value& value, Anchor anchor, size_t nodes_before) {
    const Position at{value.line(), value.column()};
    if (++nodes_ > kMaxDocumentValues) {
        return fail(at, fmt::format("more than {} values in one document", kMaxDocumentValues));
    }
    if (anchor != 0) anchors_[anchor] = {value, nodes_ - nodes_before};
    if (frames_.empty()) {
        root_ = value;
        return true;
    }
    Frame& frame = frames_.back();
    if (!frame.is_mapping) {
        if (frame.is_items && take_item(frame, value)) {
            nodes_ = nodes_before;
            return true;
        }
        values_.push_back(value);
        frame.mark = arena_.mark();
        return true;
    }
    if (!frame.has_key) return add_key(value);
    members_.push_back({frame.key, value});
    frame.has_key = false;
    return true;
}

bool DocumentBuilder::add_key(const Value& key) {
    const Position at{key.line(), key.column()};
    if (key.is_null() || key.type() >= ValueType::kSequence) {
        return fail(at, "a mapping's key must be a string");
    }
    Frame& frame = frames_.back();
    // A key such as 80 or true becomes a string, as when Kubernetes converts YAML to JSON.
    frame.key = Value::scalar(ValueType::kString, key.text(), key.line(), key.column());
    frame.has_key = true;
    return true;
}

bool DocumentBuilder::merge_key(Position at) {
    Frame& frame = frames_.back();
    frame.merges.push_back(members_.size());
    return add_key(Value::scalar(ValueType::kString, "<<", at.line, at.column));
}

bool DocumentBuilder::merge(const Frame& frame) {
    // https://yaml.org/type/merge.html: the mapping's own keys come first, then those of earlier
    // mappings. Aliases have already counted what they stand for.
    std::vector<Member> own(members_.begin() + static_cast<std::ptrdiff_t>(frame.first),
                            members_.end());
    std::vector<Value> sources;
    for (size_t i = frame.merges.size(); i-- > 0;) {
        const auto at = own.begin() + static_cast<std::ptrdiff_t>(frame.merges[i] - frame.first);
        const Member merged = *at;
        own.erase(at);
        const auto values = merged.value.is(ValueType::kSequence)
                                ? merged.value.items()
                                : std::span<const Value>(&merged.value, 1);
        for (const Value& source : values) {
            if (!source.is(ValueType::kMapping)) {
                return fail({merged.key.line(), merged.key.column()},
                            "the merge key << wants a mapping or a list of mappings");
            }
            sources.push_back(source);
        }
    }
    std::unordered_set<std::string_view> keys;
    for (const Member& member : own) keys.insert(member.key.text());
    for (const Value& source : sources) {
        for (const Member& member : source.members()) {
            if (keys.insert(member.key.text()).second) own.push_back(member);
        }
    }
    members_.resize(frame.first);
    members_.insert(members_.end(), own.begin(), own.end());
    return true;
}

bool DocumentBuilder::take_item(Frame& frame, const Value& value) {
    if (to_skip_ > 0) {
        --to_skip_;
        ++taken_;
        if (anchors_.empty()) arena_.release(frame.mark);
        return true;
    }
    const auto members = std::span<const Member>(members_).subspan(frames_.front().first);
    const Position at = frames_.front().at;
    if (!handler_.on_item(Value::mapping(members, at.line, at.column), value)) return false;
    ++taken_;
    // A later item may still use an anchor.
    if (anchors_.empty()) arena_.release(frame.mark);
    return true;
}

bool DocumentBuilder::keys_are_unique(std::span<const Member> members) {
    const auto refuse = [&](std::string_view key) {
        const Member* first = nullptr;
        for (const Member& member : members) {
            if (member.key.text() != key) continue;
            if (first != nullptr) {
                return fail({member.key.line(), member.key.column()},
                            fmt::format("the key \"{}\" is given twice, first in line {}",
                                        key.substr(0, 60), first->key.line()));
            }
            first = &member;
        }
        return true;
    };
    if (members.size() <= kFewMembers) {
        for (size_t i = 1; i < members.size(); ++i) {
            const std::string_view key = members[i].key.text();
            for (size_t j = 0; j < i; ++j) {
                if (members[j].key.text() == key) return refuse(key);
            }
        }
        return true;
    }
    sorted_keys_.clear();
    for (const Member& member : members) sorted_keys_.push_back(member.key.text());
    std::ranges::sort(sorted_keys_);
    const auto twice = std::ranges::adjacent_find(sorted_keys_);
    return twice == sorted_keys_.end() || refuse(*twice);
}

}  // namespace podlane::control
