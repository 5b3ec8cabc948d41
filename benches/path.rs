//! How long the pure parts of a request's path take: `cargo bench --bench path`.

#![expect(clippy::expect_used, reason = "a bench ends by panicking")]

use std::hint::black_box;

use actix_web::http::header::HeaderMap;
use actix_web::web::Bytes;
use api_together::dialect::{EventStream, ROUTES};
use api_together::proxy::ClientRequest;
use api_together::scheduler::{Candidate, WeightedTiers};
use api_together::types::SessionHash;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};

/// A stream of a thousand events as OpenAI sends them, with its usage at the end.
fn story() -> Vec<u8> {
    let event = |delta: &str, rest: &str| {
        format!(
            "data: {{\"id\":\"chatcmpl-123\",\"object\":\"chat.completion.chunk\",\"created\":1790000000,\"model\":\"gpt-4o-mini\",\
             \"system_fingerprint\":\"fp_44709d6fcb\",\"choices\":[{{\"index\":0,\"delta\":{{{delta}}},\"logprobs\":null,\
             \"finish_reason\":{rest}}}],\"usage\":null}}\n\n"
        )
    };
    let usage = "data: {\"id\":\"chatcmpl-123\",\"choices\":[],\"usage\":{\"prompt_tokens\":9,\"completion_tokens\":1000,\
                 \"total_tokens\":1009}}\n\n";
    let words = (0..1_000).map(|_| event("\"content\":\" word\"", "null"));
    let all = [event("\"role\":\"assistant\",\"content\":\"\"", "null")].into_iter().chain(words);
    let end = [event("", "\"stop\""), usage.to_owned(), "data: [DONE]\n\n".to_owned()];
    all.chain(end).collect::<String>().into_bytes()
}

fn events(criterion: &mut Criterion) {
    let story = story();
    let mut group = criterion.benchmark_group("1,003 events of a stream");
    group.throughput(Throughput::Bytes(story.len() as u64));
    for (name, piece, strip) in
        [("one by one", 280, false), ("one by one, usage taken out", 280, true), ("64 KiB at a time", 65_536, true)]
    {
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                let mut stream = EventStream::new(&ROUTES[0], strip);
                let mut shown: Vec<Bytes> = Vec::new();
                for chunk in story.chunks(piece) {
                    stream.feed(chunk, &mut shown);
                    black_box(&shown);
                    shown.clear();
                }
                stream.finish()
            });
        });
    }
}

fn requests(criterion: &mut Criterion) {
    let body = |attached: usize| {
        Bytes::from(format!(
            r#"{{"model":"gpt-4o-mini","messages":[{{"role":"user","content":"What is it like outside? {}"}}],"stream":true,"max_tokens":200}}"#,
            "A".repeat(attached)
        ))
    };
    let parse = |body: &Bytes| ClientRequest::parse(&ROUTES[0], &HeaderMap::new(), body.clone()).expect("valid");
    for (name, attached) in [("200 bytes", 80), ("100 KB", 100_000), ("5 MB", 5_000_000)] {
        let body = body(attached);
        criterion.bench_function(&format!("look into a request of {name}"), |bencher| bencher.iter(|| parse(&body)));
        let request = parse(&body);
        criterion.bench_function(&format!("splice a model and the wish for usage into {name}"), |bencher| {
            bencher.iter(|| request.body_for(Some("another-model"), true));
        });
    }
}

fn tiers(criterion: &mut Criterion) {
    for upstreams in [10, 100, 1_000] {
        let tiers = WeightedTiers::new(
            (0..upstreams)
                .map(|slot| Candidate { slot, priority: 0, weight: 1 + slot as u32 % 3, hash: slot as u64 })
                .collect(),
        );
        let mut rng = rand::rng();
        criterion.bench_function(&format!("pick one of {upstreams}"), |bencher| {
            bencher.iter(|| tiers.pick(None, &mut rng, |_| false));
        });
        criterion.bench_function(&format!("pick one of {upstreams} for a session"), |bencher| {
            bencher.iter(|| tiers.pick(Some(SessionHash::of(b"session")), &mut rng, |_| false));
        });
        criterion.bench_function(&format!("pick one of {upstreams}, half of them skipped"), |bencher| {
            bencher.iter(|| tiers.pick(None, &mut rng, |slot| slot % 2 == 0));
        });
    }
}

criterion_group!(benches, events, requests, tiers);
criterion_main!(benches);
