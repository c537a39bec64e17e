//! Whom a client command signs as.

use forebay_api::tc3::{Credential as _, Signer};

use super::error::ClientError;
use crate::cli::PlaceFlags;
use crate::credentials::first_credential;

/// The signer of whoever `--credentials` names, else the environment's
/// `TENCENTCLOUD_SECRET_ID`, `TENCENTCLOUD_SECRET_KEY` and `TENCENTCLOUD_TOKEN`
/// (the SDKs' names), else the first credential of the file that `serve` with
/// the same flags, environment and configuration file uses.
///
/// # Errors
/// Half a credential in the environment; no credential; a configuration or a
/// credentials file that is not right.
pub(super) fn find_signer(
    place: PlaceFlags,
    environment: Vec<(String, String)>,
) -> Result<Signer, ClientError> {
    if place.credentials.is_none()
        && let Some(signer) = from_environment(&environment)?
    {
        return Ok(signer);
    }
    let config = place.into_layers(environment).resolve()?;
    let (path, is_default) = config.credentials_path();
    if is_default && !path.exists() {
        return Err(ClientError::NoCredentials(path.display().to_string()));
    }
    let (secret_id, credential) = first_credential(&path)?;
    let signer = Signer::new(secret_id, credential.secret_key());
    Ok(match credential.token() {
        Some(token) => signer.with_token(token),
        None => signer,
    })
}

fn from_environment(environment: &[(String, String)]) -> Result<Option<Signer>, ClientError> {
    // What is set to nothing is not set: that is how scripts unset.
    let value = |wanted: &str| {
        let found = environment.iter().find(|(name, _)| name == wanted);
        found
            .map(|(_, value)| value.as_str())
            .filter(|value| !value.is_empty())
    };
    let half = |given: &str, missing: &str| {
        Err(ClientError::Usage(format!(
            "environment variable {given} is set and {missing} is not; set both or none"
        )))
    };
    const ID: &str = "TENCENTCLOUD_SECRET_ID";
    const KEY: &str = "TENCENTCLOUD_SECRET_KEY";
    let signer = match (value(ID), value(KEY)) {
        (None, None) => return Ok(None),
        (Some(_), None) => return half(ID, KEY),
        (None, Some(_)) => return half(KEY, ID),
        (Some(id), Some(key)) => Signer::new(id, key),
    };
    Ok(Some(match value("TENCENTCLOUD_TOKEN") {
        Some(token) => signer.with_token(token),
        None => signer,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        pairs.iter().map(owned).collect()
    }

    fn found(place: PlaceFlags, pairs: &[(&str, &str)]) -> Result<String, String> {
        find_signer(place, environment(pairs))
            .map(|signer| format!("{signer:?}"))
            .map_err(|error| error.to_string())
    }

    #[test]
    fn flag_then_environment_then_data_directory() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("credentials.toml");
        std::fs::write(folder.path().join("key"), "k\n").unwrap();
        std::fs::write(
            &path,
            "[[credential]]\nsecret_id=\"zz-first\"\nsecret_key_file=\"key\"\n\
             [[credential]]\nsecret_id=\"aa-second\"\nsecret_key=\"k\"\n",
        )
        .unwrap();
        let data_dir = PlaceFlags {
            data_dir: Some(folder.path().display().to_string()),
            ..PlaceFlags::default()
        };
        let file = PlaceFlags {
            credentials: Some(path.display().to_string()),
            ..PlaceFlags::default()
        };
        let set = [
            ("TENCENTCLOUD_SECRET_ID", "from-environment"),
            ("TENCENTCLOUD_SECRET_KEY", "k"),
        ];
        let named = |text: &str, id: &str| assert!(text.contains(id), "{text}");
        named(&found(data_dir.clone(), &[]).unwrap(), "zz-first");
        named(&found(data_dir.clone(), &set).unwrap(), "from-environment");
        named(&found(file, &set).unwrap(), "zz-first");
        let by_variable = [("FOREBAY_DATA_DIR", data_dir.data_dir.as_deref().unwrap())];
        named(
            &found(PlaceFlags::default(), &by_variable).unwrap(),
            "zz-first",
        );
        let half = found(data_dir, &set[..1]).unwrap_err();
        named(&half, "TENCENTCLOUD_SECRET_KEY is not");
    }

    #[test]
    fn no_credential_at_all_names_both_ways() {
        let folder = tempfile::tempdir().unwrap();
        let empty = PlaceFlags {
            data_dir: Some(folder.path().display().to_string()),
            ..PlaceFlags::default()
        };
        let error = found(empty, &[("TENCENTCLOUD_SECRET_ID", "")]).unwrap_err();
        assert!(error.contains("TENCENTCLOUD_SECRET_KEY"), "{error}");
        assert!(error.contains("--data-dir"), "{error}");
    }
}
