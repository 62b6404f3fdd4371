#include "control/cli/flows.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <ostream>
#include <utility>

#include "control/cli/cell.h"
#include "control/cli/getter.h"
#include "control/cli/listing.h"
#include "control/cli/moment.h"
#include "control/cli/run.h"
#include "control/cli/yaml.h"
#include "control/document/fields.h"

namespace podlane::control {
namespace {

using Json = nlohmann::ordered_json;

/// Rows per call: a few ms of podlaned's time.
constexpr uint64_t kPage = 2000;
constexpr std::string_view kSpan = "SPAN";

constexpr auto kOptions = std::to_array<OptionRow>({
    {"pod", 0, OptionType::kText, "NAME", "flows: that this pod takes part in", "", "pod"},
    {"service", 0, OptionType::kText, "NAME", "flows: of this Service", "", "service"},
    {"address", 0, OptionType::kText, "ADDRESS[:PORT]", "flows: with this at either end", "",
     "address"},
    {"port", 0, OptionType::kPort, "PORT", "flows: with this port at either end", "", "port"},
    {"protocol", 0, OptionType::kText, "PROTOCOL", "flows: tcp, udp, sctp, icmp, icmpv6, a number",
     "", "protocol"},
    {"state", 0, OptionType::kText, "STATE", "flows: in it, such as ESTABLISHED or UNREPLIED", "",
     "state"},
    {"worker", 0, OptionType::kNumber, "ID", "flows: that this worker made", "", "worker"},
    {"older-than", 0, OptionType::kText, kSpan, "flows: that began before that: 90s, 5m, 2h, 1d",
     "", "olderSeconds"},
    {"newer-than", 0, OptionType::kText, kSpan, "flows: that began since", "", "youngerSeconds"},
    {"idle", 0, OptionType::kText, kSpan, "flows: silent for so long", "", "idleSeconds"},
    {"dropped", 0, OptionType::kFlag, "",
     "flows: those with packets that are dropped now; -o wide shows why", "", "dropped"},
    {"sort", 0, OptionType::kWord, "ORDER",
     "flows: the first by age, idle, expires, from, to, packets or bytes (both ways)",
     "age idle expires from to packets bytes"},
    {"reverse", 0, OptionType::kFlag, "", "flows: with --sort, the last ones"},
});

/// The field that --sort names, and whether the largest comes first.
struct Order {
    std::string_view word;
    const char* pointer;
    bool largest_first;
    const char* also = nullptr;  ///< a second number added to the first
};
constexpr std::array<Order, 7> kOrders{{{"age", "/ageSeconds", true},
                                        {"idle", "/idleSeconds", true},
                                        {"expires", "/expiresSeconds", false},
                                        {"from", "/from", false},
                                        {"to", "/to", false},
                                        {"packets", "/packets", true, "/replyPackets"},
                                        {"bytes", "/bytes", true, "/replyBytes"}}};

/// The first `most`, in order, of all items added.
class Ranking {
  public:
    Ranking(const Order& order, bool reverse, size_t most)
        : order_(order), descending_(order.largest_first != reverse), most_(most) {}

    void add(Json item) {
        ++seen_;
        if (items_.size() == most_ && !is_before(item, items_.front())) return;
        items_.push_back(std::move(item));
        const auto before = [this](const Json& a, const Json& b) { return is_before(a, b); };
        std::ranges::push_heap(items_, before);
        if (items_.size() <= most_) return;
        std::ranges::pop_heap(items_, before);
        items_.pop_back();
    }
    [[nodiscard]] Json take() {
        const auto before = [this](const Json& a, const Json& b) { return is_before(a, b); };
        std::ranges::sort_heap(items_, before);
        Json out = Json::array();
        for (Json& item : items_) out.push_back(std::move(item));
        return out;
    }
    [[nodiscard]] uint64_t seen() const noexcept { return seen_; }
    /// Whether the items lack the numbers to be added.
    [[nodiscard]] bool lacks_numbers(const Json& items) const {
        return order_.also != nullptr && !items.empty() && at(items.front(), order_.also).is_null();
    }

