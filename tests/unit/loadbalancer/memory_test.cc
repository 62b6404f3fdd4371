#include "control/loadbalancer/memory.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>

namespace podlane::control {
namespace {

namespace fs = std::filesystem;

AddressMemory example() {
    AddressMemory memory;
    memory.held[{"shop", "web"}] = {*parse_ip("192.0.2.1"), *parse_ip("2001:db8::1")};
    memory.held[{"default", "db"}] = {*parse_ip("192.0.2.2")};
    memory.gone.push_back({{"shop", "old"}, {*parse_ip("192.0.2.9")}});
    memory.gone.push_back({{"shop", "alpha"}, {*parse_ip("192.0.2.8")}});
    return memory;
}

class AddressMemoryFile : public testing::Test {
  protected:
    AddressMemoryFile() { folder_ = ::mkdtemp(template_); }
    ~AddressMemoryFile() override { fs::remove_all(folder_); }
    char template_[32] = "/tmp/podlane-memory-XXXXXX";
    fs::path folder_;
};

TEST(AddressMemory, IsTheSameAfterTheWayThroughText) {
    EXPECT_EQ(memory_from_text(to_text(example())).value(), example());
    EXPECT_EQ(memory_from_text(to_text({})).value(), AddressMemory{});
}

TEST(AddressMemory, SaysWhatIsWrongWithAText) {
    const auto error = [](std::string_view text) { return memory_from_text(text).error().message; };
    EXPECT_EQ(error("held"), "not a JSON object");
    EXPECT_EQ(error("[]"), "not a JSON object");
    EXPECT_EQ(error(R"({"gone": []})"), "held: no list");
    EXPECT_EQ(error(R"({"held": []})"), "gone: no list");
    EXPECT_EQ(error(R"({"held": [{"service": "web", "addresses": []}], "gone": []})"),
              "held: not a Service");
    EXPECT_EQ(error(R"({"held": [{"service": "a/web"}], "gone": []})"), "held: not a Service");
    EXPECT_EQ(error(R"({"held": [], "gone": [{"service": "a/b", "addresses": ["1.2.3"]}]})"),
              "gone: a/b: \"1.2.3\" is no address, or a second time");
    EXPECT_EQ(error(R"({"held": [{"service": "a/b", "addresses": ["192.0.2.1", "192.0.2.1"]}],
                        "gone": []})"),
              "held: a/b: \"192.0.2.1\" is no address, or a second time");
}

TEST(AddressMemory, SeveralServicesMayHaveHadOneAddress) {
    AddressMemory memory;
    memory.held[{"shop", "a"}] = memory.held[{"shop", "b"}] = {*parse_ip("192.0.2.1")};
    EXPECT_EQ(memory_from_text(to_text(memory)).value(), memory);
}

TEST_F(AddressMemoryFile, IsReadBackAndReplacedWhole) {
    const std::string path = folder_ / "new" / "addresses.json";
    EXPECT_EQ(load_memory(path).value(), AddressMemory{}) << "there is none yet";
    ASSERT_TRUE(save_memory(path, example()).ok());
    EXPECT_EQ(load_memory(path).value(), example());
    ASSERT_TRUE(save_memory(path, {}).ok());
    EXPECT_EQ(load_memory(path).value(), AddressMemory{});
    EXPECT_FALSE(fs::exists(path + ".new"));
}

TEST_F(AddressMemoryFile, NamesTheFileInErrors) {
    const std::string path = folder_ / "addresses.json";
    std::ofstream(path) << "{";
    EXPECT_EQ(load_memory(path).error().message, path + ": not a JSON object");
    // A file where a folder should be.
    const auto saved = save_memory(path + "/addresses.json", {});
    ASSERT_FALSE(saved.ok());
    EXPECT_NE(saved.error().message.find("cannot be written"), std::string::npos);
}

}  // namespace
}  // namespace podlane::control
