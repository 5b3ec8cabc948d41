//! Forms that two readers could take for different ones, at the running program: each is refused and reaches nobody,
//! or passes as it is.

use super::{BOUNDARY, TRANSCRIBE, field, file, form, heard};
use crate::helpers::{App, KEY, Raw, Upstream};

const HEAD: &str = "Content-Disposition: form-data; name=\"model\"";

/// A part with this head and content.
fn part(head: &str, content: &str) -> Vec<u8> {
    format!("--{BOUNDARY}\r\n{head}\r\n\r\n{content}\r\n").into_bytes()
}

/// Sends a form as these pieces: with its length, or chunked. Returns the status, and what is said.
fn asked(app: &App, content_type: &str, form: &[u8], is_chunked: bool) -> (u16, String) {
    let framing =
        if is_chunked { "transfer-encoding: chunked".to_owned() } else { format!("content-length: {}", form.len()) };
    let head = format!(
        "POST {TRANSCRIBE} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {KEY}\r\n{framing}\r\ncontent-type: {content_type}\r\n\r\n"
    );
    let mut raw = Raw::to(app.port);
    raw.send(head);
    if is_chunked {
        for piece in form.chunks(7) {
            raw.send([format!("{:x}\r\n", piece.len()).as_bytes(), piece, b"\r\n"].concat());
        }
        raw.send(b"0\r\n\r\n");
    } else {
        raw.send(form);
    }
    let answer = raw.answer().expect("an answer");
    (answer.status, answer.body)
}

fn usual() -> String {
    format!("multipart/form-data; boundary={BOUNDARY}")
}

/// Forms whose boundaries could be read in two ways.
fn boundaries() -> Vec<(&'static str, Vec<u8>)> {
    let (model, sound) = (field("model", "m"), file(b"sound"));
    let smuggled = |front: &str| form(&[model.clone(), file(&[front.as_bytes(), &part(HEAD, "n")].concat())]);
    let whole = form(&[model.clone(), sound.clone()]);
    vec![
        ("a second model in a part's content", smuggled("\r\n")),
        ("behind half an end of a line", smuggled("\n")),
        ("behind the other half", smuggled("\r")),
        ("at the begin of a part", smuggled("")),
        ("behind the last boundary", [whole.clone(), part(HEAD, "n"), form(&[])].concat()),
        ("the boundary within a longer one", form(&[model.clone(), file(format!("\r\n--{BOUNDARY}Y\r\n").as_bytes())])),
        ("ends of lines without a return", String::from_utf8_lossy(&whole).replace("\r\n", "\n").into_bytes()),
        ("a boundary without an end", whole[..whole.len() - 4].to_vec()),
        ("a part without an end", whole[..whole.len() / 2].to_vec()),
        ("a head without an end", [model.clone(), format!("--{BOUNDARY}\r\n{HEAD}").into_bytes()].concat()),
    ]
}

/// Forms whose parts could be read in two ways.
fn heads() -> Vec<(&'static str, Vec<u8>)> {
    let (model, sound) = (field("model", "m"), file(b"sound"));
    vec![
        ("a huge head", form(&[part(&format!("{HEAD}\r\nX-Long: {}", "x".repeat(100_000)), "m")])),
        ("a head of very many lines", form(&[part(&format!("{HEAD}{}", "\r\nx: y".repeat(20_000)), "m")])),
        (
            "ten thousand parts",
            form(&[model.clone(), part("Content-Disposition: form-data; name=\"x\"", "").repeat(10_000)]),
        ),
        ("two models", form(&[model.clone(), sound.clone(), field("model", "m")])),
        ("a model that is a file", form(&[part(&format!("{HEAD}; filename=\"m\""), "m"), sound.clone()])),
        ("two names", form(&[part("Content-Disposition: form-data; name=\"x\"; name=\"model\"", "m"), sound.clone()])),
        (
            "a second way to say the name",
            form(&[part("Content-Disposition: form-data; name=\"x\"; name*=UTF-8''model", "m")]),
        ),
        ("a folded line", form(&[part("Content-Disposition: form-data;\r\n name=\"model\"", "m"), sound.clone()])),
        ("half an end of a line in a head", form(&[part("X: y\nContent-Disposition: form-data; name=\"model\"", "m")])),
        (
            "another encoding",
            form(&[part(&format!("{HEAD}\r\nContent-Transfer-Encoding: base64"), "bQ=="), sound.clone()]),
        ),
        (
            "another set of characters",
            form(&[part(&format!("{HEAD}\r\nContent-Type: text/plain; charset=utf-7"), "m")]),
        ),
        ("a model of other bytes", form(&[[&model[..model.len() - 3], b"\xff\r\n"].concat(), sound.clone()])),
        ("two dispositions", form(&[part(&format!("Content-Disposition: form-data; name=\"x\"\r\n{HEAD}"), "m")])),
        ("no disposition", form(&[model.clone(), part("Content-Type: text/plain", "n")])),
        (
            "a disposition of another kind",
            form(&[model.clone(), part("Content-Disposition: attachment; name=\"model\"", "n")]),
        ),
    ]
}

