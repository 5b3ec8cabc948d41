//! Why the pool leaves fields of LiteLLM out.

use crate::cli::import::tree::Node;

type Reasons = &'static [(&'static [&'static str], &'static str)];

const FORWARDS: &str = "requests go up as clients send them: set it in the client";
const COSTS: &str = "the pool counts tokens, and no money";
const DATABASE: &str = "the pool has no database of keys, users and teams";
const LOGS: &str = "the pool writes a log and /v1/status, and calls no other service";
const HEALTH: &str = "accounts rest by the rules of docs/failures.md, and are asked again by themselves";
const RETRIES: &str = "another account is asked at once; how often says retry.maxAttempts";
const REDIS: &str = "servers share limits by store.url: write redis://host:port there";
const CACHE: &str = "the pool keeps no answers";

const OF_PARAMS: Reasons = &[
    (
        &[
            "temperature",
            "top_p",
            "max_tokens",
            "max_completion_tokens",
            "seed",
            "stop",
            "n",
            "presence_penalty",
            "frequency_penalty",
            "reasoning_effort",
            "thinking",
            "extra_body",
            "response_format",
            "stream",
            "user",
            "num_ctx",
            "keep_alive",
            "safety_settings",
            "modify_params",
        ],
        FORWARDS,
    ),
    (&["drop_params", "additional_drop_params", "allowed_openai_params"], "no parameter is taken out of a request"),
    (&["api_version"], "Azure's API of today (/openai/v1) needs none"),
    (&["max_retries", "num_retries"], RETRIES),
    (&["cooldown_time", "allowed_fails"], HEALTH),
    (
        &[
            "input_cost_per_token",
            "output_cost_per_token",
            "input_cost_per_second",
            "output_cost_per_second",
            "cache_read_input_token_cost",
            "cache_creation_input_token_cost",
            "max_budget",
            "budget_duration",
        ],
        COSTS,
    ),
    (&["tags", "tag_regex"], "accounts are chosen by model, priority and weight, not by tags"),
    (&["mock_response", "mock_timeout"], "the pool makes no answers of its own"),
    (&["use_in_pass_through", "use_litellm_proxy", "configurable_clientside_auth_params"], "is a mode of LiteLLM"),
    (&["itpm", "otpm"], "tokens of prompts and of answers are counted together: see tpm"),
    (&["daily_reset_time"], "a day ends at midnight in a time zone: see reset"),
    (
        &["region_name", "azure_ad_token", "tenant_id", "client_id", "client_secret"],
        "an account is entered by its key alone",
    ),
    (&["rpm_limit_type", "default_api_key_rpm_limit", "default_api_key_tpm_limit"], DATABASE),
];

const OF_MODEL_INFO: Reasons = &[
    (&["mode"], "an endpoint is forwarded whatever the model is for"),
    (
        &[
            "input_cost_per_token",
            "output_cost_per_token",
            "base_model",
            "cache_read_input_token_cost",
            "cost_per_query",
        ],
        COSTS,
    ),
    (&["access_groups", "team_id", "team_public_model_name"], DATABASE),
    (&["health_check_model", "disable_background_health_check", "health_check_timeout"], HEALTH),
];

const OF_ROUTER: Reasons = &[
    (
        &["routing_strategy", "routing_strategy_args"],
        "accounts are chosen by priority, then by weight, within all limits",
    ),
    (&["num_retries", "max_fallbacks", "retry_after", "retry_policy", "model_group_retry_policy"], RETRIES),
    (&["allowed_fails", "cooldown_time", "disable_cooldowns", "allowed_fails_policy"], HEALTH),
    (&["redis_host", "redis_port", "redis_password", "redis_url", "redis_db", "redis_username"], REDIS),
    (&["cache_responses", "cache_kwargs", "caching_groups", "client_ttl"], CACHE),
    (&["enable_pre_call_checks"], "a prompt that is too long goes to the next model of an alias by itself"),
    (
        &["enable_tag_filtering", "tag_filtering_match_any"],
        "accounts are chosen by model, priority and weight, not by tags",
    ),
    (&["set_verbose", "debug_level"], "LOG_LEVEL says how much is logged"),
    (&["provider_budget_config"], COSTS),
    (&["content_policy_fallbacks"], "a refused prompt is the caller's to mend, and goes to no other model"),
    (&["stream_timeout"], "see retry.firstTokenTimeoutMs"),
    (
        &["optional_pre_call_checks", "deployment_affinity_ttl_seconds"],
        "requests of one session keep to one account: affinity",
    ),
];

