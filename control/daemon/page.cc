#include "control/daemon/page.h"

#include <chrono>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <variant>

#include "control/page/files.h"
#include "control/page/page_json.h"
#include "control/page/time_share.h"

namespace podlane::control {

namespace {

constexpr size_t kMostServices = 300;
constexpr size_t kMostFrontends = 1000;
constexpr size_t kMostNeighbours = 500;
constexpr size_t kMostRoutes = 1000;
constexpr size_t kMostPeers = 1000;
constexpr size_t kMostFlows = 200;
constexpr size_t kMostNameBytes = 600;
/// Within this time, an answer is reused for other clients.
constexpr uint64_t kNumbersFreshUs = 900'000;
constexpr uint64_t kNodeFreshUs = 2'000'000;

/// Only our own files; no frames, and no use by other sites.
constexpr const char* kContentPolicy =
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

uint64_t now_us() {
    const auto now = std::chrono::steady_clock::now().time_since_epoch();
    return static_cast<uint64_t>(
        std::chrono::duration_cast<std::chrono::microseconds>(now).count());
}

HttpAnswer problem(unsigned status, const std::string& text) {
    return {.status = status, .body = text + "\n", .headers = {{"Cache-Control", "no-store"}}};
}

HttpAnswer with_guards(HttpAnswer answer) {
    answer.headers.emplace_back("Content-Security-Policy", kContentPolicy);
    answer.headers.emplace_back("Cross-Origin-Resource-Policy", "same-origin");
    answer.headers.emplace_back("Referrer-Policy", "no-referrer");
    return answer;
}

/// A host name is accepted only if it is localhost, even if the server listens elsewhere: the page
/// tells more than /metrics does, and no other site's page may read it (DNS rebinding).
HttpHandler guarded(HttpHandler handler) {
    return [handler = std::move(handler)](const HttpRequest& request) {
        return with_guards(is_local_host_header(request.host)
                               ? handler(request)
                               : problem(403, "Host: an address or localhost is allowed"));
    };
}

HttpAnswer file_answer(const PageFile& file, const HttpRequest& request) {
    HttpAnswer answer{.content_type = std::string(file.content_type)};
    // Revalidated each time, but sent again only after a new build.
    answer.headers = {{"Cache-Control", "no-cache"}, {"ETag", std::string(file.tag)}};
    if (request.if_none_match == file.tag) {
        answer.status = 304;
    } else {
        answer.body = file.text;
    }
    return answer;
}

/// The rows of a kind; an empty list if there are none.
Listing rows(const NodeModel& node, std::string_view kind,
             std::optional<std::string_view> name = {}) {
    auto listing = node.get(kind, name, 0);
    if (listing.ok()) return std::move(listing).value();
    return {.kind = std::string(kind), .rows = {}, .total = {}};
}

template <class Row, class Predicate>
void drop_rows(Listing& listing, Predicate unwanted) {
    if (auto* const all = std::get_if<std::vector<Row>>(&listing.rows)) {
        std::erase_if(*all, unwanted);
    }
}

PageNode page_node(const NodeModel& node, const Dataplane& dataplane) {
    PageNode out{.health = node.health().value(),
                 .ports = rows(node, "ports"),
                 .neighbours = rows(node, "neighbors"),
                 .routes = rows(node, "routes"),
                 .frontends = rows(node, "frontends"),
                 .policies = {}};
    std::set<std::string> pods;
    if (const auto* const ports = std::get_if<std::vector<PortRow>>(&out.ports.rows)) {
        for (const PortRow& port : *ports) {
            if (port.kind == PortKind::kPod) pods.insert(port.name);
        }
        out.policies = policies_by_port(*dataplane.current(), *ports);
    }
    drop_rows<NeighbourRow>(out.neighbours,
                            [&](const NeighbourRow& row) { return pods.contains(row.port); });
    drop_rows<RouteRow>(out.routes, [](const RouteRow& row) {
        return row.node.empty() && row.purpose != RoutePurpose::kDefault;
    });
    NodeStats stats = node.stats();
    keep_busiest_services(stats, kMostServices);
    std::set<std::string> shown;
    for (const ServiceStats& each : stats.services) shown.insert(each.service);
    drop_rows<FrontendRow>(out.frontends, [&](const FrontendRow& row) {
        return !shown.contains(row.service) && row.kind != FrontendKind::kHostPort;
    });
    cut_rows(out.neighbours, kMostNeighbours);
    cut_rows(out.routes, kMostRoutes);
    cut_rows(out.frontends, kMostFrontends);
    return out;
}

PageNumbers page_numbers(NodeModel& node) {
    PageNumbers out{.at_ms = now_us() / 1000, .stats = node.stats(), .peers = node.peers()};
    keep_busiest_peers(out.peers, kMostPeers);
    out.services = keep_busiest_services(out.stats, kMostServices);
    return out;
}

template <class View>
HttpAnswer json_answer(const View& view) {
    using Errors = nlohmann::ordered_json::error_handler_t;
    return {.content_type = "application/json",
            .body = to_json(view).dump(-1, ' ', false, Errors::replace),
            .headers = {{"Cache-Control", "no-store"}}};
}

HttpAnswer come_again() {
    HttpAnswer answer = problem(503, "others are being answered; ask again in a second");
    answer.headers.emplace_back("Retry-After", "1");
    return answer;
}

/// Answers shared by all clients.
class Shared {
  public:
    Shared(std::shared_ptr<TimeShare> share, uint64_t fresh_us, std::function<HttpAnswer()> make)
        : share_(std::move(share)), fresh_us_(fresh_us), make_(std::move(make)) {}

