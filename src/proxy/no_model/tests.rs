//! What upstreams say where the model is not there, and where something else is not.

use super::*;

const ASKED: Asked<'_> = Asked { model: "gpt-9", client: Some(br#"{"model":"gpt-9"}"#) };

/// As upstreams say it; the model is `gpt-9`.
const SAID: [&str; 31] = [
    r#"{"error":{"message":"Your organization must be verified to use the model `gpt-9`. Please go to: https://x","type":"invalid_request_error","param":null,"code":null}}"#,
    r#"{"error":{"message":"The model `gpt-9` does not exist or you do not have access to it.","type":"invalid_request_error","param":null,"code":"model_not_found"}}"#,
    r#"{"error":{"message":"Project `p` does not have access to model `gpt-9`","code":"model_not_found"}}"#,
    r#"{"error":{"message":"Unable to access model gpt-9.","type":"invalid_request_error","code":"model_not_available"}}"#,
    r#"{"object":"error","message":"Invalid model: gpt-9","type":"invalid_model","param":null,"code":"1500"}"#,
    r#"{"message":"Invalid model: gpt-9","code":"1500"}"#,
    r#"{"error":{"message":"gpt-9 is not a valid model ID","code":400}}"#,
    r#"{"error":{"message":"Model Not Exist","type":"invalid_request_error","param":null,"code":"invalid_request_error"}}"#,
    r#"{"code":20012,"message":"Model does not exist. Please check it carefully.","data":null}"#,
    r#"{"error":{"code":"1211","message":"模型不存在，请检查模型代码。"}}"#,
    r#"[{"error":{"code":404,"message":"models/gpt-9 is not found for API version v1main","status":"NOT_FOUND"}}]"#,
    r#"{"error":{"message":"model \"gpt-9\" not found, try pulling it first","type":"api_error","param":null,"code":null}}"#,
    r#"{"error":"model \"gpt-9\" not found, try pulling it first"}"#,
    r#"{"object":"error","message":"The model `gpt-9` does not exist.","type":"NotFoundError","param":null,"code":404}"#,
    r#"{"error":{"message":"The model `gpt-9` does not exist.","type":"NotFoundError","param":"model","code":404}}"#,
    r#"{"type":"error","error":{"type":"not_found_error","message":"model: gpt-9"}}"#,
    r#"{"error":{"message":"Not found the model gpt-9 or Permission denied","type":"resource_not_found_error"}}"#,
    r#"{"code":"Some requested entity was not found","error":"The model gpt-9 does not exist or your team has no access to it."}"#,
    r#"{"message":"model 'GPT-9' not found, make sure the correct model ID was used and that you don't lack access."}"#,
    r#"{"error":{"code":"DeploymentNotFound","message":"The API deployment for this resource does not exist."}}"#,
    r#"{"error":{"code":"unknown_model","message":"Unknown model: gpt-9","details":"Unknown model: gpt-9"}}"#,
    r#"{"error":{"message":"The model `gpt-9` has been decommissioned and is no longer supported.","type":"invalid_request_error","code":"model_decommissioned"}}"#,
    r#"{"error":{"message":"/chat/completions: Invalid model name passed in model=gpt-9. Call `/v1/models` to view available models for your key.","type":"invalid_request_error","param":"model","code":"400"}}"#,
    r#"{"error":{"message":"/chat/completions: Invalid model name passed in model=gpt-9. Call `/v1/models` to view available models for your key.","type":"None","param":null,"code":null}}"#,
    r#"{"error":{"message":"{'error': '/chat/completions: Invalid model name passed in model=gpt-9. Call `/v1/models` to view available models for your key.'}","type":"None","param":"None","code":"400"}}"#,
    r#"{"error":{"message":"The requested model 'gpt-9' is not supported by any provider you have enabled.","type":"invalid_request_error","param":"model","code":"model_not_supported"}}"#,
    r#"{"error":{"message":"The requested model 'gpt-9' is not supported by provider x.","param":"model","code":"model_not_supported"}}"#,
    r#"{"error":{"message":"The requested model is not supported.","param":"model","code":"model_not_supported"}}"#,
    r#"{"error":{"message":"No endpoints found for gpt-9.","code":404}}"#,
    r#"{"error":{"message":"No endpoints found for gpt-9","code":404}}"#,
    r#"{"error":{"message":"No available channel for model gpt-9 under group default (distributor)","type":"new_api_error","param":"","code":"model_not_found"}}"#,
];

