// What is wrong, in words, and what to do about it: from one state of the node, where that node is, and its last two
// minutes.
import { count, percent, since, span } from './figures.js';
import { errors } from './history.js';
import { PURGE_SECONDS, certificateLevel, errorLevel, mailboxLevel } from './levels.js';
import { ofPeer } from './findings-peer.js';
import { ofStore } from './findings-store.js';

// Findings, the worst first: { kind, title, text, alert }; the alert is that of docs/alerts.md, where there is one.
export function findings(state, url, samples) {
  const found = [
    ...state.readiness.checks.filter(({ ok, detail }) => !ok || detail).map((check) => unready(check, state.node)),
    ...ofNode(state),
    ...ofRequests(samples),
    ...state.cluster.peers.flatMap((peer) => ofPeer(peer, state, url)),
    ...state.stores.flatMap((store) => ofStore(store, state.at)),
    ...ofPurging(state, url),
  ];
  const rank = { bad: 0, warn: 1 };
  return found.sort((one, other) => rank[one.kind] - rank[other.kind]);
}

function unready({ name, ok, detail }, node) {
  const text = detail ? `${detail[0].toUpperCase()}${detail.slice(1)}.` : 'See its log.';
  if (ok) return { kind: 'warn', title: `About this node: ${name}`, text };
  if (name === 'clock' && node.clock.fenced) {
    return {
      kind: 'bad',
      title: 'This node takes no writes: its clock is wrong',
      text: `${text} Its versions would win over everybody’s for as long as it is ahead. Reads go on.`,
      alert: 'GridKVClockFenced',
    };
  }
  if (name === 'drain') {
    return {
      kind: 'bad',
      title: 'This node takes no writes: it drains',
      text: `${text} Somebody asked for that, to stop it next: stop it when peers have everything, or start it anew.`,
      alert: 'GridKVNotReady',
    };
  }
  return { kind: 'bad', title: `This node is not ready: ${name}`, text, alert: name === 'actors' ? 'GridKVActorStuck' : 'GridKVNotReady' };
}

function ofNode({ node, actors }) {
  const found = [];
  for (const [listener, is] of Object.entries(node.exposed_without_auth)) {
    if (is) {
      found.push({
        kind: 'warn',
        title: `Whoever reaches the ${listener} port may use it`,
        text: 'It listens beyond this machine and asks for no proof, or for one in clear. gridkv init makes tokens and certificates.',
        alert: 'GridKVExposedWithoutAuth',
      });
    }
  }
  for (const [listener, { expires_in_seconds: left }] of Object.entries(node.certificates)) {
    const kind = certificateLevel(left);
    if (kind !== 'ok') {
      const when = left > 0 ? `ends in ${span(left)}` : 'has ended';
      found.push({
        kind,
        title: `The certificate of ${listener} ${when}`,
        text: 'gridkv init --renew makes a new one; the node takes it within 30 s.',
        alert: kind === 'bad' ? 'GridKVCertificateEnds' : 'GridKVCertificateExpires',
      });
    }
  }
  for (const actor of actors.filter((one) => mailboxLevel(one) !== 'ok')) {
    found.push({
      kind: 'warn',
      title: `The ${actor.actor} actor of ${actor.store} is behind`,
      text: `${count(actor.messages)} of ${count(actor.capacity)} operations wait; at the end of it writes are refused with 503. Look at the disk.`,
      alert: 'GridKVMailboxSaturated',
    });
  }
  return found;
}

// What a code means, and what to do.
const CODES = {
  500: 'the node failed: its log has it, by request id',
  503: 'too much is in flight, fewer peers are up than writes ask for, or the node takes no writes',
  504: 'peers did not confirm in time, or a version did not come',
  507: 'the memory of a store or the disk is full',
};

function ofRequests(samples) {
  const { answered, failed, codes } = errors(samples);
  if (errorLevel(answered, failed) === 'ok') return [];
  const each = Object.entries(codes).map(([code, number]) => `${count(number)} × ${code}${CODES[code] ? ` (${CODES[code]})` : ''}`);
  return [{
    kind: 'bad',
    title: 'Requests to this node fail',
    text: `${count(failed)} of the ${count(answered)} answers of the last two minutes, ${percent(failed / answered)}: ${each.join('; ')}.`,
    alert: 'GridKVHighErrorRate',
  }];
}

// What was deleted is kept for a member that may not have heard of it.
function ofPurging({ at, node, stores, cluster, purging }, url) {
  const kept = new Map();
  for (const { store, tombstones } of stores) {
    const { held_back_by: member, upto } = purging[store] ?? {};
    const seconds = since(upto ?? node.started_at, at);
    if (!member || tombstones === 0 || seconds <= PURGE_SECONDS) continue;
    const before = kept.get(member) ?? { seconds: 0, tombstones: 0, names: [] };
    kept.set(member, { seconds: Math.max(seconds, before.seconds), tombstones: before.tombstones + tombstones, names: [...before.names, store] });
  }
  return [...kept].map(([member, { seconds, tombstones, names }]) => {
    const peer = cluster.peers.find(({ name }) => name === member);
    const why = peer?.state === 'down'
      ? `It is down: bring it back. If it is gone for good, forget it, on the page Operations or by gridkv peers rm ${member} --url ${url}`
      : member === node.name ? 'This node itself lacks something of the others, or its disk does: look at what else is said here.' : 'It is slow to take what is written, or still counts a member that is gone: look at its own console.';
    return {
      kind: 'warn',
      title: `What is deleted is kept for ${member}`,
      text: `Nothing could be purged for ${span(seconds)} (${names.join(', ')}): ${count(tombstones)} tombstones take memory, so that what they deleted can not come back from there. ${why}`,
      alert: 'GridKVPurgeHeldBack',
    };
  });
}
