//! What is read out of a client's body, and what is spliced into it.

use super::*;

fn parse(body: &str) -> Result<ClientRequest, InvalidRequest> {
    let body = Bytes::copy_from_slice(body.as_bytes());
    ClientRequest::parse(&crate::dialect::ROUTES[0], &HeaderMap::new(), body)
}

fn sent(body: &str, upstream_model: Option<&str>) -> String {
    let request = parse(body).expect("valid");
    String::from_utf8(request.body_for(upstream_model, true).to_vec()).expect("UTF-8")
}

#[test]
fn a_body_that_need_not_change_is_the_clients_own() {
    let body = Bytes::from_static(br#" {"model" : "m", "stream": false, "x": 1.0e5} "#);
    let request = ClientRequest::parse(&crate::dialect::ROUTES[0], &HeaderMap::new(), body.clone()).expect("valid");
    let same = request.body_for(None, true);
    assert_eq!((same.as_ptr(), same.len()), (body.as_ptr(), body.len()));
}

#[test]
fn a_mapped_model_is_spliced_in() {
    assert_eq!(
        sent(r#"{"a":"é","model": "m\u0061p" ,"z":1.50}"#, Some("o\"n")),
        r#"{"a":"é","model": "o\"n" ,"z":1.50}"#
    );
}

#[test]
fn usage_is_asked_for_wherever_the_client_left_room() {
    for (body, asked) in [
        (r#"{"model":"m","stream":true}"#, r#"{"stream_options":{"include_usage":true},"model":"m","stream":true}"#),
        (
            r#"{"model":"m","stream":true,"stream_options":null}"#,
            r#"{"model":"m","stream":true,"stream_options":{"include_usage":true}}"#,
        ),
        (
            r#"{"model":"m","stream":true,"stream_options":{ }}"#,
            r#"{"model":"m","stream":true,"stream_options":{"include_usage":true }}"#,
        ),
        (
            r#"{"stream_options":{"x":1},"model":"m","stream":true}"#,
            r#"{"stream_options":{"include_usage":true,"x":1},"model":"o","stream":true}"#,
        ),
        (
            r#"{"model":"m","stream_options":{"include_usage":false},"stream":true}"#,
            r#"{"model":"m","stream_options":{"include_usage":true},"stream":true}"#,
        ),
    ] {
        let own = asked.contains(r#""o""#).then_some("o");
        assert_eq!(sent(body, own), asked, "{body}");
        assert!(parse(body).expect("valid").lacks_usage());
    }
    for body in [
        r#"{"model":"m","stream":true,"stream_options":{"include_usage":true}}"#,
        r#"{"model":"m","stream":false}"#,
        r#"{"model":"m","stream":null}"#,
    ] {
        assert_eq!(sent(body, None), body);
        assert!(!parse(body).expect("valid").lacks_usage());
    }
}

#[test]
fn what_can_be_read_in_two_ways_is_refused() {
    for (body, param) in [
        ("", None),
        ("[\"m\", true]", None),
        ("null", None),
        (r#"{"model":"a","model":"b"}"#, None),
        (r#"{"model":"a""#, None),
        (r#"{"model":"a"} {}"#, None),
        (r#"{"model":"a","stream":"yes"}"#, Some("stream")),
        (r#"{"messages":[]}"#, Some("model")),
        (r#"{"model":7}"#, Some("model")),
        (r#"{"model":null}"#, Some("model")),
        (r#"{"model":""}"#, Some("model")),
        (r#"{"model":"a","stream":true,"stream_options":[]}"#, Some("stream_options")),
    ] {
        assert_eq!(parse(body).expect_err(body).param, param, "{body}");
    }
}

#[test]
fn an_error_never_quotes_the_body() {
    for (body, says) in [
        (r#"{"model":"m","stream":"sk-secret"}"#, "stream must be true or false, at line 1 column 33"),
        (r#"{"model":"m","stream":["sk-secret"]}"#, "stream must be true or false, at line 1 column 22"),
        (r#"{"model":"m","stream":12345}"#, "stream must be true or false, at line 1 column 27"),
        (r#"{"model":"sk-secret","model":"m"}"#, "the body is not valid: duplicate field `model` at line 1 column 28"),
        (r#"{"model":"m" "sk-secret"}"#, "the body is not valid: expected `,` or `}` at line 1 column 14"),
        (r#"{"model":["sk-secret"]}"#, "you must provide a model parameter, a string"),
        (r#"{"model":"m","stream":true,"stream_options":"sk-secret"}"#, "stream_options must be an object"),
    ] {
        assert_eq!(parse(body).expect_err("invalid").message, says, "{body}");
    }
}
