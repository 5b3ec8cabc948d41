//! A browser as far as the doors are concerned: a cookie, forms with their token, no redirect followed.

use crate::helpers::{App, Client, Response};

pub struct Visitor {
    pub client: Client,
    pub cookie: String,
}

impl Visitor {
    /// Somebody who has just logged in with a key.
    pub fn with_key(app: &App, key: &str) -> Visitor {
        let answer = log_in(app, key);
        assert_eq!(answer.status, 303);
        let set = answer.header("set-cookie").expect("a cookie").to_owned();
        let cookie = set.split(';').next().expect("a pair").to_owned();
        Visitor { client: Client::new(app.port).header("cookie", &cookie), cookie }
    }

    pub fn get(&self, path: &str) -> Response {
        self.client.get(path)
    }

    /// The text of a page.
    pub fn page(&self, path: &str) -> String {
        let answer = self.get(path);
        assert_eq!(answer.status, 200, "{path}");
        answer.text()
    }

    /// What the forms of this session bring along.
    pub fn token(&self) -> String {
        let page = self.get("/ui/").text();
        let found = page.split("name=\"token\" value=\"").nth(1).and_then(|rest| rest.split('"').next());
        found.unwrap_or_default().to_owned()
    }

    /// Sends a form of one of the pages.
    pub fn send(&self, path: &str, fields: &[(&str, &str)]) -> Response {
        let token = self.token();
        let mut all = vec![("token", token.as_str())];
        all.extend_from_slice(fields);
        form(&self.client, path, &all)
    }
}

/// Sends a form as a browser does.
pub fn form(client: &Client, path: &str, fields: &[(&str, &str)]) -> Response {
    let body: Vec<String> = fields.iter().map(|(name, value)| format!("{name}={}", encoded(value))).collect();
    let client = client.clone().header("content-type", "application/x-www-form-urlencoded");
    client.request("POST", path, body.join("&").as_bytes())
}

pub fn log_in(app: &App, key: &str) -> Response {
    form(&Client::new(app.port), "/ui/login", &[("key", key)])
}

fn encoded(value: &str) -> String {
    value.bytes().fold(String::new(), |text, byte| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' => text + &char::from(byte).to_string(),
        _ => format!("{text}%{byte:02X}"),
    })
}

/// A hidden field of a page.
pub fn hidden(page: &str, name: &str) -> String {
    let found = page.split(&format!("name=\"{name}\" value=\"")).nth(1).and_then(|rest| rest.split('"').next());
    found.unwrap_or_else(|| panic!("no {name}: {page}")).to_owned()
}

/// Sends a form of a page, with what the page hides in the form.
pub fn send(visitor: &Visitor, page: &str, (path, fields): (&str, &[(&str, &str)])) -> Response {
    let page = visitor.page(page);
    let (token, seen) = (hidden(&page, "token"), hidden(&page, "seen"));
    let mut all = vec![("token", token.as_str()), ("seen", seen.as_str())];
    all.extend_from_slice(fields);
    form(&visitor.client, path, &all)
}

pub fn place(answer: &Response) -> String {
    assert_eq!(answer.status, 303);
    answer.header("location").expect("a place").to_owned()
}

pub fn file(app: &App) -> String {
    std::fs::read_to_string(app.config_file()).expect("reads")
}
