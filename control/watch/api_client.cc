#include "control/watch/api_client.h"

#include <curl/curl.h>
#include <fmt/format.h>

#include <chrono>
#include <fstream>
#include <iterator>
#include <memory>
#include <mutex>
#include <utility>

namespace podlane::control {

namespace {

constexpr long kConnectSeconds = 10;
constexpr long kPageSeconds = 60;
/// Longer than any watch that the reflector asks for.
constexpr long kWatchPatienceSeconds = 360;
constexpr const char* kUserAgent = "podlane-kube/" PODLANE_VERSION;

std::string line_of(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    std::string text{std::istreambuf_iterator<char>(file), {}};
    while (text.ends_with('\n') || text.ends_with('\r')) text.pop_back();
    return text;
}

void set_pem(CURL* curl, CURLoption file_option, CURLoption blob_option, const PemSource& pem) {
    if (!pem.text.empty()) {
        curl_blob blob{const_cast<char*>(pem.text.data()), pem.text.size(), CURL_BLOB_COPY};
        curl_easy_setopt(curl, blob_option, &blob);
    } else if (!pem.file.empty()) {
        curl_easy_setopt(curl, file_option, pem.file.c_str());
    }
}

/// The URL with the host name that the certificate must have, and where to connect instead: libcurl
/// takes the name that it verifies, and sends as SNI, from the URL.
struct NamedUrl {
    std::string url;
    std::string connect_to;  ///< "::HOST:PORT"
};

NamedUrl with_name(const std::string& url, const std::string& name) {
    const std::unique_ptr<CURLU, decltype(&curl_url_cleanup)> parts(curl_url(), &curl_url_cleanup);
    const auto part = [&](CURLUPart which, unsigned flags) {
        char* text = nullptr;
        if (curl_url_get(parts.get(), which, &text, flags) != CURLUE_OK) return std::string();
        std::string out(text);
        curl_free(text);
        return out;
    };
    if (curl_url_set(parts.get(), CURLUPART_URL, url.c_str(), 0) != CURLUE_OK) return {url, ""};
    const std::string place =
        "::" + part(CURLUPART_HOST, 0) + ":" + part(CURLUPART_PORT, CURLU_DEFAULT_PORT);
    if (curl_url_set(parts.get(), CURLUPART_HOST, name.c_str(), 0) != CURLUE_OK) return {url, ""};
    return {part(CURLUPART_URL, 0), place};
}

}  // namespace

struct ApiClient::Handle {
    CURL* curl = curl_easy_init();
    curl_slist* headers = nullptr;
    curl_slist* connect_to = nullptr;
    const OnData* on_data = nullptr;
    const std::atomic<bool>* stop = nullptr;
    bool was_ended_by_us = false;
    char error[CURL_ERROR_SIZE] = {};

    Handle() = default;
    Handle(const Handle&) = delete;
    Handle& operator=(const Handle&) = delete;
    ~Handle() {
        curl_slist_free_all(headers);
        curl_slist_free_all(connect_to);
        curl_easy_cleanup(curl);
    }

    void set_url(const ApiServer& server, const std::string& target) {
        NamedUrl named{server.url, ""};
        if (!server.tls_server_name.empty()) named = with_name(server.url, server.tls_server_name);
        // Parsing a URL and putting it together again may add the path "/".
        while (named.url.ends_with('/')) named.url.pop_back();
        curl_slist_free_all(std::exchange(connect_to, nullptr));
        if (!named.connect_to.empty())
            connect_to = curl_slist_append(nullptr, named.connect_to.c_str());
        curl_easy_setopt(curl, CURLOPT_CONNECT_TO, connect_to);
        curl_easy_setopt(curl, CURLOPT_URL, (named.url + target).c_str());
    }

    void set_headers(const ApiServer& server, const char* content_type) {
        curl_slist_free_all(std::exchange(headers, nullptr));
        headers = curl_slist_append(headers, "Accept: application/json");
        if (content_type != nullptr)
            headers =
                curl_slist_append(headers, fmt::format("Content-Type: {}", content_type).c_str());
        // A rotated token takes effect at the next request.
        const std::string token =
            server.token_file.empty() ? server.token : line_of(server.token_file);
        if (!token.empty())
            headers =
                curl_slist_append(headers, fmt::format("Authorization: Bearer {}", token).c_str());
        curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    }

    [[nodiscard]] unsigned status() const {
        long code = 0;
        curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &code);
        return static_cast<unsigned>(code);
    }

