#include "control/cli/diff.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <vector>

#include "control/cli/cell.h"
#include "control/cli/report.h"
#include "control/cli/table.h"
#include "control/cli/yaml.h"
#include "control/kube/json.h"
#include "control/kube/parse.h"

namespace podlane::control {
namespace {

using Json = nlohmann::ordered_json;

constexpr size_t kContext = 3;
// The largest middle of two texts, in lines times lines, for which the shortest diff is computed.
constexpr size_t kMostCells = 16'000'000;

std::vector<std::string_view> lines_of(std::string_view text) {
    std::vector<std::string_view> lines;
    while (!text.empty()) {
        const size_t end = text.find('\n');
        lines.push_back(text.substr(0, end));
        text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    }
    return lines;
}

/// A line of a diff: of both texts (' '), of the old one ('-') or of the new one ('+').
struct Edit {
    char sign;
    std::string_view line;
};

using Lines = std::span<const std::string_view>;

// The longest common subsequence by its full table (Hunt and McIlroy's problem, solved plainly).
void add_middle(Lines a, Lines b, std::vector<Edit>& to) {
    const size_t width = b.size() + 1;
    std::vector<uint32_t> length;
    if (!a.empty() && !b.empty() && a.size() * b.size() <= kMostCells) {
        length.assign((a.size() + 1) * width, 0);
        for (size_t i = a.size(); i-- > 0;) {
            for (size_t j = b.size(); j-- > 0;) {
                length[i * width + j] =
                    a[i] == b[j] ? length[(i + 1) * width + j + 1] + 1
                                 : std::max(length[(i + 1) * width + j], length[i * width + j + 1]);
            }
        }
    }
    size_t i = 0, j = 0;
    while (i < a.size() || j < b.size()) {
        const bool both = i < a.size() && j < b.size() && !length.empty();
        if (both && a[i] == b[j]) {
            to.push_back({' ', a[i++]});
            ++j;
        } else if (i < a.size() &&
                   (!both || length[(i + 1) * width + j] >= length[i * width + j + 1])) {
            to.push_back({'-', a[i++]});
        } else {
            to.push_back({'+', b[j++]});
        }
    }
}

std::vector<Edit> edits_of(Lines a, Lines b) {
    size_t head = 0;
    while (head < a.size() && head < b.size() && a[head] == b[head]) ++head;
    size_t tail = 0;
    while (tail + head < a.size() && tail + head < b.size() &&
           a[a.size() - 1 - tail] == b[b.size() - 1 - tail]) {
        ++tail;
    }
    std::vector<Edit> edits;
    for (size_t i = 0; i < head; ++i) edits.push_back({' ', a[i]});
    add_middle(a.subspan(head, a.size() - head - tail), b.subspan(head, b.size() - head - tail),
               edits);
    for (size_t i = a.size() - tail; i < a.size(); ++i) edits.push_back({' ', a[i]});
    return edits;
}

std::string range_text(size_t first, size_t count) {
    return count == 1 ? fmt::format("{}", first)
                      : fmt::format("{},{}", count == 0 ? first - 1 : first, count);
}

}  // namespace

std::string unified_diff(std::string_view before, std::string_view after,
                         std::string_view before_name, std::string_view after_name) {
    const auto a = lines_of(before);
    const auto b = lines_of(after);
    const std::vector<Edit> edits = edits_of(a, b);
    const auto is_change = [](const Edit& edit) { return edit.sign != ' '; };
    std::string text;
    size_t old_line = 1, new_line = 1, at = 0;
    const auto skip_to = [&](size_t to) {
        for (; at < to; ++at) {
            if (edits[at].sign != '+') ++old_line;
            if (edits[at].sign != '-') ++new_line;
        }
    };
    while (true) {
        const auto next =
            std::find_if(edits.begin() + static_cast<std::ptrdiff_t>(at), edits.end(), is_change);
        if (next == edits.end()) break;
        const auto first = static_cast<size_t>(next - edits.begin());
        skip_to(std::max(at, first - std::min(first, kContext)));
        // A hunk ends where more lines in a row are equal than the context of two hunks.
        size_t end = first, equal = 0;
        for (size_t i = first; i < edits.size() && equal <= 2 * kContext; ++i) {
            equal = is_change(edits[i]) ? 0 : equal + 1;
            if (equal == 0) end = i + 1;
        }
        end = std::min(end + kContext, edits.size());
        size_t old_count = 0, new_count = 0;
        std::string body;
        for (size_t i = at; i < end; ++i) {
            if (edits[i].sign != '+') ++old_count;
            if (edits[i].sign != '-') ++new_count;
            body += edits[i].sign;
            body += edits[i].line;
            body += '\n';
        }
        text += fmt::format("@@ -{} +{} @@\n{}", range_text(old_line, old_count),
                            range_text(new_line, new_count), body);
        skip_to(end);
    }
    if (text.empty()) return text;
    return fmt::format("--- {}\n+++ {}\n{}", before_name, after_name, text);
}

void add_before_and_after(Json& reply, const Json& files, const LiveObject& live) {
    // As podlaned reads and shows them, so that defaults do not count as differences.
    std::map<std::string, Json> wanted;
    for (const Json& file : files) {
        const auto parsed = parse_objects(file.at("text").get_ref<const std::string&>(),
                                          file.at("name").get<std::string>());
        if (!parsed.ok()) continue;
        for (const Object& object : parsed->objects) {
            Json shown = to_json(object);
            wanted[shown.at("kind").get<std::string>() + ' ' + object_name(shown)] = shown;
        }
    }
    for (const char* list : {"added", "changed"}) {
        if (!reply.contains(list)) continue;
        for (Json& item : reply[list]) {
            const auto after = wanted.find(change_name(item));
            if (item.contains("after") || after == wanted.end()) continue;
            Json wish = after->second;
            Json before = std::string_view(list) == "changed" ? live(item) : Json();
            // What podlaned adds, such as a pool's address, is not in the manifest.
            const bool has_balancer = !at(wish, "/status/loadBalancer").is_null();
            if (has_balancer && at(wish, "/status/loadBalancer/ingress").empty()) {
                wish.erase("status");
            }
            if (!before.is_null()) {
                if (!wish.contains("status")) before.erase("status");
                item["before"] = std::move(before);
            }
            item["after"] = std::move(wish);
        }
    }
}

std::string diff_text(const Json& reply) {
    std::string text;
    for (const char* list : {"/added", "/changed", "/removed"}) {
        for (const Json& item : at(reply, list)) {
            const std::string name = printable(change_name(item));
            const Json& before = at(item, "/before");
            const Json& after = at(item, "/after");
            text += unified_diff(before.is_null() ? "" : to_yaml(before),
                                 after.is_null() ? "" : to_yaml(after),
                                 before.is_null() ? "/dev/null" : "live: " + name,
                                 after.is_null() ? "/dev/null" : "applied: " + name);
        }
    }
    return text;
}

}  // namespace podlane::control
