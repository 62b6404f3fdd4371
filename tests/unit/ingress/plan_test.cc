#include "control/ingress/plan.h"

#include <fmt/format.h>

#include "tests/unit/kube/support.h"

namespace podlane::control {
namespace {

std::string service(const std::string& name, int last) {
    return fmt::format(
        "---\n{{apiVersion: v1, kind: Service, metadata: {{name: {}}}, spec: {{clusterIP: "
        "10.96.0.{}, ports: [{{name: http, port: 80}}]}}}}\n",
        name, last);
}

std::string path(const std::string& text, const std::string& type, const std::string& to) {
    return fmt::format(
        "{{path: \"{}\", pathType: {}, backend: {{service: {{name: {}, port: {{number: 80}}}}}}}}",
        text, type, to);
}

/// `more` stands in the metadata, `spec` is the whole of it.
std::string ingress(const std::string& name, const std::string& spec,
                    const std::string& more = {}) {
    return fmt::format(
        "---\n{{apiVersion: networking.k8s.io/v1, kind: Ingress, metadata: {{name: {}{}}}, spec: "
        "{{{}}}}}\n",
        name, more, spec);
}

std::string rule(const std::string& host, const std::string& paths) {
    return fmt::format("rules: [{{host: \"{}\", http: {{paths: [{}]}}}}]", host, paths);
}

const std::string kServices = service("s1", 1) + service("s2", 2) + service("s3", 3);

IngressPlan plan(const std::string& text, std::string_view class_name = "podlane") {
    return plan_ingresses(parse(kServices + text).objects, class_name);
}

const IngressHost& host(const IngressPlan& plan, const std::string& name) {
    for (const IngressHost& each : plan.hosts) {
        if (each.name == name) return each;
    }
    ADD_FAILURE() << "no host " << name;
    return plan.hosts.front();
}

/// The Service by which a request is answered, "404" or "503".
std::string answer(const IngressPlan& made, const std::string& name, const std::string& to) {
    const IngressTarget* target = host(made, name).find(to);
    if (target == nullptr) return "404";
    return target->address.empty() ? "503" : "s" + target->address.substr(8, 1);
}

struct Row {
    const char* type;
    std::vector<const char*> paths;  ///< the first goes to s1, the second to s2 ...
    const char* request;
    const char* answer;
};

// kubernetes.io/docs/concepts/services-networking/ingress, the table of examples.
const Row kTable[] = {
    {"Prefix", {"/"}, "/any/path", "s1"},
    {"Exact", {"/foo"}, "/foo", "s1"},
    {"Exact", {"/foo"}, "/bar", "404"},
    {"Exact", {"/foo"}, "/foo/", "404"},
    {"Exact", {"/foo/"}, "/foo", "404"},
    {"Prefix", {"/foo"}, "/foo", "s1"},
    {"Prefix", {"/foo"}, "/foo/", "s1"},
    {"Prefix", {"/foo/"}, "/foo", "s1"},
    {"Prefix", {"/foo/"}, "/foo/", "s1"},
    {"Prefix", {"/aaa/bb"}, "/aaa/bbb", "404"},
    {"Prefix", {"/aaa/bbb"}, "/aaa/bbb", "s1"},
    {"Prefix", {"/aaa/bbb/"}, "/aaa/bbb", "s1"},
    {"Prefix", {"/aaa/bbb"}, "/aaa/bbb/", "s1"},
    {"Prefix", {"/aaa/bbb"}, "/aaa/bbb/ccc", "s1"},
    {"Prefix", {"/aaa/bbb"}, "/aaa/bbbxyz", "404"},
    {"Prefix", {"/", "/aaa"}, "/aaa/ccc", "s2"},
    {"Prefix", {"/", "/aaa"}, "/aaa", "s2"},
    {"Prefix", {"/", "/aaa", "/aaa/bbb"}, "/aaa/bbb", "s3"},
    {"Prefix", {"/", "/aaa", "/aaa/bbb"}, "/ccc", "s1"},
    {"Prefix", {"/aaa"}, "/ccc", "404"},
};

TEST(IngressPlan, PathsMatchAsKubernetesTableSays) {
    for (const Row& row : kTable) {
        std::string paths;
        int number = 0;
        for (const char* each : row.paths) {
            paths +=
                (number == 0 ? "" : ", ") + path(each, row.type, fmt::format("s{}", number + 1));
            ++number;
        }
        const IngressPlan made = plan(ingress("i", rule("a.b", paths)));
        EXPECT_EQ(answer(made, "a.b", row.request), row.answer)
            << row.type << ' ' << row.paths.back() << ' ' << row.request;
    }
}

TEST(IngressPlan, ExactComesBeforePrefixAndTheLongestPrefixFirst) {
    const IngressPlan made = plan(
        ingress("i", rule("a.b", path("/foo", "Prefix", "s1") + ", " + path("/foo", "Exact", "s2") +
                                     ", " + path("/foo/bar", "ImplementationSpecific", "s3"))));
    EXPECT_EQ(answer(made, "a.b", "/foo"), "s2");
    EXPECT_EQ(answer(made, "a.b", "/foo/"), "s1");
    EXPECT_EQ(answer(made, "a.b", "/foo/bar/x"), "s3");
    EXPECT_TRUE(made.warnings.empty());
}

TEST(IngressPlan, OfTwoThatWantAPathTheOlderGetsIt) {
    const std::string old = ", creationTimestamp: \"2026-01-01T00:00:00Z\"";
    const std::string young = ", creationTimestamp: \"2026-01-02T00:00:00Z\"";
    const auto wants = [](const char* to) { return rule("a.b", path("/x", "Prefix", to)); };
    const IngressPlan by_age =
        plan(ingress("a", wants("s1"), young) + ingress("b", wants("s2"), old));
    EXPECT_EQ(answer(by_age, "a.b", "/x"), "s2");
    ASSERT_EQ(by_age.warnings.size(), 1U);
    EXPECT_EQ(by_age.warnings[0],
              "Ingress default/a: path /x of host a.b is taken: Ingress default/b, Service s2 has "
              "it");
    EXPECT_EQ(answer(plan(ingress("b", wants("s2")) + ingress("a", wants("s1"))), "a.b", "/x"),
              "s1")
        << "of the same age: by name";
    EXPECT_EQ(
        answer(plan(ingress("a", wants("s1")) + ingress("b", wants("s2"), young)), "a.b", "/x"),
        "s2")
        << "of unknown age: last";
}

TEST(IngressPlan, SeveralIngressesShareAHost) {
    const IngressPlan made = plan(ingress("a", rule("a.b", path("/x", "Prefix", "s1"))) +
                                  ingress("b", rule("a.b", path("/y", "Prefix", "s2"))));
    EXPECT_EQ(answer(made, "a.b", "/x"), "s1");
    EXPECT_EQ(answer(made, "a.b", "/y"), "s2");
    EXPECT_EQ(made.hosts.size(), 2U);
}

TEST(IngressPlan, TheDefaultBackendTakesWhatNoRuleMatches) {
    const std::string to_s1 = "defaultBackend: {service: {name: s1, port: {name: http}}}";
    const std::string to_s2 = "defaultBackend: {service: {name: s2, port: {name: http}}}";
    const IngressPlan made =
        plan(ingress("a", to_s1) +
             ingress("b", to_s2 + ", " + rule("own.b", path("/x", "Exact", "s3"))) +
             ingress("c", rule("other.b", path("/x", "Exact", "s3"))));
    EXPECT_EQ(answer(made, "", "/"), "s1") << "the oldest one's is everybody's";
    EXPECT_EQ(answer(made, "own.b", "/"), "s2") << "its own hosts have an Ingress's own";
    EXPECT_EQ(answer(made, "own.b", "/x"), "s3");
    EXPECT_EQ(answer(made, "other.b", "/y"), "s1");
    EXPECT_EQ(answer(plan(""), "", "/"), "404");
}

TEST(IngressPlan, OnlyTheClassIsServedAndWhatHasNone) {
    const std::string both =
        ingress("named",
                "ingressClassName: podlane, " + rule("named.b", path("/", "Prefix", "s1"))) +
        ingress("none", rule("none.b", path("/", "Prefix", "s1"))) +
        ingress("other", "ingressClassName: nginx, " + rule("other.b", path("/", "Prefix", "s1")));
    EXPECT_EQ(plan(both).ingresses.size(), 2U);
    EXPECT_EQ(plan(both, "nginx").ingresses.size(), 2U);
    const auto with_class = [&](const char* name) {
        return both + fmt::format(
                          "---\n{{apiVersion: networking.k8s.io/v1, kind: IngressClass, metadata: "
                          "{{name: {}, annotations: {{ingressclass.kubernetes.io/is-default-class: "
                          "\"true\"}}}}}}\n",
                          name);
    };
    EXPECT_EQ(plan(with_class("podlane")).ingresses.size(), 2U);
    EXPECT_EQ(plan(with_class("nginx")).ingresses.size(), 1U) << "those without class are nginx's";
}

TEST(IngressPlan, AHostUnderTlsAloneIsServedAsWithout) {
    const std::string tls = "tls: [{hosts: [x.a.b, y.c], secretName: none}], ";
    const IngressPlan made =
        plan(ingress("i", "defaultBackend: {service: {name: s3, port: {number: 80}}}, " + tls +
                              rule("*.a.b", path("/p", "Prefix", "s1"))) +
             ingress("j", rule("", path("/p", "Prefix", "s2"))));
    EXPECT_EQ(answer(made, "x.a.b", "/p"), "s1");
    EXPECT_EQ(answer(made, "y.c", "/p"), "s2");
    EXPECT_EQ(answer(made, "y.c", "/q"), "s3");
}

/// The plan for one Exact path of host a.b, whatever it is made of.
IngressPlan plan_path(const std::string& text) {
    Ingress object;
    object.meta = {"default", "i", {}, {}};
    object.rules = {{"a.b", {{text, PathType::kExact, {"s1", {80, ""}}}}}};
    std::vector<Object> objects = parse(kServices).objects;
    objects.emplace_back(std::make_shared<const Ingress>(object));
    return plan_ingresses(objects, "podlane");
}

TEST(IngressPlan, APathIsMatchedAsARequestsIsWithoutPercentEncoding) {
    const struct {
        const char* path;
        const char* matched;
    } rows[] = {
        {"/a%20b", "/a b"},     {"/caf%C3%A9", "/caf\xc3\xa9"}, {"/caf\xc3\xa9", "/caf\xc3\xa9"},
        {"/%41%2d%3B", "/A-;"}, {"/100%25", "/100%"},           {"/$x;{y}#'?", "/$x;{y}#'?"}};
    for (const auto& row : rows) {
        const IngressPlan made = plan_path(row.path);
        EXPECT_EQ(answer(made, "a.b", row.matched), "s1") << row.path;
        EXPECT_TRUE(made.warnings.empty()) << row.path;
    }
    const IngressPlan made = plan(ingress(
        "i", rule("a.b", path("/a%20b", "Exact", "s1") + ", " + path("/a b", "Exact", "s2"))));
    EXPECT_EQ(answer(made, "a.b", "/a b"), "s1") << "the same path, written twice";
    EXPECT_EQ(made.warnings.size(), 1U);
}

TEST(IngressPlan, APathThatIsNoneIsNotServed) {
    for (const char* text : {"/%", "/%2", "/%2g", "/%zz", "/a%2Fb", "/a%2fb", "/%2e%2e/b", "/a//b",
                             "/a/./b", "/a/..", "/%22", "/%5c", "/%00", "/%0a"}) {
        const IngressPlan made = plan_path(text);
        EXPECT_TRUE(host(made, "a.b").exact.empty()) << text;
        EXPECT_EQ(made.warnings.size(), 1U) << text;
    }
    EXPECT_TRUE(plan_path("/" + std::string(1023, 'x')).warnings.empty());
    EXPECT_FALSE(plan_path("/" + std::string(1024, 'x')).warnings.empty());
}

TEST(IngressPlan, NoCharacterThatEndsAWordPassesInAPath) {
    for (int byte = 1; byte < 256; ++byte) {
        const char c = static_cast<char>(byte);
        const bool is_bad = byte < 0x20 || byte == 0x7f || c == '"' || c == '\\' || c == '%';
        for (const std::string& text : {std::string("/x") + c, fmt::format("/x%{:02x}", byte),
                                        fmt::format("/x%{:02X}", byte)}) {
            const IngressPlan made = plan_path(text);
            const bool is_encoded = text.size() > 3;
            const bool is_served = host(made, "a.b").exact.size() == 1;
            const bool is_to_be = is_encoded ? (!is_bad || c == '%') && c != '/' : !is_bad;
            EXPECT_EQ(is_served, is_to_be) << text;
            EXPECT_EQ(made.warnings.empty(), is_served);
            for (const std::string& warning : made.warnings) {
                EXPECT_TRUE(
                    std::ranges::all_of(warning, [](char w) { return w >= 0x20 && w < 0x7f; }));
            }
        }
    }
}

}  // namespace
}  // namespace podlane::control
