//! Texts of a cluster, made fit to stand in sentences of ours.

use dyno_measure::words::one_line;

/// Longest text of the cluster's that is passed on, characters.
const LONGEST: usize = 500;
/// Longest name of an object, which is that of a domain, and of a label's or resource's key with its prefix.
const LONGEST_NAME: usize = 253;
const LONGEST_KEY: usize = LONGEST_NAME + 1 + LONGEST_LABEL;
/// Longest value of a label.
const LONGEST_LABEL: usize = 63;

/// A text of the cluster's, without control characters, not too long.
pub(crate) fn shortened(text: &str) -> String {
    one_line(text, LONGEST)
}

/// Without its full stop, since it ends a sentence of ours.
pub(crate) fn without_end(text: String) -> String {
    text.trim_end_matches('.').to_owned()
}

/// Whether an object may have this name: whoever answers at a cluster's address need not be Kubernetes.
pub(crate) fn is_object_name(name: &str) -> bool {
    name.len() <= LONGEST_NAME && is_made_of(name, "-.")
}

/// Whether it is a key of a label or taint, or the name of a resource, with its prefix.
pub(crate) fn is_key(key: &str) -> bool {
    key.len() <= LONGEST_KEY && is_made_of(key, "-_./")
}

/// Whether a label may have this value.
pub(crate) fn is_label_value(value: &str) -> bool {
    value.is_empty() || value.len() <= LONGEST_LABEL && is_made_of(value, "-_.")
}

/// Letters, digits, and between them these signs.
fn is_made_of(text: &str, signs: &str) -> bool {
    let is_plain = |letter: char| letter.is_ascii_alphanumeric();
    text.starts_with(is_plain)
        && text.ends_with(is_plain)
        && text.chars().all(|letter| is_plain(letter) || signs.contains(letter))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_that_kubernetes_gives() {
        for good in ["ip-10-0-0-1.ec2.internal", "a", "N1", &"x".repeat(253)] {
            assert!(is_object_name(good), "{good}");
        }
        for bad in ["", "a b", "a\r", "a\u{202e}b", "-a", "a.", "a/b", "名前", &"x".repeat(254)] {
            assert!(!is_object_name(bad), "{bad:?}");
        }
        assert!(is_key("nvidia.com/mig-1g.10gb") && is_key("team") && !is_key("nvidia.com/mig-\u{202e}x") && !is_key(""));
        assert!(
            is_label_value("")
                && is_label_value("NVIDIA-H100_80GB.x")
                && !is_label_value(&"x".repeat(64))
                && !is_label_value("a b")
        );
    }
}
