// What is wrong, in words, and what to do about it: from one state of the node, and where that node is.
import { bytes, count, percent, since, span, time } from './figures.js';
import { HIT_RATE, RING_DEEP, certificateLevel, hitLevel, lagLevel, mailboxLevel, memoryLevel, persistLevel, ringLevel } from './levels.js';

// Findings, the worst first: { kind, title, text }.
export function findings(state, url) {
  const found = [
    ...state.readiness.checks.filter(({ ok, detail }) => !ok || detail).map(unready),
    ...ofNode(state),
    ...state.cluster.peers.flatMap((peer) => ofPeer(peer, state, url)),
    ...state.stores.flatMap((store) => ofStore(store, state.at)),
  ];
  const rank = { bad: 0, warn: 1 };
  return found.sort((one, other) => rank[one.kind] - rank[other.kind]);
}

function unready({ name, ok, detail }) {
  const title = ok ? `About this node: ${name}` : `This node is not ready: ${name}`;
  return { kind: ok ? 'warn' : 'bad', title, text: detail ? `${detail[0].toUpperCase()}${detail.slice(1)}.` : 'See its log.' };
}

function ofNode({ node, actors }) {
  const found = [];
  for (const [listener, is] of Object.entries(node.exposed_without_auth)) {
    if (is) {
      found.push({
        kind: 'warn',
        title: `Whoever reaches the ${listener} port may use it`,
        text: 'It listens beyond this machine and asks for no proof, or for one in clear. gridkv init makes tokens and certificates.',
      });
    }
  }
  for (const [listener, { expires_in_seconds: left }] of Object.entries(node.certificates)) {
    const kind = certificateLevel(left);
    if (kind !== 'ok') {
      const when = left > 0 ? `ends in ${span(left)}` : 'has ended';
      found.push({ kind, title: `The certificate of ${listener} ${when}`, text: 'gridkv init --renew makes a new one; the node takes it within 30 s.' });
    }
  }
  for (const actor of actors.filter((one) => mailboxLevel(one) !== 'ok')) {
    found.push({
      kind: 'warn',
      title: `The ${actor.actor} actor of ${actor.store} is behind`,
      text: `${count(actor.messages)} of ${count(actor.capacity)} operations wait; at the end of it writes are refused with 503. Look at the disk.`,
    });
  }
  return found;
}

function ofPeer(peer, state, url) {
  const found = [];
  const waiting = Object.entries(peer.stores).filter(([, store]) => store.pending > 0 || !store.frontier_covered);
  if (peer.state !== 'up') {
    const heard = peer.last_contact ? `Last heard ${span(since(peer.last_contact, state.at))} ago (${time(peer.last_contact)})` : 'Never heard since this node started';
    const advice = peer.state === 'down'
      ? `Look whether its process runs: if not, the end of its log says why, and it can be started; if it does, it hangs, or the network between the two is cut. Once it is heard it catches up by itself. Only if it is gone for good, forget it: gridkv peers rm ${peer.name} --url ${url}`
      : 'It may only be slow: look again in some seconds.';
    found.push({
      kind: peer.state === 'down' ? 'bad' : 'warn',
      title: `${peer.name} is ${peer.state}`,
      text: `${heard}, at ${peer.addr}. ${waiting.length > 0 ? lacks(waiting) : lacksOfOthers(peer, state)} ${advice}`,
    });
  } else if (waiting.some(([, store]) => store.lag_seconds >= 2)) {
    found.push({
      kind: waiting.some(([, store]) => lagLevel(store.lag_seconds) === 'bad') ? 'bad' : 'warn',
      title: `${peer.name} lags`,
      text: `It is heard, and slow to take what is written here. ${lacks(waiting)} Look at its CPU, its disk and its own console.`,
    });
  }
  for (const { store, diverged_buckets: buckets } of divergences(peer, state)) {
    found.push({
      kind: 'bad',
      title: `Store ${store} differs from that of ${peer.name}`,
      text: `In ${count(buckets)} of 4,096 parts, although both have seen the same. It is merged by itself; if it stays, fill the node that is wrong anew (Operations, full sync).`,
    });
  }
  return found;
}

function divergences(peer, state) {
  return Object.entries(state.convergence).flatMap(([store, peers]) =>
    peers.filter(({ name, diverged_buckets: buckets }) => name === peer.name && buckets > 0).map((one) => ({ store, ...one })),
  );
}

function lacks(waiting) {
  if (waiting.length === 0) return 'It has all that was written here.';
  const operations = waiting.reduce((all, [, store]) => all + store.pending, 0);
  const oldest = Math.max(...waiting.map(([, store]) => store.lag_seconds));
  const what = operations > 0 ? `${count(operations)} operation${operations === 1 ? '' : 's'}` : 'some of what was written in an earlier run';
  return `It lacks ${what} of this node (${waiting.map(([name]) => name).join(', ')}), the oldest ${span(oldest)} old.`;
}

// Of a peer that has all that was written here, what it did not say that it has of others: in the console of a node that
// takes no writes it would else look as if nothing were missing.
function lacksOfOthers(peer, { spread }) {
  const writers = new Map();
  for (const written of Object.values(spread)) {
    for (const [writer, { [peer.name]: view }] of Object.entries(written)) {
      if (view && !view.has_all && view.at_most_seconds >= 2) writers.set(writer, Math.max(view.at_most_seconds, writers.get(writer) ?? 0));
    }
  }
  if (writers.size === 0) return lacks([]);
  const names = [...writers.keys()].join(', ');
  return `It has all that was written here, but may lack what ${names} wrote in the last ${span(Math.max(...writers.values()))}: the console of ${names} says how much.`;
}

function ofStore(store, at) {
  const found = [];
  const name = store.store;
  if (ringLevel(store) !== 'ok') {
    found.push({
      kind: ringLevel(store),
      title: `The sync buffer of ${name} fills`,
      text: `${count(store.sync_buffer_len)} of ${count(store.sync_buffer_capacity)} operations; it should stay below ${count(RING_DEEP)}. If it overflows nothing is lost, and peers fetch the rest by catch-up.`,
    });
  }
  if (hitLevel(store) !== 'ok') {
    found.push({
      kind: 'warn',
      title: `The cache of ${name} misses`,
      text: `${percent(store.cache_hit_rate)} of the reads since the start were hits; ${percent(HIT_RATE)} is the aim. Give it more memory, or expect as much.`,
    });
  }
  if (memoryLevel(store) !== 'ok') {
    found.push({
      kind: 'warn',
      title: `The memory of ${name} is nearly used`,
      text: `${bytes(store.memory_bytes)} of ${bytes(store.memory_limit_bytes)}. Raise max_memory_mb, or let values expire.`,
    });
  }
  if (persistLevel(store, at) !== 'ok') {
    const { unsaved_operations: unsaved, last_success: last, failures } = store.persist;
    found.push({
      kind: persistLevel(store, at),
      title: `Writes to ${name} do not reach its disk`,
      text: `${count(unsaved)} are not there, and no run has ended well for ${span(since(last, at))}${failures > 0 ? ` (${count(failures)} failed since the start)` : ''}. A power cut now would take them from this node: the disk is full, slow or failing. Its log says more.`,
    });
  }
  if (store.rolled_back) {
    found.push({
      kind: 'bad',
      title: `${name} came back with less than was on the disk`,
      text: 'Something ignores fsync, or a backup was put back. Peers give it back; look at the disk.',
    });
  }
  return found;
}
