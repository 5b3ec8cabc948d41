//! The guarantee of `docs/quotas.md`, from outside: an upstream never gets more than its limits, whatever the crowd, the
//! clock or a `kill -9` does, and of what it allows little is wasted.

use std::collections::BTreeMap;
use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde_json::{Value, json};

use crate::helpers::{App, Client, Launch, Reply, Upstream, WallClock, config_of, eventually, hurried};

/// A day, in seconds.
const DAY: i64 = 86_400;

/// A zone in which it is about noon: midnight is hours away.
fn noon_somewhere() -> String {
    let hour = jiff::Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC).hour();
    format!("Etc/GMT{:+}", hour - 12)
}

/// A configuration of one upstream for each of these limits, in a zone where no midnight is near.
fn limited(upstreams: &[(&Upstream, &str, usize)]) -> Value {
    let mut config = config_of(&upstreams.iter().map(|(upstream, ..)| *upstream).collect::<Vec<_>>());
    for (nth, (_, limit, bound)) in upstreams.iter().enumerate() {
        config["apis"][nth]["reset"] = json!(noon_somewhere());
        config["apis"][nth][limit] = json!(bound);
    }
    config
}

#[test]
fn of_400_at_once_exactly_as_many_pass_as_the_limits_allow_and_the_others_hear_so_soon() {
    for limit in ["rpm", "rpd"] {
        let (first, second) = (Upstream::always(Reply::chat("1")), Upstream::always(Reply::chat("2")));
        let app = App::start(&limited(&[(&first, limit, 60), (&second, limit, 40)]));
        let barrier = Barrier::new(400);
        let ask = || {
            barrier.wait();
            let start = Instant::now();
            (app.chat().status, start.elapsed())
        };
        let answers: Vec<(u16, Duration)> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..400).map(|_| scope.spawn(ask)).collect();
            threads.into_iter().map(|thread| thread.join().expect("answered")).collect()
        });
        let of = |status: u16| answers.iter().filter(move |(s, _)| *s == status);
        assert_eq!((of(200).count(), of(429).count()), (100, 300), "{limit}");
        assert_eq!((first.calls(), second.calls()), (60, 40), "{limit}");
        let slowest = of(429).map(|(_, took)| *took).max().expect("300 of them");
        assert!(slowest < Duration::from_secs(5), "{limit}: refused after {slowest:?}");
    }
}

/// Requests that tell when they were sent, so that it is known between which two moments each reached its upstream.
#[derive(Clone, Copy)]
struct Timeline(Instant);

impl Timeline {
    /// Asks for a model. Returns the answer's status once all of the answer is there.
    fn ask(self, client: &Client, model: &str) -> u16 {
        let sent = u64::try_from(self.0.elapsed().as_micros()).expect("no test is so long");
        let answer = client.post("/v1/chat/completions", &json!({ "model": model, "sent": sent }));
        let status = answer.status;
        answer.bytes();
        status
    }

    /// The most requests that reached an upstream within any span of this length, beyond doubt: they were sent after it
    /// began, and had come before it ended.
    fn most_within(self, span: Duration, upstream: &Upstream) -> usize {
        let arrivals = upstream.received().into_iter().map(|request| {
            let sent = request.json()["sent"].as_u64().expect("a time");
            (Duration::from_micros(sent), request.at - self.0)
        });
        let arrivals: Vec<(Duration, Duration)> = arrivals.collect();
        let holds = |from: Duration| arrivals.iter().filter(|(sent, at)| *sent >= from && *at < from + span).count();
        arrivals.iter().map(|(sent, _)| holds(*sent)).max().unwrap_or(0)
    }
}

