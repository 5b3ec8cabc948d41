//! What no client may do to the next one, or to an upstream, however it writes its requests: one table of raw bytes.

use serde::Deserialize;

use crate::edge::with;
use crate::helpers::{App, KEY, Raw, Reply, Upstream, eventually, post};

/// A request's body of 13 bytes.
const BODY: &str = r#"{"model":"m"}"#;

/// What of a body is looked at: the rest may be deeper than a parsed one can be.
#[derive(Deserialize)]
struct Asked {
    model: String,
}

/// What is sent, and what is to come of it: the statuses of the answers (a choice where the standard leaves one), whether the
/// connection is `kept` or `closed` then, and how many requests reach the upstream.
struct Case {
    name: &'static str,
    sent: Vec<u8>,
    expected: &'static str,
}

fn case(name: &'static str, sent: impl AsRef<[u8]>, expected: &'static str) -> Case {
    Case { name, sent: sent.as_ref().to_vec(), expected }
}

/// A chat request with these header lines, and this behind its head.
fn chat(headers: &str, behind: &str) -> String {
    line(&format!("POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\n{headers}"), behind)
}

/// A head, the key in it, and what is behind it.
fn line(head: &str, behind: &str) -> String {
    format!("{head}authorization: Bearer {KEY}\r\n\r\n{behind}")
}

/// A sound chat request to this place.
fn to(place: &str) -> String {
    line(&format!("POST {place} HTTP/1.1\r\nhost: x\r\ncontent-length: 13\r\n"), BODY)
}

/// A query is passed on, and stays a query.
const QUERIED: &str = "/v1/chat/completions?host=evil.example&x=%0a";

/// A chunked body.
fn chunked(body: &str) -> String {
    chat("transfer-encoding: chunked\r\n", body)
}

fn lengths() -> Vec<Case> {
    let websocket = "upgrade: websocket\r\nconnection: upgrade\r\ncontent-length: 13\r\n";
    let of = |value: &str| chat(&format!("content-length:{value}\r\n"), BODY);
    let both = "content-length: 13\r\ntransfer-encoding: chunked\r\n";
    vec![
        case("a sound request", of(" 13"), "200 kept 1"),
        case("spaces around the length", of(" \t13 \t"), "200 kept 1"),
        case("another protocol behind it", chat(websocket, BODY), "426 closed 0"),
        case(
            "the same, and no word of it on",
            chat(&websocket.replace("connection: upgrade\r\n", ""), BODY),
            "426 closed 0",
        ),
        case(
            "h2c, which need not be spoken",
            chat("upgrade: h2c\r\nconnection: upgrade\r\ncontent-length: 13\r\n", BODY),
            "200 closed 1",
        ),
        case("length and chunks", chat(both, "d\r\n{\"model\":\"m\"}\r\n0\r\n\r\n"), "400 closed 0"),
        case(
            "chunks and length",
            chat("transfer-encoding: chunked\r\ncontent-length: 13\r\n", "0\r\n\r\n"),
            "400 closed 0",
        ),
        case("the same length twice", chat("content-length: 13\r\ncontent-length: 13\r\n", BODY), "400 closed 0"),
        case("two lengths", chat("content-length: 13\r\ncontent-length: 5\r\n", BODY), "400 closed 0"),
        case("a list of lengths", of(" 13, 13"), "400 closed 0"),
        case("a plus", of(" +13"), "400 closed 0"),
        case("a minus", of(" -13"), "400 closed 0"),
        case("a hexadecimal length", of(" 0x0d"), "400 closed 0"),
        case("no length in it", of(" "), "400 closed 0"),
        case("a length of no number", of(" 99999999999999999999999"), "400 closed 0"),
        case("the largest length", of(" 18446744073709551615"), "400|413 closed 0"),
        case("no length at all", chat("", ""), "400 kept 0"),
        case("more than announced", chat("content-length: 13\r\n", "{\"model\":\"m\"}\0\0"), "- closed -"),
    ]
}

