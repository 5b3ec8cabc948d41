//! Files that are uploaded once and used everywhere (`server.replicateFiles`).

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};

use crate::helpers::{App, Client, Launch, Received, Redis, Reply, Response, Upstream, config_of, eventually};

mod places;
mod refusals;

const BOUNDARY: &str = "X-the-boundary";

/// An account that knows its own files alone.
struct FileAccount {
    upstream: Upstream,
    /// The forms, by id.
    files: Arc<Mutex<BTreeMap<String, Vec<u8>>>>,
    /// Does the account refuse uploads?
    refuses: Arc<AtomicBool>,
    /// Does the account refuse everything?
    is_down: Arc<AtomicBool>,
}

impl FileAccount {
    fn start(name: &'static str) -> FileAccount {
        let files: Arc<Mutex<BTreeMap<String, Vec<u8>>>> = Arc::default();
        let [refuses, is_down] = [Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false))];
        let (known, next) = (files.clone(), AtomicUsize::new(0));
        let (refusing, down) = (refuses.clone(), is_down.clone());
        let upstream = Upstream::start(move |request| {
            if down.load(Ordering::SeqCst) {
                return Reply::error(500, "down");
            }
            if is_upload(request) && refusing.load(Ordering::SeqCst) {
                return Reply::error(400, "no such purpose");
            }
            answer(request, &mut known.lock().expect("whole"), || {
                format!("file-{name}{}", next.fetch_add(1, Ordering::SeqCst))
            })
        });
        FileAccount { upstream, files, refuses, is_down }
    }

    /// The forms that came.
    fn uploads(&self) -> Vec<Received> {
        self.upstream.received().into_iter().filter(is_upload).collect()
    }

    /// The requests for a model that came.
    fn chats(&self) -> Vec<Received> {
        let is_chat = |request: &Received| request.method == "POST" && !is_upload(request);
        self.upstream.received().into_iter().filter(is_chat).collect()
    }

    /// The last request for a model, as text.
    fn last_chat(&self) -> String {
        String::from_utf8(self.chats().pop().expect("a chat").body).expect("UTF-8")
    }

    fn knows(&self, id: &str) -> bool {
        self.files.lock().expect("whole").contains_key(id)
    }

    fn forget(&self) {
        self.files.lock().expect("whole").clear();
    }
}

fn is_upload(request: &Received) -> bool {
    request.method == "POST" && request.path.starts_with("/v1/files")
}

fn answer(request: &Received, files: &mut BTreeMap<String, Vec<u8>>, next: impl Fn() -> String) -> Reply {
    if is_upload(request) {
        let id = next();
        files.insert(id.clone(), request.body.clone());
        // Long enough for others to come meanwhile.
        return Reply::json(200, &json!({ "id": id, "object": "file", "purpose": "user_data" }))
            .after(Duration::from_millis(100));
    }
    let missing = |id: &str| Reply::error(404, &format!("No such File object: {id}"));
    let path = request.path.split('?').next().unwrap_or_default();
    if let Some(id) = path.strip_prefix("/v1/files/") {
        return match (request.method.as_str(), files.contains_key(id)) {
            (_, false) => missing(id),
            ("DELETE", true) => {
                files.remove(id);
                Reply::json(200, &json!({ "id": id, "object": "file", "deleted": true }))
            }
            _ => Reply::json(200, &json!({ "id": id, "object": "file" })),
        };
    }
    if let Some(id) = ids_in(&request.json()).into_iter().find(|id| !files.contains_key(id)) {
        return missing(&id);
    }
    match path {
        "/v1/responses" => Reply::json(
            200,
            &json!({ "id": format!("resp_{}", request.at.elapsed().as_nanos()), "object": "response", "status": "completed",
                "output": [{ "type": "message", "content": [{ "type": "output_text", "text": "hi" }] }] }),
        ),
        "/v1/messages" => Reply::json(
            200,
            &json!({ "id": "msg_1", "type": "message", "role": "assistant", "stop_reason": "end_turn",
                "content": [{ "type": "text", "text": "hi" }], "usage": { "input_tokens": 1, "output_tokens": 1 } }),
        ),
        _ => Reply::chat("hi"),
    }
}

