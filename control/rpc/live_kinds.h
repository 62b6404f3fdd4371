// The kinds of live state that `get` knows in addition to Kubernetes' objects: one row each.
//
// Shared by the two ends of the config socket: podlaned checks names and limits with it, podlanectl
// takes its words, help and columns from it. Pure values, known when compiled.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace podlane::control {

/// What an item of a kind is called by.
enum class LiveName : uint8_t {
    kText,     ///< a port's name
    kNumber,   ///< a worker's id
    kAddress,  ///< an IP address
    kMac,      ///< a MAC address
    kPrefix,   ///< a CIDR
    kService,  ///< NAMESPACE/NAME
    kFlowEnd,  ///< NAMESPACE/NAME of a Service or pod, or an address
};

/// How a column's text is made of an item.
enum class LiveCell : uint8_t {
    kText,
    kNumber,
    kSeconds,       ///< "12s"
    kList,          ///< may be cut if the table is too wide
    kPortProtocol,  ///< "80/TCP", of port and protocol
    kBusyShare,     ///< "2.1%", of busyCycles and idleCycles
};

struct LiveColumn {
    std::string_view title;
    const char* pointer;  ///< RFC 6901, into an item
    LiveCell cell = LiveCell::kText;
    bool is_wide = false;  ///< only with -o wide
    uint8_t drop = 0;      ///< leaves a table that is too wide for its terminal; the largest first
};

struct LiveKind {
    std::string_view plural;    ///< as the config socket calls it
    std::string_view singular;  ///< also accepted
    std::string_view brief;     ///< also accepted; may be empty
    LiveName name = LiveName::kText;
    size_t limit = 0;  ///< items at most unless the caller says otherwise; 0: all
    /// The field with an item's "namespace/name", if items have one; may be null.
    const char* namespaced = nullptr;
    std::string_view summary;  ///< for help, one line
    std::span<const LiveColumn> columns;
    bool is_watched = true;  ///< `watch` reports changes; otherwise it changes with every packet
};

/// Every live kind, in the order of the documentation.
[[nodiscard]] std::span<const LiveKind> live_kinds() noexcept;

/// By plural; null if there is none.
[[nodiscard]] const LiveKind* find_live_kind(std::string_view plural) noexcept;

/// Says what is wrong with `name` as a name of that kind, "ten is not an IP address"; "" if it is
/// valid.
[[nodiscard]] std::string live_name_fault(const LiveKind& kind, std::string_view name);

}  // namespace podlane::control
