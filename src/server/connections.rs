//! Limits connections and their idle time, so that neither incomplete requests nor many connections of one client keep others
//! out.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::{Request, Response};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio_io_timeout::TimeoutStream;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt;

use super::bodies::{Paced, Pacing, TrackedBody};
use crate::auth::throttle::network_of;

/// Open files that the portal asks the system for.
const OPEN_FILES: u64 = 65_536;
/// The connection itself, and the file that is its answer.
const FILES_OF_A_CONNECTION: usize = 2;
/// Open files that are reserved for everything but connections.
const RESERVED: u64 = 256;
/// Largest request head, bytes.
const LARGEST_HEAD: usize = 64 << 10;
/// Pause after a connection could not be accepted, for want of a free file, say.
const ACCEPT_AGAIN: Duration = Duration::from_millis(200);
/// Time for an answer's last bytes when the portal stops.
const LAST_BYTES: Duration = Duration::from_millis(500);

#[derive(Debug, Clone)]
pub(super) struct ConnectionLimits {
    /// Longest wait for a complete request head, and for the next request on a connection.
    pub head: Duration,
    pub body: Pacing,
    /// Longest wait for a client to take more of its answer.
    pub answer: Duration,
    /// Most connections of one client (of IPv6, of its network) that is not a trusted proxy.
    pub per_peer: usize,
    pub all: usize,
    /// Trusted proxies, each of which has many clients.
    pub proxies: Vec<IpAddr>,
    /// Replaces `head` for proxies: they keep idle connections, and a request fails when its connection is just being closed.
    pub proxy_head: Duration,
}

impl ConnectionLimits {
    /// The portal's limits, after raising the number of open files.
    pub(super) fn of_portal(proxies: Vec<IpAddr>) -> Self {
        let files = usize::try_from(more_open_files().saturating_sub(RESERVED)).unwrap_or(usize::MAX);
        let all = (files / FILES_OF_A_CONNECTION).max(64);
        Self {
            head: Duration::from_secs(30),
            body: Pacing::default(),
            answer: Duration::from_secs(120),
            per_peer: (all / 2).min(512),
            all,
            proxies,
            proxy_head: Duration::from_secs(150),
        }
    }
}

/// Raises the process's limit of open files as far as useful; returns it.
fn more_open_files() -> u64 {
    use nix::sys::resource::{Resource, getrlimit, setrlimit};
    let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE) else { return 1024 };
    let wanted = hard.min(OPEN_FILES);
    if soft >= wanted { soft } else { setrlimit(Resource::RLIMIT_NOFILE, wanted, hard).map_or(soft, |()| wanted) }
}

struct Open {
    /// The network of an IPv6 client.
    peer: IpAddr,
    /// Whether a request is being answered; else the connection waits for a head.
    busy: Arc<AtomicBool>,
    end: CancellationToken,
}

/// The open connections, oldest first.
#[derive(Default)]
struct Register {
    next: u64,
    open: std::collections::BTreeMap<u64, Open>,
    of_peer: HashMap<IpAddr, usize>,
}

impl Register {
    /// Makes room for a connection of a client, if necessary by closing the oldest one that waits for a head: a well-behaved
    /// client sends its request soon. False: all connections are being answered.
    fn make_room(&mut self, peer: IpAddr, is_proxy: bool, limits: &ConnectionLimits) -> bool {
        let of_peer = self.of_peer.get(&peer).copied().unwrap_or_default();
        let peer_is_full = of_peer >= limits.per_peer && !is_proxy;
        if !peer_is_full && self.open.len() < limits.all {
            return true;
        }
        let mut waiting = self.open.iter().filter(|(_, open)| !open.busy.load(Ordering::Relaxed));
        let oldest = waiting.find(|(_, open)| !peer_is_full || open.peer == peer).map(|(number, _)| *number);
        let Some(gone) = oldest.and_then(|number| self.remove(number)) else { return false };
        gone.end.cancel();
        true
    }

