#include "lib/base/capabilities.h"

#include <gtest/gtest.h>

#include <fstream>
#include <string>
#include <thread>

namespace podlane {
namespace {

std::string permitted_of(pid_t tid) {
    std::ifstream file("/proc/self/task/" + std::to_string(tid) + "/status");
    for (std::string line; std::getline(file, line);) {
        if (line.starts_with("CapPrm:\t")) return line.substr(8);
    }
    return "";
}

TEST(Capabilities, AThreadDropsItsOwnAndNobodyElses) {
    const std::string before = permitted_of(gettid());
    std::string inside;
    std::thread([&inside] {
        drop_thread_capabilities();
        inside = permitted_of(gettid());
    }).join();
    EXPECT_EQ(inside, std::string(16, '0'));
    EXPECT_EQ(permitted_of(gettid()), before);
}

}  // namespace
}  // namespace podlane
