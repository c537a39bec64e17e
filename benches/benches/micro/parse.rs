//! SendMessage bodies, from bytes to messages.

use divan::{
    Bencher, black_box, black_box_drop,
    counter::{BytesCount, ItemsCount},
};
use forebay_api::send_message::parse;

use crate::payload::{Text, VALUE_BYTES, body};

fn parse_bodies(bencher: Bencher, messages: usize, text: Text) {
    let body = body(messages, text);
    let request = parse(&body).expect("the body is right");
    assert_eq!(request.messages.len(), messages, "{text}");
    for message in &request.messages {
        assert_eq!(message.body.len(), VALUE_BYTES, "{text}");
    }
    bencher
        .counter(ItemsCount::new(messages))
        .counter(BytesCount::of_slice(&body))
        .bench(|| black_box_drop(parse(black_box(&body))));
}

#[divan::bench(args = [1, 10, 100])]
fn plain_n_messages_of_200_bytes(bencher: Bencher, messages: usize) {
    parse_bodies(bencher, messages, Text::Plain);
}

/// Values that are JSON documents: an escape every ten bytes.
#[divan::bench(args = [1, 10, 100])]
fn documents_with_escaped_quotes_n_messages_of_200_bytes(bencher: Bencher, messages: usize) {
    parse_bodies(bencher, messages, Text::Document);
}

#[divan::bench(args = [1, 10, 100])]
fn cjk_in_utf8_n_messages_of_200_bytes(bencher: Bencher, messages: usize) {
    parse_bodies(bencher, messages, Text::Cjk);
}

/// As Python's SDK sends it.
#[divan::bench(args = [1, 10, 100])]
fn cjk_in_u_escapes_n_messages_of_200_bytes(bencher: Bencher, messages: usize) {
    parse_bodies(bencher, messages, Text::CjkEscaped);
}
