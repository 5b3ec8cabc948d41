//! What upstreams say when they refuse, and what it means.

mod accounts;

use super::*;

const ASKED: Asked<'_> = Asked { model: "m", client: Some(b"{}") };

#[test]
fn an_error_in_a_200_has_the_class_of_its_code_or_of_its_words() {
    use FailureClass::{ModelNotFound, Overloaded, RateLimited, Rejected, ServerError};
    for (body, class, status) in [
        (r#"{"error":{"code":429,"message":"slow down"}}"#, RateLimited, Some(429)),
        (r#"{"error":{"code":"502"}}"#, ServerError, Some(502)),
        (r#"{"error":{"type":"rate_limit_exceeded"}}"#, RateLimited, None),
        (r#"{"error":{"type":"overloaded_error"}}"#, Overloaded, None),
        (r#"{"error":"broken"}"#, ServerError, None),
        (r#"{"error":503}"#, Overloaded, Some(503)),
        (r#"{"error":["broken"]}"#, ServerError, None),
        (r#"{"error":true,"code":429}"#, RateLimited, Some(429)),
        (r#"{"errors":[{"code":400}]}"#, Rejected, Some(400)),
        (r#"{"error":{"code":400}}"#, Rejected, Some(400)),
        (r#"{"error":{"type":"invalid_request_error","code":null}}"#, Rejected, Some(400)),
        (r#"{"error":{"type":"content_filter"}}"#, Rejected, Some(400)),
        (r#"{"error":{"code":403,"metadata":{"reasons":["x"]}}}"#, Rejected, Some(403)),
        (r#"{"object":"error","type":"BadRequestError","message":"x"}"#, Rejected, Some(400)),
        (r#"{"object":"error","code":500,"message":"The model `m` does not exist"}"#, ServerError, Some(500)),
        (r#"{"error":{"code":404,"type":"model_not_found"}}"#, ModelNotFound, Some(404)),
        (r#"{"error":{"message":"The model `m` does not exist"}}"#, ModelNotFound, Some(404)),
        (r#"{"error":{"code":400,"message":"The model `m` does not exist"}}"#, ModelNotFound, Some(400)),
        (r#"{"success":false,"code":401}"#, FailureClass::Unauthorized, Some(401)),
        (r#"{"code":429,"msg":"slow down"}"#, RateLimited, Some(429)),
        (r#"{"error_code":17,"error_msg":"daily limit reached","id":"x"}"#, RateLimited, Some(429)),
        (r#"{"error_code":336003,"error_msg":"x"}"#, ServerError, None),
        (r#"{"Error":{"code":503}}"#, Overloaded, Some(503)),
        (r#"{"code":500,"msg":"x","data":null}"#, ServerError, Some(500)),
        (r#"{"error_code":-1,"error_msg":"bad"}"#, ServerError, None),
        (r#"{"base_resp":null,"error_code":"18"}"#, RateLimited, Some(429)),
        (r#"{"error_code":"invalid_key","msg":"bad"}"#, ServerError, None),
        (r#"{"choices":[{}],"base_resp":{"status_code":-1}}"#, ServerError, None),
        (r#"{"code":"InvalidApiKey","msg":"x"}"#, ServerError, None),
        (r#"{"success":false,"message":"x","data":null,"id":"y"}"#, ServerError, None),
        (r#"{"code":50505,"message":"busy","data":null}"#, ServerError, None),
        (
            r#"{"choices":null,"base_resp":{"status_code":1004,"status_msg":"login fail"}}"#,
            FailureClass::Unauthorized,
            Some(401),
        ),
        (r#"{"choices":null,"base_resp":{"status_code":1002,"status_msg":"rpm"}}"#, RateLimited, Some(429)),
        (r#"{"choices":[{}],"base_resp":{"status_code":"1027"}}"#, ServerError, None),
        (r#"{"type":"response.failed","response":{"error":{"code":"server_error"}}}"#, ServerError, None),
    ] {
        let told = Told::in_answer(body.as_bytes()).expect(body);
        let failure = error_in_200(&told, ASKED);
        assert_eq!((failure.class, failure.status), (class, status), "{body}");
    }
}

#[test]
fn what_is_no_error_is_an_answer_however_odd() {
    for none in [
        "{}",
        r#"{"error":{}}"#,
        r#"{"error":[]}"#,
        r#"{"error":0,"errors":[]}"#,
        r#"{"success":true,"base_resp":{"status_code":0,"status_msg":"success"}}"#,
        r#"{"choices":[{}],"error_code":"0","base_resp":{"status_code":"0"}}"#,
        r#"{"choices":[{}],"error_code":"SUCCESS"}"#,
        r#"{"created":1,"images":[{}],"msg":""}"#,
        r#"{"images":[{}],"success":true,"message":"ok"}"#,
        r#"{"code":0,"msg":"ok","embeddings":[1]}"#,
        r#"{"audio":"x","success":true,"msg":""}"#,
        r#"{"msg":"processing"}"#,
        r#"{"code":200,"message":"ok","result":"x"}"#,
        r#"{"message":""}"#,
        "[]",
        "7",
        "no JSON",
    ] {
        assert_eq!(Told::in_answer(none.as_bytes()), None, "{none}");
    }
}

/// A refusal's status, its body, and what it means.
fn are(rows: &[(u16, &str, FailureClass)]) {
    for (status, body, class) in rows {
        let told = Told::in_refusal(body.as_bytes());
        assert_eq!(class_of(Some(*status), &told, ASKED), *class, "{status} {body}");
    }
}

#[test]
fn a_key_that_is_refused_is_known_by_googles_reason_whatever_the_status() {
    use FailureClass::{RateLimited, Rejected, Unauthorized};
    let googles = |reason: &str| {
        format!(
            r#"{{"error":{{"code":400,"message":"x","status":"INVALID_ARGUMENT","details":[{{"@type":"type.googleapis.com/google.rpc.Help"}},{{"@type":"type.googleapis.com/google.rpc.ErrorInfo","reason":"{reason}"}}]}}}}"#
        )
    };
    for reason in
        ["API_KEY_INVALID", "API_KEY_EXPIRED", "API_KEY_SERVICE_BLOCKED", "SERVICE_DISABLED", "CONSUMER_SUSPENDED"]
    {
        let bare = googles(reason);
        are(&[(400, &bare, Unauthorized), (400, &format!("[{bare}]"), Unauthorized), (403, &bare, Unauthorized)]);
        let told = Told::in_answer(bare.as_bytes()).expect("an error");
        assert_eq!(error_in_200(&told, ASKED).class, Unauthorized, "{reason}");
    }
    are(&[
        (400, &googles("FIELD_INVALID"), Rejected),
        (429, &googles("RATE_LIMIT_EXCEEDED"), RateLimited),
        (400, r#"{"error":{"message":"API_KEY_INVALID","details":"API_KEY_INVALID"}}"#, Rejected),
    ]);
}

#[test]
fn a_403_is_about_the_key_unless_it_judges_the_content_or_comes_from_a_firewall() {
    use FailureClass::{Forbidden, Rejected, ServerError, Unauthorized};
    are(&[
        (
            403,
            r#"{"code":"The caller does not have permission to execute the specified operation","error":"Content violates usage guidelines. Team: 1, API key ID: 2, Model: m, Failed check: SAFETY_CHECK_TYPE_BIO"}"#,
            Rejected,
        ),
        (
            403,
            r#"{"error":{"code":"moderation_blocked","type":"image_generation_user_error","message":"x"}}"#,
            Rejected,
        ),
        (
            403,
            r#"{"error":{"type":"image_generation_user_error","message":"Your request was rejected as a result of our safety system."}}"#,
            Rejected,
        ),
        (403, r#"{"error":{"message":"Your input was Flagged"}}"#, Rejected),
        (403, r#"{"error":"It is against our content policy"}"#, Rejected),
        (403, r#"{"detail":"It is against our usage policies"}"#, Rejected),
        (403, r#"{"error":{"message":"Flagged: 'your account has been suspended'"}}"#, Rejected),
        (403, r#"{"error":{"code":"content_filter","message":"no: \"your account\""}}"#, Rejected),
        (403, r#"{"error":{"message":"Your account has been flagged"}}"#, Unauthorized),
        (403, r#"{"error":{"message":"Your organization violates our usage policies"}}"#, Unauthorized),
        (403, r#"{"error":{"code":"account_deactivated","message":"It violates our usage policies"}}"#, Unauthorized),
        (403, r#"{"error":{"code":"moderation","message":"This user was banned"}}"#, Unauthorized),
        (403, r#"{"error":{"message":"Country, region, or territory not supported"}}"#, Unauthorized),
        (403, r#"{"error":{"message":"no"}}"#, Unauthorized),
        (403, r#""no""#, Unauthorized),
        (403, "<html>Attention Required! | Cloudflare</html>", ServerError),
        (403, "", ServerError),
        (403, "\"You are not allowed to generate embeddings from this model\"", Rejected),
        (403, r#"{"error":{"message":"You are not allowed to sample from this model"}}"#, Rejected),
        (403, r#"{"error":{"message":"No: 'You are not allowed to sample from this model'"}}"#, Forbidden),
        (401, r#"{"error":{"message":"Your key was flagged"}}"#, Unauthorized),
        (401, "<html>", Unauthorized),
        (429, r#"{"error":{"message":"flagged"}}"#, FailureClass::RateLimited),
    ]);
}

#[test]
fn a_code_that_says_that_the_model_is_not_there_goes_before_the_status() {
    use FailureClass::{Forbidden, ModelNotFound, Overloaded, PaymentRequired, RateLimited, ServerError};
    let code = r#"{"error":{"message":"No available channel for model m under group default","type":"new_api_error","param":"","code":"model_not_found"}}"#;
    are(&[
        (400, code, ModelNotFound),
        (500, code, ModelNotFound),
        (503, code, ModelNotFound),
        (401, code, Forbidden),
        (402, code, PaymentRequired),
        (429, code, RateLimited),
        (500, r#"{"error":{"code":"model_not_found","param":"tools"}}"#, ServerError),
        (503, r#"{"error":{"message":"The model `m` does not exist"}}"#, Overloaded),
    ]);
}

#[test]
fn every_404_405_and_410_is_about_the_upstream_and_certain_by_a_code_or_a_410_alone() {
    let of = |status, body: &str| {
        let refusal = Refusal { status, headers: &HeaderMap::new(), body: body.as_bytes() };
        let failure = refusal.failure(ASKED, Now { mono: 0, wall: 0 });
        (failure.class, failure.certain)
    };
    for (status, body, certain) in [
        (404, "", false),
        (404, "{}", false),
        (404, "404 page not found", false),
        (405, "<html>405 Not Allowed</html>", false),
        (405, r#"{"detail":"Method Not Allowed"}"#, false),
        (404, r#"{"error":{"message":"Unknown request URL: POST /v1/responses.","code":"unknown_url"}}"#, false),
        (404, r#"{"error":{"message":"The model `m` does not exist"}}"#, false),
        (404, r#"{"error":{"message":"File Not Found","code":"file_not_found"}}"#, false),
        (404, r#"{"error":{"message":"no","code":"model_not_found"}}"#, true),
        (404, r#"{"error":{"message":"no","code":"DeploymentNotFound"}}"#, true),
        (400, r#"{"error":{"message":"no","code":"model_not_found"}}"#, true),
        (400, r#"{"error":{"message":"The model `m` does not exist"}}"#, false),
        (410, "", true),
        (410, r#"{"error":{"message":"m has reached its end of life"}}"#, true),
    ] {
        assert_eq!(of(status, body), (FailureClass::ModelNotFound, certain), "{status} {body}");
    }
    are(&[
        (400, r#"{"error":{"message":"Invalid URL (POST /v1/responses)"}}"#, FailureClass::Rejected),
        (403, r#"{"detail":"Not Found"}"#, FailureClass::Unauthorized),
    ]);
}

#[test]
fn what_no_waiting_makes_fit_is_no_limit_that_rests_anybody() {
    use FailureClass::{RateLimited, Rejected, TooLarge};
    let large = r#"{"error":{"message":"Request too large for gpt-4 in organization o on tokens per min (TPM): Limit 10000, Requested 12000.","type":"tokens","param":null,"code":"rate_limit_exceeded"}}"#;
    let reached =
        r#"{"error":{"message":"Rate limit reached for gpt-4: 'Request too large'","code":"rate_limit_exceeded"}}"#;
    are(&[(429, large, TooLarge), (413, large, TooLarge), (429, reached, RateLimited), (413, "<html>", Rejected)]);
}
