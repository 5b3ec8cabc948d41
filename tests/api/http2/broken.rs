//! Upstreams that refuse, break off, or fall silent, frame by frame.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;
use crate::helpers::{Connection, FrameKind, Frames, Wild, config_at};

pub const REFUSED_STREAM: u32 = 7;
const INTERNAL_ERROR: u32 = 2;
const HTTP_1_1_REQUIRED: u32 = 13;
const MAX_CONCURRENT_STREAMS: u16 = 3;

pub const J: &str = r#"{"choices":[{"message":{"content":"sound"}}]}"#;

/// An upstream that handles its connections frame by frame, once it has said how many streams it takes.
pub fn by_frames(
    identity: &Identity,
    handle: impl Fn(&mut Frames, usize) -> std::io::Result<()> + Send + Sync + 'static,
) -> Wild {
    Wild::start(Some(identity), move |connection: &mut Connection, nth| {
        let mut frames = Frames::on(connection);
        frames.greet(&[(MAX_CONCURRENT_STREAMS, 100)])?;
        handle(&mut frames, nth)
    })
}

/// What an upstream does to a stream.
type Act = fn(&mut Frames, u32) -> std::io::Result<()>;

/// Answers whatever comes.
pub fn serve(frames: &mut Frames) -> std::io::Result<()> {
    loop {
        let stream = frames.request()?;
        frames.answer(stream, J)?;
    }
}

pub fn alone(upstream: &Wild, identity: &Identity) -> App {
    launch(&of(&[upstream]), identity).start()
}

pub fn of(upstreams: &[&Wild]) -> Value {
    let mut config = config_at(&upstreams.iter().map(|upstream| upstream.url()).collect::<Vec<_>>());
    config["actors"] = json!({ "workers": 1 });
    config
}

#[test]
fn what_an_upstream_has_not_begun_with_is_asked_again_unseen() {
    let identity = identity();
    for refuse in
        [(|frames, stream| frames.go_away(stream - 2)) as Act, |frames, stream| frames.reset(stream, REFUSED_STREAM)]
    {
        let refused = Arc::new(AtomicUsize::new(0));
        let counted = refused.clone();
        let upstream = by_frames(&identity, move |frames, nth| {
            if nth == 0 {
                let first = frames.request()?;
                frames.answer(first, J)?;
                let second = frames.request()?;
                refuse(frames, second)?;
                counted.fetch_add(1, Ordering::SeqCst);
            }
            serve(frames)
        });
        let app = alone(&upstream, &identity);
        for _ in 0..3 {
            assert_eq!(app.chat().text(), J);
        }
        assert_eq!(refused.load(Ordering::SeqCst), 1);
        assert_eq!(app.usage_of("a").1, 3, "what was not begun with is not counted twice");
        assert_eq!(app.status_of("a")["lastError"], Value::Null);
    }
}

#[test]
fn a_connection_that_was_closed_while_it_was_idle_is_not_noticed_by_the_client() {
    let identity = identity();
    // Closed before the next request, and when that has come.
    for after_it_came in [false, true] {
        let upstream = by_frames(&identity, move |frames, nth| {
            let first = frames.request()?;
            frames.answer(first, J)?;
            match nth {
                0 if after_it_came => frames.request().map(drop),
                0 => Ok(()),
                _ => serve(frames),
            }
        });
        let app = alone(&upstream, &identity);
        for _ in 0..3 {
            assert_eq!(app.chat().text(), J);
        }
    }
}

#[test]
fn a_stream_that_is_reset_before_its_answer_is_served_by_another_upstream() {
    let identity = identity();
    let broken = by_frames(&identity, |frames, _| {
        let first = frames.request()?;
        frames.answer(first, J)?;
        loop {
            let stream = frames.request()?;
            frames.reset(stream, INTERNAL_ERROR)?;
        }
    });
    let other = Upstream::always(Reply::chat("other"));
    let mut config = config_at(&[broken.url(), other.url()]);
    config["apis"][1]["priority"] = json!(1);
    config["actors"] = json!({ "workers": 1 });
    let app = launch(&config, &identity).start();
    assert_eq!(app.chat().text(), J);
    assert!(app.chat().text().contains("other"));
    assert_eq!(app.status_of("a")["lastError"]["class"], "protocol");
    assert_eq!(app.usage_of("a").1, 2, "it was asked once, not again and again");
}

