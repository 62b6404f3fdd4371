#include "control/daemon/background.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

namespace podlane::control {
namespace {

/// The exit code of the original process when the other one does this.
template <class Work>
int code_of(Work work) {
    const pid_t called = ::fork();
    if (called == 0) {
        auto apart = run_in_background();
        if (!apart.ok()) ::_exit(99);
        if (!apart->tell_ready) ::_exit(apart->exit_code);
        work(*apart);
        ::_exit(7);
    }
    int status = 0;
    EXPECT_EQ(::waitpid(called, &status, 0), called);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

TEST(Background, TheOneThatWasCalledReturnsWhenTheOtherIsReady) {
    EXPECT_EQ(code_of([](Background& apart) {
                  apart.tell_ready();
                  ::usleep(10'000);
              }),
              0);
}

TEST(Background, OneThatEndsBeforeIsAnErrorWithItsCode) {
    EXPECT_EQ(code_of([](Background&) {}), 7);
    EXPECT_EQ(code_of([](Background&) { ::_exit(0); }), 1);
}

TEST(Background, ItsTerminalIsNotTheCallers) {
    const pid_t session = ::getsid(0);
    EXPECT_EQ(code_of([session](Background& apart) {
                  if (::getsid(0) != session) apart.tell_ready();
              }),
              0);
}

}  // namespace
}  // namespace podlane::control
