// What is wrong with a peer, as this node sees it: that it is not heard or not reached, and why; that it lags or differs.
import { count, since, span, time } from './figures.js';
import { LAG_SHOWN, lagLevel, skewLevel } from './levels.js';

export function ofPeer(peer, state, url) {
  return [...ofLink(peer, state, url), ...ofClock(peer, state), ...ofReadiness(peer), ...ofContents(peer, state)];
}

const sentence = (text) => `${text[0].toUpperCase()}${text.slice(1)}.`;

function ofLink(peer, state, url) {
  const { name, addr, trouble } = peer;
  const waiting = Object.entries(peer.stores).filter(([, store]) => store.pending > 0 || !store.frontier_covered);
  const lags = waiting.some(([, store]) => store.lag_seconds >= LAG_SHOWN);
  const badly = waiting.some(([, store]) => lagLevel(store.lag_seconds) === 'bad');
  if (peer.state !== 'up') {
    const heard = peer.last_contact ? `Last heard ${span(since(peer.last_contact, state.at))} ago (${time(peer.last_contact)})` : 'Never heard since this node started';
    const why = trouble ? sentence(trouble.detail) : 'Why is not known yet.';
    const advice = peer.state === 'down'
      ? `Once it is heard it catches up by itself. Only if it is gone for good, forget it, on the page Operations or by gridkv peers rm ${name} --url ${url}`
      : 'It may only be slow: look again in some seconds.';
    return [{
      kind: peer.state === 'down' ? 'bad' : 'warn',
      title: `${name} is ${peer.state}`,
      text: `${heard}, at ${addr}. ${why} ${waiting.length > 0 ? lacks(waiting) : lacksOfOthers(peer, state)} ${advice}`,
      alert: 'GridKVPeerDown',
    }];
  }
  if (trouble && since(trouble.since, state.at) >= LAG_SHOWN) {
    return [{
      kind: badly ? 'bad' : 'warn',
      title: `${name} is not reached from here`,
      text: `It is heard, because it reaches this node; but what is written here does not get to it at ${addr}, for ${span(since(trouble.since, state.at))}. ${sentence(trouble.detail)} ${lacks(waiting)}`,
      alert: badly ? 'GridKVReplicationLag' : undefined,
    }];
  }
  if (!lags) return [];
  return [{
    kind: badly ? 'bad' : 'warn',
    title: `${name} lags`,
    text: `It is heard, and slow to take what is written here. ${lacks(waiting)} Look at its CPU, its disk and its own console.`,
    alert: badly ? 'GridKVReplicationLag' : undefined,
  }];
}

// Of one that is not up it is the clock of a while ago.
function ofClock({ name, state: is, clock_skew_ms: skew }, { node }) {
  if (is !== 'up' || skewLevel(skew) === 'ok') return [];
  return [{
    kind: 'warn',
    title: `The clocks of ${node.name} and ${name} differ`,
    text: `That of ${name} is ${span(Math.abs(skew) / 1000)} ${skew > 0 ? 'ahead' : 'behind'}. Of two concurrent writes no longer the later one stands, and keys expire early or late. Look at the time service of both machines (chronyc tracking, timedatectl); the other nodes’ consoles say whose is wrong. A report that comes late makes a clock look slow.`,
    alert: 'GridKVClockSkew',
  }];
}

function ofReadiness({ name, state: is, ready }) {
  if (is !== 'up' || ready !== false) return [];
  return [{
    kind: 'warn',
    title: `${name} is up and takes no writes`,
    text: 'It is being filled by its peers, it stops, or its clock is fenced: its own console or its /readyz says which, and what to do.',
    alert: 'GridKVNotReady',
  }];
}

function ofContents({ name }, { convergence }) {
  const differs = Object.entries(convergence).flatMap(([store, peers]) =>
    peers.filter((peer) => peer.name === name && peer.diverged_buckets > 0).map(({ diverged_buckets: buckets }) => [store, buckets]),
  );
  return differs.map(([store, buckets]) => ({
    kind: 'bad',
    title: `Store ${store} differs from that of ${name}`,
    text: `In ${count(buckets)} of 4,096 parts, although both have seen the same. It is merged by itself; if it stays, fill the node that is wrong anew (Operations, full sync).`,
    alert: 'GridKVBucketsDiverged',
  }));
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
      if (view && !view.has_all && view.at_most_seconds >= LAG_SHOWN) writers.set(writer, Math.max(view.at_most_seconds, writers.get(writer) ?? 0));
    }
  }
  if (writers.size === 0) return lacks([]);
  const names = [...writers.keys()].join(', ');
  return `It has all that was written here, but may lack what ${names} wrote in the last ${span(Math.max(...writers.values()))}: the console of ${names} says how much.`;
}
