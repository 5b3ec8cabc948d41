//! The server speaks HTTPS itself.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rcgen::{CertifiedKey, generate_simple_self_signed};
use serde_json::json;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use crate::edge::with;
use crate::explain::run_in;
use crate::helpers::{App, KEY, Launch, Raw, Reply, Step, Upstream, eventually, post};

/// Writes a new certificate for `localhost`, and its key.
fn certify(folder: &Path) {
    let CertifiedKey { cert, signing_key } =
        generate_simple_self_signed(vec!["localhost".to_owned()]).expect("a certificate");
    fs::write(folder.join("key.pem"), signing_key.serialize_pem()).expect("writes");
    fs::write(folder.join("cert.pem"), cert.pem()).expect("writes");
}

fn secured(upstream: &Upstream) -> Launch {
    let tls = json!({ "certFile": "cert.pem", "keyFile": "key.pem" });
    let launch = Launch::new(&with(upstream, &json!({ "tls": tls, "headTimeoutMs": 3000 })));
    certify(&launch.folder);
    launch
}

type Session = StreamOwned<ClientConnection, TcpStream>;

/// A client that trusts the certificate which is in the folder now, and offers HTTP/2 too.
fn connect(app: &App) -> std::io::Result<Session> {
    let mut roots = RootCertStore::empty();
    let trusted = CertificateDer::from_pem_file(app.folder.join("cert.pem")).expect("a certificate");
    roots.add(trusted).expect("added");
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
    let builder = builder.with_safe_default_protocol_versions().expect("versions");
    let mut config = builder.with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let name = ServerName::try_from("localhost").expect("a name");
    let client = ClientConnection::new(Arc::new(config), name).expect("a client");
    let tcp = TcpStream::connect(("127.0.0.1", app.port))?;
    tcp.set_read_timeout(Some(Duration::from_secs(20)))?;
    let mut session = StreamOwned::new(client, tcp);
    session.conn.complete_io(&mut session.sock)?;
    Ok(session)
}

/// One request, and all that comes until the server closes.
fn ask(session: &mut Session, request: &str) -> String {
    session.write_all(request.as_bytes()).expect("sent");
    let mut all = Vec::new();
    session.read_to_end(&mut all).expect("a proper end, with its close_notify");
    String::from_utf8(all).expect("text")
}

