//! Answers that come while the request is still being written.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock};

use super::*;
use crate::helpers::{Connection, Response, Wild, eventually};

/// Larger than all that sockets hold.
const LARGE: usize = 8 << 20;

const ERROR: &str = r#"{"error":{"message":"early","type":"t","param":null,"code":null}}"#;

fn answer(status: u16, lines: &str, body: &str) -> String {
    format!(
        "HTTP/1.1 {status} X\r\ncontent-type: application/json\r\n{lines}content-length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// What an upstream does when it has answered, with most of the request unread.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Then {
    /// Closes: a reset.
    Close,
    /// Closes its side, and waits for the client's end without reading.
    HalfClose,
    /// Waits until the client has left.
    Wait,
}

/// Writes `reply` when it has read the head of a large request, and all of any other.
fn hasty(connection: &mut Connection, reply: &str, then: Then, left: &AtomicUsize) -> std::io::Result<()> {
    while let Some((head, mut body)) = receive_head(connection) {
        let head = String::from_utf8_lossy(&head).to_ascii_lowercase();
        let length = head.lines().find_map(|line| line.strip_prefix("content-length:")?.trim().parse().ok());
        let length: usize = length.expect("a length");
        if length < LARGE {
            let come = body.len();
            body.resize(length, 0);
            connection.read_exact(&mut body[come..])?;
            connection.write_all(answer(200, "", J).as_bytes())?;
            continue;
        }
        connection.write_all(reply.as_bytes())?;
        match then {
            Then::Close => {}
            Then::HalfClose | Then::Wait => {
                if then == Then::HalfClose {
                    connection.half_close();
                }
                // What was sent before the client left is still there: its end is behind that.
                while connection.read(&mut [0; 65_536]).is_ok_and(|read| read > 0) {
                    std::thread::sleep(Duration::from_millis(1));
                }
            }
        }
        left.fetch_add(1, Ordering::SeqCst);
        return Ok(());
    }
    Ok(())
}

/// Sends a request that is too large for all that sockets hold.
fn upload(app: &App) -> Response {
    static BODY: LazyLock<Vec<u8>> = LazyLock::new(|| {
        let text = vec![b'x'; LARGE];
        [br#"{"model":"m","messages":[""#.as_slice(), &text, br#""]}"#].concat()
    });
    app.client().request("POST", "/v1/chat/completions", &BODY)
}

#[test]
fn an_answer_that_comes_before_the_request_was_read_reaches_the_client() {
    let interim = "HTTP/1.1 100 Continue\r\n\r\n";
    let chunked =
        format!("HTTP/1.1 413 X\r\ntransfer-encoding: chunked\r\n\r\n{:x}\r\n{ERROR}\r\n0\r\n\r\n", ERROR.len());
    for (scheme, identity) in schemes() {
        for (what, reply, wanted) in [
            ("a plain 413", answer(413, "", ERROR), (413, ERROR)),
            ("413, and the end is told", answer(413, "connection: close\r\n", ERROR), (413, ERROR)),
            ("413 in chunks", chunked.clone(), (413, ERROR)),
            ("413 behind an interim head", format!("{interim}{}", answer(413, "", ERROR)), (413, ERROR)),
            ("400", answer(400, "", ERROR), (400, ERROR)),
            ("200, and the end is told", answer(200, "connection: close\r\n", J), (200, J)),
        ] {
            let ways = [Then::Close, Then::HalfClose, Then::Wait];
            for then in ways.into_iter().take(if what == "a plain 413" { 3 } else { 1 }) {
                let what = format!("{what} over {scheme}, {then:?}");
                let left = Arc::new(AtomicUsize::new(0));
                let (reply, leaves) = (reply.clone(), left.clone());
                let upstream =
                    Wild::start(identity.as_ref(), move |connection, _| hasty(connection, &reply, then, &leaves));
                let app = trusting(&beside(&upstream.url(), None), identity.as_ref());
                assert_eq!(app.chat().status, 200, "{what}");
                let got = upload(&app);
                assert_eq!((got.status, got.text().as_str()), wanted, "{what}");
                eventually(&format!("{what}: the connection has ended"), || left.load(Ordering::SeqCst) == 1);
                assert_eq!((app.chat().text().as_str(), &app.status_of("a")["errorCount"]), (J, &json!(0)), "{what}");
            }
        }
    }
}

/// Beside an upstream that answers early, a good one.
fn with_another(identity: Option<&Identity>, reply: String, then: Then) -> (App, Upstream) {
    let good = Upstream::always(Reply::chat("good"));
    let upstream = Wild::start(identity, move |connection, _| hasty(connection, &reply, then, &AtomicUsize::new(0)));
    (trusting(&beside(&upstream.url(), Some(&good)), identity), good)
}

#[test]
fn an_early_refusal_of_the_key_or_of_the_moment_is_served_by_another() {
    for (scheme, identity) in schemes() {
        for (status, class) in [(401, "unauthorized"), (429, "rate_limited"), (503, "overloaded")] {
            let what = format!("{status} over {scheme}");
            let (app, good) = with_another(identity.as_ref(), answer(status, "", ERROR), Then::Close);
            let got = upload(&app);
            assert_eq!(got.status, 200, "{what}");
            assert!(got.text().contains("good"), "{what}");
            assert_eq!(good.calls(), 1, "{what}");
            assert_eq!(app.status_of("a")["lastError"]["class"], class, "{what}: and it is known why");
        }
    }
}

#[test]
fn an_upload_that_ends_without_an_answer_or_with_half_of_one_is_served_by_another() {
    for (scheme, identity) in schemes() {
        for reply in ["", "HTTP/1.1 100 Continue\r\n\r\n", "HTTP/1.1 413 X\r\ncontent-le", "SSH-2.0-x\r\n"] {
            for then in [Then::Close, Then::HalfClose] {
                let what = format!("{reply:?} over {scheme}, {then:?}");
                let (app, good) = with_another(identity.as_ref(), reply.to_owned(), then);
                assert!(upload(&app).text().contains("good"), "{what}");
                assert_eq!(good.calls(), 1, "{what}");
                assert_eq!(app.status_of("a")["lastError"]["class"], "protocol", "{what}: it is known at once");
            }
        }
    }
}

#[test]
fn an_early_error_whose_text_breaks_off_is_served_by_another() {
    for (scheme, identity) in schemes() {
        let half = answer(413, "", ERROR).split_at(answer(413, "", ERROR).len() - 20).0.to_owned();
        let (app, good) = with_another(identity.as_ref(), half, Then::Close);
        let got = upload(&app);
        assert_eq!((got.status, good.calls()), (200, 1), "{scheme}: half a text says nothing of the request");
    }
}

#[test]
fn a_success_that_begins_before_the_request_was_read_waits_for_the_rest_of_it() {
    for (scheme, identity) in schemes() {
        let whole = Arc::new(AtomicUsize::new(0));
        let count = whole.clone();
        let upstream = Wild::start(identity.as_ref(), move |connection, _| {
            while let Some((head, mut body)) = receive_head(connection) {
                connection.write_all(answer(200, "", J).as_bytes())?;
                // So that the client can't write on, and looks.
                std::thread::sleep(Duration::from_millis(50));
                let head = String::from_utf8_lossy(&head).to_ascii_lowercase();
                let length = head.lines().find_map(|line| line.strip_prefix("content-length:")?.trim().parse().ok());
                let come = body.len();
                body.resize(length.expect("a length"), 0);
                connection.read_exact(&mut body[come..])?;
                count.fetch_add(1, Ordering::SeqCst);
            }
            Ok(())
        });
        let app = trusting(&beside(&upstream.url(), None), identity.as_ref());
        for nth in 1..=3 {
            assert_eq!(upload(&app).text(), J, "{scheme}");
            eventually("it was read to its end", || whole.load(Ordering::SeqCst) == nth);
        }
    }
}
