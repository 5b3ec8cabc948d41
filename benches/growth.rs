//! How the time from `Select` to the permit grows with the pool: `cargo bench --bench growth`. 10, 100 and 1,000 upstreams, each with
//! limits and all with the same 100 models; the supervisor has a thread of its own, as in the server.

#![expect(clippy::expect_used, clippy::print_stdout, reason = "a bench prints, and ends by panicking")]

use std::path::{Path, PathBuf};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use actix::prelude::*;
use api_together::config::{Config, ConfigChanged, ConfigSource, Overrides, load};
use api_together::mailbox::LaunchActor;
use api_together::persistence::{PersistenceActor, SledStore};
use api_together::scheduler::{SchedulerActor, Select, SupervisorActor};
use api_together::types::{Now, Outcome, ParameterSet, Profile, RequestTarget, RouteId, Settlement, TokenEstimate};
use api_together::upstream::Permit;

/// As the server has it.
#[cfg(all(feature = "jemalloc", not(target_env = "msvc")))]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

const MODELS: usize = 100;
/// Selections that are timed.
const TIMED: usize = 100_000;
/// So many of them, and then a pause: some 20,000 a second, which is what two cores serve at most.
const AT_ONCE: usize = 100;
const PAUSE: Duration = Duration::from_millis(4);
/// So many requests are under way at the same time.
const UNDER_WAY: usize = 64;

fn main() {
    let folder = std::env::temp_dir().join(format!("api-together-growth-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder");
    System::new().block_on(async {
        for upstreams in [10, 100, 1_000] {
            let scheduler = scheduler(&folder.join(upstreams.to_string()), upstreams);
            let mut pool = Requests { scheduler, under_way: Vec::new() };
            // Each pair of a model and an upstream is asked for by the long way once.
            let (began, learning) = (Instant::now(), upstreams * MODELS * 6);
            for nth in 0..learning {
                pool.select(nth).await;
            }
            let learnt = began.elapsed().as_secs_f64() * 1e6 / learning as f64;
            for (pace, pause) in [("back to back ", None), ("20,000/s", Some(PAUSE))] {
                let mut times = Vec::with_capacity(TIMED);
                for nth in 0..TIMED {
                    times.push(pool.select(nth).await);
                    if let Some(pause) = pause.filter(|_| nth % AT_ONCE == 0) {
                        actix::clock::sleep(pause).await;
                    }
                }
                times.sort();
                let at = |share: f64| times.get(((TIMED - 1) as f64 * share) as usize).map_or(0.0, micros);
                println!(
                    "{upstreams:5} upstreams x {MODELS} models, {pace:13}   p50 {:5.2} µs   p90 {:5.2} µs   p99 {:6.1} µs   \
                     (while it learns: mean {learnt:5.1} µs)",
                    at(0.5),
                    at(0.9),
                    at(0.99),
                );
            }
        }
    });
    std::fs::remove_dir_all(&folder).expect("ours to remove");
}

fn micros(time: &Duration) -> f64 {
    time.as_secs_f64() * 1e6
}

struct Requests {
    scheduler: Addr<SchedulerActor>,
    under_way: Vec<Permit>,
}

impl Requests {
    /// One request, for one of the models in turn; an older one ends.
    async fn select(&mut self, nth: usize) -> Duration {
        let model = Arc::from(format!("model-{}", nth % MODELS));
        let estimate = TokenEstimate { prompt: 100, completion: Some(400), ..TokenEstimate::default() };
        let profile = Profile {
            model,
            route: RouteId::new("chat/completions"),
            estimate,
            session: None,
            parameters: ParameterSet::NONE,
            apis: None,
        };
        let start = Instant::now();
        let selected = self
            .scheduler
            .send(Select {
                profile,
                target: RequestTarget::Any,
                excluded: Vec::new(),
                client: Weak::new(),
                may_queue: false,
                may_panic: true,
            })
            .await;
        let took = start.elapsed();
        let permit = selected.expect("answers").expect("there is room").permit;
        let mono = Now::read_mono();
        permit.sent_at.begin(mono);
        permit.sent_at.finish(mono);
        self.under_way.push(permit);
        if self.under_way.len() > UNDER_WAY {
            let ended = self.under_way.swap_remove(nth % UNDER_WAY);
            let duration = ended.elapsed();
            ended.settle(Settlement::of(Outcome::Completed, duration));
        }
        took
    }
}

/// A scheduler on this thread, with its supervisor and so many upstreams on another.
fn scheduler(folder: &Path, upstreams: usize) -> Addr<SchedulerActor> {
    std::fs::create_dir_all(folder).expect("a folder");
    let config = Arc::new(config(&folder.join("apis.json"), upstreams));
    let store = Arc::new(SledStore::open(&folder.join("data"), false).expect("opens"));
    let control = Arbiter::new().handle();
    let persistence = PersistenceActor::launch_on(&control, |_| PersistenceActor::new(store, None));
    let supervisor = SupervisorActor::launch_on(&control, |_| SupervisorActor::new(persistence, false));
    supervisor.do_send(ConfigChanged(config));
    SchedulerActor::new(supervisor).launch()
}

fn config(path: &PathBuf, upstreams: usize) -> Config {
    let models: Vec<String> = (0..MODELS).map(|nth| format!("\"model-{nth}\"")).collect();
    let api = |nth: usize| {
        format!(
            r#"{{ "id": "api-{nth}", "baseUrl": "http://127.0.0.1:1", "apiKey": "k", "models": [{}],
                 "rpm": 1000000, "rpd": 1000000000, "tpm": 1000000000, "tpd": 1000000000000 }}"#,
            models.join(",")
        )
    };
    let apis: Vec<String> = (0..upstreams).map(api).collect();
    std::fs::write(path, format!(r#"{{ "apis": [{}] }}"#, apis.join(","))).expect("writes");
    load(&ConfigSource { path: path.clone(), overrides: Overrides::default() }).expect("valid")
}
