//! `"proxy": "env"`.

use serde_json::{Value, json};

use crate::helpers::{Identity, Launch, RealProxy, Reply, Tls, Upstream, config_at, config_of, scratch};

/// A configuration whose APIs go by the environment.
fn by_environment(mut config: Value) -> Value {
    config["server"]["proxy"] = json!("env");
    config
}

#[test]
fn the_variables_of_the_scheme_name_the_proxy() {
    let (upstream, identity) = (Upstream::always(Reply::chat("hi")), Identity::new(&scratch()));
    let tls = Tls::speaking(&upstream, &identity);
    let mut dead = RealProxy::http(&[]);
    dead.kill();
    let proxy = RealProxy::socks();
    let (dead, good) = (dead.url(), proxy.url());
    for (variables, plain, secured) in [
        (vec![], 200, 200),
        (vec![("HTTPS_PROXY", &*dead)], 200, 502),
        (vec![("HTTP_PROXY", &*dead)], 502, 200),
        (vec![("http_proxy", &*dead), ("HTTP_PROXY", &*good)], 502, 200),
        (vec![("ALL_PROXY", &*dead)], 502, 502),
        (vec![("ALL_PROXY", &*dead), ("https_proxy", &*good)], 502, 200),
        (vec![("ALL_PROXY", &*dead), ("NO_PROXY", "localhost")], 502, 200),
        (vec![("ALL_PROXY", &*dead), ("NO_PROXY", "127.0.0.0/8")], 200, 502),
        (vec![("ALL_PROXY", &*dead), ("no_proxy", "*")], 200, 200),
        (vec![("ALL_PROXY", &*good)], 200, 200),
    ] {
        for (url, status) in [(upstream.url(), plain), (tls.url(), secured)] {
            let launch = Launch::new(&by_environment(config_at(std::slice::from_ref(&url))));
            let mut launch = launch.env("SSL_CERT_FILE", identity.certificate.to_str().expect("UTF-8"));
            for (name, value) in &variables {
                launch = launch.env(name, value);
            }
            assert_eq!(launch.start().chat().status, status, "{url} {variables:?}");
        }
    }
}

#[test]
fn without_env_the_variables_mean_nothing() {
    let upstream = Upstream::always(Reply::chat("hi"));
    let mut own = by_environment(config_of(&[&upstream]));
    own["apis"][0]["proxy"] = json!("none");
    for config in [config_of(&[&upstream]), own] {
        let app = Launch::new(&config).env("ALL_PROXY", "http://127.0.0.1:9").start();
        assert_eq!(app.chat().status, 200);
    }
}

#[test]
fn a_variable_that_names_no_proxy_is_said_and_so_is_a_missing_one() {
    let config = by_environment(config_at(&["http://127.0.0.1:9".to_owned()]));
    let checked = |variable: &str, value: &str| {
        let launch = Launch::new(&config).env(variable, value);
        let checked = launch.command().args(["check", "--config", "apis.json"]).output().expect("runs");
        let said = String::from_utf8([checked.stdout, checked.stderr].concat()).expect("text");
        (checked.status.code(), said)
    };
    let (code, said) = checked("ALL_PROXY", "socks://u:secret@p");
    assert!(said.contains("apis[0].proxy: the environment variable ALL_PROXY must begin with http://"), "{said}");
    assert!(code == Some(2) && !said.contains("secret"), "{code:?} {said}");
    let (code, said) = checked("NO_PROXY", "x");
    assert!(code == Some(0) && said.contains("warning: server.proxy: is env, and none of HTTPS_PROXY"), "{said}");
    let (code, said) = checked("ALL_PROXY", "u:secret@p.example:3128");
    assert!(code == Some(0) && said.contains("by the proxy http://***@p.example:3128 to http://127.0.0.1:9/v1/"));
    assert!(!said.contains("secret") && !said.contains("none of HTTPS_PROXY"), "{said}");
}
