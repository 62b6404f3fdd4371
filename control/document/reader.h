// Reads YAML or JSON text into document trees, whichever it is, one document after another.
//
// Lines of `---` separate documents, and each may be in either language. One that begins with `{`
// or `[` is JSON (several may follow each other without a separator), and where it turns out not to
// be (comments, commas too many, bare words, as in KYAML) it is YAML in its flow style: what
// kubectl does. YAML scalars mean what they mean to Kubernetes (YAML 1.1: `yes` and `0x10` are no
// strings unless quoted). Anchors and aliases are followed, merge keys (`<<`) merged. A key that is
// given twice is an error. Bounded whatever comes in: depth, size, what aliases may expand to. Any
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

/// Gets what is read. A tree is valid during the call that hands it over.
struct DocumentHandler {
    /// Each document that is not empty. False ends the reading, without an error.
    std::function<bool(const Document&)> on_document;
    /// If set: each item of a sequence `items` at the document's root, as soon as it is read; true
    /// takes it, and it is not in the document then. `head` is the root with what stands before
    /// `items` in it. This way a list of any length needs the memory of one item.
    std::function<bool(const Value& head, const Value& item)> on_item;
};

/// The error's message is "NAME:LINE:COL: what is wrong".
[[nodiscard]] Result<void> read_documents(std::string_view text, std::string_view name,
                                          const DocumentHandler& handler);

}  // namespace podlane::control
