// What cluster DNS must answer, computed from the objects as plainly as possible: the oracle for
// control/compile's names, lib/dns and the worker.
//
// Written from the Kubernetes DNS specification 1.1.0 alone: a map from names to records as text.
// It shares only the objects and the addresses' text with the code that it checks.
#pragma once

#include <map>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "control/kube/store.h"
#include "tests/support/dns_messages.h"

namespace podlane::test {

/// Names are text, lower case, without a final dot.
class DnsModel {
  public:
    enum class Kind : uint8_t { kAnswer, kNoData, kNxDomain, kElsewhere };
    struct Expected {
        Kind kind = Kind::kNxDomain;
        std::set<std::string> answers;  ///< "NAME TYPE DATA"
    };

    /// Reverse zones have whole labels: "244.10.in-addr.arpa".
    DnsModel(std::string domain, std::vector<std::string> servers,
             std::vector<std::string> reverse_zones);
    void add_all(const control::ObjectStore& store);

    [[nodiscard]] Expected ask(const std::string& name, const std::string& type) const;
    /// All names with records, and their parents.
    [[nodiscard]] std::vector<std::string> names() const;
    /// What is wrong with this answer to the question; "" if nothing is.
    [[nodiscard]] std::string judge(const std::string& name, const std::string& type,
                                    const DnsReply& reply) const;

  private:
    void add_service(const control::Service& service, const control::ObjectStore& store);
    void add_endpoint(const control::Service& service, const control::SliceEndpoint& endpoint,
                      const std::vector<control::EndpointPort>& ports);
    void add_record(const std::string& name, const std::string& type, const std::string& data);
    void add_pointer(const std::string& address, const std::string& name);
    [[nodiscard]] bool is_ours(const std::string& name) const;
    [[nodiscard]] bool pod_name(const std::string& name, std::string& type,
                                std::string& data) const;

    std::string domain_;
    std::vector<std::string> reverse_zones_;
    std::map<std::string, std::set<std::pair<std::string, std::string>>> records_;
    std::set<std::string> nodes_;  // names with records below them
};

/// Random Services and endpoints with few names, so that they clash, change and go.
class RandomNames {
  public:
    explicit RandomNames(uint64_t seed) : random_(seed) {}

    [[nodiscard]] control::Object object();
    /// A question about a name that exists, may exist, or does not.
    [[nodiscard]] std::pair<std::string, std::string> question(
        const std::vector<std::string>& names);
    /// The name with random upper and lower case letters.
    [[nodiscard]] std::string with_any_case(std::string name);
    [[nodiscard]] unsigned below(unsigned n) { return static_cast<unsigned>(random_() % n); }
    [[nodiscard]] bool chance(unsigned percent) { return below(100) < percent; }

  private:
    control::Object service();
    control::Object slice();
    control::Object endpoints();
    control::Object pod();
    control::SliceEndpoint endpoint(bool v6);
    std::vector<control::EndpointPort> ports();
    std::string address(bool v6);
    control::NamespacedName service_name();

    std::mt19937_64 random_;
};

/// The text of the reverse name of an address.
[[nodiscard]] std::string reverse_name(const std::string& address);

}  // namespace podlane::test
