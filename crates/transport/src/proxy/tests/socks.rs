//! SOCKS5.

use super::*;

/// The proxy's choice of no password, and of a password.
const NO_LOGIN: &[u8] = &[5, 0];
const LOGIN: &[u8] = &[5, 2];

/// A success, with the proxy's own address: of IPv4, of IPv6, a name.
const OPEN: &[u8] = &[5, 0, 0, 1, 127, 0, 0, 1, 4, 56];
const OPEN_V6: &[u8] = &[5, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 4, 56];
const OPEN_NAMED: &[u8] = &[5, 0, 0, 3, 1, b'x', 4, 56];

/// The lengths of what a client sends: the choices without a login, and a request for `upstream.example`, for an address.
const CHOICES: usize = 3;
const BY_NAME: usize = 4 + 1 + "upstream.example".len() + 2;
const BY_IPV4: usize = 4 + 4 + 2;

/// Says `answer` to a request for the name.
fn answering(answer: Vec<u8>) -> Scripted {
    Scripted::start(move |peer| {
        peer.take(CHOICES);
        peer.say(NO_LOGIN);
        peer.take(BY_NAME);
        peer.say(&answer);
    })
}

#[test]
fn with_socks5h_the_proxy_resolves_and_what_comes_behind_an_answer_is_the_upstreams() {
    Runtime::new().expect("a runtime").block_on(async {
        for open in [OPEN, OPEN_V6, OPEN_NAMED] {
            let said = [open, b"\x05\x01 of the upstream"].concat();
            for at in 0..=said.len() {
                let said = said.clone();
                let proxy = Scripted::start(move |peer| {
                    peer.take(CHOICES);
                    peer.say_split(NO_LOGIN, at % 3);
                    peer.take(BY_NAME);
                    peer.say_split(&said, at);
                });
                let made = connected(&format!("socks5h://{}", proxy.address), resolver(&[])).await;
                assert_eq!(read_all(made.expect("open")).await, "\u{5}\u{1} of the upstream", "split at {at}");
                assert_eq!(proxy.received(), "\u{5}\u{1}\0\u{5}\u{1}\0\u{3}\u{10}upstream.example\0Q");
            }
        }
    });
}

#[test]
fn with_socks5_this_side_resolves_and_asks_for_one_address_after_the_other() {
    Runtime::new().expect("a runtime").block_on(async {
        let proxy = Scripted::start(|peer| {
            peer.take(CHOICES);
            peer.say(NO_LOGIN);
            peer.take(BY_IPV4);
            let code = if peer.nth == 0 { 4 } else { 0 };
            peer.say([5, code, 0, 1, 0, 0, 0, 0, 0, 0]);
        });
        let both = resolver(&["192.0.2.1:81", "192.0.2.2:81"]);
        let made = connected(&format!("socks5://{}", proxy.address), both).await;
        assert_eq!(read_all(made.expect("the second address")).await, "");
        let of = |last: char| format!("\u{5}\u{1}\0\u{5}\u{1}\0\u{1}\u{c0}\0\u{2}{last}\0Q");
        let received: String = proxy.received.lock().expect("whole").iter().map(|byte| char::from(*byte)).collect();
        assert_eq!(received, [of('\u{1}'), of('\u{2}')].concat());
    });
}

#[test]
fn a_literal_address_is_sent_as_one() {
    Runtime::new().expect("a runtime").block_on(async {
        let proxy = Scripted::start(|peer| {
            peer.take(CHOICES);
            peer.say(NO_LOGIN);
            peer.take(4 + 16 + 2);
            peer.say(OPEN_V6);
        });
        for scheme in ["socks5", "socks5h"] {
            let target = target("http://[::1]:81/", &format!("{scheme}://{}", proxy.address), CONNECT);
            assert!(Connector::to(&target, ResolverService::default()).connect(Alpn::Http1).await.is_ok());
            assert!(proxy.received().ends_with(&format!("\u{5}\u{1}\0\u{4}{}\u{1}\0Q", "\0".repeat(15))));
        }
    });
}

#[test]
fn user_and_password_are_sent_when_they_are_wanted() {
    Runtime::new().expect("a runtime").block_on(async {
        for (choice, at) in [(LOGIN, 0), (LOGIN, 1), (LOGIN, 2), (NO_LOGIN, 0)] {
            let proxy = Scripted::start(move |peer| {
                peer.take(CHOICES + 1);
                peer.say(choice);
                if choice == LOGIN {
                    peer.take(2 + "anna".len() + 1 + "ge:heim".len());
                    peer.say_split(&[1, 0], at);
                }
                peer.take(BY_NAME);
                peer.say(OPEN);
            });
            let made = connected(&format!("socks5h://anna:ge%3Aheim@{}", proxy.address), resolver(&[])).await;
            assert_eq!(read_all(made.expect("open")).await, "");
            let login = if choice == LOGIN { "\u{1}\u{4}anna\u{7}ge:heim" } else { "" };
            let rest = "\u{5}\u{1}\0\u{3}\u{10}upstream.example\0Q";
            assert_eq!(proxy.received(), format!("\u{5}\u{2}\0\u{2}{login}{rest}"));
        }
    });
}

