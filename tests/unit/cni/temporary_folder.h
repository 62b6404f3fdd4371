// A folder that goes with the test, and files in it.
#pragma once

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <string>

namespace podlane::cni::test {

class TemporaryFolder {
  public:
    TemporaryFolder() {
        std::string made = ::testing::TempDir() + "podlane-cni-XXXXXX";
        EXPECT_NE(::mkdtemp(made.data()), nullptr);
        path_ = made;
    }
    TemporaryFolder(const TemporaryFolder&) = delete;
    TemporaryFolder& operator=(const TemporaryFolder&) = delete;
    ~TemporaryFolder() { std::filesystem::remove_all(path_); }

    [[nodiscard]] const std::string& path() const { return path_; }
    /// Writes an executable shell script.
    std::string script(const std::string& name, const std::string& body) const {
        const std::string file = path_ + '/' + name;
        std::ofstream(file) << "#!/bin/sh\n" << body << '\n';
        std::filesystem::permissions(file, std::filesystem::perms::owner_all);
        return file;
    }

  private:
    std::string path_;
};

/// The code of the Failure that `work` throws; 0 for none.
template <class Work>
int failure_code(const Work& work) {
    try {
        work();
        return 0;
    } catch (const Failure& failure) {
        EXPECT_FALSE(failure.message().empty());
        return failure.code();
    }
}

}  // namespace podlane::cni::test
