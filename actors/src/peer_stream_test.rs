//! Both ends of a connection, over loopback: who is let in, and what each side that is not says.

use std::sync::Arc;
use std::time::Duration;

use gridkv_protocol::limits::HANDSHAKE_FRAME_BYTES;
use gridkv_protocol::message::{Message, NoPage};
use gridkv_protocol::{StoreName, UnixMs};
use tokio::net::TcpListener;
use tokio::time::timeout;

use super::*;
use crate::clock::ClockSource;
use crate::peer_security::{Mutual, Papers, SecurityError};
use crate::trial_authority::{Authority, Span};
use crate::wire::{WireError, read_message};

const SECRET: &str = "a secret of thirty-two characters";

fn now() -> UnixMs {
    ClockSource::start().now()
}

fn mutual_as(authority: &Authority, node: &str) -> PeerSecurity {
    let papers = authority.papers("grid", node, Span::Now);
    PeerSecurity::Mutual(Mutual::new(("grid", node), papers, [], now()).unwrap().into())
}

/// What a node has whose own checks were passed once: with a certificate that peers do not take.
fn mutual_with(papers: Papers) -> PeerSecurity {
    PeerSecurity::Mutual(Mutual::unchecked(("grid", "n2"), papers).into())
}

fn secret(secret: &str) -> PeerSecurity {
    let (certificate, key) = Authority::new("throw-away").own();
    PeerSecurity::Secret(Secret::new(secret, certificate, key).unwrap().into())
}

/// What becomes of a connection at both ends, at the dialler's after it tried to read a frame: a refusal of its
/// certificate comes only then.
struct Met {
    near: Result<Secured, String>,
    far: Result<Secured, String>,
}

async fn meet(near: &PeerSecurity, far: &PeerSecurity) -> Met {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    let dial = async {
        let stream = TcpStream::connect(addr).await.unwrap();
        let mut secured =
            near.secure(stream, Side::Dialler).await.map_err(|error| error.to_string())?;
        // A peer that lets this one in says something at once, here.
        let first = read_message(&mut secured.read, HANDSHAKE_FRAME_BYTES).await;
        first.map(|_| secured).map_err(|error| error.to_string())
    };
    let take = async {
        let (stream, _) = listener.accept().await.unwrap();
        let mut secured =
            far.secure(stream, Side::Dialled).await.map_err(|error| error.to_string())?;
        secured.write.write_all(&frame()).await.map_err(|error| error.to_string())?;
        secured.write.flush().await.map_err(|error| error.to_string())?;
        Ok(secured)
    };
    let both = async { tokio::join!(dial, take) };
    let (near, far) = timeout(Duration::from_secs(20), both).await.unwrap();
    Met { near, far }
}

fn message() -> Message {
    Message::NoPage(NoPage { store: StoreName::new("main").unwrap(), session: 7 })
}

fn frame() -> Vec<u8> {
    message().to_frame(HANDSHAKE_FRAME_BYTES).unwrap()
}

/// Both ends refuse, who dials in words that have `near` in them, and the other end so too.
async fn refuse(ends: (&PeerSecurity, &PeerSecurity), near: &str, far: &str) {
    let met = meet(ends.0, ends.1).await;
    let said = [met.near.err(), met.far.err()].map(Option::unwrap_or_default);
    assert!(said[0].contains(near) && !said[0].is_empty(), "the dialler: {said:?}");
    assert!(said[1].contains(far) && !said[1].is_empty(), "who was dialled: {said:?}");
}

#[actix_rt::test]
async fn frames_cross_in_every_way_that_both_ends_have() {
    let authority = Authority::new("grid");
    let (n1, n2) = (mutual_as(&authority, "n1"), mutual_as(&authority, "n2"));
    let (one, other) = (secret(SECRET), secret(SECRET));
    let (plain, plain_too) = (PeerSecurity::Plain, PeerSecurity::Plain);
    for (from, to) in [(n2, n1), (one, other), (plain, plain_too)] {
        let met = meet(&from, &to).await;
        let (mut near, mut far) = (met.near.unwrap(), met.far.unwrap());
        let named = matches!(from, PeerSecurity::Mutual(_));
        assert_eq!(near.credentials.name_node("n1"), named);
        assert_eq!(far.credentials.name_node("n2"), named && far.credentials.name_cluster("grid"));
        // More than any buffer on the way, so that both halves are at work at once.
        let long = vec![7; 4 << 20];
        let write = async {
            near.write.write_all(&long).await.unwrap();
            near.write.shutdown().await.unwrap();
        };
        let mut got = Vec::new();
        let read = far.read.read_to_end(&mut got);
        tokio::join!(write, async { read.await.unwrap() });
        assert!(got == long);
    }
}

