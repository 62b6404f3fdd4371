#include "control/watch/reflector.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "control/watch/object_json.h"

namespace podlane::control {

namespace {

using Json = nlohmann::json;
using std::chrono::milliseconds;

constexpr milliseconds kFirstWait{200};
constexpr milliseconds kLongestWait{30'000};
/// Access may be granted later, or the kind may be installed later.
constexpr milliseconds kRefusedWait{60'000};
/// Objects per page: about 2 MB of pods.
constexpr int kPageItems = 500;
/// A watch ends by itself after this long and is followed by the next: no connection lives forever.
constexpr int kWatchAskedSeconds = 290;
/// A longer line or page is not an API server's answer (etcd takes 1.5 MiB per object).
constexpr size_t kMostBytes = size_t{256} << 20;
/// A list that is older than what was seen comes from a server that lags behind. If it stays old
/// this often, the cluster was restored from a backup, and the list is accepted.
constexpr unsigned kOlderListsBelieved = 6;
constexpr const char* kInitialEventsEnd = "k8s.io/initial-events-end";

std::string text_at(const Json& object, const char* key) {
    if (!object.is_object()) return {};
    const auto found = object.find(key);
    return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

std::string version_of(const Json& object) {
    if (!object.is_object() || !object.contains("metadata")) return {};
    return text_at(object["metadata"], "resourceVersion");
}

std::string escaped(std::string_view text) {
    std::string out;
    for (const char c : text) {
        if (std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '-' || c == '_' || c == '.')
            out += c;
        else
            out += fmt::format("%{:02X}", static_cast<unsigned char>(c));
    }
    return out;
}

}  // namespace

Reflector::Reflector(const Resource& resource, ReflectorHandlers handlers, unsigned seed)
    : resource_(resource),
      handlers_(std::move(handlers)),
      backoff_(kFirstWait, kLongestWait, seed) {}

std::string Reflector::next_target() const {
    std::string query;
    switch (state_) {
        case State::kStreamedList:
            query = fmt::format(
                "watch=1&allowWatchBookmarks=true&sendInitialEvents=true"
                "&resourceVersionMatch=NotOlderThan&timeoutSeconds={}",
                kWatchAskedSeconds);
            break;
        case State::kList:
            query = fmt::format("limit={}", kPageItems);
            if (!continue_.empty()) query += "&continue=" + escaped(continue_);
            break;
        case State::kWatch:
            query =
                fmt::format("watch=1&allowWatchBookmarks=true&resourceVersion={}&timeoutSeconds={}",
                            escaped(version_), kWatchAskedSeconds);
            break;
    }
    if (!resource_.selector.empty()) query += fmt::format("&{}", resource_.selector);
    return fmt::format("{}?{}", resource_.path, query);
}

bool Reflector::on_data(unsigned status, std::string_view bytes) {
    if (failed_) return false;
    if (body_.size() + bytes.size() > kMostBytes) {
        list_again(fmt::format("an answer of more than {} MiB", kMostBytes >> 20));
        return false;
    }
    if (status != 200 || !next_is_watch()) {
        body_ += bytes;
        return true;
    }
    while (!bytes.empty()) {
        const size_t end = bytes.find('\n');
        body_ += bytes.substr(0, end);
        if (end == std::string_view::npos) return true;
        bytes.remove_prefix(end + 1);
        const std::string line = std::exchange(body_, {});
        if (!line.empty() && !take_line(line)) return false;
    }
    return true;
}

bool Reflector::take_line(std::string_view line) {
    Json event = parse_server_json(line);
    const std::string type = text_at(event, "type");
    if (type.empty() || !event.contains("object")) {
        list_again("a line of the watch is no event");
        return false;
    }
    return take_event(type, std::move(event["object"]));
}

bool Reflector::take_event(const std::string& type, Json object) {
    if (type == "ERROR") return take_error_event(object);
    if (type == "BOOKMARK") return take_bookmark(object);
    const bool is_deletion = type == "DELETED";
    if (!is_deletion && type != "ADDED" && type != "MODIFIED") {
        list_again(fmt::format("an event of type {:.40}", type));
        return false;
    }
    const std::string version_text = version_of(object);
    auto read = cut_down(resource_, std::move(object));
    if (!read) {
        list_again(read.error().message);
        return false;
    }
    WatchedObject& it = *read;
    progressed_ = true;
    if (state_ == State::kStreamedList) {
        // The first events are the list; a bookmark marks its end. If an object changes in the
        // meantime, it comes again, and the later one counts.
        newest_ = std::max(newest_, it.version);
        if (is_deletion) std::erase_if(list_, [&](const auto& x) { return x.name == it.name; });
        if (!is_deletion) list_.push_back(std::move(it));
        return true;
    }
    const auto known = known_.find(it.name);
    if (it.version != 0 && it.version <= version_number(version_)) {
        // Versions grow along a watch. A version that was already seen is a repetition. Otherwise,
        // events were lost or came out of order, and only a new list fixes that.
        if (known != known_.end() ? known->second >= it.version : is_deletion) return true;
        list_again("events of the watch are out of order");
        return false;
    }
    version_ = version_text;
    newest_ = std::max(newest_, it.version);
    backoff_.reset();
    if (is_deletion) {
        if (known != known_.end()) known_.erase(known);
        handlers_.on_delete(it);
        return true;
    }
    known_.insert_or_assign(it.name, it.version);
    handlers_.on_change(std::move(it));
    return true;
}

bool Reflector::take_error_event(const Json& status) {
    const bool was_list = state_ == State::kStreamedList;
    const int code = status.is_object() ? status.value("code", 0) : 0;
    // A server without streaming lists reports that in an event, or refuses the request.
    if (was_list && code != 410 && code != 429) has_streamed_lists_ = false;
    if (was_list) trouble(fmt::format("no streaming list: {}", text_at(status, "message")));
    list_again(was_list ? "" : text_at(status, "message"));
    return false;
}

bool Reflector::take_bookmark(const Json& object) {
    const std::string version = version_of(object);
    progressed_ = true;
    if (state_ == State::kStreamedList) {
        const bool is_end = object.contains("metadata") &&
                            object["metadata"].contains("annotations") &&
                            object["metadata"]["annotations"].contains(kInitialEventsEnd);
        if (is_end) finish_list(version_number(version), version);
        return true;
    }
    if (version_number(version) >= version_number(version_)) version_ = version;
    newest_ = std::max(newest_, version_number(version));
    return true;
}

void Reflector::take_page(std::string_view body) {
    Json page = parse_server_json(body);
    if (!page.is_object() || !page.contains("items") || !page.contains("metadata")) {
        list_again("the list is none");
        return;
    }
    // In a list without objects, items may be `null`: nothing was allocated.
    if (page["items"].is_array()) {
        for (Json& item : page["items"]) {
            auto read = cut_down(resource_, std::move(item));
            if (!read) {
                list_again(read.error().message);
                return;
            }
            list_.push_back(std::move(*read));
        }
    }
    continue_ = text_at(page["metadata"], "continue");
    progressed_ = true;
    const std::string version = text_at(page["metadata"], "resourceVersion");
    if (continue_.empty()) finish_list(version_number(version), version);
}

void Reflector::finish_list(uint64_t version, std::string version_text) {
    if (version != 0 && version < newest_ && ++older_lists_ < kOlderListsBelieved) {
        list_again(
            fmt::format("a list of version {}, older than {} that was seen", version, newest_));
        return;
    }
    older_lists_ = 0;
    newest_ = version;
    version_ = std::move(version_text);
    // If an object comes twice, the last one counts.
    std::map<std::string, size_t, std::less<>> last;
    for (size_t i = 0; i < list_.size(); ++i) last.insert_or_assign(list_[i].name, i);
    std::vector<WatchedObject> whole;
    whole.reserve(last.size());
    known_.clear();
    for (const auto& [name, i] : last) {
        known_.emplace(name, list_[i].version);
        whole.push_back(std::move(list_[i]));
    }
    list_.clear();
    state_ = State::kWatch;
    has_synced_ = true;
    told_refusal_ = 0;
    backoff_.reset();
    handlers_.on_list(std::move(whole));
}

void Reflector::list_again(const std::string& why) {
    if (!why.empty()) trouble(why + "; listing again");
    failed_ = true;
    list_.clear();
    continue_.clear();
    state_ = has_streamed_lists_ ? State::kStreamedList : State::kList;
}

void Reflector::trouble(const std::string& text) const {
    handlers_.on_trouble(fmt::format("{}: {}", resource_.kind, text));
}

milliseconds Reflector::end_of_refused(const ResponseEnd& end) {
    const std::string message = text_at(parse_server_json(body_), "message");
    const bool was_streamed = state_ == State::kStreamedList;
    if (end.status == 410 || (was_streamed && (end.status == 400 || end.status == 422))) {
        if (was_streamed && end.status != 410) has_streamed_lists_ = false;
        list_again(fmt::format("HTTP {}: {}", end.status, message));
        return backoff_.next();
    }
    if (resource_.is_optional && (end.status == 403 || end.status == 404)) {
        if (std::exchange(told_refusal_, end.status) != end.status) {
            trouble(fmt::format("HTTP {}: {}; it counts as empty, and is asked for every minute",
                                end.status, message));
        }
        if (!has_synced_) {
            has_synced_ = true;
            handlers_.on_list({});
        }
        return kRefusedWait;
    }
    trouble(fmt::format("HTTP {}: {}", end.status, message));
    const milliseconds wait = backoff_.next();
    if (!end.retry_after) return wait;
    return std::max(wait, std::min<milliseconds>(*end.retry_after, kLongestWait));
}

milliseconds Reflector::on_end(const ResponseEnd& end) {
    const milliseconds wait =
        end.status != 0 && end.status != 200 ? end_of_refused(end) : end_of_answer(end);
    failed_ = progressed_ = false;
    body_.clear();
    return wait;
}

milliseconds Reflector::end_of_answer(const ResponseEnd& end) {
    if (failed_) return backoff_.next();
    const bool is_whole = end.error.empty() && end.status == 200;
    if (!is_whole && !(state_ == State::kWatch && progressed_)) {
        trouble(end.error.empty() ? "no answer" : end.error);
        if (state_ != State::kWatch) list_again("");
        return backoff_.next();
    }
    switch (state_) {
        case State::kList:
            take_page(body_);
            return failed_ ? backoff_.next() : milliseconds{0};
        case State::kStreamedList:
            list_again("the streaming list ended before all was there");
            return backoff_.next();
        case State::kWatch:
            // The rest of a truncated line comes again with the next watch. A watch that brings
            // nothing at all must not be repeated in a tight loop.
            return progressed_ ? milliseconds{0} : backoff_.next();
    }
    return kFirstWait;
}

}  // namespace podlane::control
