//! HTTP's `CONNECT`.

use super::*;

const OPEN: &str = "HTTP/1.1 200 Connection established\r\nVia: 1.1 x\r\n\r\n";

fn answering(answer: &'static [u8]) -> Scripted {
    Scripted::start(move |peer| {
        peer.take_head();
        peer.say(answer);
    })
}

#[test]
fn the_proxy_is_asked_for_a_tunnel_by_name_with_user_and_password() {
    Runtime::new().expect("a runtime").block_on(async {
        for (login, header) in [
            ("", ""),
            // printf %s 'anna:geheim' | base64
            ("anna:geheim@", "Proxy-Authorization: Basic YW5uYTpnZWhlaW0=\r\n"),
            // printf %s 'a@b:p:/ä%' | base64
            ("a%40b:p:%2f%C3%a4%25@", "Proxy-Authorization: Basic YUBiOnA6L8OkJQ==\r\n"),
            ("anna@", "Proxy-Authorization: Basic YW5uYTo=\r\n"),
        ] {
            let proxy = answering(OPEN.as_bytes());
            let made = connected(&format!("http://{login}{}", proxy.address), resolver(&[])).await;
            assert_eq!(read_all(made.expect("a tunnel")).await, "");
            let asked = "CONNECT upstream.example:81 HTTP/1.1\r\nHost: upstream.example:81\r\n";
            assert_eq!(proxy.received(), format!("{asked}{header}\r\n"));
        }
    });
}

#[test]
fn an_address_of_ipv6_is_asked_for_in_brackets() {
    Runtime::new().expect("a runtime").block_on(async {
        let proxy = answering(OPEN.as_bytes());
        let target = target("http://[2001:db8::1]:81/", &format!("http://{}", proxy.address), CONNECT);
        let connector = Connector::to(&target, resolver(&[]));
        assert!(connector.connect(Alpn::Http1).await.is_ok());
        assert!(proxy.received().starts_with("CONNECT [2001:db8::1]:81 HTTP/1.1\r\nHost: [2001:db8::1]:81\r\n"));
    });
}

#[test]
fn an_answer_is_read_in_any_pieces_and_what_comes_behind_is_the_upstreams() {
    Runtime::new().expect("a runtime").block_on(async {
        let said = [OPEN, "\r\n of the upstream\r\n\r\n"].concat();
        for at in 0..=said.len() {
            let said = said.clone();
            let proxy = Scripted::start(move |peer| {
                peer.take_head();
                peer.say_split(said.as_bytes(), at);
            });
            let made = connected(&format!("http://{}", proxy.address), resolver(&[])).await;
            assert_eq!(read_all(made.expect("a tunnel")).await, "\r\n of the upstream\r\n\r\n", "split at {at}");
        }
    });
}

#[test]
fn each_success_opens_a_tunnel() {
    Runtime::new().expect("a runtime").block_on(async {
        for answer in [
            "HTTP/1.0 200 OK\r\n\r\n",
            "HTTP/1.1 200\r\n\r\n",
            "HTTP/1.1 204 No Content\r\n\r\n",
            "HTTP/1.1 200 OK\n\n",
            // Lengths count for nothing in such an answer.
            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
        ] {
            let proxy = answering(answer.as_bytes());
            let made = connected(&format!("http://{}", proxy.address), resolver(&[])).await;
            assert_eq!(read_all(made.expect(answer)).await, "");
        }
    });
}

#[test]
fn each_refusal_is_a_failed_connection_with_words_and_a_mend() {
    Runtime::new().expect("a runtime").block_on(async {
        for (answer, login, words) in [
            (
                "407 Proxy Authentication Required",
                "",
                "it answered 407 \"Proxy Authentication Required\" to CONNECT: it wants",
            ),
            ("407 X", "", "a user and a password: `proxy` takes http://user:password@host:port"),
            ("407 X", "anna:geheim@", "it does not take the user and the password of `proxy`"),
            ("401", "", "it answered 401 to CONNECT: it wants a user and a password"),
            ("403 Filtered", "", "it opens no tunnel to upstream.example:81: allow CONNECT"),
            ("405 Method Not Allowed", "", "allow CONNECT to the host and the port there"),
            ("400 Bad Request", "", "is it a proxy?"),
            ("404 Not Found", "", "is it a proxy?"),
            ("302 Found", "", "is it a proxy?"),
            ("100 Continue", "", "is it a proxy?"),
            ("500 Unable to connect", "", "it can't reach upstream.example:81"),
            ("502 Bad Gateway", "", "it can't reach upstream.example:81"),
            ("503 Service Unavailable", "", "it can't reach upstream.example:81"),
            ("504 Gateway Timeout", "", "it can't reach upstream.example:81"),
            ("407 no geheim, YW5uYTpnZWhlaW0=", "anna:geheim@", "it answered 407 to CONNECT: it does not take"),
            ("407 no anna", "anna@", "it answered 407 to CONNECT: it does not take"),
            ("502 for %61nna:%67eheim", "%61nna:%67eheim@", "it answered 502 to CONNECT: it can't reach"),
            ("407 \x1b[31m\u{1}red", "", "407 \"[31mred\""),
            ("20 OK", "", "its answer has no status"),
            ("2000 OK", "", "its answer has no status"),
            ("+20 OK", "", "its answer has no status"),
            ("", "", "its answer has no status"),
        ] {
            let head = format!("HTTP/1.1 {answer}\r\nContent-Length: 2\r\n\r\nno");
            let proxy = Scripted::start(move |peer| {
                peer.take_head();
                peer.say(&head);
            });
            let client = client(&format!("http://{login}{}", proxy.address), CONNECT);
            assert_refused(asked(&client).await, words);
            assert_eq!(proxy.connections(), 1, "{answer}: nobody asks again by itself");
        }
    });
}

#[test]
fn garbage_is_no_answer_and_has_a_bound() {
    Runtime::new().expect("a runtime").block_on(async {
        let endless = ["HTTP/1.1 200 OK\r\nx: ", &"y".repeat(1 << 20)].concat();
        for (answer, words) in [
            (endless.as_bytes(), "the head of its answer has no end"),
            (b"SSH-2.0-OpenSSH_9.2\r\n", "it speaks no HTTP: see the scheme and the port of `proxy`"),
            (b"\x05\xff", "it speaks no HTTP"),
            (b"\x15\x03\x01\x00\x02\x02\x16", "it speaks no HTTP"),
            (b"HTTP/2 200 OK\r\n\r\n", "it speaks no HTTP"),
            (b"\0", "it speaks no HTTP"),
            (b"", "it closed the connection before an answer"),
            (b"HTTP/1.1 200 OK\r\n", "it closed the connection before an answer"),
        ] {
            let answer = answer.to_vec();
            let proxy = Scripted::start(move |peer| {
                peer.take_head();
                peer.say(&answer);
            });
            let client = client(&format!("http://{}", proxy.address), CONNECT);
            assert_refused(asked(&client).await, words);
        }
    });
}