#[actix_rt::test]
async fn an_end_without_a_word_is_told_in_the_same_words_with_and_without_tls() {
    let (one, other) = (secret(SECRET), secret(SECRET));
    let (plain, plain_too) = (PeerSecurity::Plain, PeerSecurity::Plain);
    for (from, to) in [(one, other), (plain, plain_too)] {
        let met = meet(&from, &to).await;
        let (mut near, far) = (met.near.unwrap(), met.far.unwrap());
        drop(far); // as when its process is killed: TLS says nothing
        let error = read_message(&mut near.read, HANDSHAKE_FRAME_BYTES).await.unwrap_err();
        assert_eq!(error.to_string(), "the other side closed the connection");
    }
}

#[actix_rt::test]
async fn a_certificate_that_is_not_this_clusters_is_refused_by_both_ends() {
    let (ours, theirs) = (Authority::new("grid"), Authority::new("grid"));
    let n1 = mutual_as(&ours, "n1");
    let stranger = mutual_as(&theirs, "n2");
    let other = "of another authority";
    refuse((&stranger, &n1), other, "").await;
    refuse((&n1, &stranger), other, "").await;
    // It knows our authority, and is of another one itself.
    let spy = mutual_with(Papers {
        authorities: ours.papers("grid", "n2", Span::Now).authorities,
        ..theirs.papers("grid", "n2", Span::Now)
    });
    refuse((&spy, &n1), "it refuses this node's certificate: ", other).await;
    refuse((&n1, &spy), other, "it refuses this node's certificate").await;

    let expired = mutual_with(ours.papers("grid", "n2", Span::Over));
    refuse((&expired, &n1), "it refuses this node's certificate: it has expired", "has expired")
        .await;
    refuse((&n1, &expired), "its certificate has expired", "it refuses this").await;
    let early = mutual_with(ours.papers("grid", "n2", Span::ToCome));
    refuse((&early, &n1), "it refuses this node's certificate", "is not valid yet").await;
    refuse((&n1, &early), "is not valid yet", "it refuses this").await;
    let elsewhere = mutual_with(ours.papers("other", "n2", Span::Now));
    refuse((&n1, &elsewhere), "of another cluster", "").await;
}

#[actix_rt::test]
async fn a_certificate_says_which_node_it_is_and_of_which_cluster() {
    let authority = Authority::new("grid");
    let papers = |cluster, node| authority.papers(cluster, node, Span::Now);
    let n1 = Mutual::new(("grid", "n1"), papers("grid", "n1"), ["n2".to_owned()], now());
    let n1 = PeerSecurity::Mutual(n1.unwrap().into());
    let shown = |cluster, node| Credentials::of(&papers(cluster, node).chain[0]).unwrap();
    let objection = |shown: &Credentials, name, known| n1.objection(shown, name, known);
    assert_eq!(objection(&shown("grid", "n2"), "n2", None), None);
    assert_eq!(objection(&shown("grid", "n2"), "n2", Some("n2")), None);
    assert_eq!(objection(&shown("grid", "n1"), "n1", None), None, "itself");
    for (cluster, node, name, known, words) in [
        ("grid", "n3", "n2", None, "not that of \"n2\", but names \"n3\""),
        ("grid", "n3", "n3", None, "\"n3\" is not among the names"),
        ("grid", "n2", "n2", Some("n5"), "identity is that of \"n5\""),
        ("other", "n2", "n2", None, "not of cluster \"grid\""),
        ("grid", "N2", "n2", None, "not that of \"n2\""),
        ("grid", "*", "n2", None, "not that of \"n2\""),
    ] {
        let said = objection(&shown(cluster, node), name, known).unwrap_or_default();
        assert!(said.contains(words), "{cluster} {node} {name} {known:?}: {said}");
    }
    let nobody = Credentials::default();
    assert!(objection(&nobody, "n2", None).is_some());
    assert_eq!(PeerSecurity::Plain.objection(&nobody, "n2", Some("n5")), None);
}

