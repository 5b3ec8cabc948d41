//! What a key learns of itself, and operators of all keys.

use serde_json::{Value, json};

use super::{KEY, OTHER, TEAM, with_keys};
use crate::helpers::{App, Client, Reply, Upstream};

fn get(app: &App, key: &str, path: &str) -> Value {
    let answer = Client::new(app.port).key(key).get(path);
    assert_eq!(answer.status, 200, "{path}");
    answer.json()
}

#[test]
fn a_key_sees_its_own_budget_in_the_forms_that_programs_poll() {
    let upstream = Upstream::always(Reply::chat("hi"));
    let keys = json!([
        {
            "name": "team-a", "key": TEAM, "rpm": 30, "expires": "2099-12-31", "reset": "UTC",
            "budgets": [{ "usd": 30, "per": "month" }, { "usd": 2.5, "per": "day" }],
        },
        { "name": "team-b", "key": OTHER },
    ]);
    let app = App::start(&with_keys(&[&upstream], &keys));
    let own = get(&app, TEAM, "/v1/key");
    let data = &own["data"];
    assert_eq!(
        (&data["label"], &data["limit"], &data["limit_remaining"]),
        (&json!("team-a"), &json!(2.5), &json!(2.5))
    );
    assert_eq!((&data["limit_reset"], &data["usage"]), (&json!("daily"), &json!(0.0)));
    assert_eq!(data["rate_limit"], json!({ "requests": 30, "interval": "1m" }));
    assert_eq!(data["expires_at"], "2100-01-01T00:00:00.000Z");
    assert!(!own.to_string().contains("team-b") && !own.to_string().contains(TEAM), "{own}");
    for path in ["/v1/dashboard/billing/subscription", "/dashboard/billing/subscription"] {
        let told = get(&app, TEAM, path);
        assert_eq!((&told["object"], &told["hard_limit_usd"]), (&json!("billing_subscription"), &json!(2.5)), "{path}");
        assert_eq!(told["access_until"], 4_102_444_800_u64);
    }
    let path = "/dashboard/billing/usage?start_date=2026-11-01&end_date=2026-12-01";
    assert_eq!(get(&app, TEAM, path)["total_usage"], 0.0);
    for (key, name) in [(OTHER, "team-b"), (KEY, "default")] {
        let own = get(&app, key, "/v1/key");
        let data = &own["data"];
        assert_eq!(
            (&data["label"], &data["limit"], &data["limit_remaining"]),
            (&json!(name), &Value::Null, &Value::Null)
        );
        let told = get(&app, key, "/v1/dashboard/billing/subscription");
        assert_eq!((&told["hard_limit_usd"], &told["access_until"]), (&json!(100_000_000), &json!(0)));
    }
    assert_eq!(Client::new(app.port).get("/v1/key").status, 401);
}

#[test]
fn the_status_lists_the_keys_for_operators_without_a_secret() {
    let upstream = Upstream::always(Reply::chat("hi"));
    let keys = json!([
        { "name": "team-a", "key": TEAM, "models": ["m"], "rpm": 30, "budgets": [{ "usd": 2, "per": "day" }] },
        { "name": "old", "key": "sk-old-0123456789", "expires": "2001-01-01" },
        { "name": "off", "key": "sk-off-0123456789", "enabled": false },
    ]);
    let app = App::start(&with_keys(&[&upstream], &keys));
    let status = get(&app, KEY, "/v1/status");
    let told: Vec<(&str, &Value)> = status["keys"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|key| (key["name"].as_str().expect("a name"), &key["unavailableReason"]))
        .collect();
    assert_eq!(
        told,
        [("default", &Value::Null), ("team-a", &Value::Null), ("old", &json!("expired")), ("off", &json!("disabled"))]
    );
    let team = &status["keys"][1];
    assert_eq!((&team["limits"]["rpm"], &team["models"]), (&json!(30), &json!(["m"])), "{team}");
    assert_eq!((&team["budgets"][0]["usd"], &team["budgets"][0]["used"]), (&json!(2.0), &json!(0.0)), "{team}");
    for secret in [TEAM, KEY, "sk-old", "sk-off"] {
        assert!(!status.to_string().contains(secret), "{secret}");
    }
}
