// Operations: backup, restore, full sync, and how far what was begun is.
import { html, useState } from './html.js';
import { Badge, Choice, Empty, Field, Foreign, Notice, Panel, Table, firstStore } from './parts.js';
import { call, callJson, note, query } from './call.js';
import { bytes, count, moment, percent } from './figures.js';
import { Forget } from './forget.js';
import { Restore } from './restore.js';
import { may, session } from './session.js';

export function OperationsPage({ state }) {
  const names = state.stores.map(({ store }) => store);
  return html`
    <h1 class="unseen">Operations</h1>
    <${Running} operations=${state.operations} />
    <${Backup} stores=${state.stores} />
    ${may('admin')
      ? html`<${FullSync} state=${state} /><${Restore} names=${names} /><${Forget} peers=${state.cluster.peers} />`
      : html`<${Notice}>Full sync, restore and forgetting need the role admin; yours is ${session.get().role}.<//>`}
    <p class="hint">Draining a node is left to the command line, because it ends with stopping it: gridkv drain, then stop it.</p>`;
}

const KINDS = { running: 'warn', done: 'ok', failed: 'bad' };

function Running({ operations }) {
  return html`
    <${Panel} id="operations" title="Under way, and lately ended">
      ${operations.length === 0
        ? html`<${Empty}>Nothing was begun since this node started. A full sync below, or POST /v1/stores/NAME/compact, shows here.<//>`
        : html`<${Table} label="Operations" head=${['begun', 'what', 'store', 'state', 'progress', 'waits for, or why not']} numeric=${[4]}>
            ${[...operations].reverse().map((one) => html`<tr key=${one.id}>
              <td>${moment(one.started_at)}</td>
              <td>${one.kind === 'full_sync' ? `full sync from ${one.peer}, ${one.mode}` : one.kind}</td>
              <th scope="row">${one.store}</th>
              <td><${Badge} kind=${KINDS[one.state]}>${one.state}<//></td>
              <td class="number"><${Progress} one=${one} /></td>
              <td>${one.error ? html`<${Foreign} text=${one.error} />` : one.waits_for.join('; ')}</td>
            </tr>`)}
          <//>`}
    <//>`;
}

function Progress({ one }) {
  const share = one.total > 0 ? Math.min(1, one.done / one.total) : one.state === 'done' ? 1 : 0;
  return html`
    <progress max="1" value=${share} aria-label=${`${one.store}: ${percent(share)}`}></progress>
    <span> ${count(one.done)} of ${count(one.total)} records</span>`;
}

function Backup({ stores }) {
  const names = stores.map(({ store }) => store);
  const [store, setStore] = useState(firstStore(names));
  const [format, setFormat] = useState('gkv');
  const [told, tell] = useState(null);
  const path = `/v1/stores/${encodeURIComponent(store ?? '')}/snapshot${query({ format: format === 'gkv' ? null : format })}`;
  const keys = stores.find((one) => one.store === store)?.key_count;
  const fetched = async () => {
    tell({ kind: 'plain', text: 'Fetching …' });
    try {
      const response = await call('GET', path);
      const name = /filename="([^"]+)"/.exec(response.headers.get('content-disposition') ?? '')?.[1] ?? `gridkv-${store}`;
      const blob = await gathered(response, (length) => tell({ kind: 'plain', text: `Fetching … ${bytes(length)}` }));
      saved(blob, name);
      tell({ kind: 'ok', text: `${name}, ${bytes(blob.size)}. Try it with: gridkv restore --dry-run` });
    } catch (error) {
      tell({ kind: 'bad', text: error.message === 'network error' ? 'The node broke the file off: it is not whole. Try again, and look into its log.' : error.message });
    }
  };
  // Without a token the browser can save the file as it comes; with one only a script can ask for it.
  const direct = !session.get().token;
  return html`
    <${Panel} id="backup" title="Backup">
      ${names.length === 0 ? html`<${Empty}>This node has no store.<//>` : html`
        <form class="row" onSubmit=${(event) => { event.preventDefault(); fetched(); }}>
          <${Field} id="backup-store" label="Store"><${Choice} id="backup-store" value=${store} options=${names} onChange=${setStore} /><//>
          <${Field} id="backup-format" label="Form"><${Choice} id="backup-format" value=${format} options=${[['gkv', 'gkv, with checksums'], ['ndjson', 'lines of JSON']]} onChange=${setFormat} /><//>
          ${direct
            ? html`<a class="button primary" href=${path} download onClick=${() => note('GET', path)}>Download</a>`
            : html`<button class="primary">Download</button>`}
        </form>
        ${told && html`<${Notice} kind=${told.kind}>${told.text}<//>`}
        <p class="hint">${count(keys)} keys. Each is in it once, as it is when the walk comes by. Without its footer a file is not whole: restoring it is refused.</p>`}
    <//>`;
}

async function gathered(response, tell) {
  const reader = response.body.getReader();
  const pieces = [];
  let length = 0;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return new Blob(pieces);
    pieces.push(value);
    length += value.length;
    tell(length);
  }
}

function saved(blob, name) {
  const link = document.createElement('a');
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}

function FullSync({ state }) {
  const peers = state.cluster.peers.map(({ name }) => name);
  const stores = state.stores.filter(({ store }) => state.convergence[store]).map(({ store }) => store);
  const [store, setStore] = useState(firstStore(stores));
  const [peer, setPeer] = useState(peers[0]);
  const [mode, setMode] = useState('merge');
  const [typed, type] = useState('');
  const [told, tell] = useState(null);
  const sure = mode === 'merge' || typed === store;
  const begin = async (event) => {
    event.preventDefault();
    if (!sure) return;
    try {
      const begun = await callJson('POST', `/v1/cluster/peers/${encodeURIComponent(peer)}/full-sync${query({ store, mode })}`);
      tell({ kind: 'ok', text: `Begun as number ${begun.id}: it is shown above.` });
      type('');
    } catch (error) {
      tell({ kind: 'bad', text: error.message });
    }
  };
  if (peers.length === 0 || stores.length === 0) {
    return html`<${Panel} id="full-sync" title="Full sync"><${Empty}>${peers.length === 0 ? 'This node is alone: there is nobody to fetch from.' : 'Only caches are here, which forget as they like.'}<//><//>`;
  }
  return html`
    <${Panel} id="full-sync" title="Full sync: fetch all that a peer has">
      <form class="row" onSubmit=${begin}>
        <${Field} id="sync-store" label="Store"><${Choice} id="sync-store" value=${store} options=${stores} onChange=${setStore} /><//>
        <${Field} id="sync-peer" label="From"><${Choice} id="sync-peer" value=${peer} options=${peers} onChange=${setPeer} /><//>
        <${Field} id="sync-mode" label="How"><${Choice} id="sync-mode" value=${mode} options=${[['merge', 'merge: what is here stays'], ['rebuild', 'rebuild: emptied first']]} onChange=${setMode} /><//>
        ${mode === 'rebuild' && html`<${Field} id="sync-sure" label=${`Type ${store} to be sure`}><input id="sync-sure" class="mono" value=${typed} autocomplete="off" onInput=${(event) => type(event.target.value)} /><//>`}
        <button class=${mode === 'rebuild' ? 'danger' : 'primary'} disabled=${!sure}>Begin</button>
      </form>
      ${told && html`<${Notice} kind=${told.kind}>${told.text}<//>`}
      <p class="hint">Nodes repair themselves; this is for a copy that is damaged. A rebuild waits until peers have what is only here, and this node takes no clients meanwhile.</p>
    <//>`;
}