fn chunks() -> Vec<Case> {
    let te = |value: &str| chat(&format!("transfer-encoding:{value}\r\n"), "d\r\n{\"model\":\"m\"}\r\n0\r\n\r\n");
    vec![
        case("chunks", te(" chunked"), "200 kept 1"),
        case("chunks in another case", te(" ChUnKeD"), "200 kept 1"),
        case("chunks behind a tab", te("\tchunked "), "200 kept 1"),
        case("two pieces", chunked("5\r\n{\"mod\r\n8\r\nel\":\"m\"}\r\n0\r\n\r\n"), "200 kept 1"),
        case("an extension", chunked("d;a=b\r\n{\"model\":\"m\"}\r\n0\r\n\r\n"), "200|400 - -"),
        case("a trailer", chunked("d\r\n{\"model\":\"m\"}\r\n0\r\nx-a: b\r\n\r\n"), "200 - 1"),
        case("a trailer that frames", chunked("d\r\n{\"model\":\"m\"}\r\n0\r\ncontent-length: 9\r\n\r\n"), "200 - 1"),
        case("a prefixed size", chunked("0xd\r\n{\"model\":\"m\"}\r\n0\r\n\r\n"), "400 closed 0"),
        case("a negative size", chunked("-d\r\n{\"model\":\"m\"}\r\n0\r\n\r\n"), "400 closed 0"),
        case("a space before the size", chunked(" d\r\n{\"model\":\"m\"}\r\n0\r\n\r\n"), "400 closed 0"),
        case("a size of no number", chunked("fffffffffffffffff\r\n{\"model\":\"m\"}\r\n0\r\n\r\n"), "400 closed 0"),
        case("an enormous size", chunked("fffffffffffffff0\r\n{\"model\":\"m\"}\r\n"), "- - 0"),
        case("no size", chunked("\r\n{\"model\":\"m\"}\r\n0\r\n\r\n"), "400 closed 0"),
        case("a chunk that is too long", chunked("5\r\n{\"model\":\"m\"}\r\n0\r\n\r\n"), "400 closed 0"),
        case("a chunk without an end", chunked("d\r\n{\"model\":\"m\"}0\r\n\r\n"), "400 closed 0"),
        case("a size that ends in LF", chunked("d\n{\"model\":\"m\"}\r\n0\r\n\r\n"), "400 closed 0"),
        case("gzip below chunks", te(" gzip, chunked"), "400|501 closed 0"),
        case("chunks below gzip", te(" chunked, gzip"), "400|501 closed 0"),
        case("gzip alone", te(" gzip"), "400|501 closed 0"),
        case("identity", te(" identity"), "400|501 closed 0"),
        case("another word", te(" xchunked"), "400|501 closed 0"),
        case("a vertical tab", te(" \u{b}chunked"), "400|501 closed 0"),
        case("quoted", te(" \"chunked\""), "400|501 closed 0"),
        case("nothing", te(""), "400|501 closed 0"),
        case("a space before the colon", chat("transfer-encoding : chunked\r\n", "0\r\n\r\n"), "400 closed 0"),
        case(
            "twice",
            chat("transfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n", "0\r\n\r\n"),
            "400|501 closed 0",
        ),
        case(
            "one hidden by another",
            chat("transfer-encoding: identity\r\ntransfer-encoding: chunked\r\n", "0\r\n\r\n"),
            "400|501 closed 0",
        ),
        case(
            "chunks in HTTP/1.0",
            line("POST /v1/chat/completions HTTP/1.0\r\ntransfer-encoding: chunked\r\n", "0\r\n\r\n"),
            "400 closed 0",
        ),
    ]
}

