//! A store that hangs in the middle of its answers, and goes on later.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::json;

use super::{ask_all, pause, three, under_load};
use crate::helpers::{Redis, Reply, Upstream, config_at, within};

const APIS: usize = 12;

const RPD: usize = 15;

/// Stands between servers and a store. While `holds` is set, half of the next answers arrive, and the rest when it ends.
struct Between {
    port: u16,
    holds: Arc<AtomicBool>,
}

impl Between {
    fn start(redis: &Redis) -> Between {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
        let port = listener.local_addr().expect("bound").port();
        let holds = Arc::<AtomicBool>::default();
        let (url, held) = (redis.url(), holds.clone());
        std::thread::spawn(move || {
            let store = url.trim_start_matches("redis://").trim_end_matches("/0").to_owned();
            for here in listener.incoming().map_while(Result::ok) {
                let there = TcpStream::connect(&store).expect("the store listens");
                let (mut asks, mut to) = (here.try_clone().expect("cloned"), there.try_clone().expect("cloned"));
                std::thread::spawn(move || {
                    // A connection may end at any time.
                    let _ = std::io::copy(&mut asks, &mut to);
                });
                let held = held.clone();
                std::thread::spawn(move || pass_answers(there, here, &held));
            }
        });
        Between { port, holds }
    }

    fn hold_for(&self, ms: u64) {
        self.holds.store(true, Ordering::Relaxed);
        pause(ms);
        self.holds.store(false, Ordering::Relaxed);
    }
}

fn pass_answers(mut from: TcpStream, mut to: TcpStream, holds: &AtomicBool) {
    let mut buffer = [0; 16 * 1024];
    while let Ok(length @ 1..) = from.read(&mut buffer) {
        let (first, rest) = buffer[..length].split_at(length / 2);
        let passed = to.write_all(first);
        while holds.load(Ordering::Relaxed) {
            pause(1);
        }
        if passed.and_then(|()| to.write_all(rest)).is_err() {
            return;
        }
    }
}

#[test]
fn a_store_that_hangs_in_the_middle_of_its_answers_stalls_nobody_and_no_limit_is_passed() {
    let redis = Redis::start();
    let between = Between::start(&redis);
    let upstream = Upstream::always(Reply::chat("hi"));
    let mut config = config_at(&vec![upstream.url(); APIS]);
    for api in config["apis"].as_array_mut().expect("entries") {
        api["rpd"] = json!(RPD);
    }
    config["store"] = json!({ "url": format!("redis://127.0.0.1:{}/0", between.port), "prefix": "pool" });
    let apps = three(&config);
    // No request may wait for one deadline after the other: the helper's bound is three of them.
    under_load(&apps, || {
        for ms in [700, 1_200, 2_500] {
            pause(150);
            between.hold_for(ms);
        }
    });
    // Loans that nobody has heard of are given back with the next row.
    within(Duration::from_secs(20), "all is used, and nothing more", || {
        ask_all(&apps, 20);
        assert!(upstream.calls() <= APIS * RPD, "{} calls", upstream.calls());
        upstream.calls() == APIS * RPD
    });
    assert_eq!(ask_all(&apps, 20), 0);
}
