#include "control/show/answers_json.h"

#include <string_view>
#include <utility>
#include <variant>

#include "control/kube/json.h"

namespace podlane::control {

namespace {

using Json = nlohmann::ordered_json;

const char* word_of(ExplainVerdict verdict) {
    switch (verdict) {
        case ExplainVerdict::kForward:
            return "forward";
        case ExplainVerdict::kHost:
            return "host";
        case ExplainVerdict::kReply:
            return "reply";
        case ExplainVerdict::kReject:
            return "reject";
        case ExplainVerdict::kDrop:
            return "drop";
    }
    return "";
}

const char* rcode_text(DnsOutcome outcome) {
    switch (outcome) {
        case DnsOutcome::kAnswer:
        case DnsOutcome::kNoData:
            return "NOERROR";
        case DnsOutcome::kNxDomain:
            return "NXDOMAIN";
        case DnsOutcome::kRefused:
            return "REFUSED";
        case DnsOutcome::kFormErr:
        case DnsOutcome::kNotImp:
        case DnsOutcome::kBadVersion:
        case DnsOutcome::kServFail:
        case DnsOutcome::kForward:
            break;
    }
    return "SERVFAIL";
}

}  // namespace

Json to_json(const Explanation& explanation) {
    Json steps = Json::array();
    for (const PathStep& step : explanation.steps) {
        steps.push_back({{"stage", step.stage}, {"what", step.what}, {"why", step.why}});
    }
    Json out = {{"steps", std::move(steps)}, {"verdict", word_of(explanation.verdict)}};
    if (explanation.reason != Drop::kNone) {
        out["drop"] = std::string(drop_info(explanation.reason).name);
    }
    const auto set = [&out](const char* key, std::string_view text) {
        if (!text.empty()) out[key] = text;
    };
    set("outPort", explanation.out_port);
    set("service", explanation.service);
    set("translatedFrom", explanation.translated_from);
    set("translatedTo", explanation.translated_to);
    set("tunnel", explanation.tunnel);
    return out;
}

Json to_json(const Resolution& resolution) {
    Json out = {{"name", resolution.name}, {"type", resolution.type}};
    if (resolution.upstream) {
        out["upstream"] = {{"name", resolution.upstream->name},
                           {"servers", resolution.upstream->servers},
                           {"silent", resolution.upstream->silent}};
    } else {
        out["rcode"] = rcode_text(resolution.outcome);
    }
    out["records"] = resolution.records;
    return out;
}

Json to_json(const FlannelFacts& facts) {
    Node node{.flannel = facts.annotations};
    node.meta.name = facts.node;
    Json annotations = to_json(node).at("metadata").at("annotations");
    // The value on flannel's own host-gw nodes.
    if (!facts.has_tunnel) annotations["flannel.alpha.coreos.com/backend-data"] = "null";
    // flannel ignores Node objects without it.
    annotations["flannel.alpha.coreos.com/kube-subnet-manager"] = "true";
    Json cidrs = Json::array();
    for (const IpPrefix& cidr : facts.pod_cidrs) cidrs.push_back(to_string(cidr));
    Json out{{"node", facts.node}, {"backend", facts.annotations.backend_type}};
    if (facts.has_tunnel) {
        out["vtepMac"] = to_string(facts.vtep_mac);
        out["vni"] = facts.vni;
        out["port"] = facts.port;
    }
    out["podCidrs"] = std::move(cidrs);
    out["annotations"] = std::move(annotations);
    out["subnetFile"] = facts.subnet_file;
    return out;
}

Json to_json(const IngressObjects& objects) {
    Json out = {{"generation", objects.generation}};
    if (!objects.objects) return out;
    Json items = Json::array();
    for (const Object& object : *objects.objects) {
        const auto* secret = std::get_if<ObjectPtr<Secret>>(&object);
        items.push_back(secret != nullptr ? whole_secret_json(**secret) : to_json(object));
    }
    out["items"] = std::move(items);
    return out;
}

}  // namespace podlane::control
