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
    std::optional<ObjectKey> key;  ///< none where not even that can be said of it
    Error error;                   ///< the first thing that is wrong with it
    /// Of a NetworkPolicy: one that selects what it can be read to select, and allows nothing.
    std::optional<Object> closed = std::nullopt;
};

/// What one text held.
struct ParsedObjects {
    std::vector<Object> objects;  ///< in the text's order; the later of two with one key counts
    std::vector<std::string>
        notices;  ///< one line each: what was skipped, passed over, given twice
    std::vector<UnreadObject> refused;  ///< with ParseMode::kEach
};

/// Reads every document of `text`: YAML or JSON, several of them separated by `---` (JSON also one
/// after another), kind List and KindList with items in them. Fields that do not concern the
/// dataplane are ignored, whatever they hold; those that do must be as Kubernetes' validation wants
/// them. Objects of other kinds are skipped with a notice; a kind that Kubernetes does not have,
/// but for one like it (Servce), is an error. `name` is the document's in errors.
///
/// An error's message is one line, NAME:LINE:COL: KIND NAMESPACE/NAME: PATH: what is wrong, which
/// value, what is allowed; it is the first of all, and `all_errors`, if given, gets every one (at
/// most 100). With ParseMode::kEach only a text that is neither YAML nor JSON is an error.
[[nodiscard]] Result<ParsedObjects> parse_objects(std::string_view text, const std::string& name,
                                                  std::vector<Error>* all_errors = nullptr,
                                                  ParseMode mode = ParseMode::kAll);

/// The keys alone, for `delete -f`: needs kind and metadata (and a Secret's type), looks at nothing
/// else. Kinds that do not concern the dataplane are passed over.
[[nodiscard]] Result<std::vector<ObjectKey>> parse_object_keys(std::string_view text,
                                                               const std::string& name);

}  // namespace podlane::control
