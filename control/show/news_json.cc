#include "control/show/news_json.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <ctime>
#include <utility>

namespace podlane::control {

namespace {

using Json = nlohmann::ordered_json;

Json news_json(const News& news) {
    Json out = {{"cursor", news.cursor},
                {"time", time_text(news.time_ms)},
                {"generation", news.generation},
                {"by", news.by},
                {"kind", news.shown_kind()}};
    if (news.kind != kEventNews) out["type"] = word_of(news.type);
    if (!news.name.empty()) out["name"] = news.name;
    if (!news.about.empty()) out["about"] = news.about;
    out["text"] = news.text;
    return out;
}

}  // namespace

const char* word_of(NewsType type) noexcept {
    switch (type) {
        case NewsType::kAdded:
            return "ADDED";
        case NewsType::kModified:
            break;
        case NewsType::kDeleted:
            return "DELETED";
    }
    return "MODIFIED";
}

std::string time_text(uint64_t ms_since_1970) {
    const auto seconds = static_cast<std::time_t>(ms_since_1970 / 1000);
    std::tm utc{};
    ::gmtime_r(&seconds, &utc);
    return fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:03}Z", utc, ms_since_1970 % 1000);
}

Json to_json(const History& history) {
    Json events = Json::array();
    for (const News& news : history.events) events.push_back(news_json(news));
    Json out = {{"cursor", history.cursor}};
    if (history.kept_from_ms != 0) out["keptFrom"] = time_text(history.kept_from_ms);
    if (history.left_out != 0) out["leftOut"] = history.left_out;
    if (history.is_torn) out["torn"] = true;
    out["events"] = std::move(events);
    return out;
}

}  // namespace podlane::control
