//! Addresses that another machine dials: what is taken, and what an operator gets wrong.

use super::*;

#[test]
fn takes_names_and_addresses() {
    for text in [
        "127.0.0.1:7500",
        "node-1.example:7500",
        "n1:1",
        "n1.example.:1",
        "my_host:65535",
        "[::1]:7500",
    ] {
        assert_eq!(text.parse::<HostPort>().unwrap().to_string(), text);
    }
    assert!("[::1]:7500".parse::<HostPort>().unwrap().ip().is_some());
    assert!("n1:7500".parse::<HostPort>().unwrap().ip().is_none());
}

#[test]
fn refuses_the_rest() {
    let table = [
        "",
        "n1",
        ":7500",
        "n1:",
        "n1:0",
        "n1:65536",
        "n1:+75",
        "n1:port",
        "::1:7500",
        "[::1]",
        "[n1]:7500",
        "http://n1:7500",
        "n1:7500/",
        "n 1:7500",
        "10.0.0.300:7500",
        "1.2.3:7500",
        "7500:7500",
        "a..b:7500",
        "-n1:7500",
        "n1:7500,n2:7500",
        "n1..:7500",
    ];
    for text in table {
        assert_eq!(text.parse::<HostPort>(), Err(NotHostPort), "{text}");
    }
    assert!(format!("{}:1", "a".repeat(254)).parse::<HostPort>().is_err());
}
