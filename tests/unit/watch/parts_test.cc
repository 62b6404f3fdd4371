// podlane-kube's parts around the watch: options, kubeconfig, files, /healthz, what it writes.
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "control/watch/api_client.h"
#include "control/watch/api_server.h"
#include "control/watch/feeder.h"
#include "control/watch/healthz.h"
#include "control/watch/install_file.h"
#include "control/watch/options.h"
#include "control/watch/watcher.h"
#include "control/watch/writer.h"

namespace podlane::control {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

class KubePartsTest : public ::testing::Test {
  protected:
    void SetUp() override {
        std::string pattern = (fs::temp_directory_path() / "podlane-watch-XXXXXX").string();
        folder_ = ::mkdtemp(pattern.data());
        for (const char* each : {"NODE_NAME", "KUBECONFIG", "PODLANE_SOCKET",
                                 "KUBERNETES_SERVICE_HOST", "KUBERNETES_SERVICE_PORT"})
            ::unsetenv(each);
    }
    void TearDown() override { fs::remove_all(folder_); }

    std::string write(const std::string& name, const std::string& text) {
        std::ofstream(folder_ / name) << text;
        return (folder_ / name).string();
    }
    static std::string read(const fs::path& path) {
        std::ifstream file(path);
        return {std::istreambuf_iterator<char>(file), {}};
    }
    std::string kubeconfig(const std::string& cluster, const std::string& user) {
        return write("config",
                     "apiVersion: v1\nkind: Config\ncurrent-context: c\ncontexts:\n"
                     "- {name: c, context: {cluster: k, user: u}}\nclusters:\n"
                     "- {name: k, cluster: {" +
                         cluster +
                         "}}\nusers:\n"
                         "- {name: u, user: {" +
                         user + "}}\n");
    }
    static Result<KubeOptions> parse(std::vector<const char*> words) {
        words.insert(words.begin(), "podlane-kube");
        return parse_kube_options(static_cast<int>(words.size()), words.data());
    }

