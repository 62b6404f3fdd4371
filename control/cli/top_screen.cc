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

/// Empty lines stand between the lists only where so many rows of each fit as well.
constexpr size_t kLeastRows = 2;
/// Of each list, where there is no screen.
constexpr size_t kRowsInPipe = 9;

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

/// A line for each worker; on a small screen for the busiest ones.
std::string worker_lines(const Rates& rates, const Json& now, const Screen& screen) {
    struct Worker {
        double share = 0;
        std::string line;
    };
    std::vector<Worker> workers;
    for (const Json& worker : at(now, "/workers")) {
        const double busy = rates.of_item("/workers", worker, "/id", "/busyCycles");
        const double idle = rates.of_item("/workers", worker, "/id", "/idleCycles");
        const double share = busy + idle > 0 ? busy / (busy + idle) : 0;
        constexpr size_t kWidth = 20;
        const auto marks = static_cast<size_t>(share * kWidth + 0.5);
        workers.push_back(
            {share,
             fmt::format("worker {:<3} [{}{}] {:3.0f} % busy   {} p/s", cell(worker, "/id"),
                         std::string(marks, '#'), std::string(kWidth - marks, '.'), 100 * share,
                         short_number(rates.of_item("/workers", worker, "/id", "/rxPackets")))});
    }
    const size_t most = screen.rows == 0 ? workers.size() : std::max<size_t>(1, screen.rows / 6);
    const size_t shown = std::min(most, workers.size());
    if (shown < workers.size()) {
        std::ranges::stable_sort(workers, std::greater{}, &Worker::share);
        workers[shown - 1].line += fmt::format("   +{} more", workers.size() - shown);
    }
    std::string out;
    for (size_t i = 0; i < shown; ++i) out += workers[i].line + '\n';
    return out;
}

std::string header(const TopSample& sample, const Screen& screen) {
    const Rates rates(sample);
    const Json& now = sample.now;
    const double capacity = number_at(now, "/flows/capacity");
    return fmt::format(
               "podlane top   generation {}   in {} p/s {}b/s   drops {}/s\n"
               "flows {} of {} ({:.0f} %)   new {}/s   refused {}/s\n",
               cell(now, "/generation"), short_number(sum_of(rates, now, "/rxPackets")),
               short_number(8 * sum_of(rates, now, "/rxBytes")), short_number(drops_of(rates, now)),
               short_number(number_at(now, "/flows/active")), short_number(capacity),
               capacity > 0 ? 100 * number_at(now, "/flows/active") / capacity : 0,
               short_number(rates.of("/flows/created")), short_number(rates.of("/flows/refused"))) +
           worker_lines(rates, now, screen);
}

/// A list row worth showing; the busiest come first.
struct Row {
    double rank = 0;
    std::vector<std::string> cells;
};

/// A list of the screen: its columns and those of its rows that the filter leaves.
struct List {
    std::vector<Table::Column> columns;
    std::vector<Row> rows;  ///< the busiest first
    size_t shown = 0;

    /// Rows that find no room are counted in the first column's heading, which costs no line.
    [[nodiscard]] std::string text(const Screen& screen) const {
        std::vector<Table::Column> titled = columns;
        if (shown < rows.size()) {
            titled.front().title += fmt::format(" +{} more", rows.size() - shown);
        }
        Table table(std::move(titled));
        for (size_t i = 0; i < shown; ++i) table.add(rows[i].cells);
        return table.text(screen);
    }
};

