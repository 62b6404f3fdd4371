// The log's end of podlaned: it takes what there is room for and holds nobody up.
#include "control/log/log_sink.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <csignal>
#include <memory>
#include <string>

namespace podlane::control {
namespace {

class LogSinkTest : public ::testing::Test {
  protected:
    void SetUp() override {
        std::signal(SIGPIPE, SIG_IGN);
        ASSERT_EQ(::pipe2(ends_, O_CLOEXEC), 0);
        sink_ = std::make_shared<LogSink>(ends_[1]);
        log_ = std::make_unique<spdlog::logger>("test", sink_);
        log_->set_pattern("%v");
    }
    void TearDown() override {
        if (ends_[0] >= 0) ::close(ends_[0]);
        ::close(ends_[1]);
    }
    std::string read() {
        std::string text(1 << 20, '\0');
        ::fcntl(ends_[0], F_SETFL, O_NONBLOCK);
        std::string all;
        for (;;) {
            const ssize_t got = ::read(ends_[0], text.data(), text.size());
            if (got <= 0) return all;
            all.append(text, 0, static_cast<size_t>(got));
        }
    }

    int ends_[2] = {-1, -1};
    std::shared_ptr<LogSink> sink_;
    std::unique_ptr<spdlog::logger> log_;
};

TEST_F(LogSinkTest, WhatAMessageQuotesStaysInItsLine) {
    log_->info("refused: {}",
               "a\n2026-01-01 info all is well\x1b[2J\xc2\x85"
               "b");
    EXPECT_EQ(read(),
              "refused: a\\x0a2026-01-01 info all is well\\x1b[2J\\xc2\\x85"
              "b\n");
}

TEST_F(LogSinkTest, WhatLooksLikeOtherTextIsShownAsItIs) {
    log_->info("name {}", "a\xe2\x80\xaetxt.b\xff\xe2\x80\xa8info ok");
    EXPECT_EQ(read(), "name a\\xe2\\x80\\xaetxt.b\\xff\\xe2\\x80\\xa8info ok\n");
}

TEST_F(LogSinkTest, AFullPipeHoldsNobodyUpAndTheLossIsTold) {
    for (int i = 0; i < 2000; ++i) log_->info("{:0>1000}", i);
    EXPECT_GT(sink_->lost(), 1000U);
    const std::string had = read();
    EXPECT_NE(had.find("0000\n"), std::string::npos);
    log_->info("again");
    EXPECT_EQ(read(), std::to_string(sink_->lost()) +
                          " lines of the log were lost: it was not read\nagain\n");
}

TEST_F(LogSinkTest, AReaderThatIsGoneEndsNothing) {
    ::close(ends_[0]);
    ends_[0] = -1;
    for (int i = 0; i < 10; ++i) log_->info("nobody reads this");
    EXPECT_EQ(sink_->lost(), 10U);
}

TEST_F(LogSinkTest, ALongLineIsCut) {
    log_->info("{}", std::string(10'000, 'x'));
    EXPECT_EQ(read().size(), LogSink::kMostLineBytes);
}

}  // namespace
}  // namespace podlane::control
