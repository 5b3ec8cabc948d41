//! What upstreams say when they refuse, and what it means.

#[path = "accounts_tests.rs"]
mod accounts;
#[path = "objects_tests.rs"]
mod objects;

use super::*;
use crate::types::FailureClass::{
    Forbidden, ModelNotFound, Overloaded, PaymentRequired, RateLimited, Rejected, ServerError, Timeout, TooLarge,
    Unauthorized,
};

#[test]
fn an_error_in_a_200_has_the_class_of_its_code_or_of_its_words() {
    for (body, class, status) in [
        (r#"{"error":{"code":429,"message":"slow down"}}"#, RateLimited, Some(429)),
        (r#"{"error":{"code":"502"}}"#, ServerError, Some(502)),
        (r#"{"error":{"type":"rate_limit_exceeded"}}"#, RateLimited, None),
        (r#"{"error":{"type":"overloaded_error"}}"#, Overloaded, None),
        (r#"{"error":"broken"}"#, ServerError, None),
        (r#"{"error":503}"#, Overloaded, Some(503)),
        (r#"{"error":["broken"]}"#, ServerError, None),
        (r#"{"error":true,"code":429}"#, RateLimited, Some(429)),
        (r#"{"errors":[{"code":400}]}"#, ModelNotFound, Some(400)),
        (r#"{"error":{"code":400,"message":"bad role"}}"#, Rejected, Some(400)),
        (r#"{"error":{"type":"invalid_request_error","code":null}}"#, Rejected, Some(400)),
        (r#"{"error":{"type":"content_filter"}}"#, Rejected, Some(400)),
        (r#"{"error":{"code":403,"metadata":{"reasons":["x"]}}}"#, Rejected, Some(403)),
        (r#"{"object":"error","type":"BadRequestError","message":"x"}"#, Rejected, Some(400)),
        (r#"{"object":"error","code":500,"message":"The model `m` does not exist"}"#, ServerError, Some(500)),
        (r#"{"error":{"code":404,"type":"model_not_found"}}"#, ModelNotFound, Some(404)),
        (r#"{"error":{"message":"The model `m` does not exist"}}"#, ServerError, None),
        (r#"{"error":{"code":400,"message":"The model `m` does not exist"}}"#, ModelNotFound, Some(400)),
        (r#"{"success":false,"code":401}"#, Unauthorized, Some(401)),
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
        (r#"{"choices":null,"base_resp":{"status_code":1004,"status_msg":"login fail"}}"#, Unauthorized, Some(401)),
        (r#"{"choices":null,"base_resp":{"status_code":1002,"status_msg":"rpm"}}"#, RateLimited, Some(429)),
        (r#"{"choices":[{}],"base_resp":{"status_code":"1027"}}"#, ServerError, None),
        (r#"{"type":"response.failed","response":{"error":{"code":"server_error"}}}"#, ServerError, None),
    ] {
        let error = ErrorBody::from_success(body.as_bytes()).expect(body);
        let failure = in_success(&error, "m");
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
        assert_eq!(ErrorBody::from_success(none.as_bytes()), None, "{none}");
    }
}

/// A refusal's status and body; what it means, and whether it counts without another upstream's answer.
fn are(rows: &[(u16, &str, FailureClass, bool)]) {
    for (status, body, class, certain) in rows {
        let error = ErrorBody::from_error_response(body.as_bytes());
        let failure = failure(Some(*status), &error, "m");
        assert_eq!((failure.class, !failure.is_doubtful()), (*class, *certain), "{status} {body}");
    }
}

#[test]
fn a_404_or_405_in_any_form_is_about_the_place_or_the_model() {
    for body in [
        "",
        "{}",
        "404 page not found",
        "<!DOCTYPE html><title>404</title>",
        r#"{"detail":"Not Found"}"#,
        r#"{"detail":"Method Not Allowed"}"#,
        r#"{"timestamp":"2026-11-28T00:00:00Z","status":404,"error":"Not Found","path":"/v1/chat/completions"}"#,
        r#"{"message":"Route POST:/v1/chat/completions not found","error":"Not Found","statusCode":404}"#,
        r#"{"message":"Cannot POST /v1/chat/completions","error":"Not Found","statusCode":404}"#,
        r#"{"error":{"code":"404","message":"Resource not found"}}"#,
        r#"{"error":{"code":404,"message":"Requested entity was not found.","status":"NOT_FOUND"}}"#,
        r#"{"type":"error","error":{"type":"not_found_error","message":"Not found"}}"#,
        r#"{"error_msg":"404 Route Not Found"}"#,
        r#"{"error":{"message":"The model `m` does not exist"}}"#,
        r#"{"error":{"message":"File Not Found: file-abc","code":"file_not_found"}}"#,
        "[]",
        "null",
    ] {
        are(&[(404, body, ModelNotFound, false), (405, body, ModelNotFound, false)]);
    }
}

#[test]
fn a_code_that_names_the_model_goes_before_the_status() {
    let code = r#"{"error":{"message":"No available channel for model m","type":"new_api_error","param":"","code":"model_not_found"}}"#;
    are(&[
        (400, code, ModelNotFound, true),
        (404, code, ModelNotFound, true),
        (500, code, ModelNotFound, true),
        (503, code, ModelNotFound, true),
        (401, code, Forbidden, false),
        (402, code, PaymentRequired, true),
        (429, code, RateLimited, true),
        (404, r#"{"error":{"code":"DeploymentNotFound","message":"x"}}"#, ModelNotFound, true),
        (410, "<html>", ModelNotFound, true),
        (500, r#"{"error":{"code":"model_not_found","param":"tools"}}"#, ServerError, true),
        (503, r#"{"error":{"message":"The model `m` does not exist"}}"#, Overloaded, true),
    ]);
}

#[test]
fn a_400_about_the_model_the_account_or_the_place_may_not_be_the_clients_fault() {
    for message in [
        "Model is not loaded",
        "The model `m` is not loaded",
        "m is not available",
        "You do not have access to this model",
        "The chatCompletion operation does not work with the specified model",
        "unsupported by this deployment",
        "Your project has no access",
        "User has no quota",
        "This endpoint is disabled",
    ] {
        let body = serde_json::json!({ "error": { "message": message } }).to_string();
        are(&[(400, &body, ModelNotFound, false), (422, &body, ModelNotFound, false)]);
    }
    are(&[
        (400, r#"{"error":{"message":"x","param":"model"}}"#, ModelNotFound, false),
        (400, r#"{"error":{"message":"x","code":"OperationNotSupportedByModel"}}"#, ModelNotFound, false),
    ]);
}

#[test]
fn only_a_400_413_415_or_422_is_the_callers_own_mistake() {
    are(&[
        (400, r#"{"error":{"message":"bad role"}}"#, Rejected, true),
        (400, r#"{"error":{"message":"bad role","type":"BadRequestError","code":400}}"#, Rejected, true),
        (
            400,
            r#"{"error":{"message":"bad","type":"invalid_request_error","code":"json_validate_failed"}}"#,
            Rejected,
            true,
        ),
        (413, r#"{"error":{"message":"too long"}}"#, Rejected, true),
        (415, r#"{"detail":"Unsupported Media Type"}"#, Rejected, true),
        (
            400,
            r#"{"error":{"message":"'temperature' is not supported with model m","param":"temperature"}}"#,
            Rejected,
            true,
        ),
        (
            400,
            r#"{"error":{"message":"This model's maximum context length is 8","code":"context_length_exceeded"}}"#,
            Rejected,
            true,
        ),
        (400, r#"{"error":{"message":"no","code":"content_filter"}}"#, Rejected, true),
        (422, r#"{"detail":[{"loc":["body","messages"],"msg":"field required"}]}"#, Rejected, true),
        (408, "", Timeout, true),
        (406, "", ModelNotFound, false),
        (409, "", ModelNotFound, false),
        (414, "", TooLarge, true),
        (418, "", ServerError, true),
        (431, "", TooLarge, true),
        (451, "", ServerError, true),
    ]);
}

#[test]
fn what_is_no_apis_error_about_the_request_moves_on_in_doubt() {
    for body in ["", "{}", "[]", "null", "<html>", "Invalid hostname", r#"{"error":{"code":400}}"#] {
        are(&[(400, body, ModelNotFound, false), (415, body, ModelNotFound, false), (422, body, ModelNotFound, false)]);
        are(&[(413, body, TooLarge, true)]);
    }
    for message in [
        "Token expired",
        "unauthorized",
        "Insufficient funds",
        "This user has been suspended",
        "Your plan does not include this feature",
        "当前账户余额不足",
        "模型不存在",
        "当前分组 default 下对于模型 m 无可用渠道",
        "This model's maximum context length is 4096 tokens",
    ] {
        for kind in ["invalid_request_error", ""] {
            let body = serde_json::json!({ "error": { "message": message, "type": kind } }).to_string();
            are(&[(400, &body, ModelNotFound, false)]);
        }
    }
    are(&[
        (400, r#"{"error":{"message":"x","type":"new_api_error"}}"#, ModelNotFound, false),
        (422, r#"{"detail":[{"loc":["body","model"],"msg":"x"}]}"#, ModelNotFound, false),
        (422, r#"{"detail":[{"loc":["header","x"],"msg":"unauthorized"}]}"#, ModelNotFound, false),
    ]);
}

#[test]
fn a_code_or_a_status_in_the_body_of_a_400_goes_before_the_400() {
    for status in REQUEST_STATUSES {
        for (error, class) in [
            (r#""code":"rate_limit_exceeded""#, RateLimited),
            (r#""type":"rate_limit_error""#, RateLimited),
            (r#""type":"overloaded_error""#, Overloaded),
            (r#""type":"server_error""#, ServerError),
            (r#""type":"InternalServerError""#, ServerError),
            (r#""code":"insufficient_quota""#, PaymentRequired),
            (r#""code":401"#, Unauthorized),
            (r#""code":"429""#, RateLimited),
            (r#""code":503"#, Overloaded),
        ] {
            are(&[(status, &format!(r#"{{"error":{{"message":"x",{error}}}}}"#), class, true)]);
        }
    }
}

#[test]
fn overload_has_many_statuses() {
    for status in [420, 424, 430, 498, 499, 503, 529] {
        are(&[(status, r#"{"error":{"message":"busy"}}"#, Overloaded, true)]);
    }
}

#[test]
fn a_request_that_is_too_large_by_itself_is_no_limit_that_waiting_ends() {
    let large = r#"{"error":{"message":"Request too large for gpt-4 in organization o on tokens per min (TPM): Limit 10000, Requested 12000.","type":"tokens","param":null,"code":"rate_limit_exceeded"}}"#;
    let reached =
        r#"{"error":{"message":"Rate limit reached for gpt-4: 'Request too large'","code":"rate_limit_exceeded"}}"#;
    are(&[(429, large, TooLarge, true), (413, large, TooLarge, true), (429, reached, RateLimited, true)]);
}
