//! What keeps the example's admin address cheap: a page is made once for all who ask, and whoever
//! does not read, or only stays, has to go.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::time::{Instant, advance, sleep, timeout};
use tower::service_fn;

#[path = "../examples/gateway/logs.rs"]
mod logs;
#[path = "../examples/gateway/opening.rs"]
mod opening;
#[path = "../examples/gateway/pace.rs"]
mod pace;
#[path = "../examples/gateway/patient.rs"]
mod patient;
#[path = "../examples/gateway/places.rs"]
mod places;
#[path = "../examples/gateway/rendering.rs"]
mod rendering;
#[path = "../examples/gateway/running.rs"]
mod running;
#[allow(dead_code)]
#[path = "../examples/gateway/server.rs"]
mod server;

use self::rendering::Rendering;
use self::server::Limits;

/// More than the system takes off a server's hands.
const PAGE: usize = 32 * 1024 * 1024;
const GET: &[u8] = b"GET / HTTP/1.1\r\nhost: a\r\n\r\n";

/// Serves a page of this length within `limits`.
async fn serve(length: usize, limits: Limits) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let page = Bytes::from(vec![b'x'; length]);
    let service = service_fn(move |_: Request<Incoming>| {
        let page = page.clone();
        async { Ok::<_, Infallible>(Response::new(Full::from(page))) }
    });
    tokio::spawn(async move {
        let (_stop, stopped) = watch::channel(false);
        server::serve(listener, None, service, limits, stopped).await;
    });
    address
}

async fn ask(address: SocketAddr) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(GET).await.unwrap();
    stream
}

/// How much comes until the server closes, or until `most` have come.
async fn read(stream: &mut TcpStream, most: usize) -> usize {
    let (mut buffer, mut all) = (vec![0; 64 * 1024], 0);
    while all < most {
        match stream.read(&mut buffer).await {
            Ok(0) | Err(_) => break,
            Ok(read) => all += read,
        }
    }
    all
}

#[tokio::test]
async fn whoever_does_not_read_has_to_go() {
    let limits = Limits {
        write: Some(Duration::from_millis(500)),
        ..Limits::ADMIN
    };
    let address = serve(PAGE, limits).await;
    let mut idle = ask(address).await;
    sleep(Duration::from_secs(2)).await;
    let came = timeout(Duration::from_secs(30), read(&mut idle, PAGE)).await;
    let came = came.unwrap();
    assert!(came > 0 && came < PAGE, "{came}");

    // Whoever reads gets it all, and may ask again.
    let mut other = ask(address).await;
    for _ in 0..2 {
        let came = timeout(Duration::from_secs(30), read(&mut other, PAGE)).await;
        assert!(came.unwrap() >= PAGE);
        other.write_all(GET).await.unwrap();
    }
}

#[tokio::test]
async fn so_many_connections_and_no_more() {
    let limits = Limits {
        connections: 2,
        head: Duration::from_secs(60),
        ..Limits::ADMIN
    };
    // Two whose answers are not read yet.
    let address = serve(PAGE, limits).await;
    let (mut first, mut second) = (ask(address).await, ask(address).await);
    assert!(read(&mut first, 10).await > 0 && read(&mut second, 10).await > 0);
    let mut third = ask(address).await;
    let waits = timeout(Duration::from_millis(300), read(&mut third, 10)).await;
    assert!(waits.is_err(), "one more than allowed was served");
    // One of them has read its answer: it has its place no longer.
    let rest = PAGE - 128 * 1024;
    let came = timeout(Duration::from_secs(30), read(&mut first, rest)).await;
    assert!(came.unwrap() >= rest);
    let came = timeout(Duration::from_secs(30), read(&mut third, 10)).await;
    assert!(came.unwrap() > 0);
    let end = timeout(Duration::from_secs(30), read(&mut first, usize::MAX)).await;
    assert!(end.is_ok(), "it stays");
    let came = timeout(Duration::from_secs(30), read(&mut second, rest)).await;
    assert!(came.unwrap() >= rest);

    // One that only stays goes by itself.
    let limits = Limits {
        head: Duration::from_millis(300),
        ..Limits::ADMIN
    };
    let mut idle = TcpStream::connect(serve(10, limits).await).await.unwrap();
    let end = timeout(Duration::from_secs(30), read(&mut idle, 10)).await;
    assert_eq!(end.unwrap(), 0);
}

/// Whoever says nothing keeps nobody waiting.
#[tokio::test]
async fn the_longest_idle_goes_first() {
    let limits = Limits {
        head: Duration::from_secs(60),
        ..Limits::ADMIN
    };
    let address = serve(10, limits).await;
    let mut idle = Vec::new();
    for number in 0..limits.connections {
        let mut stream = TcpStream::connect(address).await.unwrap();
        // Half a head, and a whole one with its answer, count as idle too.
        match number % 3 {
            0 => stream.write_all(&GET[..GET.len() - 2]).await.unwrap(),
            1 => {
                stream.write_all(GET).await.unwrap();
                assert!(read(&mut stream, 10).await > 0);
            }
            _ => {}
        }
        idle.push(stream);
    }
    // The first one asks again, so the second has been idle for longest.
    idle[0].write_all(b"\r\n").await.unwrap();
    assert!(read(&mut idle[0], 10).await > 0);
    let mut others = Vec::new();
    for gone in &mut idle[1..4] {
        let mut other = ask(address).await;
        let came = timeout(Duration::from_secs(5), read(&mut other, 10)).await;
        assert!(came.is_ok_and(|came| came > 0), "it waits");
        let end = timeout(Duration::from_secs(5), read(gone, 1)).await;
        assert_eq!(end.expect("another went"), 0);
        others.push(other);
    }
    idle[0].write_all(GET).await.unwrap();
    assert!(read(&mut idle[0], 10).await > 0);
}