#[test]
fn no_attack_on_the_framing_of_a_form_reaches_an_account() {
    let upstream = Upstream::always(heard());
    let app = App::on(&[&upstream]);
    let (model, sound) = (field("model", "m"), file(b"sound"));
    let whole = form(&[model.clone(), sound.clone()]);
    for (what, form) in boundaries().into_iter().chain(heads()) {
        for is_chunked in [false, true] {
            // Pieces of seven bytes take their time.
            if is_chunked && form.len() > 20_000 {
                continue;
            }
            let (status, said) = asked(&app, &usual(), &form, is_chunked);
            assert_eq!((status, said.contains("invalid_request_error")), (400, true), "{what}: {said}");
        }
    }
    for content_type in [
        "multipart/form-data".to_owned(),
        "multipart/form-data; boundary=".to_owned(),
        format!("multipart/form-data; boundary={}", "x".repeat(71)),
        format!("multipart/form-data; boundary={BOUNDARY}; boundary=other"),
        format!("multipart/form-data; boundary=\"{BOUNDARY} \""),
        "multipart/form-data; boundary=other".to_owned(),
    ] {
        let (status, said) = asked(&app, &content_type, &whole, false);
        assert_eq!(status, 400, "{content_type}: {said}");
    }
    assert_eq!(upstream.calls(), 0);
    assert_eq!(asked(&app, &usual(), &whole, true).0, 200, "the program goes on");
}

#[test]
fn odd_forms_that_all_readers_read_alike_pass_as_they_are() {
    let upstream = Upstream::always(heard());
    let app = App::on(&[&upstream]);
    let model = field("model", "m");
    let nested = format!("--inner\r\n{HEAD}\r\n\r\nn\r\n--inner--\r\n");
    let spaced = [format!("--{BOUNDARY} \t\r\n{HEAD}\r\n\r\nm\r\n").into_bytes(), file(b"x")].concat();
    let cases: Vec<(&str, String, Vec<u8>)> = vec![
        ("a form within a part", usual(), form(&[file(nested.as_bytes()), model.clone()])),
        (
            "what looks like the boundary",
            usual(),
            form(&[file(format!("--\r\n-{BOUNDARY}\r\na--{BOUNDARY}").as_bytes()), model.clone()]),
        ),
        ("every byte there is", usual(), form(&[file(&(0..=255).collect::<Vec<u8>>().repeat(99)), model.clone()])),
        (
            "text around",
            usual(),
            [b"before\r\n".to_vec(), form(&[model.clone(), file(b"x")]), b"behind".to_vec()].concat(),
        ),
        ("blanks behind a boundary", usual(), form(&[spaced])),
        ("an empty part", usual(), form(&[file(b""), model.clone()])),
        (
            "a quoted boundary",
            format!("multipart/form-data; charset=utf-8; boundary=\"{BOUNDARY}\""),
            form(&[model.clone(), file(b"x")]),
        ),
        (
            "a name that is no word of ours",
            usual(),
            form(&[part("Content-Disposition: form-data; name=\"Model\"", "n"), model.clone()]),
        ),
        ("a thousand parts", usual(), form(&[field("x", "y").repeat(999), model.clone()])),
    ];
    for (what, content_type, form) in &cases {
        for is_chunked in [false, true] {
            let (status, said) = asked(&app, content_type, form, is_chunked);
            assert_eq!(status, 200, "{what}: {said}");
            let received = upstream.received().pop().expect("a request");
            assert!(received.body == *form, "{what}: {} bytes of {}", received.body.len(), form.len());
            assert_eq!(received.header("content-type"), Some(content_type.as_str()), "{what}");
        }
    }
    assert_eq!(upstream.calls(), cases.len() * 2);
}
