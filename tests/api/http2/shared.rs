//! What many requests share that are on one connection: its end, and an upstream that turns them away.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::broken::{J, REFUSED_STREAM, alone, by_frames, of, serve};
use super::*;
use crate::helpers::FrameKind;

#[test]
fn an_upstream_that_turns_requests_away_is_not_asked_for_ever() {
    let identity = identity();
    let asked = Arc::new(AtomicUsize::new(0));
    let counted = asked.clone();
    let busy = by_frames(&identity, move |frames, _| {
        loop {
            let stream = frames.request()?;
            counted.fetch_add(1, Ordering::SeqCst);
            frames.reset(stream, REFUSED_STREAM)?;
        }
    });
    let other = by_frames(&identity, |frames, _| serve(frames));
    let mut config = of(&[&busy, &other]);
    config["apis"][1]["priority"] = json!(1);
    let app = launch(&config, &identity).start();
    for _ in 0..12 {
        assert_eq!(app.chat().text(), J);
    }
    // Three failures rest it, each of two tries.
    assert_eq!(asked.load(Ordering::SeqCst), 6);
    let status = app.status_of("a");
    assert_eq!(
        (&status["lastError"]["class"], &status["available"]),
        (&json!("overloaded"), &json!(false)),
        "{status}"
    );
}

#[test]
fn a_connection_that_breaks_is_one_failure_however_many_shared_it() {
    let identity = identity();
    let upstream = by_frames(&identity, |frames, nth| {
        if nth > 0 {
            return serve(frames);
        }
        let streams = [frames.request()?, frames.request()?, frames.request()?, frames.request()?, frames.request()?];
        for stream in streams {
            frames.ok(stream, "text/event-stream")?;
            frames.send((FrameKind::Data, 0), stream, event("a").as_bytes())?;
        }
        // Until all have been read: the clients have seen them.
        std::thread::sleep(std::time::Duration::from_millis(300));
        Ok(())
    });
    let app = alone(&upstream, &identity);
    std::thread::scope(|scope| {
        let running: Vec<_> = (0..5).map(|_| scope.spawn(|| stream(&app).text())).collect();
        for text in running.into_iter().map(|running| running.join().expect("answered")) {
            assert!(text.contains("error") && !text.contains("[DONE]"), "{text}");
        }
    });
    eventually("all are settled", || app.status_of("a")["inFlight"] == 0);
    assert_eq!(app.status_of("a")["errorCount"], 1);
    assert_eq!(app.chat().text(), J, "the next one is served at once");
}
