// How a call of podlane-cni fails: a CNI error, which the runtime shows in an event of the pod.
//
// Thrown everywhere in control/cni and caught only by plugin.cc, which prints it: whatever goes
// wrong, a call ends with exactly one error. podlane-cni has one thread.
#pragma once

#include <exception>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>

namespace podlane::cni {

/// Numbers of `code`: CNI specification 1.1.0, section 5 "Error"; from 100 our own.
namespace code {
inline constexpr int kIncompatibleVersion = 1;
inline constexpr int kUnknownContainer = 3;
inline constexpr int kBadEnvironment = 4;
inline constexpr int kInputOutput = 5;
inline constexpr int kUndecodable = 6;
inline constexpr int kBadConfig = 7;
inline constexpr int kTryAgainLater = 11;
inline constexpr int kNotAvailable = 50;
inline constexpr int kLimitedConnectivity = 51;
inline constexpr int kRefused = 100;      ///< podlaned said no
inline constexpr int kCheckFailed = 101;  ///< CHECK found something else than ADD has made
inline constexpr int kIpam = 102;         ///< the IPAM plugin failed and gave no code
}  // namespace code

/// `message` is short and says what failed, `details` why: runtimes show "message; details".
class Failure : public std::exception {
  public:
    Failure(int code, std::string message, std::string details = {})
        : code_(code), message_(std::move(message)), details_(std::move(details)) {}

    [[nodiscard]] int code() const noexcept { return code_; }
    [[nodiscard]] const std::string& message() const noexcept { return message_; }
    [[nodiscard]] const std::string& details() const noexcept { return details_; }
    [[nodiscard]] const char* what() const noexcept override { return message_.c_str(); }
    /// What goes to standard output.
    [[nodiscard]] nlohmann::ordered_json to_json(const std::string& cni_version) const {
        nlohmann::ordered_json out = {
            {"cniVersion", cni_version}, {"code", code_}, {"msg", message_}};
        if (!details_.empty()) out["details"] = details_;
        return out;
    }

  private:
    int code_;
    std::string message_;
    std::string details_;
};

}  // namespace podlane::cni
