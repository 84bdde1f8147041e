// The door: asks for a token where the node has some.
import { html, useState } from './html.js';
import { Field, Notice, useFocus } from './parts.js';
import { enter } from './session.js';

export function Door({ refused }) {
  const [token, setToken] = useState('');
  const first = useFocus();
  const given = token.trim();
  // No header can carry another one, and no node knows it.
  const wrong = given !== '' && !/^[\x21-\x7e]{1,256}$/.test(given);
  const submit = (event) => {
    event.preventDefault();
    if (given === '' || wrong) return;
    enter(given);
    setToken('');
  };
  return html`
    <main class="door" id="main">
      <form class="panel" onSubmit=${submit} aria-labelledby="door">
        <h1 id="door">This node asks for a token</h1>
        <${Notice} kind="warn">${refused}<//>
        ${wrong && html`<${Notice} kind="bad">This can be no token: it is one word of plain letters, digits and signs.<//>`}
        <${Field} id="token" label="Token" hint="A token with the role read or more. It is kept in this tab until you close it, and sent to this node only.">
          <input id="token" type="password" class="mono wide" ref=${first} value=${token} autocomplete="off" spellcheck="false" aria-describedby="token-hint" onInput=${(event) => setToken(event.target.value)} />
        <//>
        <button class="primary" disabled=${given === '' || wrong}>Enter</button>
        <p class="hint">gridkv init makes tokens; auth.tokens in the configuration names them. read sees everything, write changes keys, admin does all else.</p>
      </form>
    </main>`;
}
