//! Connections that were good once: what the upstream did to them in the meantime costs no client an error.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use super::*;
use crate::helpers::{Connection, Wild, eventually};

const ANSWER: &str =
    "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 26\r\n\r\n{\"choices\":[{\"text\":\"a\"}]}";

/// What an upstream does to a connection on which it has answered once.
#[derive(Debug, Clone, Copy)]
enum Then {
    /// Closes it at once, without having said so.
    Close,
    /// Says that nothing more will come, and reads on.
    HalfClose,
    /// Closes it when the next request has begun, unread: a reset.
    Reset,
    /// Reads the next request's head, and resets.
    ResetInBody,
    /// Reads the next request, and closes.
    CloseUnanswered,
}

fn serve(connection: &mut Connection, then: Then) -> std::io::Result<()> {
    if receive(connection).is_none() {
        return Ok(());
    }
    connection.write_all(ANSWER.as_bytes())?;
    match then {
        Then::Close => {}
        Then::HalfClose => {
            connection.half_close();
            while connection.read(&mut [0; 1_024])? > 0 {}
        }
        Then::Reset => {
            // Dropped with something unread.
            connection.socket().peek(&mut [0])?;
        }
        Then::ResetInBody => {
            receive_head(connection);
        }
        Then::CloseUnanswered => {
            receive(connection);
        }
    }
    Ok(())
}

#[test]
fn a_connection_that_the_upstream_gave_up_costs_no_error_in_whatever_way_it_did() {
    for (scheme, identity) in schemes() {
        for then in [Then::Close, Then::HalfClose, Then::Reset, Then::ResetInBody, Then::CloseUnanswered] {
            let upstream = Wild::start(identity.as_ref(), move |connection, _| serve(connection, then));
            let app = trusting(&beside(&upstream.url(), None), identity.as_ref());
            // Large, so that a reset may come while it is being written.
            let request = json!({ "model": "m", "messages": ["x".repeat(200_000)] });
            for nth in 0..12 {
                let answer = app.client().post("/v1/chat/completions", &request);
                assert_eq!((answer.status, answer.text().as_str()), (200, J), "{then:?} over {scheme}, {nth}");
            }
            assert_eq!(app.status_of("a")["errorCount"], 0, "{then:?} over {scheme}");
        }
    }
}

#[test]
fn one_stale_connection_is_enough_to_connect_anew() {
    const CLIENTS: usize = 8;
    for (scheme, identity) in schemes() {
        let (warm, stale, waiting) =
            (Arc::new(AtomicBool::new(true)), Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let (is_warm, count, arrived) = (warm.clone(), stale.clone(), waiting.clone());
        let upstream = Wild::start(identity.as_ref(), move |connection, nth| {
            while receive(connection).is_some() {
                if is_warm.load(Ordering::SeqCst) {
                    // All at once, so that there are as many connections.
                    arrived.fetch_add(1, Ordering::SeqCst);
                    eventually("all have come", || arrived.load(Ordering::SeqCst) >= CLIENTS);
                } else if nth < CLIENTS {
                    count.fetch_add(1, Ordering::SeqCst);
                    return Ok(());
                }
                connection.write_all(ANSWER.as_bytes())?;
            }
            Ok(())
        });
        let mut config = beside(&upstream.url(), None);
        // One worker, so that all connections are in one pool.
        config["actors"] = json!({ "workers": 1 });
        let app = trusting(&config, identity.as_ref());
        std::thread::scope(|scope| {
            for _ in 0..CLIENTS {
                scope.spawn(|| assert_eq!(app.chat().status, 200));
            }
        });
        warm.store(false, Ordering::SeqCst);
        assert_eq!(app.chat().status, 200, "{scheme}");
        assert_eq!(stale.load(Ordering::SeqCst), 1, "{scheme}: the others were not tried");
        assert_eq!(app.status_of("a")["errorCount"], 0, "{scheme}");
    }
}

#[test]
fn a_fresh_connection_without_an_answer_is_a_failure_after_one_call() {
    for (scheme, identity) in schemes() {
        let calls = Arc::new(AtomicUsize::new(0));
        let count = calls.clone();
        let upstream = Wild::start(identity.as_ref(), move |connection, _| {
            while receive(connection).is_some() {
                if count.fetch_add(1, Ordering::SeqCst) > 0 {
                    return Ok(());
                }
                connection.write_all(ANSWER.as_bytes())?;
            }
            Ok(())
        });
        let app = trusting(&beside(&upstream.url(), None), identity.as_ref());
        assert_eq!(app.chat().status, 200);
        assert_eq!(app.chat().error(), (502, "upstream_failed".into()), "{scheme}");
        assert!(calls.load(Ordering::SeqCst) <= 3, "{scheme}: a stale one at most, and a fresh one");
        eventually("it is counted once", || app.status_of("a")["errorCount"] == 1);
    }
}

#[test]
fn what_comes_unasked_on_an_idle_connection_is_nobodys_answer() {
    for (scheme, identity) in schemes() {
        let (go, gone) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let (may_go, count) = (go.clone(), gone.clone());
        let upstream = Wild::start(identity.as_ref(), move |connection, _| {
            while receive(connection).is_some() {
                connection.write_all(ANSWER.as_bytes())?;
                eventually("the client has its answer", || may_go.swap(false, Ordering::SeqCst));
                connection.write_all(ANSWER.replace("\"a\"", "\"b\"").as_bytes())?;
                count.fetch_add(1, Ordering::SeqCst);
            }
            Ok(())
        });
        let app = trusting(&beside(&upstream.url(), None), identity.as_ref());
        for nth in 0..100 {
            assert_eq!(app.chat().text(), J, "{scheme}, {nth}");
            go.store(true, Ordering::SeqCst);
            let until = Instant::now() + Duration::from_secs(10);
            // In a tight loop, so that the next request comes before anybody has looked at the connection.
            while gone.load(Ordering::SeqCst) <= nth {
                assert!(Instant::now() < until, "it is sent");
            }
        }
    }
}
