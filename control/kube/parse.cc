#include "control/kube/parse.h"

#include <fmt/format.h>

#include <unordered_map>

#include "control/document/fields.h"
#include "control/document/names.h"
#include "control/document/reader.h"
#include "control/kube/builtin_kinds.h"
#include "control/kube/read.h"

namespace podlane::control {

namespace {

constexpr size_t kMaxNotices = 1000;
constexpr std::string_view kTlsSecretType = "kubernetes.io/tls";

std::string_view text_of(const Value* value) {
    return value != nullptr && value->is(ValueType::kString) ? value->text() : std::string_view();
}

/// The group in an apiVersion; "" is the core group.
std::string_view group_of(std::string_view api_version) {
    const size_t slash = api_version.find('/');
    return slash == std::string_view::npos ? std::string_view() : api_version.substr(0, slash);
}

/// The type that an object, or the list it is in, states.
struct TypeText {
    std::string_view kind;
    std::string_view api_version;
};

TypeText type_of(const Value& object) {
    return {text_of(object.find("kind")), text_of(object.find("apiVersion"))};
}

bool is_list(const TypeText& type) {
    return type.kind.ends_with("List");
}

/// An item's type: its own, or the one that a ServiceList or similar implies; empty if there is
/// none.
TypeText item_type(const Value& item, const TypeText& list) {
    const TypeText own = type_of(item);
    if (!own.kind.empty() || !is_list(list) || list.kind == "List") return own;
    return {list.kind.substr(0, list.kind.size() - 4), list.api_version};
}

/// Visits all objects in a text, including those in lists, and passes each to `visit_`.
class Walker {
  public:
    using Visit = std::function<void(const Value& object, const TypeText& type)>;

    explicit Walker(Visit visit) : visit_(std::move(visit)) {}

    Result<void> walk(std::string_view text, const std::string& name) {
        const DocumentHandler handler{
            [&](const Document& document) {
                object(document.root, type_of(document.root), 0);
                return true;
            },
            [&](const Value& head, const Value& item) { return early_item(head, item); }};
        return read_documents(text, name, handler);
    }

  private:
    /// An item of a list that is still being read. It stays in the document while its type is not
    /// known yet.
    bool early_item(const Value& head, const Value& item) {
        const TypeText list = type_of(head);
        if (!list.kind.empty() && !is_list(list)) return false;
        const TypeText type = item_type(item, list);
        if (type.kind.empty() || type.api_version.empty()) return false;
        object(item, type, 1);
        return true;
    }

    void object(const Value& root, const TypeText& type, size_t depth) {
        const Value* items = root.find("items");
        const bool has_items =
            items != nullptr && (items->is_null() || items->is(ValueType::kSequence));
        if (!is_list(type) || !has_items || depth > kMaxDocumentDepth) {
            visit_(root, type);
            return;
        }
        for (const Value& item : items->items()) object(item, item_type(item, type), depth + 1);
    }

    Visit visit_;
};

/// "Deployment default/web".
std::string object_text(const Value& root, const TypeText& type) {
    const Value* metadata = root.find("metadata");
    const std::string_view name = text_of(metadata == nullptr ? nullptr : metadata->find("name"));
    const std::string_view name_space =
        text_of(metadata == nullptr ? nullptr : metadata->find("namespace"));
    return fmt::format("{}{}{}{}{}", type.kind, name.empty() ? "" : " ", name_space,
                       name_space.empty() ? "" : "/", name);
}

std::string skip_notice(const Value& root, const TypeText& type, std::string_view of = {}) {
    return fmt::format("{}{}: skipped, not a dataplane object", object_text(root, type), of);
}

/// Only Ingresses' Secrets are read.
bool is_other_secret(const Value& root, const TypeText& type) {
    return type.kind == kind_name(Kind::kSecret) &&
           type.api_version == api_version(Kind::kSecret) &&
           text_of(root.find("type")) != kTlsSecretType;
}

/// What is known of an object before its kind's reader sees it.
struct Head {
    std::optional<Kind> kind;  ///< none: not one of ours, or invalid
    Meta meta;
};

/// Decides whether an object's kind is one of ours, and reads its metadata.
class HeadReader {
  public:
    HeadReader(std::string_view document, Problems& problems)
        : document_(document), problems_(problems) {}

