// Reads YAML or JSON text into document trees, whichever it is, one document after another.
//
// Lines of `---` separate documents, and each may be in either language. One that begins with `{`
// or `[` is read as JSON (several may follow each other without a separator). If it turns out not
// to be JSON (comments, trailing commas, bare words, as in KYAML), it is read as YAML in flow
// style, as kubectl does. YAML scalars have their meaning in Kubernetes (YAML 1.1: `yes` and `0x10`
// are not strings unless quoted). Anchors and aliases are followed, merge keys (`<<`) merged. A
// duplicate key is an error. Bounded for any input: depth, size, and the expansion of aliases. Any
// thread.
#pragma once

#include <cstddef>
#include <functional>
#include <string_view>

#include "control/document/value.h"
#include "lib/base/result.h"

namespace podlane::control {

/// Containers within containers.
inline constexpr size_t kMaxDocumentDepth = 128;
/// As large as a message of the config socket.
inline constexpr size_t kMaxDocumentBytes = size_t{256} << 20;
/// One document of YAML that begins with `{` or `[`: yaml-cpp keeps all of its tokens until it
/// ends, some 19 bytes for each of the text's. (Block style needs the memory of one item of a
/// list.)
inline constexpr size_t kMaxFlowYamlBytes = size_t{32} << 20;
/// Values that the aliases of one document may stand for.
inline constexpr size_t kMaxAliasedValues = 100'000;
/// Values of one document, those not counted that on_item took.
inline constexpr size_t kMaxDocumentValues = 4'000'000;

/// Receives the documents. A tree is valid only during the call that hands it over.
struct DocumentHandler {
    /// Each document that is not empty. False ends the reading, without an error.
    std::function<bool(const Document&)> on_document;
    /// If set, it is called with each item of a sequence `items` at the document's root, as soon as
    /// that is read; if it returns true, the item is not in the document. `head` is the root with
    /// the members before `items`. This way a list of any length needs only the memory of one item.
    std::function<bool(const Value& head, const Value& item)> on_item;
};

/// The error's message is "NAME:LINE:COL: what is wrong".
[[nodiscard]] Result<void> read_documents(std::string_view text, std::string_view name,
                                          const DocumentHandler& handler);

}  // namespace podlane::control
