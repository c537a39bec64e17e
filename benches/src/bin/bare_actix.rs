//! `bare-actix`: the least that any actix-web service costs. Reads bodies,
//! throws them away, and answers with always the same bytes, as many as
//! Forebay would.

use std::io::Write as _;
use std::net::SocketAddr;

use actix_web::http::header::{CONTENT_TYPE, HeaderValue};
use actix_web::web::{self, Bytes, Payload};
use actix_web::{App, HttpResponse, HttpServer};
use clap::Parser;
use futures_util::StreamExt as _;

/// A server that does nothing, to compare with.
#[derive(Parser)]
#[command(name = "bare-actix", version, about)]
struct Arguments {
    /// Address to listen on; port 0 takes a free one
    #[arg(long, default_value = "127.0.0.1:8090")]
    listen: SocketAddr,

    /// Worker threads [default: one for each core]
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=1024))]
    workers: Option<u16>,

    /// Answers have the size of one to this many messages
    #[arg(long, default_value_t = 1)]
    messages: usize,
}

#[actix_web::main]
async fn main() -> std::io::Result<()> {
    let arguments = Arguments::parse();
    let answer = Bytes::from(answer_to(arguments.messages));
    let mut server = HttpServer::new(move || {
        let answer = answer.clone();
        App::new().default_service(web::to(move |body: Payload| discard(body, answer.clone())))
    });
    if let Some(workers) = arguments.workers {
        server = server.workers(usize::from(workers));
    }
    let server = server.backlog(2048).bind(arguments.listen)?;
    for address in server.addrs() {
        writeln!(std::io::stdout(), "listening on http://{address}")?;
    }
    server.run().await
}

async fn discard(mut body: Payload, answer: Bytes) -> Result<HttpResponse, actix_web::Error> {
    while let Some(chunk) = body.next().await {
        chunk?;
    }
    let mut response = HttpResponse::Ok();
    response.insert_header((CONTENT_TYPE, HeaderValue::from_static("application/json")));
    Ok(response.body(answer))
}

/// What Forebay answers to that many messages, as far as its size goes.
fn answer_to(messages: usize) -> String {
    let id = "\"datahub-forebay0:quickstart:0:1234567:1795433787175:1795433787184\"";
    let ids = vec![id; messages].join(",");
    let request_id = "00000000-0000-0000-0000-000000000000";
    format!("{{\"Response\":{{\"MessageId\":[{ids}],\"RequestId\":\"{request_id}\"}}}}")
}
