// A value, or one line of text that says what is wrong: how the control side reports errors.
//
// The text says what, where, which value and what is allowed. The packet path does not use this:
// there, a Verdict and a Drop reason do the work.
#pragma once

#include <string>
#include <utility>
#include <variant>

namespace podlane {

/// One line for an operator, and the place that it is about.
struct Error {
    std::string message;        ///< the whole line, with the location if there is one
    std::string document = {};  ///< file or document name, if known
    int line = 0;               ///< 1-based; 0 when there is none
    std::string path = {};      ///< key path such as "spec.ports[0].port"
};

/// Either a T or an Error. Check with ok() before value().
template <class T>
class [[nodiscard]] Result {
  public:
    Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}      // NOLINT
    Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}  // NOLINT

    [[nodiscard]] bool ok() const noexcept { return state_.index() == 0; }
    explicit operator bool() const noexcept { return ok(); }
    [[nodiscard]] T& value() & { return std::get<0>(state_); }
    [[nodiscard]] const T& value() const& { return std::get<0>(state_); }
    [[nodiscard]] T&& value() && { return std::get<0>(std::move(state_)); }
    [[nodiscard]] const Error& error() const { return std::get<1>(state_); }
    T* operator->() { return &std::get<0>(state_); }
    const T* operator->() const { return &std::get<0>(state_); }
    T& operator*() & { return std::get<0>(state_); }
    const T& operator*() const& { return std::get<0>(state_); }

  private:
    std::variant<T, Error> state_;
};

/// Success, or an Error.
template <>
class [[nodiscard]] Result<void> {
  public:
    Result() = default;
    Result(Error error) : error_(std::move(error)), failed_(true) {}  // NOLINT
    [[nodiscard]] bool ok() const noexcept { return !failed_; }
    explicit operator bool() const noexcept { return ok(); }
    [[nodiscard]] const Error& error() const { return error_; }

  private:
    Error error_{};
    bool failed_ = false;
};

}  // namespace podlane
