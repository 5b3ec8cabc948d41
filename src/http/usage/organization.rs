//! OpenAI's own questions about usage and costs, for programs that ask them: `/v1/organization/costs`, and below
//! `/v1/organization/usage/` `completions`, `embeddings`, `images`, `audio_speeches` and `audio_transcriptions`.
//!
//! 1. Buckets are hours or days of the server's zone. Empty ones are answered, too.
//! 2. A page begins with the bucket that its name has. So pages are the same whenever they are asked for.
//! 3. There are no projects, users and batches here: these are always null, and nothing can be filtered by them.

mod reports;

use actix_web::{HttpRequest, HttpResponse};
use jiff::tz::TimeZone;
use serde_json::{Value, json};
use url::form_urlencoded;

use self::reports::{COMPLETIONS, COSTS, EMBEDDINGS, IMAGES, OrganizationReport, SPEECHES, TRANSCRIPTIONS};
use super::super::auth::worker;
use super::question::{since_hours_are_kept, wrong};
use super::{ask, response};
use crate::error::ApiError;
use crate::records::UsageAnswer;
use crate::types::Now;
use crate::usage::{Bucket, Dimension, UsageQuery};

pub(in crate::http) async fn completions(request: HttpRequest) -> Result<HttpResponse, ApiError> {
    answer(&COMPLETIONS, &request).await
}

pub(in crate::http) async fn embeddings(request: HttpRequest) -> Result<HttpResponse, ApiError> {
    answer(&EMBEDDINGS, &request).await
}

pub(in crate::http) async fn images(request: HttpRequest) -> Result<HttpResponse, ApiError> {
    answer(&IMAGES, &request).await
}

pub(in crate::http) async fn speeches(request: HttpRequest) -> Result<HttpResponse, ApiError> {
    answer(&SPEECHES, &request).await
}

pub(in crate::http) async fn transcriptions(request: HttpRequest) -> Result<HttpResponse, ApiError> {
    answer(&TRANSCRIPTIONS, &request).await
}

pub(in crate::http) async fn costs(request: HttpRequest) -> Result<HttpResponse, ApiError> {
    answer(&COSTS, &request).await
}

/// A page that was asked for.
#[derive(Debug, Default)]
struct UsagePage {
    start: Option<i64>,
    end: Option<i64>,
    width: Option<usize>,
    group: Vec<Dimension>,
    keys: Vec<String>,
    models: Vec<String>,
    limit: Option<usize>,
    page: Option<i64>,
}

impl UsagePage {
    fn read(query: &str, report: &OrganizationReport) -> Result<UsagePage, ApiError> {
        let mut page = UsagePage::default();
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            let values = value.split(',').filter(|value| !value.is_empty());
            // OpenAI's libraries write lists with brackets.
            match name.strip_suffix("[]").unwrap_or(&name) {
                "start_time" => page.start = Some(seconds("start_time", &value)?),
                "end_time" => page.end = Some(seconds("end_time", &value)?),
                "bucket_width" => {
                    let width = report.widths.iter().position(|(width, ..)| *width == value);
                    page.width = Some(width.ok_or_else(|| wrong("bucket_width", &widths(report)))?);
                }
                "group_by" => {
                    for value in values {
                        let group = report.groups.iter().find(|(group, _)| *group == value);
                        page.group.extend(group.ok_or_else(|| wrong("group_by", &groups(report)))?.1);
                    }
                }
                "models" => page.models.extend(values.map(str::to_owned)),
                "api_key_ids" => page.keys.extend(values.map(str::to_owned)),
                "limit" => page.limit = Some(value.parse().map_err(|_| wrong("limit", "must be a whole number"))?),
                "page" => {
                    let start = value.strip_prefix("page_").and_then(|start| start.parse::<i64>().ok());
                    let start = start.and_then(|start| start.checked_mul(1_000));
                    page.page = Some(start.ok_or_else(|| wrong("page", "must be a `next_page` of an answer"))?);
                }
                "project_ids" => return Err(wrong("project_ids", "there are no projects here")),
                "user_ids" => return Err(wrong("user_ids", "there are no users here; ask by api_key_ids")),
                "batch" => return Err(wrong("batch", "there are no batches here")),
                _ => {
                    let message =
                        "there are start_time, end_time, bucket_width, group_by, models, api_key_ids, limit and page";
                    return Err(ApiError::Invalid { message: message.to_owned(), param: None });
                }
            }
        }
        Ok(page)
    }
}

fn widths(report: &OrganizationReport) -> String {
    let widths: Vec<&str> = report.widths.iter().map(|(width, ..)| *width).collect();
    format!("must be {}; usage is kept by the hour and by the day", widths.join(" or "))
}

