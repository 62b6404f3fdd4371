// A server on a real socket in a folder of its own, run by a thread, for the tests of server and
// client.
#pragma once

#include <utility>  // Boost 1.74 uses std::exchange without it

#include <gtest/gtest.h>

#include <atomic>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <filesystem>
#include <future>
#include <optional>
#include <string>
#include <thread>

#include "control/rpc/client.h"
#include "control/rpc/server.h"

namespace podlane::control {

class ServerFixture : public ::testing::Test {
  protected:
    /// Runs `work` on the thread that the server runs on, and waits for it.
    template <class Work>
    auto on_control_thread(Work work) {
        std::packaged_task<decltype(work())()> task(std::move(work));
        auto result = task.get_future();
        boost::asio::post(io_, [&task] { task(); });
        return result.get();
    }
    ServerFixture() {
        std::string pattern = std::filesystem::temp_directory_path() / "podlane-rpc-XXXXXX";
        folder_ = ::mkdtemp(pattern.data());
        path_ = folder_ / "test.sock";
        methods_.add("echo", [](RpcRequest& request) -> RpcResult {
            const auto text = request.params.text("text");
            if (auto failure = request.params.failure()) return *failure;
            return nlohmann::ordered_json(text);
        });
        methods_.add("count", [this](RpcRequest&) -> RpcResult { return ++calls_; });
        methods_.add("large", [](RpcRequest& request) -> RpcResult {
            const auto bytes = request.params.number_if_any("bytes", 0, 1 << 30).value_or(0);
            return nlohmann::ordered_json(std::string(static_cast<size_t>(bytes), 'x'));
        });
        methods_.add("refuse", [](RpcRequest&) -> RpcResult {
            return rpc_failure(Error{"a.yml:3: spec: no", "a.yml", 3, "spec"});
        });
    }
    ~ServerFixture() override {
        if (thread_.joinable()) {
            on_control_thread([this] { server_.reset(); });
            work_.reset();
            thread_.join();
        }
        std::filesystem::remove_all(folder_);
    }

    /// Starts the server; options.path is filled in if empty.
    void start(RpcServerOptions options = {}) {
        if (options.path.empty()) options.path = path_;
        server_.emplace(io_, methods_, std::move(options));
        const auto started = server_->start();
        ASSERT_TRUE(started.ok()) << started.error().message;
        work_.emplace(io_.get_executor());
        thread_ = std::thread([this] { io_.run(); });
    }
    size_t client_count() {
        return on_control_thread([this] { return server_->client_count(); });
    }
    /// Waits until the server has `count` connections; false if that does not come about.
    bool wait_for_clients(size_t count) {
        for (int i = 0; i < 5000; ++i) {
            if (client_count() == count) return true;
            std::this_thread::sleep_for(std::chrono::milliseconds(1));
        }
        return false;
    }
    RpcClient connect(RpcClientOptions options = {.call_timeout = std::chrono::seconds(20)}) {
        auto client = RpcClient::connect(path_, options);
        EXPECT_TRUE(client.ok()) << client.error().message;
        return std::move(client).value();
    }
    static std::string request(int id, const std::string& method) {
        return R"({"jsonrpc":"2.0","id":)" + std::to_string(id) + R"(,"method":")" + method +
               R"("})";
    }

    using Work = boost::asio::executor_work_guard<boost::asio::io_context::executor_type>;

    std::filesystem::path folder_;
    std::string path_;
    std::atomic<int> calls_ = 0;
    boost::asio::io_context io_;
    RpcMethods methods_;
    std::optional<RpcServer> server_;
    std::optional<Work> work_;
    std::thread thread_;
};

}  // namespace podlane::control