#[test]
fn clients_are_served_over_tls() {
    let event = r#"{"choices":[{"delta":{"content":"a"}}]}"#;
    let upstream = Upstream::start(move |request| match request.json()["stream"] == true {
        true => Reply::stream(vec![Step::event(event), Step::event("[DONE]")], true),
        false => Reply::chat("over TLS"),
    });
    let app = secured(&upstream).listen();
    assert!(app.banner().contains(&format!("https://localhost:{}/v1", app.port)), "{}", app.banner());
    let mut session = connect(&app).expect("a session");
    assert_eq!(session.conn.alpn_protocol(), Some(&b"http/1.1"[..]));
    let answer = ask(&mut session, &post("connection: close\r\n", r#"{"model":"m"}"#));
    assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("over TLS"), "{answer}");
    let mut session = connect(&app).expect("a session");
    let answer = ask(&mut session, &post("connection: close\r\n", r#"{"model":"m","stream":true}"#));
    assert!(answer.contains(event) && answer.contains("data: [DONE]\n\n"), "{answer}");
    assert_eq!(upstream.calls(), 2);

    // Who speaks no TLS learns nothing and harms nobody.
    let mut plain = Raw::to(app.port);
    assert!(plain.send(post("", r#"{"model":"m"}"#)));
    assert!(!String::from_utf8_lossy(&plain.until_closed()).contains("HTTP/1"));
    let (mut silent, since) = (Raw::to(app.port), Instant::now());
    assert!(silent.is_closed() && since.elapsed() < Duration::from_secs(8), "{:?}", since.elapsed());
    assert!(connect(&app).is_ok());
}

#[test]
fn a_session_over_tls_has_a_cookie_for_this_host_and_tls_alone() {
    const ADMIN: &str = "sk-admin-0123456789abcdef";
    let upstream = Upstream::always(Reply::chat("hi"));
    let tls = json!({ "certFile": "cert.pem", "keyFile": "key.pem" });
    let launch = Launch::new(&with(&upstream, &json!({ "tls": tls, "adminKeys": [ADMIN] })));
    certify(&launch.folder);
    let app = launch.listen();
    let ask = |request: &str| ask(&mut connect(&app).expect("a session"), request);
    let host = format!("host: localhost:{}\r\nconnection: close\r\n", app.port);
    let form = format!("key={ADMIN}");
    let length = form.len();
    let kind = "content-type: application/x-www-form-urlencoded";
    let answer = ask(&format!("POST /ui/login HTTP/1.1\r\n{host}{kind}\r\ncontent-length: {length}\r\n\r\n{form}"));
    let cookie = answer.lines().find_map(|line| line.strip_prefix("set-cookie: ")).expect("a cookie");
    assert!(cookie.starts_with(&format!("__Host-api-together-{}=", app.port)), "{cookie}");
    for part in ["Path=/", "HttpOnly", "SameSite=Strict", "Secure"] {
        assert!(cookie.split("; ").any(|of| of == part), "{part}: {cookie}");
    }
    assert!(!cookie.contains("Domain"), "browsers refuse the prefix with a domain: {cookie}");
    let (pair, _) = cookie.split_once(';').expect("a pair");
    let page = |cookie: &str| ask(&format!("GET /ui/ HTTP/1.1\r\n{host}cookie: {cookie}\r\n\r\n"));
    assert!(page(pair).starts_with("HTTP/1.1 200"));
    // A cookie that a page without TLS could have set is none.
    assert!(page(pair.trim_start_matches("__Host-")).starts_with("HTTP/1.1 303"));
}

#[test]
fn a_new_certificate_is_taken_up_and_a_broken_one_is_not() {
    let upstream = Upstream::always(Reply::chat("hi"));
    let app = secured(&upstream).listen();
    let of = |session: &Session| session.conn.peer_certificates().expect("shown")[0].clone().into_owned();
    let first = of(&connect(&app).expect("a session"));
    let mut kept = connect(&app).expect("a session");

    certify(&app.folder);
    eventually("the new one is shown", || connect(&app).is_ok());
    let second = of(&connect(&app).expect("a session"));
    assert_ne!(first, second);
    assert!(ask(&mut kept, &post("connection: close\r\n", r#"{"model":"m"}"#)).starts_with("HTTP/1.1 200"));

    let key = fs::read(app.folder.join("key.pem")).expect("reads");
    fs::write(app.folder.join("key.pem"), "no key").expect("writes");
    app.logged("holds no private key in PEM form; the old certificate stays in force");
    assert_eq!(of(&connect(&app).expect("a session")), second);
    fs::write(app.folder.join("key.pem"), key).expect("writes");
    assert_eq!(app.log().matches("the old certificate stays").count(), 1, "a mistake is told once");
}

#[test]
fn a_certificate_that_can_not_be_used_is_told_at_the_start() {
    let upstream = Upstream::always(Reply::chat("hi"));
    let told = |spoil: &dyn Fn(&Path)| {
        let launch = secured(&upstream);
        spoil(&launch.folder);
        let ended = launch.command().args(["--config", "apis.json", "--port", "0"]).output().expect("runs");
        assert_eq!(ended.status.code(), Some(1));
        String::from_utf8(ended.stderr).expect("text")
    };
    let missing = told(&|folder| fs::remove_file(folder.join("cert.pem")).expect("removed"));
    assert!(missing.contains("server.tls: ") && missing.contains("cert.pem: can't be read"), "{missing}");
    let empty = told(&|folder| fs::write(folder.join("cert.pem"), "x").expect("writes"));
    assert!(empty.contains("cert.pem: holds no certificate"), "{empty}");
    let foreign = told(&|folder| {
        let key = fs::read(folder.join("key.pem")).expect("reads");
        certify(folder);
        fs::write(folder.join("key.pem"), key).expect("writes");
    });
    assert!(foreign.contains("key.pem: does not fit the certificate"), "{foreign}");
}

#[test]
fn commands_ask_a_server_that_speaks_tls() {
    let upstream = Upstream::always(Reply::chat("hi"));
    let app = secured(&upstream).listen();
    let port = app.port.to_string();
    let url = format!("https://localhost:{port}");
    let trusted = app.folder.join("cert.pem").display().to_string();
    for (args, env, wanted) in [
        (&["-c", "apis.json", "-p", &port][..], &[][..], None),
        (&["--url", &url, "--key", KEY], &[("SSL_CERT_FILE", trusted.as_str())], None),
        (&["--url", &url, "--key", KEY], &[], Some("trust its certificate with SSL_CERT_FILE=FILE")),
        (
            &["-c", "apis.json", "-p", &port, "--host", "127.0.0.1"],
            &[],
            Some("name the server as its certificate does"),
        ),
    ] {
        for command in [&["status"][..], &["explain", "m"]] {
            let (code, told, errors) = run_in(&app.folder, env, &[command, args].concat());
            assert_eq!(code, Some(i32::from(wanted.is_some())), "{args:?}: {told}{errors}");
            assert!(wanted.is_none_or(|wanted| errors.contains(wanted)), "{args:?}: {errors}");
        }
    }
}
