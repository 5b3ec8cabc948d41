//! What is refused to an account, or to a key.

use super::*;

fn google(reason: &str) -> String {
    let help = r#"{"@type":"type.googleapis.com/google.rpc.Help"}"#;
    format!(
        r#"{{"error":{{"code":400,"message":"x","status":"INVALID_ARGUMENT","details":[{help},{{"reason":"{reason}"}}]}}}}"#
    )
}

fn says(message: &str) -> String {
    format!(r#"{{"error":{{"message":"{message}"}}}}"#)
}

fn coded(code: &str, message: &str) -> String {
    format!(r#"{{"error":{{"message":"{message}","code":"{code}"}}}}"#)
}

#[test]
fn google_says_by_a_reason_that_a_key_is_refused_whatever_the_status() {
    for reason in KEY_REFUSED {
        let bare = google(reason);
        are(&[
            (400, &bare, Unauthorized, true),
            (400, &format!("[{bare}]"), Unauthorized, true),
            (403, &bare, Unauthorized, true),
        ]);
        let error = ErrorBody::from_success(bare.as_bytes()).expect("an error");
        assert_eq!(in_success(&error, "m").class, Unauthorized, "{reason}");
    }
    are(&[
        (400, &google("FIELD_INVALID"), Rejected, true),
        (429, &google("RATE_LIMIT_EXCEEDED"), RateLimited, true),
        (403, &google("RATE_LIMIT_EXCEEDED"), RateLimited, true),
    ]);
}

#[test]
fn a_401_refuses_the_key_unless_it_may_be_about_less() {
    are(&[
        (401, &coded("invalid_api_key", "Incorrect API key provided: ***"), Unauthorized, true),
        (401, r#"{"error":{"message":"User not found.","code":401}}"#, Unauthorized, true),
        (401, "", Unauthorized, true),
        (401, "<html>", Unauthorized, true),
        (
            401,
            &says("You have insufficient permissions for this operation. Missing scopes: model.request."),
            Forbidden,
            false,
        ),
        (
            401,
            r#"{"error":{"message":"key not allowed to access model","type":"key_model_access_denied","code":"401"}}"#,
            Forbidden,
            false,
        ),
        (401, &says("no such scope"), Forbidden, false),
    ]);
}

#[test]
fn a_403_is_certain_only_if_a_code_says_what_is_refused() {
    are(&[
        (403, &says("no"), Unauthorized, false),
        (403, r#""no""#, Unauthorized, false),
        (403, &says("Your account has been flagged"), Unauthorized, false),
        (403, &says("Key is not authorized to access model m"), Unauthorized, false),
        (403, &coded("invalid_api_key", "no"), Unauthorized, true),
        (403, &coded("account_deactivated", "It violates our usage policies"), Unauthorized, true),
        (403, &coded("unsupported_country_region_territory", "x"), Unauthorized, true),
        (403, &coded("insufficient_user_quota", "x"), PaymentRequired, true),
        (403, r#"{"error":{"message":"The model is blocked","type":"permissions_error"}}"#, Forbidden, false),
        (403, &coded("rate_limit_exceeded", "x"), RateLimited, true),
        (403, "<html>Attention Required! | Cloudflare</html>", ServerError, true),
        (403, "", ServerError, true),
    ]);
}

#[test]
fn a_providers_own_words_decide_only_where_a_message_begins_with_them() {
    are(&[
        (403, r#"{"code":"x","error":"Content violates usage guidelines. Failed check: SAFETY"}"#, Rejected, true),
        (403, r#""You are not allowed to generate embeddings from this model""#, Rejected, true),
        (403, &says("No: 'You are not allowed to sample'"), Unauthorized, false),
        (403, r#"{"code":30001,"message":"Sorry, your account balance is insufficient"}"#, PaymentRequired, false),
        (403, r#"{"error":"Your newly created team doesn't have any credits yet."}"#, PaymentRequired, false),
        (403, &says("Key limit exceeded"), PaymentRequired, false),
        (403, &says("Out of call volume quota. Quota will be replenished in 00:01:00."), RateLimited, true),
        (403, &says("You have exceeded a secondary rate limit."), RateLimited, true),
        (400, r#"{"error":"Incorrect API key provided: xx."}"#, Unauthorized, false),
        (
            400,
            r#"{"error":{"message":"User location is not supported for the API use.","status":"FAILED_PRECONDITION"}}"#,
            Unauthorized,
            false,
        ),
        (
            400,
            r#"{"error":{"message":"Your credit balance is too low.","type":"invalid_request_error"}}"#,
            PaymentRequired,
            false,
        ),
        (400, &coded("billing_hard_limit_reached", "x"), PaymentRequired, true),
        (400, &coded("Arrearage", "x"), PaymentRequired, true),
    ]);
}

#[test]
fn a_moderators_verdict_is_the_requests_own_unless_a_code_names_the_account() {
    are(&[
        (403, r#"{"error":{"code":403,"message":"flagged","metadata":{"reasons":["x"]}}}"#, Rejected, true),
        (403, &coded("moderation_blocked", "x"), Rejected, true),
        (403, r#"{"error":{"code":"content_filter","message":"no: \"your account\""}}"#, Rejected, true),
    ]);
}

#[test]
fn a_prompt_beyond_the_context_is_known_by_code_status_or_the_beginning_of_the_words() {
    for (status, body, exceeded) in [
        (400, r#"{"error":{"message":"x","type":"invalid_request_error","code":"context_length_exceeded"}}"#, true),
        (413, r#"{"error":{"message":"Max size: 8000 tokens","code":"tokens_limit_reached"}}"#, true),
        (400, r#"{"error":{"message":"This model's maximum context length is 4096 tokens"}}"#, true),
        (400, r#"{"object":"error","message":"This model's maximum context length is 8 tokens","code":400}"#, true),
        (400, r#"{"error":{"message":"The input token count (9) exceeds 8","status":"INVALID_ARGUMENT"}}"#, true),
        (413, r#"{"error":{"message":"too big","type":"invalid_request_error"}}"#, true),
        (413, "", false),
        (429, r#"{"error":{"message":"Request too large for the limit"}}"#, false),
        (400, r#"{"error":{"message":"bad role: prompt is too long","type":"invalid_request_error"}}"#, false),
        (400, r#"{"error":{"message":"bad role","type":"invalid_request_error"}}"#, false),
    ] {
        let error = ErrorBody::from_error_response(body.as_bytes());
        assert_eq!(failure(Some(status), &error, "m").context_exceeded, exceeded, "{status} {body}");
    }
}