#[test]
fn no_60_seconds_hold_more_than_rpm_across_any_edge_of_a_minute() {
    // The server's time goes by 20 times as fast: three minutes in 9 s.
    const HURRY: u32 = 20;
    const RPM: usize = 120;
    const CLIENTS: usize = 6;
    let (minute, run) = (Duration::from_secs(60) / HURRY, Duration::from_secs(180) / HURRY);
    let upstream = Upstream::always(Reply::chat("hi"));
    let app = hurried(Launch::new(&limited(&[(&upstream, "rpm", RPM)])), HURRY).start();
    let (client, timeline) = (app.client(), Timeline(Instant::now()));
    // About twice what the limit allows (on a busy machine for longer), spread at random; that it all passes at an edge, too, happens by itself.
    std::thread::scope(|scope| {
        let ask_on = || {
            let mut asked = 0;
            while timeline.0.elapsed() < run || asked * CLIENTS <= 3 * RPM {
                timeline.ask(&client, "m");
                asked += 1;
                std::thread::sleep(Duration::from_millis(rand::rng().random_range(0..60)));
            }
        };
        for _ in 0..CLIENTS {
            scope.spawn(ask_on);
        }
    });
    let most = timeline.most_within(minute, &upstream);
    assert!(most <= RPM, "{most} in a minute of at most {RPM}");
    let passed = upstream.calls();
    assert!(passed * 10 >= 3 * RPM * 8, "of {} that the limit allows, {passed} passed", 3 * RPM);
}

/// How a clock comes to be another one.
#[derive(Debug, Clone, Copy)]
enum Setting {
    /// Somebody sets it while the server runs.
    Running,
    /// It is set while the server is stopped.
    Stopped,
    /// It is set after the server was killed, and before it starts anew.
    Killed,
}

impl Setting {
    fn perform(self, clock: &WallClock, off: i64, app: App) -> App {
        let launch = match self {
            Setting::Running => {
                clock.set(off);
                return app;
            }
            Setting::Stopped => app.stop(),
            Setting::Killed => app.kill(),
        };
        clock.set(off);
        launch.start()
    }
}

/// How many seconds the server's wall clock is off.
fn off(app: &App) -> i64 {
    let told = app.client().get("/v1/status").json()["timestamp"].as_str().expect("a time").to_owned();
    told.parse::<jiff::Timestamp>().expect("a timestamp").as_second() - jiff::Timestamp::now().as_second()
}

/// 20 minutes, in seconds.
const FORWARD: i64 = 20 * 60;

/// Which clock the server gets, one after the other, and how. All of them show the same day, or the one before.
const STEPS: [(Setting, i64); 12] = [
    (Setting::Running, -DAY),
    (Setting::Killed, -DAY),
    (Setting::Running, 0),
    (Setting::Stopped, -DAY),
    (Setting::Stopped, 0),
    (Setting::Running, FORWARD),
    (Setting::Killed, 0),
    (Setting::Killed, FORWARD),
    (Setting::Running, 0),
    (Setting::Stopped, FORWARD),
    (Setting::Killed, -DAY),
    (Setting::Killed, 0),
];

/// Over midnight: this opens a civil day, as there is no telling it from midnight, and nothing else.
const FAR: [(Setting, i64); 4] =
    [(Setting::Running, 2 * DAY), (Setting::Killed, 4 * DAY), (Setting::Stopped, 6 * DAY), (Setting::Running, 0)];

#[test]
fn no_clock_that_is_set_opens_a_minute_or_a_day_or_closes_one() {
    let limit = STEPS.len();
    let names = ["rpm", "rolling", "rpd"];
    let upstreams: BTreeMap<&str, Upstream> = names.map(|name| (name, Upstream::always(Reply::chat("hi")))).into();
    let mut config = limited(&names.map(|name| (&upstreams[name], if name == "rpm" { name } else { "rpd" }, limit)));
    for (nth, name) in names.iter().enumerate() {
        config["apis"][nth]["id"] = json!(name);
        config["apis"][nth]["models"] = json!([name]);
    }
    config["apis"][1]["reset"] = json!("rolling");

    let clock = WallClock::new();
    let mut app = clock.on(Launch::new(&config)).start();
    // It has seen what day it is before anybody touches the clock: what it never saw, it can't hold on to.
    assert!(names.iter().all(|name| app.usage_of(name) == (0, 0)));
    let timeline = Timeline(Instant::now());
    // One request after each step uses the limits up; the second time round, nothing is left.
    for (round, steps, names) in
        [("first", &STEPS[..], &names[..]), ("second", &STEPS, &names), ("last", &FAR, &names[..2])]
    {
        for (nth, &(setting, by)) in steps.iter().enumerate() {
            let what = format!("{round} round, step {nth}, {setting:?}, {by} s off");
            app = setting.perform(&clock, by, app);
            eventually(&what, || (off(&app) - by).abs() <= 2);
            for name in names {
                let (upstream, (minute, day)) = (&upstreams[name], app.usage_of(name));
                // On a machine so slow that a minute has passed, some of it has left the minute.
                let counted = if *name == "rpm" && timeline.0.elapsed().as_secs() < 60 { minute } else { day };
                let arrived = upstream.calls();
                assert!(counted as usize >= arrived, "{what}: {name} counts {counted} of {arrived} that arrived");
                let status = timeline.ask(&app.client(), name);
                assert!(round != "first" || status == 200, "{what}: {name} has room, and says {status}");
                let span = if *name == "rpm" { Duration::from_secs(60) } else { Duration::from_secs(DAY as u64) };
                let most = timeline.most_within(span, upstream);
                assert!(most <= limit, "{what}: {name} {most} of {limit}");
            }
        }
    }
}

