// Who lags behind whom: each row is a node where something was written, each column a node that should have it.
//
// The first row is exact: this node counts what it wrote. Of the others it knows what they said themselves, as points in
// time: "has all up to 0.4 s ago". What came after that, if anything did, only its writer knows.
import { html, useState } from './html.js';
import { Badge, Choice, Panel } from './parts.js';
import { count, span } from './figures.js';
import { lagLevel } from './levels.js';

const ALL = '';

export function Matrix({ state }) {
  const [chosen, choose] = useState(ALL);
  const names = state.stores.map(({ store }) => store);
  const store = names.includes(chosen) ? chosen : ALL;
  const stores = store === ALL ? names : [store];
  const me = state.cluster.self.name;
  const members = [me, ...state.cluster.peers.map(({ name }) => name)];
  const aside = html`
    <label class="inline" for="matrix-store">Store</label>
    <${Choice} id="matrix-store" value=${store} onChange=${choose} options=${[[ALL, 'all, the worst'], ...names]} />`;
  return html`
    <${Panel} id="matrix" title="Lag, node by node" aside=${aside}>
      <div class="scroll" role="region" aria-label="Lag, node by node, table" tabindex="0">
        <table class="matrix">
          <thead><tr><th scope="col">written on</th>${members.map((name) => html`<th scope="col">${name}<span class="wider"> has it</span></th>`)}</tr></thead>
          <tbody>${members.map((writer) => html`
            <tr>
              <th scope="row">${writer}${writer === me && html` <span class="muted wider">(this node)</span>`}</th>
              ${members.map((reader) => html`<${Cell} ...${cell(state, stores, writer, reader, me)} />`)}
            </tr>`)}
          </tbody>
        </table>
      </div>
      <p class="hint">
        The row of ${me} is exact: operations that a node lacks, and the age of the oldest. In the other rows ${me} knows
        ${' '}only what the nodes told it: “≤ 0.4 s” has everything that is older than that. How many operations are newer,
        ${' '}if any, is told in the console of the node that wrote them; one that is down tells nothing new, and its row says who
        ${' '}“has all heard of” before.
      </p>
    <//>`;
}

const Cell = ({ kind, text, title, data }) => html`
  <td title=${title} data-cell=${data}>${kind === 'none' ? html`<span class="muted" aria-label=${title}>${text}</span>` : html`<${Badge} kind=${kind}>${text}<//>`}</td>`;

function cell(state, stores, writer, reader, me) {
  const data = `${writer}-${reader}`;
  if (writer === reader) return { kind: 'none', text: '·', title: 'what it wrote itself', data };
  return { ...(writer === me ? own(state, stores, reader) : others(state, stores, writer, reader)), data };
}

function own(state, stores, reader) {
  const peer = state.cluster.peers.find(({ name }) => name === reader);
  const views = stores.map((store) => peer.stores[store]).filter(Boolean);
  if (views.length === 0) return { kind: 'none', text: '–', title: 'it does not hold the store' };
  const pending = views.reduce((all, view) => all + view.pending, 0);
  const lag = Math.max(...views.map((view) => view.lag_seconds));
  if (pending === 0 && views.every((view) => view.frontier_covered)) {
    return { kind: 'ok', text: 'has all', title: 'it has everything that was written here' };
  }
  const kind = peer.state === 'down' ? 'bad' : lagLevel(lag);
  if (pending === 0) return { kind, text: `catching up · ${span(lag)}`, title: 'it lacks some of an earlier run' };
  return { kind, text: `${count(pending)} ops · ${span(lag)}`, title: 'operations that it lacks, and the age of the oldest' };
}

function others(state, stores, writer, reader) {
  const views = stores.map((store) => state.spread[store]?.[writer]?.[reader]).filter(Boolean);
  if (views.length === 0) return { kind: 'none', text: '–', title: 'one of them does not hold the store' };
  if (views.some((view) => view.at_most_seconds === null)) {
    return { kind: 'none', text: 'not told', title: 'it was not heard since this node started' };
  }
  const ago = Math.max(...views.map((view) => view.at_most_seconds));
  if (views.every((view) => view.has_all)) {
    const gone = ago >= 2;
    return {
      kind: 'ok',
      text: gone ? 'has all heard of' : `≤ ${span(ago)}`,
      title: 'it has everything of which this node has heard',
    };
  }
  return { kind: lagLevel(ago), text: `≤ ${span(ago)}`, title: 'it has everything that is older' };
}