#[test]
fn each_code_is_a_failed_connection_with_words() {
    Runtime::new().expect("a runtime").block_on(async {
        for code in 1..=u8::MAX {
            let words = match code {
                1 => "it failed to connect to upstream.example:81",
                2 => "its rules don't allow a connection to upstream.example:81",
                3 => "it can't reach upstream.example:81 (Network unreachable)",
                4 => "it can't reach upstream.example:81 (Host unreachable)",
                5 => "it can't reach upstream.example:81 (Connection refused)",
                6 => "it can't reach upstream.example:81 (TTL expired)",
                8 => "it knows no addresses such as upstream.example:81",
                _ => "its answer is none of SOCKS5's to a client",
            };
            let proxy = answering(vec![5, code, 0, 1, 0, 0, 0, 0, 0, 0]);
            let client = client(&format!("socks5h://{}", proxy.address), CONNECT);
            assert_refused(asked(&client).await, words);
        }
    });
}

#[test]
fn a_login_that_is_refused_or_wanted_is_said() {
    Runtime::new().expect("a runtime").block_on(async {
        let with: &str = "anna:geheim@";
        for (choice, verdict, login, words) in [
            (&[5, 2][..], 1, with, "it does not take the user and the password of `proxy`"),
            (&[5, 2], 255, with, "it does not take the user and the password of `proxy`"),
            (&[5, 255], 0, with, "it takes no password"),
            (&[5, 255], 0, "", "it wants a user and a password: `proxy` takes socks5://user:password@host:port"),
            (&[5, 2], 0, "", "it wants a user and a password"),
            (&[5, 1], 0, "", "its answer is none of SOCKS5's"),
            (&[5, 1], 0, with, "its answer is none of SOCKS5's"),
        ] {
            let proxy = Scripted::start(move |peer| {
                peer.take(if login.is_empty() { CHOICES } else { CHOICES + 1 });
                peer.say(choice);
                if choice[1] == 2 && !login.is_empty() {
                    peer.take(2 + "anna".len() + 1 + "geheim".len());
                    peer.say([1, verdict]);
                }
            });
            let client = client(&format!("socks5h://{login}{}", proxy.address), CONNECT);
            assert_refused(asked(&client).await, words);
        }
    });
}

#[test]
fn garbage_and_an_early_end_are_no_answer() {
    Runtime::new().expect("a runtime").block_on(async {
        for choice in [&b"HTTP/1.1 400 Bad Request\r\n\r\n"[..], b"\x04\x5a", b"\0\0"] {
            let proxy = Scripted::start(move |peer| {
                peer.take(CHOICES);
                peer.say(choice);
            });
            let client = client(&format!("socks5h://{}", proxy.address), CONNECT);
            assert_refused(asked(&client).await, "it speaks no SOCKS5: see the scheme and the port of `proxy`");
        }
        for (answer, words) in [
            (&[4, 0, 0, 1, 0, 0, 0, 0, 0, 0][..], "it speaks no SOCKS5"),
            (&[5, 0, 9, 1, 0, 0, 0, 0, 0, 0], "its answer is none of SOCKS5's"),
            (&[5, 0, 0, 9, 0, 0, 0, 0, 0, 0], "its answer is none of SOCKS5's"),
            (&[5, 0, 0, 3, 1, 0xff, 0, 0], "its answer is none of SOCKS5's"),
        ] {
            let proxy = answering(answer.to_vec());
            let client = client(&format!("socks5h://{}", proxy.address), CONNECT);
            assert_refused(asked(&client).await, words);
        }
        for open in [OPEN, OPEN_V6, OPEN_NAMED] {
            for whole in 0..open.len() {
                let proxy = answering(open[..whole].to_vec());
                let client = client(&format!("socks5h://{}", proxy.address), CONNECT);
                assert_refused(asked(&client).await, "it closed the connection before an answer");
            }
        }
        let proxy = Scripted::start(|peer| drop(peer.take(CHOICES)));
        let client = client(&format!("socks5h://{}", proxy.address), CONNECT);
        assert_refused(asked(&client).await, "it closed the connection before an answer");
    });
}
