//! Lists of the objects of all accounts.

use serde_json::{Value, json};

use super::{accounts, config, made, session};
use crate::helpers::{App, Received, Reply, Upstream, config_of};

/// An account with a list of objects, each an id and a time, paged as OpenAI and Anthropic do. The newest first, unless asked otherwise.
fn account(objects: &[(&str, u64)]) -> Upstream {
    let objects: Vec<(String, u64)> = objects.iter().map(|(id, at)| ((*id).to_owned(), *at)).collect();
    Upstream::start(move |request| page(request, &objects))
}

fn page(request: &Received, objects: &[(String, u64)]) -> Reply {
    let query = request.path.split_once('?').map_or("", |(_, query)| query);
    let parameter = |name: &str| query.split('&').find_map(|part| part.strip_prefix(name)?.strip_prefix('='));
    let mut all = objects.to_vec();
    all.sort_by_key(|(id, at)| (*at, id.clone()));
    if parameter("order") != Some("asc") {
        all.sort_by(|one, other| other.1.cmp(&one.1).then(one.0.cmp(&other.0)));
    }
    let after = parameter("after").or(parameter("after_id"));
    let from = after.map_or(0, |after| all.iter().position(|(id, _)| id == after).expect("its own object") + 1);
    let limit: usize = parameter("limit").expect("a limit").parse().expect("a number");
    let data: Vec<Value> = all[from..]
        .iter()
        .take(limit)
        .map(|(id, at)| json!({ "id": id, "created_at": at, "nested": { "b": 1, "a": [1.50] } }))
        .collect();
    let has_more = from + data.len() < all.len();
    Reply::json(200, &json!({ "object": "list", "data": data, "has_more": has_more }))
}

fn ids(page: &Value) -> Vec<String> {
    let items = page["data"].as_array().unwrap_or_else(|| panic!("{page}"));
    items.iter().map(|item| item["id"].as_str().expect("an id").to_owned()).collect()
}

/// All ids, page by page.
fn walk(app: &App, path: &str, limit: usize, query: &str) -> Vec<String> {
    let (mut all, mut after) = (Vec::new(), String::new());
    for _ in 0..1_000 {
        let page = app.client().get(&format!("{path}?limit={limit}{query}{after}")).json();
        all.extend(ids(&page));
        assert_eq!(page["last_id"].as_str(), ids(&page).last().map(String::as_str), "{page}");
        assert_eq!(page["first_id"].as_str(), ids(&page).first().map(String::as_str), "{page}");
        if page["has_more"] != json!(true) {
            return all;
        }
        assert_eq!(ids(&page).len(), limit);
        after = format!("&after={}", page["last_id"].as_str().expect("an id"));
    }
    panic!("without an end");
}

