#include "control/cli/top_screen.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <functional>
#include <utility>
#include <vector>

#include "control/cli/cell.h"

namespace podlane::control {

namespace {

using Json = nlohmann::ordered_json;

/// Of the rows of each list, so many stay when the screen is small.
constexpr size_t kLeastRows = 3;

/// Rates between two answers.
class Rates {
  public:
    explicit Rates(const TopSample& sample) : sample_(sample) {}

    [[nodiscard]] double of(const char* pointer) const {
        return rate(number_at(sample_.now, pointer), number_at(sample_.before, pointer));
    }
    /// Of a member of a list's item, which is found in the other answer by `key`.
    [[nodiscard]] double of_item(const char* list, const Json& item, const char* key,
                                 const char* member) const {
        for (const Json& other : at(sample_.before, list)) {
            if (at(other, key) != at(item, key)) continue;
            return rate(number_at(item, member), number_at(other, member));
        }
        return 0;
    }

  private:
    [[nodiscard]] double rate(double now, double before) const {
        return now > before ? (now - before) / std::max(sample_.seconds, 0.001) : 0;
    }
    const TopSample& sample_;
};

double sum_of(const Rates& rates, const Json& stats, const char* member) {
    double sum = 0;
    for (const Json& port : at(stats, "/ports")) {
        sum += rates.of_item("/ports", port, "/name", member);
    }
    return sum;
}

double drops_of(const Rates& rates, const Json& stats) {
    double sum = 0;
    for (const auto& [reason, packets] : at(stats, "/drops").items()) {
        sum += rates.of(("/drops/" + reason).c_str());
    }
    return sum;
}

std::string header(const TopSample& sample) {
    const Rates rates(sample);
    const Json& now = sample.now;
    const double capacity = number_at(now, "/flows/capacity");
    std::string out = fmt::format(
        "podlane top   generation {}   in {} p/s {}b/s   drops {}/s\n"
        "flows {} of {} ({:.0f} %)   new {}/s   refused {}/s\n",
        cell(now, "/generation"), short_number(sum_of(rates, now, "/rxPackets")),
        short_number(8 * sum_of(rates, now, "/rxBytes")), short_number(drops_of(rates, now)),
        short_number(number_at(now, "/flows/active")), short_number(capacity),
        capacity > 0 ? 100 * number_at(now, "/flows/active") / capacity : 0,
        short_number(rates.of("/flows/created")), short_number(rates.of("/flows/refused")));
    for (const Json& worker : at(now, "/workers")) {
        const double busy = rates.of_item("/workers", worker, "/id", "/busyCycles");
        const double idle = rates.of_item("/workers", worker, "/id", "/idleCycles");
        const double share = busy + idle > 0 ? busy / (busy + idle) : 0;
        constexpr size_t kWidth = 20;
        const auto marks = static_cast<size_t>(share * kWidth + 0.5);
        out += fmt::format("worker {:<3} [{}{}] {:3.0f} % busy   {} p/s\n", cell(worker, "/id"),
                           std::string(marks, '#'), std::string(kWidth - marks, '.'), 100 * share,
                           short_number(rates.of_item("/workers", worker, "/id", "/rxPackets")));
    }
    return out;
}

/// Rows of a list that are worth showing, the busiest first.
struct Row {
    double rank = 0;
    std::vector<std::string> cells;
};

std::string list_text(Table table, std::vector<Row> rows, const TopView& view, size_t most,
                      const Screen& screen) {
    const auto is_hidden = [&](const Row& row) {
        return !view.filter.empty() &&
               std::ranges::none_of(row.cells, [&](const std::string& cell) {
                   return cell.find(view.filter) != std::string::npos;
               });
    };
    std::erase_if(rows, is_hidden);
    std::ranges::stable_sort(rows, std::greater{}, &Row::rank);
    if (rows.size() > most) rows.resize(most);
    for (Row& row : rows) table.add(std::move(row.cells));
    return table.empty() ? std::string() : table.text(screen);
}

std::vector<Row> port_rows(const TopSample& sample) {
    const Rates rates(sample);
    std::vector<Row> rows;
    for (const Json& port : at(sample.now, "/ports")) {
        const auto of = [&](const char* member) {
            return rates.of_item("/ports", port, "/name", member);
        };
        const double in = of("/rxPackets"), out = of("/txPackets");
        if (in + out + of("/rxDropped") + of("/txDropped") <= 0) continue;
        rows.push_back({in + out,
                        {cell(port, "/name"), short_number(in), short_number(8 * of("/rxBytes")),
                         short_number(out), short_number(8 * of("/txBytes")),
                         short_number(of("/rxDropped") + of("/txDropped"))}});
    }
    return rows;
}

std::vector<Row> service_rows(const TopSample& sample) {
    const Rates rates(sample);
    std::vector<Row> rows;
    for (const Json& service : at(sample.now, "/services")) {
        const double rate = rates.of_item("/services", service, "/service", "/created");
        if (rate > 0) rows.push_back({rate, {cell(service, "/service"), short_number(rate)}});
    }
    return rows;
}

std::vector<Row> drop_rows(const TopSample& sample) {
    const Rates rates(sample);
    std::vector<Row> rows;
    for (const auto& [reason, packets] : at(sample.now, "/drops").items()) {
        const double rate = rates.of(("/drops/" + reason).c_str());
        if (rate > 0) rows.push_back({rate, {reason, short_number(rate)}});
    }
    return rows;
}

std::vector<Row> talker_rows(const TopSample& sample, TalkerOrder order) {
    std::vector<Row> rows;
    const double seconds = std::max(sample.seconds, 0.001);
    for (const Talker& talker : sample.talkers.top(order, Talkers::kMost)) {
        const auto rate = [&](uint64_t count) {
            return short_number(static_cast<double>(count) / seconds);
        };
        // The order of top() stays.
        rows.push_back({0,
                        {talker.from, talker.in_port, rate(talker.packets), rate(8 * talker.bytes),
                         rate(talker.new_flows), talker.last_to}});
    }
    return rows;
}

/// The text's lines, no wider and no more than the screen has.
std::string fitted(const std::string& text, const Screen& screen) {
    std::string out;
    size_t line = 0;
    for (size_t begin = 0, end = 0; begin < text.size(); begin = end + 1) {
        end = text.find('\n', begin);
        if (screen.rows != 0 && ++line >= screen.rows) break;
        out += text.substr(begin, std::min(end - begin, screen.columns)) + '\n';
    }
    return out;
}

}  // namespace

std::string short_number(double value) {
    constexpr std::array kUnits = {"", "k", "M", "G", "T"};
    size_t unit = 0;
    while (value >= 999.5 && unit + 1 < kUnits.size()) {
        value /= 1000;
        ++unit;
    }
    const int digits = value >= 99.95 || (unit == 0 && value == static_cast<int>(value)) ? 0 : 1;
    return fmt::format("{:.{}f}{}", value, digits, kUnits[unit]);
}

std::string top_text(const TopSample& sample, const TopView& view, const Screen& screen) {
    const std::string head = header(sample);
    const auto used = static_cast<size_t>(std::ranges::count(head, '\n'));
    // Four lists with a heading and an empty line each, and the last line.
    const size_t room = screen.rows == 0 ? 80 : screen.rows > used ? screen.rows - used : 0;
    const size_t each = std::max(kLeastRows, room > 9 ? (room - 9) / 4 : 0);
    constexpr std::array kOrders = {"packets", "bytes", "new flows"};
    std::string out = head;
    const auto add = [&out](const std::string& list) {
        if (!list.empty()) out += '\n' + list;
    };
    add(list_text(Table({{"SENDER by " + std::string(kOrders[static_cast<size_t>(view.order)])},
                         {"PORT", false, false, 2},
                         {"P/S", true},
                         {"B/S", true},
                         {"NEW/S", true},
                         {"LAST TO", false, false, 1}}),
                  talker_rows(sample, view.order), view, each, screen));
    add(list_text(Table({{"PORT"},
                         {"IN P/S", true},
                         {"IN B/S", true},
                         {"OUT P/S", true},
                         {"OUT B/S", true},
                         {"DROPS/S", true}}),
                  port_rows(sample), view, each, screen));
    add(list_text(Table({{"SERVICE"}, {"NEW/S", true}}), service_rows(sample), view, each, screen));
    add(list_text(Table({{"DROPPED FOR"}, {"P/S", true}}), drop_rows(sample), view, each, screen));
    return fitted(out, screen);
}

}  // namespace podlane::control
