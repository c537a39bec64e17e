//! Every way in which an SDK can sign and encode a request.

use forebay_api::flattened::{encode, flatten};
use forebay_api::tc3::{self, GetToSign};
use forebay_api::v1::{self, SignatureMethod, ToSign};
use serde_json::Value;

use super::{SECRET_ID, SECRET_KEY, now, signed_head, with_body};

const HOST: &str = "forebay.test";

/// How a request is signed, and where its parameters are.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Way {
    /// TC3-HMAC-SHA256, JSON in the body.
    Tc3Post,
    /// TC3-HMAC-SHA256, parameters in the query.
    Tc3Get,
    /// Signature v1, parameters in a form.
    V1Post(SignatureMethod),
    /// Signature v1, parameters in the query.
    V1Get(SignatureMethod),
}

impl Way {
    pub const ALL: [Self; 6] = [
        Self::Tc3Post,
        Self::Tc3Get,
        Self::V1Post(SignatureMethod::HmacSha1),
        Self::V1Post(SignatureMethod::HmacSha256),
        Self::V1Get(SignatureMethod::HmacSha1),
        Self::V1Get(SignatureMethod::HmacSha256),
    ];

    pub fn request(self, action: &str, parameters: &Value) -> Vec<u8> {
        self.request_of(action, parameters, now(), SECRET_ID, SECRET_KEY, None)
    }

    pub fn request_of(
        self,
        action: &str,
        parameters: &Value,
        at: i64,
        id: &str,
        key: &str,
        token: Option<&str>,
    ) -> Vec<u8> {
        let pairs = flatten(parameters.as_object().unwrap());
        let v1 = |http_method, method| {
            let mut signer = v1::Signer::new(id, key, method);
            if let Some(token) = token {
                signer = signer.with_token(token);
            }
            signer
                .sign(&ToSign {
                    http_method,
                    host: HOST,
                    action,
                    parameters: &pairs,
                    timestamp: at,
                    nonce: 7,
                })
                .unwrap()
        };
        match self {
            Self::Tc3Post => {
                let body = parameters.to_string();
                let mut head = signed_head(action, body.as_bytes(), at, id, key);
                if let Some(token) = token {
                    head += &format!("X-TC-Token: {token}\r\n");
                }
                with_body(head, body.as_bytes())
            }
            Self::Tc3Get => {
                let pairs = pairs
                    .iter()
                    .map(|(name, value)| (name.as_str(), value.as_str()));
                tc3_get(action, &encode(pairs), at, id, key, token)
            }
            Self::V1Post(method) => form(&v1("POST", method)),
            Self::V1Get(method) => get(&v1("GET", method), ""),
        }
    }
}

/// A GET with this query, signed by TC3.
pub fn tc3_get(
    action: &str,
    query: &str,
    timestamp: i64,
    id: &str,
    key: &str,
    token: Option<&str>,
) -> Vec<u8> {
    let mut signer = tc3::Signer::new(id, key);
    if let Some(token) = token {
        signer = signer.with_token(token);
    }
    let headers = signer.sign_get(&GetToSign {
        host: HOST,
        action,
        query,
        timestamp,
    });
    let mut lines = String::new();
    for (name, value) in headers.iter().filter(|(name, _)| *name != "Host") {
        lines += &format!("{name}: {value}\r\n");
    }
    get(query, &lines)
}

/// A GET with this query and these header lines.
pub fn get(query: &str, lines: &str) -> Vec<u8> {
    format!("GET /?{query} HTTP/1.1\r\nHost: {HOST}\r\n{lines}\r\n").into_bytes()
}

/// A POST of this form.
pub fn form(body: &str) -> Vec<u8> {
    form_with(body, "")
}

/// A POST of this form, with more header lines.
pub fn form_with(body: &str, lines: &str) -> Vec<u8> {
    let head = format!(
        "POST / HTTP/1.1\r\nHost: {HOST}\r\n\
         Content-Type: application/x-www-form-urlencoded; charset=utf-8\r\n{lines}"
    );
    with_body(head, body.as_bytes())
}

/// Signs pairs that are already encoded by HmacSHA1, as somebody might by hand.
pub fn sign_form(action: &str, parameters: &[(&str, &str)]) -> String {
    let parameters: Vec<_> = parameters
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    v1::Signer::new(SECRET_ID, SECRET_KEY, SignatureMethod::HmacSha1)
        .sign(&ToSign {
            http_method: "POST",
            host: HOST,
            action,
            parameters: &parameters,
            timestamp: now(),
            nonce: 1,
        })
        .unwrap()
}
