#include "control/watch/api_server.h"

#include <fmt/format.h>
#include <yaml-cpp/yaml.h>

#include <cstdlib>
#include <filesystem>
#include <string_view>

#include "control/kube/base64.h"

namespace podlane::control {

namespace {

namespace fs = std::filesystem;

/// A kubeconfig being read: errors begin with its path, and relative paths start at its folder.
class Kubeconfig {
  public:
    explicit Kubeconfig(std::string path) : path_(std::move(path)) {}

    Result<ApiServer> read() {
        try {
            root_ = YAML::LoadFile(path_);
            return read_context();
        } catch (const YAML::BadFile&) {
            return Error{fmt::format("{}: cannot be read", path_)};
        } catch (const YAML::Exception& error) {
            return Error{fmt::format("{}:{}: {}", path_, error.mark.line + 1, error.msg)};
        }
    }

  private:
    static std::string text(const YAML::Node& node, const char* key) {
        return node[key] ? node[key].as<std::string>() : std::string();
    }
    [[nodiscard]] Error wrong(const std::string& what) const {
        return Error{fmt::format("{}: {}", path_, what)};
    }
    /// The `what` of the item in `list` that has this name.
    [[nodiscard]] YAML::Node named(const char* list, const std::string& name,
                                   const char* what) const {
        for (const YAML::Node& each : root_[list])
            if (text(each, "name") == name) return each[what];
        return YAML::Node(YAML::NodeType::Undefined);
    }
    [[nodiscard]] std::string beside(const std::string& file) const {
        if (file.empty() || fs::path(file).is_absolute()) return file;
        return (fs::path(path_).parent_path() / file).string();
    }
    /// `key` names a file; `key`-data is its content in base64, and takes precedence, as in
    /// kubectl.
    Result<PemSource> pem(const YAML::Node& node, const std::string& key) const {
        const std::string data = text(node, (key + "-data").c_str());
        if (data.empty()) return PemSource{{}, beside(text(node, key.c_str()))};
        auto decoded = from_base64(data);
        if (!decoded) return wrong(fmt::format("{}-data: is no base64", key));
        return PemSource{std::move(*decoded), {}};
    }
    Result<ApiServer> read_context() const {
        const std::string current = text(root_, "current-context");
        if (current.empty()) return wrong("current-context: missing");
        const YAML::Node context = named("contexts", current, "context");
        if (!context) return wrong(fmt::format("current-context: no context {}", current));
        const YAML::Node cluster = named("clusters", text(context, "cluster"), "cluster");
        if (!cluster)
            return wrong(fmt::format("contexts[{}].cluster: no cluster {}", current,
                                     text(context, "cluster")));
        const std::string user_name = text(context, "user");
        const YAML::Node user = named("users", user_name, "user");
        ApiServer out;
        out.url = text(cluster, "server");
        while (out.url.ends_with('/')) out.url.pop_back();
        if (!out.url.starts_with("https://") && !out.url.starts_with("http://"))
            return wrong(fmt::format("server: {} is no https:// or http:// URL", out.url));
        out.skips_verification = text(cluster, "insecure-skip-tls-verify") == "true";
        out.tls_server_name = text(cluster, "tls-server-name");
        auto authority = pem(cluster, "certificate-authority");
        if (!authority) return authority.error();
        out.authority = *authority;
        if (!user) {
            if (user_name.empty()) return out;
            return wrong(fmt::format("contexts[{}].user: no user {}", current, user_name));
        }
        if (user["exec"] || user["auth-provider"])
            return wrong(
                fmt::format("users[{}]: exec and auth-provider plugins are not run; "
                            "use a token, a tokenFile or a client certificate",
                            user_name));
        auto certificate = pem(user, "client-certificate");
        auto key = pem(user, "client-key");
        if (!certificate) return certificate.error();
        if (!key) return key.error();
        if (certificate->is_set() != key->is_set())
            return wrong(
                fmt::format("users[{}]: client-certificate and client-key go together", user_name));
        out.certificate = *certificate;
        out.key = *key;
        out.token = text(user, "token");
        out.token_file = beside(text(user, "tokenFile"));
        return out;
    }

    const std::string path_;
    YAML::Node root_;
};

}  // namespace

Result<ApiServer> read_kubeconfig(const std::string& path) {
    return Kubeconfig(path).read();
}

Result<ApiServer> in_cluster_server(const std::string& folder) {
    const char* const host = std::getenv("KUBERNETES_SERVICE_HOST");
    const char* const port = std::getenv("KUBERNETES_SERVICE_PORT");
    if (host == nullptr || port == nullptr)
        return Error{
            "KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT are not set: this is no "
            "pod; give --kubeconfig"};
    const std::string_view at = host;
    ApiServer out;
    out.url = at.find(':') == std::string_view::npos ? fmt::format("https://{}:{}", at, port)
                                                     : fmt::format("https://[{}]:{}", at, port);
    out.authority.file = folder + "/ca.crt";
    out.token_file = folder + "/token";
    if (!fs::exists(out.token_file))
        return Error{
            fmt::format("{}: missing: the pod has no service account token", out.token_file)};
    return out;
}

}  // namespace podlane::control
