// The flow log's receivers: a file that is begun anew, a collector that is there or not.
#include "control/flowlog/flow_log.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <spdlog/spdlog.h>
#include <sys/socket.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "control/flowlog/flow_line.h"
#include "tests/unit/flowlog/flows.h"

namespace podlane::control {
namespace {

using Json = nlohmann::ordered_json;

class FlowLogTest : public testing::Test {
  protected:
    FlowLogTest() {
        spdlog::set_level(spdlog::level::off);
        std::filesystem::create_directories(folder_);
    }
    ~FlowLogTest() override { std::filesystem::remove_all(folder_); }
    static std::vector<std::string> lines(const std::string& path) {
        std::vector<std::string> out;
        std::ifstream file(path);
        for (std::string line; std::getline(file, line);) out.push_back(line);
        return out;
    }
    const std::string folder_ = "/tmp/podlane-flowlog-" + std::to_string(getpid());
    const std::string path_ = folder_ + "/flows.json";
};

TEST_F(FlowLogTest, LinesHaveWhatIsKnown) {
    const Json start = Json::parse(flow_line(flow_to_service(FlowRecordKind::kOpened)));
    EXPECT_EQ(start.dump(),
              R"({"time":"2025-11-29T14:02:11.120Z","event":"start","protocol":"TCP",)"
              R"("from":"10.244.1.5:40000","to":"10.96.0.10:80",)"
              R"("translatedFrom":"10.244.1.5:40000","translatedTo":"10.244.2.7:8080",)"
              R"("service":"shop/web","fromPod":"shop/a","toPod":"shop/web-0",)"
              R"("inPort":"shop/a","verdict":"forwarded"})");
    LoggedFlow ended = flow_to_service(FlowRecordKind::kClosed);
    ended.tcp_state = TcpState::kTimeWait;
    ended.replied = true;
    const Json end = Json::parse(flow_line(ended));
    EXPECT_EQ(end.at("start"), "2025-11-29T14:02:00.000Z");
    EXPECT_EQ(end.at("state"), "TIME_WAIT");
    EXPECT_EQ(end.at("reason"), "expired");
    EXPECT_FALSE(end.contains("packets"));
    ended.traffic = FlowTraffic{{3, 2}, {1560, 80}};
    const Json counted = Json::parse(flow_line(ended));
    EXPECT_EQ(counted.at("packets"), 3);
    EXPECT_EQ(counted.at("bytes"), 1560);
    EXPECT_EQ(counted.at("replyPackets"), 2);
    EXPECT_EQ(counted.at("replyBytes"), 80);
    const Json denied = Json::parse(flow_line(denied_v6()));
    EXPECT_FALSE(denied.contains("translatedTo"));
    EXPECT_EQ(denied.at("verdict"), "denied");
    EXPECT_EQ(denied.at("reason"), "policy_ingress");
    EXPECT_EQ(denied.at("policies").dump(), R"(["shop/deny","shop/web"])");
    EXPECT_EQ(denied.at("packets"), 17);
}

TEST_F(FlowLogTest, AFullFileGivesWayToANewOne) {
    FlowLog log({.ipfix = {}, .file = path_, .file_bytes = 600});
    EXPECT_TRUE(log.is_on());
    for (int i = 0; i < 3; ++i) log.write(flow_to_service(FlowRecordKind::kOpened));
    EXPECT_FALSE(std::filesystem::exists(path_)) << "written at once, in flush()";
    log.flush();
    EXPECT_FALSE(std::filesystem::exists(path_));
    EXPECT_EQ(lines(path_ + ".1").size(), 3u);
    log.write(denied_v6());
    log.flush();
    EXPECT_EQ(lines(path_).size(), 1u);
    EXPECT_EQ(log.stats().written, 4u);
    EXPECT_EQ(log.stats().lost, 0u);
}

TEST_F(FlowLogTest, AFileThatCannotBeWrittenLosesAndCounts) {
    FlowLog log({.ipfix = {}, .file = folder_ + "/none/flows.json"});
    log.write(denied_v6());
    log.flush();
    EXPECT_EQ(log.stats().lost, 1u);
    LineFile full("/dev/full", 1 << 20);
    full.add("one\n");
    full.add("two\n");
    EXPECT_EQ(full.flush(), 2u);
    EXPECT_EQ(full.flush(), 0u);
    EXPECT_TRUE(std::filesystem::is_character_file("/dev/full")) << "no file to begin anew";
}

TEST_F(FlowLogTest, ACollectorGetsTemplatesBeforeRecords) {
    const int fd = ::socket(AF_INET, SOCK_DGRAM, 0);
    sockaddr_in place{};
    place.sin_family = AF_INET;
    place.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t bytes = sizeof(place);
    ASSERT_EQ(::bind(fd, reinterpret_cast<sockaddr*>(&place), bytes), 0);
    ASSERT_EQ(::getsockname(fd, reinterpret_cast<sockaddr*>(&place), &bytes), 0);
    {
        FlowLog log({.ipfix = ListenPlace{*parse_ip("127.0.0.1"), ntohs(place.sin_port)}});
        for (int i = 0; i < 40; ++i) log.write(flow_to_service(FlowRecordKind::kClosed));
        log.flush();
        EXPECT_EQ(log.stats().lost, 0u);
    }
    std::vector<unsigned> sets;  // the first of each message
    char message[2048];
    for (ssize_t got; (got = ::recv(fd, message, sizeof(message), MSG_DONTWAIT)) > 18;) {
        sets.push_back(static_cast<unsigned>(static_cast<uint8_t>(message[16])) << 8 |
                       static_cast<uint8_t>(message[17]));
    }
    ::close(fd);
    ASSERT_GE(sets.size(), 3u);
    EXPECT_EQ(sets[0], 2u);
    for (size_t i = 1; i < sets.size(); ++i) EXPECT_GE(sets[i], 256u);
}

TEST_F(FlowLogTest, ACollectorThatIsNotThereIsNoReasonToWait) {
    // Discard: nobody listens there.
    FlowLog log({.ipfix = ListenPlace{*parse_ip("127.0.0.1"), 9}});
    for (int i = 0; i < 5; ++i) {
        log.write(denied_v6());
        log.flush();
    }
    EXPECT_GT(log.stats().lost, 0u);
    EXPECT_EQ(log.stats().written, 5u);
}

}  // namespace
}  // namespace podlane::control