#[test]
fn a_node_does_not_start_with_what_its_peers_would_refuse() {
    let (authority, other) = (Authority::new("grid"), Authority::new("grid"));
    let papers = |node, span| authority.papers("grid", node, span);
    let refused = |papers| match Mutual::new(("grid", "n1"), papers, [], now()) {
        Err(SecurityError::Refused(fault)) => fault,
        other => panic!("{other:?}"),
    };
    assert_eq!(refused(papers("n1", Span::Over)), TlsFault::Expired);
    assert_eq!(refused(papers("n1", Span::ToCome)), TlsFault::NotValidYet);
    assert_eq!(refused(authority.papers("other", "n1", Span::Now)), TlsFault::OtherCluster);
    let authorities = other.papers("grid", "n1", Span::Now).authorities;
    let mixed = Papers { authorities, ..papers("n1", Span::Now) };
    assert_eq!(refused(mixed), TlsFault::OtherAuthority);
    let mixed = Papers { key: papers("n1", Span::Now).key, ..papers("n1", Span::Now) };
    let mixed = Mutual::new(("grid", "n1"), mixed, [], now());
    assert!(matches!(mixed, Err(SecurityError::Certificate(_))), "{mixed:?}");
    let named = Mutual::new(("grid", "n1"), papers("n2", Span::Now), [], now());
    assert!(matches!(named, Err(SecurityError::OtherNode { .. })), "{named:?}");
    for name in [("gr id", "n1"), ("grid", "n-"), ("grid", "n..1")] {
        let named = Mutual::new(name, papers("n1", Span::Now), [], now());
        assert!(matches!(named, Err(SecurityError::Name(_))), "{named:?}");
    }
    let (certificate, key) = authority.own();
    let short = Secret::new("thirty-one characters, not more", certificate, key);
    assert!(matches!(short, Err(SecurityError::ShortSecret)));
}

#[actix_rt::test]
async fn renewed_certificates_hold_for_the_next_connection_and_leave_open_ones_alone() {
    let (old, new) = (Authority::new("grid"), Authority::new("grid"));
    let papers = |authority: &Authority, node| authority.papers("grid", node, Span::Now);
    let n1 = Arc::new(Mutual::new(("grid", "n1"), papers(&old, "n1"), [], now()).unwrap());
    let security = PeerSecurity::Mutual(Arc::clone(&n1));
    let (stays, moved) = (mutual_as(&old, "n2"), mutual_as(&new, "n2"));
    let met = meet(&stays, &security).await;
    let (mut near, mut far) = (met.near.unwrap(), met.far.unwrap());
    let bad = n1.prepare(old.papers("grid", "n1", Span::Over), [], now());
    assert!(matches!(bad, Err(SecurityError::Refused(TlsFault::Expired))));
    assert!(meet(&stays, &security).await.far.is_ok(), "what was used before still is");
    n1.take(n1.prepare(papers(&new, "n1"), [], now()).unwrap());
    refuse((&stays, &security), "of another authority", "").await;
    assert!(meet(&moved, &security).await.far.is_ok());
    near.write.write_all(&frame()).await.unwrap();
    near.write.flush().await.unwrap();
    let (read, _) = read_message(&mut far.read, HANDSHAKE_FRAME_BYTES).await.unwrap();
    assert_eq!(read, message());
}

#[actix_rt::test]
async fn who_does_not_know_the_secret_is_told_nothing() {
    let other = secret("another secret, as long as the first one");
    let ours = secret(SECRET);
    refuse((&other, &ours), "did not prove", "did not prove").await;
    refuse((&ours, &other), "did not prove", "did not prove").await;
    let certified = mutual_as(&Authority::new("grid"), "n1");
    refuse((&certified, &ours), "", "").await;
    refuse((&ours, &certified), "one side has peers.tls and the other peers.secret", "one side")
        .await;
}

#[actix_rt::test]
async fn plain_and_tls_do_not_meet_and_each_side_says_why() {
    let certified = mutual_as(&Authority::new("grid"), "n1");
    for safe in [certified, secret(SECRET)] {
        let (listener, plain) =
            (TcpListener::bind("127.0.0.1:0").await.unwrap(), &PeerSecurity::Plain);
        let addr = listener.local_addr().unwrap();
        let dial = async {
            let stream = TcpStream::connect(addr).await.unwrap();
            let mut secured = plain.secure(stream, Side::Dialler).await.unwrap();
            secured.write.write_all(&frame()).await.unwrap();
            read_message(&mut secured.read, HANDSHAKE_FRAME_BYTES).await.unwrap_err()
        };
        let take = async {
            let (stream, _) = listener.accept().await.unwrap();
            safe.secure(stream, Side::Dialled).await.err().unwrap()
        };
        let (near, far) = tokio::join!(dial, take);
        assert!(matches!(near, WireError::Tls(TlsFault::SpeaksTls)), "{near}");
        assert_eq!(TlsFault::behind(&far), Some(TlsFault::NotTls), "{far}");

        let dial = async {
            let stream = TcpStream::connect(addr).await.unwrap();
            safe.secure(stream, Side::Dialler).await.err().unwrap()
        };
        let take = async {
            let (stream, _) = listener.accept().await.unwrap();
            let mut secured = plain.secure(stream, Side::Dialled).await.unwrap();
            read_message(&mut secured.read, HANDSHAKE_FRAME_BYTES).await.unwrap_err()
        };
        let (near, far) = tokio::join!(dial, take);
        assert_eq!(TlsFault::behind(&near), Some(TlsFault::Ended), "{near}");
        assert!(matches!(far, WireError::Tls(TlsFault::SpeaksTls)), "{far}");
    }
}

