//! Forms: sound, images, files. They are routed by their model, and reach an upstream byte for byte.

use std::os::unix::fs::MetadataExt;
use std::path::Path;

use serde_json::json;

mod framing;
mod space;

use crate::edge::with;
use crate::helpers::{App, Client, Reply, Response, Step, Upstream, config_of, config_with, eventually};

const TRANSCRIBE: &str = "/v1/audio/transcriptions";
const BOUNDARY: &str = "X-the-boundary";

fn field(name: &str, value: &str) -> Vec<u8> {
    format!("--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n").into_bytes()
}

fn file(content: &[u8]) -> Vec<u8> {
    let head = "Content-Disposition: form-data; name=\"file\"; filename=\"a.mp3\"\r\nContent-Type: audio/mpeg";
    [format!("--{BOUNDARY}\r\n{head}\r\n\r\n").as_bytes(), content, b"\r\n"].concat()
}

fn form(parts: &[Vec<u8>]) -> Vec<u8> {
    [parts.concat(), format!("--{BOUNDARY}--\r\n").into_bytes()].concat()
}

/// Bytes that look like nothing: no two megabytes are the same.
fn noise(length: usize) -> Vec<u8> {
    let mut state = 1_u64;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as u32
    };
    (0..length.div_ceil(4)).flat_map(|_| next().to_le_bytes()).take(length).collect()
}

fn uploading(app: &App) -> Client {
    app.client().header("content-type", &format!("multipart/form-data; boundary=\"{BOUNDARY}\""))
}

fn send(app: &App, path: &str, form: &[u8]) -> Response {
    uploading(app).request("POST", path, form)
}

fn heard() -> Reply {
    Reply::json(200, &json!({ "text": "hello" }))
}

/// Has the model another name there?
fn mapped(upstream: &Upstream) -> serde_json::Value {
    config_with(upstream, &json!({ "modelMapping": { "m": "whisper-of-theirs" }, "models": ["whisper-of-theirs"] }))
}

const LARGE: usize = 20 << 20;

#[test]
fn forms_of_any_order_and_size_arrive_byte_for_byte() {
    let upstream = Upstream::always(heard());
    let (plain, renaming) = (App::on(&[&upstream]), App::start(&mapped(&upstream)));
    for size in [0, 10, 100_000, LARGE] {
        let (sound, model, language) = (file(&noise(size)), field("model", "m"), field("language", "de"));
        for order in [[&model, &sound, &language], [&sound, &language, &model]] {
            let asked = form(&order.map(Clone::clone));
            assert_eq!(send(&plain, TRANSCRIBE, &asked).json()["text"], "hello");
            let received = upstream.received().pop().expect("a request");
            assert!(received.body == asked, "{size}: {} bytes of {}", received.body.len(), asked.len());
            assert_eq!((received.method.as_str(), received.path.as_str()), ("POST", TRANSCRIBE));
            let sent_type = received.header("content-type").expect("a type");
            assert_eq!(sent_type, format!("multipart/form-data; boundary=\"{BOUNDARY}\""));

            assert_eq!(send(&renaming, TRANSCRIBE, &asked).status, 200);
            let received = upstream.received().pop().expect("a request");
            let theirs = field("model", "whisper-of-theirs");
            let wanted = form(&order.map(|part| if *part == model { theirs.clone() } else { part.clone() }));
            assert!(received.body == wanted, "{size}: {} bytes of {}", received.body.len(), wanted.len());
        }
    }
}

#[test]
fn another_account_gets_the_same_form() {
    for size in [1_000, LARGE] {
        let failing = Upstream::always(Reply::error(500, "not today"));
        let fine = Upstream::always(heard());
        let mut config = config_of(&[&failing, &fine]);
        config["apis"][1]["priority"] = json!(1);
        let app = App::start(&config);
        let asked = form(&[file(&noise(size)), field("model", "m")]);
        assert_eq!(send(&app, TRANSCRIBE, &asked).json()["text"], "hello");
        for upstream in [&failing, &fine] {
            assert!(upstream.received().pop().expect("a request").body == asked, "{size}");
        }
    }
}

