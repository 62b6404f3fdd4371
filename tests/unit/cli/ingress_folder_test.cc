#include "control/cli/ingress_folder.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>

namespace podlane::control {
namespace {

namespace fs = std::filesystem;

class IngressFolder : public testing::Test {
  protected:
    IngressFolder() {
        std::string pattern = fs::temp_directory_path() / "podlane-ingress-XXXXXX";
        root_ = ::mkdtemp(pattern.data());
        folder_ = (root_ / "a/b").string();
    }
    ~IngressFolder() override { fs::remove_all(root_); }

    Result<bool> write(const std::string& config, const std::vector<IngressKeyPair>& pairs) {
        return write_ingress_folder(folder_, config, pairs,
                                    [this](const std::string& path) -> Result<void> {
                                        tested_ = contents(path);
                                        if (refuse_) return Error{"no"};
                                        return {};
                                    });
    }
    static std::string contents(const fs::path& path) {
        std::ostringstream out;
        out << std::ifstream(path).rdbuf();
        return out.str();
    }
    /// Every file below the folder.
    std::set<std::string> files() const {
        std::set<std::string> out;
        for (const auto& entry : fs::recursive_directory_iterator(folder_)) {
            if (entry.is_regular_file()) out.insert(fs::relative(entry.path(), folder_));
        }
        return out;
    }
    using Files = std::set<std::string>;

    fs::path root_;
    std::string folder_;
    std::string tested_;
    bool refuse_ = false;
};

TEST_F(IngressFolder, HoldsTheConfigurationAndItsKeysForTheOwnerAlone) {
    const auto written = write("one", {{"k-1.pem", "key"}});
    ASSERT_TRUE(written.ok()) << written.error().message;
    EXPECT_TRUE(written.value());
    EXPECT_EQ(tested_, "one");
    EXPECT_EQ(files(), (Files{"nginx.conf", "tls/k-1.pem"}));
    for (const char* name : {"nginx.conf", "tls/k-1.pem"}) {
        struct stat status {};
        ASSERT_EQ(::stat((folder_ + "/" + name).c_str(), &status), 0);
        EXPECT_EQ(status.st_mode & 0777, 0600U) << name;
    }
    EXPECT_EQ(fs::status(folder_ + "/tls").permissions(), fs::perms::owner_all);
}

TEST_F(IngressFolder, ThatIsAsItShouldBeIsLeftAlone) {
    ASSERT_TRUE(write("one", {}).ok());
    tested_.clear();
    const auto again = write("one", {});
    EXPECT_FALSE(again.value());
    EXPECT_EQ(tested_, "");
}

TEST_F(IngressFolder, KeepsNoKeyThatIsNotUsed) {
    ASSERT_TRUE(write("one", {{"k-1.pem", "1"}, {"l-1.pem", "l"}}).ok());
    ASSERT_TRUE(write("two", {{"k-2.pem", "2"}, {"l-1.pem", "l"}}).ok());
    EXPECT_EQ(files(), (Files{"nginx.conf", "tls/k-2.pem", "tls/l-1.pem"}));
}

TEST_F(IngressFolder, StaysAsItWasWhenTheConfigurationIsRefused) {
    ASSERT_TRUE(write("one", {{"k-1.pem", "1"}}).ok());
    refuse_ = true;
    const auto refused = write("two", {{"k-2.pem", "2"}});
    ASSERT_FALSE(refused.ok());
    EXPECT_EQ(refused.error().message, "no");
    EXPECT_EQ(files(), (Files{"nginx.conf", "tls/k-1.pem"}));
    EXPECT_EQ(contents(folder_ + "/nginx.conf"), "one");
    EXPECT_EQ(contents(folder_ + "/tls/k-1.pem"), "1");
}

TEST_F(IngressFolder, MendsAKeyThatWasLost) {
    ASSERT_TRUE(write("one", {{"k-1.pem", "1"}}).ok());
    std::ofstream(folder_ + "/tls/k-1.pem") << "cut";
    ASSERT_TRUE(write("one", {{"k-1.pem", "1"}}).ok());
    EXPECT_EQ(contents(folder_ + "/tls/k-1.pem"), "1");
}

TEST_F(IngressFolder, ThatCannotBeWrittenIsNamed) {
    std::ofstream(root_ / "file") << "x";
    folder_ = (root_ / "file").string();
    const auto written = write("one", {});
    ASSERT_FALSE(written.ok());
    EXPECT_NE(written.error().message.find("/file/tls: Not a directory"), std::string::npos);
}

TEST(NginxTest, SaysTheFirstLineThatMatters) {
    const std::string script = fs::temp_directory_path() / "podlane-fake-nginx";
    std::ofstream(script)
        << "#!/bin/sh\necho 'nginx: [warn] x'\necho \"nginx: [emerg] bad in $6\"\n"
           "exit 1\n";
    fs::permissions(script, fs::perms::owner_all);
    const auto tested = nginx_test(script)("/c");
    fs::remove(script);
    ASSERT_FALSE(tested.ok());
    EXPECT_EQ(tested.error().message, script +
                                          " refuses the configuration, the old one stays: "
                                          "nginx: [emerg] bad in /c");
    EXPECT_TRUE(nginx_test("true")("/c").ok());
    EXPECT_FALSE(nginx_test("/nonexistent/nginx")("/c").ok());
}

}  // namespace
}  // namespace podlane::control