    fn add(&mut self, peer: IpAddr) -> (u64, Arc<AtomicBool>, CancellationToken) {
        let (busy, end) = (Arc::new(AtomicBool::new(false)), CancellationToken::new());
        self.next += 1;
        self.open.insert(self.next, Open { peer, busy: Arc::clone(&busy), end: end.clone() });
        *self.of_peer.entry(peer).or_default() += 1;
        (self.next, busy, end)
    }

    fn remove(&mut self, number: u64) -> Option<Open> {
        let open = self.open.remove(&number)?;
        if let Some(count) = self.of_peer.get_mut(&open.peer) {
            *count -= 1;
            if *count == 0 {
                self.of_peer.remove(&open.peer);
            }
        }
        Some(open)
    }
}

fn locked(register: &Mutex<Register>) -> MutexGuard<'_, Register> {
    register.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Serves until `stop`, then waits for the answers in progress.
pub(super) async fn serve(listener: TcpListener, router: Router, limits: ConnectionLimits, stop: CancellationToken) {
    let (register, tasks) = (Arc::new(Mutex::new(Register::default())), TaskTracker::new());
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        let (stream, address) = match accepted {
            Ok(accepted) => accepted,
            // an error of this connection only
            Err(error) if is_of_the_peer(&error) => continue,
            Err(error) => {
                tracing::error!(%error, "a connection could not be accepted");
                tokio::time::sleep(ACCEPT_AGAIN).await;
                continue;
            }
        };
        let peer = address.ip().to_canonical();
        let place = {
            let (mut register, network) = (locked(&register), network_of(peer));
            register.make_room(network, limits.proxies.contains(&peer), &limits).then(|| register.add(network))
        };
        let Some((number, busy, end)) = place else {
            tracing::warn!(%peer, "refused a connection: too many are open");
            continue;
        };
        let (router, limits, stop, register) = (router.clone(), limits.clone(), stop.clone(), Arc::clone(&register));
        tasks.spawn(async move {
            connection(stream, address, router, &limits, busy, end, stop).await;
            locked(&register).remove(number);
        });
    }
    drop(listener);
    tasks.close();
    tasks.wait().await;
}

