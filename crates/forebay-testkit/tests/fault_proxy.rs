//! The fault proxy against a broker of a few lines: it echoes correlation ids.
#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::net::SocketAddr;
use std::time::Duration;

use forebay_testkit::{FaultProxy, Mode, await_condition};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

const LIMIT: Duration = Duration::from_secs(30);

async fn echo_broker() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                while let Ok(length) = stream.read_u32().await {
                    let mut request = vec![0; usize::try_from(length).unwrap()];
                    stream.read_exact(&mut request).await.unwrap();
                    let mut answer = vec![0, 0, 0, 4];
                    answer.extend(&request[4..8]);
                    stream.write_all(&answer).await.unwrap();
                }
            });
        }
    });
    address
}

async fn ask(stream: &mut TcpStream, correlation: u32) -> std::io::Result<u32> {
    let mut request = vec![0, 0, 0, 8, 0, 3, 0, 4];
    request.extend(correlation.to_be_bytes());
    stream.write_all(&request).await?;
    stream.read_u32().await?;
    stream.read_u32().await
}

#[tokio::test]
async fn blackhole_holds_and_goes_on() {
    let proxy = FaultProxy::start(echo_broker().await).unwrap();
    let mut stream = TcpStream::connect(proxy.address()).await.unwrap();
    assert_eq!(ask(&mut stream, 1).await.unwrap(), 1);
    for mode in [Mode::Blackhole, Mode::HoldResponses] {
        proxy.set_mode(mode);
        let mut waiting = Box::pin(ask(&mut stream, 2));
        let held = timeout(Duration::from_millis(200), &mut waiting).await;
        assert!(held.is_err(), "{mode:?} let something through: {held:?}");
        proxy.set_mode(Mode::Pass);
        assert_eq!(timeout(LIMIT, waiting).await.unwrap().unwrap(), 2);
    }
}

#[tokio::test]
async fn reset_and_close_end_connections() {
    let proxy = FaultProxy::start(echo_broker().await).unwrap();
    let mut stream = TcpStream::connect(proxy.address()).await.unwrap();
    ask(&mut stream, 1).await.unwrap();
    proxy.set_mode(Mode::Reset);
    let end = timeout(LIMIT, stream.read_u8()).await.unwrap();
    assert_eq!(end.unwrap_err().kind(), std::io::ErrorKind::ConnectionReset);

    proxy.set_mode(Mode::Pass);
    let mut stream = TcpStream::connect(proxy.address()).await.unwrap();
    ask(&mut stream, 2).await.unwrap();
    proxy.close_all();
    let end = timeout(LIMIT, stream.read_u8()).await.unwrap();
    assert_eq!(end.unwrap_err().kind(), std::io::ErrorKind::UnexpectedEof);
    await_condition(LIMIT, "no connection is open", async || proxy.open() == 0)
        .await
        .unwrap();
}

#[tokio::test]
async fn refuse_closes_the_port_and_opens_it_again() {
    let proxy = FaultProxy::start(echo_broker().await).unwrap();
    proxy.set_mode(Mode::Refuse);
    await_condition(LIMIT, "connections are refused", async || {
        TcpStream::connect(proxy.address()).await.is_err()
    })
    .await
    .unwrap();
    proxy.set_mode(Mode::Pass);
    await_condition(
        LIMIT,
        "connections are carried again",
        async || match TcpStream::connect(proxy.address()).await {
            Ok(mut stream) => ask(&mut stream, 3).await.is_ok_and(|answer| answer == 3),
            Err(_) => false,
        },
    )
    .await
    .unwrap();
    let address = proxy.address();
    drop(proxy);
    assert!(TcpStream::connect(address).await.is_err());
}
