//! The sums are those of the upstreams, to the token and to the picodollar, whatever became of a request.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use serde_json::{Value, json};

use super::traffic::{APIS, Book, KEYS, Kinds, Place, failures, pool, prices, send};
use super::usage;
use crate::helpers::{App, Redis, within};

/// The tokens in an answer, by kind.
const FIELDS: [&str; 6] =
    ["inputTokens", "cachedTokens", "cacheWrite5mTokens", "cacheWrite1hTokens", "outputTokens", "reasoningTokens"];

/// What an answer says of one place.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
struct Sums {
    kinds: Kinds,
    estimated: u64,
    picodollars: u64,
}

fn number(row: &Value, field: &str) -> u64 {
    row[field].as_u64().unwrap_or_else(|| panic!("no {field} in {row}"))
}

/// Returns the sums by key, API and model, over all days.
fn by_place(answer: &Value) -> BTreeMap<Place, Sums> {
    let mut sums: BTreeMap<Place, Sums> = BTreeMap::new();
    for row in answer["usage"].as_array().expect("rows") {
        let place = ["key", "api", "model"].map(|name| row[name].as_str().unwrap_or_default().to_owned());
        let sum = sums.entry(place).or_default();
        sum.kinds.iter_mut().zip(FIELDS).for_each(|(sum, field)| *sum += number(row, field));
        sum.estimated += number(row, "estimatedTokens");
        sum.picodollars += picodollars(row);
    }
    sums
}

/// Returns a cost. A double is exact to the picodollar below a thousand dollars.
fn picodollars(row: &Value) -> u64 {
    (row["costUsd"].as_f64().expect("a cost") * 1e12).round() as u64
}

fn cost(api: &str, kinds: &Kinds) -> u64 {
    let nth = APIS.iter().position(|(id, _)| *id == api).expect("an API");
    kinds.iter().zip(prices(nth)).map(|(tokens, price)| tokens * price).sum()
}

/// Waits until the server knows all requests. Then the sums are the upstreams'. Returns the answer.
fn assert_sums(app: &App, book: &Book, requests: u64) -> Value {
    let mut answer = Value::Null;
    within(Duration::from_secs(20), "all requests are counted", || {
        answer = usage(app, "group=key,api,model");
        number(&answer["total"], "requests") == requests
    });
    assert_eq!(answer["complete"], true);
    assert_eq!(number(&answer["total"], "failedRequests"), failures(0, requests));
    let (sums, reported) = (by_place(&answer), book.reported.lock().expect("whole").clone());
    assert!(reported.keys().all(|place| sums.contains_key(place)), "{reported:?} and {sums:?}");
    let mut estimated = 0;
    for (place, sum) in &sums {
        let said = reported.get(place).copied().unwrap_or_default();
        assert_eq!(
            sum.kinds.iter().sum::<u64>() - sum.estimated,
            said.iter().sum::<u64>(),
            "{place:?} {sum:?} {said:?}"
        );
        if sum.estimated == 0 {
            assert_eq!(sum.kinds, said, "{place:?}");
        }
        assert_eq!(sum.picodollars, cost(&place[1], &sum.kinds), "{place:?}");
        // The first answer of a hedge never came. The others report nothing, or are cut.
        assert!(sum.estimated == 0 || ["unsaid", "hedged"].contains(&&*place[2]), "{place:?} {sum:?}");
        estimated += u64::from(place[2] == "unsaid" && sum.estimated > 0);
    }
    assert!(estimated >= KEYS.len() as u64, "{sums:?}");
    let total = &answer["total"];
    assert_eq!(picodollars(total), sums.values().map(|sum| sum.picodollars).sum::<u64>());
    assert_eq!(number(total, "totalTokens"), sums.values().flat_map(|sum| sum.kinds).sum::<u64>());
    answer
}

#[test]
fn the_sums_of_thousands_of_mixed_requests_are_what_the_upstreams_reported() {
    const REQUESTS: u64 = 10_000;
    let book = Arc::new(Book::default());
    let (_upstreams, config) = pool(&book);
    let app = App::start(&config);
    send(&[&app], 0, REQUESTS / 2);
    let app = app.stop_and_restart();
    send(&[&app], REQUESTS / 2, REQUESTS);
    let answer = assert_sums(&app, &book, REQUESTS);
    let [refused, failed] = [0, 1].map(|nth| book.refused[nth].load(Ordering::Relaxed));
    assert!(refused > 0 && failed > 50, "{refused} and {failed} retries");
    // Each key asked as often, whatever is apart.
    for group in ["key", "key,app"] {
        let rows = usage(&app, &format!("group={group}"))["usage"].clone();
        let rows = rows.as_array().expect("rows").iter();
        let mut by_key: BTreeMap<&str, u64> = BTreeMap::new();
        rows.for_each(|row| *by_key.entry(row["key"].as_str().expect("a key")).or_default() += number(row, "requests"));
        assert!(by_key.values().all(|n| n.abs_diff(REQUESTS / 4) < 4) && by_key.len() == 4, "{by_key:?}");
    }
    assert_eq!(usage(&app, "by=month")["total"], answer["total"]);
    // What is used is on disk soon after.
    std::thread::sleep(Duration::from_millis(400));
    let app = app.kill_and_restart();
    assert_eq!(usage(&app, "group=key,api,model")["usage"], answer["usage"]);
}

#[test]
fn two_servers_answer_for_both_and_one_that_is_gone_still_counts() {
    const REQUESTS: u64 = 2_000;
    let redis = Redis::start();
    let book = Arc::new(Book::default());
    let (_upstreams, mut config) = pool(&book);
    config["store"] = json!({ "url": redis.url() });
    let (one, other) = (App::start(&config), App::start(&config));
    send(&[&one, &other], 0, REQUESTS);
    let answer = assert_sums(&one, &book, REQUESTS);
    assert_eq!(assert_sums(&other, &book, REQUESTS)["usage"], answer["usage"]);

    one.stop();
    assert_eq!(assert_sums(&other, &book, REQUESTS)["usage"], answer["usage"]);
    // A new one knows the past, too.
    let third = App::start(&config);
    assert_eq!(assert_sums(&third, &book, REQUESTS)["usage"], answer["usage"]);
}