/// The ids of files in a body, except in metadata.
fn ids_in(value: &Value) -> Vec<String> {
    match value {
        Value::Object(members) => {
            let others = members.iter().filter(|(name, _)| *name != "metadata");
            let ids = others.flat_map(|(name, value)| match (name.as_str(), value) {
                ("file_id", Value::String(id)) => vec![id.clone()],
                ("file_ids", Value::Array(ids)) => ids.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
                // What a model gave to a tool.
                ("input", Value::Object(_)) => Vec::new(),
                _ => ids_in(value),
            });
            ids.collect()
        }
        Value::Array(items) => items.iter().flat_map(ids_in).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Vec::new(),
    }
}

fn accounts(n: usize) -> Vec<FileAccount> {
    ["a", "b", "c"][..n].iter().map(|name| FileAccount::start(name)).collect()
}

/// The first account comes first, and runs a model so many times a day. The others follow in order.
fn config(accounts: &[FileAccount], rpd: u64) -> Value {
    let mut config = config_of(&accounts.iter().map(|account| &account.upstream).collect::<Vec<_>>());
    config["server"]["replicateFiles"] = json!(true);
    config["apis"][0]["rpd"] = json!(rpd);
    for (nth, account) in accounts.iter().enumerate() {
        config["apis"][nth]["priority"] = json!(nth);
        config["apis"][nth]["anthropicBaseUrl"] = json!(account.upstream.url());
    }
    config
}

fn form(content: &[u8]) -> Vec<u8> {
    let head = "Content-Disposition: form-data; name=\"file\"; filename=\"a b.pdf\"\r\nContent-Type: application/pdf";
    let purpose = "Content-Disposition: form-data; name=\"purpose\"\r\n\r\nuser_data";
    let begin = format!("--{BOUNDARY}\r\n{purpose}\r\n--{BOUNDARY}\r\n{head}\r\n\r\n");
    [begin.as_bytes(), content, format!("\r\n--{BOUNDARY}--\r\n").as_bytes()].concat()
}

fn send(client: &Client, path: &str, content: &[u8]) -> Response {
    let client = client.clone().header("content-type", &format!("multipart/form-data; boundary={BOUNDARY}"));
    client.request("POST", path, &form(content))
}

/// Uploads a file. Returns the id.
fn upload(client: &Client, content: &[u8]) -> String {
    let answer = send(client, "/v1/files", content);
    assert_eq!(answer.status, 200);
    answer.json()["id"].as_str().expect("an id").to_owned()
}

/// The body of a chat about files.
fn about(ids: &[&str]) -> Value {
    let parts: Vec<Value> = ids.iter().map(|id| json!({ "type": "file", "file": { "file_id": id } })).collect();
    json!({ "model": "m", "messages": [{ "role": "user", "content": parts }] })
}

fn chat(app: &App, ids: &[&str]) -> u16 {
    app.client().post("/v1/chat/completions", &about(ids)).status
}

/// The kept files of a server.
fn kept(folder: &std::path::Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder.join("data/files")).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).collect()
}