fn heads() -> Vec<Case> {
    let with = |header: &str| chat(&format!("{header}\r\ncontent-length: 13\r\n"), BODY);
    let many: String = (0..120).map(|i| format!("x-{i}: y\r\n")).collect();
    vec![
        case("a folded line", with("x-a: b\r\n c"), "400 closed 0"),
        case("a folded length", chat("content-length:\r\n 13\r\n", BODY), "400 closed 0"),
        case("NUL in a value", with("x-a: b\0c"), "400 closed 0"),
        case("NUL in a name", with("x-\0a: b"), "400 closed 0"),
        case("CR in a value", with("x-a: b\rc"), "400 closed 0"),
        case("CR before the colon", with("x-a\r: b"), "400 closed 0"),
        case("no colon", with("x-a b"), "400 closed 0"),
        case("a space in a name", with("x a: b"), "400 closed 0"),
        case("no name", with(": b"), "400 closed 0"),
        case("a name in other letters", with("x-ä: b"), "400 closed 0"),
        case("an empty line first", format!("\r\n{}", to("/v1/chat/completions")), "200 kept 1"),
        case("a space first", format!(" {}", to("/v1/chat/completions")), "400 closed 0"),
        case("lines that end in LF", to("/v1/chat/completions").replace("\r\n", "\n"), "200|400 - -"),
        case("many headers", chat(&format!("{many}content-length: 13\r\n"), BODY), "400|431 closed 0"),
        case("a huge header", with(&format!("x-a: {}", "b".repeat(200_000))), "400|431 closed 0"),
        case("a huge name", with(&format!("{}: b", "x".repeat(200_000))), "400|431 closed 0"),
        case("two hosts", with("host: evil.example"), "400 closed 0"),
        case("no host", line("POST /v1/chat/completions HTTP/1.1\r\ncontent-length: 13\r\n", BODY), "400 closed 0"),
        case("another host", to("/v1/chat/completions").replace("host: x", "host: evil.example"), "200 kept 1"),
        case(
            "forwarded for another host",
            with("x-forwarded-host: evil.example\r\nforwarded: host=evil.example"),
            "200 kept 1",
        ),
        case("the length named hop-by-hop", with("connection: content-length"), "200 - 1"),
        case("the key named hop-by-hop", with("connection: authorization"), "200 - 1"),
        case("close", with("connection: close"), "200 closed 1"),
        case(
            "an upgrade to HTTP/2",
            with("connection: upgrade, http2-settings\r\nupgrade: h2c\r\nhttp2-settings: AAMAAABkAAQAAP__"),
            "200 - 1",
        ),
        case(
            "an upgrade to a WebSocket",
            with(
                "connection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\nsec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==",
            ),
            "426 closed 0",
        ),
        case("a wish to go on", with("expect: 100-continue"), "100,200 kept 1"),
        case("another expectation", with("expect: a-miracle"), "200|417 - -"),
    ]
}

