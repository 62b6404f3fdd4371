// Typed access to document trees, with errors that name the place, the value and what is allowed.
//
// The readers of node configurations and of Kubernetes objects are written with it. A wrong value
// is reported and counts as absent, so that one pass reports all errors. One thread.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "control/document/value.h"
#include "lib/base/ip_address.h"
#include "lib/base/mac.h"
#include "lib/base/result.h"

namespace podlane::control {

/// The errors of one text. Paths are computed only when they are needed: reading good values costs
/// nothing extra.
class Problems {
  public:
    /// Keeps the first `most` errors, and counts no further.
    explicit Problems(std::string_view document, size_t most = 100)
        : document_(document), most_(most) {}

    /// Paths begin at `root` from now on, with `subject`, such as "Service default/web", in front.
    /// Both must live until the next call.
    void enter(const Value& root, std::string subject = {});

    /// Reports "DOCUMENT:LINE:COL: [SUBJECT: ][PATH: ]WHAT"; `at` is a value or a key in the root's
    /// tree, or the root itself.
    void add(const Value& at, std::string_view what);
    /// The same about the member `key` that `mapping` lacks.
    void add_missing(const Value& mapping, std::string_view key, std::string_view what);
    /// A notice about something that is accepted, but maybe not as its author intended; in the form
    /// of an error.
    void warn(const Value& at, std::string_view what);

    /// The errors so far, which are forgotten here.
    [[nodiscard]] std::vector<Error> take_errors() { return std::exchange(errors_, {}); }
    [[nodiscard]] bool empty() const noexcept { return errors_.empty(); }
    [[nodiscard]] size_t size() const noexcept { return errors_.size(); }
    [[nodiscard]] bool full() const noexcept { return errors_.size() >= most_; }
    [[nodiscard]] const std::vector<Error>& errors() const noexcept { return errors_; }
    /// The first ones, as many as errors may be.
    [[nodiscard]] const std::vector<std::string>& warnings() const noexcept { return warnings_; }
    [[nodiscard]] std::string_view document() const noexcept { return document_; }
    /// "spec.ports[0].port"; "" for the root.
    [[nodiscard]] std::string path_of(const Value& at) const;

  private:
    [[nodiscard]] std::string text_of(const Value& at, const std::string& path,
                                      std::string_view what) const;
    void add_at(const Value& at, const std::string& path, std::string_view what);

    std::string document_;
    size_t most_;
    const Value* root_ = nullptr;
    std::string subject_;
    std::vector<Error> errors_;
    std::vector<std::string> warnings_;
};

/// A value as messages show it: `70000`, `"abc"`, `true`, `a list`; long ones are cut.
[[nodiscard]] std::string shown(const Value& value);
/// Text in quotes, cut if it is long, with control characters escaped.
[[nodiscard]] std::string in_quotes(std::string_view text);
/// The candidate closest to a misspelt word; "" if none is close.
[[nodiscard]] std::string_view closest(std::string_view word,
                                       std::span<const std::string_view> candidates);

/// An allowed word and its meaning.
template <class T>
struct Word {
    std::string_view text;
    T value;
};

/// "TCP, UDP or SCTP".
[[nodiscard]] std::string any_of(std::span<const std::string_view> words);

/// A range of whole numbers and its name: {68, 65535, "an MTU"}.
struct IntegerRange {
    int64_t lowest;
    int64_t highest;
    std::string_view what;
};
inline constexpr IntegerRange kPortNumbers{1, 65535, "a port"};

// Each reads one value, or reports it and returns none.
[[nodiscard]] std::optional<std::string_view> as_string(const Value& value, Problems& problems);
[[nodiscard]] std::optional<bool> as_bool(const Value& value, Problems& problems);
[[nodiscard]] std::optional<int64_t> as_integer(const Value& value, const IntegerRange& range,
                                                Problems& problems);
[[nodiscard]] std::optional<IpAddress> as_ip(const Value& value, Problems& problems);
/// Host bits must be zero.
[[nodiscard]] std::optional<IpPrefix> as_prefix(const Value& value, Problems& problems);
[[nodiscard]] std::optional<InterfaceAddress> as_interface_address(const Value& value,
                                                                   Problems& problems);
/// Unicast and not zero.
[[nodiscard]] std::optional<MacAddress> as_mac(const Value& value, Problems& problems);
template <class T, size_t N>
[[nodiscard]] std::optional<T> as_word(const Value& value, const std::array<Word<T>, N>& words,
                                       Problems& problems) {
    std::array<std::string_view, N> texts;
    for (size_t i = 0; i < N; ++i) {
        if (value.is(ValueType::kString) && value.text() == words[i].text) return words[i].value;
        texts[i] = words[i].text;
    }
    problems.add(value, shown(value) + " is not " + any_of(texts));
    return std::nullopt;
}
[[nodiscard]] std::span<const Value> as_list(const Value& value, Problems& problems);

/// Whether a key that the reader does not ask for is an error.
enum class Keys : uint8_t { kStrict, kLax };

/// A mapping's members by name and type. Null counts as absent everywhere, as in Kubernetes.
class Fields {
  public:
    /// Reports a value that is not a mapping. A null pointer counts as a mapping without members,
    /// and so does null if keys are lax, as in Kubernetes.
    Fields(const Value* value, Problems& problems, Keys keys);

    /// False if there is no mapping.
    explicit operator bool() const noexcept { return mapping_ != nullptr; }
    /// The mapping; only if there is one.
    [[nodiscard]] const Value& value() const noexcept { return *mapping_; }
    [[nodiscard]] Problems& problems() const noexcept { return problems_; }

    /// The member's value; a null pointer if there is none.
    const Value* get(std::string_view key);
    /// The same, but reports a missing member. `what` says what it is for.
    const Value* require(std::string_view key, std::string_view what);
    [[nodiscard]] bool has(std::string_view key) { return get(key) != nullptr; }

    std::string string(std::string_view key, std::string_view otherwise = {});
    bool boolean(std::string_view key, bool otherwise);
    /// `otherwise` if it is absent or wrong.
    template <class T>
    T integer(std::string_view key, const IntegerRange& range, T otherwise) {
        const Value* value = get(key);
        if (value == nullptr) return otherwise;
        const auto number = as_integer(*value, range, problems_);
        return number ? static_cast<T>(*number) : otherwise;
    }
    std::optional<IpAddress> ip(std::string_view key);
    /// One of a few words; `otherwise` if it is absent or wrong. If keys are lax, "" counts as
    /// absent: Kubernetes cannot tell them apart.
    template <class T, size_t N>
    T word(std::string_view key, const std::array<Word<T>, N>& words, T otherwise) {
        const Value* value = get(key);
        const bool is_absent =
            value == nullptr ||
            (keys_ == Keys::kLax && value->is(ValueType::kString) && value->text().empty());
        return is_absent ? otherwise : as_word(*value, words, problems_).value_or(otherwise);
    }
    /// The items of a list; none if it is absent.
    std::span<const Value> list(std::string_view key);
    /// A mapping within.
    Fields fields(std::string_view key) { return {get(key), problems_, keys_}; }

    /// If keys are strict, reports each key that was never asked for. Call it last.
    void finish();

  private:
    const Value* mapping_ = nullptr;
    Problems& problems_;
    Keys keys_;
    std::vector<std::string_view> asked_;
};

}  // namespace podlane::control
