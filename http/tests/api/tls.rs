//! HTTPS as clients meet it: what they are shown, what is refused, and that deadlines hold within TLS too.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use gridkv_http::HttpConfig;
use gridkv_http::certificates::{Certificates, Listener};
use gridkv_http::tls::HttpTls;
use gridkv_protocol::UnixMs;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::crypto::ring;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName};
use rustls::version::{TLS12, TLS13};
use rustls::{
    ClientConfig, ClientConnection, RootCertStore, StreamOwned, SupportedProtocolVersion,
};

use crate::node::{Served, serve_in_tls};

/// Longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(30);

/// Makes certificates that its clients trust.
struct Authority {
    certificate: CertificateDer<'static>,
    issuer: Issuer<'static, KeyPair>,
}

type Papers = (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>);

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new(vec!["authority".to_owned()]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap().der().clone();
        Self { certificate, issuer: Issuer::new(params, key) }
    }

    fn papers(&self) -> Papers {
        let params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        let key = KeyPair::generate().unwrap();
        let own = params.signed_by(&key, &self.issuer).unwrap().der().clone();
        (vec![own], PrivatePkcs8KeyDer::from(key.serialize_der()).into())
    }

    fn config(&self, versions: &[&'static SupportedProtocolVersion]) -> ClientConfig {
        let mut roots = RootCertStore::empty();
        roots.add(self.certificate.clone()).unwrap();
        ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_protocol_versions(versions)
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth()
    }
}

/// A client inside TLS.
struct Client(StreamOwned<ClientConnection, TcpStream>);

impl Client {
    fn connect(address: SocketAddr, config: ClientConfig) -> io::Result<Self> {
        let mut stream = plain(address);
        let name = ServerName::try_from("localhost").unwrap();
        let mut session = ClientConnection::new(Arc::new(config), name).unwrap();
        session.complete_io(&mut stream)?;
        Ok(Self(StreamOwned::new(session, stream)))
    }

    /// Sends a request and reads the answer, which says that it is the last one.
    fn ask(mut self, method: &str, target: &str, body: &[u8]) -> String {
        let length = body.len();
        let head = format!(
            "{method} {target} HTTP/1.1\r\nhost: localhost\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n"
        );
        self.0.write_all(head.as_bytes()).unwrap();
        self.0.write_all(body).unwrap();
        self.0.flush().unwrap();
        let mut answer = Vec::new();
        self.0.read_to_end(&mut answer).unwrap();
        String::from_utf8(answer).unwrap()
    }
}

fn plain(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_nodelay(true).unwrap();
    stream
}

struct Stage {
    authority: Authority,
    tls: HttpTls,
    node: Served,
}

impl Stage {
    fn set(config: HttpConfig) -> Self {
        let authority = Authority::new();
        let (chain, key) = authority.papers();
        let tls = HttpTls::new(chain, key).unwrap();
        let certificates = Certificates::default();
        certificates.set(Listener::Http, UnixMs(253_402_300_799_000));
        let node = serve_in_tls(config, tls.clone(), certificates);
        let stage = Self { authority, tls, node };
        let deadline = Instant::now() + PATIENCE;
        while !stage.client().ask("GET", "/readyz", b"").starts_with("HTTP/1.1 200") {
            assert!(Instant::now() < deadline, "not ready");
            std::thread::sleep(Duration::from_millis(10));
        }
        stage
    }

    fn client(&self) -> Client {
        Client::connect(self.node.address, self.authority.config(&[&TLS13])).unwrap()
    }
}

#[test]
fn requests_cross_tls_of_both_versions_and_the_end_of_the_certificate_is_shown() {
    let stage = Stage::set(HttpConfig::default());
    let value = "v".repeat(700_000);
    for (version, target) in [(&TLS12, "/v1/kv/main/a"), (&TLS13, "/v1/kv/main/b")] {
        let client = || {
            let mut config = stage.authority.config(&[version]);
            config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
            Client::connect(stage.node.address, config).unwrap()
        };
        assert_eq!(client().0.conn.alpn_protocol(), Some(&b"http/1.1"[..]));
        let put = client().ask("PUT", target, value.as_bytes());
        assert!(put.starts_with("HTTP/1.1 201"), "{put}");
        let got = client().ask("GET", target, b"");
        assert!(got.starts_with("HTTP/1.1 200") && got.ends_with(&value));
    }
    let shown = stage.client().ask("GET", "/v1/node", b"");
    assert!(
        shown.contains("\"certificates\":{\"http\":{\"expires_at\":\"9999-12-31T23:59:59.000Z\"")
    );
    let metrics = stage.client().ask("GET", "/metrics", b"");
    let line = metrics.lines().find_map(|line| {
        line.strip_prefix("gridkv_certificate_expires_in_seconds{listener=\"http\"} ")
    });
    assert!(line.unwrap().parse::<f64>().unwrap() > 1e9);
}

