// Keys: browse by prefix and delimiter, a page at a time; one of them open beside the list.
import { html, useEffect, useRef, useState } from './html.js';
import { Choice, Empty, Field, Foreign, Notice, Panel, firstStore, useAsked } from './parts.js';
import { callJson, query } from './call.js';
import { bytes, moment, span, until } from './figures.js';
import { Drawer } from './drawer.js';
import { NewKey } from './new-key.js';
import { go, href } from './route.js';
import { may } from './session.js';

const PAGE = 100;

export function KeysPage({ state, parameters }) {
  const names = state.stores.map(({ store }) => store);
  const asked = parameters.get('store');
  const store = names.includes(asked) ? asked : firstStore(names);
  const prefix = parameters.get('prefix') ?? '';
  const delimiter = parameters.has('delimiter') ? parameters.get('delimiter') : '/';
  const key = parameters.get('key');
  const [round, setRound] = useState(0);
  // What was just changed here is listed anew, which is no action of its own.
  const changed = useRef(false);
  const again = () => {
    changed.current = true;
    setRound(round + 1);
  };
  const [isNew, setNew] = useState(false);
  const made = useRef(null);
  const opener = useRef(null);
  if (names.length === 0) return html`<${Empty}>This node has no store, so there are no keys.<//>`;
  // In an address no delimiter is the usual one, and a blank is none.
  const here = { store, prefix, delimiter: delimiter === '/' ? null : delimiter || ' ' };
  const open = (next) => {
    opener.current = document.activeElement;
    made.current = null;
    go('keys', { ...here, key: next });
  };
  const close = () => {
    go('keys', here);
    setNew(false);
    opener.current?.focus?.();
  };
  return html`
    <h1 class="unseen">Keys</h1>
    <div class=${key !== null || isNew ? 'split open' : 'split'}>
      <${Panel} id="keys" title="Keys" aside=${may('write') && html`<button type="button" class="small primary" onClick=${() => { opener.current = document.activeElement; go('keys', here); setNew(true); }}>New key</button>`}>
        <${Where} names=${names} here=${here} />
        <${List} key=${`${store} ${prefix} ${delimiter} ${round}`} store=${store} prefix=${prefix} delimiter=${delimiter.trim()}
          chosen=${key} now=${state.at} onOpen=${open} here=${here} changed=${changed} />
      <//>
      ${isNew && html`<${NewKey} store=${store} prefix=${prefix} onClose=${close} onDone=${(put) => { made.current = put; setNew(false); again(); go('keys', { ...here, key: put }); }} />`}
      ${!isNew && key !== null && html`<${Drawer} key=${`${store} ${key}`} store=${store} name=${key} now=${state.at} made=${made.current === key} onClose=${close} onChange=${again} />`}
    </div>`;
}

// Which store, which prefix, which delimiter; and the way back up.
function Where({ names, here }) {
  const [typed, type] = useState(here.prefix);
  const [cut, setCut] = useState(here.delimiter ?? '/');
  useEffect(() => type(here.prefix), [here.prefix]);
  const submit = (event) => {
    event.preventDefault();
    go('keys', { ...here, prefix: typed, delimiter: cut === '/' ? null : cut || ' ' });
  };
  return html`
    <form class="row" onSubmit=${submit} role="search" aria-label="Keys">
      <${Field} id="keys-store" label="Store"><${Choice} id="keys-store" value=${here.store} options=${names} onChange=${(store) => go('keys', { store })} /><//>
      <${Field} id="keys-prefix" label="Prefix"><input id="keys-prefix" class="mono wide" value=${typed} spellcheck="false" autocomplete="off" placeholder="all keys" onInput=${(event) => type(event.target.value)} /><//>
      <${Field} id="keys-delimiter" label="Delimiter"><input id="keys-delimiter" class="mono narrow" value=${cut.trim()} maxlength="16" spellcheck="false" autocomplete="off" placeholder="none" onInput=${(event) => setCut(event.target.value)} /><//>
      <button>List</button>
    </form>
    <${Crumbs} here=${here} />`;
}

function Crumbs({ here }) {
  const delimiter = (here.delimiter ?? '/').trim();
  if (!here.prefix || !delimiter) return null;
  const parts = here.prefix.split(delimiter);
  const steps = parts.slice(0, -1).map((part, i) => [`${part}${delimiter}`, parts.slice(0, i + 1).join(delimiter) + delimiter]);
  return html`
    <nav class="crumbs" aria-label="Prefix">
      <a href=${href('keys', { ...here, prefix: null })}>all keys</a>
      ${steps.map(([part, prefix]) => html`<a href=${href('keys', { ...here, prefix })} aria-current=${prefix === here.prefix ? 'location' : null}><${Foreign} text=${part} most=${60} /></a>`)}
    </nav>`;
}

function List({ store, prefix, delimiter, chosen, now, onOpen, here, changed }) {
  const [cursors, setCursors] = useState([null]);
  const cursor = cursors.at(-1);
  const path = `/v1/kv/${encodeURIComponent(store)}${query({ prefix, delimiter, limit: PAGE, cursor })}`;
  const ask = (signal) => {
    const quiet = changed.current;
    changed.current = false;
    return callJson('GET', path, { signal, quiet });
  };
  const { value, error } = useAsked(ask, [path]);
  if (error) return html`<${Notice} kind="bad">${error.message}<//>`;
  if (!value) return html`<p class="muted">listing …</p>`;
  const { keys, common_prefixes: prefixes, next_cursor: next } = value;
  const nothing = keys.length === 0 && prefixes.length === 0;
  return html`
    ${nothing && !next && cursors.length === 1 && html`<${Empty}>${prefix
      ? 'No key begins like this. Shorten the prefix: case counts.'
      : `The store is empty. ${may('write') ? 'Press “New key”, or ' : 'Write to it: '}echo hello | curl -T - ${location.origin}/v1/kv/${store}/greeting`}<//>`}
    ${nothing && next && html`<${Empty}>This stretch has only what was deleted: go on with the next page.<//>`}
    ${!nothing && html`<ul class="keys" aria-label="Keys">
      ${prefixes.map((one) => html`<li key=${`/${one}`}><a class="key" href=${href('keys', { ...here, prefix: one })}>
        <span class="name"><${Foreign} text=${one} /></span><span class="muted">keys that begin like this</span></a></li>`)}
      ${keys.map(({ key, size, expires_at: end }) => html`<li key=${`=${key}`}>
        <button type="button" class="key" aria-pressed=${key === chosen} onClick=${() => onOpen(key)}>
          <span class="name"><${Foreign} text=${key} /></span>
          <span class="muted">${bytes(size)}${end ? html` · <span title=${moment(end)}>${until(end, now) > 0 ? `goes in ${span(until(end, now))}` : 'has expired'}</span>` : ''}</span>
        </button></li>`)}
    </ul>`}
    <div class="row pager">
      <button type="button" disabled=${cursors.length === 1} onClick=${() => setCursors(cursors.slice(0, -1))}>Previous page</button>
      <button type="button" disabled=${!next} onClick=${() => setCursors([...cursors, next])}>Next page</button>
      <span class="muted" role="status">page ${cursors.length}: ${keys.length} keys${prefixes.length > 0 ? `, ${prefixes.length} prefixes` : ''}${next ? '' : ', the last'}</span>
    </div>`;
}
