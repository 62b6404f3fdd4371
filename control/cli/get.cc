#include "control/cli/get.h"

#include <fmt/format.h>

#include <ostream>
#include <set>
#include <utility>

#include "control/cli/cell.h"
#include "control/cli/flows.h"
#include "control/cli/getter.h"
#include "control/cli/listing.h"
#include "control/cli/report.h"
#include "control/cli/selector.h"
#include "control/cli/table.h"
#include "control/cli/target.h"
#include "control/cli/yaml.h"

namespace podlane::control {
namespace {

using Json = nlohmann::ordered_json;

// Objects come as kubectl's List, so that they can be applied again; live state as a bare list.
Json data_of(std::vector<Listed>& lists, bool is_bare) {
    if (lists.size() == 1 && (is_bare || lists[0].target.kind->live != nullptr)) {
        return std::move(lists[0].items);
    }
    if (lists.size() == 1 && lists[0].target.is_one() && lists[0].items.size() == 1) {
        return std::move(lists[0].items[0]);
    }
    Json all = Json::array();
    for (Listed& listed : lists) {
        for (Json& item : listed.items) all.push_back(std::move(item));
    }
    return Json{{"apiVersion", "v1"}, {"kind", "List"}, {"items", std::move(all)}};
}

// Several targets of one kind make one table.
void join_kinds(std::vector<Listed>& lists) {
    std::vector<Listed> joined;
    for (Listed& listed : lists) {
        if (!joined.empty() && joined.back().target.kind == listed.target.kind) {
            for (Json& item : listed.items) joined.back().items.push_back(std::move(item));
        } else {
            joined.push_back(std::move(listed));
        }
    }
    lists = std::move(joined);
}

void show_refused(const Invocation& call, const std::vector<Listed>& lists,
                  CliEnvironment& environment) {
    Table table({{"REFUSED"}, {"WHY"}});
    for (const Listed& listed : lists) {
        for (const Json& item : listed.items)
            table.add({change_name(item), cell(item, "/message")});
    }
    if (!table.empty()) environment.out << table.text(screen_of(call, environment));
}

void show_tables(const Invocation& call, std::vector<Listed>& lists, CliEnvironment& environment) {
    if (call.has("refused")) return show_refused(call, lists, environment);
    join_kinds(lists);
    const char* gap = "";
    for (const Listed& listed : lists) {
        const bool has_prefix = lists.size() > 1 && listed.target.kind->object.has_value();
        const std::string prefix = has_prefix ? listed.target.kind->singular + '/' : "";
        const std::string text =
            list_text(*listed.target.kind, listed.items, screen_of(call, environment), prefix);
        if (text.empty()) continue;
        environment.out << gap << text;
        gap = "\n";
    }
}

// Remarks about the lists, on stderr.
void show_remarks(const Invocation& call, const std::vector<Listed>& lists,
                  CliEnvironment& environment) {
    for (const Listed& listed : lists) {
        if (listed.total != 0) {
            environment.err << "notice: " << listed.items.size() << " of " << listed.total
                            << " shown; --limit N for more\n";
        }
        if (listed.from_slices && !call.has("no-headers")) {
            environment.err << "notice: these are of EndpointSlices: podlanectl get "
                               "endpointslices -o wide\n";
        }
        if (listed.items.empty()) show_none(call, listed.target, environment);
    }
}

void show(const Invocation& call, bool with_namespace, std::vector<Listed> lists,
          CliEnvironment& environment) {
    switch (call.format) {
        case OutputFormat::kTable:
        case OutputFormat::kWide:
            show_tables(call, lists, environment);
            break;
        case OutputFormat::kName:
            for (const Listed& listed : lists) {
                for (const Json& item : listed.items) {
                    environment.out
                        << printable(item_name(*listed.target.kind, item, with_namespace)) << '\n';
                }
            }
            break;
        case OutputFormat::kJson:
        case OutputFormat::kYaml:
            environment.out << data_text(call.format, data_of(lists, call.has("refused")));
            break;
    }
}

int get_once(const Invocation& call, const Getter& getter, RpcClient& client,
             CliEnvironment& environment) {
    std::vector<Listed> lists;
    std::optional<Error> error;
    for (const Target& target : getter.targets()) {
        auto listed = getter.list(client, target);
        if (listed) {
            lists.push_back(std::move(listed).value());
        } else if (!target.is_one() || getter.targets().size() == 1) {
            return fail(environment, hinted(listed.error(), target));
        } else {
            fail(environment, hinted(listed.error(), target));
            error = listed.error();
        }
    }
    show_remarks(call, lists, environment);
    if (!lists.empty()) show(call, getter.shows_namespaces(), std::move(lists), environment);
    const int code = finish(environment);
    return error ? exit_code::kFailed : code;
}

/// Follows the targets: prints what exists, then each row that is new or has changed.
class Watcher {
  public:
    Watcher(const Invocation& call, const Getter& getter, CliEnvironment& environment)
        : call_(call), getter_(getter), environment_(environment), seen_(getter.targets().size()) {}