#[test]
fn a_transcript_passes_in_every_form() {
    let subtitles = "1\n00:00:00,000 --> 00:00:01,000\n<i>hello</i>\n";
    let answers = [
        Reply::json(
            200,
            &json!({ "text": "hello", "usage": { "type": "tokens", "input_tokens": 5, "output_tokens": 2 } }),
        ),
        Reply::text(200, &[("content-type", "text/plain; charset=utf-8")], "hello\n"),
        Reply::text(200, &[("content-type", "text/plain")], subtitles),
        Reply::events(&[
            "data: {\"type\":\"transcript.text.delta\",\"delta\":\"hello\"}\n\n",
            "data: {\"type\":\"transcript.text.done\",\"text\":\"hello\",\"usage\":{\"input_tokens\":5,\"output_tokens\":2}}\n\n",
        ]),
    ];
    for answer in answers {
        let wanted = answer.bytes();
        let upstream = Upstream::always(answer);
        let app = App::on(&[&upstream]);
        let parts = [field("model", "m"), field("stream", "true"), file(b"sound")];
        let heard = send(&app, TRANSCRIBE, &form(&parts));
        assert_eq!(heard.status, 200);
        let text = heard.text();
        assert!(!text.is_empty());
        // The upstream's chunks are gone by now.
        let wanted = String::from_utf8_lossy(&wanted).replace("\r\n", "\n");
        assert!(text.lines().all(|line| wanted.contains(line)), "{text}");
    }
}

#[test]
fn images_are_edited_by_forms_and_by_json() {
    let upstream = Upstream::always(Reply::json(200, &json!({ "created": 1, "data": [{ "b64_json": "AAAA" }] })));
    let app = App::on(&[&upstream]);
    for path in ["/v1/images/edits", "/v1/images/variations"] {
        let asked = form(&[file(b"image"), field("model", "m"), field("prompt", "a hat")]);
        assert_eq!(send(&app, path, &asked).json()["data"][0]["b64_json"], "AAAA", "{path}");
        assert!(upstream.received().pop().expect("a request").body == asked);
    }
    let json = json!({ "model": "m", "prompt": "a hat", "images": [{ "image_url": "data:image/png;base64,AAAA" }] });
    assert_eq!(app.client().post("/v1/images/edits", &json).status, 200);
    assert_eq!(upstream.received().pop().expect("a request").json(), json);
}

#[test]
fn an_uploaded_file_is_found_where_it_lives() {
    let answer = json!({ "id": "file-of-a", "object": "file", "bytes": 5, "created_at": 1, "filename": "a.jsonl", "purpose": "batch" });
    let upstreams = [(); 3].map(|()| Upstream::always(Reply::json(200, &answer)));
    let app = App::on(&upstreams.each_ref());
    let asked = form(&[field("purpose", "batch"), file(b"{\"model\":\"x\"}\n")]);
    assert_eq!(send(&app, "/v1/files", &asked).json()["id"], "file-of-a");
    let calls = || upstreams.each_ref().map(Upstream::calls);
    let home = calls().iter().position(|calls| *calls == 1).expect("one was asked");
    let received = upstreams[home].received().pop().expect("a request");
    assert!(received.body == asked && received.path == "/v1/files");
    for _ in 0..5 {
        assert_eq!(app.client().get("/v1/files/file-of-a").status, 200);
    }
    assert_eq!((calls()[home], calls().iter().sum::<usize>()), (6, 6), "only its home was asked");
    let part = form(&[file(b"more")]);
    assert_eq!(send(&app, "/v1/uploads/file-of-a/parts", &part).status, 200);
    assert!(upstreams[home].received().pop().expect("a request").body == part);
}