    static size_t take(char* bytes, size_t, size_t count, void* self) {
        auto& handle = *static_cast<Handle*>(self);
        if ((*handle.on_data)(handle.status(), {bytes, count})) return count;
        handle.was_ended_by_us = true;
        return 0;
    }
    static int watch_stop(void* self, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
        return static_cast<Handle*>(self)->stop->load(std::memory_order_relaxed) ? 1 : 0;
    }
};

ApiClient::ApiClient(const ApiServer& server, const std::atomic<bool>& stop)
    : server_(server), stop_(stop), handle_(std::make_unique<Handle>()) {
    static std::once_flag once;
    std::call_once(once, [] { curl_global_init(CURL_GLOBAL_DEFAULT); });
    handle_->stop = &stop_;
}

ApiClient::~ApiClient() = default;

ResponseEnd ApiClient::perform(const std::string& target, const OnData& on_data) {
    CURL* const curl = handle_->curl;
    handle_->on_data = &on_data;
    handle_->was_ended_by_us = false;
    handle_->error[0] = '\0';
    handle_->set_url(server_, target);
    curl_easy_setopt(curl, CURLOPT_USERAGENT, kUserAgent);
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "https,http");
    curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, handle_->error);
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, kConnectSeconds);
    curl_easy_setopt(curl, CURLOPT_TCP_KEEPALIVE, 1L);
    curl_easy_setopt(curl, CURLOPT_TCP_KEEPIDLE, 15L);
    curl_easy_setopt(curl, CURLOPT_TCP_KEEPINTVL, 5L);
    curl_easy_setopt(curl, CURLOPT_TCP_NODELAY, 1L);
    curl_easy_setopt(curl, CURLOPT_SSL_VERIFYPEER, server_.skips_verification ? 0L : 1L);
    curl_easy_setopt(curl, CURLOPT_SSL_VERIFYHOST, server_.skips_verification ? 0L : 2L);
    if (server_.authority.is_set()) curl_easy_setopt(curl, CURLOPT_CAPATH, nullptr);
    set_pem(curl, CURLOPT_CAINFO, CURLOPT_CAINFO_BLOB, server_.authority);
    set_pem(curl, CURLOPT_SSLCERT, CURLOPT_SSLCERT_BLOB, server_.certificate);
    set_pem(curl, CURLOPT_SSLKEY, CURLOPT_SSLKEY_BLOB, server_.key);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, &Handle::take);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, handle_.get());
    curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, &Handle::watch_stop);
    curl_easy_setopt(curl, CURLOPT_XFERINFODATA, handle_.get());

    const CURLcode code = curl_easy_perform(curl);
    ResponseEnd end;
    end.status = handle_->status();
    curl_off_t retry_after = 0;
    if (curl_easy_getinfo(curl, CURLINFO_RETRY_AFTER, &retry_after) == CURLE_OK && retry_after > 0)
        end.retry_after = std::chrono::seconds(retry_after);
    if (code != CURLE_OK && !handle_->was_ended_by_us) {
        const char* const detail =
            handle_->error[0] != '\0' ? handle_->error : curl_easy_strerror(code);
        end.error = fmt::format("{}: {}", server_.url, detail);
    }
    return end;
}

ResponseEnd ApiClient::get(const std::string& target, bool is_watch, const OnData& on_data) {
    CURL* const curl = handle_->curl;
    curl_easy_reset(curl);
    handle_->set_headers(server_, nullptr);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT, is_watch ? kWatchPatienceSeconds : kPageSeconds);
    // The server compresses lists, but never watches. A compressed watch would arrive in lumps.
    if (!is_watch) curl_easy_setopt(curl, CURLOPT_ACCEPT_ENCODING, "gzip");
    return perform(target, on_data);
}

ApiClient::Reply ApiClient::send(const char* method, const std::string& target,
                                 const char* content_type, const std::string& body) {
    CURL* const curl = handle_->curl;
    curl_easy_reset(curl);
    handle_->set_headers(server_, content_type);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT, kPageSeconds);
    curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, method);
    curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(body.size()));
    curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body.c_str());
    Reply reply;
    reply.end = perform(target, [&reply](unsigned, std::string_view bytes) {
        constexpr size_t kMostBytes = size_t{4} << 20;
        if (reply.body.size() + bytes.size() > kMostBytes) return false;
        reply.body += bytes;
        return true;
    });
    return reply;
}

}  // namespace podlane::control
