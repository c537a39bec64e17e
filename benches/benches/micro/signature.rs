//! TC3 signatures: hashing the body is most of it.

use divan::{Bencher, black_box, black_box_drop, counter::BytesCount};
use forebay_api::tc3::{RequestHead, RequestToSign, SecretRef, Signer, SigningKeyCache, Verifier};

use crate::payload::{NOW_SECONDS, Text, body};

const SECRET_ID: &str = "AKIDforebaybenchmark";
const SECRET_KEY: &str = "a secret of thirty-two characters";

fn request(body: &[u8]) -> RequestToSign<'_> {
    RequestToSign {
        host: "127.0.0.1:8080",
        action: "SendMessage",
        body,
        timestamp: NOW_SECONDS,
    }
}

fn verify(bencher: Bencher, messages: usize, mut cache: SigningKeyCache) {
    let body = body(messages, Text::Plain);
    let headers = Signer::new(SECRET_ID, SECRET_KEY).sign(&request(&body));
    let head = RequestHead {
        method: "POST",
        query: "",
        headers: headers.as_slice(),
    };
    let secret = SecretRef {
        secret_key: SECRET_KEY,
        token: None,
    };
    let verifier = Verifier::default();
    bencher
        .counter(BytesCount::of_slice(&body))
        .bench_local(|| {
            let lookup = |id: &str| (id == SECRET_ID).then_some(secret);
            let verified =
                verifier.verify(&head, black_box(&body), NOW_SECONDS, lookup, &mut cache);
            black_box_drop(verified.expect("the signature is right"));
        });
}

#[divan::bench(args = [1, 10, 100])]
fn verify_with_cached_key_n_messages_of_200_bytes(bencher: Bencher, messages: usize) {
    verify(bencher, messages, SigningKeyCache::default());
}

#[divan::bench(args = [1])]
fn verify_and_derive_key_n_messages_of_200_bytes(bencher: Bencher, messages: usize) {
    verify(bencher, messages, SigningKeyCache::new(0));
}

#[divan::bench(args = [1, 10, 100])]
fn sign_n_messages_of_200_bytes(bencher: Bencher, messages: usize) {
    let body = body(messages, Text::Plain);
    let mut signer = Signer::new(SECRET_ID, SECRET_KEY);
    bencher
        .counter(BytesCount::of_slice(&body))
        .bench_local(|| black_box_drop(signer.sign(&request(black_box(&body)))));
}
