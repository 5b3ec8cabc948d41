//! What a renamed entry is recognised by: the account, or the former id in `was`.

use super::file::ApiFile;
use super::model::ApiConfig;
use super::validator::Validator;
use crate::types::AccountDigest;

impl ApiConfig {
    /// Returns what the account is recognised by: at each address, the base URL and the key.
    pub fn accounts(&self) -> Vec<AccountDigest> {
        let addresses = self.addresses.iter().filter_map(|(_, address)| address.as_ref());
        addresses.map(|address| AccountDigest::of(address.base_url.as_str(), self.key.expose())).collect()
    }
}

impl Validator<'_> {
    /// Checks that former ids are free, and each is claimed once.
    pub(super) fn former_ids(&mut self, apis: &[(usize, ApiFile)]) {
        for (index, api) in apis {
            let Some(was) = &api.was else { continue };
            let at = format!("apis[{index}].was");
            let claims = |other: &&(usize, ApiFile)| other.0 < *index && other.1.was.as_ref() == Some(was);
            if api.id == *was {
                self.problem(&at, "is the entry's own id; give the id before the rename, or leave the field out");
            } else if let Some((other, _)) = apis.iter().find(|(_, other)| other.id == *was) {
                let text = format!(
                    "names apis[{other}], which is still there and keeps its counts; remove that entry, or this field"
                );
                self.problem(&at, text);
            } else if let Some((other, _)) = apis.iter().find(claims) {
                self.problem(&at, format!("is named by apis[{other}], too; only one entry can take over the counts"));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::config::{ConfigSource, Overrides, parse};

    #[test]
    fn a_former_id_is_free_and_claimed_once() {
        let check = |first: &str, second: &str| {
            let entry = |id: &str, was: &str| format!(r#"{{"id": "{id}", "baseUrl": "http://x", "apiKey": "k"{was}}}"#);
            let text = format!(r#"{{"apis": [{}, {}]}}"#, entry("a", first), entry("b", second));
            let source = ConfigSource { path: "x.json".into(), overrides: Overrides::default() };
            parse(&text, &source, |_| Ok(String::new())).map(drop).map_err(|error| error.to_string())
        };
        check("", r#", "was": "c""#).expect("valid");
        for (first, second, says) in [
            ("", r#", "was": "a""#, "apis[1].was: names apis[0], which is still there"),
            (r#", "was": "b""#, "", "apis[0].was: names apis[1], which is still there"),
            ("", r#", "was": "b""#, "apis[1].was: is the entry's own id"),
            (r#", "was": "c""#, r#", "was": "c""#, "apis[1].was: is named by apis[0], too"),
            ("", r#", "was": """#, "apis[1].was: must"),
            ("", r#", "was": ["a"]"#, "apis[1].was: must be a string"),
        ] {
            let why = check(first, second).expect_err(says);
            assert!(why.contains(says), "{says}: {why}");
        }
    }
}
