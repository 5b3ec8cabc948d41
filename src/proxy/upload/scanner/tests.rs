//! Forms in every order, in pieces of every size, and broken in every way.

use super::*;

const TYPE: &[u8] = b"multipart/form-data; boundary=XX";

fn part(name: &str, value: &str) -> String {
    format!("--XX\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
}

fn file(content: &str) -> String {
    let head = "Content-Disposition: form-data; name=\"file\"; filename=\"a.mp3\"\r\nContent-Type: audio/mpeg";
    format!("--XX\r\n{head}\r\n\r\n{content}\r\n")
}

/// Scans a form in pieces of this size.
fn scan_in(form: &[u8], size: usize) -> Result<FormFields, String> {
    let mut scanner = FormScanner::new(TYPE).expect("a boundary");
    for piece in form.chunks(size) {
        scanner.push(piece).map_err(|why| why.0)?;
    }
    scanner.finish().map_err(|why| why.0)
}

/// Scans a form, the same in pieces of any size.
#[track_caller]
fn scan(form: &str) -> Result<FormFields, String> {
    let whole = scan_in(form.as_bytes(), usize::MAX >> 1);
    for size in [1, 2, 3, 5, 7, 11, 64] {
        assert_eq!(scan_in(form.as_bytes(), size), whole, "in pieces of {size}");
    }
    whole
}

#[test]
fn the_model_is_found_wherever_it_stands() {
    let (model, other) = (part("model", "whisper-1"), part("language", "de"));
    let sound = file("some\r\n--X\r\n--sound\r\n\r\n");
    for order in [[&model, &other, &sound], [&sound, &model, &other], [&other, &sound, &model]] {
        let form = format!("{}--XX--\r\n", order.map(String::as_str).concat());
        let found = scan(&form).expect("a form");
        let (name, place) = found.model.expect("a model");
        assert_eq!(name, "whisper-1");
        let place = usize::try_from(place.start).expect("small")..usize::try_from(place.end).expect("small");
        assert_eq!(form.get(place), Some("whisper-1"), "{form}");
    }
}

#[test]
fn fields_may_be_missing_or_empty_and_there_may_be_text_around() {
    assert_eq!(scan("--XX--"), Ok(FormFields::default()));
    let form = format!("a preamble\r\n{}{}--XX--\r\nan epilogue\r\n--X\r\n", part("model", ""), part("stream", "true"));
    let found = scan(&form).expect("a form");
    assert_eq!(found.model.map(|(model, _)| model), Some(String::new()));
    assert!(found.stream);
    assert!(!scan(&format!("{}--XX--", part("stream", "false"))).expect("a form").stream);
}

#[test]
fn a_form_within_a_part_is_content() {
    let inner = "--YY\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\nother\r\n--YY--";
    let form = format!("{}{}--XX--", file(inner), part("model", "m"));
    assert_eq!(scan(&form).expect("a form").model.map(|(model, _)| model), Some("m".to_owned()));
}

#[test]
fn what_a_lenient_reader_takes_for_a_delimiter_is_refused() {
    let (model, inner) = (part("model", "m"), "--XX\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\nother");
    let head = "--XX\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a\"\r\n\r\n";
    for end in ["\n", "\r", "\n\r", "\n\n"] {
        let form = format!("{model}{head}a{end}{inner}\r\n--XX--");
        assert_eq!(scan(&form), Err(MISPLACED.to_owned()), "{end:?}");
    }
    // At the begin of a part's content, and of the form.
    assert_eq!(scan(&format!("{model}{head}{inner}\r\n--XX--")), Err(MISPLACED.to_owned()));
    assert_eq!(scan(&format!("a preamble\n{inner}\r\n{model}--XX--")), Err(MISPLACED.to_owned()));
    assert!(scan(&format!("{model}--XX--\r\n{inner}\r\n--XX--")).expect_err("refused").contains("goes on behind"));
    // In the midst of a line, or with another name, it is content to everybody.
    for content in ["a--XX\r\nb", "\n--X\n--Y", "\n-XX", "a\n --XX\r\n"] {
        let found = scan(&format!("{}{model}--XX--", file(content))).expect("a form");
        assert_eq!(found.model.expect("a model").0, "m", "{content:?}");
    }
}

#[test]
fn broken_forms_are_refused() {
    let model = part("model", "m");
    for (form, why) in [
        (String::new(), "cut off"),
        ("no form at all".to_owned(), "cut off"),
        (model.clone(), "cut off"),
        (format!("{model}--XX"), "cut off"),
        (format!("{model}--XX-"), "cut off"),
        (format!("{model}{}--XX--", part("model", "n")), "model twice"),
        (format!("{}{}--XX--", part("stream", "true"), part("stream", "false")), "stream twice"),
        (format!("{}--XX--", file("a\r\n--XXX\r\nb")), "within one of its parts"),
        (format!("--XX  x\r\n{model}--XX--"), "within one of its parts"),
        (format!("--XX{}\r\n{model}--XX--", " ".repeat(500)), "within one of its parts"),
        (format!("--XX\r\n\r\nm\r\n{model}--XX--"), "no header"),
        (format!("{}--XX--", part("model", &"m".repeat(5_000))), "longer than"),
        (format!("--XX\r\n{}\r\n\r\n", "a: b\r\n".repeat(2_000)), "longer than"),
        (format!("--XX\r\n{}", "a".repeat(20_000)), "longer than"),
        (format!("{}--XX--", part("a", "").repeat(MOST_PARTS + 1)), "more than"),
    ] {
        // A refusal may come earlier in one piece than in many, and for the same reason.
        for size in [1, 3, 64, usize::MAX >> 1] {
            let refused = scan_in(form.as_bytes(), size).expect_err(&form);
            assert!(refused.contains(why), "{refused}: {:.80}", form);
        }
    }
    assert!(scan(&format!("{}--XX--", part("a", "").repeat(MOST_PARTS))).is_ok());
    let mut bytes = b"--XX\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\n".to_vec();
    bytes.extend_from_slice(b"\xff\xfe\r\n--XX--");
    assert_eq!(scan_in(&bytes, 4), Err("model is not UTF-8".to_owned()));
}

#[test]
fn what_is_held_is_small_however_long_the_content() {
    let mut scanner = FormScanner::new(TYPE).expect("a boundary");
    scanner.push(file("").trim_end_matches("\r\n").as_bytes()).expect("fine");
    scanner.push(b"\r\n\r\n").expect("fine");
    for _ in 0..10_000 {
        scanner.push(&[b'-'; 1_000]).expect("fine");
    }
    assert!(scanner.rest.len() < 100 && scanner.rest.capacity() < 10_000, "{}", scanner.rest.capacity());
}