    HttpAnswer operator()(const HttpRequest&) {
        const uint64_t now = now_us();
        if (!last_ || (now - made_us_ >= fresh_us_ && share_->is_free(now))) {
            last_ = make_();
            made_us_ = now_us();
            share_->used(now, made_us_);
        }
        return *last_;
    }

  private:
    std::shared_ptr<TimeShare> share_;
    uint64_t fresh_us_;
    std::function<HttpAnswer()> make_;
    std::optional<HttpAnswer> last_;
    uint64_t made_us_ = 0;
};

HttpAnswer thing_answer(const NodeModel& node, TimeShare& share, const HttpRequest& request) {
    const auto name = query_value(request.query, "name");
    if (name && name->size() > kMostNameBytes) return problem(400, "name: too long");
    const uint64_t from = now_us();
    if (!share.is_free(from)) return come_again();
    std::optional<std::string_view> whose;
    if (name && !name->empty()) whose = *name;
    auto flows = node.get("flows", whose, kMostFlows);
    PageThing thing{.flows = {.kind = "flows"}, .frontends = {}};
    if (flows.ok()) {
        thing.flows = std::move(flows).value();
    } else if (flows.refusal().kind != RefusalKind::kNotFound) {
        return problem(400, flows.refusal().error.message);
    }  // A deleted object has no connections.
    thing.frontends = whose ? rows(node, "frontends", whose) : Listing{.kind = "frontends"};
    cut_rows(thing.frontends, kMostFrontends);
    HttpAnswer answer = json_answer(thing);
    share.used(from, now_us());
    return answer;
}

}  // namespace

void add_page(HttpServer& server, NodeModel& node, const Dataplane& dataplane) {
    for (const PageFile& file : page_files()) {
        server.add(std::string(file.path), guarded([&file](const HttpRequest& request) {
                       return file_answer(file, request);
                   }));
    }
    const auto share = std::make_shared<TimeShare>();
    server.add("/page/node.json", guarded(Shared(share, kNodeFreshUs, [&node, &dataplane] {
                   return json_answer(page_node(node, dataplane));
               })));
    server.add("/page/numbers.json", guarded(Shared(share, kNumbersFreshUs, [&node] {
                   return json_answer(page_numbers(node));
               })));
    server.add("/page/thing.json", guarded([&node, share](const HttpRequest& request) {
                   return thing_answer(node, *share, request);
               }));
}

}  // namespace podlane::control
