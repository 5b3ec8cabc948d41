//! What codes, types and words of errors mean, as tables.

use crate::types::FailureClass;

/// A word in the code or type of an error, with its meaning for some statuses.
pub(super) struct Code {
    pub(super) word: &'static str,
    pub(super) class: FailureClass,
    pub(super) statuses: &'static [u16],
}

const fn code(word: &'static str, class: FailureClass, statuses: &'static [u16]) -> Code {
    Code { word, class, statuses }
}

/// The beginning of a message, with its meaning for one status.
pub(super) struct Message {
    /// The author of the words.
    #[expect(dead_code, reason = "for the reader of the table")]
    provider: &'static str,
    pub(super) status: u16,
    pub(super) begins: &'static str,
    pub(super) class: FailureClass,
}

const fn message(provider: &'static str, status: u16, begins: &'static str, class: FailureClass) -> Message {
    Message { provider, status, begins, class }
}

/// Codes and types for a missing model, whatever the status.
pub(super) const MODEL_MISSING: [&str; 8] = [
    "unknown_model",
    "model_decommissioned",
    "model_not_found",
    "model_not_available",
    "model_not_supported",
    "invalid_model",
    "deploymentnotfound",
    "invalidendpointormodel.notfound",
];

/// Codes for a prompt beyond the context of the model: OpenAI's and others', and GitHub's two.
pub(super) const CONTEXT_EXCEEDED: [&str; 3] =
    ["context_length_exceeded", "model_max_prompt_tokens_exceeded", "tokens_limit_reached"];

/// Beginnings of messages about such a prompt, of providers without a code for it.
pub(super) const CONTEXT_MESSAGES: [&str; 6] = [
    // OpenAI, vLLM, DeepSeek.
    "This model's maximum context length",
    // OpenRouter.
    "This endpoint's maximum context length",
    // Anthropic's two.
    "prompt is too long",
    "input length and `max_tokens` exceed context limit",
    // Google.
    "The input token count",
    // Groq.
    "Please reduce the length of the messages",
];

/// Codes and types of a moderator's verdict on what the client wrote.
pub(super) const MODERATED: [&str; 5] =
    ["content_policy_violation", "content_filter", "content_moderation", "moderation", "moderation_blocked"];

/// Google's reasons for a refused key or project. The status is often a 400.
pub(super) const KEY_REFUSED: [&str; 5] =
    ["API_KEY_INVALID", "API_KEY_EXPIRED", "API_KEY_SERVICE_BLOCKED", "SERVICE_DISABLED", "CONSUMER_SUSPENDED"];

/// Google's reason for a reached limit.
pub(super) const RATE_LIMIT: &str = "RATE_LIMIT_EXCEEDED";

/// Codes of the caller's own mistakes, whatever the words seem to be about.
pub(super) const CALLERS_OWN: [&str; 10] = [
    "context_length_exceeded",
    "exceed_context_size",
    "string_above_max_length",
    "unsupported_parameter",
    "unsupported_value",
    "unknown_parameter",
    "missing_required_parameter",
    "invalid_value",
    "invalid_type",
    "invalid_prompt",
];

/// Parts of codes and types of an invalid request.
pub(super) const INVALID_REQUEST: [&str; 14] = [
    "invalid_request",
    "invalidrequest",
    "badrequest",
    "bad_request",
    "bad request",
    "invalid_argument",
    "invalid_parameter",
    "invalidparameter",
    "invalid_image",
    "validation",
    "unprocessable",
    "too_large",
    "too_long",
    "unsupported_media",
];

/// The statuses of the caller's own mistakes.
pub(super) const REQUEST_STATUSES: [u16; 4] = [400, 413, 415, 422];

/// All statuses of refusals of a request or an account, and an error in a 200 without a status.
const ANY: &[u16] = &[0, 400, 403, 404, 405, 413, 415, 422, 500];

/// The same without the error in a 200.
const REFUSED: &[u16] = &[400, 403, 404, 405, 413, 415, 422];

