// Follows one resource of the API server: lists it, watches from there, and lists again when it
// must. What Kubernetes' clients call a reflector, as a state machine without a socket or a clock:
// it says which request comes next and takes the response, so that tests can inject any fault.
//
// Rules of the protocol: Kubernetes documentation, "Kubernetes API Concepts": efficient detection
// of changes, watch bookmarks, streaming lists, retrieving large results sets in chunks, "410
// Gone".
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "control/watch/backoff.h"
#include "control/watch/resource.h"
#include "control/watch/watched_object.h"

namespace podlane::control {

/// The outputs. All are called from within on_data() and on_end().
struct ReflectorHandlers {
    /// The whole set, after a list: objects that are not in it are gone.
    std::function<void(std::vector<WatchedObject>)> on_list;
    std::function<void(WatchedObject)> on_change;         ///< added or modified
    std::function<void(const WatchedObject&)> on_delete;  ///< its text is ignored
    std::function<void(const std::string&)> on_trouble;   ///< one line for the log
};

/// How a response ended.
struct ResponseEnd {
    unsigned status = 0;  ///< of HTTP; 0: no answer at all
    std::string error;    ///< of the connection; empty: the response is complete
    std::optional<std::chrono::seconds> retry_after;
};

/// Threads: one.
class Reflector {
  public:
    Reflector(const Resource& resource, ReflectorHandlers handlers, unsigned seed);

    /// Path and query of the next request.
    [[nodiscard]] std::string next_target() const;
    /// The next request's response stays open and brings events; else it is a page of a list.
    [[nodiscard]] bool next_is_watch() const noexcept { return state_ != State::kList; }

    /// A piece of the response to it; false: the rest of this response is not wanted.
    bool on_data(unsigned status, std::string_view bytes);
    /// The response is over; how long to wait before the next request.
    std::chrono::milliseconds on_end(const ResponseEnd& end);

    /// A list was taken at least once.
    [[nodiscard]] bool has_synced() const noexcept { return has_synced_; }

  private:
    /// kStreamedList: a watch that begins with all objects (a streaming list).
    enum class State : uint8_t { kStreamedList, kList, kWatch };

    bool take_line(std::string_view line);
    bool take_event(const std::string& type, nlohmann::json object);
    bool take_error_event(const nlohmann::json& status);
    bool take_bookmark(const nlohmann::json& object);
    void take_page(std::string_view body);
    void finish_list(uint64_t version, std::string version_text);
    void list_again(const std::string& why);
    void trouble(const std::string& text) const;
    [[nodiscard]] std::chrono::milliseconds end_of_refused(const ResponseEnd& end);
    [[nodiscard]] std::chrono::milliseconds end_of_answer(const ResponseEnd& end);

    const Resource& resource_;
    const ReflectorHandlers handlers_;
    Backoff backoff_;
    State state_ = State::kStreamedList;
    bool has_streamed_lists_ = true;
    bool has_synced_ = false;
    bool progressed_ = false;          ///< the present response brought something
    bool failed_ = false;              ///< and was then found to be wrong
    unsigned told_refusal_ = 0;        ///< status with which an optional kind was refused last
    std::string version_;              ///< resourceVersion to watch from
    std::string continue_;             ///< of the next page
    std::string body_;                 ///< of the page, or the rest of a line
    std::vector<WatchedObject> list_;  ///< that is being gathered
    uint64_t newest_ = 0;              ///< highest version of any response
    unsigned older_lists_ = 0;         ///< one after the other, from a server that is behind
    std::map<std::string, uint64_t, std::less<>> known_;  ///< versions of the objects
};

}  // namespace podlane::control
