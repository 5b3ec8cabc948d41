//! The user and the password of a proxy are in no output.

use serde_json::json;

use crate::helpers::websocket::WsClient;
use crate::helpers::{KEY, Launch, PROXY_LOGIN, RealProxy, Reply, Upstream, assert_no_proxy_login, config_of};

/// The password as the upstream would have to know it, and as the proxy is told it.
const PASSWORD: &str = "pass-word.of_the-proxy41";

#[test]
fn no_output_of_the_program_holds_user_or_password() {
    let mut dead = RealProxy::http(&[]);
    dead.kill();
    let [http, socks] = RealProxy::both();
    // An upstream that quotes what it can't know: the way there may add headers.
    let echo = format!("denied for {PASSWORD}");
    let upstream = Upstream::always(Reply::error(401, &echo));
    for proxy in [dead.url(), http.url(), socks.url(), http.url_with("anna-of-the-proxy:wrong")] {
        let mut config = config_of(&[&upstream]);
        config["apis"][0]["proxy"] = json!(proxy);
        config["server"]["proxy"] = json!(format!("socks5://{PROXY_LOGIN}@127.0.0.1:9"));
        let launch = Launch::new(&config).env("RUST_LOG", "trace,sled=info");
        for command in ["check", "explain"] {
            let mut run = launch.command();
            run.args([command, "--config", "apis.json"]);
            let output = run.output().expect("runs");
            assert_no_proxy_login(&String::from_utf8_lossy(&[output.stdout, output.stderr].concat()));
        }
        let app = launch.start();
        let mut said = app.chat().text();
        said.push_str(&app.client().get("/v1/status").text());
        said.push_str(&app.client().get("/health").text());
        let headers = format!("authorization: Bearer {KEY}\r\n");
        said.push_str(&WsClient::with(&app, &headers).head);
        app.signal("HUP");
        app.chat();
        said.push_str(&app.log());
        said.push_str(&app.banner());
        assert_no_proxy_login(&said);
    }
}

#[test]
fn check_shows_the_proxy_of_each_api_without_its_login() {
    let upstream = Upstream::always(Reply::chat("hi"));
    let mut config = config_of(&[&upstream, &upstream, &upstream]);
    config["server"]["proxy"] = json!(format!("http://{PROXY_LOGIN}@p.example"));
    config["apis"][1]["proxy"] = json!(format!("socks5h://{PROXY_LOGIN}@[::1]:9050"));
    config["apis"][2]["proxy"] = json!("none");
    let checked = Launch::new(&config).command().args(["check", "--config", "apis.json"]).output().expect("runs");
    let said = String::from_utf8(checked.stdout).expect("text");
    let lines: Vec<&str> = said.lines().filter(|line| line.contains("by the proxy")).map(str::trim).collect();
    let of = |proxy: &str| format!("by the proxy {proxy} to {}/v1/", upstream.url());
    assert_eq!(lines, [of("http://***@p.example:80"), of("socks5h://***@[::1]:9050")], "{said}");
    assert_no_proxy_login(&said);
}

#[test]
fn check_online_and_test_go_by_the_proxy_and_say_what_it_says() {
    let upstream = Upstream::start(|request| match request.path.as_str() {
        "/v1/models" => Reply::json(200, &json!({ "object": "list", "data": [{ "id": "m" }] })),
        _ => Reply::chat("by a proxy"),
    });
    for proxy in RealProxy::both() {
        let said = |url: String, args: &[&str]| {
            let mut config = config_of(&[&upstream]);
            config["apis"][0]["proxy"] = json!(url);
            let output =
                Launch::new(&config).command().args(args).args(["--config", "apis.json"]).output().expect("runs");
            let said = String::from_utf8([output.stdout, output.stderr].concat()).expect("text");
            assert_no_proxy_login(&said);
            (output.status.code(), said)
        };
        for args in [&["check", "--online"][..], &["test", "a"]] {
            let (code, all) = said(proxy.url(), args);
            assert!(code == Some(0) && all.contains("200"), "{args:?}: {all}");
            let (code, all) = said(proxy.url_with("anna-of-the-proxy:wrong"), args);
            let words = format!("by its proxy {}: it", proxy.shown());
            assert!(code == Some(1) && all.contains(&words), "{args:?}: {all}");
            assert!(all.contains("it does not take the user and the password of `proxy`"), "{args:?}: {all}");
        }
    }
    assert!(upstream.calls() > 0);
}