pub(super) const CODES: [Code; 27] = [
    code("previous_response_not_found", FailureClass::ObjectNotHere, ANY),
    code("invalid_encrypted_content", FailureClass::ObjectNotHere, ANY),
    code("conversation_not_found", FailureClass::ObjectNotHere, ANY),
    code("response_not_found", FailureClass::ObjectNotHere, ANY),
    code("item_not_found", FailureClass::ObjectNotHere, ANY),
    code("invalid_api_key", FailureClass::Unauthorized, &[400, 403]),
    code("account_", FailureClass::Unauthorized, &[403]),
    code("api_key", FailureClass::Unauthorized, &[400, 403]),
    code("authentication", FailureClass::Unauthorized, &[400, 403]),
    code("unsupported_country", FailureClass::Unauthorized, &[400, 403]),
    code("rate_limit", FailureClass::RateLimited, ANY),
    code("quota", FailureClass::PaymentRequired, REFUSED),
    code("balance", FailureClass::PaymentRequired, &[400, 403]),
    code("billing", FailureClass::PaymentRequired, &[400, 403]),
    code("credit", FailureClass::PaymentRequired, &[400, 403]),
    code("budget_exceeded", FailureClass::PaymentRequired, &[400, 403]),
    code("arrearage", FailureClass::PaymentRequired, &[400, 403]),
    code("model", FailureClass::Forbidden, &[401, 403]),
    code("permission", FailureClass::Forbidden, &[401, 403]),
    code("scope", FailureClass::Forbidden, &[401, 403]),
    code("overloaded", FailureClass::Overloaded, ANY),
    code("server_error", FailureClass::ServerError, REFUSED),
    code("internal", FailureClass::ServerError, REFUSED),
    // For errors in a 200 without a status.
    code("quota", FailureClass::RateLimited, &[0]),
    code("invalid_request", FailureClass::Rejected, &[0]),
    code("badrequest", FailureClass::Rejected, &[0]),
    code("context_length_exceeded", FailureClass::Rejected, &[0]),
];

/// Beginnings of messages about an object of another account, where there is no code, for any status of a refusal and none.
pub(super) const OBJECT_MESSAGES: [&str; 7] = [
    // OpenAI.
    "Item with id",
    "Previous response with id",
    "Conversation with id",
    "The encrypted content",
    "Encrypted content",
    // vLLM.
    "Response with id",
    // Azure.
    "No response found with id",
];

/// The statuses of such a message. An error in a 200 has none.
pub(super) const OBJECT_STATUSES: [Option<u16>; 4] = [None, Some(400), Some(404), Some(422)];

pub(super) const MESSAGES: [Message; 15] = [
    message("openai", 429, "Request too large", FailureClass::TooLarge),
    message("groq", 413, "Request too large", FailureClass::TooLarge),
    message("openai", 401, "You have insufficient permissions", FailureClass::Forbidden),
    message("openai", 403, "You are not allowed to generate", FailureClass::Rejected),
    message("openai", 403, "You are not allowed to sample", FailureClass::Rejected),
    message("openai", 403, "Your request was rejected as a result of our safety system", FailureClass::Rejected),
    message("xai", 403, "Content violates usage guidelines", FailureClass::Rejected),
    message("xai", 403, "Your newly created team doesn't have any credits", FailureClass::PaymentRequired),
    message("xai", 400, "Incorrect API key provided", FailureClass::Unauthorized),
    message("openrouter", 403, "Key limit exceeded", FailureClass::PaymentRequired),
    message("siliconflow", 403, "Sorry, your account balance is insufficient", FailureClass::PaymentRequired),
    message("google", 400, "User location is not supported", FailureClass::Unauthorized),
    message("anthropic", 400, "Your credit balance is too low", FailureClass::PaymentRequired),
    message("azure", 403, "Out of call volume quota", FailureClass::RateLimited),
    message("github", 403, "You have exceeded a secondary rate limit", FailureClass::RateLimited),
];

/// Words in a 400, 413, 415 or 422 with doubt about the model at this upstream, the account, the place or the server. Another upstream
/// is asked. The words alone rest nobody, and so cost one call at most.
pub(super) const MAYBE_OURS: [&str; 44] = [
    "model",
    "deployment",
    "endpoint",
    "account",
    "api key",
    "api_key",
    "token is invalid",
    "expired",
    "unauthor",
    "quota",
    "billing",
    "credit",
    "balance",
    "fund",
    "payment",
    "suspend",
    "disabled",
    "your plan",
    "upgrade",
    "location",
    "region",
    "country",
    "organization",
    "permission",
    "subscription",
    "access",
    "hostname",
    "available",
    "overloaded",
    "internal",
    "try again",
    "rate limit",
    "too many requests",
    "模型",
    "渠道",
    "余额",
    "账户",
    "账号",
    "欠费",
    "额度",
    "令牌",
    "密钥",
    "权限",
    "套餐",
];

/// Words in a 401 about less than the key, perhaps. With these words the refusal of the key is not certain.
pub(super) const LESS_THAN_THE_KEY: [&str; 4] = ["model", "scope", "permission", "模型"];
