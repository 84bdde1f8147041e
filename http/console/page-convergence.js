// Who is identical with this node and since when, and which nodes have a version.
import { html, useState } from './html.js';
import { Badge, Empty, Field, Choice, Foreign, Notice, Panel, Table, firstStore, useAsked } from './parts.js';
import { callJson } from './call.js';
import { count, moment, since, span } from './figures.js';
import { go } from './route.js';

export function ConvergencePage({ state, parameters }) {
  return html`
    <h1 class="unseen">Convergence</h1>
    <${Panel} id="identical" title="Who holds the same as this node, and since when">
      <${Identical} state=${state} />
    <//>
    <${Receipts} state=${state} parameters=${parameters} />`;
}

function Identical({ state }) {
  const { convergence } = state;
  const peers = state.cluster.peers.map(({ name }) => name);
  const rows = Object.entries(convergence);
  if (peers.length === 0) return html`<${Empty}>This node is alone: there is nobody to compare with.<//>`;
  if (rows.length === 0) return html`<${Empty}>No store here can be compared: a cache forgets as it likes.<//>`;
  return html`
    <${Table} label="Who holds the same as this node" head=${['store', ...peers]}>
      ${rows.map(([store, all]) => html`<tr key=${store}>
        <th scope="row">${store}</th>
        ${peers.map((peer) => html`<td><${Standing} found=${all.find(({ name }) => name === peer)} store=${store} now=${state.at} /></td>`)}
      </tr>`)}
    <//>
    <p class="hint">
      Proven by comparing digests at the same frontier, never assumed. “Not proven” is no alarm: two nodes that write without
      ${' '}a pause, or are not linked, have no two moments that can be compared. Caches are left out.
    </p>`;
}

function Standing({ found, store, now }) {
  const [open, setOpen] = useState(false);
  if (!found) return html`<span class="muted">does not hold it</span>`;
  const { identical_since: from, diverged_buckets: buckets, behind_ops: behind, name } = found;
  if (buckets > 0) {
    return html`<${Badge} kind="bad">differs in ${count(buckets)} of 4,096 parts<//>
      <button type="button" class="small" aria-expanded=${open} onClick=${() => setOpen(!open)}>which keys</button>
      ${open && html`<${Differing} store=${store} peer=${name} />`}`;
  }
  const lacks = behind > 0 && html` <span class="muted">lacks ${count(behind)} ops</span>`;
  if (!from) return html`<${Badge} kind=${behind > 0 ? 'warn' : 'plain'}>not proven now<//>${lacks}`;
  return html`<${Badge} kind="ok">identical<//> <span title=${moment(from)}>for ${span(since(from, now))}</span>${lacks}`;
}

function Differing({ store, peer }) {
  const path = `/v1/stores/${encodeURIComponent(store)}/convergence/${encodeURIComponent(peer)}`;
  const { value, error } = useAsked((signal) => callJson('GET', path, { signal }), [store, peer]);
  if (error) return html`<${Notice} kind="bad">${error.message}<//>`;
  if (!value) return html`<span class="muted">asking …</span>`;
  if (value.differing.length === 0) return html`<p class="hint">No repair has found a key yet: look again in a few seconds.</p>`;
  return html`<ul class="plain">${value.differing.map(({ key, here, there }) => html`<li><${Foreign} text=${key} most=${80} /> here ${here ?? 'nothing'}, there ${there}</li>`)}
    ${value.more > 0 && html`<li>and ${count(value.more)} more</li>`}</ul>`;
}

const VERSION = /^[0-9a-f]{16}-[0-9a-f]{16}$/;

function Receipts({ state, parameters }) {
  const names = state.stores.map(({ store }) => store);
  const [store, setStore] = useState(parameters.get('store') ?? firstStore(names));
  const [version, setVersion] = useState(parameters.get('version') ?? '');
  const asked = { store: parameters.get('store'), version: parameters.get('version') };
  const wrong = version !== '' && !VERSION.test(version.trim());
  const submit = (event) => {
    event.preventDefault();
    if (VERSION.test(version.trim())) go('convergence', { store, version: version.trim() });
  };
  return html`
    <${Panel} id="receipts" title="Which nodes have a version">
      <form class="row" onSubmit=${submit}>
        <${Field} id="receipt-store" label="Store"><${Choice} id="receipt-store" value=${store} options=${names} onChange=${setStore} /><//>
        <${Field} id="receipt-version" label="Version" hint=${wrong ? 'A version is 16 hex digits, a dash, and 16 more.' : null}>
          <input id="receipt-version" class="mono wide" value=${version} spellcheck="false" autocomplete="off" aria-invalid=${wrong}
            placeholder="0197c0ffee000000-0000000200000001" onInput=${(event) => setVersion(event.target.value)} />
        <//>
        <button class="primary" disabled=${!VERSION.test(version.trim())}>Look</button>
      </form>
      ${asked.version ? html`<${Receipt} ...${asked} />` : html`<${Empty}>Open a key in Keys and press “receipts”, or paste the ETag of a write.<//>`}
    <//>`;
}

function Receipt({ store, version }) {
  const path = `/v1/stores/${encodeURIComponent(store)}/receipts/${encodeURIComponent(version)}`;
  // Asked again, because the answer changes while a peer catches up; shown as an action the first time only.
  let first = true;
  const ask = (signal) => {
    const quiet = !first;
    first = false;
    return callJson('GET', path, { signal, quiet });
  };
  const { value, error } = useAsked(ask, [store, version], 2);
  if (error) return html`<${Notice} kind="bad">${error.message}<//>`;
  if (!value) return html`<p class="muted">asking …</p>`;
  return html`<ul class="receipts" aria-label="Nodes">${Object.entries(value.nodes).map(([name, has]) => html`
    <li key=${name}><strong>${name}</strong> <${Badge} kind=${has ? 'ok' : 'warn'}>${has ? 'has it, or a newer one of its key' : 'did not say so yet'}<//></li>`)}</ul>`;
}
