//! The disk that uploads take: all of it is given back, whatever happens, and never more than allowed.

use std::io::Write;
use std::net::TcpStream;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{scope, sleep};
use std::time::Duration;

use serde_json::json;

use super::{BOUNDARY, TRANSCRIBE, field, file, form, heard, nameless, nameless_sizes, noise, send};
use crate::edge::with;
use crate::helpers::{App, KEY, Reply, Step, Upstream, eventually};

fn folder_of(app: &App) -> PathBuf {
    app.config_file().with_file_name("data").join("uploads")
}

fn names_in(folder: &PathBuf) -> Vec<String> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
}

/// Begins an upload of so many bytes, and sends some of them.
fn begun(port: u16, whole: usize, sent: &[u8]) -> TcpStream {
    let mut socket = TcpStream::connect(("127.0.0.1", port)).expect("connects");
    let head = format!(
        "POST {TRANSCRIBE} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {KEY}\r\ncontent-length: {whole}\r\n\
         content-type: multipart/form-data; boundary={BOUNDARY}\r\n\r\n"
    );
    socket.write_all(head.as_bytes()).and_then(|()| socket.write_all(sent)).expect("sends");
    socket
}

#[test]
fn no_file_of_an_upload_outlives_a_kill_in_its_midst() {
    const AT_ONCE: usize = 8;
    const SENT: usize = 5 << 20;
    let upstream = Upstream::start(|_| Reply::stream(vec![Step::Hold], true));
    let app = App::on(&[&upstream]);
    let (pid, folder) = (app.pid(), folder_of(&app));
    let whole = form(&[field("model", "m"), file(&noise(20 << 20))]);
    // Some are not whole, and one waits for its answer.
    let begun: Vec<TcpStream> = (0..AT_ONCE).map(|_| begun(app.port, whole.len(), &whole[..SENT])).collect();
    let waiting = self::begun(app.port, whole.len(), &whole);
    eventually("all are on disk, without a name", || {
        let sizes = nameless_sizes(pid, &folder);
        upstream.calls() == 1 && sizes.len() == AT_ONCE + 1 && sizes.iter().all(|size| *size > (SENT as u64) * 9 / 10)
    });
    assert_eq!(names_in(&folder), Vec::<String>::new());
    // A file system without nameless files leaves one of these behind; the other one is nobody's of ours.
    std::fs::write(folder.join(".tmpAbC123"), b"left").expect("writes");
    std::fs::write(folder.join("notes.txt"), b"mine").expect("writes");
    let launch = app.kill();
    assert!(!PathBuf::from(format!("/proc/{pid}/fd")).exists(), "with the process its files are gone");
    drop((begun, waiting));
    upstream.release();
    let app = launch.start();
    assert_eq!(names_in(&folder), ["notes.txt"]);
    assert_eq!(nameless(app.pid(), &folder), 0);
}

#[test]
fn a_hundred_uploads_at_once_stay_within_the_bound_and_the_rest_is_told_so() {
    const MOST_MB: u64 = 60;
    let upstream = Upstream::start(|_| heard().held());
    let app = App::start(&with(&upstream, &json!({ "spoolMb": MOST_MB })));
    let (pid, folder) = (app.pid(), folder_of(&app));
    let asked = form(&[file(&noise(9 << 20)), field("model", "m")]);
    let has_ended = AtomicBool::new(false);
    let (largest, answers) = scope(|scope| {
        let watching = scope.spawn(|| {
            let mut largest = 0;
            while !has_ended.load(Ordering::SeqCst) {
                largest = largest.max(nameless_sizes(pid, &folder).iter().sum());
                sleep(Duration::from_millis(5));
            }
            largest
        });
        let asking: Vec<_> = (0..100).map(|_| scope.spawn(|| refusal_of(&app, &asked))).collect();
        // What fits waits for its answer, and all others have theirs.
        eventually("as many as fit wait", || {
            asking.iter().filter(|one| !one.is_finished()).count() == upstream.calls()
        });
        assert!((1..=6).contains(&upstream.calls()), "{}", upstream.calls());
        upstream.release();
        let answers: Vec<_> = asking.into_iter().map(|one| one.join().expect("an answer")).collect();
        has_ended.store(true, Ordering::SeqCst);
        (watching.join().expect("a size"), answers)
    });
    // A tenth more: disks have blocks, and files come and go while they are added up.
    assert!(largest > 9 << 20 && largest <= (MOST_MB << 20) * 11 / 10, "{largest}");
    assert_eq!(answers.iter().filter(|answer| answer.is_none()).count(), upstream.calls());
    assert!(answers.iter().flatten().all(|text| text.contains("server.spoolMb")), "{answers:?}");
    eventually("all space is given back", || nameless(pid, &folder) == 0);
    assert_eq!(refusal_of(&app, &asked), None);
}

/// Sends a form. Returns what is said, if the answer is a 503.
fn refusal_of(app: &App, asked: &[u8]) -> Option<String> {
    let answer = send(app, TRANSCRIBE, asked);
    let status = answer.status;
    let text = answer.text();
    assert!(matches!(status, 200 | 503), "{status}: {text}");
    (status == 503).then_some(text)
}
