//! What accounts say that do not know an object of another account.

use super::*;
use crate::types::FailureClass::{ModelNotFound, ObjectNotHere, Rejected};

#[test]
fn an_object_of_another_account_is_missing_by_a_code_or_by_the_beginning_of_the_words() {
    for (status, body, class) in [
        (
            404,
            r#"{"error":{"message":"Item with id 'rs_1' not found. Items are not persisted when `store` is set to false.","type":"invalid_request_error","param":"input","code":null}}"#,
            ObjectNotHere,
        ),
        (
            400,
            r#"{"error":{"message":"Item with id 'msg_1' not found.","type":"invalid_request_error","param":"input"}}"#,
            ObjectNotHere,
        ),
        (
            400,
            r#"{"error":{"message":"Previous response with id 'resp_1' not found.","type":"invalid_request_error","param":"previous_response_id","code":"previous_response_not_found"}}"#,
            ObjectNotHere,
        ),
        (404, r#"{"error":{"message":"gone","code":"previous_response_not_found"}}"#, ObjectNotHere),
        (
            400,
            r#"{"error":{"message":"The encrypted content gAAA could not be verified. Reason: organization_id did not match.","type":"invalid_request_error","param":null,"code":"invalid_encrypted_content"}}"#,
            ObjectNotHere,
        ),
        (
            400,
            r#"{"error":{"message":"The encrypted content for item rs_1 could not be verified.","type":"invalid_request_error","param":null,"code":null}}"#,
            ObjectNotHere,
        ),
        (
            404,
            r#"{"error":{"message":"Conversation with id 'conv_1' not found.","type":"invalid_request_error","param":null,"code":null}}"#,
            ObjectNotHere,
        ),
        (
            404,
            r#"{"error":{"message":"Response with id 'resp_1' not found.","type":"invalid_request_error","code":404}}"#,
            ObjectNotHere,
        ),
        (422, r#"{"error":{"message":"Item with id 'rs_1' not found.","type":"x","param":"input"}}"#, ObjectNotHere),
        // Not about an object of another account.
        (404, r#"{"error":{"message":"The model `m` does not exist","code":"model_not_found"}}"#, ModelNotFound),
        (404, r#"{"detail":"Not Found"}"#, ModelNotFound),
        (
            400,
            r#"{"error":{"message":"input: Item with id 'rs_1' not found","type":"invalid_request_error","param":"input"}}"#,
            Rejected,
        ),
        (
            400,
            r#"{"error":{"message":"Item 'rs_1' of type 'reasoning' was provided without its required following item.","type":"invalid_request_error","param":"input"}}"#,
            Rejected,
        ),
    ] {
        let failure = failure(Some(status), &ErrorBody::from_error_response(body.as_bytes()), "m");
        assert_eq!(failure.class, class, "{body}");
    }
}

#[test]
fn an_object_of_another_account_is_missing_in_an_event_as_well() {
    for event in [
        r#"{"type":"error","error":{"code":"previous_response_not_found","message":"x"}}"#,
        r#"{"type":"error","code":null,"message":"Item with id 'rs_1' not found.","param":"input"}"#,
        r#"{"error":{"message":"Item with id 'rs_1' not found.","type":"invalid_request_error","code":null}}"#,
    ] {
        let failure = in_success(&ErrorBody::from_success(event.as_bytes()).expect("an error"), "m");
        assert_eq!((failure.class, failure.status), (ObjectNotHere, Some(400)), "{event}");
    }
}
