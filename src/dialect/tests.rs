//! What each vendor reports of tokens, by kind: whole answers, whole streams and cut ones.

use actix_web::web::Bytes;

use super::routes::any;
use super::*;
use crate::types::{TokenKinds, UsageSource};

const SENT: SentRequest<'static> = SentRequest { upstream_model: "m", body: Some(b"{}"), key: None };

/// Input, cached, written for five minutes, for an hour, output, thoughts.
type Kinds = [u64; 6];

fn kinds(usage: Usage) -> Kinds {
    let TokenKinds { input, cached, cache_write_5m, cache_write_1h, output, reasoning } = usage.kinds;
    assert_eq!(usage.kinds.total(), usage.total, "the kinds are the total");
    [input, cached, cache_write_5m, cache_write_1h, output, reasoning]
}

fn whole(kind: ReplyKind, body: &str) -> Usage {
    let answer = WholeAnswer { kind, body: body.as_bytes(), prompt_bytes: 40 };
    any(kind).dialect.answer(answer, SENT).expect("an answer").expect("known")
}

fn streamed(kind: ReplyKind, events: &[String]) -> Usage {
    let mut stream = EventStream::new(any(kind), false);
    stream.feed(events.concat().as_bytes(), &mut Vec::<Bytes>::new());
    stream.progress.usage(40).expect("known")
}

fn data(json: &str) -> String {
    format!("data: {json}\n\n")
}

/// Reports of chats in OpenAI's format.
const CHATS: [(&str, &str, Kinds); 14] = [
    (
        "OpenAI: cache reads and writes are parts of the prompt, thoughts of the completion",
        r#"{"prompt_tokens":2006,"completion_tokens":300,"total_tokens":2306,
            "prompt_tokens_details":{"cached_tokens":1920,"cache_write_tokens":50,"audio_tokens":0},
            "completion_tokens_details":{"reasoning_tokens":192,"audio_tokens":0,"accepted_prediction_tokens":0}}"#,
        [36, 1920, 50, 0, 108, 192],
    ),
    (
        "OpenAI without details",
        r#"{"prompt_tokens":19,"completion_tokens":10,"total_tokens":29,"prompt_tokens_details":null}"#,
        [19, 0, 0, 0, 10, 0],
    ),
    (
        "DeepSeek: hit and miss are the prompt",
        r#"{"prompt_tokens":1000,"completion_tokens":90,"total_tokens":1090,"prompt_cache_hit_tokens":896,
            "prompt_cache_miss_tokens":104,"completion_tokens_details":{"reasoning_tokens":60}}"#,
        [104, 896, 0, 0, 30, 60],
    ),
    (
        "DeepSeek without a count of the prompt",
        r#"{"completion_tokens":90,"prompt_cache_hit_tokens":896,"prompt_cache_miss_tokens":104}"#,
        [104, 896, 0, 0, 90, 0],
    ),
    (
        "Gemini: thoughts stand in the total alone",
        r#"{"prompt_tokens":12,"completion_tokens":20,"total_tokens":532}"#,
        [12, 0, 0, 0, 20, 500],
    ),
    (
        "Gemini: cached",
        r#"{"prompt_tokens":5000,"completion_tokens":20,"total_tokens":5020,"prompt_tokens_details":{"cached_tokens":4080}}"#,
        [920, 4080, 0, 0, 20, 0],
    ),
    (
        "Mistral",
        r#"{"prompt_tokens":16,"total_tokens":50,"completion_tokens":34,"prompt_tokens_details":{"cached_tokens":0}}"#,
        [16, 0, 0, 0, 34, 0],
    ),
    (
        "Groq: times beside the counts",
        r#"{"queue_time":0.03,"prompt_tokens":60,"prompt_time":0.001,"completion_tokens":40,"total_tokens":100,
            "prompt_tokens_details":{"cached_tokens":32},"completion_tokens_details":{"reasoning_tokens":25}}"#,
        [28, 32, 0, 0, 15, 25],
    ),
    (
        "OpenRouter: a reported cost is not used",
        r#"{"prompt_tokens":194,"completion_tokens":50,"total_tokens":244,"cost":0.95,"is_byok":false,
            "prompt_tokens_details":{"cached_tokens":100,"cache_write_tokens":90},
            "completion_tokens_details":{"reasoning_tokens":20},"cost_details":{"upstream_inference_cost":null}}"#,
        [4, 100, 90, 0, 30, 20],
    ),
    (
        "xAI: thoughts beside the completion, and in the total",
        r#"{"prompt_tokens":32,"completion_tokens":9,"total_tokens":135,
            "prompt_tokens_details":{"text_tokens":32,"cached_tokens":6},
            "completion_tokens_details":{"reasoning_tokens":94},"num_sources_used":0}"#,
        [26, 6, 0, 0, 9, 94],
    ),
    (
        "thoughts beside the completion, and in no total",
        r#"{"prompt_tokens":32,"completion_tokens":9,"completion_tokens_details":{"reasoning_tokens":94}}"#,
        [32, 0, 0, 0, 9, 94],
    ),
    (
        "Moonshot: cached beside the details",
        r#"{"prompt_tokens":500,"completion_tokens":7,"total_tokens":507,"cached_tokens":448}"#,
        [52, 448, 0, 0, 7, 0],
    ),
    (
        "a relay to Anthropic in OpenAI's format",
        r#"{"prompt_tokens":500,"completion_tokens":7,"total_tokens":507,"cache_creation_input_tokens":100,
            "prompt_tokens_details":{"cached_tokens":300}}"#,
        [100, 300, 100, 0, 7, 0],
    ),
    (
        "parts larger than the whole",
        r#"{"prompt_tokens":10,"completion_tokens":7,"prompt_tokens_details":{"cached_tokens":99,"cache_write_tokens":5}}"#,
        [0, 10, 0, 0, 7, 0],
    ),
];

