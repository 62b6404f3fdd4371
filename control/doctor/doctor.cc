#include "control/doctor/doctor.h"

#include "control/doctor/findings.h"

namespace podlane::control {

std::vector<Finding> examine(const Machine& machine, const NodeAnswers& node, const Asker& asker) {
    Examination at(machine, node, asker);
    for (const auto checks : {machine_checks(), node_checks()}) {
        for (const DoctorCheck& check : checks) {
            at.begin(check.name);
            check.look(at);
        }
    }
    return at.take();
}

}  // namespace podlane::control
