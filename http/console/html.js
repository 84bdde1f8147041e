// What the pages are made of, from one place: preact with htm, as they were published.
export {
  html,
  render,
  useCallback,
  useEffect,
  useMemo,
  useReducer,
  useRef,
  useState,
} from './vendor/htm-preact-standalone.module.js';
