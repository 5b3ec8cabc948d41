//! What pages say of what went wrong, and of what was changed: in words of the page, with a way to more.

use serde_json::json;

use super::visitor::{Visitor, file, hidden, place, send};
use super::{ADMIN, TEAM, operated, started};
use crate::helpers::{App, Client, Reply, Upstream, eventually};

/// A browser that wants Chinese pages.
fn chinese(visitor: &Visitor) -> Client {
    visitor.client.clone().header("accept-language", "zh-CN")
}

#[test]
fn what_the_pool_itself_refuses_has_chips_of_its_own_that_filter_the_live_list() {
    let upstream = Upstream::always(Reply::chat("hi"));
    let mut config = operated(&[&upstream]);
    config["keys"][0]["rpm"] = json!(1);
    let app = App::start(&config);
    let team = Client::new(app.port).key(TEAM);
    let asks = |client: &Client, model: &str| {
        client.post("/v1/chat/completions", &json!({ "model": model, "messages": [] })).status
    };
    assert_eq!([asks(&team, "m"), asks(&team, "m"), asks(&team, "m")], [200, 429, 429]);
    assert_eq!(asks(&app.client(), "no-such-model"), 404);
    let visitor = Visitor::with_key(&app, ADMIN);
    eventually("the refusals are counted", || {
        let page = visitor.page("/ui/");
        page.contains("Refused by the pool itself")
            && page.contains("<a href=\"/ui/live?refused=key_rpm\">key_rpm 2</a>")
            && page.contains("<a href=\"/ui/live?refused=model_not_found\">model_not_found 1</a>")
            && !page.contains("/ui/live?class=")
    });
    let rows = |path: &str| visitor.page(path).matches("href=\"/ui/requests/").count();
    assert_eq!(rows("/ui/live"), 4);
    assert_eq!(rows("/ui/live?refused=key_rpm"), 2);
    assert_eq!(rows("/ui/live?refused=model_not_found"), 1);
    assert_eq!(rows("/ui/live?refused=model_not_found&key=team-a"), 0);
    assert!(visitor.page("/ui/live?refused=key_rpm").contains("<option value=\"key_rpm\" selected"));
    let page = chinese(&visitor).get("/ui/").text();
    assert!(page.contains("由本服务直接拒绝的") && page.contains("密钥每分钟请求数已用完 2"), "{page}");
}

#[test]
fn what_an_operator_can_do_is_said_in_the_pages_language_behind_the_accounts_own_words() {
    let upstream = Upstream::always(Reply::error(401, "no such key"));
    let app = App::start(&operated(&[&upstream]));
    app.chat();
    let visitor = Visitor::with_key(&app, ADMIN);
    for path in ["/ui/", "/ui/accounts/a"] {
        let page = visitor.page(path);
        assert!(page.contains("no such key") && page.contains(": check its apiKey"), "{path}: {page}");
        let page = chinese(&visitor).get(path).text();
        assert!(page.contains("no such key") && page.contains("：检查其 apiKey"), "{path}: {page}");
        assert!(!page.contains("check its apiKey"), "{path}: {page}");
    }
}

#[test]
fn after_a_lost_race_the_main_button_saves_over_the_present_text_and_a_link_leads_back() {
    let (_upstream, app, visitor) = started();
    let page = visitor.page("/ui/configuration");
    assert!(page.contains("class=\"main\">Save</button>") && !page.contains("Save over it"), "{page}");
    let (token, seen) = (hidden(&page, "token"), hidden(&page, "seen"));
    let before = file(&app);
    std::fs::write(app.config_file(), before.replace("\"rpm\": 30", "\"rpm\": 41")).expect("writes");
    let draft = before.replace("\"rpm\": 30", "\"rpm\": 52");
    let fields = [("token", token.as_str()), ("seen", seen.as_str()), ("text", draft.as_str())];
    for path in ["/ui/configuration/save", "/ui/configuration/check"] {
        let told = super::visitor::form(&visitor.client, path, &fields).text();
        let main = told.split("class=\"main\"").nth(1).expect("a main button");
        assert!(main.starts_with(" name=\"over\"") && main.contains("Save over it"), "{path}: {told}");
        assert_eq!(told.matches("class=\"main\"").count(), 1, "{path}: {told}");
        assert!(told.contains("<a href=\"/ui/configuration\">Back to the present text"), "{path}: {told}");
    }
}

#[test]
fn the_log_of_changes_says_from_what_to_what_and_of_a_refused_change_the_fields_alone() {
    let (_upstream, app, visitor) = started();
    let set_key = |fields: &[(&str, &str)]| {
        let shown = [("name", "team-a"), ("shown-rpm", "30"), ("rpm", "30"), ("shown-usd-0", "2"), ("usd-0", "2")];
        let shown = shown.into_iter().chain([("shown-per-0", "day"), ("per-0", "day")]);
        let mut all: Vec<(&str, &str)> =
            shown.filter(|(name, _)| !fields.iter().any(|(typed, _)| typed == name)).collect();
        all.extend_from_slice(fields);
        place(&send(&visitor, "/ui/keys/team-a", ("/ui/keys/set", &all)))
    };
    set_key(&[("rpm", "-7")]);
    set_key(&[("tpm", "sk-typed-at-the-wrong-place-0123")]);
    set_key(&[("rpm", "31"), ("usd-0", "5")]);
    let fields = [("api", "a"), ("shown-rpm", ""), ("rpm", "60"), ("shown-weight", "1"), ("weight", "1")];
    place(&send(&visitor, "/ui/accounts/a", ("/ui/accounts/set", &fields)));
    let fields = [("name", "new"), ("rpd", "9"), ("usd", "3"), ("per", "week")];
    place(&send(&visitor, "/ui/keys", ("/ui/keys/make", &fields)));
    let log = std::fs::read_to_string(app.folder.join("data/audit.jsonl")).expect("an audit log");
    let details: Vec<String> = log
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).expect("JSON")["detail"].to_string())
        .collect();
    let wanted = [
        "\"rpm\"",
        "\"tpm\"",
        "\"rpm 30 → 31, budgets usd 2 per day → usd 5 per day\"",
        "\"rpm – → 60\"",
        "\"rpd – → 9, budgets – → usd 3 per week\"",
    ];
    assert_eq!(details, wanted, "{log}");
    assert!(!log.contains("sk-"), "{log}");
    let page = visitor.page("/ui/system");
    assert!(page.contains("Change the key team-a (rpm 30 → 31, budgets usd 2 per day → usd 5 per day)"), "{page}");
}
