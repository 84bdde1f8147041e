// Changes a key on the condition that it still is what was looked at, and says so honestly when it is not.
import { html, useState } from './html.js';
import { Field, Notice, useFocus } from './parts.js';
import { call, keyPath, query } from './call.js';
import { Value, editable } from './value.js';
import { read } from './key.js';

export function Editor({ mode, store, name, value, onDone, onCancel, onTake }) {
  const [text, setText] = useState(editable(value) ?? '');
  const [type, setType] = useState(value.type);
  const [ttl, setTtl] = useState('keep');
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState(null);
  // Somebody else was faster: what stands now, or null when nothing does.
  const [conflict, setConflict] = useState(null);
  const first = useFocus();
  const send = async (etag) => {
    setBusy(true);
    setProblem(null);
    const condition = etag ? { 'if-match': etag } : { 'if-none-match': '*' };
    try {
      if (mode === 'delete') {
        await call('DELETE', keyPath(store, name), { headers: condition });
        onDone('Deleted.');
      } else {
        const headers = { ...condition, 'content-type': type || 'application/octet-stream' };
        // A deadline that nothing is said of is kept; a key that was deleted meanwhile has none.
        const said = ttl.trim() || 'keep';
        const put = await call('PUT', keyPath(store, name) + query({ ttl: etag || said !== 'keep' ? said : '' }), { headers, body: text });
        onDone(`Written as ${put.headers.get('gridkv-version')}.`);
      }
    } catch (refused) {
      if (refused.code === 'precondition_failed') await clash();
      else setProblem(refused);
    }
    setBusy(false);
  };
  const clash = async () => {
    try {
      setConflict({ now: await read(store, name, { quiet: true }) });
    } catch (error) {
      setProblem(error);
    }
  };
  if (conflict) {
    return html`<${Conflict} mode=${mode} opened=${value} now=${conflict.now} busy=${busy} problem=${problem}
      onTake=${() => onTake(conflict.now)} onForce=${() => send(conflict.now?.etag)} />`;
  }
  const submit = (event) => {
    event.preventDefault();
    send(value.etag);
  };
  return html`
    <form class="editor" onSubmit=${submit}>
      ${problem && html`<${Notice} kind="bad">${problem.message}<//>`}
      ${mode === 'delete'
        ? html`<p tabindex="-1" ref=${first}>Delete this key on all nodes? It is deleted only if it still has the version that you see.</p>`
        : html`<${Fields} text=${text} type=${type} ttl=${ttl} onText=${setText} onType=${setType} onTtl=${setTtl} first=${first} keeps=${Boolean(value.expires)} />`}
      <div class="row">
        <button class=${mode === 'delete' ? 'danger' : 'primary'} disabled=${busy}>${mode === 'delete' ? 'Delete it' : 'Save'}</button>
        <button type="button" onClick=${onCancel} disabled=${busy}>Cancel</button>
      </div>
      <p class="hint">On the condition that it is unchanged (If-Match), which holds on the node that you talk to.</p>
    </form>`;
}

export const Fields = ({ text, type, ttl, onText, onType, onTtl, first, keeps }) => html`
  <${Field} id="edit-value" label="Value"><textarea id="edit-value" class="mono" rows="10" spellcheck="false" ref=${first} value=${text} onInput=${(event) => onText(event.target.value)}></textarea><//>
  <div class="row">
    <${Field} id="edit-type" label="Type"><input id="edit-type" class="mono" value=${type} spellcheck="false" autocomplete="off" onInput=${(event) => onType(event.target.value)} /><//>
    <${Field} id="edit-ttl" label="Time to live" hint=${keeps ? 'keep: until its old deadline; 0: for ever; or 30s, 5m, 2h' : '0: for ever; or 30s, 5m, 2h'}>
      <input id="edit-ttl" class="mono narrow" value=${ttl} spellcheck="false" autocomplete="off" aria-describedby="edit-ttl-hint" onInput=${(event) => onTtl(event.target.value)} />
    <//>
  </div>`;

function Conflict({ mode, opened, now, busy, problem, onTake, onForce }) {
  const top = useFocus();
  const mine = mode === 'delete' ? 'Delete it all the same' : now ? 'Overwrite it with mine' : 'Write mine again';
  return html`
    <div class="editor" tabindex="-1" ref=${top}>
      <${Notice} kind="warn">
        <strong>Nothing was ${mode === 'delete' ? 'deleted' : 'written'}.</strong>${' '}
        ${now
          ? html`Somebody else wrote this key after you opened it. You opened version <span class="mono">${opened.version}</span>, and now <span class="mono">${now.version}</span> stands:`
          : html`Somebody else deleted this key, or its time came, after you opened version <span class="mono">${opened.version}</span>.`}
      <//>
      ${now && html`<${Value} key=${now.version} value=${now} />`}
      ${problem && html`<${Notice} kind="bad">${problem.message}<//>`}
      <div class="row">
        <button type="button" class="primary" onClick=${onTake} disabled=${busy}>${now ? 'Take theirs' : 'Let it be'}</button>
        ${(now || mode === 'edit') && html`<button type="button" class="danger" onClick=${onForce} disabled=${busy}>${mine}</button>`}
      </div>
      <p class="hint">Also the second try is on a condition: that what you see here still stands.</p>
    </div>`;
}
