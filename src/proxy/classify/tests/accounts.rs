//! What is refused to an account, or to a key.

use super::*;

#[test]
fn a_key_that_may_not_do_just_this_is_a_key_all_the_same() {
    use FailureClass::{Forbidden, PaymentRequired, RateLimited, Unauthorized};
    are(&[
        (401, r#"{"error":{"message":"Incorrect API key provided: ***","code":"invalid_api_key"}}"#, Unauthorized),
        (401, r#"{"error":{"message":"User not found.","code":401}}"#, Unauthorized),
        (401, "", Unauthorized),
        (
            401,
            r#"{"error":{"message":"You have insufficient permissions for this operation. Missing scopes: model.request."}}"#,
            Forbidden,
        ),
        (
            401,
            r#"{"error":{"message":"key not allowed to access model. This key can only access models=['a']","type":"key_model_access_denied","code":"401"}}"#,
            Forbidden,
        ),
        (401, r#"{"error":{"message":"Invalid API key: 'scope'","code":"invalid_api_key"}}"#, Unauthorized),
        (403, r#"{"error":{"message":"Key is not authorized to access model m"}}"#, Forbidden),
        (403, r#"{"error":{"message":"Your API key may not use this model"}}"#, Forbidden),
        (
            403,
            r#"{"error":{"message":"The model `x` is blocked at the project level.","type":"permissions_error"}}"#,
            Forbidden,
        ),
        (403, r#"{"error":{"message":"Your API key was reported as leaked."}}"#, Unauthorized),
        (403, r#"{"error":{"message":"Your project has been denied access."}}"#, Unauthorized),
        (403, r#"{"error":{"message":"no","code":"invalid_api_key"}}"#, Unauthorized),
        (403, r#"{"error":{"message":"x","code":"insufficient_user_quota"}}"#, PaymentRequired),
        (403, r#"{"code":30001,"message":"Sorry, your account balance is insufficient"}"#, PaymentRequired),
        (403, r#"{"error":"Your newly created team doesn't have any credits yet."}"#, PaymentRequired),
        (403, r#"{"error":{"message":"Key limit exceeded"}}"#, PaymentRequired),
        (403, r#"{"error":{"message":"该令牌无权访问模型 m","type":"new_api_error"}}"#, Forbidden),
        (403, r#"{"error":{"message":"Your API key has been flagged for abuse"}}"#, Unauthorized),
        (
            403,
            r#"{"error":{"message":"Out of call volume quota. Quota will be replenished in 00:01:00."}}"#,
            RateLimited,
        ),
        (403, r#"{"error":{"message":"You have exceeded a secondary rate limit."}}"#, RateLimited),
        (
            403,
            r#"{"error":{"message":"Quota exceeded for metric x per minute","details":[{"reason":"RATE_LIMIT_EXCEEDED"}]}}"#,
            RateLimited,
        ),
    ]);
}

#[test]
fn an_account_can_be_refused_with_a_400() {
    use FailureClass::{PaymentRequired, Rejected, Unauthorized};
    are(&[
        (
            400,
            r#"{"error":"Incorrect API key provided: xx. You can obtain an API key from https://console.x.ai."}"#,
            Unauthorized,
        ),
        (
            400,
            r#"{"error":{"message":"User location is not supported for the API use.","status":"FAILED_PRECONDITION"}}"#,
            Unauthorized,
        ),
        (
            400,
            r#"{"error":{"message":"Your credit balance is too low to access the API.","type":"invalid_request_error"}}"#,
            PaymentRequired,
        ),
        (
            400,
            r#"{"error":{"message":"Billing hard limit has been reached","code":"billing_hard_limit_reached"}}"#,
            PaymentRequired,
        ),
        (400, r#"{"error":{"message":"x","code":"Arrearage"}}"#, PaymentRequired),
        (400, r#"{"error":{"message":"Invalid value: 'invalid api key'"}}"#, Rejected),
    ]);
}

#[test]
fn a_refused_account_is_certain_by_a_code_or_a_401_alone() {
    use FailureClass::{PaymentRequired, Unauthorized};
    let refused = |status, body: &str, client: &str| {
        let refusal = Refusal { status, headers: &HeaderMap::new(), body: body.as_bytes() };
        let failure = refusal.failure(Asked { client: Some(client.as_bytes()), ..ASKED }, Now { mono: 0, wall: 0 });
        (failure.class, failure.certain)
    };
    for (status, body, certain) in [
        (401, r#"{"error":"no"}"#, true),
        (403, r#"{"error":"no"}"#, false),
        (403, r#"{"error":"no: 'your account'"}"#, false),
        (403, r#"{"error":"Your account is suspended"}"#, false),
        (403, r#"{"error":{"message":"no","code":"account_deactivated"}}"#, true),
        (400, r#"{"error":"Incorrect API key provided"}"#, false),
        (403, r#"{"error":{"message":"no","code":"invalid_api_key"}}"#, true),
        (403, r#"{"error":"Country, region, or territory not supported"}"#, false),
        (400, r#"{"error":{"details":[{"reason":"API_KEY_EXPIRED"}]}}"#, true),
    ] {
        assert_eq!(refused(status, body, "{}"), (Unauthorized, certain), "{status} {body}");
    }
    let echo = r#"{"error":{"message":"Not for you: your account is suspended, balance 0"}}"#;
    assert_eq!(refused(403, echo, "{}"), (PaymentRequired, false));
    assert_eq!(refused(403, echo, r#"{"x":"Balance"}"#), (Unauthorized, false));
    let wrote = r#"{"x":"balance, YOUR \u0041CCOUNT is Suspended"}"#;
    assert_eq!(refused(403, echo, wrote), (Unauthorized, false), "the client's own words");
}
