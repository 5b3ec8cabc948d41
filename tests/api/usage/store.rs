//! The shared store is away: every server answers for itself, soon, and says so.

use std::time::{Duration, Instant};

use serde_json::json;

use super::usage;
use crate::helpers::{App, Redis, Reply, Upstream, config_of, eventually, within};

#[test]
fn a_server_whose_store_is_away_answers_for_itself_in_time() {
    let mut redis = Redis::start();
    let upstream = Upstream::always(Reply::chat("1"));
    let mut config = config_of(&[&upstream]);
    config["store"] = json!({ "url": redis.url() });
    let (one, other) = (App::start(&config), App::start(&config));
    assert_eq!((one.chat().status, other.chat().status, other.chat().status), (200, 200, 200));
    for app in [&one, &other] {
        eventually("both count", || usage(app, "")["total"]["requests"] == 3);
    }
    redis.signal("STOP");
    for _ in 0..3 {
        let since = Instant::now();
        let own = usage(&other, "");
        assert!(since.elapsed() < Duration::from_secs(4), "{:?}", since.elapsed());
        assert_eq!((&own["complete"], &own["total"]["requests"]), (&json!(false), &json!(2)), "{own}");
    }
    let csv = other.client().get("/v1/usage.csv");
    assert_eq!((csv.status, csv.header("x-usage-complete")), (200, Some("false")));
    redis.signal("CONT");
    within(Duration::from_secs(20), "the store is back", || usage(&other, "")["complete"] == true);
    redis.kill();
    assert_eq!(usage(&other, "")["complete"], false);
    // Nothing is lost by a store that lost all.
    let _redis = redis.start_again();
    assert_eq!(one.chat().status, 200);
    within(Duration::from_secs(20), "all is told anew", || {
        let answer = usage(&other, "");
        answer["complete"] == true && answer["total"]["requests"] == 4
    });
}
