// One key: what it holds, and changing it only as long as it still holds that.
import { html, useEffect, useState } from './html.js';
import { CopyButton, Foreign, Notice, useFocus } from './parts.js';
import { read } from './key.js';
import { bytes as size, moment, span, until } from './figures.js';
import { Value, editable } from './value.js';
import { Editor } from './editor.js';
import { href } from './route.js';
import { may, session } from './session.js';
import { useBoard } from './board.js';

// `made`: it was just put here, and reading it is no action of its own.
export function Drawer({ store, name, now, made, onClose, onChange }) {
  useBoard(session);
  const [found, setFound] = useState({ state: 'reading' });
  const [mode, setMode] = useState('look');
  const [told, tell] = useState(null);
  const top = useFocus();
  // `ended`: the deadline that is over, if that is why it is read.
  const load = async (options, ended) => {
    try {
      const value = await read(store, name, options);
      setFound({ state: value ? 'there' : 'gone', value, ended });
    } catch (error) {
      if (error.name !== 'AbortError') setFound({ state: 'failed', error });
    }
  };
  useEffect(() => {
    const abort = new AbortController();
    load({ signal: abort.signal, quiet: made });
    return () => abort.abort();
  }, []);
  // What is edited is left as it is: saving it tells.
  const isOver = mode === 'look' && Boolean(found.value?.expires) && until(found.value.expires, now) === 0;
  useEffect(() => {
    if (isOver) load({ quiet: true }, found.value.expires);
  }, [isOver && now]);
  const done = (text) => {
    setMode('look');
    tell(text);
    // What was there is not to be edited under the version of what is there now.
    setFound({ state: 'reading' });
    load({ quiet: true });
    onChange();
  };
  const escape = (event) => event.key === 'Escape' && mode === 'look' && onClose();
  return html`
    <section class="panel drawer" aria-labelledby="drawer" onKeyDown=${escape}>
      <header>
        <h2 id="drawer" tabindex="-1" ref=${top}><${Foreign} text=${name} /></h2>
        <div class="aside"><button type="button" class="small" onClick=${onClose}>Close</button></div>
      </header>
      ${told && html`<${Notice} kind="ok">${told}<//>`}
      ${found.state === 'reading' && html`<p class="muted">reading …</p>`}
      ${found.state === 'failed' && html`<${Notice} kind="bad">${found.error.message}<//>`}
      ${found.state === 'gone' && html`<p class="empty" role="status">${found.ended
        ? `The key has expired: its time came on ${moment(found.ended)}.`
        : 'The key has no value any more: it was deleted, or its time has come.'}</p>`}
      ${found.state === 'there' && html`
        <${Facts} store=${store} name=${name} value=${found.value} now=${now} />
        ${mode === 'look' && html`<${Value} key=${found.value.version} value=${found.value} /><${Actions} value=${found.value} onMode=${(next) => { tell(null); setMode(next); }} />`}
        ${mode !== 'look' && html`<${Editor} mode=${mode} store=${store} name=${name} value=${found.value} onDone=${done} onCancel=${() => setMode('look')}
          onTake=${(value) => { setFound({ state: value ? 'there' : 'gone', value }); setMode('look'); }} />`}`}
    </section>`;
}

function Facts({ store, name, value, now }) {
  const { version, expires } = value;
  const rows = [
    ['version', html`<span class="mono">${version}</span> <${CopyButton} text=${version} /> <a href=${href('convergence', { store, version })}>receipts</a>`],
    ['written', value.written ? moment(value.written) : '–'],
    ['size', size(value.size)],
    ['type', html`<${Foreign} text=${value.type} most=${120} />`],
    ['goes', expires ? html`<span title=${moment(expires)}>${until(expires, now) > 0 ? `in ${span(until(expires, now))}` : 'it has expired'}</span>` : 'never by itself'],
    ['key', html`${new TextEncoder().encode(name).length} bytes <${CopyButton} text=${name} />`],
  ];
  return html`<dl class="facts">${rows.map(([term, text]) => html`<div><dt>${term}</dt><dd>${text}</dd></div>`)}</dl>`;
}

function Actions({ value, onMode }) {
  if (!may('write')) return html`<p class="hint">Your role, ${session.get().role}, may not change keys.</p>`;
  const isText = editable(value) !== null;
  const why = !value.whole ? 'It is too large to be edited here.' : isText ? null : 'It is no text that a form would leave as it is: put a file with curl -T.';
  return html`
    <div class="row">
      <button type="button" disabled=${why !== null} onClick=${() => onMode('edit')}>Edit</button>
      <button type="button" class="danger" onClick=${() => onMode('delete')}>Delete</button>
      ${why && html`<span class="hint">${why}</span>`}
    </div>`;
}