/// A node with this secret that says of itself, as the one who dials, what `answer` makes of the keys of the
/// connection and of what the other side said.
async fn impostor(
    ours: &PeerSecurity,
    side: Side,
    answer: impl Fn(&Secret, [u8; BINDING_BYTES], Option<[u8; BINDING_BYTES]>) -> Vec<u8>,
) -> io::Result<()> {
    let PeerSecurity::Secret(secret) = ours else { panic!("a secret") };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    let ours_end = async {
        let stream = match side {
            Side::Dialler => listener.accept().await.unwrap().0,
            Side::Dialled => TcpStream::connect(addr).await.unwrap(),
        };
        ours.secure(stream, side.other()).await.map(drop) // one that was let in ends here
    };
    let theirs = async {
        let (ends, name) = (secret.ends.clone(), secret.server_name.clone());
        let mut stream: TlsStream<TcpStream> = match side {
            Side::Dialler => {
                let stream = TcpStream::connect(addr).await.unwrap();
                let connector = TlsConnector::from(ends.client);
                connector.connect(name, stream).await.unwrap().into()
            }
            Side::Dialled => {
                let stream = listener.accept().await.unwrap().0;
                TlsAcceptor::from(ends.server).accept(stream).await.unwrap().into()
            }
        };
        let mut heard = [0; BINDING_BYTES];
        let heard = match side {
            Side::Dialled => {
                stream.read_exact(&mut heard).await.unwrap();
                Some(heard)
            }
            Side::Dialler => None,
        };
        let said = answer(secret, binding(&stream).unwrap(), heard);
        stream.write_all(&said).await.unwrap();
        stream.flush().await.unwrap();
        // Nothing comes but the end.
        let mut rest = Vec::new();
        drop(stream.read_to_end(&mut rest).await);
        rest
    };
    let both = async { tokio::join!(ours_end, theirs) };
    let (secured, rest) = timeout(Duration::from_secs(20), both).await.unwrap();
    if secured.is_err() {
        assert!(rest.is_empty(), "{} bytes for who proved nothing", rest.len());
    }
    secured
}

#[actix_rt::test]
async fn a_proof_is_worth_nothing_on_another_connection_nor_when_it_is_echoed() {
    let ours = secret(SECRET);
    let kept = std::cell::RefCell::new(Vec::new());
    let right = |secret: &Secret, binding: [u8; BINDING_BYTES], _: Option<_>| {
        let said = proof(secret, Side::Dialled, &binding).as_ref().to_vec();
        kept.borrow_mut().clone_from(&said);
        said
    };
    assert!(impostor(&ours, Side::Dialled, right).await.is_ok());
    let replayed = kept.borrow().clone();
    assert!(impostor(&ours, Side::Dialled, |_, _, _| replayed.clone()).await.is_err(), "replayed");
    let echo = |_: &Secret, _: [u8; BINDING_BYTES], heard: Option<[u8; BINDING_BYTES]>| {
        heard.map(Vec::from).unwrap_or_default()
    };
    assert!(impostor(&ours, Side::Dialled, echo).await.is_err(), "what the dialler said, echoed");
    // The same of one who dials: with a proof of an earlier connection, with one for the other side, with none.
    assert!(impostor(&ours, Side::Dialler, |_, _, _| replayed.clone()).await.is_err());
    let other = |secret: &Secret, binding: [u8; BINDING_BYTES], _: Option<_>| {
        proof(secret, Side::Dialled, &binding).as_ref().to_vec()
    };
    assert!(impostor(&ours, Side::Dialler, other).await.is_err(), "the other side's proof");
    assert!(impostor(&ours, Side::Dialler, |_, _, _| vec![0; BINDING_BYTES]).await.is_err());
}

#[actix_rt::test]
async fn an_alert_of_who_has_not_proved_anything_is_no_refusal() {
    let ours = mutual_as(&Authority::new("grid"), "n1");
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    let dial = async {
        let stream = TcpStream::connect(addr).await.unwrap();
        ours.secure(stream, Side::Dialler).await.err().unwrap()
    };
    let take = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        // Fatal: the authority is not known.
        stream.write_all(&[0x15, 0x03, 0x03, 0x00, 0x02, 0x02, 0x30]).await.unwrap();
        let mut hello = Vec::new();
        drop(stream.read_to_end(&mut hello).await);
    };
    let (error, ()) = tokio::join!(dial, take);
    let fault = TlsFault::behind(&error).unwrap();
    assert!(matches!(fault, TlsFault::Other(_)) && !fault.is_refusal(), "{fault}");
}
