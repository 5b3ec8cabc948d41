//! What many requests share that are on one connection: its end, and an upstream that turns them away.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::broken::{J, REFUSED_STREAM, alone, by_frames, of, serve};
use super::*;
use crate::helpers::{FrameKind, Wild};

#[test]
fn an_upstream_that_turns_requests_away_is_not_asked_for_ever() {
    for answers_first in [false, true] {
        let identity = identity();
        let asked = Arc::new(AtomicUsize::new(0));
        let counted = asked.clone();
        let busy = by_frames(&identity, move |frames, _| {
            if answers_first {
                let first = frames.request()?;
                frames.answer(first, J)?;
            }
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
        // Three failures rest it, each of two tries, on whatever connection.
        assert_eq!(asked.load(Ordering::SeqCst), 6, "{answers_first}");
        let status = app.status_of("a");
        let told = (&status["lastError"]["class"], &status["available"], &status["errorCount"]);
        assert_eq!(told, (&json!("overloaded"), &json!(false), &json!(3)), "{answers_first}: {status}");
    }
}

/// Takes five requests on its first connection, begins each answer with this, and ends: with a word, or without.
fn ends_with_five(identity: &Identity, kind: &'static str, begun: String, says_so: bool) -> Wild {
    by_frames(identity, move |frames, nth| {
        if nth > 0 {
            return serve(frames);
        }
        let streams = [frames.request()?, frames.request()?, frames.request()?, frames.request()?, frames.request()?];
        for stream in streams {
            frames.ok(stream, kind)?;
            frames.send((FrameKind::Data, 0), stream, begun.as_bytes())?;
        }
        // Until all have been read: the clients have seen them.
        std::thread::sleep(Duration::from_millis(300));
        if says_so { frames.go_away(0) } else { Ok(()) }
    })
}

#[test]
fn a_connection_that_breaks_is_one_failure_however_many_shared_it() {
    for says_so in [false, true] {
        let identity = identity();
        let upstream = ends_with_five(&identity, "text/event-stream", event("a"), says_so);
        let app = alone(&upstream, &identity);
        for text in at_once(5, |_| stream(&app).text()) {
            assert!(text.contains("error") && !text.contains("[DONE]"), "{says_so}: {text}");
        }
        eventually("all are settled", || app.status_of("a")["inFlight"] == 0);
        assert_eq!(app.status_of("a")["errorCount"], 1, "{says_so}");
        assert_eq!(app.chat().text(), J, "{says_so}: the next one is served at once");
    }
}

#[test]
fn who_was_on_a_connection_that_broke_is_served_by_the_same_upstream_once_more() {
    for (percent, served) in [(100, 5), (0, 0)] {
        let identity = identity();
        let upstream = ends_with_five(&identity, "application/json", r#"{"choices":["#.to_owned(), false);
        let mut config = of(&[&upstream]);
        config["retry"] = json!({ "budget": { "percent": percent, "perSecond": 0 } });
        let app = launch(&config, &identity).start();
        let answers = at_once(5, |_| app.chat().text());
        assert_eq!(answers.iter().filter(|text| *text == J).count(), served, "as far as the budget goes: {answers:?}");
        assert_eq!(app.status_of("a")["errorCount"], u32::from(served == 0));
    }
}

#[test]
fn what_an_upstream_was_at_work_on_when_its_connection_broke_counts_against_its_tokens() {
    for says_so in [false, true] {
        let identity = identity();
        let upstream = ends_with_five(&identity, "application/json", r#"{"choices":["#.to_owned(), says_so);
        let mut config = of(&[&upstream]);
        config["apis"][0]["tpd"] = json!(1_000_000);
        let app = launch(&config, &identity).start();
        let body = json!({ "model": "m", "messages": [], "max_tokens": 1_000 });
        at_once(5, |_| app.client().post("/v1/chat/completions", &body).status);
        eventually("all are settled", || app.status_of("a")["inFlight"] == 0);
        let spent = app.status_of("a")["usage"]["tpd"].as_u64().expect("a number");
        assert!(spent >= 5_000, "{says_so}: {spent} tokens");
    }
}
