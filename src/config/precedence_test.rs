//! Which layer wins, for every kind of key, and what the stores become.

use super::trial_test::Trial;
use super::*;

#[test]
fn later_layers_win() {
    let file = "[http]\nlisten = '127.0.0.1:1001'\nworkers = 3\n[node]\ncluster = 'file'\n";
    let trial = || Trial::default().file(file);
    assert_eq!(Trial::default().config().http.listen.port(), 7400);
    assert_eq!(trial().config().http.listen.port(), 1001);
    let env = || trial().variable("GRIDKV_HTTP__LISTEN", "127.0.0.1:1002");
    assert_eq!(env().config().http.listen.port(), 1002);
    let flag = env().typed(&["--listen", "127.0.0.1:1003"]).config();
    assert_eq!(flag.http.listen.port(), 1003);
    assert_eq!(flag.http.workers, NonZeroUsize::new(3), "what nobody overrides stays");
    assert_eq!(flag.node.cluster, "file");
}

#[test]
fn every_flag_sets_its_key() {
    let config = Trial::default()
        .typed(&[
            "--name",
            "n1",
            "--cluster",
            "c",
            "--data-dir",
            "/d",
            "--listen",
            "127.0.0.1:1",
            "--peer-listen",
            "127.0.0.1:2",
            "--advertise",
            "n1:3",
            "--join",
            "n2:4",
            "--join",
            "[::1]:5",
            "--bootstrap",
            "--store",
            "a=memory",
            "--store",
            "b=file",
            "--log-level",
            "warn,a=trace",
            "--log-format",
            "json",
        ])
        .config();
    assert_eq!(config.node.name, "n1");
    assert_eq!(config.node.cluster, "c");
    assert_eq!(config.node.data_dir, Some(PathBuf::from("/d")));
    assert_eq!(config.http.listen.port(), 1);
    assert_eq!(config.peers.listen.port(), 2);
    assert_eq!(config.peers.advertise.unwrap().to_string(), "n1:3");
    let seeds: Vec<String> = config.peers.seeds.iter().map(ToString::to_string).collect();
    assert_eq!(seeds, ["n2:4", "[::1]:5"]);
    assert!(config.peers.bootstrap);
    assert_eq!(config.stores.keys().collect::<Vec<_>>(), ["a", "b"]);
    assert_eq!(config.log.level.to_string(), "warn,a=trace");
    assert_eq!(config.log.format, Format::Json);
}

#[test]
fn every_flag_of_the_table_can_be_typed() {
    use clap::CommandFactory as _;
    let command = crate::cli::Cli::command();
    command.clone().debug_assert();
    let serve = command.find_subcommand("serve").unwrap();
    let known: Vec<String> =
        serve.get_arguments().filter_map(|a| a.get_long()).map(|l| format!("--{l}")).collect();
    for key in keys::all() {
        assert!(key.flag.is_none_or(|flag| known.iter().any(|k| k == flag)), "{}", key.path);
    }
}

#[test]
fn environment_spells_numbers_lists_and_truth_as_text() {
    let config = Trial::default()
        .variable("GRIDKV_PEERS__SEEDS", "n1:1, n2:2")
        .variable("GRIDKV_PEERS__BOOTSTRAP", "true")
        .variable("GRIDKV_HTTP__MAX_KEY_BYTES", "4_096")
        .variable("GRIDKV_HTTP__HEAD_TIMEOUT", "7")
        .variable("GRIDKV_NODE__DATA_DIR", "")
        .variable("GRIDKV_STORES__A__B__BACKEND", "memory")
        .variable("GRIDKV_STORES__A-C__BACKEND", "memory")
        .variable("GRIDKV_STORES__A-C__SYNC__BUFFER_SIZE", "16")
        .variable("PATH", "/bin")
        .config();
    assert_eq!(config.peers.seeds.len(), 2);
    assert!(config.peers.bootstrap);
    assert_eq!(config.http.max_key_bytes, 4_096);
    assert_eq!(config.http.head_timeout, Duration::from_secs(7));
    assert_eq!(config.node.data_dir, None);
    assert_eq!(config.stores.keys().collect::<Vec<_>>(), ["a-c", "a__b"]);
    assert_eq!(config.stores["a-c"].sync.buffer_size, 16);
    assert_eq!(config.stores["a__b"].sync.buffer_size, 8_192);
    let none = Trial::default()
        .file("[peers]\nseeds = ['n1:1']")
        .variable("GRIDKV_PEERS__SEEDS", "")
        .config();
    assert!(none.peers.seeds.is_empty(), "an empty list covers the one below");
}