    [[nodiscard]] Result<void> turn(RpcClient& client) {
        for (size_t i = 0; i < getter_.targets().size(); ++i) {
            auto listed = getter_.list(client, getter_.targets()[i]);
            if (!listed) {
                // A named object may be created later.
                if (client.last_code() == rpc_code::kNotFound) continue;
                return listed.error();
            }
            keep_news(listed.value(), seen_[i]);
            if (listed->items.empty()) continue;
            std::vector<Listed> lists;
            lists.push_back(std::move(listed).value());
            show_news(lists);
        }
        return {};
    }

  private:
    void keep_news(Listed& listed, std::set<std::string>& seen) const {
        std::set<std::string> now;
        Json news = Json::array();
        const bool is_data =
            call_.format == OutputFormat::kJson || call_.format == OutputFormat::kYaml;
        for (Json& item : listed.items) {
            std::string row = is_data ? item.dump(-1, ' ', false, Json::error_handler_t::replace)
                                      : row_identity(*listed.target.kind, item);
            const bool is_news = !seen.contains(row);
            now.insert(std::move(row));
            if (is_news) news.push_back(std::move(item));
        }
        seen = std::move(now);
        listed.items = std::move(news);
    }
    void show_news(std::vector<Listed>& lists) {
        if (call_.format == OutputFormat::kJson || call_.format == OutputFormat::kYaml) {
            for (const Json& item : lists[0].items) {
                environment_.out << (call_.format == OutputFormat::kYaml ? "---\n" + to_yaml(item)
                                                                         : json_text(item, -1));
            }
            return;
        }
        if (call_.format == OutputFormat::kName) {
            show(call_, getter_.shows_namespaces(), std::move(lists), environment_);
            return;
        }
        Screen screen = screen_of(call_, environment_);
        screen.headings = screen.headings && shown_.insert(lists[0].target.kind).second;
        environment_.out << list_text(*lists[0].target.kind, lists[0].items, screen);
    }

    const Invocation& call_;
    const Getter& getter_;
    CliEnvironment& environment_;
    std::vector<std::set<std::string>> seen_;  // rows by target
    std::set<const CliKind*> shown_;           // kinds whose headings were printed
};

/// Decides when to list again: podlaned reports changes, except in data that changes with every
/// packet; that is polled each second.
class Waiter {
  public:
    /// `is_bounded`: stop waiting after a second even without news.
    Waiter(const Getter& getter, CliEnvironment& environment, bool is_bounded)
        : environment_(environment), is_bounded_(is_bounded) {
        for (const Target& target : getter.targets()) {
            kinds_.push_back(target.kind->plural);
            if (target.kind->object == Kind::kEndpoints) kinds_.emplace_back("endpointslices");
            const LiveKind* live = target.kind->live;
            is_polled_ = is_polled_ || (live != nullptr && !live->is_watched);
        }
    }

    /// Called before the first listing, so that no change between the two is missed.
    [[nodiscard]] Result<void> begin(RpcClient& client) {
        if (is_polled_) return {};
        return ask(client, {{"kinds", kinds_}});
    }

