//! Random responses, cut at random: a sound one is complete, and no part of a damaged one is taken for the whole.

use super::*;

/// How a body is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sent {
    Length,
    Chunked,
    UntilClose,
}

/// A response, and what is seen of it.
#[derive(Debug, Clone)]
struct Answer {
    bytes: Vec<u8>,
    /// The end of the last head.
    head: usize,
    sent: Sent,
    seen: Seen,
}

fn name_in_any_case(name: &'static str) -> impl Strategy<Value = String> {
    any::<u32>().prop_map(move |mask| {
        let cased = |(nth, c): (usize, char)| if mask >> (nth % 32) & 1 == 1 { c.to_ascii_uppercase() } else { c };
        name.chars().enumerate().map(cased).collect()
    })
}

/// Returns a body, and the same as chunks of random sizes, with extensions and trailers.
fn chunked() -> impl Strategy<Value = (Vec<u8>, Vec<u8>)> {
    let extension = prop_oneof![4 => Just(""), 1 => Just(";a=\"b c\""), 1 => Just(" \t;x")];
    let chunk = (prop::collection::vec(any::<u8>(), 1..40), extension, any::<bool>());
    let trailers = prop::collection::vec("[a-z]{1,6}: [ -~]{0,9}", 0..3);
    (prop::collection::vec(chunk, 0..6), trailers).prop_map(|(chunks, trailers)| {
        let (mut body, mut wire) = (Vec::new(), Vec::new());
        for (data, extension, upper) in chunks {
            let size = if upper { format!("{:X}", data.len()) } else { format!("00{:x}", data.len()) };
            wire.extend_from_slice(format!("{size}{extension}\r\n").as_bytes());
            wire.extend_from_slice(&data);
            wire.extend_from_slice(b"\r\n");
            body.extend_from_slice(&data);
        }
        wire.extend_from_slice(b"0\r\n");
        trailers.iter().for_each(|line| wire.extend_from_slice(format!("{line}\r\n").as_bytes()));
        wire.extend_from_slice(b"\r\n");
        (body, wire)
    })
}

prop_compose! {
    fn answer()(
        interim in prop::collection::vec(prop_oneof![Just(100), Just(102), Just(103), Just(199)], 0..3),
        status in prop_oneof![Just(200_u16), Just(201), Just(404), Just(413), Just(429), Just(500), 200..=999_u16],
        sent in prop_oneof![Just(Sent::Length), Just(Sent::Chunked), Just(Sent::UntilClose)],
        old in prop::bool::weighted(0.2),
        plain in prop::collection::vec(any::<u8>(), 0..80),
        (chunks, wire) in chunked(),
        others in prop::collection::vec("[a-zA-Z-]{1,9}: ?[ -~]{0,12}", 0..5),
        connection in prop_oneof![3 => Just(None), 1 => Just(Some("close")), 1 => Just(Some("keep-alive"))],
        length in name_in_any_case("content-length"),
        coding in name_in_any_case("transfer-encoding"),
        bare_lf in any::<bool>(),
    ) -> Answer {
        let sent = if old && sent == Sent::Chunked { Sent::Length } else { sent };
        let bodiless = matches!(status, 204 | 304);
        let mut lines: Vec<String> = interim.iter().flat_map(|i| [format!("HTTP/1.1 {i} X"), String::new()]).collect();
        lines.push(format!("HTTP/1.{} {status} X", u8::from(!old)));
        lines.extend(others.into_iter().filter(|line| {
            let name = line.split(':').next().unwrap_or_default().to_ascii_lowercase();
            !["host", "upgrade", "connection"].contains(&name.as_str())
        }));
        lines.extend(connection.map(|option| format!("Connection: {option}")));
        let (body, wire) = match sent {
            Sent::Length => (plain.clone(), plain),
            Sent::Chunked => (chunks, wire),
            Sent::UntilClose => (plain.clone(), plain),
        };
        match sent {
            Sent::Length => lines.push(format!("{length}: {}", body.len())),
            Sent::Chunked => lines.push(format!("{coding}: chunked")),
            Sent::UntilClose => {}
        }
        let end = if bare_lf { "\n" } else { "\r\n" };
        let mut bytes: Vec<u8> = lines.iter().chain([&String::new()]).flat_map(|l| format!("{l}{end}").into_bytes()).collect();
        let head = bytes.len();
        let kept = if old { connection == Some("keep-alive") } else { connection != Some("close") };
        let seen = Seen {
            status,
            body: if bodiless { Vec::new() } else { body },
            kept: kept && (bodiless || sent != Sent::UntilClose),
        };
        let sent = if bodiless { Sent::Length } else { sent };
        if !bodiless {
            bytes.extend_from_slice(&wire);
        }
        Answer { bytes, head, sent, seen }
    }
}