#[test]
fn what_two_readers_could_understand_differently_reaches_nobody() {
    let upstream = Upstream::always(heard());
    let app = App::on(&[&upstream]);
    let (model, sound) = (field("model", "m"), file(b"sound"));
    let cut = form(&[model.clone(), sound.clone()]);
    let encoded = format!(
        "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"model\"\r\nContent-Transfer-Encoding: base64\r\n\r\nbQ==\r\n"
    );
    for (form, told) in [
        (form(std::slice::from_ref(&sound)), "you must provide a model"),
        (form(&[model.clone(), sound.clone(), field("model", "n")]), "model twice"),
        (form(&[encoded.into_bytes(), sound.clone()]), "plain text"),
        (form(&[field("model", &"m".repeat(300)), sound.clone()]), "longer than 256"),
        (form(&vec![field("x", "y"); 10_000]), "more than 1000 parts"),
        (cut[..cut.len() - 10].to_vec(), "cut off"),
        (b"no form".to_vec(), "cut off"),
        (Vec::new(), "cut off"),
    ] {
        let refused = send(&app, TRANSCRIBE, &form);
        let status = refused.status;
        let error = refused.json()["error"].clone();
        assert_eq!((status, &error["type"]), (400, &json!("invalid_request_error")), "{told}: {error}");
        assert!(error["message"].as_str().expect("a text").contains(told), "{told}: {error}");
    }
    let bare = app.client().header("content-type", "multipart/form-data").request("POST", TRANSCRIBE, b"x");
    assert_eq!(bare.status, 400);
    assert_eq!(upstream.calls(), 0);
}

#[test]
fn uploads_have_bounds_of_their_own() {
    let upstream = Upstream::always(heard());
    let app = App::start(&with(&upstream, &json!({ "bodyLimitMb": 1, "uploadLimitMb": 12, "spoolMb": 10 })));
    let asking = |size: usize| send(&app, TRANSCRIBE, &form(&[field("model", "m"), file(&noise(size))]));
    assert_eq!(asking(9 << 20).status, 200, "more than `bodyLimitMb`, which is for JSON");
    let refused = asking(13 << 20);
    assert!(refused.status == 413 && refused.text().contains("server.uploadLimitMb"));
    let refused = asking(11 << 20);
    assert!(refused.status == 503 && refused.text().contains("server.spoolMb"));
    assert_eq!(asking(9 << 20).status, 200, "the space was given back");
}

/// The sizes on disk of the files without a name below this folder that a process has open.
fn nameless_sizes(pid: u32, folder: &Path) -> Vec<u64> {
    let open = std::fs::read_dir(format!("/proc/{pid}/fd")).expect("reads");
    let sizes = open.filter_map(|entry| {
        let path = entry.ok()?.path();
        let target = std::fs::read_link(&path).ok()?;
        let is_nameless = target.starts_with(folder) && target.to_string_lossy().ends_with("(deleted)");
        Some(std::fs::metadata(&path).ok().filter(|_| is_nameless)?.blocks() * 512)
    });
    sizes.collect()
}

fn nameless(pid: u32, folder: &Path) -> usize {
    nameless_sizes(pid, folder).len()
}

#[test]
fn a_file_has_no_name_and_ends_with_its_request() {
    let upstream = Upstream::start(|_| Reply::stream(vec![Step::Hold], true));
    let app = App::on(&[&upstream]);
    let folder = app.config_file().with_file_name("data").join("uploads");
    let files = || std::fs::read_dir(&folder).map(Iterator::count).unwrap_or_default();
    let asked = form(&[field("model", "m"), file(&noise(LARGE))]);
    std::thread::scope(|scope| {
        scope.spawn(|| send(&app, TRANSCRIBE, &asked).try_bytes());
        eventually("it waits for the answer", || upstream.calls() == 1);
        assert_eq!((nameless(app.pid(), &folder), files()), (1, 0));
        upstream.release();
    });
    eventually("the file is gone", || nameless(app.pid(), &folder) == 0);
}
