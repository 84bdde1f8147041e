// What the pages make of numbers, texts and streams, without a browser.
import assert from 'node:assert/strict';
import { events } from './console/events.js';
import { bytes, inert, inertLines, millis, minted, percent, rate, span } from './console/figures.js';
import { findings } from './console/findings.js';
import { errors, hitRate, sample } from './console/history.js';
import { errorLevel, hitLevel, lagLevel, memoryLevel, overflowLevel, persistLevel, ringLevel, skewLevel } from './console/levels.js';
import { beginning, jsonOf } from './console/value.js';

export async function words() {
  figures();
  texts();
  values();
  await streams();
  rates();
  failures();
  levels();
  troubles();
  peers();
  rarer();
}

function figures() {
  const table = [
    [span(0.42), '0.4 s'], [span(59), '59 s'], [span(3600), '1 h'], [span(93784), '1 d 2 h'], [span(200), '3 min 20 s'], [span(null), '–'],
    [bytes(0), '0 B'], [bytes(1023), '1023 B'], [bytes(1536), '1.5 KiB'], [bytes(200000), '195 KiB'], [bytes(null), '–'],
    [rate(0), '0'], [rate(1.25), '1.3'], [rate(12345.6), '12,346'], [percent(0.9), '90\u00a0%'], [percent(0.1234), '12.3\u00a0%'],
    [millis(0.00042), '0.42 ms'], [millis(0.25), '250 ms'], [millis(2.5), '2.5 s'],
    [minted('01a22b2741f90000-01aa84af6b0d180e'), 0x01a22b2741f9],
  ];
  for (const [found, expected] of table) assert.equal(found, expected);
}

function texts() {
  assert.equal(inert('plain/key é 漢 😀'), 'plain/key é 漢 😀');
  assert.equal(inert('a\u202eb\u0000c\nd\u{e0041}'), 'a\\u{202e}b\\u{0}c\\u{a}d\\u{e0041}');
  assert.equal(inertLines('a\nb\tc\r\u0007'), 'a\nb\tc\\u{d}\\u{7}');
  assert.equal(inert('x'.repeat(400)).length, 301);
}

function values() {
  const all = [{ a: [1, 2, {}], b: [], 'x y': 'q"\\,[]{}:', n: null, t: true, d: -1500.5 }, [], {}, [[], [[]]], { '': '' }, ['\\\\"', 'a\nb']];
  for (const one of all) for (const indent of [0, 3]) assert.equal(jsonOf(JSON.stringify(one, null, indent)), JSON.stringify(one, null, 2));
  assert.equal(jsonOf('{"2":12345678901234567890,"1":1.0,"k":1,"k":1e400}'), '{\n  "2": 12345678901234567890,\n  "1": 1.0,\n  "k": 1,\n  "k": 1e400\n}', 'as it is written');
  for (const none of ['{a:1}', '[1,]', 'text', `${'['.repeat(101)}${']'.repeat(101)}`]) assert.equal(jsonOf(none), null, none);
  const base64 = (bytes) => Buffer.from(bytes).toString('base64');
  assert.equal(beginning(undefined), '');
  assert.equal(beginning(base64('漢\u202e\n')), '漢\\u{202e}\\u{a}');
  // 360 bytes are looked at, which cuts the last of these characters.
  assert.equal(beginning(base64(`a${'漢'.repeat(200_000)}`)), `a${'漢'.repeat(119)}`, 'a large text is one, wherever it is cut');
  assert.equal(beginning(base64([0xff, 0x00, 0x41])), 'ff 00 41');
}

async function streams() {
  const text = 'retry: 2000\n\nevent: reader\ndata: {"role":"read"}\n\n: ping\nid: 1\n\nevent: state\ndata: {"a":"\u00e9"}\n\nevent: cut\ndata: {';
  const all = new TextEncoder().encode(text);
  for (const size of [1, 7, all.length]) {
    const body = new ReadableStream({
      start(controller) {
        for (let at = 0; at < all.length; at += size) controller.enqueue(all.subarray(at, at + size));
        controller.close();
      },
    });
    const found = [];
    for await (const event of events({ body })) if (event.data) found.push(event);
    assert.deepEqual(found, [{ name: 'reader', data: { role: 'read' } }, { name: 'state', data: { a: 'é' } }]);
  }
}

