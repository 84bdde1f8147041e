// The actors of this node: what waits for each, and whether each turns.
import { html } from './html.js';
import { Badge, Empty, Meter, Notice, Panel, Table } from './parts.js';
import { count, millis, percent, span } from './figures.js';
import { mailboxLevel, silenceLevel } from './levels.js';

const HEAD = ['actor', 'store', 'waiting', 'taken', 'mean wait', 'refused', 'begun anew', 'last turned'];
const NUMERIC = [2, 3, 4, 5, 6, 7];

export function ActorsPage({ state }) {
  const { actors, readiness } = state;
  const stuck = readiness.checks.find(({ name }) => name === 'actors');
  return html`
    <h1 class="unseen">Actors</h1>
    ${stuck && !stuck.ok && html`<${Notice} kind="bad">These are dead or do not turn: ${stuck.detail}. Restart the node, and look into its log.<//>`}
    <${Panel} id="actors" title="Actors of this node">
      ${actors.length === 0
        ? html`<${Empty}>No actor is shown: this node has no store.<//>`
        : html`<${Table} snug label="Actors of this node" head=${HEAD} numeric=${NUMERIC}>
            ${actors.map((actor) => html`<${Row} key=${`${actor.actor} ${actor.store}`} actor=${actor} />`)}
          <//>`}
      <p class="hint">
        Waiting: operations of clients in flight to a storage actor, else messages in a mailbox. Where that stays full, writes are refused
        ${' '}with 503: look at the disk of the store first. A dash: it does not apply.
      </p>
    <//>`;
}

function Row({ actor: one }) {
  const { messages, capacity, handled, waited_seconds: waited, heartbeat_age_ms: silent } = one;
  const full = mailboxLevel(one);
  const waiting = capacity ? `${count(messages)} of ${count(capacity)}` : count(messages);
  return html`<tr>
    <th scope="row">${one.actor.replaceAll('_', ' ')}</th>
    <td>${one.store === '_node' ? html`<span class="muted">of the node</span>` : one.store}</td>
    <td class="number">
      ${full === 'ok' ? waiting : html`<${Badge} kind=${full}>${waiting}<//>`}
      ${capacity && html`<${Meter} share=${messages / capacity} kind=${full} label=${`${percent(messages / capacity)} full`} />`}
    </td>
    <td class="number">${count(handled)}</td>
    <td class="number">${handled > 0 ? millis(waited / handled) : '–'}</td>
    <td class="number">${count(one.refused)}</td>
    <td class="number">${count(one.restarts)}</td>
    <td class="number">${silent === null ? '–' : html`<${Silence} ms=${silent} />`}</td>
  </tr>`;
}

function Silence({ ms }) {
  const level = silenceLevel(ms);
  const text = `${span(ms / 1000)} ago`;
  return level === 'ok' ? text : html`<${Badge} kind=${level}>${text}<//>`;
}
