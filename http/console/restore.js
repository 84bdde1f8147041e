// Restore: first tried without changing anything, then done for who types the store's name.
import { html, useState } from './html.js';
import { Choice, Field, Notice, Panel, firstStore } from './parts.js';
import { call, query } from './call.js';
import { bytes, count } from './figures.js';

const MODES = [
  ['merge', 'merge: what is newer is written'],
  ['missing', 'missing: only keys that are absent'],
  ['replace', 'replace: other keys are deleted'],
];

export function Restore({ names }) {
  const [store, setStore] = useState(firstStore(names));
  const [mode, setMode] = useState('merge');
  const [file, setFile] = useState(null);
  const [busy, setBusy] = useState(false);
  const [told, tell] = useState(null);
  // What the trial of just these choices has shown.
  const [tried, setTried] = useState(null);
  const [typed, type] = useState('');
  const changed = (set) => (value) => {
    set(value);
    setTried(null);
    tell(null);
    type('');
  };
  const send = async (trial) => {
    setBusy(true);
    tell({ kind: 'plain', text: trial ? 'Trying: nothing is changed …' : 'Restoring …' });
    try {
      const path = `/v1/stores/${encodeURIComponent(store)}/snapshot${query({ mode, dry_run: trial ? 'true' : null })}`;
      const type = file.name.endsWith('.ndjson') ? 'application/x-ndjson' : 'application/octet-stream';
      const result = await (await call('PUT', path, { headers: { 'content-type': type }, body: file })).json();
      setTried(trial ? result : null);
      tell({ kind: trial ? 'plain' : 'ok', text: inWords(result, trial) });
    } catch (error) {
      setTried(null);
      tell({ kind: 'bad', text: error.message });
    }
    type('');
    setBusy(false);
  };
  const submit = (event) => {
    event.preventDefault();
    if (tried === null) send(true);
    else if (typed === store) send(false);
  };
  if (names.length === 0) return null;
  return html`
    <${Panel} id="restore" title="Restore">
      <form class="editor" onSubmit=${submit}>
        <div class="row">
          <${Field} id="restore-file" label="File"><input id="restore-file" type="file" accept=".gkvs,.ndjson" onChange=${(event) => changed(setFile)(event.target.files[0] ?? null)} /><//>
          <${Field} id="restore-store" label="Into store"><${Choice} id="restore-store" value=${store} options=${names} onChange=${changed(setStore)} /><//>
          <${Field} id="restore-mode" label="How"><${Choice} id="restore-mode" value=${mode} options=${MODES} onChange=${changed(setMode)} /><//>
          ${tried === null && html`<button class="primary" disabled=${!file || busy}>Try it: change nothing</button>`}
        </div>
        ${told && html`<${Notice} kind=${told.kind}>${told.text}<//>`}
        ${tried !== null && html`
          <div class="row">
            <${Field} id="restore-sure" label=${`Type ${store} to restore it on all nodes`}>
              <input id="restore-sure" class="mono" value=${typed} autocomplete="off" spellcheck="false" onInput=${(event) => type(event.target.value)} />
            <//>
            <button class="danger" disabled=${typed !== store || busy}>Restore${file ? ` ${bytes(file.size)}` : ''}</button>
          </div>`}
      </form>
      <p class="hint">What is written replicates like any write. The file is looked at as a whole first: a damaged one changes nothing.</p>
    <//>`;
}

function inWords({ applied, skipped_older: older, expired, deleted }, trial) {
  const would = trial ? 'would be ' : '';
  const parts = [`${count(applied)} ${would}written`, `${count(older)} ${would}left as they are (newer here, or there already)`, `${count(expired)} have expired`];
  if (deleted !== undefined) parts.push(`${count(deleted)} ${would}deleted`);
  return `${trial ? 'A trial; nothing was changed: ' : 'Restored: '}${parts.join(', ')}.`;
}