    /// At most one listing a second.
    [[nodiscard]] Result<void> wait(RpcClient& client) {
        if (is_polled_ || has_waited_) environment_.pause();
        has_waited_ = true;
        if (is_polled_) return {};
        do {
            auto asked = ask(client, {{"kinds", kinds_},
                                      {"since", cursor_},
                                      {"waitSeconds", is_bounded_ ? 1 : kLongestWaitSeconds}});
            if (!asked) return asked;
        } while (!has_news_ && !is_bounded_);
        return {};
    }

  private:
    static constexpr int kLongestWaitSeconds = 30;

    [[nodiscard]] Result<void> ask(RpcClient& client, const Json& params) {
        const auto reply = client.call("watch", params);
        if (!reply) return reply.error();
        cursor_ = reply->at("cursor").get<uint64_t>();
        has_news_ = !reply->at("events").empty() || reply->at("relist").get<bool>();
        return {};
    }

    CliEnvironment& environment_;
    const bool is_bounded_;
    std::vector<std::string> kinds_;
    bool is_polled_ = false;
    bool has_waited_ = false;
    uint64_t cursor_ = 0;
    bool has_news_ = false;
};

int watch(const Invocation& call, const Getter& getter, RpcClient& client,
          CliEnvironment& environment) {
    const auto count = call.options.number("count");
    Watcher watcher(call, getter, environment);
    Waiter waiter(getter, environment, count.has_value());
    if (auto begun = waiter.begin(client); !begun) return fail(environment, begun.error());
    for (uint64_t turn = 0; !count || turn < *count; ++turn) {
        if (turn > 0) {
            if (auto waited = waiter.wait(client); !waited) {
                return fail(environment, waited.error());
            }
        }
        if (auto done = watcher.turn(client); !done) return fail(environment, done.error());
        if (const int code = finish(environment); code != exit_code::kDone) return code;
    }
    return exit_code::kDone;
}

}  // namespace

std::string get_fault(Invocation& call) {
    if (call.has("selector")) {
        if (const auto selector = parse_selector(call.text("selector")); !selector) {
            return "-l: " + selector.error().message;
        }
    }
    auto targets = targets_of(call, false);
    if (auto* wrong = std::get_if<std::string>(&targets)) return std::move(*wrong);
    const auto& all = std::get<std::vector<Target>>(targets);
    const bool is_data = call.format == OutputFormat::kJson || call.format == OutputFormat::kYaml;
    if (call.has("refused") &&
        (call.has("watch") || call.has("selector") || call.format == OutputFormat::kName ||
         (is_data && all.size() > 1))) {
        return "--refused goes with a table, or json and yaml of one kind; not with -w and -l";
    }
    if (auto wrong = flow_options_fault(call, all); !wrong.empty()) return wrong;
    for (const Target& target : all) {
        if (call.has("refused") && target.kind->live != nullptr) {
            return fmt::format("--refused: {} are no objects", target.kind->plural);
        }
        if (call.has("selector") && target.kind->live != nullptr) {
            return fmt::format("-l: {} have no labels", target.kind->plural);
        }
        if (call.has("selector") && target.is_one()) return "-l goes with a kind, not with a name";
        if (is_data && target.kind->live != nullptr && all.size() > 1) {
            return fmt::format("-o json and yaml: {} cannot be listed with others",
                               target.kind->plural);
        }
    }
    return {};
}

int run_get(const Invocation& call, CliEnvironment& environment) {
    const Getter getter(call);
    const std::vector<Target>& targets = getter.targets();
    if (targets.size() == 1 && targets[0].kind->plural == "flows" && !call.has("watch")) {
        return run_flows(call, targets[0], environment);
    }
    auto client = connect(call);
    if (!client) return fail(environment, client.error());
    return call.has("watch") ? watch(call, getter, client.value(), environment)
                             : get_once(call, getter, client.value(), environment);
}

}  // namespace podlane::control