const OF_MODULE: Reasons = &[
    (&["drop_params", "modify_params"], "requests go up as clients send them"),
    (&["set_verbose", "json_logs", "turn_off_message_logging", "redact_user_api_key_info"], LOGS),
    (
        &[
            "callbacks",
            "success_callback",
            "failure_callback",
            "service_callback",
            "service_callbacks",
            "langfuse_default_tags",
        ],
        LOGS,
    ),
    (&["cache", "cache_params", "enable_redis_auth_cache"], CACHE),
    (&["num_retries", "max_fallbacks", "allowed_fails", "cooldown_time"], RETRIES),
    (&["max_budget", "budget_duration", "max_end_user_budget", "internal_user_budget_duration"], COSTS),
    (&["max_internal_user_budget", "default_team_settings", "default_internal_user_params"], DATABASE),
    (&["content_policy_fallbacks"], "a refused prompt is the caller's to mend, and goes to no other model"),
    (&["telemetry"], "the pool calls nobody"),
    (&["ssl_verify", "ssl_certificate"], "certificates are always verified; SSL_CERT_FILE adds authorities"),
];

const OF_GENERAL: Reasons = &[
    (
        &[
            "database_url",
            "database_connection_pool_limit",
            "database_connection_timeout",
            "store_model_in_db",
            "store_prompts_in_spend_logs",
            "proxy_batch_write_at",
            "disable_spend_logs",
            "allow_requests_on_db_unavailable",
            "proxy_budget_rescheduler_min_time",
            "proxy_budget_rescheduler_max_time",
            "user_api_key_cache_ttl",
        ],
        DATABASE,
    ),
    (&["alerting", "alerting_threshold", "alert_types", "alert_to_webhook_url", "otel"], LOGS),
    (&["background_health_checks", "health_check_interval", "health_check_details"], HEALTH),
    (&["completion_model", "infer_model_from_keys"], "a request names its model"),
    (&["max_parallel_requests"], "is a bound of each key: see maxConcurrent and server.maxRequests"),
    (
        &["key_management_system", "key_management_settings", "use_azure_key_vault", "use_google_kms"],
        "keys come from variables and files",
    ),
    (
        &[
            "enable_jwt_auth",
            "litellm_jwtauth",
            "custom_auth",
            "allowed_ips",
            "ui_access_mode",
            "pass_through_endpoints",
        ],
        DATABASE,
    ),
];

const OF_FILE: Reasons = &[
    (&["include"], "is not followed: import each of the files, and put the entries of apis together"),
    (&["environment_variables"], "set them where the server starts, or in its .env"),
    (&["guardrails", "prompts", "policies"], "requests and answers pass as they are"),
    (
        &["mcp_servers", "mcp_tools", "search_tools", "vector_store_registry", "files_settings", "finetune_settings"],
        "is not an account",
    ),
    (&["callback_settings"], LOGS),
];

/// Says why fields of a deployment are left out.
pub(super) fn leave_of_deployment(item: &Node<'_>, params: &Node<'_>) {
    params.leave_each(OF_PARAMS);
    if let Some(info) = item.get("model_info") {
        info.leave_each(OF_MODEL_INFO);
        for (name, field) in info.fields() {
            if name.starts_with("max_") || name.starts_with("supports_") {
                field.leave("describes the model; clients read it elsewhere");
            }
        }
    }
}

/// Says why fields of the whole file are left out.
pub(super) fn leave(root: &Node<'_>) {
    root.leave_each(OF_FILE);
    for (section, reasons) in
        [("router_settings", OF_ROUTER), ("litellm_settings", OF_MODULE), ("general_settings", OF_GENERAL)]
    {
        root.get(section).iter().for_each(|section| section.leave_each(reasons));
    }
}
