// The stores of this node: their statistics, with the colours of the alerts.
import { html } from './html.js';
import { Badge, Empty, Meter, Panel, Table } from './parts.js';
import { recent } from './history.js';
import { bytes, count, percent, rate } from './figures.js';
import { HIT_RATE, MEMORY, PERSIST_SECONDS, RING_DEEP, hitLevel, memoryLevel, persistLevel, ringLevel } from './levels.js';
import { href } from './route.js';

const HEAD = ['store', 'backend', 'keys', 'reads/s', 'writes/s', 'from peers/s', 'memory', 'disk', 'sync buffer', 'hit rate', 'overwritten', 'tombstones', 'unsaved', 'durability'];
const NUMERIC = [2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12];

export function StoresPage({ state, samples }) {
  return html`
    <h1 class="unseen">Stores</h1>
    <${Panel} id="stores" title="Stores of this node">
      ${state.stores.length === 0
        ? html`<${Empty}>This node has no store. Make one: curl -X PUT --json ${'\'{"backend":"memory"}\''} ${location.origin}/v1/stores/NAME<//>`
        : html`<${Table} label="Stores of this node" head=${HEAD} numeric=${NUMERIC}>
            ${state.stores.map((store) => html`<${Row} key=${store.store} store=${store} now=${state.at} rates=${recent(samples, store.store)} />`)}
          <//>`}
      <p class="hint">
        Colours are those of the alerts: the sync buffer from ${count(RING_DEEP)} operations on, a hit rate below ${percent(HIT_RATE)},
        ${' '}memory from ${percent(MEMORY)} of its limit on (a cache is full as a matter of course),
        ${' '}unsaved operations when no run to the disk has ended well for ${count(PERSIST_SECONDS)} seconds. Rates are means of five seconds.
      </p>
    <//>
    <${Panel} id="conflicts" title="What came from peers">
      <${Table} snug label="What came from peers" head=${['store', 'applied', 'stale', 'duplicate', 'conflicts, theirs won', 'conflicts, ours won', 'collisions']} numeric=${[1, 2, 3, 4, 5, 6]}>
        ${state.stores.map(({ store, applied: a }) => html`<tr key=${store}>
          <th scope="row">${store}</th>
          ${[a.applied, a.stale, a.duplicate, a.conflict_remote_won, a.conflict_local_won].map((number) => html`<td class="number">${count(number)}</td>`)}
          <td class="number">${a.collision > 0 ? html`<${Badge} kind="bad">${count(a.collision)}<//>` : '0'}</td>
        </tr>`)}
      <//>
      <p class="hint">A conflict is two writes of one key that did not know of each other: the later one stands. A collision is corruption.</p>
    <//>`;
}

const marked = (kind, text) => (kind === 'ok' ? text : html`<${Badge} kind=${kind}>${text}<//>`);

function Row({ store, now, rates }) {
  const { memory_bytes: used, memory_limit_bytes: limit } = store;
  const ring = store.sync_buffer_len / Math.max(1, store.sync_buffer_capacity);
  const hits = store.cache && store.cache.hits + store.cache.misses > 0 ? percent(store.cache_hit_rate) : store.cache ? 'no reads' : '–';
  return html`<tr>
    <th scope="row"><a href=${href('keys', { store: store.store })}>${store.store}</a>${!store.configured && html` <span class="muted">made</span>`}</th>
    <td>${store.backend}${store.persistent ? '' : html` <span class="muted">volatile</span>`}</td>
    <td class="number">${count(store.key_count)}</td>
    <td class="number">${rate(rates?.reads)}</td>
    <td class="number">${rate(rates?.writes)}</td>
    <td class="number">${rate(rates?.applied)}</td>
    <td class="number">
      ${marked(memoryLevel(store), limit ? `${bytes(used)} of ${bytes(limit)}` : bytes(used))}
      ${limit && html`<${Meter} share=${used / limit} kind=${memoryLevel(store)} label=${`${percent(used / limit)} of the limit`} />`}
    </td>
    <td class="number">${bytes(store.db_size)}</td>
    <td class="number">
      ${marked(ringLevel(store), `${count(store.sync_buffer_len)} of ${count(store.sync_buffer_capacity)}`)}
      <${Meter} share=${ring} kind=${ringLevel(store)} label=${`${percent(ring)} full`} />
    </td>
    <td class="number">${marked(hitLevel(store), hits)}</td>
    <td class="number">${count(store.sync_buffer_overwritten)}</td>
    <td class="number">${count(store.tombstones)}</td>
    <td class="number">${marked(persistLevel(store, now), count(store.persist?.unsaved_operations))}</td>
    <td>${store.durability}</td>
  </tr>`;
}