fn is_of_the_peer(error: &std::io::Error) -> bool {
    use std::io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

async fn connection(
    stream: TcpStream,
    address: SocketAddr,
    router: Router,
    limits: &ConnectionLimits,
    busy: Arc<AtomicBool>,
    end: CancellationToken,
    stop: CancellationToken,
) {
    // small answers are not delayed by Nagle's algorithm
    let _ = stream.set_nodelay(true);
    let mut stream = Box::pin(TimeoutStream::new(stream));
    stream.as_mut().set_write_timeout_pinned(Some(limits.answer));
    let (pacing, answering) = (limits.body, Arc::clone(&busy));
    let service = service_fn(move |request: Request<Incoming>| {
        busy.store(true, Ordering::Relaxed);
        let (router, busy) = (router.clone(), Arc::clone(&busy));
        let mut request = request.map(|body| Body::new(Paced::new(body, pacing)));
        request.extensions_mut().insert(ConnectInfo(address));
        async move {
            let answer: Result<Response<Body>, std::convert::Infallible> = router.oneshot(request).await;
            answer.map(|answer| answer.map(|body| TrackedBody::new(body, busy)))
        }
    });
    let serving = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(if limits.proxies.contains(&address.ip().to_canonical()) { limits.proxy_head } else { limits.head })
        .max_buf_size(LARGEST_HEAD)
        .serve_connection(TokioIo::new(stream), service);
    let mut serving = std::pin::pin!(serving);
    let served = tokio::select! {
        served = serving.as_mut() => served,
        () = end.cancelled() => return,
        () = stop.cancelled() => {
            serving.as_mut().graceful_shutdown();
            loop {
                tokio::select! {
                    served = serving.as_mut() => break served,
                    // an incomplete head does not delay the stop
                    () = tokio::time::sleep(LAST_BYTES) => if !answering.load(Ordering::Relaxed) { return },
                }
            }
        }
    };
    if let Err(error) = served {
        tracing::debug!(%address, %error, "a connection ended early");
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use axum::routing::{get, post};
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    const SHORT: Duration = Duration::from_millis(300);

    async fn start(change: impl FnOnce(&mut ConnectionLimits)) -> (SocketAddr, CancellationToken, tokio::task::JoinHandle<()>) {
        let router = Router::new()
            .route("/", get(|| async { "here" }))
            .route("/large", get(|| async { vec![b'x'; 64 << 20] }))
            .route("/length", post(|body: axum::body::Bytes| async move { body.len().to_string() }))
            .route("/slow", get(|| async { tokio::time::sleep(3 * SHORT).await }));
        let body = Pacing { idle: SHORT, allowance: SHORT, bytes_per_s: 1_000_000 };
        let (head, answer, proxy_head) = (SHORT, SHORT, SHORT);
        let mut limits = ConnectionLimits { head, body, answer, per_peer: 8, all: 64, proxies: Vec::new(), proxy_head };
        change(&mut limits);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (address, stop) = (listener.local_addr().unwrap(), CancellationToken::new());
        (address, stop.clone(), tokio::spawn(serve(listener, router, limits, stop)))
    }

    async fn say(address: SocketAddr, text: &str) -> TcpStream {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(text.as_bytes()).await.unwrap();
        stream
    }

    /// Reads until the connection is closed.
    async fn heard(mut stream: TcpStream) -> String {
        let mut bytes = Vec::new();
        let _ = tokio::time::timeout(20 * SHORT, stream.read_to_end(&mut bytes)).await.expect("it was closed");
        String::from_utf8(bytes).unwrap()
    }

    const WHOLE: &str = "GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
    const HALF: &str = "GET / HTTP/1.1\r\nhost: x\r\nx-half";

    #[test]
    fn as_many_files_may_be_open_as_the_system_allows() {
        use nix::sys::resource::{Resource, getrlimit, setrlimit};
        let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
        // what a login usually has
        setrlimit(Resource::RLIMIT_NOFILE, hard.min(1024), hard).unwrap();
        assert_eq!(more_open_files(), hard.min(OPEN_FILES));
        assert_eq!(getrlimit(Resource::RLIMIT_NOFILE).unwrap().0, hard.min(OPEN_FILES));
    }

    #[tokio::test]
    async fn half_a_head_is_not_waited_for_long() {
        let (address, ..) = start(|_| {}).await;
        let begun = Instant::now();
        let said = heard(say(address, HALF).await).await;
        assert!(!said.contains("200 OK") && begun.elapsed() >= SHORT / 2, "{said}");
        assert!(heard(say(address, WHOLE).await).await.ends_with("here"));
    }

    #[tokio::test]
    async fn half_a_head_is_not_in_the_way_of_stopping() {
        let (address, stop, served) = start(|limits| limits.head = Duration::from_hours(1)).await;
        let half = say(address, HALF).await;
        // Connections are accepted in their order, so the first one is open by now.
        assert!(heard(say(address, WHOLE).await).await.ends_with("here"));
        stop.cancel();
        tokio::time::timeout(200 * SHORT, served).await.expect("the stop waits for the rest of the head").unwrap();
        drop(half);
    }

    #[tokio::test]
    async fn half_a_body_is_not_waited_for_long_and_a_slow_one_comes_through() {
        let (address, ..) = start(|limits| limits.body.bytes_per_s = 10).await;
        let head = "POST /length HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: 40\r\n\r\n";
        let said = heard(say(address, &format!("{head}half")).await).await;
        assert!(!said.contains("200 OK"), "{said}");

        let mut slow = say(address, head).await;
        for _ in 0..4 {
            tokio::time::sleep(SHORT / 2).await;
            slow.write_all(b"ten bytes.").await.unwrap();
        }
        assert!(heard(slow).await.ends_with("40"));
    }

    #[tokio::test]
    async fn a_body_in_many_small_pieces_is_refused() {
        let (address, ..) = start(|limits| limits.body.idle = 20 * SHORT).await;
        let answer = async |pieces: usize| {
            let mut sender =
                say(address, "POST /length HTTP/1.1\r\nhost: x\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n").await;
            // the rest may be refused
            let _ = sender.write_all(&[&b"1\r\nx\r\n".repeat(pieces)[..], b"0\r\n\r\n"].concat()).await;
            heard(sender).await
        };
        assert!(answer(9_000).await.ends_with("9000"));
        assert!(!answer(90_000).await.contains("200 OK"));
    }

    #[tokio::test]
    async fn an_answer_that_nobody_reads_is_given_up() {
        let (address, ..) = start(|limits| limits.per_peer = 1).await;
        let unread = say(address, "GET /large HTTP/1.1\r\nhost: x\r\n\r\n").await;
        // the only place is free once the answer was given up
        let mut tries = 0;
        while !try_to_read(address).await {
            tries += 1;
            assert!(tries < 100, "the connection stays");
            tokio::time::sleep(SHORT / 3).await;
        }
        drop(unread);
    }

    /// Whether a whole answer comes; a refused connection is closed at once.
    async fn try_to_read(address: SocketAddr) -> bool {
        let mut bytes = Vec::new();
        let mut stream = TcpStream::connect(address).await.unwrap();
        let _ = stream.write_all(WHOLE.as_bytes()).await;
        let _ = stream.read_to_end(&mut bytes).await;
        bytes.ends_with(b"here")
    }

    #[tokio::test]
    async fn a_body_that_only_drips_is_given_up() {
        let (address, ..) = start(|_| {}).await;
        let mut drip = say(address, "POST /length HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: 400\r\n\r\n").await;
        let begun = Instant::now();
        while begun.elapsed() < 3 * SHORT && drip.write_all(b"x").await.is_ok() {
            tokio::time::sleep(SHORT / 6).await;
        }
        assert!(!heard(drip).await.contains("200 OK"));
    }

    #[tokio::test]
    async fn the_oldest_that_has_not_asked_gives_way() {
        let (address, ..) = start(|limits| limits.head = 100 * SHORT).await;
        let mut half = Vec::new();
        for _ in 0..40 {
            half.push(say(address, HALF).await);
        }
        assert!(heard(say(address, WHOLE).await).await.ends_with("here"));
        assert_eq!(heard(half.remove(0)).await, "");
    }

    #[tokio::test]
    async fn a_peer_whose_connections_are_all_answered_gets_no_more_and_a_proxy_does() {
        let slow = "GET /slow HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
        for (proxy, served) in [(false, false), (true, true)] {
            let (address, ..) = start(|limits| limits.proxies = proxy.then(|| [127, 0, 0, 1].into()).into_iter().collect()).await;
            let mut open = Vec::new();
            for _ in 0..8 {
                open.push(say(address, slow).await);
            }
            tokio::time::sleep(SHORT).await;
            let mut stream = TcpStream::connect(address).await.unwrap();
            let _ = stream.write_all(WHOLE.as_bytes()).await;
            assert_eq!(heard(stream).await.ends_with("here"), served, "proxy: {proxy}");
            for stream in open {
                assert!(heard(stream).await.contains("200 OK"), "those that were there are answered");
            }
        }
    }

    #[tokio::test]
    async fn a_stop_waits_for_answers_and_not_for_silence() {
        let (address, stop, server) = start(|limits| limits.head = 100 * SHORT).await;
        let (slow, half) = (say(address, "GET /slow HTTP/1.1\r\nhost: x\r\n\r\n").await, say(address, HALF).await);
        let idle = TcpStream::connect(address).await.unwrap();
        tokio::time::sleep(SHORT / 3).await;
        stop.cancel();
        assert!(heard(slow).await.contains("200 OK"));
        assert_eq!((heard(idle).await, heard(half).await), (String::new(), String::new()));
        tokio::time::timeout(10 * SHORT, server).await.expect("it ends").unwrap();
    }
}