/// Starts the program thirty times, and kills it as often in the middle of a load of `clients`; then asks until it says no.
fn thirty_lives(rpd: usize, clients: usize, requests_a_life: usize) {
    const LIVES: usize = 30;
    // What a crash may cost at most: the block, and what was out. A block of one is drawn for an attempt that waits for it.
    let block = if rpd < 100 { 0 } else { (rpd / 50).min(32) };
    let price = block + clients;
    let upstream = Upstream::always(Reply::chat("hi").after(Duration::from_millis(5)));
    let calls = || upstream.calls();
    // A minute of as many: as long as none has passed, both count the same.
    let mut config = limited(&[(&upstream, "rpd", rpd)]);
    config["apis"][0]["rpm"] = json!(rpd);
    let (mut launch, start) = (Launch::new(&config), Instant::now());
    let seed = rand::random();
    let mut rng = StdRng::seed_from_u64(seed);
    let (mut lost, mut killed_at_work) = (0, 0);
    for life in 0..LIVES {
        let app = launch.start();
        let (minute, day) = app.usage_of("a");
        let counted = day as usize;
        let what = format!("seed {seed}, life {life}: {} arrived, {counted} are counted", calls());
        assert!(counted >= calls() && calls() <= rpd, "{what}");
        assert!(counted <= calls() + lost + if life > 0 { price } else { 0 }, "{what}, {lost} were lost before");
        assert!(minute == day || start.elapsed().as_secs() >= 60, "{what}, {minute} in the minute");
        lost = counted - calls();

        let until = calls() + rng.random_range(1..=requests_a_life);
        let (refused, client) = (AtomicBool::new(false), app.client());
        launch = std::thread::scope(|scope| {
            for _ in 0..clients {
                scope.spawn(|| {
                    let ask = || client.try_request("POST", "/v1/chat/completions", br#"{"model":"m"}"#);
                    // Until nobody is there.
                    while let Ok(mut answer) = ask() {
                        refused.fetch_or(answer.status == 429, Ordering::SeqCst);
                        let _ = answer.try_bytes();
                    }
                });
            }
            // Without a pause: it is killed while what arrives is hardly counted.
            let patience = Instant::now() + Duration::from_secs(10);
            while calls() < until && !refused.load(Ordering::SeqCst) {
                assert!(Instant::now() < patience, "{what}: no load");
                std::thread::yield_now();
            }
            app.kill()
        });
        killed_at_work += usize::from(!refused.load(Ordering::SeqCst));
    }
    let app = launch.start();
    while app.chat().status == 200 {}
    assert_eq!(app.chat().status, 429);
    let what = format!("seed {seed}: {} of {rpd} arrived", calls());
    assert!(calls() <= rpd, "{what}");
    assert!(calls() + LIVES * price >= rpd, "{what}, a crash costs {price} at most");
    assert!(killed_at_work >= LIVES / 2, "{what}: only {killed_at_work} kills met a load");
}

#[test]
fn no_kill_forgets_a_request_and_each_loses_a_block_at_most() {
    thirty_lives(2_000, 4, 60);
}

#[test]
fn of_a_small_limit_no_kill_loses_more_than_what_was_out() {
    thirty_lives(99, 2, 1);
}
