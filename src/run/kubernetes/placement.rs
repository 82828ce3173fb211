//! Which nodes a run's load comes from. Pure.

use dyno_kubernetes::ClusterNode;

use super::error::KubernetesError;

/// Nodes that are named where none has room.
const MOST_NAMED: usize = 8;

/// What a run's load pods ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct LoadDemand {
    pub pods: u32,
    /// Thousandths of a core, each.
    pub cpu_millis: u32,
}

/// Where the load comes from.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct LoadNodes {
    /// Of each load pod, in their order; the first leads the load. At least one.
    pub hostnames: Vec<String>,
    pub cpu_millis: u32,
    /// What is to be said of them.
    pub notes: Vec<String>,
}

impl LoadNodes {
    /// One load pod on this node.
    #[cfg(test)]
    pub(super) fn one(hostname: &str, cpu_millis: u32) -> Self {
        Self { hostnames: vec![hostname.to_owned()], cpu_millis, notes: Vec::new() }
    }

    /// What the load pods on a node ask for, thousandths of a core.
    pub(super) fn cpu_millis_on(&self, hostname: &str) -> u32 {
        let pods = self.hostnames.iter().filter(|node| *node == hostname).count();
        self.cpu_millis.saturating_mul(u32::try_from(pods).unwrap_or(u32::MAX))
    }
}

/// A node, and how many load pods it was given so far.
struct Candidate<'a> {
    node: &'a ClusterNode,
    tier: Tier,
    pods: u32,
}

/// Where a load disturbs least.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Tier {
    /// The chosen node, and nodes that are not under test.
    Apart,
    UnderTest,
}

/// Spreads the load pods: the first to the chosen node, the others over nodes that are not under test, then over those that are. Of
/// nodes with as many of them, the least busy comes first; one without room is passed over. A single load pod is given to the chosen
/// node, or to one under test, in any case: what is in its way may end soon, and the cluster says what it waits for.
pub(super) fn load_nodes(
    asked: Option<&str>,
    under_test: &[&str],
    demand: LoadDemand,
    nodes: &[ClusterNode],
) -> Result<LoadNodes, KubernetesError> {
    if let Some(asked) = asked
        && !nodes.iter().any(|node| node.hostname == asked && node.problem.is_none())
    {
        return Err(KubernetesError::NoLoadNode(asked.to_owned()));
    }
    let candidate = |node| Some(Candidate { node, tier: tier(node, asked, under_test)?, pods: 0 });
    let mut candidates: Vec<Candidate<'_>> = nodes.iter().filter_map(candidate).collect();
    if candidates.is_empty() {
        return Err(KubernetesError::NoNode);
    }
    let each = f64::from(demand.cpu_millis) / 1_000.0;
    let left = |candidate: &Candidate<'_>| free(candidate.node) - f64::from(candidate.pods) * each;
    let idle = |candidate: &Candidate<'_>| idle(candidate.node) - f64::from(candidate.pods) * each;
    let mut hostnames = Vec::new();
    for number in 1..=demand.pods.max(1) {
        let is_asked = |candidate: &&mut Candidate<'_>| asked == Some(candidate.node.hostname.as_str());
        let best = candidates
            .iter_mut()
            // A person's choice is not passed over, only said to be impossible.
            .filter(|candidate| number > 1 || asked.is_none() || is_asked(candidate))
            .filter(|candidate| {
                let may_wait = demand.pods <= 1 && (asked.is_some() || candidate.tier != Tier::Apart);
                may_wait || left(candidate) * 1_000.0 + 1e-6 >= f64::from(demand.cpu_millis)
            })
            .min_by(|a, b| {
                let by_room = || idle(b).total_cmp(&idle(a)).then_with(|| a.node.hostname.cmp(&b.node.hostname));
                a.tier.cmp(&b.tier).then(a.pods.cmp(&b.pods)).then_with(by_room)
            });
        let Some(best) = best else {
            let named = |candidate: &Candidate<'_>| (candidate.node.hostname.clone(), left(candidate).max(0.0));
            let only_asked = number == 1 && asked.is_some();
            let looked_at = candidates.iter().filter(|candidate| !only_asked || asked == Some(candidate.node.hostname.as_str()));
            return Err(no_room(number, demand, &looked_at.map(named).collect::<Vec<_>>()));
        };
        best.pods += 1;
        hostnames.push(best.node.hostname.clone());
    }
    let notes = shared(&hostnames, under_test);
    Ok(LoadNodes { hostnames, cpu_millis: demand.cpu_millis, notes })
}