List list_of(std::vector<Table::Column> columns, std::vector<Row> rows, const TopView& view) {
    const auto is_hidden = [&](const Row& row) {
        return !view.filter.empty() &&
               std::ranges::none_of(row.cells, [&](const std::string& each) {
                   return each.find(view.filter) != std::string::npos;
               });
    };
    std::erase_if(rows, is_hidden);
    std::ranges::stable_sort(rows, std::greater{}, &Row::rank);
    return {std::move(columns), std::move(rows)};
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

namespace {

/// The lists that have rows, in the order of the screen.
std::vector<List> lists_of(const TopSample& sample, const TopView& view) {
    constexpr std::array kOrders = {"packets", "bytes", "drops"};
    const std::string order = kOrders[static_cast<size_t>(view.order)];
    std::vector<List> lists{
        list_of({{"PORT by " + order},
                 {"IN P/S", true},
                 {"IN BIT/S", true},
                 {"OUT P/S", true},
                 {"OUT BIT/S", true},
                 {"DROPS/S", true}},
                port_rows(sample, view.order), view),
        list_of({{"NODE"},
                 {"IN P/S", true},
                 {"IN BIT/S", true},
                 {"OUT P/S", true},
                 {"OUT BIT/S", true}},
                peer_rows(sample, view.order), view),
        list_of({{"FLOW FROM"}, {"TO"}, {"PROTO", false, false, 1}, {"P/S", true}, {"BIT/S", true}},
                rate_rows(sample, view.order), view),
        list_of(
            {{"HOLDS FLOWS"},
             {"PORT", false, false, 2},
             {sample.counted == 0 ? "FLOWS"
                                  : fmt::format("FLOWS OF {} COUNTED",
                                                short_number(static_cast<double>(sample.counted))),
              true},
             {"LAST TO", false, false, 1}},
            holder_rows(sample), view),
        list_of({{"OPENS FLOWS"},
                 {"PORT", false, false, 2},
                 {"NEW/S", true},
                 {"DENIED/S", true},
                 {"LAST TO", false, false, 1}},
                opener_rows(sample), view),
        list_of({{"SERVICE"}, {"NEW/S", true}}, service_rows(sample), view),
        list_of({{"DROPPED FOR"}, {"P/S", true}}, drop_rows(sample), view)};
    std::erase_if(lists, [](const List& list) { return list.rows.empty(); });
    return lists;
}

/// Decides how many rows of each list are shown on `room` lines: one of each, then one more of each
/// in turn. A list without room for its heading and a row has none. Returns whether empty lines
/// between the lists fit as well.
bool share_lines(std::vector<List>& lists, size_t room) {
    const bool has_gaps = room >= lists.size() * (kLeastRows + 2);
    size_t lines = has_gaps ? room - lists.size() : room;
    // One line then says what is left out.
    if (lines < 2 * lists.size() && lines > 0) --lines;
    for (List& list : lists) {
        if (lines < 2) break;
        list.shown = 1;
        lines -= 2;
    }
    for (bool has_grown = true; has_grown;) {
        has_grown = false;
        for (List& list : lists) {
            if (lines == 0 || list.shown == 0 || list.shown == list.rows.size()) continue;
            ++list.shown;
            --lines;
            has_grown = true;
        }
    }
    return has_gaps;
}

/// Below a screen that has no room for all lists.
std::string left_out(const std::vector<List>& lists) {
    std::string names;
    for (const List& list : lists) {
        if (list.shown == 0) append_word(names, list.columns.front().title);
    }
    return names.empty() ? names : "no room for: " + names + '\n';
}

}  // namespace

std::string top_text(const TopSample& sample, const TopView& view, const Screen& screen) {
    std::string out = header(sample, screen);
    std::vector<List> lists = lists_of(sample, view);
    bool has_gaps = true;
    if (screen.rows == 0) {
        for (List& list : lists) list.shown = std::min(kRowsInPipe, list.rows.size());
    } else {
        // The screen's last line is the caller's.
        const auto used = static_cast<size_t>(std::ranges::count(out, '\n')) + 1;
        has_gaps = share_lines(lists, screen.rows > used ? screen.rows - used : 0);
    }
    for (const List& list : lists) {
        if (list.shown == 0) continue;
        if (has_gaps) out += '\n';
        out += list.text(screen);
    }
    return fitted(out + left_out(lists), screen);
}

}  // namespace podlane::control
