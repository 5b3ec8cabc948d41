//! Realtime of the official OpenAI packages, also in the form for browsers. What they do and expect is in `tests/sdk/realtime.*`.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

use rcgen::{CertifiedKey, generate_simple_self_signed};
use serde_json::{Value, json};

use super::{created, done};
use crate::helpers::websocket::{TEXT, WsServed, WsUpstream};
use crate::helpers::{App, KEY, Launch, config_at, eventually};

/// Speaks as OpenAI does, and makes secrets.
fn upstream() -> WsUpstream {
    let http = |_: &str, _: &str| {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs();
        let made =
            json!({ "value": "ek_of_the_sdk", "expires_at": now + 600, "session": { "type": "realtime" } }).to_string();
        format!("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{made}", made.len())
    };
    let greeting = json!({ "type": "session.created", "event_id": "event_0", "session": { "type": "realtime" } });
    WsUpstream::with_http(&greeting, http, |served, frame| {
        let message = if frame.code == TEXT { frame.json() } else { Value::Null };
        match message["type"].as_str() {
            Some("session.update") => {
                served.send_json(&json!({ "type": "session.updated", "session": message["session"] }))
            }
            Some("response.create" | "input_audio_buffer.commit") => speak(served),
            Some(_) => true,
            None => false,
        }
    })
}

fn speak(served: &mut WsServed) -> bool {
    let delta = |text: &str| json!({ "type": "response.output_text.delta", "response_id": "resp_1", "delta": text });
    [created("resp_1"), delta("Grüße, "), delta("世界"), done("resp_1")].iter().all(|event| served.send_json(event))
}

fn launch(upstream: &WsUpstream, server: &Value) -> Launch {
    let mut config = config_at(&[upstream.url()]);
    config["server"].as_object_mut().expect("members").extend(server.as_object().expect("members").clone());
    let scarce = json!({ "id": "scarce", "baseUrl": upstream.url(), "apiKey": "sk-upstream-scarce-0123456789",
        "models": ["scarce"], "rpd": 1 });
    config["apis"].as_array_mut().expect("a list").push(scarce);
    Launch::new(&config)
}

fn run(app: &App, (interpreter, program): (PathBuf, &str), base_url: &str) {
    let tools = std::env::var_os("API_TOGETHER_TOOLS")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("target/tools"), PathBuf::from);
    let interpreter = if interpreter.components().count() > 1 { tools.join(interpreter) } else { interpreter };
    let mut command = Command::new("timeout");
    command.arg("120").arg(interpreter).arg(format!("{}/tests/sdk/{program}", env!("CARGO_MANIFEST_DIR"))).arg("pool");
    let kept = ["PATH", "HOME"].iter().filter_map(|name| Some((name, std::env::var_os(name)?)));
    command.env_clear().envs(kept).env("API_TOGETHER_TOOLS", tools).env("BASE_URL", base_url).env("API_KEY", KEY);
    command.env("NODE_EXTRA_CA_CERTS", app.folder.join("cert.pem"));
    let output = command.output().expect("timeout is there");
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(output.status.success(), "{program}: {}\n{said}{}", output.status, app.log());
}

fn check(app: &App, upstream: &WsUpstream, responses: u64) {
    eventually("each response is counted", || app.usage_of("a").1 >= responses);
    for head in upstream.handshakes() {
        assert!(!head.contains(&KEY.to_lowercase()) && !head.contains("openai-insecure"), "{head}");
        let key =
            head.contains("authorization: bearer sk-upstream") || head.contains("authorization: bearer ek_of_the_sdk");
        assert!(key, "{head}");
    }
}

#[test]
fn the_python_sdk_talks_through_the_pool() {
    let upstream = upstream();
    let app = launch(&upstream, &json!({})).start();
    run(&app, ("clients-venv/bin/python".into(), "realtime.py"), &format!("http://127.0.0.1:{}/v1", app.port));
    check(&app, &upstream, 4);
}

#[test]
fn the_node_sdk_talks_through_the_pool_in_both_of_its_forms() {
    let upstream = upstream();
    let tls = json!({ "tls": { "certFile": "cert.pem", "keyFile": "key.pem" } });
    let launch = launch(&upstream, &tls);
    let CertifiedKey { cert, signing_key } =
        generate_simple_self_signed(vec!["localhost".to_owned()]).expect("a certificate");
    fs::write(launch.folder.join("key.pem"), signing_key.serialize_pem()).expect("writes");
    fs::write(launch.folder.join("cert.pem"), cert.pem()).expect("writes");
    let app = launch.listen();
    run(&app, ("node".into(), "realtime.mjs"), &format!("https://localhost:{}/v1", app.port));
    let heads = upstream.handshakes();
    assert_eq!(heads.len(), 5, "four sessions, and a secret");
    assert_eq!(heads.iter().filter(|head| head.contains("bearer ek_of_the_sdk")).count(), 2);
    for head in heads {
        assert!(!head.contains(&KEY.to_lowercase()) && !head.contains("openai-insecure"), "{head}");
    }
}