    fs::path folder_;
};

TEST_F(KubePartsTest, AKubeconfigGivesServerAuthorityAndUser) {
    const auto server = read_kubeconfig(
        kubeconfig("server: 'https://10.0.0.1:6443/', certificate-authority: pki/ca.crt",
                   "client-certificate-data: Y2VydA==, client-key: /etc/k.pem"));
    ASSERT_TRUE(server.ok()) << server.error().message;
    EXPECT_EQ(server->url, "https://10.0.0.1:6443");
    EXPECT_EQ(server->authority.file, (folder_ / "pki/ca.crt").string()) << "beside the file";
    EXPECT_EQ(server->certificate.text, "cert");
    EXPECT_EQ(server->key.file, "/etc/k.pem");
    EXPECT_FALSE(server->skips_verification);
}

TEST_F(KubePartsTest, AKubeconfigThatCannotBeUsedSaysWhy) {
    const auto why = [](const std::string& path) { return read_kubeconfig(path).error().message; };
    EXPECT_NE(why("/nowhere").find("/nowhere: cannot be read"), std::string::npos);
    EXPECT_NE(why(write("broken", "a: [")).find("broken:"), std::string::npos);
    EXPECT_NE(why(write("empty", "apiVersion: v1\n")).find("current-context: missing"),
              std::string::npos);
    EXPECT_NE(why(kubeconfig("server: 'tcp://x'", "token: t")).find("https://"), std::string::npos);
    EXPECT_NE(why(kubeconfig("server: 'https://x'", "exec: {command: aws}")).find("exec"),
              std::string::npos);
    EXPECT_NE(why(kubeconfig("server: 'https://x'", "client-key: k")).find("go together"),
              std::string::npos);
    EXPECT_NE(why(kubeconfig("server: 'https://x', certificate-authority-data: '!'", "token: t"))
                  .find("certificate-authority-data: is no base64"),
              std::string::npos);
}

TEST_F(KubePartsTest, InAPodTheServiceAccountIsUsed) {
    EXPECT_NE(in_cluster_server(folder_.string()).error().message.find("--kubeconfig"),
              std::string::npos);
    ::setenv("KUBERNETES_SERVICE_HOST", "fd00::1", 1);
    ::setenv("KUBERNETES_SERVICE_PORT", "443", 1);
    EXPECT_NE(in_cluster_server(folder_.string()).error().message.find("token"), std::string::npos);
    write("token", "secret\n");
    const auto server = in_cluster_server(folder_.string());
    ASSERT_TRUE(server.ok());
    EXPECT_EQ(server->url, "https://[fd00::1]:443");
    EXPECT_EQ(server->token_file, (folder_ / "token").string());
    EXPECT_EQ(server->authority.file, (folder_ / "ca.crt").string());
}

TEST_F(KubePartsTest, OptionsHaveDefaultsFromTheEnvironment) {
    EXPECT_NE(parse({}).error().message.find("--node NAME is missing"), std::string::npos);
    ::setenv("NODE_NAME", "node-7", 1);
    ::setenv("PODLANE_SOCKET", "/tmp/s", 1);
    const auto options = parse({"--read-only"});
    ASSERT_TRUE(options.ok());
    EXPECT_EQ(options->node, "node-7");
    EXPECT_EQ(options->socket, "/tmp/s");
    EXPECT_FALSE(options->writes);
    EXPECT_EQ(parse({"--node", "other"})->node, "other") << "an option goes before";
    EXPECT_FALSE(parse({"--cni-source", "x"}).ok());
    EXPECT_FALSE(parse({"--ingress-service", "proxy"}).ok());
    EXPECT_FALSE(parse({"--log-level", "loud"}).ok());
    EXPECT_FALSE(parse({"--nod", "x"}).ok()) << "no guesses";
    EXPECT_NE(kube_usage().find("--kubeconfig FILE"), std::string::npos);
}

TEST_F(KubePartsTest, AFileIsInstalledWholeOrNotAtAll) {
    const std::string from = write("from", "{\"cniVersion\": \"1.0.0\"}");
    const std::string to = (folder_ / "to").string();
    ASSERT_TRUE(install_file(from, to).ok());
    EXPECT_EQ(read(to), "{\"cniVersion\": \"1.0.0\"}");
    const auto before = fs::last_write_time(to);
    ASSERT_TRUE(install_file(from, to).ok());
    EXPECT_EQ(fs::last_write_time(to), before) << "an equal file is left as it is";
    EXPECT_FALSE(install_file((folder_ / "none").string(), to).ok());
    EXPECT_EQ(read(to), "{\"cniVersion\": \"1.0.0\"}");
    EXPECT_FALSE(install_file(from, (folder_ / "no/such/folder").string()).ok());
}

TEST_F(KubePartsTest, ARefusalIsAnEventOnTheObject) {
    const Json event = Json::parse(refusal_event({"Service", "d/web", "no ClusterIP is left"},
                                                 "u-1", "node-1", "2026-01-01T00:00:00Z", 255));
    EXPECT_EQ(event["metadata"]["namespace"], "d");
    EXPECT_EQ(event["metadata"]["name"], "web.podlane-kube.ff");
    EXPECT_EQ(event["involvedObject"]["uid"], "u-1");
    EXPECT_EQ(event["involvedObject"]["namespace"], "d");
    EXPECT_EQ(event["type"], "Warning");
    EXPECT_EQ(event["message"], "no ClusterIP is left");
    const Json of_node =
        Json::parse(refusal_event({"Node", "n", std::string(5000, 'x')}, "", "n", "t", 1));
    EXPECT_EQ(of_node["metadata"]["namespace"], "default");
    EXPECT_FALSE(of_node["involvedObject"].contains("namespace"));
    EXPECT_LE(of_node["message"].get<std::string>().size(), 1024u) << "the API server's bound";
}

TEST_F(KubePartsTest, TheNodesConditionAndAnnotationsAreWrittenWhereTheyLack) {
    const NodeAnnotations wanted{{"flannel.alpha.coreos.com/backend-type", "vxlan"}};
    const Json patch = Json::parse(node_patch(wanted, "2026-01-01T00:00:00Z"));
    const Json& condition = patch["status"]["conditions"][0];
    EXPECT_EQ(condition["type"], "NetworkUnavailable");
    EXPECT_EQ(condition["status"], "False");
    EXPECT_EQ(patch["metadata"]["annotations"], Json(wanted));
    EXPECT_FALSE(node_lacks(patch.dump(), wanted)) << "what was written lacks nothing";
    EXPECT_FALSE(node_lacks("", wanted)) << "a Node that is not known";
    EXPECT_TRUE(node_lacks("{}", {}));
    Json other = patch;
    other["metadata"]["annotations"] = {{"flannel.alpha.coreos.com/backend-type", "host-gw"}};
    EXPECT_TRUE(node_lacks(other.dump(), wanted));
    other = patch;
    other["status"]["conditions"][0]["status"] = "True";
    EXPECT_TRUE(node_lacks(other.dump(), wanted));
    EXPECT_EQ(rfc3339_now().size(), std::string("2026-01-01T00:00:00Z").size());
}

TEST_F(KubePartsTest, HealthIsToldInKubeProxysWords) {
    EXPECT_EQ(proxy_health_body({true, 0, 60}),
              R"({"lastUpdated": "1970-01-01T00:00:00Z","currentTime": "1970-01-01T00:01:00Z", )"
              R"("nodeEligible": true})");
    for (const char* bind : {"nonsense", "1.2.3.4", "1.2.3.4:99999", "localhost:1"})
        EXPECT_FALSE(HealthServer::start(bind, [] { return ProxyHealth{}; }).ok()) << bind;
    bool is_ready = false;
    auto server = HealthServer::start("127.0.0.1:0", [&] { return ProxyHealth{is_ready, 0, 0}; });
    ASSERT_TRUE(server.ok());
    const ApiServer here{.url = "http://127.0.0.1:" + std::to_string((*server)->port()),
                         .authority = {},
                         .certificate = {},
                         .key = {},
                         .token = {},
                         .token_file = {},
                         .tls_server_name = {}};
    const std::atomic<bool> stop{false};
    ApiClient client(here, stop);
    const auto status = [&](const char* path) {
        return client.get(path, false, [](unsigned, std::string_view) { return true; }).status;
    };
    EXPECT_EQ(status("/healthz"), 503u);
    EXPECT_EQ(status("/livez"), 200u);
    EXPECT_EQ(status("/proxyMode"), 200u);
    EXPECT_EQ(status("/else"), 404u);
    is_ready = true;
    EXPECT_EQ(status("/healthz"), 200u);
}

}  // namespace
}  // namespace podlane::control