#[test]
fn a_renewed_certificate_is_shown_from_the_next_connection_on_and_open_ones_go_on() {
    let stage = Stage::set(HttpConfig::default());
    let mut open = stage.client();
    let other = Authority::new();
    let of =
        |authority: &Authority| Client::connect(stage.node.address, authority.config(&[&TLS13]));
    assert!(of(&other).is_err(), "another authority's client");
    let (chain, key) = other.papers();
    let (_, wrong) = other.papers();
    assert!(stage.tls.prepare(chain.clone(), wrong).is_err(), "a key of something else");
    stage.tls.take(stage.tls.prepare(chain, key).unwrap());
    assert!(of(&other).unwrap().ask("GET", "/livez", b"").starts_with("HTTP/1.1 200"));
    assert!(of(&stage.authority).is_err());
    open.0.write_all(b"GET /livez HTTP/1.1\r\nhost: x\r\n\r\n").unwrap();
    let mut status = [0; 12];
    open.0.read_exact(&mut status).unwrap();
    assert_eq!(&status, b"HTTP/1.1 200");
}

#[test]
fn what_is_no_tls_or_too_slow_is_closed_and_nothing_is_served() {
    let stage = Stage::set(HttpConfig::default());
    let told = |bytes: &[u8]| {
        let mut stream = plain(stage.node.address);
        let started = Instant::now();
        stream.write_all(bytes).unwrap();
        let mut answer = Vec::new();
        // A reset is an end as well.
        drop(stream.read_to_end(&mut answer));
        (answer, started.elapsed())
    };
    for bytes in [&b"GET /v1/kv/main/a HTTP/1.1\r\nhost: x\r\n\r\n"[..], &[0xff; 100]] {
        let (answer, _) = told(bytes);
        // At most an alert of TLS.
        assert!(answer.len() <= 7 && !answer.starts_with(b"HTTP"), "{answer:?}");
    }
    for bytes in [&b""[..], &[0x16, 0x03, 0x01]] {
        let (answer, after) = told(bytes);
        assert_eq!(answer, b"");
        let seconds = after.as_secs_f64();
        assert!((2.5..20.0).contains(&seconds), "{seconds} s for who says {bytes:?}");
    }
}

#[test]
fn a_handshake_that_hangs_counts_among_the_connections() {
    let config = HttpConfig { workers: 1, max_connections: 2, ..HttpConfig::default() };
    let stage = Stage::set(config);
    let hang: Vec<TcpStream> = (0..2).map(|_| plain(stage.node.address)).collect();
    let started = Instant::now();
    // It waits until one of them is out of time.
    let answer = stage.client().ask("GET", "/livez", b"");
    assert!(answer.starts_with("HTTP/1.1 200"));
    assert!(started.elapsed() >= Duration::from_secs(1), "{:?}", started.elapsed());
    drop(hang);
}

#[test]
fn deadlines_hold_inside_tls() {
    let second = Duration::from_secs(1);
    let config = HttpConfig { head_timeout: second, body_timeout: second, ..HttpConfig::default() };
    let stage = Stage::set(config);
    let mut drips = stage.client();
    let started = Instant::now();
    drips.0.write_all(b"GET /livez HTT").unwrap();
    let mut answer = Vec::new();
    drop(drips.0.read_to_end(&mut answer));
    assert!(answer.starts_with(b"HTTP/1.1 408") && started.elapsed() < PATIENCE);

    let value = vec![b'v'; 900_000];
    let target = "/v1/kv/main/long";
    assert!(stage.client().ask("PUT", target, &value).starts_with("HTTP/1.1 201"));
    // It asks for more than the system takes on the way, and reads nothing of it.
    let mut deaf = stage.client();
    let request = format!("GET {target} HTTP/1.1\r\nhost: x\r\n\r\n").repeat(30);
    deaf.0.write_all(request.as_bytes()).unwrap();
    let gone = || {
        let metrics = stage.client().ask("GET", "/metrics", b"");
        let in_flight = metrics.lines().find_map(|line| {
            line.strip_prefix("gridkv_http_requests_in_flight ")?.parse::<f64>().ok()
        });
        in_flight.unwrap() <= 1.0
    };
    let deadline = Instant::now() + PATIENCE;
    // The connection ends: a byte that is sent comes back as a reset, sooner or later.
    loop {
        let sent = deaf.0.sock.write_all(b"x");
        if sent.is_err() && gone() {
            break;
        }
        assert!(Instant::now() < deadline, "who reads nothing is still connected");
        std::thread::sleep(Duration::from_millis(50));
    }
}