#[test]
fn a_chats_tokens_are_told_apart_as_each_vendor_reports_them() {
    for (case, report, wanted) in CHATS {
        let report = report.replace('\n', "");
        let answer = r#"{"choices":[{"message":{"content":"hello"},"finish_reason":"stop"}],"usage":"#;
        let usage = whole(ReplyKind::Chat, &format!("{answer}{report}}}"));
        assert_eq!((kinds(usage), usage.source), (wanted, UsageSource::Reported), "{case}");

        let text = data(r#"{"choices":[{"delta":{"content":"hello"}}],"usage":null}"#);
        let finish = data(r#"{"choices":[{"delta":{},"finish_reason":"stop"}]}"#);
        let last = data(&format!(r#"{{"choices":[],"usage":{report}}}"#));
        let groq =
            data(&format!(r#"{{"choices":[{{"delta":{{}},"finish_reason":"stop"}}],"x_groq":{{"usage":{report}}}}}"#));
        let choice = data(&format!(r#"{{"choices":[{{"delta":{{}},"finish_reason":"stop","usage":{report}}}]}}"#));
        let done = data("[DONE]");
        for events in [vec![&text, &finish, &last, &done], vec![&text, &groq, &done], vec![&text, &choice]] {
            let usage = streamed(ReplyKind::Chat, &events.into_iter().cloned().collect::<Vec<_>>());
            assert_eq!((kinds(usage), usage.source), (wanted, UsageSource::Reported), "{case}, streamed");
        }
        let cut = streamed(ReplyKind::Chat, &vec![text; 9]);
        assert_eq!((kinds(cut), cut.source), ([10, 0, 0, 0, 12, 0], UsageSource::Estimated), "{case}, cut");
    }
}

#[test]
fn the_responses_api_reports_within_the_response() {
    let report = r#"{"input_tokens":75,"input_tokens_details":{"cached_tokens":64},"output_tokens":1186,
        "output_tokens_details":{"reasoning_tokens":1024},"total_tokens":1261}"#
        .replace('\n', "");
    let output = r#""output":[{"type":"message","content":[{"type":"output_text","text":"hello"}]}]"#;
    let wanted = ([11, 64, 0, 0, 162, 1024], UsageSource::Reported);
    let response = format!(r#"{{"object":"response","status":"completed",{output},"usage":{report}}}"#);
    let usage = whole(ReplyKind::Responses, &response);
    assert_eq!((kinds(usage), usage.source), wanted);
    let text = data(r#"{"type":"response.output_text.delta","delta":"hello"}"#);
    let end = data(&format!(r#"{{"type":"response.completed","response":{response}}}"#));
    let usage = streamed(ReplyKind::Responses, &[text, end]);
    assert_eq!((kinds(usage), usage.source), wanted, "streamed");
}

#[test]
fn answers_without_generated_text_have_a_prompt_alone_or_what_they_report() {
    for (case, body, wanted) in [
        (
            "embeddings",
            r#"{"data":[{"embedding":[0.1]}],"usage":{"prompt_tokens":8,"total_tokens":8}}"#,
            [8, 0, 0, 0, 0, 0],
        ),
        (
            "images",
            r#"{"data":[{"b64_json":"eA=="}],"usage":{"total_tokens":100,"input_tokens":50,"output_tokens":50,
                "input_tokens_details":{"text_tokens":10,"image_tokens":40}}}"#,
            [50, 0, 0, 0, 50, 0],
        ),
        (
            "a transcription",
            r#"{"text":"hi","usage":{"type":"tokens","input_tokens":14,"output_tokens":45,"total_tokens":59}}"#,
            [14, 0, 0, 0, 45, 0],
        ),
    ] {
        let usage = whole(ReplyKind::Json, body);
        assert_eq!((kinds(usage), usage.source), (wanted, UsageSource::Reported), "{case}");
    }
}

#[test]
fn anthropics_caches_stand_beside_the_input_and_the_last_counts_of_a_stream_win() {
    let text = |report: &str| {
        format!(r#"{{"content":[{{"type":"text","text":"hello"}}],"stop_reason":"end_turn","usage":{report}}}"#)
    };
    for (case, report, wanted) in [
        (
            "reads, and writes of both lengths",
            r#"{"input_tokens":3,"cache_creation_input_tokens":556,"cache_read_input_tokens":900,
                "cache_creation":{"ephemeral_5m_input_tokens":456,"ephemeral_1h_input_tokens":100},"output_tokens":7,
                "output_tokens_details":{"thinking_tokens":5},"service_tier":"standard"}"#,
            [3, 900, 456, 100, 2, 5],
        ),
        (
            "writes by length alone",
            r#"{"input_tokens":3,"cache_creation":{"ephemeral_5m_input_tokens":0,"ephemeral_1h_input_tokens":100},"output_tokens":7}"#,
            [3, 0, 0, 100, 7, 0],
        ),
        (
            "writes without lengths",
            r#"{"input_tokens":3,"cache_creation_input_tokens":50,"cache_creation":null,"output_tokens":7}"#,
            [3, 0, 50, 0, 7, 0],
        ),
    ] {
        let usage = whole(ReplyKind::Messages, &text(report));
        assert_eq!((kinds(usage), usage.source), (wanted, UsageSource::Reported), "{case}");
    }
    let event = |kind: &str, rest: &str| format!("event: {kind}\ndata: {{\"type\":\"{kind}\",{rest}}}\n\n");
    let start = event(
        "message_start",
        r#""message":{"content":[],"usage":{"input_tokens":2679,"cache_read_input_tokens":0,"output_tokens":1,"cache_creation_input_tokens":70,"cache_creation":{"ephemeral_5m_input_tokens":0,"ephemeral_1h_input_tokens":70}}}"#,
    );
    let word = event("content_block_delta", r#""index":0,"delta":{"type":"text_delta","text":"hello"}"#);
    let end = event(
        "message_delta",
        r#""delta":{"stop_reason":"end_turn"},"usage":{"input_tokens":10682,"cache_read_input_tokens":12,"output_tokens":510,"server_tool_use":{"web_search_requests":1}}"#,
    );
    let whole = streamed(ReplyKind::Messages, &[start.clone(), word.clone(), end]);
    assert_eq!((kinds(whole), whole.source), ([10_682, 12, 0, 70, 510, 0], UsageSource::Reported));
    let cut = streamed(ReplyKind::Messages, &[start, word]);
    assert_eq!((kinds(cut)[..4].to_vec(), cut.source), (vec![2679, 0, 0, 70], UsageSource::Estimated));
}
