// What the pages are made of, from one place: preact with htm, as they were published.
export { html, render, useEffect, useRef, useState } from './vendor/htm-preact-standalone.module.js';
