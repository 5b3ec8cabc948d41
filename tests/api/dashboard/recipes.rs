//! The lines for each program: the address as the browser has it, a key's models, and never a key.

use serde_json::{Value, json};

use super::visitor::Visitor;
use super::{ADMIN, TEAM, VIEWER, operated};
use crate::helpers::{App, Client, KEY, Reply, Upstream};

fn start() -> (Upstream, App) {
    let upstream = Upstream::always(Reply::chat("hi"));
    let mut config = operated(&[&upstream]);
    config["apis"][0]["models"] = json!(["gpt-5", "gpt-5-mini", "odd\"name<b>"]);
    config["keys"][0]["models"] = json!(["gpt-5-mini"]);
    (upstream, App::start(&config))
}

#[test]
fn the_lines_have_this_address_and_models_and_no_key() {
    let (_upstream, app) = start();
    let visitor = Visitor::with_key(&app, VIEWER);
    let page = visitor.page("/ui/recipes");
    let address = "http://localhost";
    let root = format!("&quot;ANTHROPIC_BASE_URL&quot;: &quot;{address}&quot;");
    let base = format!("openai-api-base: &quot;{address}/v1&quot;");
    for part in [
        &*root,
        &*base,
        "Claude Code",
        "speaks Anthropic's format, and no account does",
        "YOUR_KEY",
        "model = &quot;gpt-5&quot;",
        "export POOL_KEY=YOUR_KEY",
        "~/.codex/config.toml",
    ] {
        assert!(page.contains(part), "{part}: {page}");
    }
    for never in [ADMIN, TEAM, KEY, "{base}", "{model}", "{key}", "odd"] {
        assert!(!page.contains(never), "{never}: {page}");
    }
}

#[test]
fn a_chosen_key_gives_its_models_and_its_name() {
    let (_upstream, app) = start();
    let visitor = Visitor::with_key(&app, ADMIN);
    let page = visitor.page("/ui/recipes?key=team-a");
    for part in ["KEY_OF_team-a", "model = &quot;gpt-5-mini&quot;", "Put the key team-a in place of"] {
        assert!(page.contains(part), "{part}: {page}");
    }
    assert!(!page.contains("&quot;gpt-5&quot;") && !page.contains(TEAM), "{page}");
    let other = visitor.page("/ui/recipes?key=%3Cscript%3E");
    assert!(other.contains("YOUR_KEY") && !other.contains("<script>"), "no such key");
}

#[test]
fn a_new_key_leads_to_its_recipes() {
    let (_upstream, app) = start();
    let visitor = Visitor::with_key(&app, ADMIN);
    let page = visitor.page("/ui/keys");
    let seen = page.split("name=\"seen\" value=\"").nth(1).and_then(|rest| rest.split('"').next()).expect("a hash");
    assert_eq!(visitor.send("/ui/keys/make", &[("name", "new"), ("seen", seen)]).status, 303);
    let told = visitor.page("/ui/keys");
    assert!(told.contains("sk-at-") && told.contains("href=\"/ui/recipes?key=new\""), "{told}");
}

#[test]
fn the_address_is_the_checked_host_and_never_another_header() {
    let (_upstream, app) = start();
    let visitor = Visitor::with_key(&app, ADMIN);
    let client =
        visitor.client.clone().header("x-forwarded-host", "evil.example").header("forwarded", "host=evil.example");
    let page = client.get("/ui/recipes").text();
    assert!(!page.contains("evil.example"), "{page}");
    let behind = visitor.client.clone().header("x-forwarded-proto", "https");
    assert!(behind.get("/ui/recipes").text().contains("https://localhost/v1"));
    let odd = visitor.client.clone().header("x-forwarded-proto", "javascript");
    assert!(odd.get("/ui/recipes").text().contains("http://localhost/v1"));
}

#[test]
fn a_client_has_no_recipes_and_without_a_model_a_word_stands_there() {
    let (upstream, app) = start();
    assert_eq!(Visitor::with_key(&app, TEAM).get("/ui/recipes").status, 303);
    let config: Value =
        json!({ "server": {}, "apis": [{ "id": "a", "baseUrl": upstream.url(), "apiKey": "sk-a-0123456789" }] });
    let open = App::start(&config);
    let page = Client::new(open.port).get("/ui/recipes").text();
    assert!(page.contains("model = &quot;MODEL&quot;") && page.contains("export POOL_KEY=none"), "{page}");
}
