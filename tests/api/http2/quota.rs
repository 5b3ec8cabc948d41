//! Quotas go by the moment at which a request was written, over HTTP/2 too.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::*;
use crate::helpers::{FrameKind, Frames, Wild, config_at};

/// The program's clocks run so many times as fast.
const HURRY: u32 = 10;

/// Its minute.
const MINUTE: Duration = Duration::from_secs(6);

const INITIAL_WINDOW_SIZE: u16 = 4;

fn limited(url: String) -> Value {
    let mut config = config_at(&[url]);
    config["actors"] = json!({ "workers": 1 });
    config["apis"][0]["rpm"] = json!(1);
    config
}

/// Asks until it is served (the store may be too busy for the program's haste, too). Returns when the last try began.
fn served(app: &App) -> Instant {
    let mut start = Instant::now();
    within(Duration::from_secs(25), "it is served", || {
        start = Instant::now();
        app.chat().status == 200
    });
    start
}

#[test]
fn a_limit_is_kept_over_http2() {
    let identity = identity();
    let upstream = Http2::start(&identity, echo);
    let mut config = upstream.config();
    config["apis"][0]["rpm"] = json!(7);
    let app = launch(&config, &identity).start();
    let mut answers = at_once(30, |_| app.chat().status);
    answers.sort_unstable();
    assert_eq!((answers[..7].to_vec(), answers[7..].to_vec()), (vec![200; 7], vec![429; 23]));
    assert_eq!((upstream.calls(), app.usage_of("a").0), (7, 7));
}

#[test]
fn a_window_frees_a_minute_after_the_request_and_not_after_the_answer() {
    let identity = identity();
    let upstream = Http2::start(&identity, |mut ask| async move {
        ask.held().await;
        echo(ask).await;
    });
    let app = hurried(launch(&limited(upstream.url()), &identity), HURRY).start();
    let (first, out) = std::thread::scope(|scope| {
        let first = scope.spawn(|| served(&app));
        eventually("it is out", || upstream.calls() == 1);
        let out = Instant::now();
        std::thread::sleep(MINUTE * 4 / 5);
        upstream.release();
        (first.join().expect("ended"), out)
    });
    served(&app);
    assert!(first.elapsed() >= MINUTE, "{:?}", first.elapsed());
    assert!(out.elapsed() < MINUTE * 8 / 5, "{:?}", out.elapsed());
}

#[test]
fn what_was_begun_counts_though_the_client_left_before_it_was_written() {
    let identity = identity();
    let come = Arc::new(AtomicBool::new(false));
    let has_come = come.clone();
    let upstream = Wild::start(Some(&identity), move |connection, _| {
        let mut frames = Frames::on(connection);
        frames.greet(&[(INITIAL_WINDOW_SIZE, 0)])?;
        frames.next(FrameKind::Headers)?;
        come.store(true, Ordering::SeqCst);
        frames.until_closed();
        Ok(())
    });
    let app = launch(&limited(upstream.url()), &identity).start();
    let mut client = crate::helpers::Raw::to(app.port);
    client.send(crate::helpers::post("", r#"{"model":"m"}"#));
    eventually("its head has come", || has_come.load(Ordering::SeqCst));
    drop(client);
    eventually("it is settled", || app.status_of("a")["inFlight"] == 0);
    assert_eq!(app.usage_of("a"), (1, 1));
}

#[test]
fn a_request_counts_as_now_until_its_last_byte_was_written() {
    const PAUSE: Duration = Duration::from_secs(3);
    let identity = identity();
    let asked = AtomicBool::new(false);
    // It takes nothing of the first body, for half a minute.
    let upstream = Wild::start(Some(&identity), move |connection, _| {
        let mut frames = Frames::on(connection);
        frames.greet(&[(INITIAL_WINDOW_SIZE, 0)])?;
        loop {
            let stream = frames.next(FrameKind::Headers)?.stream;
            if !asked.swap(true, Ordering::SeqCst) {
                std::thread::sleep(PAUSE);
            }
            frames.send((FrameKind::WindowUpdate, 0), stream, &1_000_u32.to_be_bytes())?;
            frames.next(FrameKind::Data)?;
            frames.answer(stream, r#"{"choices":[{"message":{"content":"a"}}]}"#)?;
        }
    });
    let app = hurried(launch(&limited(upstream.url()), &identity), HURRY).start();
    let first = served(&app);
    served(&app);
    assert!(first.elapsed() >= PAUSE + MINUTE, "{:?}", first.elapsed());
}
