//! Why an API server did not do as asked.

use kube::core::Status;

use crate::response_limits::AnswerTooLarge;
use crate::words::shortened;

/// Why a cluster did not answer as asked; the text is a sentence for people, with none of the server's own words but those
/// of Kubernetes' refusals.
#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    #[error("The cluster does not answer at its address.")]
    Unreachable(#[source] kube::Error),
    #[error("The cluster did not answer in time.")]
    Late,
    #[error("The cluster's certificate is not trusted. Its kubeconfig needs the certificate authority.")]
    Certificate(#[source] kube::Error),
    #[error("The cluster does not accept the kubeconfig's user. Its token or certificate may have expired.")]
    Unauthorized,
    /// What Kubernetes says is missing.
    #[error("The kubeconfig's user may not do this: {0}")]
    Forbidden(String),
    /// In the words of the cluster's own quota.
    #[error("The namespace's quota does not allow it: {0}")]
    Quota(String),
    /// In the words of the rule that refused it.
    #[error("The cluster's admission rules refuse it: {0}")]
    Admission(String),
    #[error("The cluster answered with an error: {0}")]
    Refused(String),
    /// The same question may be answered later.
    #[error("The cluster is not able to answer at the moment: {0}")]
    Unavailable(String),
    #[error("The cluster's answer was not understood.")]
    Unexpected(#[source] kube::Error),
    #[error("The API server's answer {0}.")]
    TooLarge(#[from] AnswerTooLarge),
    #[error("The kubeconfig does not lead to a cluster: {0}.")]
    Kubeconfig(String),
    #[error("The portal does not run in a Kubernetes cluster: it has no service account.")]
    NotInCluster,
}

impl From<kube::Error> for ApiError {
    fn from(error: kube::Error) -> Self {
        if let Some(too_large) = AnswerTooLarge::of(&error) {
            return Self::TooLarge(too_large);
        }
        match &error {
            kube::Error::Api(status) => Self::of_answer(status),
            kube::Error::HyperError(_) | kube::Error::Service(_) => {
                let text = words_of(&error);
                if ["certificate", "UnknownIssuer", "NotValidForName"].iter().any(|word| text.contains(word)) {
                    Self::Certificate(error)
                } else {
                    Self::Unreachable(error)
                }
            }
            _ => Self::Unexpected(error),
        }
    }
}

/// What kube gives as the reason of an error whose body is not Kubernetes' own.
const NOT_KUBERNETES: &str = "Failed to parse error data";

impl ApiError {
    /// From an answer with an error status. The words of a body that is not Kubernetes' own are not repeated: anything may be at
    /// the address.
    fn of_answer(answer: &Status) -> Self {
        let is_kubernetes = answer.is_failure() && answer.reason != NOT_KUBERNETES;
        if is_kubernetes || answer.code == 401 {
            return Self::of_status(answer.code, &answer.message);
        }
        // an object of another kind has no code
        let status = if answer.code == 0 { String::new() } else { format!("HTTP status {}, ", answer.code) };
        let said = format!("{status}in a form that is not Kubernetes'.");
        if matches!(answer.code, 429 | 500..) { Self::Unavailable(said) } else { Self::Refused(said) }
    }

    /// From the status and the words of the API server.
    pub(crate) fn of_status(code: u16, message: &str) -> Self {
        let said = shortened(message);
        match code {
            401 => Self::Unauthorized,
            403 if message.contains("exceeded quota") || message.contains("failed quota") => Self::Quota(said),
            // Who may do what is refused in these words, whichever authorizer it is.
            403 if message.contains(" cannot ") => Self::Forbidden(said),
            403 => Self::Admission(said),
            _ if message.contains("admission webhook") || message.contains("ValidatingAdmissionPolicy") => Self::Admission(said),
            429 | 500.. => Self::Unavailable(said),
            _ => Self::Refused(said),
        }
    }
}

/// The texts of an error and its causes.
pub(crate) fn words_of(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_says_who_refused() {
        let quota = "pods \"p\" is forbidden: exceeded quota: few, requested: pods=1, used: pods=1, limited: pods=1";
        assert!(matches!(ApiError::of_status(403, quota), ApiError::Quota(said) if said == quota));
        let security = "pods \"p\" is forbidden: violates PodSecurity \"restricted:latest\": hostPath volumes";
        assert!(matches!(ApiError::of_status(403, security), ApiError::Admission(_)));
        let webhook = "admission webhook \"policy.example\" denied the request: no latest tag";
        assert!(matches!(ApiError::of_status(400, webhook), ApiError::Admission(_)));
        let user = "nodes is forbidden: User \"nobody\" cannot list resource \"nodes\" in API group \"\" at the cluster scope";
        assert!(matches!(ApiError::of_status(403, user), ApiError::Forbidden(_)));
        assert!(matches!(ApiError::of_status(409, "conflict"), ApiError::Refused(_)));
        assert!(matches!(ApiError::of_status(500, "etcdserver: request timed out"), ApiError::Unavailable(_)));
        assert!(matches!(ApiError::of_status(401, "Unauthorized"), ApiError::Unauthorized));
    }
}