  private:
    [[nodiscard]] bool is_before(const Json& a, const Json& b) const {
        if (order_.also != nullptr) return is_ordered(sum_of(a), sum_of(b));
        return is_ordered(at(a, order_.pointer), at(b, order_.pointer));
    }
    template <class Key>
    [[nodiscard]] bool is_ordered(const Key& one, const Key& other) const {
        return descending_ ? other < one : one < other;
    }
    [[nodiscard]] double sum_of(const Json& item) const {
        return number_at(item, order_.pointer) + number_at(item, order_.also);
    }

    const Order& order_;
    bool descending_;
    size_t most_;
    uint64_t seen_ = 0;
    std::vector<Json> items_;  ///< a heap with its top at the end
};

/// Writes rows as they arrive, in the invocation's format.
class Printer {
  public:
    Printer(const Invocation& call, const CliKind& kind, CliEnvironment& environment)
        : call_(call),
          kind_(kind),
          environment_(environment),
          screen_(screen_of(call, environment)) {}

    void print(const Json& items) {
        if (items.empty()) return;
        switch (call_.format) {
            case OutputFormat::kTable:
            case OutputFormat::kWide:
                environment_.out << list_text(kind_, items, screen_);
                screen_.headings = false;
                break;
            case OutputFormat::kName:
                for (const Json& item : items) {
                    environment_.out << printable(item_name(kind_, item, true)) << '\n';
                }
                break;
            case OutputFormat::kYaml:
                environment_.out << to_yaml(items);
                break;
            case OutputFormat::kJson:
                for (const Json& item : items) {
                    std::string text = json_text(item, -1);
                    text.pop_back();
                    environment_.out << (printed_++ == 0 ? "[\n  " : ",\n  ") << text;
                }
                return;
        }
        printed_ += items.size();
    }
    void end() {
        if (call_.format == OutputFormat::kJson) {
            environment_.out << (printed_ == 0 ? "[]\n" : "\n]\n");
        } else if (call_.format == OutputFormat::kYaml && printed_ == 0) {
            environment_.out << "[]\n";
        }
    }
    [[nodiscard]] uint64_t printed() const noexcept { return printed_; }

  private:
    const Invocation& call_;
    const CliKind& kind_;
    CliEnvironment& environment_;
    Screen screen_;
    uint64_t printed_ = 0;
};

bool is_span(const OptionRow& row) {
    return row.value == kSpan;
}

/// Remarks about the rows, on stderr.
void show_remarks(const Invocation& call, const Target& target, uint64_t shown, uint64_t total,
                  bool has_more, CliEnvironment& environment) {
    if (total > shown || has_more) {
        environment.err << "notice: " << shown
                        << (total > shown ? fmt::format(" of {} shown", total)
                                          : std::string(" shown, there are more"))
                        << "; --limit N for more\n";
    }
    if (shown == 0) show_none(call, target, environment);
}

/// One run: pages until there are no more, or enough.
class FlowPages {
  public:
    FlowPages(const Invocation& call, const Target& target, CliEnvironment& environment)
        : call_(call),
          target_(target),
          printer_(call, *target.kind, environment),
          most_(call.options.number("limit").value_or(target.kind->live->limit)) {
        const auto order = std::ranges::find(kOrders, call.text("sort"), &Order::word);
        if (order != kOrders.end()) {
            ranking_.emplace(*order, call.has("reverse"),
                             most_ == 0 ? SIZE_MAX : static_cast<size_t>(most_));
        }
        // A namespace's connections are those to its Services.
        if (!target.is_one() && !call.has("all-namespaces")) name_space_ = call.text("namespace");
    }