fn cut<'a>(bytes: &'a [u8], cuts: &[prop::sample::Index]) -> Vec<&'a [u8]> {
    let mut at: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).chain([0, bytes.len()]).collect();
    at.sort_unstable();
    at.windows(2).map(|pair| &bytes[pair[0]..pair[1]]).collect()
}

fn cuts() -> impl Strategy<Value = Vec<prop::sample::Index>> {
    prop::collection::vec(any::<prop::sample::Index>(), 0..12)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn a_sound_response_is_complete_however_it_is_cut(answer in answer(), cuts in cuts()) {
        prop_assert_eq!(read(Method::POST, &cut(&answer.bytes, &cuts)), Ok(answer.seen));
    }

    #[test]
    fn bytes_after_a_response_do_not_change_it_and_close_the_connection(
        answer in answer(), more in prop::collection::vec(any::<u8>(), 1..60), cuts in cuts(),
    ) {
        let bytes = [&answer.bytes[..], &more].concat();
        let mut spent = Seen { kept: false, ..answer.seen };
        if answer.sent == Sent::UntilClose {
            spent.body.extend_from_slice(&more);
        }
        prop_assert_eq!(read(Method::POST, &cut(&bytes, &cuts)), Ok(spent));
    }

    #[test]
    fn no_part_of_a_response_is_taken_for_the_whole(answer in answer(), at in any::<prop::sample::Index>(), cuts in cuts()) {
        let at = at.index(answer.bytes.len());
        let got = read(Method::POST, &cut(&answer.bytes[..at], &cuts));
        if answer.sent == Sent::UntilClose && at >= answer.head {
            // Here the cut cannot be noticed.
            let body = answer.bytes[answer.head..at].to_vec();
            prop_assert_eq!(got, Ok(Seen { body, kept: false, ..answer.seen }));
        } else {
            prop_assert!(got.is_err(), "{:?}", got);
        }
    }

    /// `read` itself asserts that the guard and the codec see an end at the same byte.
    #[test]
    fn the_guard_and_the_codec_agree_on_damaged_responses(
        answer in answer(),
        damages in prop::collection::vec((any::<prop::sample::Index>(), 0..3_u8, damaging()), 1..4),
        cuts in cuts(),
    ) {
        let mut bytes = answer.bytes;
        for (at, how, byte) in damages {
            let at = at.index(bytes.len().max(1));
            match how {
                0 if at < bytes.len() => bytes[at] = byte,
                1 if at < bytes.len() => { bytes.remove(at); }
                _ => bytes.insert(at, byte),
            }
        }
        let whole = read(Method::POST, &[&bytes]);
        let in_pieces = read(Method::POST, &cut(&bytes, &cuts));
        // Which error it is may depend on what came first.
        prop_assert_eq!(whole.ok(), in_pieces.ok());
    }
}

/// Returns bytes that mean something to a parser, mostly.
fn damaging() -> impl Strategy<Value = u8> {
    prop_oneof![4 => prop::sample::select(b"\r\n\0:; \t,0159afxF+-HTP/.\x7f\xff".to_vec()), 1 => any::<u8>()]
}
