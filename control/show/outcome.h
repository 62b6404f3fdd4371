// The result of a query to the node model, or of a change: a value, or the reason for a failure.
//
// The node model returns it on the control thread; the socket's bindings make a reply from it.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <variant>

#include "lib/base/result.h"

namespace podlane::control {

enum class RefusalKind : uint8_t {
    kBadRequest,  ///< the question itself makes no sense
    kInvalid,     ///< the objects or the change are invalid; no state has changed
    kNotFound,
    kConflict,  ///< it exists already, is in use, or is another's
    kFailed,    ///< the system refused: no such namespace, no memory
};

/// Why not, in one line for an operator.
struct Refusal {
    RefusalKind kind = RefusalKind::kFailed;
    Error error;
};

[[nodiscard]] inline Refusal refusal(RefusalKind kind, std::string message) {
    return {kind, Error{std::move(message)}};
}

/// Either a T or a Refusal. Check with ok() before value().
template <class T>
class [[nodiscard]] Outcome {
  public:
    Outcome(T value) : state_(std::in_place_index<0>, std::move(value)) {}            // NOLINT
    Outcome(Refusal refusal) : state_(std::in_place_index<1>, std::move(refusal)) {}  // NOLINT

    [[nodiscard]] bool ok() const noexcept { return state_.index() == 0; }
    [[nodiscard]] T& value() & { return std::get<0>(state_); }
    [[nodiscard]] const T& value() const& { return std::get<0>(state_); }
    [[nodiscard]] T&& value() && { return std::get<0>(std::move(state_)); }
    [[nodiscard]] const Refusal& refusal() const { return std::get<1>(state_); }
    const T* operator->() const { return &std::get<0>(state_); }

  private:
    std::variant<T, Refusal> state_;
};

}  // namespace podlane::control