fn lines() -> Vec<Case> {
    let by = |method: &str| to("/v1/chat/completions").replacen("POST", method, 1);
    let version = |version: &str| to("/v1/chat/completions").replacen("HTTP/1.1", version, 1);
    vec![
        case("an absolute place", to("http://evil.example/v1/chat/completions"), "200|400|404 - -"),
        case("another scheme", to("ftp://evil.example/v1/chat/completions"), "200|400|404 - -"),
        case("two slashes first", to("//evil.example/v1/chat/completions"), "400|404 - 0"),
        case("two slashes within", to("/v1//chat/completions"), "200 kept 1"),
        case("dots", to("/v1/x/../chat/completions"), "404 closed 0"),
        case("dots to the top", to("/../../v1/chat/completions"), "404 closed 0"),
        case("escaped dots", to("/v1/%2e%2e/v1/chat/completions"), "404 closed 0"),
        case("one dot", to("/v1/./chat/completions"), "404 closed 0"),
        case("an escaped slash", to("/v1/chat%2fcompletions"), "404 closed 0"),
        case("an escaped slash, twice over", to("/v1/chat%252fcompletions"), "404 closed 0"),
        case("a slash at the end", to("/v1/chat/completions/"), "200 kept 1"),
        case("escaped letters", to("/v1/%63hat/completions"), "200|404 kept -"),
        case("an escaped NUL", to("/v1/chat/completions%00"), "404 closed 0"),
        case("an escaped line", to("/v1/chat/completions%0d%0ahost:%20evil.example"), "404 closed 0"),
        case("a broken escape", to("/v1/chat/completions%zz"), "400|404 - 0"),
        case("a backslash", to("/v1\\chat\\completions"), "400|404 - 0"),
        case("a parameter", to("/v1/chat/completions;x=1"), "404 closed 0"),
        case("a query", to(QUERIED), "200 kept 1"),
        case("a fragment", to("/v1/chat/completions#x"), "200|400|404 - -"),
        case("NUL in the place", to("/v1/chat\0/completions"), "400 closed 0"),
        case("a place of bytes", to("/v1/ä"), "400|404 - 0"),
        case("no place", to(""), "400 closed 0"),
        case("no slash", to("v1/chat/completions"), "400|404 - 0"),
        case("an asterisk", "OPTIONS * HTTP/1.1\r\nhost: x\r\n\r\n", "400|404 - 0"),
        case("a very long place", to(&format!("/v1/{}", "a".repeat(200_000))), "400|404|414|431 - 0"),
        case("a long place", to(&format!("/v1/{}", "a".repeat(20_000))), "400|404|414 - 0"),
        case("TRACE", by("TRACE"), "405 - 0"),
        case("CONNECT", line("CONNECT evil.example:443 HTTP/1.1\r\nhost: evil.example\r\n", ""), "400|404|405 - 0"),
        case("CONNECT to a path", by("CONNECT"), "400|404|405 - 0"),
        case("PUT", by("PUT"), "405 closed 0"),
        case("a method in small letters", by("post"), "405 closed 0"),
        case("a method of its own", by("BREW"), "405 closed 0"),
        case("a method that is none", by("PO(ST"), "400 closed 0"),
        case("a long method", by(&"A".repeat(5_000)), "400|405 - 0"),
        case("no method", by(""), "400 closed 0"),
        case("HTTP/0.9", "GET /health\r\n\r\n", "400 closed 0"),
        case("HTTP/1.0", line("POST /v1/chat/completions HTTP/1.0\r\ncontent-length: 13\r\n", BODY), "200 closed 1"),
        case(
            "HTTP/1.0, kept",
            line("POST /v1/chat/completions HTTP/1.0\r\nconnection: keep-alive\r\ncontent-length: 13\r\n", BODY),
            "200 kept 1",
        ),
        case("HTTP/1.2", version("HTTP/1.2"), "400|505 closed 0"),
        case("HTTP/2.0", version("HTTP/2.0"), "400|505 closed 0"),
        case("HTTP/1.1x", version("HTTP/1.1x"), "400|505 closed 0"),
        case("http/1.1", version("http/1.1"), "400|505 closed 0"),
        case("the preface of HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "400|505 closed 0"),
        case("the hello of TLS", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", "400 closed 0"),
    ]
}

fn smuggled() -> Vec<Case> {
    let inner = to("/v1/chat/completions");
    let length = inner.len();
    let stranger = |headers: &str, behind: &str| {
        format!("POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\n{headers}\r\n\r\n{behind}")
    };
    let hidden = format!("{:x}\r\n{inner}\r\n0\r\n\r\n", length);
    vec![
        case("two at once", inner.repeat(2), "200,200 kept 2"),
        case(
            "three kinds at once",
            format!("GET /health HTTP/1.1\r\nhost: x\r\n\r\n{inner}{}", to("/v1/x")),
            "200,200,404 kept 1",
        ),
        case(
            "one in the body of a GET",
            format!("GET /health HTTP/1.1\r\nhost: x\r\ncontent-length: {length}\r\n\r\n{inner}"),
            "200 closed 0",
        ),
        case("one in the body of a stranger", stranger(&format!("content-length: {length}"), &inner), "401 closed 0"),
        case("one in a stranger's chunks", stranger("transfer-encoding: chunked", &hidden), "401 - 0"),
        case("one in a body that is no JSON", chat(&format!("content-length: {length}\r\n"), &inner), "400 kept 0"),
        case("one behind a length of nothing", chat("content-length: 0\r\n", &inner), "400,200 kept 1"),
        case("one behind chunks that end early", chunked(&format!("0\r\n\r\n{inner}")), "400,200 kept 1"),
        case(
            "one behind length and chunks",
            chat("content-length: 5\r\ntransfer-encoding: chunked\r\n", &format!("0\r\n\r\n{inner}")),
            "400 closed 0",
        ),
        case("one behind a bad chunk", chunked(&format!("zz\r\n{inner}")), "400 closed 0"),
        case("one behind a trailer's end in LF", chunked(&format!("d\r\n{BODY}\r\n0\r\nx: y\n\n{inner}")), "- - -"),
        case(
            "one behind an answer that closes",
            format!("{}{inner}", to("/v1/x").replace("host: x", "host: x\r\nconnection: close")),
            "404 - -",
        ),
    ]
}

fn bodies() -> Vec<Case> {
    let of = |body: &str| chat(&format!("content-length: {}\r\n", body.len()), body);
    let deep = "[".repeat(100_000);
    let shut = "]".repeat(100_000);
    vec![
        case("100,000 brackets", of(&format!(r#"{{"model":"m","x":{deep}"#)), "400 kept 0"),
        case("100,000 brackets that close", of(&format!(r#"{{"model":"m","x":{deep}{shut}}}"#)), "400 kept 0"),
        case("100,000 objects", of(&format!(r#"{{"model":"m","x":{}"#, r#"{"a":"#.repeat(100_000))), "400 kept 0"),
        case("brackets for a model", of(&format!(r#"{{"model":{deep}{shut}}}"#)), "400 kept 0"),
        case("one huge string", of(&format!(r#"{{"model":"m","x":"{}"}}"#, "x".repeat(2_000_000))), "200 kept 1"),
        case("a huge model", of(&format!(r#"{{"model":"{}"}}"#, "x".repeat(900_000))), "400|404 kept 0"),
        case("a list", of(r#"["m"]"#), "400 kept 0"),
        case("a number", of("7"), "400 kept 0"),
        case("nothing in it", of("{}"), "400 kept 0"),
        case("two models", of(r#"{"model":"m","model":"x"}"#), "400 kept 0"),
        case("two models, one escaped", of(r#"{"model":"m","mod\u0065l":"x"}"#), "400 kept 0"),
        case("something behind it", of(r#"{"model":"m"}{"model":"x"}"#), "400 kept 0"),
        case("a byte-order mark", of("\u{feff}{\"model\":\"m\"}"), "400 kept 0"),
        case(
            "half a character",
            [chat("content-length: 14\r\n", "").as_bytes(), b"{\"model\":\"m\xff\"}"].concat(),
            "400 kept 0",
        ),
    ]
}

#[test]
fn no_bytes_confuse_the_server_or_reach_an_upstream_as_they_should_not() {
    let upstream = Upstream::always(Reply::chat("hi"));
    let app = App::start(&with(&upstream, &serde_json::json!({ "headTimeoutMs": 1000, "bodyTimeoutMs": 1000 })));
    let host = upstream.url().trim_start_matches("http://").to_owned();
    let mut wrong = Vec::new();
    for group in [lengths(), chunks(), heads(), lines(), smuggled(), bodies()] {
        for Case { name, sent, expected } in group {
            let before = upstream.calls();
            let mut raw = Raw::to(app.port);
            raw.send(&sent);
            let happened = outcome(&mut raw, expected);
            // Whoever was spoken to by mistake has been by now: an honest one comes last.
            let honest = Raw::to(app.port).exchange(&post("", BODY));
            assert_eq!(honest, Some(200), "after {name}");
            let received = upstream.received().split_off(before);
            let happened = format!("{happened} {}", received.len() - 1);
            for request in &received {
                let sound = request.method == "POST"
                    && ["/v1/chat/completions", QUERIED].contains(&&*request.path)
                    && request.header("host") == Some(&host)
                    && request.headers.iter().all(|(name, value)| !name.contains("forward") && !value.contains("evil"))
                    && serde_json::from_slice::<Asked>(&request.body).is_ok_and(|asked| asked.model == "m");
                assert!(sound, "{name}: the upstream saw {:?} {:?}", request.path, request.headers);
            }
            if !fits(&happened, expected) {
                wrong.push(format!("{name}: {happened}, and not {expected}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{} of them:\n{}", wrong.len(), wrong.join("\n"));
    eventually("nothing is left of it", || app.status_of("a")["inFlight"] == 0);
    assert!(!app.log().contains("panic"), "{}", app.log());
}

/// `200,400 closed`: what came back, and what became of the connection.
fn outcome(raw: &mut Raw, expected: &str) -> String {
    let wanted = expected.split(' ').next().unwrap_or_default().split(',').count();
    let mut statuses = Vec::new();
    while statuses.len() < wanted {
        let Some(answer) = raw.answer() else { break };
        assert!(answer.whole, "{answer:?}");
        statuses.push(answer.status.to_string());
    }
    let kept = raw.exchange("GET /health HTTP/1.1\r\nhost: x\r\n\r\n");
    let state = match kept {
        Some(200) => "kept".to_owned(),
        None => "closed".to_owned(),
        Some(more) => format!("more({more})"),
    };
    format!("{} {state}", statuses.join(","))
}

/// Does what happened fit? `-` is anything, `a|b` one of them.
fn fits(happened: &str, expected: &str) -> bool {
    let fits_one = |(happened, expected): (&str, &str)| {
        expected == "-"
            || happened.split(',').count() == expected.split(',').count()
                && happened.split(',').zip(expected.split(',')).all(|(one, among)| among.split('|').any(|e| e == one))
    };
    happened.split(' ').zip(expected.split(' ')).all(fits_one)
}
