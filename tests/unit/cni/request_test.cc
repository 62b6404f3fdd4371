#include "control/cni/request.h"

#include <gtest/gtest.h>

#include "control/cni/failure.h"
#include "tests/unit/cni/temporary_folder.h"

namespace podlane::cni {
namespace {

using test::failure_code;

Environment environment(const std::string& command = "ADD") {
    return {{"CNI_COMMAND", command},
            {"CNI_CONTAINERID", "0123abc"},
            {"CNI_NETNS", "/run/netns/web"},
            {"CNI_IFNAME", "eth0"},
            {"CNI_PATH", "/opt/cni/bin"},
            {"CNI_ARGS", "IgnoreUnknown=1;K8S_POD_NAMESPACE=shop;K8S_POD_NAME=web-0"}};
}

Json config() {
    return {{"cniVersion", "1.0.0"}, {"name", "pods"}, {"type", "podlane-cni"}};
}

Request read(const Json& json, const Environment& env = environment()) {
    return read_request(env, json.dump());
}

TEST(CniRequest, ReadsAPodsAddAsContainerdSendsIt) {
    const Request request = read(config());
    EXPECT_EQ(request.command, CommandKind::kAdd);
    EXPECT_EQ(request.pod, "shop/web-0");
    EXPECT_EQ(request.attachment, (Attachment{"0123abc", "eth0"}));
    EXPECT_EQ(request.netns, "/run/netns/web");
    EXPECT_EQ(request.network, "pods");
    EXPECT_EQ(request.socket, "/run/podlane/podlane.sock");
    EXPECT_EQ(request.state_dir, "/run/podlane-cni/pods");
    EXPECT_EQ(request.ipam, "");
}

TEST(CniRequest, AContainerThatIsNoPodHasANameInKubernetesSpelling) {
    Environment env = environment();
    env["CNI_ARGS"] = "";
    env["CNI_CONTAINERID"] = "My_Box.1-";
    EXPECT_EQ(read(config(), env).pod, "default/my-box-1");
}

TEST(CniRequest, EachCommandIsOfTheVersionThatBroughtIt) {
    struct Row {
        const char* command;
        const char* version;
        int code;
    };
    for (const Row& row :
         {Row{"ADD", "0.3.1", 0}, Row{"CHECK", "0.3.1", code::kIncompatibleVersion},
          Row{"CHECK", "0.4.0", 0}, Row{"STATUS", "1.0.0", code::kIncompatibleVersion},
          Row{"STATUS", "1.1.0", 0}, Row{"GC", "1.0.0", code::kIncompatibleVersion},
          Row{"ADD", "0.2.0", code::kIncompatibleVersion},
          Row{"ADD", "2.0.0", code::kIncompatibleVersion}}) {
        Json json = config();
        json["cniVersion"] = row.version;
        EXPECT_EQ(failure_code([&] { (void)read(json, environment(row.command)); }), row.code)
            << row.command << ' ' << row.version;
    }
    Json json = config();
    json.erase("cniVersion");  // then it is of 0.1.0
    EXPECT_EQ(failure_code([&] { (void)read(json); }), code::kIncompatibleVersion);
}

TEST(CniRequest, WrongEnvironmentIsCode4AndNamesTheVariable) {
    struct Row {
        const char* name;
        const char* value;
    };
    for (const Row& row :
         {Row{"CNI_COMMAND", "add"}, Row{"CNI_CONTAINERID", ""}, Row{"CNI_CONTAINERID", "../x"},
          Row{"CNI_CONTAINERID", ".x"}, Row{"CNI_CONTAINERID", "a:b"}, Row{"CNI_IFNAME", ""},
          Row{"CNI_IFNAME", "a/b"}, Row{"CNI_IFNAME", "sixteen-letters-"}, Row{"CNI_IFNAME", "a b"},
          Row{"CNI_IFNAME", ".."}, Row{"CNI_NETNS", ""}, Row{"CNI_ARGS", "K8S_POD_NAME"}}) {
        Environment env = environment();
        env[row.name] = row.value;
        try {
            (void)read(config(), env);
            ADD_FAILURE() << row.name << '=' << row.value;
        } catch (const Failure& failure) {
            EXPECT_EQ(failure.code(), code::kBadEnvironment) << row.name;
            EXPECT_NE((failure.message() + failure.details()).find(row.name), std::string::npos);
        }
    }
}

TEST(CniRequest, ADelNeedsNoNamespaceAndNoGoodCapabilities) {
    Environment env = environment("DEL");
    env.erase("CNI_NETNS");
    Json json = config();
    json["runtimeConfig"] = {{"mac", "nonsense"}};
    EXPECT_EQ(read(json, env).command, CommandKind::kDel);
}

TEST(CniRequest, WrongInputIsCode6AndWrongConfigurationCode7) {
    for (const char* input : {"", "[]", "{", "null"}) {
        EXPECT_EQ(failure_code([&] { (void)read_request(environment(), input); }),
                  code::kUndecodable)
            << input;
    }
    for (const auto& [key, value] : std::initializer_list<std::pair<const char*, Json>>{
             {"name", nullptr},
             {"name", "../etc"},
             {"socket", 5},
             {"stateDir", ""},
             {"waitSeconds", -1},
             {"waitSeconds", "long"},
             {"ipam", {{"type", "../sh"}}},
             {"ipam", {{"type", 5}}},
             {"runtimeConfig", {{"ips", "10.0.0.1"}}},
             {"runtimeConfig", {{"ips", {"10.0.0.256"}}}},
             {"runtimeConfig", {{"mac", "01:00:5e:00:00:01"}}},
             {"runtimeConfig", {{"dns", {{"servers", "10.96.0.10"}}}}},
             {"runtimeConfig", {{"portMappings", {{{"hostPort", 70000}, {"containerPort", 1}}}}}},
             {"runtimeConfig", {{"portMappings", {{{"hostPort", 80}}}}}},
             {"runtimeConfig",
              {{"portMappings",
                {{{"hostPort", 80}, {"containerPort", 80}, {"protocol", "icmp"}}}}}},
             {"runtimeConfig",
              {{"portMappings",
                {{{"hostPort", 80}, {"containerPort", 80}, {"hostIP", "here"}}}}}}}) {
        Json json = config();
        json[key] = value;
        EXPECT_EQ(failure_code([&] { (void)read(json); }), code::kBadConfig) << json.dump();
    }
}

TEST(CniRequest, ReadsTheCapabilitiesOfTheConventions) {
    Json json = config();
    // CONVENTIONS.md's own examples.
    json["runtimeConfig"] = Json::parse(R"({
        "portMappings": [{"hostPort": 8080, "containerPort": 80, "protocol": "tcp"},
                         {"hostPort": 8000, "containerPort": 8001, "protocol": "udp",
                          "hostIP": "192.0.2.1"},
                         {"hostPort": 0, "containerPort": 9000, "protocol": "tcp"},
                         {"hostPort": 81, "containerPort": 82, "protocol": "sctp",
                          "hostIP": "0.0.0.0"},
                         {"hostPort": 83, "containerPort": 84, "hostIP": "FD00:0::1"}],
        "bandwidth": {"ingressRate": 0, "ingressBurst": 0},
        "ips": ["192.168.0.1", "3ffe:ffff:0:01ff::1/64"],
        "mac": "c2:11:22:33:44:55",
        "dns": {"searches": ["internal.yoyodyne.net", "corp.tyrell.net"],
                "servers": ["8.8.8.8", "10.0.0.10"]}})");
    json["dns"] = {{"nameservers", {"192.0.2.53"}}, {"options", {"ndots:2"}}};
    const Request request = read(json);
    EXPECT_EQ(request.port_mappings,
              Json::parse(R"([{"hostPort": 8080, "containerPort": 80, "protocol": "TCP"},
                              {"hostPort": 8000, "containerPort": 8001, "protocol": "UDP",
                               "hostIP": "192.0.2.1"},
                              {"hostPort": 81, "containerPort": 82, "protocol": "SCTP"},
                              {"hostPort": 83, "containerPort": 84, "protocol": "TCP",
                               "hostIP": "fd00::1"}])"));
    ASSERT_EQ(request.ips.size(), 2U);
    EXPECT_EQ(to_string(request.ips[1]), "3ffe:ffff:0:1ff::1");
    EXPECT_EQ(to_string(*request.mac), "c2:11:22:33:44:55");
    EXPECT_EQ(request.dns, Json::parse(R"({"nameservers": ["8.8.8.8", "10.0.0.10"],
        "search": ["internal.yoyodyne.net", "corp.tyrell.net"], "options": ["ndots:2"]})"));
}

TEST(CniRequest, ReadsLimitsOfBandwidthAndRefusesWhatIsNone) {
    const auto limits = [](const char* text) {
        Json json = config();
        json["runtimeConfig"]["bandwidth"] = Json::parse(text);
        return json;
    };
    // As a runtime converts an annotation: the largest burst that it can express.
    EXPECT_EQ(read(limits(R"({"ingressRate": 1000000, "ingressBurst": 4294967295,
                              "egressRate": 0, "egressBurst": 0})"))
                  .bandwidth,
              Json::parse(R"({"ingressRate": 1000000, "ingressBurst": 4294967295})"));
    EXPECT_TRUE(read(config()).bandwidth.empty());
    for (const char* bad :
         {R"([])", R"({"egressRate": -1})", R"({"egressRate": "1M"})", R"({"egressRate": 1.5})",
          R"({"egressBurst": 1600})", R"({"ingressRate": 18446744073709551615})"}) {
        EXPECT_EQ(failure_code([&] { (void)read(limits(bad)); }), code::kBadConfig) << bad;
    }
}

TEST(CniRequest, ReadsWhatADpdkApplicationHasInPlaceOfAnInterface) {
    Json json = config();
    json["interface"] = "tap";
    EXPECT_TRUE(read(json).device.empty());
    json["interface"] = "vhostUser";
    json["socketUser"] = 1000;
    json["socketGroup"] = 2000;
    EXPECT_EQ(read(json).device,
              Json::parse(R"({"interface": "vhostUser", "user": 1000, "group": 2000})"));
    json["socketUser"] = -1;
    EXPECT_EQ(failure_code([&] { (void)read(json); }), code::kBadConfig);
    json.erase("socketUser");
    json["interface"] = "veth";
    EXPECT_EQ(failure_code([&] { (void)read(json); }), code::kBadConfig);
}

TEST(CniRequest, TheCapabilityGoesBeforeArgsAndThoseBeforeCniArgs) {
    Environment env = environment();
    env["CNI_ARGS"] = "IP=192.168.10.4/24;MAC=c2:00:00:00:00:03";
    EXPECT_EQ(to_string(read(config(), env).ips.at(0)), "192.168.10.4");
    EXPECT_EQ(to_string(*read(config(), env).mac), "c2:00:00:00:00:03");
    Json json = config();
    json["args"]["cni"] = {{"ips", {"10.2.2.42/24"}}, {"mac", "c2:00:00:00:00:02"}};
    EXPECT_EQ(to_string(read(json, env).ips.at(0)), "10.2.2.42");
    EXPECT_EQ(to_string(*read(json, env).mac), "c2:00:00:00:00:02");
    json["runtimeConfig"] = {{"ips", {"10.2.2.43"}}, {"mac", "c2:00:00:00:00:01"}};
    EXPECT_EQ(to_string(read(json, env).ips.at(0)), "10.2.2.43");
    EXPECT_EQ(to_string(*read(json, env).mac), "c2:00:00:00:00:01");
}

TEST(CniRequest, AGcWithoutAListOfWhatIsValidIsRefused) {
    Json json = config();
    json["cniVersion"] = "1.1.0";
    const Environment env = {{"CNI_COMMAND", "GC"}, {"CNI_PATH", "/opt/cni/bin"}};
    EXPECT_EQ(failure_code([&] { (void)read(json, env); }), code::kBadConfig);
    json["cni.dev/valid-attachments"] = Json::array();
    EXPECT_TRUE(read(json, env).valid.empty());
    json["cni.dev/valid-attachments"] = {{{"containerID", "a"}, {"ifname", "eth0"}}};
    EXPECT_EQ(read(json, env).valid.at(0), (Attachment{"a", "eth0"}));
}

TEST(CniRequest, VersionsAreComparedAsNumbers) {
    EXPECT_TRUE(is_at_least("1.10.0", "1.9.0"));
    EXPECT_TRUE(is_at_least("1.0.0", "1.0.0"));
    EXPECT_FALSE(is_at_least("0.4.0", "1.0.0"));
    EXPECT_FALSE(is_at_least("", "0.3.0"));
    EXPECT_EQ(version_of("nothing"), kNewestVersion);
    EXPECT_EQ(version_of(R"({"cniVersion": "0.4.0"})"), "0.4.0");
}

TEST(CniRequest, AKeyIsReadBackAsTheAttachment) {
    const Attachment attachment{"a.b-c_d", "net.1"};
    EXPECT_EQ(Attachment::from_key(attachment.key()), attachment);
}

}  // namespace
}  // namespace podlane::cni
