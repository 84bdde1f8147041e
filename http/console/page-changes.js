// Changes: what is committed here, as it happens, whoever wrote it.
import { html, useEffect, useRef, useState } from './html.js';
import { Badge, Choice, Empty, Field, Foreign, Notice, Panel, firstStore } from './parts.js';
import { call, query } from './call.js';
import { events } from './events.js';
import { bytes, count, minted, time } from './figures.js';
import { go, href } from './route.js';
import { shown, whenHidden } from './shown.js';
import { beginning } from './value.js';

// So many are kept for a look; older ones go.
const KEPT = 500;
const KINDS = { put: 'ok', delete: 'bad', expire: 'warn' };

export function ChangesPage({ state, parameters }) {
  const names = state.stores.map(({ store }) => store);
  const asked = parameters.get('store');
  const store = names.includes(asked) ? asked : firstStore(names);
  const prefix = parameters.get('prefix') ?? '';
  const since = parameters.get('since') === '0' ? '0' : 'now';
  if (names.length === 0) return html`<${Empty}>This node has no store, so nothing changes.<//>`;
  return html`
    <h1 class="unseen">Changes</h1>
    <${Tail} key=${`${store} ${prefix} ${since}`} store=${store} prefix=${prefix} since=${since} names=${names} />`;
}

function Tail({ store, prefix, since, names }) {
  const [rows, setRows] = useState([]);
  const [paused, setPaused] = useState(false);
  const [status, setStatus] = useState({ state: 'opening' });
  const held = useRef([]);
  const missed = useRef(0);
  const [waiting, setWaiting] = useState(0);
  const stopped = useRef(false);
  stopped.current = paused;
  useEffect(() => {
    const abort = new AbortController();
    const take = (change) => {
      held.current.push(change);
      if (held.current.length > KEPT) {
        held.current.shift();
        missed.current += 1;
      }
    };
    // Many may come at once: they are drawn together, ten times a second at most.
    const timer = setInterval(() => {
      if (held.current.length === 0) return;
      setWaiting(held.current.length + missed.current);
      if (stopped.current) return;
      const fresh = held.current.splice(0).reverse();
      missed.current = 0;
      setWaiting(0);
      setRows((before) => [...fresh, ...before].slice(0, KEPT));
    }, 100);
    tail(store, prefix, since, abort.signal, take, setStatus);
    return () => {
      abort.abort();
      clearInterval(timer);
    };
  }, []);
  const aside = html`
    <button type="button" class="small" aria-pressed=${paused} onClick=${() => setPaused(!paused)}>${paused ? 'Go on' : 'Pause'}</button>
    <button type="button" class="small" onClick=${() => setRows([])}>Clear</button>`;
  return html`
    <${Panel} id="changes" title="Changes, as this node commits them" aside=${aside}>
      <${Where} store=${store} prefix=${prefix} since=${since} names=${names} />
      <p class="muted" role="status">${said(status)}${paused ? ` Paused, ${count(waiting)} wait.` : ''}</p>
      ${status.error && html`<${Notice} kind="bad">${status.error}<//>`}
      ${rows.length === 0
        ? html`<${Empty}>Nothing has changed since. Write to any node: echo hello | curl -T - ${location.origin}/v1/kv/${store}/greeting<//>`
        : html`<div class="log" role="log" aria-live="off" aria-label="Changes, the newest first" tabindex="0">
            <ol>${rows.map((row) => html`<${Row} key=${row.seq} row=${row} store=${store} />`)}</ol>
          </div>`}
    <//>`;
}

function said({ state }) {
  if (state === 'open') return 'Following.';
  return state === 'opening' ? 'Opening …' : 'The stream has ended; it is opened again.';
}

function Where({ store, prefix, since, names }) {
  const [typed, type] = useState(prefix);
  const submit = (event) => {
    event.preventDefault();
    go('changes', { store, prefix: typed, since: since === '0' ? '0' : null });
  };
  return html`
    <form class="row" onSubmit=${submit}>
      <${Field} id="changes-store" label="Store"><${Choice} id="changes-store" value=${store} options=${names} onChange=${(next) => go('changes', { store: next, prefix, since: since === '0' ? '0' : null })} /><//>
      <${Field} id="changes-prefix" label="Prefix"><input id="changes-prefix" class="mono wide" value=${typed} spellcheck="false" autocomplete="off" placeholder="all keys" onInput=${(event) => type(event.target.value)} /><//>
      <${Field} id="changes-since" label="From"><${Choice} id="changes-since" value=${since} options=${[['now', 'now on'], ['0', 'all that is known']]} onChange=${(next) => go('changes', { store, prefix, since: next === '0' ? '0' : null })} /><//>
      <button>Follow</button>
    </form>`;
}

// Follows until the page is left; goes on from the last change when the stream breaks.
async function tail(store, prefix, since, signal, take, setStatus) {
  let last = null;
  let quiet = false;
  while (!signal.aborted) {
    await shown();
    const once = new AbortController();
    const end = () => once.abort();
    signal.addEventListener('abort', end);
    const stay = whenHidden(end);
    const path = `/v1/stores/${encodeURIComponent(store)}/changes${query({ since: last ?? since, prefix, include: 'value' })}`;
    let error = null;
    try {
      const response = await call('GET', path, { headers: { accept: 'text/event-stream' }, signal: once.signal, quiet });
      last ??= response.headers.get('gridkv-changes-since');
      setStatus({ state: 'open' });
      for await (const { name, data } of events(response)) {
        if (name === 'truncated') {
          error = 'More changed than the node remembers: some changes are not shown. It goes on with those that come now.';
          last = null;
          break;
        }
        if (data?.seq) {
          take({ ...data, value: beginning(data.value) });
          last = data.seq;
        }
      }
    } catch (failed) {
      if (failed.name !== 'AbortError') error = failed.message;
      // Another run of the node, or too long ago: what comes now is what there is.
      if (failed.code === 'changes_truncated') last = null;
    } finally {
      signal.removeEventListener('abort', end);
      stay();
    }
    since = 'now';
    quiet = true;
    if (signal.aborted) return;
    setStatus({ state: 'ended', error });
    await new Promise((next) => setTimeout(next, 1000));
  }
}

function Row({ row, store }) {
  const { event, key, version, size, value } = row;
  return html`
    <li>
      <time class="mono" datetime=${new Date(minted(version)).toISOString()}>${time(minted(version))}</time>
      <${Badge} kind=${KINDS[event] ?? 'plain'}>${event}<//>
      <span class="name">${event === 'put' ? html`<a href=${href('keys', { store, key })}><${Foreign} text=${key} /></a>` : html`<${Foreign} text=${key} />`}</span>
      <span class="preview mono"><bdi>${value}</bdi></span>
      <span class="muted number">${size === undefined ? '' : bytes(size)}</span>
    </li>`;
}
