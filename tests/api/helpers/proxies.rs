//! Real proxies from Debian on free ports: tinyproxy for HTTP, microsocks for SOCKS5. Both want a user and a password.

use std::fs;
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};

use super::app::scratch;
use super::eventually;
use super::redis::free_port;

/// The user and the password of every proxy. (tinyproxy takes no other characters.)
pub const PROXY_USER: &str = "anna-of-the-proxy";
pub const PROXY_PASSWORD: &str = "pass-word.of_the-proxy41";

/// Both as a URL may have them.
pub const PROXY_LOGIN: &str = "anna-of-the-proxy:pass%2Dword%2eof_the-proxy41";

/// A running proxy. Killed when it is dropped.
pub struct RealProxy {
    child: Option<Child>,
    port: u16,
    scheme: &'static str,
}

impl RealProxy {
    /// One that speaks HTTP, and opens tunnels to these ports, or to all if there are none.
    pub fn http(ports: &[u16]) -> RealProxy {
        RealProxy::http_at(free_port(), ports)
    }

    fn http_at(port: u16, ports: &[u16]) -> RealProxy {
        let file = scratch().join("tinyproxy.conf");
        let ports: String = ports.iter().map(|port| format!("ConnectPort {port}\n")).collect();
        let text = format!(
            "Port {port}\nListen 127.0.0.1\nTimeout 600\nMaxClients 100\nLogLevel Critical\n\
             BasicAuth {PROXY_USER} {PROXY_PASSWORD}\n{ports}"
        );
        fs::write(&file, text).expect("writes");
        let mut command = Command::new("tinyproxy");
        command.arg("-d").arg("-c").arg(&file);
        RealProxy::run(command, port, "http")
    }

    /// One that speaks SOCKS5.
    pub fn socks() -> RealProxy {
        RealProxy::socks_at(free_port())
    }

    fn socks_at(port: u16) -> RealProxy {
        let mut command = Command::new("microsocks");
        command.args(["-i", "127.0.0.1", "-p", &port.to_string(), "-u", PROXY_USER, "-P", PROXY_PASSWORD]);
        RealProxy::run(command, port, "socks5h")
    }

    fn run(mut command: Command, port: u16, scheme: &'static str) -> RealProxy {
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let child = command.spawn().expect("tinyproxy and microsocks are there: tests/run installs them");
        let proxy = RealProxy { child: Some(child), port, scheme };
        eventually("the proxy listens", || TcpStream::connect(("127.0.0.1", port)).is_ok());
        proxy
    }

    /// One of each kind.
    pub fn both() -> [RealProxy; 2] {
        [RealProxy::http(&[]), RealProxy::socks()]
    }

    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Without user and password.
    pub fn bare_url(&self) -> String {
        format!("{}://{}", self.scheme, self.address())
    }

    /// With the right user and password.
    pub fn url(&self) -> String {
        self.url_with(PROXY_LOGIN)
    }

    pub fn url_with(&self, login: &str) -> String {
        format!("{}://{login}@{}", self.scheme, self.address())
    }

    /// As outputs show it.
    pub fn shown(&self) -> String {
        self.url_with("***")
    }

    /// `kill -9`.
    pub fn kill(&mut self) {
        let mut child = self.child.take().expect("running");
        child.kill().expect("killed");
        child.wait().expect("reaped");
    }

    /// The same again, after [`RealProxy::kill`].
    pub fn start_again(&mut self) {
        assert!(self.child.is_none(), "it was killed");
        *self = if self.scheme == "http" { RealProxy::http_at(self.port, &[]) } else { RealProxy::socks_at(self.port) };
    }
}

impl Drop for RealProxy {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// A text without the user and the password of the proxies, in any form.
pub fn assert_no_proxy_login(text: &str) {
    // printf %s USER:PASSWORD | base64
    let basic = "YW5uYS1vZi10aGUtcHJveHk6cGFzcy13b3JkLm9mX3RoZS1wcm94eTQx";
    for secret in [PROXY_USER, PROXY_PASSWORD, "pass%2Dword", "of_the-proxy", basic] {
        assert!(!text.contains(secret), "{secret} is in:\n{text}");
    }
}
