#include "control/kube/builtin_kinds.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <span>
#include <vector>

#include "control/document/fields.h"
#include "control/kube/meta.h"

namespace podlane::control {

namespace {

struct BuiltinKind {
    std::string_view group;
    std::string_view kind;
};

// What `kubectl api-resources` prints, with the kinds of subresources and lists that files may
// hold.
constexpr auto kBuiltin = std::to_array<BuiltinKind>({
    {"", "Binding"},
    {"", "ComponentStatus"},
    {"", "ConfigMap"},
    {"", "Endpoints"},
    {"", "Event"},
    {"", "LimitRange"},
    {"", "List"},
    {"", "Namespace"},
    {"", "Node"},
    {"", "PersistentVolume"},
    {"", "PersistentVolumeClaim"},
    {"", "Pod"},
    {"", "PodTemplate"},
    {"", "ReplicationController"},
    {"", "ResourceQuota"},
    {"", "Secret"},
    {"", "Service"},
    {"", "ServiceAccount"},
    {"", "Status"},
    {"admissionregistration.k8s.io", "MutatingAdmissionPolicy"},
    {"admissionregistration.k8s.io", "MutatingAdmissionPolicyBinding"},
    {"admissionregistration.k8s.io", "MutatingWebhookConfiguration"},
    {"admissionregistration.k8s.io", "ValidatingAdmissionPolicy"},
    {"admissionregistration.k8s.io", "ValidatingAdmissionPolicyBinding"},
    {"admissionregistration.k8s.io", "ValidatingWebhookConfiguration"},
    {"apiextensions.k8s.io", "CustomResourceDefinition"},
    {"apiregistration.k8s.io", "APIService"},
    {"apps", "ControllerRevision"},
    {"apps", "DaemonSet"},
    {"apps", "Deployment"},
    {"apps", "ReplicaSet"},
    {"apps", "StatefulSet"},
    {"authentication.k8s.io", "SelfSubjectReview"},
    {"authentication.k8s.io", "TokenRequest"},
    {"authentication.k8s.io", "TokenReview"},
    {"authorization.k8s.io", "LocalSubjectAccessReview"},
    {"authorization.k8s.io", "SelfSubjectAccessReview"},
    {"authorization.k8s.io", "SelfSubjectRulesReview"},
    {"authorization.k8s.io", "SubjectAccessReview"},
    {"autoscaling", "HorizontalPodAutoscaler"},
    {"autoscaling", "Scale"},
    {"batch", "CronJob"},
    {"batch", "Job"},
    {"certificates.k8s.io", "CertificateSigningRequest"},
    {"certificates.k8s.io", "ClusterTrustBundle"},
    {"certificates.k8s.io", "PodCertificateRequest"},
    {"coordination.k8s.io", "Lease"},
    {"coordination.k8s.io", "LeaseCandidate"},
    {"discovery.k8s.io", "EndpointSlice"},
    {"events.k8s.io", "Event"},
    {"flowcontrol.apiserver.k8s.io", "FlowSchema"},
    {"flowcontrol.apiserver.k8s.io", "PriorityLevelConfiguration"},
    {"internal.apiserver.k8s.io", "StorageVersion"},
    {"networking.k8s.io", "IPAddress"},
    {"networking.k8s.io", "Ingress"},
    {"networking.k8s.io", "IngressClass"},
    {"networking.k8s.io", "NetworkPolicy"},
    {"networking.k8s.io", "ServiceCIDR"},
    {"node.k8s.io", "RuntimeClass"},
    {"policy", "Eviction"},
    {"policy", "PodDisruptionBudget"},
    {"policy", "PodSecurityPolicy"},
    {"rbac.authorization.k8s.io", "ClusterRole"},
    {"rbac.authorization.k8s.io", "ClusterRoleBinding"},
    {"rbac.authorization.k8s.io", "Role"},
    {"rbac.authorization.k8s.io", "RoleBinding"},
    {"resource.k8s.io", "DeviceClass"},
    {"resource.k8s.io", "DeviceTaintRule"},
    {"resource.k8s.io", "ResourceClaim"},
    {"resource.k8s.io", "ResourceClaimTemplate"},
    {"resource.k8s.io", "ResourceSlice"},
    {"scheduling.k8s.io", "PriorityClass"},
    {"storage.k8s.io", "CSIDriver"},
    {"storage.k8s.io", "CSINode"},
    {"storage.k8s.io", "CSIStorageCapacity"},
    {"storage.k8s.io", "StorageClass"},
    {"storage.k8s.io", "VolumeAttachment"},
    {"storage.k8s.io", "VolumeAttributesClass"},
    {"storagemigration.k8s.io", "StorageVersionMigration"},
});

}  // namespace

bool is_builtin_group(std::string_view group) noexcept {
    return std::ranges::find(kBuiltin, group, &BuiltinKind::group) != kBuiltin.end();
}

bool is_builtin_kind(std::string_view group, std::string_view kind) noexcept {
    return std::ranges::any_of(
        kBuiltin, [&](const BuiltinKind& k) { return k.group == group && k.kind == kind; });
}

std::string similar_kind(std::string_view group, std::string_view kind) {
    std::vector<std::string_view> names;
    for (const BuiltinKind& builtin : kBuiltin) {
        if (builtin.group == group) names.push_back(builtin.kind);
    }
    if (const std::string_view near = closest(kind, names); !near.empty()) return std::string(near);
    // Either only the group is wrong, or both are.
    names.clear();
    for (const BuiltinKind& builtin : kBuiltin) names.push_back(builtin.kind);
    const auto ours = kind_from_name(closest(kind, names));
    return ours ? fmt::format("{} of {}", kind_name(*ours), api_version(*ours)) : std::string();
}

}  // namespace podlane::control