    /// `notice` gets a line if the object is skipped.
    Head read(const Value& root, const TypeText& type, std::string& notice) {
        Head head;
        problems_.enter(root);
        if (!root.is(ValueType::kMapping)) {
            problems_.add(root, fmt::format("{} is not a Kubernetes object", shown(root)));
            return head;
        }
        const Value* metadata = root.find("metadata");
        const std::string_view name =
            text_of(metadata == nullptr ? nullptr : metadata->find("name"));
        const std::string_view name_space =
            text_of(metadata == nullptr ? nullptr : metadata->find("namespace"));
        if (!check_type(root, type)) return head;
        const auto kind = kind_from_name(type.kind);
        const std::string_view group = group_of(type.api_version);
        // The same kind in another group is a different kind, except that Ingress and NetworkPolicy
        // used to be in the group extensions.
        const bool is_ours =
            kind && (group == group_of(api_version(*kind)) || group == "extensions");
        if (!is_ours) {
            notice = other_kind(root, type, group, kind.has_value());
            return head;
        }
        head.meta = read_meta(root, *kind, name, name_space);
        if (type.api_version != api_version(*kind)) {
            const Value* value = root.find("apiVersion");
            problems_.add(value == nullptr ? root : *value,
                          fmt::format("{} is not the version of {} that is supported, {}",
                                      in_quotes(type.api_version), type.kind, api_version(*kind)));
            return head;
        }
        head.kind = kind;
        return head;
    }

  private:
    bool check_type(const Value& root, const TypeText& type) {
        bool is_good = true;
        const auto check = [&](std::string_view key, std::string_view text, std::string_view what) {
            if (!text.empty()) return;
            is_good = false;
            const Value* value = root.find(key);
            if (value == nullptr || value->is_null()) {
                problems_.add_missing(root, key, fmt::format("missing: {}", what));
            } else {
                problems_.add(*value, fmt::format("{} is not {}", shown(*value), what));
            }
        };
        check("kind", type.kind, "a kind such as Service");
        if (is_good) check("apiVersion", type.api_version, "an API version such as v1");
        return is_good;
    }

    /// The notice about an object that is not one of ours, or "" for an error.
    std::string other_kind(const Value& root, const TypeText& type, std::string_view group,
                           bool has_our_name) {
        if (is_builtin_kind(group, type.kind)) return skip_notice(root, type);
        if (!is_builtin_group(group)) {
            return skip_notice(root, type,
                               has_our_name ? fmt::format(" of {}", type.api_version) : "");
        }
        const std::string like = similar_kind(group, type.kind);
        if (like.empty()) {
            return fmt::format("{}: skipped, {} has no such kind as far as is known",
                               object_text(root, type), type.api_version);
        }
        const Value* kind = root.find("kind");
        problems_.add(kind == nullptr ? root : *kind,
                      fmt::format("{} is no kind of {}; did you mean {}?", in_quotes(type.kind),
                                  type.api_version, like));
        return {};
    }

    Meta read_meta(const Value& root, Kind kind, std::string_view name,
                   std::string_view name_space) {
        Meta meta;
        meta.name = name;
        if (is_namespaced(kind)) meta.name_space = name_space.empty() ? "default" : name_space;
        meta.origin = {std::string(document_), root.line()};
        problems_.enter(root, name.empty()
                                  ? std::string(kind_name(kind))
                                  : to_string(ObjectKey{kind, meta.name_space, meta.name}));
        Fields fields(&root, problems_, Keys::kLax);
        if (fields.require("metadata", "name, and what else identifies the object") == nullptr) {
            return meta;
        }
        Fields metadata = fields.fields("metadata");
        check_name(metadata, kind);
        const std::string valid =
            read_name(metadata, "namespace", is_dns_label, "a namespace's name (a DNS label)");
        if (is_namespaced(kind) && !valid.empty()) meta.name_space = valid;
        meta.labels = read_labels(metadata.get("labels"), problems_);
        meta.created = read_created(metadata, problems_);
        return meta;
    }

    void check_name(Fields& metadata, Kind kind) {
        const Value* value = metadata.require("name", "the object's name");
        if (value == nullptr) return;
        const auto text = as_string(*value, problems_);
        if (!text) return;
        // Names of Services may begin with a digit since Kubernetes 1.34 (KEP-5311).
        const bool is_label = kind == Kind::kNamespace || kind == Kind::kService;
        const bool is_valid = is_label ? is_dns_label(*text) : is_dns_subdomain(*text);
        if (is_valid) return;
        problems_.add(*value, fmt::format("{} is not a valid name ({})", shown(*value),
                                          is_label ? "at most 63 of a-z 0-9 -"
                                                   : "at most 253 of a-z 0-9 - ."));
    }