const store = (put, hits, misses) => ({
  store: 'main', sync_buffer_len: 3, sync_buffer_capacity: 8192, sync_buffer_overwritten: 0, sync_buffer_overflowed_at: null, tombstones: 0, memory_bytes: 95, memory_limit_bytes: 100,
  operations: { put, delete: 0, touch: 0, get_hit: hits, get_miss: misses, list: 0 }, applied: { applied: 0, collision: 0 }, cache: { hits, misses }, cache_hit_rate: 0.5,
});
const state = (at, put, hits, misses, counts, codes = {}) => ({
  at, node: { name: 'n1', origin: 'a', started_at: '2026-01-31T09:00:00.000Z', clock: { fenced: false }, exposed_without_auth: { http: false }, certificates: {} }, actors: [], stores: [store(put, hits, misses)], readiness: { checks: [] }, convergence: {}, purging: {}, spread: {}, operations: [],
  requests: { bounds_seconds: [0.001, 0.01, 0.1], routes: [{ method: 'PUT', route: '/v1/kv/{store}/{key}', codes, not_slower: counts }, { method: 'GET', route: '/readyz', codes: { 503: 9 * put }, not_slower: [0, 0, 9, 9] }] },
  cluster: { self: { name: 'n1' }, peers: [] },
});

function rates() {
  const first = state('2026-01-31T12:00:00.000Z', 10, 0, 0, [0, 0, 0, 0]);
  const second = state('2026-01-31T12:00:02.000Z', 30, 8, 2, [0, 90, 100, 100]);
  const found = sample(first, second);
  assert.deepEqual([found.writes, found.reads, found.ops, found.buffer], [10, 5, 15, 3]);
  assert.ok(Math.abs(found.p99 - (0.01 + 0.09 * 0.9)) < 1e-9, `${found.p99}`);
  assert.equal(hitRate([found]), 0.8);
  assert.equal(sample(null, second).ops, null, 'one state alone has no rate');
  assert.equal(sample({ ...first, node: { origin: 'b' } }, second).ops, null, 'nor has another run of the node');
  assert.equal(sample(second, { ...second, at: '2026-01-31T12:00:03.000Z' }).p99, null, 'no request');
}

function failures() {
  const first = state('2026-01-31T12:00:00.000Z', 1, 0, 0, [0, 0, 0, 0], { 204: 100, 503: 5 });
  const second = state('2026-01-31T12:00:01.000Z', 2, 0, 0, [0, 0, 0, 0], { 204: 180, 503: 5, 507: 1 });
  const samples = [sample(null, first), sample(first, second), sample(second, second)];
  assert.deepEqual(errors(samples), { answered: 90, failed: 1, codes: { 507: 1 } }, 'nine times 503 at /readyz are answers');
  const [found] = findings({ ...second, stores: [] }, '', samples);
  assert.deepEqual([found.kind, found.title, found.alert], ['bad', 'Requests to this node fail', 'GridKVHighErrorRate']);
  assert.ok(found.text.startsWith('1 of the 90 answers of the last two minutes, 1.1\u00a0%: 1 × 507 (the memory'), found.text);
  assert.deepEqual([errorLevel(0, 0), errorLevel(100, 1), errorLevel(99, 1)], ['ok', 'ok', 'bad']);
}