fn tier(node: &ClusterNode, asked: Option<&str>, under_test: &[&str]) -> Option<Tier> {
    let name = node.hostname.as_str();
    match (asked == Some(name), under_test.contains(&name), node.taints.is_empty()) {
        _ if node.problem.is_some() => None,
        (true, ..) | (_, false, true) => Some(Tier::Apart),
        // A run is not begun on a tainted node.
        (_, true, _) => Some(Tier::UnderTest),
        (_, false, false) => None,
    }
}

/// Cores that no pod has asked for, by which a scheduler decides whether a pod has room.
fn free(node: &ClusterNode) -> f64 {
    node.cpu_allocatable - node.cpu_requested
}

/// Cores that no pod has asked for and that nothing uses: pods may use more than they ask for, or less.
fn idle(node: &ClusterNode) -> f64 {
    node.cpu_allocatable - node.cpu_used.unwrap_or(0.0).max(node.cpu_requested)
}

fn no_room(number: u32, demand: LoadDemand, nodes: &[(String, f64)]) -> KubernetesError {
    let named = nodes.iter().take(MOST_NAMED).map(|(hostname, left)| format!("{hostname} has {left:.2} CPU left"));
    let mut left: Vec<String> = named.collect();
    if nodes.len() > MOST_NAMED {
        left.push(format!("{} more have no more", nodes.len() - MOST_NAMED));
    }
    let which = match demand.pods {
        1 => "the load's pod".to_owned(),
        pods => format!("load pod {number} of {pods}"),
    };
    KubernetesError::NoRoomForLoad { which, cpu: f64::from(demand.cpu_millis) / 1_000.0, left: left.join(", ") }
}