    std::string_view document_;
    Problems& problems_;
};

Object read_kind(Kind kind, const Value& root, Meta meta, Problems& problems) {
    Object out;
    for_each_kind([&]<class T>(std::type_identity<T> type) {
        if (T::kKind == kind) out = read_object(type, root, std::move(meta), problems);
    });
    return out;
}

/// The replacement for a NetworkPolicy that cannot be read. Without a direction it affects ingress.
std::optional<Object> closed_form(const Object& object) {
    const auto* const policy = std::get_if<ObjectPtr<NetworkPolicy>>(&object);
    if (policy == nullptr || *policy == nullptr) return std::nullopt;
    auto closed = std::make_shared<NetworkPolicy>();
    closed->meta = (*policy)->meta;
    closed->pod_selector = (*policy)->pod_selector;
    closed->affects_egress = (*policy)->affects_egress;
    closed->affects_ingress = (*policy)->affects_ingress || !closed->affects_egress;
    return closed;
}

/// Adds a notice for each object that a later one with the same key replaces.
void note_repeats(ParsedObjects& parsed) {
    std::array<std::unordered_map<NamespacedName, uint32_t, NamespacedNameHash>, kKindCount> lines;
    for (const Object& object : parsed.objects) {
        const Meta& meta = meta_of(object);
        auto& of_kind = lines[object.index()];
        const auto [it, is_new] = of_kind.try_emplace(meta.namespaced_name(), meta.origin.line);
        if (is_new) continue;
        if (parsed.notices.size() < kMaxNotices) {
            parsed.notices.push_back(
                fmt::format("{}: given twice, in lines {} and {}; the later one counts",
                            to_string(key_of(object)), it->second, meta.origin.line));
        }
        it->second = meta.origin.line;
    }
}

}  // namespace

Result<ParsedObjects> parse_objects(std::string_view text, const std::string& name,
                                    std::vector<Error>* all_errors, ParseMode mode) {
    Problems problems(name);
    HeadReader heads(name, problems);
    ParsedObjects parsed;
    size_t skipped = 0;
    Walker walker([&](const Value& root, const TypeText& type) {
        if (problems.full()) return;
        const size_t problems_before = problems.size();
        std::string notice;
        Head head;
        if (is_other_secret(root, type)) {
            notice = skip_notice(root, type);
        } else {
            head = heads.read(root, type, notice);
        }
        if (!notice.empty() && ++skipped <= kMaxNotices)
            parsed.notices.push_back(std::move(notice));
        std::optional<ObjectKey> key;
        std::optional<Object> closed;
        if (head.kind) {
            key = {*head.kind, head.meta.name_space, head.meta.name};
            Object object = read_kind(*head.kind, root, std::move(head.meta), problems);
            if (problems.size() == problems_before) {
                parsed.objects.push_back(std::move(object));
            } else if (!key->name.empty()) {
                closed = closed_form(object);
            }
        }
        if (mode == ParseMode::kEach && !problems.empty()) {
            if (key && key->name.empty()) key.reset();
            parsed.refused.push_back(
                {std::move(key), problems.take_errors().front(), std::move(closed)});
        }
    });
    const auto walked = walker.walk(text, name);
    std::vector<Error> errors = problems.errors();
    if (!walked.ok()) errors.push_back(walked.error());
    if (all_errors != nullptr) *all_errors = errors;
    if (!errors.empty()) return errors.front();
    if (skipped > kMaxNotices) {
        parsed.notices.push_back(fmt::format("{} more objects: skipped", skipped - kMaxNotices));
    }
    for (const std::string& warning : problems.warnings()) parsed.notices.push_back(warning);
    note_repeats(parsed);
    return parsed;
}

Result<std::vector<ObjectKey>> parse_object_keys(std::string_view text, const std::string& name) {
    Problems problems(name);
    HeadReader heads(name, problems);
    std::vector<ObjectKey> keys;
    Walker walker([&](const Value& root, const TypeText& type) {
        if (problems.full() || is_other_secret(root, type)) return;
        std::string notice;
        const Head head = heads.read(root, type, notice);
        if (head.kind) keys.push_back({*head.kind, head.meta.name_space, head.meta.name});
    });
    const auto walked = walker.walk(text, name);
    if (!problems.empty()) return problems.errors().front();
    if (!walked.ok()) return walked.error();
    return keys;
}

}  // namespace podlane::control