function levels() {
  const ring = (length) => ringLevel({ sync_buffer_len: length, sync_buffer_capacity: 8192 });
  assert.deepEqual([999, 1000, 6553, 6554].map(ring), ['ok', 'warn', 'warn', 'bad']);
  assert.deepEqual([memoryLevel({ memory_bytes: 90, memory_limit_bytes: 100 }), memoryLevel({ memory_bytes: 91, memory_limit_bytes: 100 })], ['ok', 'warn']);
  assert.deepEqual([1, 2, 10, 10.1, null].map(lagLevel), ['ok', 'warn', 'warn', 'bad', 'bad']);
  const saved = (unsaved, at) => persistLevel({ persist: { failures: 1, unsaved_operations: unsaved, last_success: at } }, '2026-01-31T12:01:00.000Z');
  assert.deepEqual([saved(5, '2026-01-31T12:00:00.000Z'), saved(5, '2026-01-31T11:59:59.000Z'), saved(0, '2026-01-31T11:00:00.000Z')], ['ok', 'bad', 'ok']);
  assert.equal(persistLevel({ persist: null }, '2026-01-31T12:00:00.000Z'), 'ok', 'a volatile store');
  const cache = (hits, misses) => hitLevel({ cache: { hits, misses }, cache_hit_rate: hits / (hits + misses) });
  assert.deepEqual([cache(0, 1), cache(0, 900), cache(0, 901), cache(900, 100), cache(899, 101)], ['ok', 'ok', 'warn', 'ok', 'warn']);
  const overflown = (at) => overflowLevel({ sync_buffer_overflowed_at: at }, '2026-01-31T12:10:00.000Z');
  assert.deepEqual([null, '2026-01-31T12:00:00.000Z', '2026-01-31T12:00:00.001Z'].map(overflown), ['ok', 'ok', 'warn'], 'for ten minutes');
  assert.deepEqual([null, 1000, 1001, -1001].map(skewLevel), ['ok', 'ok', 'warn', 'warn']);
}

function troubles() {
  const now = state('2026-01-31T12:00:00.000Z', 0, 1, 1, [0, 0, 0, 0]);
  now.stores[0].cache = null;
  const views = { main: { pending: 14, lag_seconds: 9, frontier_covered: false, key_count: 1 } };
  now.cluster.peers = [{ name: 'n2', state: 'down', last_contact: '2026-01-31T11:59:48.000Z', addr: '127.0.0.1:7502', clock_skew_ms: 5000, ready: true, trouble: { reason: 'hung', detail: 'it hangs; look', since: '2026-01-31T11:59:50.000Z' }, stores: views, missing_stores: [] }];
  now.node.exposed_without_auth.http = true;
  now.node.certificates = { peers: { expires_in_seconds: 3600 } };
  now.actors = [{ actor: 'storage', store: 'main', messages: 90, capacity: 100 }];
  now.convergence = { main: [{ name: 'n2', diverged_buckets: 2 }] };
  const found = findings(now, 'http://127.0.0.1:7401', []);
  assert.deepEqual(found.map(({ title }) => title), [
    'The certificate of peers ends in 1 h', 'n2 is down', 'Store main differs from that of n2',
    'Whoever reaches the http port may use it', 'The storage actor of main is behind', 'The memory of main is nearly used',
  ]);
  assert.ok(found[1].text.includes('at 127.0.0.1:7502. It hangs; look. It lacks'), found[1].text);
  assert.equal(found[1].alert, 'GridKVPeerDown');
  assert.ok(found[1].text.includes('Last heard 12 s ago') && found[1].text.includes('It lacks 14 operations of this node (main), the oldest 9.0 s old.'), found[1].text);
  assert.ok(found[1].text.endsWith('gridkv peers rm n2 --url http://127.0.0.1:7401'), found[1].text);

  // Of a peer that lacks nothing of this node: what others wrote.
  views.main = { pending: 0, lag_seconds: 0, frontier_covered: true, key_count: 1 };
  now.spread = { main: { n3: { n1: { at_most_seconds: 0.1, has_all: true }, n2: { at_most_seconds: 12, has_all: false } } } };
  const ofN2 = () => findings(now, '', []).find(({ title }) => title === 'n2 is down').text;
  assert.ok(ofN2().includes('It has all that was written here, but may lack what n3 wrote in the last 12 s'), ofN2());
  now.spread.main.n3.n2.has_all = true;
  assert.ok(ofN2().includes('It has all that was written here. '), ofN2());
}

