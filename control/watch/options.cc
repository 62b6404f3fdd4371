#include "control/watch/options.h"

#include <fmt/format.h>

#include <array>
#include <cstdlib>
#include <vector>

#include "control/options/help.h"
#include "control/options/parse.h"

namespace podlane::control {

namespace {

constexpr auto kOptions = std::to_array<OptionRow>({
    {"node", 0, OptionType::kText, "NAME",
     "this node's name in Kubernetes; $NODE_NAME unless given"},
    {"kubeconfig", 0, OptionType::kText, "FILE",
     "how to reach the API server; $KUBECONFIG unless given, else the pod's service account"},
    {"service-account", 0, OptionType::kText, "FOLDER",
     "where the pod's service account is mounted"},
    {"socket", 0, OptionType::kText, "PATH",
     "podlaned's config socket; $PODLANE_SOCKET unless given, else /run/podlane/podlane.sock"},
    {"healthz", 0, OptionType::kText, "ADDRESS:PORT",
     "where /healthz and /livez are served, as kube-proxy does (0.0.0.0:10256); \"\": nowhere"},
    {"proxy-status", 0, OptionType::kText, "ADDRESS:PORT",
     "where /proxyMode is served, as kube-proxy does (127.0.0.1:10249); \"\": nowhere"},
    {"cni-source", 0, OptionType::kText, "FILE",
     "CNI configuration to install once podlaned serves the cluster"},
    {"cni-target", 0, OptionType::kText, "FILE",
     "where to install it, such as /etc/cni/net.d/10-podlane.conflist"},
    {"ingress-service", 0, OptionType::kText, "NAMESPACE/NAME",
     "the Service before the Ingress proxy, for the status of Ingresses"},
    {"ingress-class", 0, OptionType::kText, "NAME", "the class of these Ingresses (podlane)"},
    {"read-only", 0, OptionType::kFlag, "",
     "write nothing to the API server: no Events, no status, no annotations"},
    {"log-level", 0, OptionType::kWord, "LEVEL", "error, warning, info (default) or debug",
     "error warning info debug"},
    {"version", 0, OptionType::kFlag, "", "print the version"},
    {"help", 'h', OptionType::kFlag, "", "print this"},
});

/// The option's value, else the environment variable's, else what `into` already has.
void read(const OptionValues& values, const char* name, const char* variable, std::string& into) {
    const char* const fallback = variable == nullptr ? nullptr : std::getenv(variable);
    if (values.has(name)) {
        into = values.text(name);
    } else if (fallback != nullptr && *fallback != '\0') {
        into = fallback;
    }
}

}  // namespace

std::span<const OptionRow> kube_options() noexcept {
    return kOptions;
}

Result<KubeOptions> parse_kube_options(int argc, const char* const* argv) {
    const std::vector<std::string> words(argv + 1, argv + argc);
    const auto values = parse_options(kOptions, words);
    if (!values) return values.error();
    if (!values->words().empty()) {
        return Error{fmt::format("unexpected {}", values->words().front())};
    }
    KubeOptions options;
    read(*values, "node", "NODE_NAME", options.node);
    read(*values, "kubeconfig", "KUBECONFIG", options.kubeconfig);
    read(*values, "service-account", nullptr, options.service_account);
    read(*values, "socket", "PODLANE_SOCKET", options.socket);
    read(*values, "healthz", nullptr, options.healthz);
    read(*values, "proxy-status", nullptr, options.proxy_status);
    read(*values, "cni-source", nullptr, options.cni_source);
    read(*values, "cni-target", nullptr, options.cni_target);
    read(*values, "ingress-service", nullptr, options.ingress_service);
    read(*values, "ingress-class", nullptr, options.ingress_class);
    read(*values, "log-level", nullptr, options.log_level);
    options.writes = !values->has("read-only");
    options.version = values->has("version");
    options.help = values->has("help");
    if (options.help || options.version) return options;
    if (options.node.empty()) return Error{"--node NAME is missing, and $NODE_NAME is not set"};
    if (options.cni_source.empty() != options.cni_target.empty())
        return Error{"--cni-source and --cni-target go together"};
    const size_t slash = options.ingress_service.find('/');
    if (!options.ingress_service.empty() && (slash == std::string::npos || slash == 0)) {
        return Error{
            fmt::format("--ingress-service: {} is not NAMESPACE/NAME", options.ingress_service)};
    }
    return options;
}

std::string kube_usage() {
    return "Usage: podlane-kube --node NAME [--kubeconfig FILE] [OPTION...]\n\n"
           "Watches the Kubernetes API server and keeps podlaned equal to it.\n\nOptions:\n" +
           options_help(kOptions);
}

}  // namespace podlane::control
