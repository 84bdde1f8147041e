// One request to the node, what it refuses in words, and the same request as a line for a shell.
import { board } from './board.js';
import { authorization, refuse, session } from './session.js';

// The last thing that was done here, for the footer.
export const lastAction = board(null);

// Why the node did not do it. `status` 0: it was not reached.
export class Refusal extends Error {
  constructor(status, problem) {
    super(inWords(status, problem));
    this.status = status;
    this.code = problem.code ?? '';
    this.problem = problem;
  }
}

function inWords(status, problem) {
  if (status === 403 && problem.role) {
    return `This needs a token with the role ${problem.role} or more; yours is ${session.get().role ?? 'another'}.`;
  }
  const title = problem.title ? `${problem.title}: ` : '';
  return `${title}${problem.detail ?? `the node answered ${status}`}`;
}

// Sends a request. `quiet`: it is no action of the user, and not shown as one.
export async function call(method, path, options = {}) {
  const { headers = {}, body, signal, quiet = false } = options;
  if (!quiet) lastAction.set(curl(method, path, headers, body));
  const all = carried({ ...headers, ...authorization() });
  let response;
  try {
    response = await fetch(path, { method, headers: all, body, signal, cache: 'no-store', redirect: 'error' });
  } catch (error) {
    if (error.name === 'AbortError') throw error;
    throw new Refusal(0, { title: 'The node can not be reached', detail: 'nothing is known of the request' });
  }
  if (response.ok) return response;
  throw await refusal(response);
}

// The headers as a request carries them, which is bytes.
function carried(headers) {
  try {
    return new Headers(headers);
  } catch {
    throw new Refusal(0, { title: 'Nothing was sent', detail: 'the type has a character that no header can carry' });
  }
}

export async function callJson(method, path, options) {
  return (await call(method, path, options)).json();
}

export async function refusal(response) {
  let problem = {};
  try {
    problem = await response.json();
  } catch {
    // the HTTP parser answers itself, without a body
  }
  const found = new Refusal(response.status, problem);
  if (response.status === 401) refuse(found.message);
  return found;
}

// The path of a key; null for the two that no URL can name.
export function keyPath(store, key) {
  if (key === '.' || key === '..') return null;
  return `/v1/kv/${encodeURIComponent(store)}/${encodeURIComponent(key)}`;
}

export function query(parameters) {
  const given = Object.entries(parameters).filter(([, value]) => value !== undefined && value !== null && value !== '');
  const text = given.map(([name, value]) => `${name}=${encodeURIComponent(value)}`).join('&');
  return text ? `?${text}` : '';
}

function quoted(text) {
  return /^[A-Za-z0-9_./:=@%+,-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}

// Bodies up to so many characters are shown, if they are plain text.
const SHOWN = 400;

function curl(method, path, headers, body) {
  const words = ['curl'];
  if (method === 'GET' && headers.accept === 'text/event-stream') words.push('-N');
  if (method !== 'GET') words.push('-X', method);
  if (session.get().token) words.push('-H', '"Authorization: Bearer $GRIDKV_TOKEN"');
  for (const [name, value] of Object.entries(headers)) words.push('-H', quoted(`${name}: ${value}`));
  if (body !== undefined) {
    const plain = typeof body === 'string' && body.length <= SHOWN && !/[^\x20-\x7e\n\t]/.test(body);
    // As it is: elsewhere a text that begins with @ is the name of a file.
    words.push(...(plain ? ['--data-raw', quoted(body)] : ['--data-binary', '@FILE']));
  }
  words.push(quoted(`${location.origin}${path}`));
  return words.join(' ');
}

// Notes an action that the browser does by itself, such as a download.
export function note(method, path) {
  lastAction.set(curl(method, path, {}, undefined));
}

// The first bytes of an answer, and whether they are all.
export async function firstBytes(response, cap) {
  const reader = response.body?.getReader();
  const pieces = [];
  let length = 0;
  while (reader && length <= cap) {
    const { done, value } = await reader.read();
    if (done) break;
    pieces.push(value);
    length += value.length;
  }
  if (length > cap) reader.cancel().catch(() => {});
  const bytes = new Uint8Array(Math.min(length, cap));
  let at = 0;
  for (const piece of pieces) {
    const part = piece.subarray(0, bytes.length - at);
    bytes.set(part, at);
    at += part.length;
  }
  return { bytes, whole: length <= cap };
}
