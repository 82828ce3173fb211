//! A relay whose connections break, each after another number of bytes of its answer.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Whose bytes are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    Answers,
    Requests,
}

pub struct Relay {
    pub address: SocketAddr,
    broken: Arc<AtomicUsize>,
}

impl Relay {
    /// In front of an address. The connections break after `cuts` bytes, in turn; those that are shorter pass.
    pub fn start(to: SocketAddr, side: Side, cuts: &'static [usize]) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let broken = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&broken);
        std::thread::spawn(move || {
            for (number, stream) in listener.incoming().enumerate() {
                let (Ok(near), Ok(far)) = (stream, TcpStream::connect(to)) else { return };
                let cut = cuts[number % cuts.len()];
                let limit = |of: Side| if side == of { cut } else { usize::MAX };
                pass(&near, &far, limit(Side::Requests), &counter);
                pass(&far, &near, limit(Side::Answers), &counter);
            }
        });
        Self { address, broken }
    }

    /// How many connections were broken.
    pub fn broken(&self) -> usize {
        self.broken.load(Ordering::Relaxed)
    }
}

fn pass(from: &TcpStream, to: &TcpStream, limit: usize, broken: &Arc<AtomicUsize>) {
    let (mut from, mut to, broken) = (from.try_clone().unwrap(), to.try_clone().unwrap(), Arc::clone(broken));
    std::thread::spawn(move || {
        let (mut buffer, mut left) = ([0; 16 << 10], limit);
        while let Ok(length) = from.read(&mut buffer) {
            let passed = length.min(left);
            if length == 0 || to.write_all(&buffer[..passed]).is_err() {
                break;
            }
            left -= passed;
            if left == 0 {
                broken.fetch_add(1, Ordering::Relaxed);
                break;
            }
        }
        let _ = to.shutdown(Shutdown::Both);
        let _ = from.shutdown(Shutdown::Both);
    });
}