/// What is about something else, however it sounds.
const NOT_SAID: [&str; 33] = [
    r#"{"error":{"message":"Invalid value: 'model gpt-9 not found'. Supported values are: 'user'.","code":"invalid_value"}}"#,
    r#"{"error":{"message":"Invalid value: 'model gpt-9 not found'."}}"#,
    r#"{"error":{"message":"Invalid value: 'x' model 'gpt-9' not found 'y'."}}"#,
    r#"{"error":{"message":"Invalid value: 'gpt-9' is not a valid model 'x'."}}"#,
    r#"{"error":{"message":"Invalid value: 'x\" model gpt-9 not found'."}}"#,
    r#"{"error":{"message":"Invalid value: 'model gpt-9 not found"}}"#,
    r#"{"error":{"message":"[{'loc': ('body', 'role'), 'input': 'unknown model gpt-9'}]"}}"#,
    r#"{"error":{"message":"'temperature' is not supported with model gpt-9","code":"unsupported_parameter","param":"temperature"}}"#,
    r#"{"error":{"message":"Tool calling is not supported by this model (gpt-9)"}}"#,
    r#"{"error":{"message":"The model gpt-9 does not exist in the list of tools","param":"tools[0].model"}}"#,
    r#"{"error":{"message":"The model `gpt-9` does not exist","code":"tool_not_found"}}"#,
    r#"{"error":{"message":"This is a chat model and not supported in the v1/completions endpoint.","param":"model"}}"#,
    r#"{"error":{"message":"The model `gpt-9-turbo` does not exist"}}"#,
    r#"{"error":{"message":"Invalid model: my/x-gpt-9"}}"#,
    r#"{"error":{"message":"Tool 'gpt-9' not found"}}"#,
    r#"{"error":{"message":"This model gpt-9 is currently not available, try again"}}"#,
    r#"{"error":{"message":"No such file: model.bin not found"}}"#,
    r#"{"error":{"message":"max_tokens is too large for gpt-9"}}"#,
    r#"{"error":{"message":"The response was not found","type":"NotFoundError"}}"#,
    r#"{"error":{"message":"The requested model 'gpt-9' is not a chat model.","param":"model","code":"model_not_supported"}}"#,
    r#"{"error":{"message":"The requested model 'gpt-9' is not supported by any provider with tools.","param":"tools","code":"model_not_supported"}}"#,
    r#"{"error":{"message":"The requested model 'gpt-9' is not supported by any provider with tools.","code":"model_not_supported"}}"#,
    r#"{"error":{"message":"The requested model 'gpt-9' is not supported by any provider with tools.","param":"model"}}"#,
    r#"{"error":{"message":"No endpoints found for gpt-9 that support tool use.","code":404}}"#,
    r#"{"error":{"message":"Invalid value: 'No endpoints found for gpt-9.'","code":404}}"#,
    r#"{"error":{"message":"Invalid value: 'Invalid model name passed in model=gpt-9.'","param":"None","code":"400"}}"#,
    r#"{"error":{"message":"{'error': \"Invalid value: 'Invalid model name passed in model=gpt-9.'\"}","param":"None","code":"400"}}"#,
    r#"{"error":{"message":"Invalid role: {'error': 'Invalid model name passed in model=gpt-9.'}","param":"None","code":"400"}}"#,
    r#"{"error":{"message":"{'error': 'Invalid role'}: {'error': 'unknown model gpt-9'}"}}"#,
    r#"{"error":{"message":"Invalid model name passed in model=gpt-9-turbo.","param":"None","code":"400"}}"#,
    r#"{"detail":"Not found"}"#,
    "<html>gpt-9 model not found</html>",
    "",
];

#[test]
fn a_model_that_is_not_there_is_known_by_code_or_by_name_and_by_no_quoted_word() {
    for said in SAID {
        assert!(names_no_model(&Told::in_refusal(said.as_bytes()), ASKED), "{said}");
    }
    for said in NOT_SAID {
        assert!(!names_no_model(&Told::in_refusal(said.as_bytes()), ASKED), "{said}");
    }
}

#[test]
fn what_the_client_wrote_is_its_own_word_even_where_it_is_not_quoted() {
    for (said, client) in [
        ("Unrecognized request argument supplied: unknown model gpt-9", r#"{"model":"gpt-9","unknown model gpt-9":1}"#),
        ("invalid role: unknown model gpt-9", r#"{"model":"gpt-9","role":"unknown \u006dodel gpt-9"}"#),
        ("invalid role: Unknown MODEL: GPT-9", r#"{"model":"gpt-9","role":"Unknown MODEL: GPT-9"}"#),
        ("invalid role: gpt-9 is not a valid model", r#"{"model":"gpt-9","role":"gpt-9 is not a valid model"}"#),
        ("不正确：“unknown model gpt-9”", r#"{"model":"gpt-9","role":"unknown model gpt-9"}"#),
    ] {
        let told = Told { message: said.to_owned(), ..Told::default() };
        assert!(names_no_model(&told, ASKED), "{said}");
        assert!(!names_no_model(&told, Asked { client: Some(client.as_bytes()), ..ASKED }), "{said}");
    }
}
