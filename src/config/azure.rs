//! Azure's classic form: its base URL and the dates that name a version of its API. Pure.

use url::Url;

use super::base_url;
use crate::types::WireFormat;

/// What follows the date of a version that is not final.
const PREVIEW: &str = "-preview";

/// Returns whether a text is a version that Azure may have published: `2024-10-21`, `2025-04-01-preview`.
pub(super) fn is_version(typed: &str) -> bool {
    let date = typed.strip_suffix(PREVIEW).unwrap_or(typed);
    let mut parts = date.split('-');
    let mut next = |digits: usize| {
        let part = parts.next().filter(|part| part.len() == digits && part.bytes().all(|b| b.is_ascii_digit()))?;
        part.parse::<u16>().ok()
    };
    let (year, month, day) = (next(4), next(2), next(2));
    let is_date = year.is_some()
        && month.is_some_and(|month| (1..=12).contains(&month))
        && day.is_some_and(|day| (1..=31).contains(&day));
    is_date && parts.next().is_none()
}

/// Returns the URL in front of `deployments/` and of every other path. The URL ends in `/openai/`, unless a `#` at the end of
/// the typed URL says that the path is meant as typed.
///
/// # Errors
/// With the mistake and the mend, and never with the text itself.
pub(super) fn parse(typed: &str) -> Result<Url, String> {
    let typed = typed.trim();
    let as_it_stands = typed.ends_with('#');
    let exact = if as_it_stands { typed.to_owned() } else { format!("{typed}#") };
    let mut url = base_url::parse(&exact, WireFormat::OpenAi)
        .map_err(|why| why.replace("https://api.openai.com/v1", "https://NAME.openai.azure.com"))?;
    if url.path().split('/').any(|part| part == "deployments") {
        let text = "must be the resource alone, such as https://NAME.openai.azure.com; the deployment is the name of a \
            model, in models or modelMapping";
        return Err(text.to_owned());
    }
    if !as_it_stands {
        let path = url.path().trim_end_matches('/');
        // The form of today has a version behind.
        let path = path.strip_suffix("/v1").unwrap_or(path);
        let path = path.strip_suffix("/openai").unwrap_or(path);
        let path = format!("{path}/openai/");
        url.set_path(&path);
    }
    Ok(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_a_date_of_the_calendar_with_or_without_preview() {
        for right in ["2024-10-21", "2022-12-01", "2025-04-01-preview"] {
            assert!(is_version(right), "{right}");
        }
        let wrong = "preview latest v1 2024 2024-10 2024-1-1 2024-13-01 2024-00-10 2024-10-32 2024-10-00 20241021 \
            2024-10-21-Preview 2024-10-21-preview-preview 2024-10-21- 24-10-21 +024-10-21 2024-10-21&a=b 2024/10/21";
        for wrong in wrong.split_whitespace().chain(["", " 2024-10-21", "2024-10-21 ", "-preview"]) {
            assert!(!is_version(wrong), "{wrong:?}");
        }
    }

    #[test]
    fn every_way_to_write_a_resource_reaches_its_openai() {
        for (typed, meant) in [
            ("https://x.openai.azure.com", "https://x.openai.azure.com/openai/"),
            ("https://x.openai.azure.com/", "https://x.openai.azure.com/openai/"),
            ("https://x.openai.azure.com/openai", "https://x.openai.azure.com/openai/"),
            (" https://x.openai.azure.com/openai// ", "https://x.openai.azure.com/openai/"),
            ("https://x.openai.azure.com/openai/v1", "https://x.openai.azure.com/openai/"),
            ("https://x.openai.azure.com/v1/", "https://x.openai.azure.com/openai/"),
            ("https://gateway.example/team", "https://gateway.example/team/openai/"),
            ("https://gateway.example/team#", "https://gateway.example/team/"),
        ] {
            assert_eq!(parse(typed).map(|url| url.to_string()).as_deref(), Ok(meant), "{typed}");
        }
        for (typed, says) in [
            ("https://x.openai.azure.com/openai/deployments/gpt-4o", "the deployment is the name of a model"),
            ("https://x.openai.azure.com/openai/deployments/gpt-4o#", "the deployment is the name of a model"),
            (
                "https://x.openai.azure.com/openai/deployments/a/chat/completions",
                "such as https://NAME.openai.azure.com",
            ),
            ("https://x.openai.azure.com?api-version=2024-10-21", "must not hold a query"),
            ("x.openai.azure.com", "must begin with https://"),
            ("", "must begin with https://"),
        ] {
            let why = parse(typed).expect_err(typed);
            assert!(why.contains(says), "{typed}: {why}");
        }
    }
}