#[test]
fn naming_any_store_replaces_the_default_set() {
    let names = |trial: Trial| trial.config().stores.into_keys().collect::<Vec<_>>();
    let memory = "backend = 'memory'";
    assert_eq!(names(Trial::default()), ["main"]);
    assert_eq!(names(Trial::default().file("[stores]")), ["main"]);
    assert_eq!(names(Trial::default().file(&format!("[stores.a]\n{memory}"))), ["a"]);
    assert_eq!(names(Trial::default().variable("GRIDKV_STORES__A__BACKEND", "memory")), ["a"]);
    assert_eq!(names(Trial::default().typed(&["--store", "a=memory"])), ["a"]);
    let both =
        Trial::default().file(&format!("[stores.a]\n{memory}")).typed(&["--store", "b=file"]);
    assert_eq!(names(both), ["a", "b"], "layers add to each other");
    let moved = Trial::default()
        .file("[stores.a]\nbackend = 'file'\nmax_memory_mb = 7")
        .typed(&["--store", "a=memory"])
        .config();
    assert_eq!(moved.stores["a"].backend, "memory");
    assert_eq!(moved.stores["a"].max_memory_bytes, Some(7 << 20));
}

#[test]
fn stores_get_what_their_backend_obeys() {
    let config = Trial::default()
        .file(
            "[sync]\nlog_bytes = 8192\n[stores.f]\nbackend = 'file'\npersist_interval = 2\n\
             default_ttl = '30m'\n[stores.f.sync]\nbatch_max_ops = 9\n\
             [stores.m]\nbackend = 'memory'\nmemory_policy = 'reject'",
        )
        .config();
    let (file, memory) = (&config.stores["f"], &config.stores["m"]);
    let disk = file.disk.clone().unwrap();
    assert_eq!(disk.durability, Durability::Interval);
    assert_eq!(disk.persist_interval, Duration::from_secs(2));
    assert_eq!(file.default_ttl, Some(Duration::from_mins(30)));
    assert_eq!((file.sync.log_bytes, file.sync.batch_max_ops), (8_192, 9));
    assert_eq!(memory.disk, None);
    assert_eq!(memory.default_ttl, None);
    assert_eq!(memory.memory_policy, MemoryPolicy::Reject);
    assert_eq!((memory.sync.log_bytes, memory.sync.batch_max_ops), (8_192, 512));
}

#[test]
fn a_directory_of_a_file_is_beside_it_and_one_of_who_starts_the_node_is_where_that_is() {
    let dir = |trial: Trial| trial.config().node.data_dir.unwrap();
    let file = || Trial::default().file("[node]\ndata_dir = \"d\"\n");
    assert!(dir(file()).is_absolute() && dir(file()).ends_with("d"));
    assert_eq!(dir(file().variable("GRIDKV_NODE__DATA_DIR", "e")), PathBuf::from("e"));
    assert_eq!(dir(file().typed(&["--data-dir", "f"])), PathBuf::from("f"));
    assert_eq!(dir(Trial::default().file("")), PathBuf::from("./data"));
    let whole = Trial::default().file("[node]\ndata_dir = \"/d\"\n");
    assert_eq!(dir(whole), PathBuf::from("/d"));
    let none = "[node]\ndata_dir = \"\"\n[stores.main]\nbackend = \"memory\"\n";
    assert_eq!(Trial::default().file(none).config().node.data_dir, None);
}

#[test]
fn the_host_name_is_the_default_name() {
    assert_eq!(Trial::default().host("web-7.example").config().node.name, "web-7.example");
    let named = Trial::default().host("no good").typed(&["--name", "n1"]);
    assert_eq!(named.config().node.name, "n1");
}

#[test]
fn what_is_printed_holds_and_says_who_said_so() {
    let trial = || {
        Trial::default()
            .file("[http]\nworkers = 3\n[stores.a]\nbackend = 'file'\nsync.buffer_size = 5")
            .variable("GRIDKV_PEERS__SEEDS", "n1:1,n2:2")
            .variable("GRIDKV_NODE__DATA_DIR", "/srv/a \"b\"\\c")
            .typed(&["--name", "n9", "--store", "z=memory"])
    };
    let loaded = trial().load().unwrap();
    let text = loaded.to_toml();
    let lines: Vec<String> =
        text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
    for line in [
        "name = \"n9\" # flag",
        "cluster = \"gridkv\" # default",
        "workers = 3 # file",
        "seeds = [\"n1:1\", \"n2:2\"] # environment",
        "[stores.a.sync]",
        "buffer_size = 5 # file",
        "backend = \"memory\" # flag",
        "persist_interval = \"5s\" # default",
    ] {
        assert!(lines.iter().any(|l| l == line), "{line} is missing in\n{text}");
    }
    assert!(!text.contains("[stores.z.sync]"), "{text}");
    assert_eq!(Trial::default().file(&text).config(), loaded.config, "{text}");
}
