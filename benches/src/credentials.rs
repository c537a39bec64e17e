//! Whom the requests are signed for.

use std::fs;
use std::path::{Path, PathBuf};

use forebay_api::tc3::Signer;
use serde::Deserialize;

/// Where a service that is started without options keeps its credentials.
const DEFAULT_FILE: &str = "forebay-data/credentials.toml";

#[derive(Deserialize)]
struct CredentialsFile {
    #[serde(default)]
    credential: Vec<Entry>,
}

#[derive(Deserialize)]
struct Entry {
    secret_id: String,
    secret_key: Option<String>,
    secret_key_file: Option<PathBuf>,
    token: Option<String>,
}

/// The signer of the first credential in `file`; without `file` that of the
/// SDKs' environment variables, and without those that of the data directory
/// in the working directory.
///
/// # Errors
/// What is missing; never the text of the file, which holds secrets.
pub(crate) fn find_signer(
    file: Option<&Path>,
    variable: impl Fn(&str) -> Option<String>,
) -> Result<Signer, String> {
    if let Some(path) = file {
        return from_file(path);
    }
    let variable = |name: &str| variable(name).filter(|value| !value.is_empty());
    let id = variable("TENCENTCLOUD_SECRET_ID");
    let key = variable("TENCENTCLOUD_SECRET_KEY");
    match (id, key) {
        (Some(id), Some(key)) => {
            let signer = Signer::new(id, key);
            Ok(match variable("TENCENTCLOUD_TOKEN") {
                Some(token) => signer.with_token(token),
                None => signer,
            })
        }
        (None, None) if Path::new(DEFAULT_FILE).exists() => from_file(Path::new(DEFAULT_FILE)),
        (None, None) => Err(format!(
            "no credentials: name a file with --credentials, or set TENCENTCLOUD_SECRET_ID and \
             TENCENTCLOUD_SECRET_KEY, or run where {DEFAULT_FILE} is"
        )),
        _ => {
            Err("of TENCENTCLOUD_SECRET_ID and TENCENTCLOUD_SECRET_KEY only one is set".to_owned())
        }
    }
}

fn from_file(path: &Path) -> Result<Signer, String> {
    let shown = path.display();
    let text = fs::read_to_string(path).map_err(|error| format!("cannot read {shown}: {error}"))?;
    // The parser's own words quote the file.
    let file: CredentialsFile = toml::from_str(&text)
        .map_err(|_| format!("{shown}: expected [[credential]] with secret_id and secret_key"))?;
    let first = file.credential.into_iter().next();
    let entry = first.ok_or_else(|| format!("{shown}: expected at least one [[credential]]"))?;
    let key = match (entry.secret_key, entry.secret_key_file) {
        (Some(key), None) => key,
        (None, Some(name)) => {
            let name = path.parent().unwrap_or(Path::new("")).join(name);
            let key = fs::read_to_string(&name);
            let key = key.map_err(|error| format!("cannot read {}: {error}", name.display()))?;
            key.trim_end().to_owned()
        }
        _ => return Err(format!("{shown}: expected secret_key or secret_key_file")),
    };
    let signer = Signer::new(entry.secret_id, key);
    Ok(match entry.token {
        Some(token) => signer.with_token(token),
        None => signer,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn file_then_environment() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("c.toml");
        fs::write(folder.path().join("key"), "hidden\n").unwrap();
        fs::write(
            &path,
            "[[credential]]\nsecret_id=\"first\"\nsecret_key_file=\"key\"\n\
             [[credential]]\nsecret_id=\"second\"\nsecret_key=\"k\"\n",
        )
        .unwrap();
        let environment = |name: &str| match name {
            "TENCENTCLOUD_SECRET_ID" => Some("from-environment".to_owned()),
            "TENCENTCLOUD_SECRET_KEY" => Some("k".to_owned()),
            _ => None,
        };
        let shown = |found: Result<Signer, String>| format!("{:?}", found.unwrap());
        assert!(shown(find_signer(Some(&path), environment)).contains("first"));
        assert!(shown(find_signer(None, environment)).contains("from-environment"));
        let half = |name: &str| environment(name).filter(|value| value != "k");
        assert!(find_signer(None, half).unwrap_err().contains("only one"));
    }

    #[test]
    fn a_broken_file_is_not_quoted() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("c.toml");
        fs::write(&path, "secret_key = \"topsecret\n").unwrap();
        let error = find_signer(Some(&path), |_| None).unwrap_err();
        assert!(
            error.contains("c.toml") && !error.contains("topsecret"),
            "{error}"
        );
    }
}