#[test]
fn a_stream_that_breaks_off_ends_with_an_error() {
    let identity = identity();
    let cuts: [Act; 3] = [
        |frames, stream| frames.reset(stream, INTERNAL_ERROR),
        // NO_ERROR is no end where the request was read.
        |frames, stream| frames.reset(stream, 0),
        |_, _| Err(std::io::ErrorKind::Other.into()),
    ];
    for cut in cuts {
        let upstream = by_frames(&identity, move |frames, _| {
            let stream = frames.request()?;
            frames.ok(stream, "text/event-stream")?;
            frames.send((FrameKind::Data, 0), stream, event("a").as_bytes())?;
            cut(frames, stream)?;
            frames.until_closed();
            Ok(())
        });
        let text = stream(&alone(&upstream, &identity)).text();
        assert!(text.starts_with(&event("a")) && text.contains("error") && !text.contains("[DONE]"), "{text}");
    }
}

#[test]
fn sound_that_breaks_off_is_not_taken_for_whole() {
    let identity = identity();
    for reason in [INTERNAL_ERROR, 0] {
        let upstream = by_frames(&identity, move |frames, _| {
            let stream = frames.request()?;
            frames.ok(stream, "audio/mpeg")?;
            frames.send((FrameKind::Data, 0), stream, b"sound")?;
            frames.reset(stream, reason)?;
            frames.until_closed();
            Ok(())
        });
        let app = alone(&upstream, &identity);
        let answer = app.client().try_request("POST", "/v1/audio/speech", br#"{"model":"m","input":"x"}"#);
        assert!(answer.is_err() || answer.is_ok_and(|mut told| told.try_bytes().is_err()), "{reason}");
    }
}

#[test]
fn a_json_answer_that_breaks_off_is_none() {
    let identity = identity();
    let half = &J[..20];
    let cuts: [(&str, Act); 3] = [
        ("reset", |frames, stream| frames.reset(stream, INTERNAL_ERROR)),
        ("ended", |frames, stream| frames.send((FrameKind::Data, 1), stream, b"")),
        ("closed", |_, _| Err(std::io::ErrorKind::Other.into())),
    ];
    for (what, cut) in cuts {
        let upstream = by_frames(&identity, move |frames, _| {
            loop {
                let stream = frames.request()?;
                // `:status: 200`, and `content-length` with its value.
                let head = [&[0x88, 0x0f, 0x0d, 2][..], J.len().to_string().as_bytes()].concat();
                frames.send((FrameKind::Headers, 4), stream, &head)?;
                frames.send((FrameKind::Data, 0), stream, half.as_bytes())?;
                cut(frames, stream)?;
            }
        });
        let app = alone(&upstream, &identity);
        assert_eq!(app.chat().error(), (502, "upstream_failed".into()), "{what}");
        // Of sound a part is passed on before its end: then the connection breaks off.
        let speech = app.client().try_request("POST", "/v1/audio/speech", br#"{"model":"m","input":"x"}"#);
        assert!(speech.map(|mut told| told.status != 200 || told.try_bytes().is_err()).unwrap_or(true), "{what}");
    }
}

#[test]
fn an_answer_that_comes_during_an_upload_reaches_the_client() {
    const LARGE: [u8; 4] = (8_u32 << 20).to_be_bytes();
    const ERROR: &str = r#"{"error":{"message":"too large","type":"t","param":null,"code":null}}"#;
    let identity = identity();
    let uploaded = Arc::new(AtomicUsize::new(0));
    // It may say that it wants no more; else it is told that no more comes.
    for says_so in [true, false] {
        let counted = uploaded.clone();
        let upstream = by_frames(&identity, move |frames, _| {
            let stream = frames.next(FrameKind::Headers)?.stream;
            // `:status` with its value.
            frames.send((FrameKind::Headers, 4), stream, &[0x08, 3, b'4', b'1', b'3'])?;
            // There would be room for more of the request.
            frames.send((FrameKind::WindowUpdate, 0), stream, &LARGE)?;
            frames.send((FrameKind::WindowUpdate, 0), 0, &LARGE)?;
            std::thread::sleep(Duration::from_millis(100));
            frames.send((FrameKind::Data, 1), stream, ERROR.as_bytes())?;
            match says_so {
                true => frames.reset(stream, 0)?,
                false => assert_eq!(frames.next(FrameKind::Reset)?.stream, stream),
            }
            let next = frames.request()?;
            counted.store(frames.data, Ordering::SeqCst);
            frames.answer(next, J)?;
            serve(frames)
        });
        let app = alone(&upstream, &identity);
        let large = format!(r#"{{"model":"m","messages":["{}"]}}"#, "x".repeat(4 << 20));
        let answer = app.client().request("POST", "/v1/chat/completions", large.as_bytes());
        assert_eq!((answer.status, answer.text().as_str()), (413, ERROR), "{says_so}");
        assert_eq!(app.chat().text(), J, "{says_so}: on the same connection");
        let sent = uploaded.swap(0, Ordering::SeqCst);
        assert!(sent < 1 << 20, "{sent} bytes were sent of what nobody wanted");
    }
}

/// Its first connection neither reads nor answers any more behind one answer.
fn falls_silent(identity: &Identity) -> Wild {
    by_frames(identity, |frames, nth| {
        let first = frames.request()?;
        frames.answer(first, J)?;
        if nth == 0 {
            std::thread::sleep(Duration::from_secs(30));
        }
        serve(frames)
    })
}

#[test]
fn a_connection_that_fell_silent_is_used_by_no_later_request() {
    let identity = identity();
    let upstream = falls_silent(&identity);
    let mut config = of(&[&upstream]);
    config["apis"][0]["timeouts"] = json!({ "firstTokenTimeoutMs": 1_200, "totalMs": 1_200 });
    config["retry"] = json!({ "budget": { "percent": 100, "perSecond": 100 } });
    let app = launch(&config, &identity).start();
    assert_eq!(app.chat().text(), J);
    assert_eq!(app.chat().status, 504, "it waits in vain");
    assert_eq!(app.chat().text(), J, "the next one does not");
}

#[test]
fn a_connection_whose_other_end_is_gone_is_found_out_and_what_waits_there_is_asked_again() {
    /// The program's clocks run so many times as fast.
    const HURRY: u32 = 10;
    let identity = identity();
    let upstream = falls_silent(&identity);
    let app = hurried(launch(&of(&[&upstream]), &identity), HURRY).start();
    // (In its haste the program may find itself too busy.)
    let ask = || eventually("it is served", || app.chat().text() == J);
    ask();
    let asked = Instant::now();
    ask();
    // 15 s of silence and 20 s without a sign of life; the deadline is ten minutes.
    assert!(asked.elapsed() < Duration::from_secs(60) / HURRY, "{:?}", asked.elapsed());
}

#[test]
fn an_upstream_that_does_not_say_what_it_takes_is_not_connected() {
    let identity = identity();
    let upstream = Wild::start(Some(&identity), |connection, _| {
        let mut preface = [0; 24];
        std::io::Read::read_exact(connection, &mut preface)?;
        std::thread::sleep(Duration::from_secs(20));
        Ok(())
    });
    let mut config = of(&[&upstream]);
    config["apis"][0]["timeouts"] = json!({ "connectMs": 300 });
    let app = launch(&config, &identity).start();
    let asked = Instant::now();
    assert!(at_once(10, |_| app.chat().error()).iter().all(|error| *error == (502, "upstream_failed".into())));
    assert!(asked.elapsed() < Duration::from_secs(5));
    assert_eq!(app.status_of("a")["lastError"]["class"], "connect");
    assert_eq!(app.usage_of("a").1, 0, "nothing was sent");
}

#[test]
fn an_upstream_whose_connections_take_nothing_is_not_connected() {
    let identity = identity();
    let upstream = by_frames(&identity, |frames, _| {
        frames.go_away(0)?;
        frames.until_closed();
        Ok(())
    });
    let asked = Instant::now();
    let app = alone(&upstream, &identity);
    assert_eq!(app.chat().error(), (502, "upstream_failed".into()));
    assert!(asked.elapsed() < Duration::from_secs(5), "the time to connect is 10 s");
    assert_eq!(app.status_of("a")["lastError"]["class"], "connect");
    assert!(app.usage_of("a").1 <= 1, "what was written before its goodbye was read counts, and no more");
}

#[test]
fn an_upstream_that_asks_for_http1_gets_it() {
    let identity = Identity::speaking(&scratch(), &["h2", "http/1.1"]);
    let upstream = Wild::start(Some(&identity), |connection, nth| {
        if nth == 0 {
            let mut frames = Frames::on(connection);
            frames.greet(&[])?;
            let stream = frames.request()?;
            frames.reset(stream, HTTP_1_1_REQUIRED)?;
            frames.until_closed();
            return Ok(());
        }
        let mut got = [0; 4_096];
        let length = std::io::Read::read(connection, &mut got)?;
        assert!(got[..length].starts_with(b"POST /v1/chat/completions HTTP/1.1\r\n"));
        let answer = format!("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{J}", J.len());
        std::io::Write::write_all(connection, answer.as_bytes())?;
        std::io::Write::flush(connection)
    });
    let app = alone(&upstream, &identity);
    assert_eq!(app.chat().text(), J);
}
