// A key that is not there yet, and only then is written.
import { html, useState } from './html.js';
import { Field, Notice, useFocus } from './parts.js';
import { call, keyPath, query } from './call.js';
import { Fields } from './editor.js';

export function NewKey({ store, prefix, onClose, onDone }) {
  const [name, setName] = useState(prefix);
  const [text, setText] = useState('');
  const [type, setType] = useState('text/plain');
  const [ttl, setTtl] = useState('');
  const [problem, setProblem] = useState(null);
  const first = useFocus();
  const length = new TextEncoder().encode(name).length;
  const wrong = name === '.' || name === '..' ? 'No URL can name this key; a batch can.' : length > 1024 ? `A key has at most 1,024 bytes, this one ${length}.` : null;
  const submit = async (event) => {
    event.preventDefault();
    if (wrong || name === '') return;
    try {
      const headers = { 'if-none-match': '*', 'content-type': type || 'application/octet-stream' };
      await call('PUT', keyPath(store, name) + query({ ttl }), { headers, body: text });
      onDone(name);
    } catch (refused) {
      setProblem(refused);
    }
  };
  const said = problem?.code === 'precondition_failed' ? 'There is a key of this name already. Nothing was written: close this and open the key to change it.' : problem?.message;
  return html`
    <section class="panel drawer" aria-labelledby="new-key" onKeyDown=${(event) => event.key === 'Escape' && onClose()}>
      <header><h2 id="new-key">New key in ${store}</h2><div class="aside"><button type="button" class="small" onClick=${onClose}>Close</button></div></header>
      <form class="editor" onSubmit=${submit}>
        ${said && html`<${Notice} kind="bad">${said}<//>`}
        <${Field} id="new-name" label="Key" hint=${wrong}>
          <input id="new-name" class="mono wide" ref=${first} value=${name} spellcheck="false" autocomplete="off" aria-invalid=${wrong !== null} onInput=${(event) => setName(event.target.value)} />
        <//>
        <${Fields} text=${text} type=${type} ttl=${ttl} onText=${setText} onType=${setType} onTtl=${setTtl} />
        <button class="primary" disabled=${name === '' || wrong !== null}>Put</button>
      </form>
    </section>`;
}
