//! What a shared store adds to an admission: `cargo bench --bench stores`. The same requests are admitted by a scheduler that
//! counts on disk and by one that shares its limits by way of a real `redis-server`, in turns; printed are the times from
//! `Select` to the permit.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a bench prints, and ends by panicking"
)]

mod redis_server;

use std::path::PathBuf;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use actix::prelude::*;
use api_together::config::{ConfigChanged, ConfigSource, Overrides, load};
use api_together::mailbox::LaunchActor;
use api_together::persistence::{PersistenceActor, RedisStore, SharedBackend, SledStore};
use api_together::scheduler::{SchedulerActor, Select, SupervisorActor};
use api_together::types::{Outcome, ParameterSet, Profile, RequestTarget, RouteId, Settlement, TokenEstimate};

const ROUNDS: usize = 5;
const REQUESTS: usize = 2_000;
/// Between two requests: 1,000 a second.
const GAP: Duration = Duration::from_millis(1);

fn main() {
    let folder = std::env::temp_dir().join(format!("api-together-stores-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder");
    let (mut redis, port) = redis_server::start();
    System::new().block_on(async {
        // Blocks of 32 are drawn ahead; of the smaller limit, each request asks the store.
        for (name, rpm, requests) in
            [("rpm 1,000,000 (blocks of 32)", 1_000_000, REQUESTS), ("rpm 80 (blocks of 1)", 80, 14)]
        {
            let mut times = [Vec::new(), Vec::new()];
            for round in 0..ROUNDS {
                for (shared, times) in [false, true].into_iter().zip(&mut times) {
                    let folder = folder.join(format!("{round}-{shared}-{rpm}"));
                    let scheduler = scheduler(&folder, rpm, shared.then_some(port));
                    times.extend(run(&scheduler, requests).await);
                }
            }
            println!("{name}, {} admissions each", requests * ROUNDS);
            for (store, times) in ["sled ", "redis"].into_iter().zip(&mut times) {
                times.sort();
                let at = |share: f64| times[((times.len() - 1) as f64 * share) as usize].as_secs_f64() * 1e6;
                println!("  {store}  p50 {:7.1} µs   p99 {:7.1} µs   p99.9 {:7.1} µs", at(0.5), at(0.99), at(0.999));
            }
        }
    });
    redis.kill().expect("killed");
    redis.wait().expect("reaped");
    std::fs::remove_dir_all(&folder).expect("ours to remove");
}

/// A scheduler with one upstream of that limit.
fn scheduler(folder: &PathBuf, rpm: u32, redis: Option<u16>) -> Addr<SchedulerActor> {
    std::fs::create_dir_all(folder).expect("a folder");
    let path = folder.join("apis.json");
    let api =
        format!(r#"{{ "id": "a", "baseUrl": "http://127.0.0.1:1", "apiKey": "k", "models": ["m"], "rpm": {rpm} }}"#);
    std::fs::write(&path, format!(r#"{{ "apis": [{api}] }}"#)).expect("writes");
    let config = load(&ConfigSource { path, overrides: Overrides::default() }).expect("valid");
    let store = Arc::new(SledStore::open(&folder.join("data"), false).expect("opens"));
    let prefix = folder.display().to_string();
    let lender = redis.map(|port| {
        let store = RedisStore::new(&format!("redis://127.0.0.1:{port}"), &prefix).expect("a URL");
        Arc::new(store) as Arc<dyn SharedBackend>
    });
    let persistence = PersistenceActor::new(store, lender).launch();
    let supervisor = SupervisorActor::new(persistence, redis.is_some()).launch();
    supervisor.do_send(ConfigChanged(Arc::new(config)));
    SchedulerActor::new(supervisor).launch()
}

async fn run(scheduler: &Addr<SchedulerActor>, requests: usize) -> Vec<Duration> {
    let mut times = Vec::with_capacity(requests);
    for nth in 0..requests + 10 {
        let profile = Profile {
            model: Arc::from("m"),
            route: RouteId::new("chat/completions"),
            estimate: TokenEstimate { prompt: 100, completion: Some(400), ..TokenEstimate::default() },
            session: None,
            parameters: ParameterSet::NONE,
            apis: None,
        };
        let start = Instant::now();
        let selected = scheduler
            .send(Select {
                profile,
                target: RequestTarget::Any,
                excluded: Vec::new(),
                client: Weak::new(),
                may_queue: false,
                may_panic: true,
            })
            .await;
        let permit = selected.expect("answers").expect("there is room").permit;
        // The first ones find everything to be opened yet.
        if nth >= 10 {
            times.push(start.elapsed());
        }
        let mono = api_together::types::Now::read().mono;
        permit.sent_at.begin(mono);
        permit.sent_at.finish(mono);
        permit.settle(Settlement::of(Outcome::Completed, start.elapsed()));
        actix::clock::sleep(GAP).await;
    }
    times
}