    Result<void> read(RpcClient& client, CliEnvironment& environment) {
        Json params{{"kind", target_.kind->plural}};
        if (!target_.name.empty()) params["name"] = target_.name;
        add_flow_params(call_, params);
        do {
            params["limit"] = ranking_ || most_ == 0 || !name_space_.empty()
                                  ? kPage
                                  : std::min(kPage, most_ - printer_.printed());
            auto reply = client.call("get", params);
            if (!reply) return reply.error();
            next_ = reply->value("next", uint64_t{0});
            total_ = reply->value("total", total_);
            if (ranking_ && ranking_->lacks_numbers(at(*reply, "/items"))) {
                return Error{
                    "packets and bytes are not counted; flows.counters: on counts them "
                    "from the next start of podlaned"};
            }
            take(std::move((*reply)["items"]));
            params["from"] = next_;
            environment.out.flush();
        } while (next_ != 0 && environment.out &&
                 (ranking_ || most_ == 0 || printer_.printed() < most_));
        if (ranking_) {
            total_ = ranking_->seen();
            printer_.print(ranking_->take());
        }
        return {};
    }
    void end(CliEnvironment& environment) {
        printer_.end();
        show_remarks(call_, target_, printer_.printed(), total_, !ranking_ && next_ != 0,
                     environment);
    }

  private:
    void take(Json items) {
        if (!name_space_.empty()) {
            Json kept = Json::array();
            for (Json& item : items) {
                const bool has_room =
                    ranking_ || most_ == 0 || printer_.printed() + kept.size() < most_;
                if (has_room && is_in_namespace(*target_.kind->live, item, name_space_)) {
                    kept.push_back(std::move(item));
                }
            }
            items = std::move(kept);
        }
        if (!ranking_) {
            printer_.print(items);
            return;
        }
        for (Json& item : items) ranking_->add(std::move(item));
    }

    const Invocation& call_;
    const Target& target_;
    Printer printer_;
    const uint64_t most_;  ///< 0: all
    std::optional<Ranking> ranking_;
    std::string name_space_;
    uint64_t next_ = 0;   ///< where to continue; 0: nothing left
    uint64_t total_ = 0;  ///< where it is known
};

}  // namespace

std::span<const OptionRow> flow_options() noexcept {
    return kOptions;
}

std::string flow_options_fault(const Invocation& call, const std::vector<Target>& targets) {
    for (const OptionRow& row : kOptions) {
        if (!call.has(row.name)) continue;
        for (const Target& target : targets) {
            if (target.kind->plural != "flows") {
                return fmt::format("--{} is for flows, not for {}", row.name, target.kind->plural);
            }
        }
        if (is_span(row) && !parse_span_ms(call.text(row.name))) {
            return fmt::format("--{}: {} is not 90s, 5m, 2h or 1d", row.name,
                               in_quotes(call.text(row.name)));
        }
    }
    if (call.has("reverse") && !call.has("sort")) return "--reverse goes with --sort";
    if (call.has("sort") && call.has("watch")) return "--sort and --watch exclude each other";
    return {};
}

void add_flow_params(const Invocation& call, Json& params) {
    for (const OptionRow& row : kOptions) {
        if (row.param.empty() || !call.has(row.name)) continue;
        Json& param = params[std::string(row.param)];
        if (row.type == OptionType::kFlag) {
            param = true;
        } else if (row.type == OptionType::kNumber || row.type == OptionType::kPort) {
            param = call.options.number(row.name).value_or(0);
        } else if (is_span(row)) {
            param = parse_span_ms(call.text(row.name)).value_or(0) / 1000;
        } else {
            const bool is_object = row.name == "pod" || row.name == "service";
            param = is_object ? whole_name(call, call.text(row.name)) : call.text(row.name);
        }
    }
}

int run_flows(const Invocation& call, const Target& target, CliEnvironment& environment) {
    auto client = connect(call);
    if (!client) return fail(environment, client.error());
    FlowPages pages(call, target, environment);
    if (auto done = pages.read(client.value(), environment); !done) {
        return fail(environment, done.error());
    }
    pages.end(environment);
    return finish(environment);
}

}  // namespace podlane::control
