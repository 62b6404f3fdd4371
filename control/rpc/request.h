// The input and output of a config socket method: parameters, the caller, a value or a failure.
//
// Used by all code that registers methods (control/daemon), on the control thread. Parameters are
// views into the received message, which was decoded in place: a manifest of 100 MB is never
// copied. Fields reads them like documents, with the same error messages.
#pragma once

#include <sys/types.h>

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "control/document/fields.h"
#include "control/document/value.h"
#include "lib/base/result.h"

namespace podlane::control {

/// Numbers of `error.code`: JSON-RPC 2.0 section 5.1, and our own from 1 (docs/rpc.md).
namespace rpc_code {
inline constexpr int kParseError = -32700;
inline constexpr int kInvalidRequest = -32600;
inline constexpr int kUnknownMethod = -32601;
inline constexpr int kBadParams = -32602;
inline constexpr int kInternal = -32603;
inline constexpr int kRefused = 1;
inline constexpr int kNotFound = 2;
inline constexpr int kConflict = 3;
inline constexpr int kFailed = 4;
inline constexpr int kNotAllowed = 5;
}  // namespace rpc_code

/// A JSON-RPC error object. `data` is null or {document, line, path}.
struct RpcFailure {
    int code = rpc_code::kFailed;
    std::string message;  ///< one line
    nlohmann::ordered_json data = nullptr;
};

/// The value for `result`, or the failure for `error`.
using RpcResult = std::variant<nlohmann::ordered_json, RpcFailure>;

/// `error` as a failure with `code`: its place, where known, goes into `data`.
[[nodiscard]] RpcFailure rpc_failure(const Error& error, int code = rpc_code::kRefused);

/// The peer of a connection, as reported by the kernel.
struct RpcPeer {
    uid_t uid = 0;
    gid_t gid = 0;
    pid_t pid = 0;
    /// The server's client: expires when the connection is gone. Nothing: not from a client.
    std::optional<std::weak_ptr<const void>> connection = std::nullopt;
};

/// One text of a request that carries objects; views into the message.
struct NamedText {
    std::string_view name;  ///< what errors call it
    std::string_view text;
};

/// The `params` object of a request, read key by key.
///
/// The getters do not fail one by one: they return an empty value and remember the error. A method
/// reads all its parameters, then returns failure() if there is one, which also names unknown
/// parameters. Views are valid as long as the request.
class RpcParams {
  public:
    /// `object` may be null for absent params; otherwise an object, and must outlive this.
    explicit RpcParams(const Value* object);
    RpcParams(const RpcParams&) = delete;
    RpcParams& operator=(const RpcParams&) = delete;

    [[nodiscard]] bool has(std::string_view key) { return fields_.has(key); }
    /// A required string.
    [[nodiscard]] std::string_view text(std::string_view key);
    /// An optional string; none if absent or null.
    [[nodiscard]] std::optional<std::string_view> text_if_any(std::string_view key);
    /// A required list of strings.
    [[nodiscard]] std::vector<std::string_view> texts(std::string_view key);
    /// An optional whole number in [least, most]; none if absent or null.
    [[nodiscard]] std::optional<int64_t> number_if_any(std::string_view key, int64_t least,
                                                       int64_t most);
    /// An optional boolean; false when absent.
    [[nodiscard]] bool flag(std::string_view key) { return fields_.boolean(key, false); }
    /// An optional list of objects: `read` reads the fields of each.
    void each(std::string_view key, const std::function<void(Fields& element)>& read);
    /// An optional object.
    void within(std::string_view key, const std::function<void(Fields& object)>& read);
    /// `documents` with its optional `name`, or `files`; one of the two is required.
    [[nodiscard]] std::vector<NamedText> documents();

    /// The first thing that was wrong, as a kBadParams failure. Call once, after all getters.
    [[nodiscard]] std::optional<RpcFailure> failure();

  private:
    // A mapping of `params` alone, so that paths begin with it.
    std::array<Member, 1> envelope_;
    Value root_;
    Problems problems_;
    Fields fields_;
};

/// One call.
struct RpcRequest {
    std::string_view method;
    RpcParams params;
    RpcPeer peer;
};

}  // namespace podlane::control