// Of one that is up, and of what seldom happens.
const peer = (more) => ({
  name: 'n2', state: 'up', last_contact: '2026-01-31T12:00:00.000Z', addr: 'b:1', clock_skew_ms: 0, ready: true, trouble: null, missing_stores: [],
  stores: { main: { pending: 0, lag_seconds: 0, frontier_covered: true, key_count: 1 } }, ...more,
});

function told(change, samples = []) {
  const now = state('2026-01-31T12:00:00.000Z', 0, 0, 0, [0, 0, 0, 0]);
  Object.assign(now.stores[0], { memory_bytes: 1, cache: null });
  change(now);
  return findings(now, 'http://n1', samples);
}

function peers() {
  const of = (more) => told((now) => now.cluster.peers.push(peer(more)));
  assert.deepEqual(of({}), []);
  const trouble = (since) => ({ trouble: { reason: 'connection_refused', detail: 'its address refuses', since } });
  assert.deepEqual(of(trouble('2026-01-31T11:59:59.000Z')), [], 'a link that is just made anew');
  const lagging = { main: { pending: 7, lag_seconds: 30, frontier_covered: false, key_count: 1 } };
  const [oneWay] = of({ ...trouble('2026-01-31T11:59:30.000Z'), stores: lagging });
  assert.deepEqual([oneWay.kind, oneWay.title, oneWay.alert], ['bad', 'n2 is not reached from here', 'GridKVReplicationLag']);
  assert.ok(oneWay.text.includes('at b:1, for 30 s. Its address refuses. It lacks 7 operations'), oneWay.text);
  assert.equal(of({ stores: lagging })[0].title, 'n2 lags');
  const [skewed] = of({ clock_skew_ms: -1500 });
  assert.deepEqual([skewed.title, skewed.alert], ['The clocks of n1 and n2 differ', 'GridKVClockSkew']);
  assert.ok(skewed.text.startsWith('That of n2 is 1.5 s behind.'), skewed.text);
  assert.deepEqual([of({ ready: false })[0].title, of({ ready: null }).length], ['n2 is up and takes no writes', 0]);
}

function rarer() {
  const unready = (name, more = {}) => told((now) => {
    now.readiness.checks.push({ name, ok: false, detail: 'why' });
    Object.assign(now.node.clock, more);
  })[0];
  assert.deepEqual([unready('clock', { fenced: true }).title, unready('clock', { fenced: true }).alert], ['This node takes no writes: its clock is wrong', 'GridKVClockFenced']);
  assert.equal(unready('clock').title, 'This node is not ready: clock');
  assert.equal(unready('drain').title, 'This node takes no writes: it drains');
  assert.deepEqual([unready('actors').alert, unready('store:main').alert], ['GridKVActorStuck', 'GridKVNotReady']);

  const [over] = told(({ stores: [main] }) => Object.assign(main, { sync_buffer_overwritten: 40, sync_buffer_overflowed_at: '2026-01-31T11:55:00.000Z' }));
  assert.deepEqual([over.title, over.alert], ['The sync buffer of main overflowed', 'GridKVSyncOperationsOverwritten']);
  assert.ok(over.text.startsWith('5 min ago, the last time; 40 operations'), over.text);
  assert.equal(told(({ stores: [main] }) => (main.applied.collision = 1))[0].alert, 'GridKVCollision');

  const kept = (upto, tombstones, more = {}) => told((now) => {
    now.cluster.peers.push(peer(more));
    now.stores[0].tombstones = tombstones;
    now.purging.main = { upto, held_back_by: 'n2' };
  }).filter(({ alert }) => alert === 'GridKVPurgeHeldBack');
  const ago = '2026-01-31T10:59:59.000Z';
  assert.deepEqual([kept('2026-01-31T11:00:00.000Z', 3), kept(ago, 0)], [[], []]);
  assert.ok(kept(ago, 3)[0].text.startsWith('Nothing could be purged for 1 h (main): 3 tombstones'), kept(ago, 3)[0].text);
  assert.ok(kept(null, 3, { state: 'down' })[0].text.endsWith('by gridkv peers rm n2 --url http://n1'), 'since the start');
}
