#include "control/ingress/nginx.h"

#include <fmt/format.h>

#include <algorithm>

namespace podlane::control {

namespace {

// Long host names need large buckets. Without proxy_next_upstream's retries, a request is never
// carried out twice. The dataplane refuses connections to a Service without a ready endpoint: a
// failure before any byte was sent is nginx's own 502, and the client gets 503; a backend's 502 is
// passed on.
constexpr std::string_view kHttp = R"(
    server_tokens off;
    server_names_hash_bucket_size 512;
    server_names_hash_max_size 8192;

    ssl_protocols TLSv1.2 TLSv1.3;
    ssl_session_cache shared:podlane:10m;
    ssl_session_tickets off;

    map $http_upgrade $podlane_connection {
        default upgrade;
        "" close;
    }

    proxy_http_version 1.1;
    proxy_connect_timeout 5s;
    proxy_next_upstream off;
    error_page 502 = @podlane_unreached;
    proxy_redirect off;
    proxy_set_header Host $http_host;
    proxy_set_header Upgrade $http_upgrade;
    proxy_set_header Connection $podlane_connection;
    proxy_set_header X-Real-IP $remote_addr;
    proxy_set_header X-Forwarded-For $remote_addr;
    proxy_set_header X-Forwarded-Host $http_host;
    proxy_set_header X-Forwarded-Port $server_port;
    proxy_set_header X-Forwarded-Proto $scheme;
)";

constexpr std::string_view kUnreached = R"(
        location @podlane_unreached {
            if ($upstream_bytes_sent = "0") {
                return 503;
            }
            return 502;
        }
)";

/// A wildcard stands for exactly one label; nginx's own wildcards do not.
std::string server_name(const std::string& host) {
    if (!host.starts_with("*.")) return host;
    std::string pattern = "\"~^[^.]+";
    for (const char c : host.substr(1)) pattern += c == '.' ? "\\." : std::string(1, c);
    return pattern + "$\"";
}

void add_location(std::string& out, std::string_view match, const std::string& path,
                  const IngressTarget* target) {
    out += fmt::format("\n        location {}\"{}\" {{\n", match, path);
    if (target == nullptr) {
        out += "            return 404;\n";
    } else {
        out += fmt::format("            # {}\n", target->origin);
        out += target->address.empty()
                   ? std::string("            return 503;\n")
                   : fmt::format("            proxy_pass http://{};\n", target->address);
    }
    out += "        }\n";
}

/// If nginx only knows /a/, it redirects /a there, so every path that ends in / is also added
/// without it.
void add_locations(std::string& out, const IngressHost& host) {
    std::map<std::string, const IngressTarget*> exact;
    const auto add_exact = [&](const std::string& path) { exact[path] = host.find(path); };
    for (const auto& [path, target] : host.exact) {
        add_exact(path);
        if (path.size() > 1 && path.ends_with('/')) add_exact(path.substr(0, path.size() - 1));
    }
    for (const auto& [path, target] : host.prefix) {
        if (!path.empty()) add_exact(path);
    }
    for (const auto& [path, target] : exact) add_location(out, "= ", path, target);
    for (const auto& [path, target] : host.prefix) {
        if (!path.empty()) add_location(out, "", path + '/', &target);
    }
    // Everything that no path above matches; no path is as short as "/".
    const auto all = host.prefix.find("");
    const IngressTarget* rest = host.fallback ? &*host.fallback : nullptr;
    add_location(out, "", "/", all == host.prefix.end() ? rest : &all->second);
}

void add_listen(std::string& out, const NginxOptions& options, uint16_t port,
                std::string_view more) {
    out += fmt::format("        listen {}{};\n", port, more);
    if (options.ipv6) out += fmt::format("        listen [::]:{}{};\n", port, more);
}

void add_server(std::string& out, const IngressHost& host, const NginxOptions& options) {
    const bool is_default = host.name.empty();
    const std::string_view which = is_default ? " default_server" : "";
    out += "\n    server {\n";
    out += fmt::format("        server_name {};\n", is_default ? "_" : server_name(host.name));
    add_listen(out, options, options.http_port, which);
    if (is_default || !host.key_pair.empty()) {
        add_listen(out, options, options.https_port, fmt::format(" ssl{}", which));
    }
    if (!host.key_pair.empty()) {
        for (const char* what : {"ssl_certificate", "ssl_certificate_key"}) {
            out += fmt::format("        {} {}/tls/{};\n", what, options.folder, host.key_pair);
        }
    } else if (is_default) {
        out += "        ssl_reject_handshake on;\n";
    }
    add_locations(out, host);
    out += kUnreached;
    out += "    }\n";
}

}  // namespace

bool is_plain_file_name(const std::string& path) {
    return std::ranges::all_of(path, [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               c == '/' || c == '-' || c == '.' || c == '_';
    });
}

std::string nginx_config(const IngressPlan& plan, const NginxOptions& options) {
    std::string out = fmt::format(
        "# Written by \"podlanectl ingress config\" from the Ingresses of class {}; changes here\n"
        "# are lost. Settings of your own belong into {}/http.d/*.conf.\n"
        "pid {}/nginx.pid;\n"
        "error_log stderr warn;\n"
        "worker_processes auto;\n"
        "worker_rlimit_nofile 8192;\n"
        "worker_shutdown_timeout 10m;\n"
        "\n"
        "events {{\n"
        "    worker_connections 4096;\n"
        "}}\n"
        "\n"
        "http {{\n"
        "    access_log {};\n"
        "    include {}/http.d/*.conf;\n",
        options.class_name, options.folder, options.folder, options.access_log, options.folder);
    // Own paths, so that files are not shared with another nginx on this machine.
    for (const char* what : {"client_body", "proxy", "fastcgi", "uwsgi", "scgi"}) {
        out += fmt::format("    {}_temp_path {}/temp-{};\n", what, options.folder, what);
    }
    out += kHttp;
    for (const IngressHost& host : plan.hosts) add_server(out, host, options);
    return out + "}\n";
}

}  // namespace podlane::control