#[test]
fn a_file_goes_to_the_account_that_needs_it_once_and_nothing_but_its_id_changes() {
    let accounts = accounts(2);
    let app = App::start(&config(&accounts, 1));
    let file = upload(&app.client(), b"%PDF-\x00\xff the bytes");
    assert!(accounts[0].knows(&file), "{file}");
    assert_eq!(chat(&app, &[&file]), 200, "its home can serve");
    assert_eq!((accounts[0].chats().len(), accounts[1].uploads().len()), (1, 0));
    // The home has spent its day.
    let body = format!(
        r#"{{ "metadata" : {{"file_id":"{file}"}}, "model":"m","messages":[{{"role":"user","content":[
        {{"type":"text","text":"about {file}, \"file_id\":\"{file}\""}},  {{"type":"file","file":{{"file_id" :"{file}"}}}},
        {{"type":"file","file":{{"file_id":"{file}"}}}}]}}], "n":1.0 }}"#
    );
    let asked = || app.client().request("POST", "/v1/chat/completions", body.as_bytes());
    assert_eq!(asked().status, 200);
    let uploads = accounts[1].uploads();
    assert_eq!(uploads.len(), 1);
    let first = &accounts[0].uploads()[0];
    assert!(uploads[0].body == first.body, "the same bytes");
    assert_eq!(uploads[0].header("content-type"), first.header("content-type"));
    assert_eq!(uploads[0].header("authorization"), Some("Bearer sk-upstream-b-0123456789"));
    let wanted = body
        .replace(&format!(r#""file_id" :"{file}""#), r#""file_id" :"file-b0""#)
        .replace(&format!(r#"{{"file":{{"file_id":"{file}""#), r#"{"file":{"file_id":"file-b0""#)
        .replace(&format!(r#""file","file":{{"file_id":"{file}""#), r#""file","file":{"file_id":"file-b0""#);
    assert_eq!(accounts[1].last_chat(), wanted);
    assert_eq!(asked().status, 200);
    assert_eq!(accounts[1].uploads().len(), 1, "once");
    let app = app.kill_and_restart();
    assert_eq!(chat(&app, &[&file]), 200);
    let app = app.stop_and_restart();
    assert_eq!(chat(&app, &[&file]), 200);
    assert_eq!((accounts[1].uploads().len(), accounts[1].chats().len()), (1, 4), "also after a restart");
    assert_eq!(accounts[0].chats().len(), 1);
}

#[test]
fn requests_at_once_upload_a_file_once() {
    let accounts = accounts(2);
    let app = App::start(&config(&accounts, 1));
    let file = upload(&app.client(), b"bytes");
    assert_eq!(chat(&app, &[&file]), 200);
    std::thread::scope(|scope| {
        let chats: Vec<_> = (0..24).map(|_| scope.spawn(|| chat(&app, &[&file]))).collect();
        for chat in chats {
            assert_eq!(chat.join().expect("no panic"), 200);
        }
    });
    assert_eq!((accounts[1].uploads().len(), accounts[1].chats().len()), (1, 24));
}

#[test]
fn a_removed_file_leaves_the_disk_and_all_accounts() {
    use std::os::unix::fs::PermissionsExt;
    let accounts = accounts(2);
    let app = App::start(&config(&accounts, 1));
    let folder = app.config_file().parent().expect("a folder").to_owned();
    let [file, other] = [b"bytes", b"other"].map(|content| upload(&app.client(), content));
    for path in kept(&folder) {
        assert_eq!(std::fs::metadata(&path).expect("there").permissions().mode() & 0o777, 0o600, "{path:?}");
    }
    for _ in 0..2 {
        assert_eq!(chat(&app, &[&file]), 200);
    }
    assert!(accounts[1].knows("file-b0"));
    assert_eq!(app.client().request("DELETE", &format!("/v1/files/{file}"), b"").status, 200);
    eventually("the copy is gone", || !accounts[1].knows("file-b0"));
    eventually("the bytes are gone", || kept(&folder).len() == 2);
    let (before, chats) = (accounts[1].uploads().len(), accounts[1].chats().len());
    assert_ne!(chat(&app, &[&file]), 200);
    assert_eq!(accounts[1].uploads().len(), before);
    assert!(accounts[1].chats().len() <= chats + 1, "asked for the unknown file at most");
    assert_eq!(chat(&app, &[&other]), 200);
}

#[test]
fn a_killed_server_leaves_no_rest() {
    let accounts = accounts(2);
    let app = App::start(&config(&accounts, 1));
    let file = upload(&app.client(), b"bytes");
    let launch: Launch = app.kill();
    let files = launch.folder.join("data/files");
    for rest in [".tmpA1b2C3", "00112233445566778899aabbccddeeff.form", "00112233445566778899aabbccddeeff.json"] {
        std::fs::write(files.join(rest), b"{").expect("writes");
    }
    let folder = launch.folder.clone();
    let app = launch.start();
    assert_eq!(kept(&folder).len(), 2);
    for _ in 0..2 {
        assert_eq!(chat(&app, &[&file]), 200);
    }
    assert_eq!(accounts[1].uploads().len(), 1);
}