#[tokio::test]
async fn no_http2_where_many_answers_could_wait() {
    let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
    for (http2, answers) in [(true, true), (false, false)] {
        let limits = Limits {
            http2,
            ..Limits::ADMIN
        };
        let mut stream = TcpStream::connect(serve(10, limits).await).await.unwrap();
        stream.write_all(preface).await.unwrap();
        let mut head = [0; 9];
        let read = stream.read_exact(&mut head);
        let read = timeout(Duration::from_secs(30), read).await.unwrap();
        // The type of a frame that says settings.
        assert_eq!(read.is_ok() && head[3] == 4, answers);
    }
}

#[tokio::test(start_paused = true)]
async fn a_page_is_made_once_for_all_who_ask() {
    let made = Arc::new(AtomicUsize::new(0));
    let (go, gate) = mpsc::channel::<()>();
    let gate = std::sync::Mutex::new(gate);
    let page = Rendering::new({
        let made = Arc::clone(&made);
        move || {
            let gate = gate.lock().unwrap();
            gate.recv_timeout(Duration::from_secs(20)).unwrap();
            format!("page {}", made.fetch_add(1, Ordering::SeqCst))
        }
    });
    // One asks and leaves: what it has begun is for those that come later.
    let asking = tokio::spawn({
        let page = page.clone();
        async move { page.get().await }
    });
    tokio::task::yield_now().await;
    asking.abort();
    let _ = asking.await;
    let waiting: Vec<_> = (0..20)
        .map(|_| {
            let page = page.clone();
            tokio::spawn(async move { page.get().await.unwrap() })
        })
        .collect();
    tokio::task::yield_now().await;
    go.send(()).unwrap();
    let mut pages = Vec::new();
    for one in waiting {
        pages.push(one.await.unwrap());
    }
    assert_eq!(made.load(Ordering::SeqCst), 1);
    assert!(pages.iter().all(|page| *page == "page 0"));
    // The same bytes, not copies of them.
    assert!(pages.iter().all(|page| page.as_ptr() == pages[0].as_ptr()));

    let begun = Instant::now();
    assert_eq!(page.get().await.unwrap(), "page 0");
    assert!(begun.elapsed() < Duration::from_secs(1));
    advance(Duration::from_secs(1)).await;
    go.send(()).unwrap();
    assert_eq!(page.get().await.unwrap(), "page 1");
}

/// Records are shown as they came, whatever the clock said meanwhile; and no time is negative.
#[tokio::test]
async fn a_clock_that_was_set_back() {
    use std::time::SystemTime;
    use tower::{Layer, ServiceExt};
    use tower_bedrock::observe::{ObservabilityLayer, Ring};

    let ring = Ring::new(9);
    let layer = ObservabilityLayer::new().with_sink(ring.clone());
    for _ in 0..3 {
        let inner = service_fn(|_: Request<Full<Bytes>>| async {
            Ok::<_, Infallible>(Response::new(Full::<Bytes>::default()))
        });
        let request = Request::post("/model/m/converse").body(Full::default());
        layer.layer(inner).oneshot(request.unwrap()).await.unwrap();
    }
    let records = ring.snapshot();
    assert_eq!(records.len(), 3);
    // The latest, by a clock that went from the future to before all time.
    let hour = Duration::from_secs(3600);
    let times = [
        SystemTime::UNIX_EPOCH - hour,
        SystemTime::UNIX_EPOCH + hour,
        SystemTime::now() + hour,
    ];
    let records = records.iter().zip(times).map(|(record, time)| {
        let mut record = (**record).clone();
        record.created_at = time;
        record
    });
    let records: Vec<_> = records.collect();
    for (query, order) in [
        ("", [0, 1, 2]),
        ("direction=asc", [2, 1, 0]),
        ("order_by=created_at", [2, 1, 0]),
        ("order_by=created_at&direction=asc", [0, 1, 2]),
    ] {
        let page = logs::Query::parse(query).unwrap().answer(records.iter());
        let shown = page["result"].as_array().unwrap();
        for (shown, wanted) in shown.iter().zip(order) {
            assert_eq!(shown["id"], *records[wanted].id, "{query}");
            assert!(shown["duration"].as_f64() >= Some(0.0));
        }
    }
    let page = logs::Query::parse("end_date=1970-01-01").unwrap();
    assert_eq!(page.answer(records.iter())["result_info"]["count"], 1);
}