#[test]
fn a_list_has_the_objects_of_all_accounts_by_time_account_and_id_on_pages_of_any_size() {
    let names: Vec<Vec<String>> =
        ["a", "b", "c"].iter().map(|name| (0..70).map(|n| format!("{name}-{n:02}")).collect()).collect();
    let objects =
        |nth: usize| names[nth].iter().zip(0u64..).map(|(id, n)| (id.as_str(), n * 3 % 50)).collect::<Vec<_>>();
    let accounts: Vec<Upstream> = (0..3).map(|nth| account(&objects(nth))).collect();
    let app = App::start(&config_of(&accounts.iter().collect::<Vec<_>>()));
    let mut wanted: Vec<(u64, usize, &str)> =
        (0..3).flat_map(|nth| objects(nth).into_iter().map(move |(id, at)| (at, nth, id))).collect();
    wanted.sort_by_key(|(at, nth, id)| (u64::MAX - at, *nth, *id));
    let newest: Vec<&str> = wanted.iter().map(|(_, _, id)| *id).collect();
    wanted.sort_unstable();
    let oldest: Vec<&str> = wanted.iter().map(|(_, _, id)| *id).collect();
    for limit in [7, 100] {
        assert_eq!(walk(&app, "/v1/files", limit, "&purpose=batch"), newest, "{limit}");
        assert_eq!(walk(&app, "/v1/batches", limit, "&order=asc"), oldest, "{limit}");
    }
    let usual = app.client().get("/v1/files").json();
    assert_eq!((ids(&usual).len(), &usual["has_more"], &usual["object"]), (20, &json!(true), &json!("list")));
    let text = app.client().get("/v1/files?limit=1").text();
    assert!(text.contains(r#""nested":{"b":1,"a":[1.5]}"#), "{text}");
    // The page in front of a cursor, and between two.
    let before = app.client().get(&format!("/v1/files?limit=5&before={}", newest[50])).json();
    assert_eq!(
        (ids(&before), &before["has_more"]),
        (newest[45..50].iter().map(|id| (*id).to_owned()).collect(), &json!(true))
    );
    let first = app.client().get(&format!("/v1/files?limit=5&before={}", newest[3])).json();
    assert_eq!((ids(&first).len(), &first["has_more"]), (3, &json!(false)));
    let between = app.client().get(&format!("/v1/files?after={}&before={}", newest[10], newest[14])).json();
    assert_eq!(ids(&between), newest[11..14]);
    let asked = &accounts[0].received()[0];
    assert_eq!((asked.path.as_str(), asked.method.as_str()), ("/v1/files?purpose=batch&limit=7", "GET"));
    assert_eq!(asked.header("authorization"), Some("Bearer sk-upstream-a-0123456789"));
    for (query, status) in [("limit=0", 400), ("limit=x", 400), ("after=none", 400), ("before=none", 400)] {
        assert_eq!(app.client().get(&format!("/v1/files?{query}")).status, status, "{query}");
    }
    assert!(app.status_of("a")["lastError"].is_null());
}

#[test]
fn anthropics_lists_have_anthropics_cursors_and_times() {
    let batch = |id: &str, at: &str| json!({ "id": id, "type": "message_batch", "created_at": at });
    let answer = |items: Value| Upstream::always(Reply::json(200, &json!({ "data": items, "has_more": false })));
    let one = answer(json!([batch("msgbatch_2", "2026-01-01T00:00:02Z"), batch("msgbatch_1", "2026-01-01T00:00:01Z")]));
    let other = answer(json!([batch("msgbatch_9", "2026-01-01T00:00:01.500Z")]));
    let mut config = config_of(&[&one, &other]);
    for (nth, upstream) in [&one, &other].iter().enumerate() {
        config["apis"][nth]["anthropicBaseUrl"] = json!(upstream.url());
    }
    let app = App::start(&config);
    let client = app.client().header("anthropic-version", "2023-06-01");
    for path in ["/v1/messages/batches", "/v1/files"] {
        let page = client.get(&format!("{path}?limit=2")).json();
        assert_eq!(ids(&page), ["msgbatch_2", "msgbatch_9"]);
        assert_eq!(
            (&page["has_more"], &page["last_id"], page.get("object")),
            (&json!(true), &json!("msgbatch_9"), None)
        );
        let next = client.get(&format!("{path}?limit=2&after_id=msgbatch_9")).json();
        assert_eq!((ids(&next), &next["has_more"]), (vec!["msgbatch_1".to_owned()], &json!(false)));
    }
    let asked = one.received();
    assert_eq!(asked[0].header("x-api-key"), Some("sk-upstream-a-0123456789"));
    assert_eq!(asked[0].header("anthropic-version"), Some("2023-06-01"));
}

#[test]
fn the_part_of_an_account_that_fails_is_named_and_all_that_fail_are_a_502() {
    let fine = account(&[("file-1", 1), ("file-2", 2)]);
    let down = Upstream::always(Reply::error(500, "down"));
    let without = Upstream::always(Reply::error(404, "nothing here"));
    let app = App::start(&config_of(&[&down, &fine, &without]));
    for _ in 0..8 {
        let page = app.client().get("/v1/files");
        assert_eq!((page.status, page.header("x-api-together-partial")), (200, Some("a")));
        assert_eq!(ids(&page.json()), ["file-2", "file-1"]);
    }
    let app = App::start(&config_of(&[&down, &down]));
    let failed = app.client().get("/v1/files");
    assert_eq!(failed.error(), (502, "upstream_failed".to_owned()));
    let picky = Upstream::always(Reply::error(400, "Invalid purpose"));
    let app = App::start(&config_of(&[&picky, &picky]));
    let refused = app.client().get("/v1/files?purpose=none");
    assert_eq!(refused.status, 400);
    assert!(refused.text().contains("Invalid purpose"));
}

#[test]
fn a_list_tells_the_homes_of_its_objects_and_one_request_is_one_line() {
    let accounts = [account(&[("file-1", 1)]), account(&[("file-2", 2)])];
    let app = App::start(&config_of(&accounts.iter().collect::<Vec<_>>()));
    assert_eq!(ids(&app.client().get("/v1/files").json()), ["file-2", "file-1"]);
    for (nth, account) in accounts.iter().enumerate() {
        let before = account.calls();
        app.client().get(&format!("/v1/vector_stores/file-{}?limit=1", nth + 1));
        assert_eq!(account.calls(), before + 1, "its home is known");
    }
    let metrics = app.client().get("/metrics").text();
    assert!(metrics.contains(r#"requests_total{op="files",key="default",status="2xx"} 1"#), "{metrics}");
}

#[test]
fn a_program_that_removes_what_each_page_shows_comes_to_an_end() {
    let accounts = accounts(3);
    let app = App::start(&config(&accounts));
    for nth in 0..25 {
        made(&session(&app, &nth.to_string()), "/v1/files", &json!({}));
    }
    let (mut removed, mut after) = (0, String::new());
    for _ in 0..20 {
        let answer = app.client().get(&format!("/v1/files?limit=7{after}"));
        let status = answer.status;
        let page = answer.json();
        assert_eq!(status, 200, "{page}");
        for id in ids(&page) {
            assert_eq!(app.client().request("DELETE", &format!("/v1/files/{id}"), b"").status, 200);
            removed += 1;
        }
        if page["has_more"] != json!(true) {
            break;
        }
        after = format!("&after={}", page["last_id"].as_str().expect("an id"));
    }
    assert_eq!(removed, 25);
    assert_eq!(app.client().get("/v1/files?after=file-never").status, 400);
}

#[test]
fn lists_whose_pages_have_marks_are_walked_by_them_and_have_marks_themselves() {
    // Two objects on each page, and a mark of the account's own for the next one.
    let marked = |name: &'static str, count: usize| {
        Upstream::start(move |request| {
            let mark = request.path.split_once("page=mark%2F").map_or("0", |(_, nth)| nth);
            let nth: usize = mark.parse().expect("its own mark");
            let objects = (nth..count.min(nth + 2)).map(|nth| {
                let at = format!("2026-01-01T00:00:{:02}Z", 59 - nth);
                json!({ "id": format!("agent-{name}{nth}"), "created_at": at })
            });
            let next = (nth + 2 < count).then(|| format!("mark/{}", nth + 2));
            Reply::json(200, &json!({ "data": objects.collect::<Vec<_>>(), "next_page": next }))
        })
    };
    let accounts = [marked("a", 7), marked("b", 4)];
    let mut config = config_of(&accounts.iter().collect::<Vec<_>>());
    for (nth, account) in accounts.iter().enumerate() {
        config["apis"][nth]["anthropicBaseUrl"] = json!(account.url());
    }
    let app = App::start(&config);
    let client = app.client().header("anthropic-version", "2023-06-01");
    let (mut all, mut next) = (Vec::new(), Value::Null);
    for _ in 0..10 {
        let mark = next.as_str().map_or(String::new(), |mark| format!("&page={mark}"));
        let page = client.get(&format!("/v1/agents?include_archived=true&limit=3{mark}")).json();
        all.extend(ids(&page));
        next = page["next_page"].clone();
        assert_eq!(page["has_more"], json!(!next.is_null()), "{page}");
        if next.is_null() {
            break;
        }
    }
    let wanted = ["a0", "b0", "a1", "b1", "a2", "b2", "a3", "b3", "a4", "a5", "a6"];
    assert_eq!(all, wanted.map(|name| format!("agent-{name}")));
    let asked = accounts[0].received();
    assert_eq!(asked[0].path, "/v1/agents?include_archived=true&limit=3");
    assert!(asked.iter().any(|asked| asked.path == "/v1/agents?include_archived=true&limit=100&page=mark%2F2"));
}
