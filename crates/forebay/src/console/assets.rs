//! The page itself: files of `crates/forebay/console`, part of the binary.
//!
//! Scripts and styles have a hash of all of them in their address, so that
//! browsers keep them for good and never mix two versions. They are compressed
//! once, at the start.

use std::collections::HashMap;
use std::io::Write as _;

use actix_web::http::Method;
use actix_web::http::header::{
    ACCEPT, ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, ETAG, IF_NONE_MATCH,
    VARY,
};
use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder, web};
use flate2::Compression;
use flate2::write::GzEncoder;
use sha2::{Digest as _, Sha256};

use super::Console;

/// In `index.html`, where the hash goes.
const VERSION_MARK: &str = "{{version}}";

macro_rules! files {
    ($($name:literal),+ $(,)?) => {
        &[$(($name, include_bytes!(concat!("../../console/", $name)))),+]
    };
}

const INDEX: &str = include_str!("../../console/index.html");

const FILES: &[(&str, &[u8])] = files![
    "app.css",
    "logo.svg",
    "js/app.js",
    "js/api.js",
    "js/charts.js",
    "js/clipboard.js",
    "js/dialogs.js",
    "js/format.js",
    "js/live.js",
    "js/login_page.js",
    "js/message_id.js",
    "js/message_view.js",
    "js/messages_page.js",
    "js/new_task_page.js",
    "js/parts.js",
    "js/router.js",
    "js/send_panel.js",
    "js/snippets.js",
    "js/system_page.js",
    "js/task_actions.js",
    "js/task_page.js",
    "js/tasks_page.js",
    "js/theme.js",
    "js/topics.js",
    "js/toasts.js",
    "vendor/htm-preact.js",
    "vendor/uplot.js",
    "vendor/uplot.css",
];

struct File {
    kind: &'static str,
    plain: &'static [u8],
    gzip: Vec<u8>,
}

/// The page, ready to be sent.
pub(super) struct Assets {
    version: String,
    index: String,
    index_tag: String,
    files: HashMap<&'static str, File>,
}

impl Assets {
    pub(super) fn new() -> Self {
        let mut hasher = Sha256::new();
        for (name, bytes) in FILES {
            hasher.update(name);
            hasher.update((bytes.len() as u64).to_be_bytes());
            hasher.update(bytes);
        }
        let version = hex(&hasher.finalize()[..8]);
        let index = INDEX.replace(VERSION_MARK, &version);
        let index_tag = format!("\"{}\"", hex(&Sha256::digest(&index)[..8]));
        let file = |(name, plain): &(&'static str, &'static [u8])| {
            let file = File {
                kind: kind(name),
                plain,
                gzip: compressed(plain),
            };
            (*name, file)
        };
        Self {
            version,
            index,
            index_tag,
            files: FILES.iter().map(file).collect(),
        }
    }
}

/// `GET /` and the addresses of all pages.
pub(super) async fn page(console: web::Data<Console>, request: HttpRequest) -> HttpResponse {
    let assets = &console.assets;
    let known = request.headers().get(IF_NONE_MATCH);
    if known.is_some_and(|known| known.as_bytes() == assets.index_tag.as_bytes()) {
        // Without it the answer would be `no-store`, and the browser's copy gone.
        let mut same = HttpResponse::NotModified();
        same.insert_header((CACHE_CONTROL, "no-cache"));
        return same
            .insert_header((ETAG, assets.index_tag.clone()))
            .finish();
    }
    html(&mut HttpResponse::Ok(), assets)
}

/// Any other address: for a browser the page, which says so and leads on.
pub(super) async fn nowhere(console: web::Data<Console>, request: HttpRequest) -> HttpResponse {
    let accepted = request.headers().get(ACCEPT);
    let accepted = accepted.and_then(|accepted| accepted.to_str().ok());
    let person = accepted.is_some_and(|accepted| accepted.contains("text/html"));
    let mut response = HttpResponse::NotFound();
    if person && request.method() == Method::GET {
        html(&mut response, &console.assets)
    } else {
        response.finish()
    }
}

fn html(response: &mut HttpResponseBuilder, assets: &Assets) -> HttpResponse {
    response
        .insert_header((CONTENT_TYPE, "text/html; charset=utf-8"))
        .insert_header((CACHE_CONTROL, "no-cache"))
        .insert_header((ETAG, assets.index_tag.clone()))
        .body(assets.index.clone())
}

/// `GET /console/assets/<version>/<file>`
pub(super) async fn file(
    console: web::Data<Console>,
    path: web::Path<(String, String)>,
    request: HttpRequest,
) -> HttpResponse {
    let (version, name) = path.into_inner();
    let file = console.assets.files.get(name.as_str());
    let Some(file) = file.filter(|_| version == console.assets.version) else {
        return HttpResponse::NotFound().finish();
    };
    let mut response = HttpResponse::Ok();
    response
        .insert_header((CONTENT_TYPE, file.kind))
        .insert_header((CACHE_CONTROL, "public, max-age=31536000, immutable"))
        .insert_header((VARY, "accept-encoding"));
    let encodings = request.headers().get(ACCEPT_ENCODING);
    let encodings = encodings.and_then(|encodings| encodings.to_str().ok());
    if encodings.is_some_and(|encodings| encodings.contains("gzip")) {
        response.insert_header((CONTENT_ENCODING, "gzip"));
        return response.body(file.gzip.clone());
    }
    response.body(file.plain)
}

fn kind(name: &str) -> &'static str {
    match name.rsplit_once('.') {
        Some((_, "js")) => "text/javascript; charset=utf-8",
        Some((_, "css")) => "text/css; charset=utf-8",
        _ => "image/svg+xml",
    }
}

fn compressed(plain: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder
        .write_all(plain)
        .and_then(|()| encoder.finish())
        .expect("writing to memory cannot fail")
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_whole_page_is_light() {
        let assets = Assets::new();
        let files: usize = assets.files.values().map(|file| file.gzip.len()).sum();
        let whole = files + assets.index.len();
        assert!(whole < 150_000, "{whole} bytes compressed");
    }

    #[test]
    fn every_file_that_a_script_imports_is_there_and_nothing_is_elsewhere() {
        let names: Vec<_> = FILES.iter().map(|(name, _)| *name).collect();
        for (name, bytes) in FILES {
            let Some(folder) = name.strip_suffix(".js").and(name.split_once('/')) else {
                continue;
            };
            let text = std::str::from_utf8(bytes).unwrap();
            // The page's programs for Python and others have imports, too.
            let paths = text.lines().filter_map(|line| {
                let from = line.strip_prefix("import ")?.split_once(" from \"")?.1;
                from.strip_suffix("\";")
            });
            for path in paths {
                let path = match path.strip_prefix("../") {
                    Some(path) => path.to_owned(),
                    None => format!("{}/{}", folder.0, path.strip_prefix("./").unwrap()),
                };
                assert!(names.contains(&path.as_str()), "{name} imports {path}");
            }
        }
        let texts = FILES
            .iter()
            .filter(|(name, _)| !name.starts_with("vendor/"));
        for (name, bytes) in texts {
            let text = String::from_utf8_lossy(bytes);
            for word in ["innerHTML", "dangerouslySet", "document.write", "eval("] {
                assert!(!text.contains(word), "{name} has {word}");
            }
        }
        assert!(INDEX.contains(VERSION_MARK) && !INDEX.contains("http"));
        assert!(!INDEX.contains("<style") && !INDEX.contains("style="));
    }
}
