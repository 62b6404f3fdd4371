// Kubernetes objects from text: what kubectl prints, what people write, what an API server lists.
//
// The config socket's methods and podlaned's start call it; it has no state, any thread may.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "control/kube/objects.h"
#include "lib/base/result.h"

namespace podlane::control {

/// What one wrong object does to its text: kAll refuses all of it, as a person's change wants it;
/// kEach refuses that object alone, as a feeder's does.
enum class ParseMode : uint8_t { kAll, kEach };

/// An object that cannot be read.
struct UnreadObject {
    std::optional<ObjectKey> key;  ///< none if not even the key could be read
    Error error;                   ///< the first thing that is wrong with it
    /// For a NetworkPolicy: one that selects what could be read of its selector, and allows no
    /// traffic.
    std::optional<Object> closed = std::nullopt;
};

/// What one text held.
struct ParsedObjects {
    std::vector<Object> objects;  ///< in the text's order; the later of two with one key counts
    std::vector<std::string>
        notices;  ///< one line each: what was skipped, ignored, or given more than once
    std::vector<UnreadObject> refused;  ///< with ParseMode::kEach
};

/// Reads every document of `text`: YAML or JSON, several of them separated by `---` (JSON also one
/// after another), kind List and KindList with items in them. Fields that do not concern the
/// dataplane are ignored; those that do must pass Kubernetes' validation. Objects of other kinds
/// are skipped with a notice; a kind that Kubernetes does not have but that resembles one of its
/// kinds (Servce) is an error. `name` is the document's in errors.
///
/// An error's message is one line, NAME:LINE:COL: KIND NAMESPACE/NAME: PATH: what is wrong, which
/// value, what is allowed; it is the first error; `all_errors`, if given, gets all of them (at most
/// 100). With ParseMode::kEach only a text that is neither YAML nor JSON is an error.
[[nodiscard]] Result<ParsedObjects> parse_objects(std::string_view text, const std::string& name,
                                                  std::vector<Error>* all_errors = nullptr,
                                                  ParseMode mode = ParseMode::kAll);

/// Only the keys, for `delete -f`: reads kind and metadata (and a Secret's type) and ignores
/// everything else. Kinds that do not concern the dataplane are skipped.
[[nodiscard]] Result<std::vector<ObjectKey>> parse_object_keys(std::string_view text,
                                                               const std::string& name);

}  // namespace podlane::control
