//! The origins of `server.cors`, in the exact form of browsers. Pure.
//!
//! 1. `*` is any origin. `null` is the origin of pages without an address: files, sandboxed frames.
//! 2. Of a web page: `https://app.example.com`, with a port unless the port is the usual one, without a path or a final slash.
//! 3. Of a desktop app or an extension: a scheme of its own and a host, `tauri://localhost`, `chrome-extension://ID`.
//!    `SCHEME://*` is any host: some apps and extensions get a new one at each installation.

use url::Url;

/// Returns whether a browser could send this origin.
pub(super) fn is_origin(typed: &str) -> bool {
    match typed.split_once("://") {
        None => matches!(typed, "*" | "null"),
        Some(("http" | "https" | "ws" | "wss" | "ftp", _)) => {
            !typed.contains('*') && Url::parse(typed).is_ok_and(|url| url.origin().ascii_serialization() == typed)
        }
        Some(("file", host)) => host.is_empty(),
        Some((scheme, host)) => is_scheme(scheme) && (host == "*" || is_host(host)),
    }
}

fn is_scheme(scheme: &str) -> bool {
    let is_part = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'+' | b'-' | b'.');
    scheme.starts_with(|c: char| c.is_ascii_lowercase()) && scheme.bytes().all(is_part)
}

/// A host with or without a port.
fn is_host(host: &str) -> bool {
    let (name, port) = host.split_once(':').map_or((host, None), |(name, port)| (name, Some(port)));
    let is_part = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_');
    !name.is_empty() && name.bytes().all(is_part) && port.is_none_or(|port| port.parse::<u16>().is_ok())
}

#[cfg(test)]
mod tests {
    use super::is_origin;

    #[test]
    fn an_origin_is_what_a_browser_sends() {
        let sound = "* null https://app.example.com http://localhost:5173 http://[::1]:8080 https://tauri.localhost \
             tauri://localhost app://obsidian.md app://. app://- capacitor://localhost \
             wails://wails.localhost:34115 chrome-extension://aeblfdkhhhdcdjpifhhbdiojplfjncoa \
             moz-extension://0b1c2d3e-4f50-4a6b-8c7d-9e0fa1b2c3d4 \
             safari-web-extension://E5A0F2C8-1B2C-4D3E-8F90-A1B2C3D4E5F6 vscode-webview://1k2l3m4n5o6p7q8r9s0t \
             vscode-webview://* chrome-extension://* file://";
        for origin in sound.split(' ') {
            assert!(is_origin(origin), "{origin}");
        }
        let wrong = "example.com https://app.example.com/ https://app.example.com/x https://app.example.com:443 \
             https://App.example.com https://* https://*.example.com https://u:p@example.com tauri:// \
             tauri://localhost/ tauri://localhost/index.html tauri://a@b app://x:port Tauri://localhost ://x \
             file:///home NULL tauri://loc*";
        for origin in wrong.split(' ').chain([""]) {
            assert!(!is_origin(origin), "{origin}");
        }
    }
}
