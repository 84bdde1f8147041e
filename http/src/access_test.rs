//! Who is let in: by which header, by which token, and how often one may be wrong.

use super::*;

const NOW: UnixMs = UnixMs(1_000);

fn token(role: Role, text: &str) -> Token {
    Token { role, sha256: digest(&SHA256, text.as_bytes()).as_ref().try_into().unwrap() }
}

fn access(tokens: &[(Role, &str)]) -> Access {
    let tokens = tokens.iter().map(|(role, text)| token(*role, text)).collect();
    Access::new(tokens, Exposed::default())
}

fn headers(values: &[&str]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for value in values {
        headers.append(header::AUTHORIZATION, HeaderValue::from_str(value).unwrap());
    }
    headers
}

fn status(access: &Access, value: &str, role: Option<Role>) -> u16 {
    let from = "192.0.2.1:1".parse().ok();
    access.admit(&headers(&[value]), from, role, || NOW).map_or_else(|p| p.code.status(), |_| 200)
}

#[test]
fn the_digest_is_that_of_sha256sum() {
    assert_eq!(token(Role::Read, "test").sha256[..4], [0x9f, 0x86, 0xd0, 0x81]);
}

#[test]
fn every_bit_of_a_digest_counts() {
    let one = token(Role::Read, "test").sha256;
    assert_eq!(difference(&one, &one), 0);
    for bit in 0..256 {
        let mut other = one;
        other[bit / 8] ^= 1 << (bit % 8);
        assert_ne!(difference(&one, &other), 0, "{bit}");
        assert_eq!(find(&[Token { role: Role::Admin, sha256: other }], &one), None);
    }
}

#[test]
fn only_a_bearer_token_is_one() {
    let token = "gkv_0123456789abcdefghijklmnopqrstuvwxyzABCDEFG";
    let whole = |scheme: &str| format!("{scheme}{token}");
    let long = format!("Bearer {}", "x".repeat(256));
    for (value, taken) in [
        (whole("Bearer "), token),
        (whole("bearer "), token),
        (whole("BEARER  "), token),
        (long.clone(), &long[7..]),
    ] {
        assert_eq!(bearer(&headers(&[&value])), Ok(taken.as_bytes()), "{value}");
    }
    let twice = [whole("Bearer "), whole("Bearer ")];
    let twice = [twice[0].as_str(), twice[1].as_str()];
    assert_eq!(bearer(&headers(&twice)), Err(Failure::Malformed));
    for value in [
        "",
        "Bearer",
        "Bearer ",
        "Bearer a b",
        token,
        "Basic YTpi",
        "Bearer\tx",
        &format!("{long}x"),
    ] {
        assert_eq!(bearer(&headers(&[value])), Err(Failure::Malformed), "{value}");
    }
    assert_eq!(bearer(&HeaderMap::new()), Err(Failure::Missing));
}

#[test]
fn each_role_has_what_those_before_it_have() {
    let words = Role::ALL.map(|role| (role, role.as_str()));
    let access = access(&words);
    for (held, (_, word)) in words.iter().enumerate() {
        for (needed, role) in Role::ALL.into_iter().enumerate() {
            let expected = if held >= needed { 200 } else { 403 };
            assert_eq!(status(&access, &format!("Bearer {word}"), Some(role)), expected, "{word}");
        }
        assert_eq!(status(&access, &format!("Bearer {word}"), None), 200);
    }
    assert_eq!(status(&access, "Bearer reader", Some(Role::Metrics)), 401);
    assert_eq!(
        status(&access, "Bearer reader", None),
        200,
        "where nobody is asked nobody is refused"
    );
    let failures: Vec<u64> = access.failures().map(|(_, count)| count).collect();
    assert_eq!(failures, [0, 0, 1, 0, 6]);
}

#[test]
fn without_tokens_nobody_is_asked() {
    let access = access(&[]);
    for value in ["Bearer x", "nonsense"] {
        assert_eq!(status(&access, value, Some(Role::Admin)), 200, "{value}");
    }
    let caller = access.admit(&HeaderMap::new(), None, Some(Role::Admin), || NOW);
    assert!(caller.is_ok_and(|caller| caller == Caller::Anyone));
}

#[test]
fn other_tokens_hold_from_the_next_request_on() {
    let access = access(&[(Role::Write, "old"), (Role::Read, "other")]);
    let caller = access.admit(&headers(&["Bearer old"]), None, Some(Role::Read), || NOW).unwrap();
    assert!(access.still_knows(caller));
    access.set(vec![token(Role::Write, "old"), token(Role::Write, "new")], Exposed::default());
    assert_eq!(status(&access, "Bearer old", Some(Role::Write)), 200);
    assert_eq!(status(&access, "Bearer new", Some(Role::Write)), 200);
    assert_eq!(status(&access, "Bearer other", Some(Role::Metrics)), 401);
    assert!(access.still_knows(caller));
    access.set(vec![token(Role::Read, "old")], Exposed { http: true, peers: false });
    assert!(!access.still_knows(caller), "it has another role now");
    assert_eq!(status(&access, "Bearer new", Some(Role::Metrics)), 401);
    assert_eq!(access.exposed(), Exposed { http: true, peers: false });
}

#[test]
fn who_guesses_is_slowed_and_who_knows_is_not() {
    let access = access(&[(Role::Read, "good")]);
    let mut told: Vec<u16> = Vec::new();
    for guess in 0..8 {
        told.push(status(&access, &format!("Bearer guess-{guess}"), Some(Role::Read)));
        assert_eq!(status(&access, "Bearer good", Some(Role::Read)), 200);
    }
    assert_eq!(told, [401, 401, 401, 401, 401, 429, 429, 429]);
    let missing =
        access.admit(&HeaderMap::new(), "192.0.2.1:2".parse().ok(), Some(Role::Read), || NOW);
    assert!(
        missing.is_err_and(|problem| problem.code == Code::Unauthorized),
        "no token is no guess"
    );
    let elsewhere =
        access.admit(&headers(&["Bearer x"]), "192.0.2.2:1".parse().ok(), Some(Role::Read), || NOW);
    assert!(elsewhere.is_err_and(|problem| problem.code == Code::Unauthorized));
    let failures: Vec<u64> = access.failures().map(|(_, count)| count).collect();
    assert_eq!(failures, [1, 0, 6, 3, 0]);
}

#[test]
fn nothing_shows_a_token() {
    let access = access(&[(Role::Read, "gkv_secret")]);
    let caller = access.admit(&headers(&["Bearer gkv_secret"]), None, Some(Role::Read), || NOW);
    let Ok(Caller::Holder(token)) = caller else { panic!("it is known") };
    assert_eq!(format!("{access:?} {token:?}"), "Access(1 tokens) Token(read)");
    let refused = access.admit(&headers(&["Bearer gkv_guess"]), None, Some(Role::Read), || NOW);
    assert!(refused.is_err_and(|problem| !format!("{problem:?}").contains("gkv_")));
}
