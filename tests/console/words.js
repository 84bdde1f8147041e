// What the pages make of numbers, texts and streams, without a browser.
import assert from 'node:assert/strict';
import { events } from './console/events.js';
import { bytes, inert, inertLines, millis, minted, percent, rate, span } from './console/figures.js';
import { findings } from './console/findings.js';
import { hitRate, sample } from './console/history.js';
import { hitLevel, lagLevel, memoryLevel, persistLevel, ringLevel } from './console/levels.js';
import { beginning, jsonOf } from './console/value.js';

export async function words() {
  figures();
  texts();
  values();
  await streams();
  rates();
  troubles();
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
  store: 'main', sync_buffer_len: 3, sync_buffer_capacity: 8192, memory_bytes: 95, memory_limit_bytes: 100,
  operations: { put, delete: 0, touch: 0, get_hit: hits, get_miss: misses, list: 0 }, applied: { applied: 0 }, cache: { hits, misses }, cache_hit_rate: 0.5,
});
const state = (at, put, hits, misses, counts) => ({
  at, node: { origin: 'a', exposed_without_auth: { http: false }, certificates: {} }, actors: [], stores: [store(put, hits, misses)], readiness: { checks: [] }, convergence: {}, spread: {}, operations: [],
  requests: { bounds_seconds: [0.001, 0.01, 0.1], routes: [{ method: 'PUT', route: '/v1/kv/{store}/{key}', not_slower: counts }, { method: 'GET', route: '/v1/stream', not_slower: [0, 0, 9, 9] }] },
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

function troubles() {
  const ring = (length) => ringLevel({ sync_buffer_len: length, sync_buffer_capacity: 8192 });
  assert.deepEqual([999, 1000, 6553, 6554].map(ring), ['ok', 'warn', 'warn', 'bad']);
  assert.deepEqual([memoryLevel({ memory_bytes: 90, memory_limit_bytes: 100 }), memoryLevel({ memory_bytes: 91, memory_limit_bytes: 100 })], ['ok', 'warn']);
  assert.deepEqual([1, 2, 10, 10.1, null].map(lagLevel), ['ok', 'warn', 'warn', 'bad', 'bad']);
  const saved = (unsaved, at) => persistLevel({ persist: { failures: 1, unsaved_operations: unsaved, last_success: at } }, '2026-01-31T12:01:00.000Z');
  assert.deepEqual([saved(5, '2026-01-31T12:00:00.000Z'), saved(5, '2026-01-31T11:59:59.000Z'), saved(0, '2026-01-31T11:00:00.000Z')], ['ok', 'bad', 'ok']);
  assert.equal(persistLevel({ persist: null }, '2026-01-31T12:00:00.000Z'), 'ok', 'a volatile store');
  const cache = (hits, misses) => hitLevel({ cache: { hits, misses }, cache_hit_rate: hits / (hits + misses) });
  assert.deepEqual([cache(0, 1), cache(0, 900), cache(0, 901), cache(900, 100), cache(899, 101)], ['ok', 'ok', 'warn', 'ok', 'warn']);
  const now = state('2026-01-31T12:00:00.000Z', 0, 1, 1, [0, 0, 0, 0]);
  now.stores[0].cache = null;
  const views = { main: { pending: 14, lag_seconds: 9, frontier_covered: false, key_count: 1 } };
  now.cluster.peers = [{ name: 'n2', state: 'down', last_contact: '2026-01-31T11:59:48.000Z', addr: '127.0.0.1:7502', stores: views, missing_stores: [] }];
  now.node.exposed_without_auth.http = true;
  now.node.certificates = { peers: { expires_in_seconds: 3600 } };
  now.actors = [{ actor: 'storage', store: 'main', messages: 90, capacity: 100 }];
  now.convergence = { main: [{ name: 'n2', diverged_buckets: 2 }] };
  const found = findings(now, 'http://127.0.0.1:7401');
  assert.deepEqual(found.map(({ title }) => title), [
    'The certificate of peers ends in 1 h', 'n2 is down', 'Store main differs from that of n2',
    'Whoever reaches the http port may use it', 'The storage actor of main is behind', 'The memory of main is nearly used',
  ]);
  assert.ok(found[1].text.includes('Last heard 12 s ago') && found[1].text.includes('It lacks 14 operations of this node (main), the oldest 9.0 s old.'), found[1].text);
  assert.ok(found[1].text.endsWith('gridkv peers rm n2 --url http://127.0.0.1:7401'), found[1].text);

  // Of a peer that lacks nothing of this node: what others wrote.
  views.main = { pending: 0, lag_seconds: 0, frontier_covered: true, key_count: 1 };
  now.spread = { main: { n3: { n1: { at_most_seconds: 0.1, has_all: true }, n2: { at_most_seconds: 12, has_all: false } } } };
  const ofN2 = () => findings(now, '').find(({ title }) => title === 'n2 is down').text;
  assert.ok(ofN2().includes('It has all that was written here, but may lack what n3 wrote in the last 12 s'), ofN2());
  now.spread.main.n3.n2.has_all = true;
  assert.ok(ofN2().includes('It has all that was written here. '), ofN2());
}
