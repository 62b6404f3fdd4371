#include "control/cli/top_screen.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "control/cli/cell.h"

namespace podlane::control {

namespace {

using Json = nlohmann::ordered_json;

/// At least this many rows of each list stay on a small screen.
constexpr size_t kLeastRows = 2;

/// Rates between two answers.
class Rates {
  public:
    explicit Rates(const TopSample& sample) : sample_(sample) {}

    [[nodiscard]] double of(const char* pointer) const {
        return rate(number_at(sample_.now, pointer), number_at(sample_.before, pointer));
    }
    /// The rate for a list's item, matched by `key` in the other answer.
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

/// A list row worth showing; the busiest come first.
struct Row {
    double rank = 0;
    std::vector<std::string> cells;
};

std::string list_text(Table table, std::vector<Row> rows, const TopView& view, size_t most,
                      const Screen& screen) {
    const auto is_hidden = [&](const Row& row) {
        return !view.filter.empty() &&
               std::ranges::none_of(row.cells, [&](const std::string& each) {
                   return each.find(view.filter) != std::string::npos;
               });
    };
    std::erase_if(rows, is_hidden);
    std::ranges::stable_sort(rows, std::greater{}, &Row::rank);
    if (rows.size() > most) rows.resize(most);
    for (Row& row : rows) table.add(std::move(row.cells));
    return table.empty() ? std::string() : table.text(screen);
}

std::vector<Row> port_rows(const TopSample& sample, TopOrder order) {
    const Rates rates(sample);
    std::vector<Row> rows;
    for (const Json& port : at(sample.now, "/ports")) {
        const auto of = [&](const char* member) {
            return rates.of_item("/ports", port, "/name", member);
        };
        const double in = of("/rxPackets"), out = of("/txPackets");
        const double in_bits = 8 * of("/rxBytes"), out_bits = 8 * of("/txBytes");
        const double drops = of("/rxDropped") + of("/txDropped");
        if (in + out + drops <= 0) continue;
        const double rank = order == TopOrder::kPackets ? in + out
                            : order == TopOrder::kBytes ? in_bits + out_bits
                                                        : drops;
        rows.push_back({rank,
                        {cell(port, "/name"), short_number(in), short_number(in_bits),
                         short_number(out), short_number(out_bits), short_number(drops)}});
    }
    return rows;
}

/// The other Nodes. The time is the one for which they were counted: counting may have paused.
std::vector<Row> peer_rows(const TopSample& sample, TopOrder order) {
    std::vector<Row> rows;
    const double seconds = (number_at(sample.peers, "/milliseconds") -
                            number_at(sample.peers_before, "/milliseconds")) /
                           1000;
    if (sample.peers_before.is_null() || seconds <= 0) return rows;
    std::map<std::string, const Json*> before;
    for (const Json& peer : at(sample.peers_before, "/peers")) before[cell(peer, "/node")] = &peer;
    for (const Json& peer : at(sample.peers, "/peers")) {
        const auto was = before.find(cell(peer, "/node"));
        if (was == before.end()) continue;
        const auto of = [&](const char* member) {
            return std::max(number_at(peer, member) - number_at(*was->second, member), 0.0) /
                   seconds;
        };
        const double in = of("/rxPackets"), out = of("/txPackets");
        const double in_bits = 8 * of("/rxBytes"), out_bits = 8 * of("/txBytes");
        if (in + out <= 0) continue;
        rows.push_back({order == TopOrder::kBytes ? in_bits + out_bits : in + out,
                        {cell(peer, "/node"), short_number(in), short_number(in_bits),
                         short_number(out), short_number(out_bits)}});
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

std::vector<Row> holder_rows(const TopSample& sample) {
    std::vector<Row> rows;
    for (const FlowHolder& holder : sample.holders.top(FlowHolders::kMost)) {
        rows.push_back({static_cast<double>(holder.flows),
                        {holder.from, holder.in_port,
                         short_number(static_cast<double>(holder.flows)), holder.last_to}});
    }
    return rows;
}

/// Addresses that open connections, and addresses with denied connections.
std::vector<Row> opener_rows(const TopSample& sample) {
    std::vector<Row> rows;
    const double seconds = number_at(sample.opened, "/milliseconds") / 1000;
    if (seconds <= 0) return rows;
    for (const Json& source : at(sample.opened, "/sources")) {
        const double opened = number_at(source, "/flows") / seconds;
        const double denied = number_at(source, "/denied") / seconds;
        rows.push_back({opened + denied,
                        {cell(source, "/from"), cell(source, "/inPort"), short_number(opened),
                         short_number(denied), cell(source, "/lastTo")}});
    }
    return rows;
}

/// The connections with the highest rates.
std::vector<Row> rate_rows(const TopSample& sample, TopOrder order) {
    std::vector<Row> rows;
    for (const FlowRate& each : sample.rates.rates()) {
        rows.push_back({order == TopOrder::kBytes ? each.bytes : each.packets,
                        {each.from, each.to, each.protocol, short_number(each.packets),
                         short_number(8 * each.bytes)}});
    }
    return rows;
}

/// The text's lines, cut to the screen's width and height.
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
    // Seven lists with a heading and an empty line each, and the last line.
    const size_t room = screen.rows == 0 ? 80 : screen.rows > used ? screen.rows - used : 0;
    const size_t each = std::max(kLeastRows, room > 15 ? (room - 15) / 7 : 0);
    constexpr std::array kOrders = {"packets", "bytes", "drops"};
    const std::string order = kOrders[static_cast<size_t>(view.order)];
    std::string out = head;
    const auto add = [&out](const std::string& list) {
        if (!list.empty()) out += '\n' + list;
    };
    add(list_text(Table({{"PORT by " + order},
                         {"IN P/S", true},
                         {"IN BIT/S", true},
                         {"OUT P/S", true},
                         {"OUT BIT/S", true},
                         {"DROPS/S", true}}),
                  port_rows(sample, view.order), view, each, screen));
    add(list_text(Table({{"NODE"},
                         {"IN P/S", true},
                         {"IN BIT/S", true},
                         {"OUT P/S", true},
                         {"OUT BIT/S", true}}),
                  peer_rows(sample, view.order), view, each, screen));
    add(list_text(
        Table({{"FLOW FROM"}, {"TO"}, {"PROTO", false, false, 1}, {"P/S", true}, {"BIT/S", true}}),
        rate_rows(sample, view.order), view, each, screen));
    add(list_text(Table({{"HOLDS FLOWS"},
                         {"PORT", false, false, 2},
                         {"FLOWS", true},
                         {"LAST TO", false, false, 1}}),
                  holder_rows(sample), view, each, screen));
    add(list_text(Table({{"OPENS FLOWS"},
                         {"PORT", false, false, 2},
                         {"NEW/S", true},
                         {"DENIED/S", true},
                         {"LAST TO", false, false, 1}}),
                  opener_rows(sample), view, each, screen));
    add(list_text(Table({{"SERVICE"}, {"NEW/S", true}}), service_rows(sample), view, each, screen));
    add(list_text(Table({{"DROPPED FOR"}, {"P/S", true}}), drop_rows(sample), view, each, screen));
    return fitted(out, screen);
}

}  // namespace podlane::control
