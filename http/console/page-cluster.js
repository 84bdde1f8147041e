// The cluster: what is wrong, every node, who lags behind whom, and the last two minutes of this node.
import { html } from './html.js';
import { Badge, Empty, Panel } from './parts.js';
import { Chart } from './chart.js';
import { Matrix } from './matrix.js';
import { findings } from './findings.js';
import { hitRate } from './history.js';
import { count, millis, percent, rate, since, span } from './figures.js';
import { HIT_RATE, RING_DEEP, stateLevel } from './levels.js';

export function ClusterPage({ state, samples, theme, lost }) {
  return html`
    <h1 class="unseen">Cluster</h1>
    <${Findings} state=${state} samples=${samples} />
    <${Cards} state=${state} lost=${lost} />
    <div class="beside">
      <${Matrix} state=${state} />
      <${Sparks} samples=${samples} theme=${theme} name=${state.node.name} />
    </div>`;
}

function Findings({ state, samples }) {
  const found = findings(state, location.origin, samples);
  if (found.length === 0) {
    const up = state.cluster.peers.filter((peer) => peer.state === 'up').length;
    const text = state.cluster.peers.length === 0
      ? 'This node is alone. Another one joins by its peers port: gridkv serve --join HOST:7500, or --join in its configuration.'
      : `All is well: ${up + 1} of ${state.cluster.peers.length + 1} nodes are up, and nothing needs you.`;
    return html`<div class="notice ok" role="status">${text}</div>`;
  }
  return html`
    <ul class="findings" aria-label="What needs attention">
      ${found.map(({ kind, title, text, alert }) => html`<li class="notice ${kind}" key=${title}>
        <strong>${title}.</strong> ${text}${alert && html` <span class="alert">alert ${alert}</span>`}</li>`)}
    </ul>`;
}

function Cards({ state, lost }) {
  const { node, readiness, cluster } = state;
  const keys = state.stores.reduce((all, store) => all + store.key_count, 0);
  return html`
    <${Panel} id="nodes" title="Nodes" aside=${html`<span class="muted">cluster ${cluster.cluster}</span>`}>
      <div class="cards">
        <${Card} name=${node.name} role="this node" kind=${lost ? 'bad' : readiness.ready ? 'ok' : 'warn'}
          word=${lost ? 'gone' : readiness.ready ? 'ready' : 'not ready'}
          rows=${[
            ['up for', span(node.uptime_seconds)],
            ['version', node.version],
            ['peers dial', cluster.self.addr],
            ['keys', `${count(keys)} in ${state.stores.length} stores`],
            ['clock', `${node.clock.standing}${node.clock.ahead_of_peers_ms === null ? '' : `, ${signed(node.clock.ahead_of_peers_ms)} ms to peers`}`],
            ['identity', node.identity],
          ]} />
        ${cluster.peers.map((peer) => html`<${PeerCard} key=${peer.id} peer=${peer} now=${state.at} />`)}
      </div>
      ${cluster.peers.length > 0 && html`<p class="hint">A node does not tell its peers its version and its uptime: open its own console for those. A report that comes late makes its clock look slow.</p>`}
    <//>`;
}

function PeerCard({ peer, now }) {
  const stores = Object.values(peer.stores);
  const keys = stores.reduce((all, store) => all + store.key_count, 0);
  const missing = peer.missing_stores.length > 0 ? `, not ${peer.missing_stores.join(', ')}` : '';
  const rows = [
    ['heard', peer.last_contact ? `${span(since(peer.last_contact, now))} ago` : 'not since this node started'],
    ['peers dial', peer.addr],
    ['keys', `${count(keys)} in ${stores.length} stores${missing}`],
    ['clock', peer.clock_skew_ms === null ? 'not heard' : `${signed(peer.clock_skew_ms)} ms to this node`],
    ['identity', peer.id],
  ];
  if (peer.trouble) rows.unshift(['trouble', `${peer.trouble.reason.replaceAll('_', ' ')}, for ${span(since(peer.trouble.since, now))}`]);
  return html`<${Card} name=${peer.name} role="peer" kind=${stateLevel[peer.state]} word=${peer.state} rows=${rows} />`;
}

const signed = (number) => (number > 0 ? `+${count(number)}` : count(number).replace('-', '−'));

const Card = ({ name, role, kind, word, rows }) => html`
  <article class="card ${kind}" aria-label=${`Node ${name}: ${word}`} data-node=${name} data-state=${word}>
    <header><h3>${name}</h3>${role && html`<span class="muted">${role}</span>`}<${Badge} kind=${kind}>${word}<//></header>
    <dl>${rows.map(([term, text]) => html`<div><dt>${term}</dt><dd>${text}</dd></div>`)}</dl>
  </article>`;

function Sparks({ samples, theme, name }) {
  const last = samples.at(-1);
  const hits = hitRate(samples);
  const p99 = samples.map(({ at, p99: value }) => [at, value]);
  const recentP99 = samples.map((one) => one.p99).filter((value) => value !== null).at(-1) ?? null;
  const charts = [
    { title: 'Operations', unit: '/s', value: rate(last?.ops), points: samples.map((one) => [one.at, one.ops]),
      note: `${rate(last?.reads)} reads, ${rate(last?.writes)} writes` },
    { title: 'p99 of requests', unit: '', value: millis(recentP99), points: p99, note: 'keys, lists and batches; a long poll counts as long as it waits' },
    { title: 'Sync buffer', unit: '', value: count(last?.buffer), points: samples.map((one) => [one.at, one.buffer]), limit: RING_DEEP,
      kind: (last?.buffer ?? 0) >= RING_DEEP ? 'warn' : '', note: `fullest store; should stay below ${count(RING_DEEP)}` },
    { title: 'Cache hit rate', unit: '', value: percent(hits), points: samples.map((one) => [one.at, hitRate([one])]), limit: 1,
      kind: hits !== null && hits < HIT_RATE ? 'warn' : '', note: hits === null ? 'no read of a cache in two minutes' : `of two minutes; ${percent(HIT_RATE)} is the aim` },
  ];
  return html`
    <${Panel} id="sparks" title=${`${name}, the last two minutes`}>
      ${samples.length < 2
        ? html`<${Empty}>Watching: the first rates come in a second.<//>`
        : html`<div class="sparks">${charts.map(({ title, unit, value, points, limit, kind, note }) => html`
            <figure class="spark" key=${title}>
              <figcaption>${title}</figcaption>
              <p class="figure ${kind ?? ''}">${value}<span class="unit">${unit}</span></p>
              <${Chart} points=${points} limit=${limit} theme=${theme} label=${`${title} over the last two minutes, now ${value}${unit}`} />
              <p class="hint">${note}</p>
            </figure>`)}</div>`}
    <//>`;
}
