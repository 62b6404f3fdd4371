// Shared by the checks of doctor.cc: the list of findings, and the tables of checks by subject.
#pragma once

#include <span>
#include <string>
#include <utility>
#include <vector>

#include "control/doctor/doctor.h"

namespace podlane::control {

/// The input of a check, and where it puts its findings.
class Examination {
  public:
    Examination(const Machine& on, const NodeAnswers& of, const Asker& by)
        : machine(on), node(of), asker(by) {}

    const Machine& machine;
    const NodeAnswers& node;
    const Asker& asker;

    void begin(std::string_view check) { check_ = check; }
    void ok(std::string what) { add(Severity::kOk, std::move(what), {}); }
    void note(std::string what, std::string mend) {
        add(Severity::kNote, std::move(what), std::move(mend));
    }
    void warn(std::string what, std::string mend) {
        add(Severity::kWarn, std::move(what), std::move(mend));
    }
    void fail(std::string what, std::string mend) {
        add(Severity::kFail, std::move(what), std::move(mend));
    }
    [[nodiscard]] std::vector<Finding> take() { return std::move(findings_); }

  private:
    void add(Severity severity, std::string what, std::string mend) {
        findings_.push_back({severity, check_, std::move(what), std::move(mend)});
    }

    std::string_view check_;
    std::vector<Finding> findings_;
};

struct DoctorCheck {
    std::string_view name;
    void (*look)(Examination& at);
};

/// What can be seen without podlaned.
[[nodiscard]] std::span<const DoctorCheck> machine_checks() noexcept;
/// The running node's answers.
[[nodiscard]] std::span<const DoctorCheck> node_checks() noexcept;

}  // namespace podlane::control