/// Says of nodes under test that they are disturbed.
fn shared(hostnames: &[String], under_test: &[&str]) -> Vec<String> {
    let on = |node: &str| hostnames.iter().filter(|hostname| *hostname == node).count();
    let mut notes = Vec::new();
    for node in under_test.iter().filter(|node| on(node) > 0) {
        notes.push(match hostnames.len() {
            1 => format!("The load comes from node {node}, which is under test: load and engine share its processor."),
            all => format!(
                "{} of the {all} load pods {} on node {node}, which is under test: load and engine share its processor.",
                on(node),
                if on(node) == 1 { "is" } else { "are" },
            ),
        });
    }
    notes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::kubernetes::layout::tests::node;

    const ONE: LoadDemand = LoadDemand { pods: 1, cpu_millis: 1_000 };

    fn chosen(asked: Option<&str>, under_test: &[&str], pods: u32, nodes: &[ClusterNode]) -> LoadNodes {
        load_nodes(asked, under_test, LoadDemand { pods, ..ONE }, nodes).unwrap()
    }

    #[test]
    fn the_load_comes_from_a_node_that_is_not_under_test() {
        let nodes = [node("a", 8.0), node("b", 2.0), node("c", 4.0)];
        assert_eq!(chosen(None, &["a"], 1, &nodes), LoadNodes::one("c", 1_000));
        assert_eq!(chosen(Some("b"), &["a"], 1, &nodes).hostnames, ["b"]);
        let shared = chosen(None, &["a", "b", "c"], 1, &nodes);
        assert_eq!(shared.hostnames, ["a"], "the least busy one");
        assert!(shared.notes[0].contains("under test"));
        assert_eq!(chosen(Some("a"), &["a"], 1, &nodes).notes.len(), 1);
        let full = [node("a", 8.0), node("b", 0.5)];
        assert_eq!(chosen(None, &["a"], 1, &full).hostnames, ["a"], "b has no core to spare");
        let mut away = node("c", 9.0);
        away.problem = Some("NotReady".to_owned());
        assert_eq!(chosen(None, &["a"], 1, &[node("a", 8.0), away.clone()]).hostnames, ["a"]);
        assert!(matches!(load_nodes(Some("c"), &["a"], ONE, &[away]), Err(KubernetesError::NoLoadNode(_))));
        let mut tainted = node("d", 9.0);
        tainted.taints = vec!["dedicated=x:NoSchedule".to_owned()];
        assert_eq!(chosen(None, &["a"], 1, &[node("a", 8.0), tainted]).hostnames, ["a"]);
        assert!(matches!(load_nodes(None, &["a"], ONE, &[]), Err(KubernetesError::NoNode)));
    }

    #[test]
    fn a_node_whose_pods_use_more_than_they_ask_for_is_busy() {
        let mut used = node("b", 7.0);
        used.cpu_used = Some(6.5);
        let mut calm = node("c", 4.0);
        calm.cpu_used = Some(0.25);
        let nodes = [node("a", 8.0), used, calm];
        assert_eq!(chosen(None, &["a"], 1, &nodes).hostnames, ["c"]);
        assert_eq!(chosen(None, &["a"], 2, &nodes).hostnames, ["c", "b"], "there is room by what is requested");
    }

    #[test]
    fn load_pods_are_spread_and_a_node_without_room_is_passed_over() {
        let nodes = [node("a", 8.0), node("b", 2.5), node("c", 4.0)];
        assert_eq!(chosen(None, &["a"], 2, &nodes).hostnames, ["c", "b"]);
        assert_eq!(chosen(Some("b"), &["a"], 3, &nodes).hostnames, ["b", "c", "c"], "c has more left");
        let many = chosen(None, &["a"], 8, &nodes);
        assert_eq!(many.hostnames, ["c", "b", "c", "b", "c", "c", "a", "a"]);
        assert_eq!(many.notes.len(), 1);
        assert!(many.notes[0].starts_with("2 of the 8 load pods are on node a"), "{:?}", many.notes);
        assert_eq!((many.cpu_millis_on("c"), many.cpu_millis_on("a"), many.cpu_millis_on("x")), (4_000, 2_000, 0));
    }

    #[test]
    fn without_room_the_reason_has_the_numbers() {
        let nodes = [node("a", 1.0), node("b", 1.25)];
        let refused = |asked, demand| load_nodes(asked, &["a"], demand, &nodes).unwrap_err().to_string();
        assert_eq!(
            refused(None, LoadDemand { pods: 3, cpu_millis: 1_000 }),
            "No node has room for load pod 3 of 3, which asks for 1 CPU: a has 0.00 CPU left, b has 0.25 CPU left. Ask for less CPU or fewer load pods, or choose other nodes."
        );
        assert!(
            refused(Some("a"), LoadDemand { pods: 2, cpu_millis: 1_200 })
                .contains("for load pod 1 of 2, which asks for 1.2 CPU: a has 1.00 CPU left. ")
        );
        let single = LoadDemand { pods: 1, cpu_millis: 1_500 };
        assert_eq!(load_nodes(Some("a"), &["a"], single, &nodes).unwrap().hostnames, ["a"], "it waits there");
        assert_eq!(load_nodes(None, &["a", "b"], single, &nodes).unwrap().hostnames, ["b"], "the one with most room");
        assert!(load_nodes(None, &[], single, &nodes).is_err(), "no node is under test");
    }
}