fn groups(report: &OrganizationReport) -> String {
    let groups: Vec<&str> = report.groups.iter().map(|(group, _)| *group).collect();
    format!("must be some of {}", groups.join(", "))
}

fn seconds(name: &'static str, value: &str) -> Result<i64, ApiError> {
    let seconds = value.parse().ok().filter(|seconds| (0..253_402_300_800_i64).contains(seconds));
    seconds.map(|seconds| seconds * 1_000).ok_or_else(|| wrong(name, "must be Unix time in seconds"))
}

/// Where the buckets of a page begin, and what comes after.
struct Buckets {
    starts: Vec<i64>,
    end: i64,
    next: Option<i64>,
}

async fn answer(report: &OrganizationReport, request: &HttpRequest) -> Result<HttpResponse, ApiError> {
    let (zone, now) = (TimeZone::system(), Now::read().wall);
    let page = UsagePage::read(request.query_string(), report)?;
    let Some((_, by, usual, most)) = report.widths.get(page.width.unwrap_or(0)).copied() else {
        return Err(ApiError::Internal);
    };
    let limit = page.limit.unwrap_or(usual);
    if limit == 0 || limit > most {
        return Err(wrong("limit", &format!("must be from 1 to {most}")));
    }
    let start = page.start.ok_or_else(|| wrong("start_time", "is needed: Unix time in seconds"))?;
    let end = page.end.unwrap_or(now.saturating_add(1));
    let from = page.page.unwrap_or(start);
    if start >= end || from < by.start(start, &zone) || from >= end {
        return Err(wrong(if page.page.is_some() { "page" } else { "start_time" }, "must be before end_time"));
    }
    if by == Bucket::Hour {
        since_hours_are_kept("start_time", from, now, &zone)?;
    }
    let buckets = buckets(by, from..end, limit, &zone);
    let Some(first) = buckets.starts.first().copied() else { return Err(ApiError::Internal) };
    let filters = [page.keys, Vec::new(), page.models, Vec::new()];
    let query = UsageQuery {
        from: first,
        to: buckets.end,
        by,
        group: page.group,
        filters,
        kind: report.kind,
        zone: zone.clone(),
    };
    let UsageAnswer { sum, is_complete } = ask(worker(request)?, query).await?;
    let (rows, _) = sum.rows();
    let bucket = |start: &i64| {
        let results: Vec<Value> = rows.iter().filter(|row| row.start == *start).map(report.row).collect();
        json!({ "object": "bucket", "start_time": start / 1_000, "end_time": by.end(*start, &zone) / 1_000, "results": results })
    };
    let body = json!({
        "object": "page",
        "data": buckets.starts.iter().map(bucket).collect::<Vec<_>>(),
        "has_more": buckets.next.is_some(),
        "next_page": buckets.next.map(|start| format!("page_{}", start / 1_000)),
    });
    Ok(response(is_complete).json(body))
}

fn buckets(by: Bucket, range: std::ops::Range<i64>, limit: usize, zone: &TimeZone) -> Buckets {
    let mut starts = Vec::new();
    let mut start = by.start(range.start, zone);
    while start < range.end && starts.len() < limit {
        starts.push(start);
        start = by.end(start, zone).max(start + 1);
    }
    Buckets { starts, end: start, next: (start < range.end).then_some(start) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_follow_each_other_without_a_gap() {
        const DAY: i64 = 86_400_000;
        let zone = TimeZone::UTC;
        let first = buckets(Bucket::Day, DAY + 5..5 * DAY, 2, &zone);
        assert_eq!((first.starts, first.end, first.next), (vec![DAY, 2 * DAY], 3 * DAY, Some(3 * DAY)));
        let second = buckets(Bucket::Day, 3 * DAY..5 * DAY, 2, &zone);
        assert_eq!((second.starts, second.next), (vec![3 * DAY, 4 * DAY], None));
    }

    #[test]
    fn a_list_is_read_with_brackets_and_with_commas() {
        let page = UsagePage::read("group_by[]=model&group_by=api_key_id,batch&models=a,b&models[]=c", &COMPLETIONS);
        let page = page.expect("a page");
        assert_eq!(page.group, [Dimension::Model, Dimension::Key]);
        assert_eq!(page.models, ["a", "b", "c"]);
        for (query, name) in [
            ("bucket_width=1m", "1d or 1h"),
            ("group_by=team", "group_by"),
            ("page=2", "next_page"),
            ("limit=x", "limit"),
            ("start_time=2026-11-01", "seconds"),
            ("project_ids=p", "projects"),
            ("from=1", "start_time"),
        ] {
            assert!(UsagePage::read(query, &COMPLETIONS).expect_err(query).to_string().contains(name), "{query}");
        }
        assert!(UsagePage::read("bucket_width=1h", &COSTS).is_err());
    }
}
