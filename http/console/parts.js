// Small parts that several pages are made of.
import { html, useEffect, useRef, useState } from './html.js';
import { inert } from './figures.js';

export const Badge = ({ kind = 'plain', children }) => html`<span class="badge ${kind}">${children}</span>`;

// A name or text that somebody else chose.
export const Foreign = ({ text, most }) => html`<bdi class="foreign">${inert(text, most)}</bdi>`;

// What is said where there is nothing: also what to do.
export const Empty = ({ children }) => html`<p class="empty">${children}</p>`;

export const Notice = ({ kind = 'plain', children }) => html`
  <div class="notice ${kind}" role=${kind === 'bad' ? 'alert' : 'status'}>${children}</div>`;

export const Panel = ({ title, aside, children, id }) => html`
  <section class="panel" aria-labelledby=${id}>
    <header><h2 id=${id}>${title}</h2>${aside && html`<div class="aside">${aside}</div>`}</header>
    ${children}
  </section>`;

// A table that scrolls by itself where it is too wide, also by keyboard.
export const Table = ({ label, head, children, numeric = [], snug = false }) => html`
  <div class="scroll" role="region" aria-label=${`${label}, table`} tabindex="0">
    <table class=${snug ? 'snug' : ''}>
      <thead><tr>${head.map((name, i) => html`<th scope="col" class=${numeric.includes(i) ? 'number' : ''}>${name}</th>`)}</tr></thead>
      <tbody>${children}</tbody>
    </table>
  </div>`;

export const Field = ({ label, hint, children, id }) => html`
  <div class="field">
    <label for=${id}>${label}</label>
    ${children}
    ${hint && html`<p class="hint" id=${`${id}-hint`}>${hint}</p>`}
  </div>`;

export const Choice = ({ id, value, options, onChange, ...rest }) => html`
  <select id=${id} value=${value} onChange=${(event) => onChange(event.target.value)} ...${rest}>
    ${options.map((option) => {
      const [key, text] = Array.isArray(option) ? option : [option, option];
      return html`<option value=${key} selected=${key === value}>${text}</option>`;
    })}
  </select>`;

// The store that is shown where none is asked for.
export const firstStore = (names) => (names.includes('main') ? 'main' : names[0]);

// A bar that says how full something is; its text says the same.
export const Meter = ({ share, kind, label }) => html`
  <span class="meter ${kind}" role="img" aria-label=${label}>
    <span style=${{ width: `${Math.min(100, Math.max(0, share * 100)).toFixed(1)}%` }}></span>
  </span>`;

// Copies a text, also where the page came over plain HTTP and the clipboard is not given.
export function CopyButton({ text, label = 'Copy' }) {
  const [told, tell] = useState('');
  useEffect(() => tell(''), [text]);
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(text);
      tell('Copied');
    } catch {
      tell(copyBySelection(text) ? 'Copied' : 'Select it and copy by hand');
    }
  };
  return html`<button type="button" class="small" onClick=${copy} aria-live="polite">${told || label}</button>`;
}

function copyBySelection(text) {
  const area = document.createElement('textarea');
  area.value = text;
  area.className = 'unseen';
  document.body.append(area);
  area.select();
  const copied = document.execCommand('copy');
  area.remove();
  return copied;
}

// Brings the focus to what has just appeared.
export function useFocus() {
  const target = useRef(null);
  useEffect(() => target.current?.focus(), []);
  return target;
}

// A value that is asked of the node, and asked again every `seconds`, if there are any.
export function useAsked(ask, wanted, seconds) {
  const [found, set] = useState({ value: null, error: null });
  useEffect(() => {
    const abort = new AbortController();
    let timer = null;
    const once = async () => {
      try {
        const value = await ask(abort.signal);
        if (!abort.signal.aborted) set({ value, error: null });
      } catch (error) {
        if (!abort.signal.aborted) set((before) => ({ value: before.value, error }));
      }
      if (seconds && !abort.signal.aborted) timer = setTimeout(once, seconds * 1000);
    };
    set({ value: null, error: null });
    once();
    return () => {
      abort.abort();
      clearTimeout(timer);
    };
  }, wanted);
  return found;
}
